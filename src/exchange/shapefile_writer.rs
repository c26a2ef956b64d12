//! Writes a layer as a Shapefile: `.shp`, `.shx`, `.dbf`, `.prj` and `.cpg`, as files beside each other or in a `.zip`.
//!
//! The format has names of 10 bytes and texts of 254 bytes, so that both are cut; the reader finds the fields again.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Seek, Write};

use geo::Geometry;
use shapefile::dbase::encoding::EncodingRs;
use shapefile::dbase::{self, FieldName, FieldValue, Record, TableWriterBuilder};
use shapefile::record::EsriShape;
use shapefile::{Polygon, Polyline, ShapeWriter};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::csv::cell_text;
use crate::model::{Feature, Field, FieldType, GeometryKind, LayerSchema, Shape, Value, View};

/// Longest name of a column, bytes.
pub(super) const MAX_NAME_BYTES: usize = 10;
/// Longest text, bytes.
const MAX_TEXT_BYTES: usize = 254;
/// Digits and decimals of numbers.
const INTEGER_DIGITS: u8 = 18;
const REAL_DIGITS: u8 = 24;
const REAL_DECIMALS: u8 = 9;
/// WGS 84 longitude, latitude as ESRI writes it.
const PROJECTION: &str = r#"GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]"#;

/// The files of a Shapefile, and what does not fit into them.
#[derive(Default)]
pub struct ShapefileParts {
    shapes: Vec<u8>,
    index: Vec<u8>,
    attributes: Vec<u8>,
    /// Features without a geometry, which were omitted.
    pub without_place: usize,
    /// Texts that were cut.
    pub cut_texts: usize,
}

/// Converts features. Everything is held in memory: the format has at most 2 GB.
///
/// # Errors
/// When the layer has geometries of several kinds, or the format cannot hold the features.
pub fn convert(view: &View<'_>, features: impl Iterator<Item = Feature>) -> io::Result<ShapefileParts> {
    let schema = view.schema();
    match schema.geometry {
        GeometryKind::Point => write_all(view, features, |geometry| match geometry {
            Geometry::Point(at) => Some(shapefile::Point::new(at.x(), at.y())),
            _ => None,
        }),
        GeometryKind::Line => write_all(view, features, |geometry| match geometry {
            Geometry::LineString(line) => Some(Polyline::from(line)),
            Geometry::MultiLineString(lines) => Some(Polyline::from(lines)),
            _ => None,
        }),
        GeometryKind::Polygon => write_all(view, features, |geometry| match geometry {
            Geometry::Polygon(area) => Some(Polygon::from(area)),
            Geometry::MultiPolygon(areas) => Some(Polygon::from(areas)),
            _ => None,
        }),
        GeometryKind::Any => Err(io::Error::other(format!(
            "layer {} has geometries of several kinds, which a Shapefile cannot hold; choose .gpkg or .geojson",
            schema.id
        ))),
    }
}

fn write_all<S: EsriShape>(
    view: &View<'_>,
    features: impl Iterator<Item = Feature>,
    shape: impl Fn(Geometry) -> Option<S>,
) -> io::Result<ShapefileParts> {
    let mut parts = ShapefileParts::default();
    let (mut shapes, mut index, mut attributes) =
        (Cursor::new(Vec::new()), Cursor::new(Vec::new()), Cursor::new(Vec::new()));
    let names = column_names(view.schema());
    let mut table = TableWriterBuilder::with_encoding(EncodingRs::from(encoding_rs::UTF_8));
    table = table.add_character_field(name("id")?, 200);
    for (at, field) in view.fields() {
        table = add_field(table, name(&names[at])?, field);
    }
    {
        let mut table = table.build_with_dest(&mut attributes);
        let mut writer = ShapeWriter::with_shx(&mut shapes, &mut index);
        for feature in features {
            let Some(shape) = feature.geometry.as_ref().map(Shape::geometry).cloned().and_then(&shape) else {
                parts.without_place += 1;
                continue;
            };
            let mut record = Record::default();
            record.insert("id".to_owned(), FieldValue::Character(Some(feature.id.to_string())));
            for (at, field) in view.fields() {
                record.insert(names[at].clone(), value(field, &feature.values[at], &mut parts.cut_texts));
            }
            writer.write_shape(&shape).map_err(io::Error::other)?;
            table.write_record(&record).map_err(io::Error::other)?;
        }
        writer.finalize().map_err(io::Error::other)?;
        table.finalize().map_err(io::Error::other)?;
    }
    parts.shapes = shapes.into_inner();
    parts.index = index.into_inner();
    parts.attributes = attributes.into_inner();
    Ok(parts)
}

