//! The embedded sample county, and how a new store is filled with it.

use std::io::Cursor;

use anyhow::{Context, bail};
use rust_embed::RustEmbed;
use time::macros::utc_datetime;
use time::{Duration, UtcDateTime};

use super::progress;
use crate::clock;
use crate::exchange::flatgeobuf;
use crate::exchange::import::{Importer, Rules};
use crate::geodesy::crs::Crs;
use crate::model::{Catalog, Feature, LayerIndex, LayerSchema, Value};
use crate::store::Store;

#[derive(RustEmbed)]
#[folder = "data/minqing"]
struct Sample;

/// The reference time of the incidents, warnings and readings in the sample.
const SAMPLE_TIME: UtcDateTime = utc_datetime!(2026-08-14 06:00);

/// Fills an empty store with the sample county. Times are shifted to the present, so that a new sample has running
/// incidents, valid warnings and recent readings.
pub(super) async fn fill(store: &dyn Store, catalog: &Catalog) -> anyhow::Result<()> {
    let now = clock::now();
    let bar = progress::bar(store.schemas().len() as u64, "layers");
    for (index, schema) in LayerIndex::each(store.schemas()) {
        let Some(file) = Sample::get(&format!("{}.fgb", schema.id)) else { continue };
        let bytes = file.data.len() as u64;
        let source = flatgeobuf::read(Cursor::new(file.data), bytes)
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("sample layer {}", schema.id))?;
        let rules = Rules {
            crs: Crs::CRS84,
            columns: Vec::new(),
            source: "示例数据".to_owned(),
            id_prefix: schema.id.clone(),
            now,
            anywhere: false,
            needs_name: false,
            needs_place: false,
        };
        let mut importer = Importer::new(catalog, schema, rules)?;
        let features: Vec<Feature> = source
            .records
            .filter_map(|record| importer.take(record))
            .map(|feature| moved_to(now, schema, feature))
            .collect();
        if let Some(issue) = importer.into_report().refused.first() {
            bail!("sample layer {} has a row that is refused: {issue:?}", schema.id);
        }
        store.append(index, &mut features.into_iter()).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// A feature with its times shifted from the reference time of the sample to `now`.
fn moved_to(now: UtcDateTime, schema: &LayerSchema, mut feature: Feature) -> Feature {
    if schema.roles.time.is_none() {
        return feature;
    }
    let offset = Duration::minutes((now - SAMPLE_TIME).whole_minutes());
    for value in &mut feature.values {
        if let Value::DateTime(instant) = value {
            *instant = instant.checked_add(offset).unwrap_or(*instant);
        }
    }
    feature
}
