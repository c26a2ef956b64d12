//! Rows of a layer's table, to and from features. SQLite lets any program store any value, so every value is checked.

use geo::{Coord, MapCoords};
use geozero::wkb::WkbDialect;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row, TypeInfo, ValueRef};

use super::structure::Transform;
use crate::model::{Feature, FeatureId, Field, FieldType, LayerSchema, Shape, Value, format_date, format_instant};
use crate::store::edits::GEOMETRY_COLUMN;
use crate::store::quoting::identifier;
use crate::store::read_warnings::ReadWarnings;
use crate::store::wkb::{value_from_text, write_shape};
use crate::store::wkb_geometry;

/// The feature of a row; `None` when the row has no usable id. Invalid values become unknown and are counted.
pub(super) fn read_feature(
    row: &SqliteRow,
    layer: &LayerSchema,
    transform: &Transform,
    warnings: &mut ReadWarnings<'_>,
) -> Option<Feature> {
    let Ok(text) = row.try_get_unchecked::<String, _>(1) else {
        warnings.row("", "not text in UTF-8");
        return None;
    };
    let Ok(id) = FeatureId::new(&text) else {
        warnings.row(&text, "not usable as an id");
        return None;
    };
    let geometry = match row.try_get_unchecked::<Option<Vec<u8>>, _>(0) {
        Ok(None) => None,
        Ok(Some(blob)) => read_geometry(&blob, transform).unwrap_or_else(|reason| {
            warnings.geometry(&text, || reason);
            None
        }),
        Err(error) => {
            warnings.geometry(&text, || error.to_string());
            None
        }
    };
    let mut values = Vec::with_capacity(layer.fields.len());
    for (at, field) in layer.fields.iter().enumerate() {
        let value = read_value(row, at + 2, field).unwrap_or_else(|| {
            warnings.value(&text, field, || describe(row, at + 2));
            Value::Unknown
        });
        values.push(value);
    }
    Some(Feature { id, geometry, values })
}

fn read_geometry(blob: &[u8], transform: &Transform) -> Result<Option<Shape>, String> {
    let Some(geometry) = wkb_geometry::read_geopackage(blob)? else { return Ok(None) };
    let geometry = match transform {
        None => geometry,
        Some(reference) => geometry
            .try_map_coords(|at| reference.position(at.x, at.y).map(|at| Coord { x: at.lon(), y: at.lat() }))
            .map_err(|error| error.to_string())?,
    };
    Shape::new(geometry).map(Some).map_err(|error| error.to_string())
}

/// A stored value; `None` when it is not of the field's type or not valid UTF-8.
fn read_value(row: &SqliteRow, at: usize, field: &Field) -> Option<Value> {
    let raw = row.try_get_raw(at).ok()?;
    if raw.is_null() {
        return Some(Value::Unknown);
    }
    let stored = raw.type_info().name().to_owned();
    let (is_integer, is_real) = (matches!(&*stored, "INTEGER" | "BOOLEAN" | "INT4"), stored == "REAL");
    match field.field_type {
        FieldType::Boolean if is_integer => row.try_get_unchecked(at).ok().map(|yes: i64| Value::Boolean(yes != 0)),
        FieldType::Integer if is_integer => row.try_get_unchecked(at).ok().map(Value::Integer),
        FieldType::Real if is_real || is_integer => {
            row.try_get_unchecked(at).ok().filter(|number: &f64| number.is_finite()).map(Value::Real)
        }
        FieldType::Boolean | FieldType::Integer | FieldType::Real => None,
        _ if stored == "BLOB" => None,
        _ => value_from_text(field, row.try_get_unchecked(at).ok()?),
    }
}

/// A stored value for the log.
fn describe(row: &SqliteRow, at: usize) -> String {
    match row.try_get_unchecked::<&[u8], _>(at) {
        Ok(bytes) => String::from_utf8_lossy(bytes.get(..bytes.len().min(400)).unwrap_or_default()).into_owned(),
        Err(_) => "not of the field's type".to_owned(),
    }
}

pub(super) async fn first_present(
    connection: &mut SqliteConnection,
    layer: &LayerSchema,
    batch: &[Feature],
) -> Result<Option<FeatureId>, sqlx::Error> {
    let marks = vec!["?"; batch.len()].join(",");
    let sql = format!("SELECT id FROM {} WHERE id IN ({marks}) ORDER BY id LIMIT 1", identifier(&layer.id));
    let mut query = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql));
    for feature in batch {
        query = query.bind(feature.id.as_str());
    }
    let id = query.fetch_optional(connection).await?;
    Ok(id.and_then(|id| FeatureId::new(&id).ok()))
}

/// Every column but the id.
pub(super) fn all_columns(layer: &LayerSchema) -> impl Iterator<Item = &str> {
    std::iter::once(GEOMETRY_COLUMN).chain(layer.fields.iter().map(|field| field.name.as_str()))
}

/// Inserts rows of a layer into a table, or writes these columns of the rows with the same id.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    table: &str,
    layer: &LayerSchema,
    batch: &[Feature],
    written: impl Iterator<Item = &str>,
) -> Result<(), sqlx::Error> {
    let columns: Vec<String> = layer.fields.iter().map(|field| identifier(&field.name)).collect();
    let row = format!("({})", vec!["?"; columns.len() + 2].join(","));
    let update = |column: String| format!("{column} = excluded.{column}");
    let updates: Vec<String> = written.map(identifier).map(update).collect();
    let sql = format!(
        "INSERT INTO {table} (geom, id, {}) VALUES {} ON CONFLICT (id) DO UPDATE SET {}",
        columns.join(", "),
        vec![row; batch.len()].join(","),
        updates.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for feature in batch {
        let geometry = feature.geometry.as_ref().map(|shape| write_shape(shape, WkbDialect::Geopackage)).transpose();
        query = query.bind(geometry.map_err(sqlx::Error::Protocol)?).bind(feature.id.as_str());
        for value in &feature.values {
            query = match value {
                Value::Unknown => query.bind(None::<i64>),
                Value::Boolean(yes) => query.bind(*yes),
                Value::Integer(number) => query.bind(*number),
                Value::Real(number) => query.bind(*number),
                Value::Text(text) | Value::Json(text) => query.bind(text.as_str()),
                Value::Date(date) => query.bind(format_date(*date)),
                Value::DateTime(instant) => query.bind(format_instant(*instant)),
                Value::TextList(list) => query.bind(serde_json::Value::from(list.as_slice()).to_string()),
            };
        }
    }
    query.execute(connection).await?;
    Ok(())
}
