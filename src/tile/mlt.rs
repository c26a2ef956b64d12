//! MapLibre Tile bytes: a column-oriented feature table for each layer. The same features in the same order give the
//! same bytes.
//!
//! Features keep their order, which is the order of drawing; the encoder would also sort them to save bytes.

use std::collections::HashMap;

use geo::{Coord, Geometry, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};
use mlt_core::encoder::EncoderConfig;
use mlt_core::{MltError, PropKind, PropValue, PropertyKey, TileLayer as Table};

use super::attribute::Attribute;
use super::clip::{EXTENT, TileGeometry, TilePoint};
use super::select::TileLayer;
use super::validity::doubled_area;

/// Encodes a layer as part of a tile.
///
/// # Errors
/// When the layer cannot be expressed in the format.
pub(super) fn encode(layer: &TileLayer<'_>) -> Result<Vec<u8>, MltError> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
    let mut table = Table::builder(layer.name, EXTENT as u32)?;
    let kinds = column_kinds(layer);
    let mut columns: HashMap<&str, (PropertyKey, PropKind)> = HashMap::new();
    for (name, kind) in &kinds {
        columns.insert(name, (table.add_property(*name, *kind)?, *kind));
    }
    for own in &layer.features {
        let mut feature = table.feature(geometry(&own.geometry));
        feature.id(Some(own.id));
        for (name, value) in &own.properties {
            if let Some((key, kind)) = columns.get(&**name) {
                feature.property(*key, value_as(value, *kind))?;
            }
        }
        feature.finish()?;
    }
    // Without string and integer compression of its own the tile is smaller after gzip.
    let config = EncoderConfig::default()
        .with_fsst(false)
        .with_fastpfor(false)
        .with_id_sort(false)
        .with_spatial_hilbert_sort(false)
        .with_spatial_morton_sort(false);
    table.finish().encode(config)
}

/// The columns in order of first use. A column has one type: text where its values differ in type.
fn column_kinds<'a>(layer: &'a TileLayer<'_>) -> Vec<(&'a str, PropKind)> {
    let mut kinds: Vec<(&str, PropKind)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (name, value) in layer.features.iter().flat_map(|feature| &feature.properties) {
        let own = match value {
            Attribute::Text(_) => PropKind::Str,
            Attribute::Integer(_) => PropKind::I64,
            Attribute::Real(_) => PropKind::F64,
            Attribute::Boolean(_) => PropKind::Bool,
        };
        let at = *places.entry(name).or_insert_with(|| {
            kinds.push((name, own));
            kinds.len() - 1
        });
        if kinds[at].1 != own {
            kinds[at].1 = PropKind::Str;
        }
    }
    kinds
}

fn value_as(value: &Attribute<'_>, kind: PropKind) -> PropValue {
    if kind == PropKind::Str {
        return PropValue::Str(Some(match value {
            Attribute::Text(text) => text.to_string(),
            Attribute::Integer(number) => number.to_string(),
            Attribute::Real(bits) => f64::from_bits(*bits).to_string(),
            Attribute::Boolean(yes) => yes.to_string(),
        }));
    }
    match value {
        Attribute::Text(text) => PropValue::Str(Some(text.to_string())),
        Attribute::Integer(number) => PropValue::I64(Some(*number)),
        Attribute::Real(bits) => PropValue::F64(Some(f64::from_bits(*bits))),
        Attribute::Boolean(yes) => PropValue::Bool(Some(*yes)),
    }
}

fn geometry(own: &TileGeometry) -> Geometry<i32> {
    match own {
        TileGeometry::Points(cells) => match cells.as_slice() {
            [only] => Geometry::Point(Point(coord(*only))),
            cells => Geometry::MultiPoint(MultiPoint(cells.iter().copied().map(coord).map(Point).collect())),
        },
        TileGeometry::Lines(lines) => match lines.as_slice() {
            [only] => Geometry::LineString(path(only)),
            lines => Geometry::MultiLineString(MultiLineString(lines.iter().map(|line| path(line)).collect())),
        },
        TileGeometry::Areas(rings) => {
            let mut polygons: Vec<Polygon<i32>> = Vec::new();
            for ring in rings {
                match polygons.last_mut() {
                    Some(polygon) if doubled_area(ring) < 0 => polygon.interiors_push(path(ring)),
                    _ => polygons.push(Polygon::new(path(ring), Vec::new())),
                }
            }
            if polygons.len() == 1 {
                polygons.pop().map_or_else(|| Geometry::MultiPolygon(MultiPolygon(Vec::new())), Geometry::Polygon)
            } else {
                Geometry::MultiPolygon(MultiPolygon(polygons))
            }
        }
    }
}

fn path(cells: &[TilePoint]) -> LineString<i32> {
    LineString(cells.iter().copied().map(coord).collect())
}

fn coord(cell: TilePoint) -> Coord<i32> {
    Coord { x: cell.0, y: cell.1 }
}
