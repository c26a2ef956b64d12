//! What is wrong with a row of a file or with a feature, by kind, so that programs can show it in the language of their users.

use serde::Serialize;

use crate::model::schema::ValueError;

/// What is wrong, with the facts that a text about it needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The row cannot be read.
    Unreadable,
    /// A value does not have the type or the unit of its field.
    WrongType,
    /// A number is below the minimum or above the maximum of its field.
    OutOfRange,
    /// A code is not in the list of its field.
    UnknownCode {
        /// The label that is most like it.
        like: Option<String>,
    },
    /// A text has a character that cannot be stored.
    WrongCharacter,
    /// The id is no id.
    InvalidId,
    /// Another row of the file has the same id.
    DuplicateId,
    /// More people than the capacity.
    OverCapacity,
    /// There is no name.
    NoName,
    /// There is no place.
    NoPlace,
    /// The coordinates are no position of the reference system.
    NoPosition,
    /// The geometry is not of the kind of the layer.
    WrongGeometry,
    /// The geometry is not valid, such as a ring that crosses itself.
    InvalidGeometry,
    /// The feature is far outside the county.
    OutsideCounty {
        /// Distance from the county, kilometres rounded to whole ones.
        distance_km: u64,
        /// Whether longitude and latitude are probably exchanged.
        is_swapped: bool,
    },
    /// The feature is in a division for which the account may not write.
    OtherDivision,
    /// A warning: the feature is inside an area of danger.
    InsideDanger {
        /// The area.
        area: String,
    },
}

impl From<&ValueError> for Fault {
    fn from(error: &ValueError) -> Self {
        match error {
            ValueError::Unreadable { .. } | ValueError::Type { .. } => Self::WrongType,
            ValueError::Range { .. } => Self::OutOfRange,
            ValueError::NulCharacter => Self::WrongCharacter,
        }
    }
}