fn name(text: &str) -> io::Result<FieldName> {
    FieldName::try_from(text).map_err(|error| io::Error::other(format!("{text}: {error:?}")))
}

/// The names of the columns, one for each field: cut, and numbered where they would be equal.
pub(super) fn column_names(schema: &LayerSchema) -> Vec<String> {
    let mut used = BTreeSet::from(["id".to_owned()]);
    let mut names = Vec::with_capacity(schema.fields.len());
    for field in &schema.fields {
        let start = |bytes: usize| cut(&field.name, bytes).to_owned();
        let numbered = (1..).map(|number| format!("{}_{number}", start(MAX_NAME_BYTES - 3)));
        let free = std::iter::once(start(MAX_NAME_BYTES)).chain(numbered).find(|name| used.insert(name.clone()));
        names.extend(free);
    }
    names
}

/// The beginning of a text of at most so many bytes.
fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

fn add_field(table: TableWriterBuilder, name: FieldName, field: &Field) -> TableWriterBuilder {
    match field.field_type {
        FieldType::Boolean => table.add_logical_field(name),
        FieldType::Integer => table.add_numeric_field(name, INTEGER_DIGITS, 0),
        FieldType::Real => table.add_numeric_field(name, REAL_DIGITS, REAL_DECIMALS),
        FieldType::Date => table.add_date_field(name),
        FieldType::Text | FieldType::DateTime | FieldType::TextList | FieldType::Json => {
            table.add_character_field(name, u8::try_from(MAX_TEXT_BYTES).unwrap_or(u8::MAX))
        }
    }
}

fn value(field: &Field, value: &Value, cut_texts: &mut usize) -> FieldValue {
    match (field.field_type, value) {
        (FieldType::Boolean, Value::Boolean(yes)) => FieldValue::Logical(Some(*yes)),
        (FieldType::Boolean, _) => FieldValue::Logical(None),
        #[expect(clippy::cast_precision_loss, reason = "the format has decimal numbers of 18 digits, by way of f64")]
        (FieldType::Integer, Value::Integer(number)) => FieldValue::Numeric(Some(*number as f64)),
        (FieldType::Real, Value::Real(number)) => FieldValue::Numeric(Some(*number)),
        (FieldType::Integer | FieldType::Real, _) => FieldValue::Numeric(None),
        (FieldType::Date, Value::Date(day)) => {
            let year = u32::try_from(day.year()).ok().filter(|year| *year <= 9_999);
            FieldValue::Date(
                year.and_then(|year| dbase::Date::new(day.day().into(), u8::from(day.month()).into(), year).ok()),
            )
        }
        (FieldType::Date, _) => FieldValue::Date(None),
        (_, Value::Unknown) => FieldValue::Character(None),
        (_, value) => {
            let text = cell_text(value.as_value_ref());
            let shown = cut(&text, MAX_TEXT_BYTES);
            *cut_texts += usize::from(shown.len() < text.len());
            FieldValue::Character(Some(shown.to_owned()))
        }
    }
}

impl ShapefileParts {
    /// The files by ending; the `.shp`, by which others find them, is the last.
    #[must_use]
    pub fn files(&self) -> [(&'static str, &[u8]); 5] {
        [
            ("dbf", &self.attributes),
            ("shx", &self.index),
            ("prj", PROJECTION.as_bytes()),
            ("cpg", b"UTF-8"),
            ("shp", &self.shapes),
        ]
    }

    /// Writes the files into an archive, named after the layer.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write_archive(&self, out: impl Write + Seek, layer: &str) -> io::Result<()> {
        let mut archive = ZipWriter::new(out);
        for (ending, bytes) in self.files() {
            archive.start_file(format!("{layer}.{ending}"), SimpleFileOptions::default())?;
            archive.write_all(bytes)?;
        }
        archive.finish()?.flush()
    }
}
