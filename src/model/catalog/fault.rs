//! Mistakes in a catalog, and their location.

/// Maximum length of layer and field names, bytes: PostgreSQL truncates names at 63, and triggers append to them.
pub(super) const MAX_NAME_BYTES: usize = 40;

/// A mistake in a catalog and its location.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct CatalogError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The mistake.
    pub fault: CatalogFault,
}

/// A mistake in a catalog.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CatalogFault {
    /// Not JSON, or unknown or missing members.
    #[error("{0}")]
    Json(String),
    /// An invalid row of the category table.
    #[error("not `code,unit,zh,en`")]
    Categories,
    /// A name that cannot name a table or column.
    #[error(
        "{0:?} cannot be a name; accepted: 1 to {MAX_NAME_BYTES} lower-case ASCII letters, digits and underscores, a \
         letter first"
    )]
    Name(String),
    /// A reserved name.
    #[error("the name {0:?} is reserved")]
    Reserved(String),
    /// A duplicate name.
    #[error("{0:?} is defined twice")]
    Duplicate(String),
    /// No layers.
    #[error("the catalog needs at least one layer")]
    Empty,
    /// A layer without a text field `name`.
    #[error("layer {0} needs a text field name")]
    NoName(String),
    /// A role names an unknown field.
    #[error("a role of layer {layer} names the unknown field {field:?}; accepted: {accepted}")]
    UnknownField {
        /// Layer id.
        layer: String,
        /// The unknown field.
        field: String,
        /// The fields of the layer.
        accepted: String,
    },
    /// A role names a field of an unsuitable type.
    #[error("a role needs {field:?} of type {accepted}; it is of type {found}")]
    RoleType {
        /// Field name.
        field: String,
        /// Its type.
        found: &'static str,
        /// The types that the role accepts.
        accepted: String,
    },
    /// The cluster configuration names an unsuitable field or exceeds a limit.
    #[error("the clusters of layer {layer} cannot use {part:?}")]
    Clusters {
        /// Layer id.
        layer: String,
        /// The name of the field, or `clusters` for a limit.
        part: String,
    },
    /// The weights of a layer for the risk surface.
    #[error(
        "layer {layer} has {count} weights for the risk surface; accepted: at most one for each of its {accepted} severities, the worst first"
    )]
    Weights {
        /// Layer id.
        layer: String,
        /// The number of weights.
        count: usize,
        /// The number of severity codes of its clusters; 0 without.
        accepted: usize,
    },
    /// An unknown code list.
    #[error("unknown code list {codes:?}; accepted: {accepted}")]
    UnknownCodes {
        /// Its name.
        codes: String,
        /// The existing lists.
        accepted: String,
    },
    /// A code that is not in its list.
    #[error("code {code:?} is not in the list {codes}; accepted: {accepted}")]
    UnknownCode {
        /// The code.
        code: String,
        /// The list.
        codes: String,
        /// Its codes.
        accepted: String,
    },
    /// An access rule hides a field that replies depend on.
    #[error(
        "access rules of layer {layer} cannot hide {field:?}: it does not exist, or a role or the clusters read it"
    )]
    CannotHide {
        /// Layer id.
        layer: String,
        /// Field name.
        field: String,
    },
    /// The minimum exceeds the maximum.
    #[error("min {min} is above max {max}")]
    Range {
        /// Smallest accepted number.
        min: f64,
        /// Largest accepted number.
        max: f64,
    },
    /// An invalid colour.
    #[error("{color:?} is not a colour; accepted: #rrggbb, or a name in colors: {accepted}")]
    Color {
        /// The value in the catalog.
        color: String,
        /// The names of colours.
        accepted: String,
    },
    /// A zoom out of range.
    #[error("zoom {0} is outside 0..=24")]
    Zoom(f64),
    /// An invalid county.
    #[error("{0}")]
    County(String),
    /// Invalid ring radii.
    #[error("{0:?} is not an ascending list of distances above 0, in metres")]
    Rings(Vec<f64>),
    /// An invalid need of evacuees.
    #[error(
        "the need of {0:?} is invalid; accepted: each stock item once, with per_person or per_person_day of 0 to 1000, not both 0"
    )]
    Need(String),
}
