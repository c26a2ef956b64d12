//! What can be wrong in a catalog, and where.

/// Longest name of a layer or a field, bytes: PostgreSQL cuts names at 63, and our triggers add to them.
pub(super) const MAX_NAME_BYTES: usize = 40;

/// Why a catalog cannot be used, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct CatalogError {
    /// Line of the document, from 1.
    pub line: usize,
    /// Character of the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: CatalogFault,
}

/// What is wrong in a catalog.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CatalogFault {
    /// Not JSON, or not the members that a catalog has.
    #[error("{0}")]
    Json(String),
    /// A row of the category table is broken.
    #[error("not `code,unit,zh,en`")]
    Categories,
    /// A name that cannot name a table or a column.
    #[error(
        "{0:?} cannot be a name; accepted: 1 to {MAX_NAME_BYTES} lower-case ASCII letters, digits and underscores, a \
         letter first"
    )]
    Name(String),
    /// A name that the program uses itself.
    #[error("the name {0:?} is used by the program itself")]
    Reserved(String),
    /// A name that is given twice.
    #[error("{0:?} is there twice")]
    Duplicate(String),
    /// No layer at all.
    #[error("there must be at least one layer")]
    Empty,
    /// A layer without a text field `name`.
    #[error("layer {0} needs a text field name")]
    NoName(String),
    /// A role names a field that the layer does not have.
    #[error("a role of layer {layer} names the unknown field {field:?}; accepted: {accepted}")]
    UnknownField {
        /// Layer id.
        layer: String,
        /// The missing field.
        field: String,
        /// The fields that could be named.
        accepted: String,
    },
    /// A role names a field of a type that it cannot use.
    #[error("a role needs {field:?} of type {accepted}; it is of type {found}")]
    RoleType {
        /// Field name.
        field: String,
        /// Its type.
        found: &'static str,
        /// The types that the role can use.
        accepted: String,
    },
    /// The cluster configuration of a layer names a field that it cannot use, or exceeds a limit.
    #[error("the clusters of layer {layer} cannot use {part:?}")]
    Clusters {
        /// Layer id.
        layer: String,
        /// The name of the field, or `clusters` for a limit.
        part: String,
    },
    /// A code list that is not there.
    #[error("unknown code list {codes:?}; accepted: {accepted}")]
    UnknownCodes {
        /// The missing list.
        codes: String,
        /// The lists there are.
        accepted: String,
    },
    /// A code that its list does not have.
    #[error("code {code:?} is not in the list {codes}; accepted: {accepted}")]
    UnknownCode {
        /// The missing code.
        code: String,
        /// The list.
        codes: String,
        /// Its codes.
        accepted: String,
    },
    /// The smallest accepted number is above the largest.
    #[error("min {min} is above max {max}")]
    Range {
        /// Smallest accepted number.
        min: f64,
        /// Largest accepted number.
        max: f64,
    },
    /// A colour that is none.
    #[error("{color:?} is not a colour; accepted: #rrggbb, or a name in colors: {accepted}")]
    Color {
        /// What was given.
        color: String,
        /// The names there are.
        accepted: String,
    },
    /// A zoom that no map has.
    #[error("zoom {0} is outside 0..=24")]
    Zoom(f64),
    /// A county without a usable code or place.
    #[error("{0}")]
    County(String),
    /// Distances that do not grow.
    #[error("{0:?} is not a list of growing distances above 0, in metres")]
    Rings(Vec<f64>),
}
