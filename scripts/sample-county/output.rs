//! Converts rows to features and writes files: metres to degrees, facts to typed values.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use geo::{Geometry, MapCoords};
use onemap::exchange::{flatgeobuf, value_from_json};
use onemap::model::catalog::CodeValue;
use onemap::model::{Catalog, Feature, FeatureId, Field, LayerSchema, Shape, Value, View};
use serde_json::Value as Json;
use time::macros::utc_datetime;
use time::{Duration, UtcDateTime};

use crate::categories;
use crate::plane::degrees;
use crate::random::Random;
use crate::sheet::{Row, Sheet};

const SOURCE: &str = "示例数据";
/// Maximum total size: the sample is built into the binary.
const MOST_BYTES: usize = 2_500_000;

/// A shape in longitude and latitude.
pub(crate) fn in_degrees(shape: &Geometry<f64>) -> Geometry<f64> {
    shape.map_coords(degrees)
}

/// Writes the category table and one file per layer, all or nothing; returns the total size of the layers.
pub(crate) fn write(folder: &Path, sheets: &[Sheet]) -> Result<usize> {
    let table = categories::table();
    let catalog = Catalog::with_categories(&table)?;
    let mut files = Vec::new();
    // Nobody has committed anything in the sample.
    for schema in catalog.layers.iter().filter(|schema| !schema.roles.commitments) {
        let sheet = sheets
            .iter()
            .find(|sheet| sheet.layer == schema.id)
            .with_context(|| format!("{} is not drawn", schema.id))?;
        let features = features(&catalog, schema, sheet)?;
        let mut bytes = Vec::new();
        flatgeobuf::write(&mut bytes, &View::complete(schema), features.into_iter())?;
        files.push((schema.id.as_str(), bytes));
    }
    let total: usize = files.iter().map(|file| file.1.len()).sum();
    ensure!(total < MOST_BYTES, "the sample has {total} bytes");
    let layers = folder.join("minqing");
    fs::create_dir_all(&layers)?;
    fs::write(folder.join("categories.csv"), table)?;
    for (layer, bytes) in &files {
        fs::write(layers.join(format!("{layer}.fgb")), bytes)?;
    }
    Ok(total)
}

fn features(catalog: &Catalog, schema: &LayerSchema, sheet: &Sheet) -> Result<Vec<Feature>> {
    let mut random = Random::of(sheet.layer);
    let named: BTreeSet<_> = sheet.rows.iter().flat_map(|row| row.facts.iter().map(|fact| fact.0)).collect();
    for name in named {
        ensure!(schema.position(name).is_some(), "{} has no field {name}", schema.id);
    }
    let features = sheet.rows.iter().map(|row| {
        let (confirmed, updated) = history(&mut random, sheet.layer);
        let values = schema.fields.iter().map(|field| match field.name.as_str() {
            "id" => Ok(Value::Text(row.id.clone())),
            "name" => Ok(Value::Text(row.name.clone())),
            "region_code" => Ok(Value::Text(row.region.clone())),
            "source" => Ok(Value::Text(SOURCE.to_owned())),
            "confirmed_at" => Ok(Value::DateTime(confirmed)),
            "updated_at" => Ok(Value::DateTime(updated)),
            "version" => Ok(Value::Integer(1)),
            _ => value(catalog, field, row),
        });
        let values = values.collect::<Result<_>>().with_context(|| format!("{} {}", schema.id, row.id))?;
        Ok(Feature { id: FeatureId::new(&row.id)?, geometry: Some(Shape::new(in_degrees(&row.shape))?), values })
    });
    features.collect()
}

/// The value of a field in a row, checked against the type, range and code list of the field.
fn value(catalog: &Catalog, field: &Field, row: &Row) -> Result<Value> {
    let Some((_, json)) = row.facts.iter().find(|fact| fact.0 == field.name) else {
        return Ok(Value::Unknown);
    };
    if let Some(codes) = field.codes.as_ref().and_then(|list| catalog.codes.get(list)) {
        let known = |json: &Json| {
            codes.iter().any(|code| match &code.code {
                CodeValue::Integer(number) => json.as_i64() == Some(*number),
                CodeValue::Text(text) => json.as_str() == Some(text),
            })
        };
        let all_known = json.as_array().map_or_else(|| known(json), |list| list.iter().all(known));
        ensure!(all_known, "{} has no code {json}", field.name);
    }
    match value_from_json(field, json) {
        Ok(value) => Ok(value),
        Err(reason) => bail!("{}: {reason}", field.name),
    }
}

/// Times of confirmation and last change of a record: a day in 2025 or 2026, for current events the day itself.
fn history(random: &mut Random, layer: &str) -> (UtcDateTime, UtcDateTime) {
    let now = utc_datetime!(2026-08-14 05:50);
    if matches!(layer, "incidents" | "warnings" | "stations" | "situation_reports") {
        let confirmed = now - Duration::minutes(random.whole(20, 70));
        return (confirmed, confirmed + Duration::minutes(random.whole(0, 20)));
    }
    let day = Duration::days(random.whole(0, 570)) + Duration::minutes(random.whole(0, 8 * 60));
    let confirmed = utc_datetime!(2025-01-06 01:00) + day;
    let edited_after = Duration::days(random.whole(0, 20)) + Duration::minutes(random.whole(1, 300));
    (confirmed, (confirmed + edited_after).min(now))
}
