//! Features, values, schemas, the catalog and edits: the types that all other modules share.

pub mod access;
pub mod audit;
pub mod base_map;
pub mod catalog;
pub mod cluster;
pub mod division;
pub mod edit;
mod fingerprint;
pub mod import;
mod instant;
pub mod mask;
pub mod reservation;
pub mod roles;
pub mod schema;
mod shared_state;

use std::fmt;
use std::sync::Arc;

use crate::geodesy::{Envelope, LonLat, PositionError};

pub use access::{LayerAccess, Role};
pub use audit::{AuditEntry, Origin, RemovedEntries};
pub use catalog::Catalog;
pub use edit::{Action, Applied, Batch, Edit, EditError, EditOutcome, IdempotencyKey, Precondition};
pub use fingerprint::{Fingerprint, FingerprintKey};
pub use import::{
    ImportCounts, ImportError, ImportMode, ImportRecord, ImportScope, ImportSource, Merge, PastImport, Undo, Undone,
    Unmatched,
};
pub use instant::{
    beijing_day, format_beijing, format_date, format_instant, parse_date, parse_instant, parse_time_span,
    parse_zoned_instant,
};
pub use reservation::{ExcessMark, OverCommitment, Reservation, ReservationError, ReservedPart};
pub use roles::Roles;
pub use schema::{Field, FieldType, GeometryKind, LayerSchema, View};
pub use shared_state::{SharedState, stable_hash};

/// Position of a layer in the schemas of a store, and in the layers of its snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerIndex(pub usize);

impl LayerIndex {
    /// The element of a list that has one for each layer.
    #[must_use]
    pub fn of<T>(self, layers: &[T]) -> &T {
        &layers[self.0]
    }

    /// Each element of such a list, with its index.
    pub fn each<T>(layers: &[T]) -> impl Iterator<Item = (Self, &T)> {
        layers.iter().enumerate().map(|(at, layer)| (Self(at), layer))
    }

    /// A layer by its id.
    #[must_use]
    pub fn find(schemas: &[LayerSchema], id: &str) -> Option<Self> {
        schemas.iter().position(|schema| schema.id == id).map(Self)
    }
}

/// A feature id: stable text, unique in its layer, 1 to 200 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeatureId(Box<str>);

/// Why a text is not a feature id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to 200 bytes without control characters, and neither `.` nor `..`")]
pub struct InvalidFeatureId;

impl FeatureId {
    /// Maximum length in bytes of UTF-8.
    pub const MAX_BYTES: usize = 200;

    /// Checks an id.
    ///
    /// # Errors
    /// When it is empty, too long, contains a control character, or is `.` or `..`: clients remove
    /// these two from a path before they send it, so the feature could not be requested.
    pub fn new(id: &str) -> Result<Self, InvalidFeatureId> {
        let is_addressable = !matches!(id, "" | "." | "..");
        if !is_addressable || id.len() > Self::MAX_BYTES || id.chars().any(char::is_control) {
            return Err(InvalidFeatureId);
        }
        Ok(Self(id.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FeatureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An attribute value. Unknown is a separate value: a missing capacity is not 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Unknown or not given.
    Unknown,
    /// True or false.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A finite number.
    Real(f64),
    /// Any text.
    Text(String),
    /// A date.
    Date(time::Date),
    /// An instant in UTC with microseconds.
    DateTime(time::UtcDateTime),
    /// A list of codes or ids, in order.
    TextList(Vec<String>),
    /// A JSON document as compact text, for structured values such as stock lists.
    Json(String),
}

impl Value {
    /// Whether it is unknown.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// The value, borrowed.
    #[must_use]
    pub fn as_value_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Unknown => ValueRef::Unknown,
            Self::Boolean(yes) => ValueRef::Boolean(*yes),
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text),
            Self::Date(date) => ValueRef::Date(*date),
            Self::DateTime(instant) => ValueRef::DateTime(*instant),
            Self::TextList(list) => ValueRef::TextList(list),
            Self::Json(document) => ValueRef::Json(document),
        }
    }
}

/// A borrowed attribute value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// Unknown or not given.
    Unknown,
    /// True or false.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A finite number.
    Real(f64),
    /// Any text.
    Text(&'a str),
    /// A date.
    Date(time::Date),
    /// An instant in UTC.
    DateTime(time::UtcDateTime),
    /// A list of codes or ids.
    TextList(&'a [String]),
    /// A JSON document.
    Json(&'a str),
}

impl ValueRef<'_> {
    /// The value, owned.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Self::Unknown => Value::Unknown,
            Self::Boolean(yes) => Value::Boolean(yes),
            Self::Integer(number) => Value::Integer(number),
            Self::Real(number) => Value::Real(number),
            Self::Text(text) => Value::Text(text.to_owned()),
            Self::Date(date) => Value::Date(date),
            Self::DateTime(instant) => Value::DateTime(instant),
            Self::TextList(list) => Value::TextList(list.to_vec()),
            Self::Json(document) => Value::Json(document.to_owned()),
        }
    }
}

/// A feature: an id, a geometry, and values in the order of the layer's fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// Unique in the layer.
    pub id: FeatureId,
    /// Longitude, latitude in degrees; `None` for an unknown position.
    pub geometry: Option<Shape>,
    /// One value for each of [`LayerSchema::fields`], in that order.
    pub values: Vec<Value>,
}

/// A geometry whose coordinates are all positions: finite, within range, not empty.
///
/// Clones share the geometry.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape(Stored);

