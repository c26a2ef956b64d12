//! Rows of a layer's table, to and from features. SQLite lets any program store anything, so reading mistrusts.

use geozero::wkb::WkbDialect;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row, TypeInfo, ValueRef};

use super::tables;
use crate::model::{Feature, FeatureId, Field, FieldType, LayerSchema, Value, format_date, format_instant};
use crate::store::wkb::{read_shape, value_from_text, write_shape};

/// Values that other programs left in the file and that do not fit; told once per reading.
pub(super) struct ReadWarnings<'a> {
    layer: &'a LayerSchema,
    count: usize,
    first: Option<String>,
}

impl<'a> ReadWarnings<'a> {
    pub(super) fn new(layer: &'a LayerSchema) -> Self {
        Self { layer, count: 0, first: None }
    }

    fn note(&mut self, id: &str, what: impl FnOnce() -> String) {
        self.count += 1;
        self.first.get_or_insert_with(|| format!("{id}: {}", what()));
    }

    pub(super) fn tell(self) {
        if let Some(first) = self.first {
            tracing::warn!(
                layer = self.layer.id,
                count = self.count,
                first,
                "stored values that do not fit were read as unknown"
            );
        }
    }
}

pub(super) fn read_feature(
    row: &SqliteRow,
    layer: &LayerSchema,
    faults: &mut ReadWarnings<'_>,
) -> Result<Option<Feature>, sqlx::Error> {
    let text: String = row.try_get_unchecked(1)?;
    let Ok(id) = FeatureId::new(&text) else {
        faults.note(&text, || "the id is not usable, the feature is left out".to_owned());
        return Ok(None);
    };
    let blob: Option<Vec<u8>> = row.try_get_unchecked(0)?;
    let geometry = match blob.map(|blob| read_shape(&blob, WkbDialect::Geopackage)) {
        Some(Ok(shape)) => shape,
        Some(Err(reason)) => {
            faults.note(&text, || format!("geom: {reason}"));
            None
        }
        None => None,
    };
    let mut values = Vec::with_capacity(layer.fields.len());
    for (at, field) in layer.fields.iter().enumerate() {
        let value = read_value(row, at + 2, field)?.unwrap_or_else(|| {
            faults.note(&text, || format!("{} is not {}", field.name, field.field_type.name()));
            Value::Unknown
        });
        values.push(value);
    }
    Ok(Some(Feature { id, geometry, values }))
}

/// A stored value; `None` when it is not of the field's type. SQLite lets any program store anything.
fn read_value(row: &SqliteRow, at: usize, field: &Field) -> Result<Option<Value>, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Some(Value::Unknown));
    }
    let stored = raw.type_info().name().to_owned();
    let (is_integer, is_real) = (matches!(&*stored, "INTEGER" | "BOOLEAN" | "INT4"), stored == "REAL");
    Ok(match field.field_type {
        FieldType::Boolean if is_integer => Some(Value::Boolean(row.try_get_unchecked::<i64, _>(at)? != 0)),
        FieldType::Integer if is_integer => Some(Value::Integer(row.try_get_unchecked(at)?)),
        FieldType::Real if is_real || is_integer => {
            Some(row.try_get_unchecked(at)?).filter(|number: &f64| number.is_finite()).map(Value::Real)
        }
        FieldType::Boolean | FieldType::Integer | FieldType::Real => None,
        _ if stored == "BLOB" => None,
        _ => value_from_text(field, row.try_get_unchecked(at)?),
    })
}

pub(super) async fn first_present(
    connection: &mut SqliteConnection,
    layer: &LayerSchema,
    batch: &[Feature],
) -> Result<Option<FeatureId>, sqlx::Error> {
    let marks = vec!["?"; batch.len()].join(",");
    let sql = format!("SELECT id FROM {} WHERE id IN ({marks}) ORDER BY id LIMIT 1", tables::identifier(&layer.id));
    let mut query = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql));
    for feature in batch {
        query = query.bind(feature.id.as_str());
    }
    let id = query.fetch_optional(connection).await?;
    Ok(id.and_then(|id| FeatureId::new(&id).ok()))
}

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    layer: &LayerSchema,
    batch: &[Feature],
) -> Result<(), sqlx::Error> {
    let columns: Vec<String> = layer.fields.iter().map(|field| tables::identifier(&field.name)).collect();
    let row = format!("({})", vec!["?"; columns.len() + 2].join(","));
    let updates: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let sql = format!(
        "INSERT INTO {} (geom, id, {}) VALUES {} ON CONFLICT (id) DO UPDATE SET geom = excluded.geom, {}",
        tables::identifier(&layer.id),
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
