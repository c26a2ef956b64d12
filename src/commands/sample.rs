//! The built-in sample county, and how it is loaded into a new store.

use std::io::Cursor;

use anyhow::{Context, bail};
use rust_embed::RustEmbed;

use super::progress;
use crate::clock;
use crate::exchange::flatgeobuf;
use crate::exchange::import::{Importer, Rules};
use crate::geodesy::datum::Crs;
use crate::model::{Catalog, Feature};
use crate::store::{OnConflict, Store};

#[derive(RustEmbed)]
#[folder = "data/minqing"]
struct Sample;

/// Fills an empty store with the sample county.
pub(super) async fn fill(store: &dyn Store, catalog: &Catalog) -> anyhow::Result<()> {
    let bar = progress::bar(store.schemas().len() as u64, "layers");
    for (at, schema) in store.schemas().iter().enumerate() {
        let Some(file) = Sample::get(&format!("{}.fgb", schema.id)) else { continue };
        let source = flatgeobuf::read(Cursor::new(file.data))
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("sample layer {}", schema.id))?;
        let rules = Rules {
            crs: Crs::Geographic,
            columns: Vec::new(),
            source: "示例数据".to_owned(),
            id_prefix: schema.id.clone(),
            now: clock::now(),
            anywhere: false,
        };
        let mut importer = Importer::new(catalog, schema, rules)?;
        let features: Vec<Feature> = source.records.filter_map(|record| importer.take(record)).collect();
        if let Some(issue) = importer.into_report().refused.first() {
            bail!("sample layer {} has an invalid row: {issue:?}", schema.id);
        }
        store.append(at, &mut features.into_iter(), OnConflict::Refuse).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}