/// Points are stored inline, because most features are points and a reference would be larger.
#[derive(Clone, Debug)]
enum Stored {
    Point(geo::Geometry),
    Shared(Arc<geo::Geometry>),
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Shared(a), Self::Shared(b)) if Arc::ptr_eq(a, b) => true,
            _ => self.geometry() == other.geometry(),
        }
    }
}

impl Stored {
    fn geometry(&self) -> &geo::Geometry {
        match self {
            Self::Point(geometry) => geometry,
            Self::Shared(geometry) => geometry,
        }
    }
}

/// Why a geometry is not a valid shape.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ShapeError {
    /// No coordinates, a line with one point, or a ring with fewer than four.
    #[error("the geometry is empty or has too few points")]
    Empty,
    /// A coordinate is not a position.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// Too many coordinates for one feature.
    #[error("the geometry has {0} coordinates, the maximum is {max}", max = Shape::MAX_COORDINATES)]
    TooLarge(usize),
    /// A collection of mixed geometries.
    #[error("a GeometryCollection cannot be one feature")]
    Collection,
}

impl Shape {
    /// Maximum number of coordinates of a feature.
    pub const MAX_COORDINATES: usize = 1_000_000;

    /// Checks a geometry in longitude, latitude degrees. Lines, rectangles and triangles are converted to the
    /// corresponding simple-features type.
    ///
    /// # Errors
    /// See [`ShapeError`].
    pub fn new(geometry: geo::Geometry) -> Result<Self, ShapeError> {
        use geo::{CoordsIter, Geometry, MapCoords};
        let geometry = match geometry {
            Geometry::Line(line) => Geometry::LineString(line.into()),
            Geometry::Rect(rect) => Geometry::Polygon(rect.to_polygon()),
            Geometry::Triangle(triangle) => Geometry::Polygon(triangle.to_polygon()),
            Geometry::MultiPoint(points) if points.0.len() == 1 => Geometry::Point(points.0[0]),
            Geometry::GeometryCollection(_) => return Err(ShapeError::Collection),
            other => other,
        };
        let count = geometry.coords_count();
        if count > Self::MAX_COORDINATES {
            return Err(ShapeError::TooLarge(count));
        }
        let mut at_edge = false;
        for coord in geometry.coords_iter() {
            let at = LonLat::try_from(coord)?;
            at_edge |= (at.lon(), at.lat()) != coord.x_y();
        }
        let geometry = if at_edge {
            geometry.try_map_coords(|coord| LonLat::try_from(coord).map(|at| (at.lon(), at.lat()).into()))?
        } else {
            geometry
        };
        let whole = match &geometry {
            Geometry::LineString(line) => is_line(line),
            Geometry::Polygon(polygon) => is_polygon(polygon),
            Geometry::MultiLineString(lines) => lines.iter().all(is_line),
            Geometry::MultiPolygon(polygons) => polygons.iter().all(is_polygon),
            _ => true,
        };
        if count == 0 || !whole {
            return Err(ShapeError::Empty);
        }
        Ok(Self(match geometry {
            Geometry::Point(_) => Stored::Point(geometry),
            other => Stored::Shared(Arc::new(other)),
        }))
    }

    /// The geometry; its coordinates are positions.
    #[must_use]
    pub fn geometry(&self) -> &geo::Geometry {
        self.0.geometry()
    }

    /// Returns the geometry; copies it if it is shared.
    #[must_use]
    pub fn into_geometry(self) -> geo::Geometry {
        match self.0 {
            Stored::Point(geometry) => geometry,
            Stored::Shared(geometry) => Arc::unwrap_or_clone(geometry),
        }
    }

    /// The position, if this is a single point.
    #[must_use]
    pub fn as_point(&self) -> Option<LonLat> {
        match self.geometry() {
            geo::Geometry::Point(point) => LonLat::new(point.x(), point.y()).ok(),
            _ => None,
        }
    }

    /// A position that stands for the shape on a map: the point itself, or the centre of the envelope.
    #[must_use]
    pub fn anchor(&self) -> Option<LonLat> {
        self.as_point().or_else(|| {
            let around = Envelope::around(self.geometry())?;
            let centre = |low: f64, high: f64| f64::midpoint(low, high);
            LonLat::new(centre(around.west(), around.east()), centre(around.south(), around.north())).ok()
        })
    }

    /// The geometry kind of a layer that holds it; a multipoint needs a layer of any kind.
    #[must_use]
    pub fn kind(&self) -> GeometryKind {
        use geo::Geometry;
        match self.geometry() {
            Geometry::Point(_) => GeometryKind::Point,
            Geometry::MultiPoint(_) => GeometryKind::Any,
            Geometry::LineString(_) | Geometry::MultiLineString(_) => GeometryKind::Line,
            _ => GeometryKind::Polygon,
        }
    }
}

impl From<LonLat> for Shape {
    fn from(at: LonLat) -> Self {
        Self(Stored::Point(geo::Point::new(at.lon(), at.lat()).into()))
    }
}

fn is_line(line: &geo::LineString) -> bool {
    line.0.len() >= 2
}

fn is_polygon(polygon: &geo::Polygon) -> bool {
    std::iter::once(polygon.exterior()).chain(polygon.interiors()).all(|ring| ring.0.len() >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_an_area_share_its_geometry() -> Result<(), ShapeError> {
        let square = geo::Rect::new((118.0, 26.0), (119.0, 27.0)).to_polygon();
        let shape = Shape::new(square.into())?;
        assert!(std::ptr::eq(shape.geometry(), shape.clone().geometry()));
        Ok(())
    }
}
