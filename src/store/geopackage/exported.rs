//! A GeoPackage with one layer for other programs: without change log, triggers and write-ahead log.

use std::fmt::Write;
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection};

use super::{GeoPackage, StoreError};
use crate::geodesy::Envelope;
use crate::model::{Catalog, Feature, LayerIndex, LayerSchema};
use crate::store::Store;
use crate::store::quoting::{identifier, literal};

/// Writes features to a new file, which is renamed into place when it is complete; a file of that name is replaced.
/// Returns their number.
///
/// # Errors
/// When the file cannot be written.
pub async fn write_layer(
    path: &Path,
    catalog: &Catalog,
    schema: &LayerSchema,
    features: &mut (dyn Iterator<Item = Feature> + Send),
) -> Result<usize, StoreError> {
    let catalog = Catalog { layers: vec![schema.clone()], ..catalog.clone() };
    let draft = GeoPackage::create(path, &catalog).await?;
    let mut extent: Option<Envelope> = None;
    let mut features = features.inspect(|feature| {
        let around = feature.geometry.as_ref().and_then(|shape| Envelope::around(shape.geometry()));
        extent = match (extent, around) {
            (Some(extent), Some(around)) => Some(extent.union(&around)),
            (extent, around) => extent.or(around),
        };
    });
    let stored = draft.store().append(LayerIndex(0), &mut features).await;
    let written = match stored {
        Ok(count) => finish(draft.store(), schema, extent).await.map(|()| count),
        Err(error) => Err(error),
    };
    match written {
        Ok(count) => draft.finish().await.map(|()| count),
        Err(error) => {
            draft.discard().await;
            Err(error)
        }
    }
}

/// Removes what only a store needs, and writes the extent.
async fn finish(store: &GeoPackage, layer: &LayerSchema, extent: Option<Envelope>) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| store.database(error);
    let mut connection = store.pool()?.acquire().await.map_err(failed)?;
    let triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?";
    let triggers: Vec<String> =
        sqlx::query_scalar(triggers).bind(&layer.id).fetch_all(&mut *connection).await.map_err(failed)?;
    let mut sql =
        "DROP TABLE onemap_changes; DELETE FROM gpkg_contents WHERE table_name = 'onemap_changes';".to_owned();
    for trigger in &triggers {
        let _ = write!(sql, "DROP TRIGGER {};", identifier(trigger));
    }
    if let Some([west, south, east, north]) = extent.map(|extent| extent.to_array()) {
        let layer = literal(&layer.id);
        let _ = write!(
            sql,
            "UPDATE gpkg_contents SET min_x = {west}, min_y = {south}, max_x = {east}, max_y = {north} \
             WHERE table_name = {layer};"
        );
    }
    let mut transaction = connection.begin().await.map_err(failed)?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    // Other programs on read-only media cannot open a file in WAL mode.
    let journal = "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE";
    if let Err(error) = sqlx::raw_sql(journal).execute(&mut *connection).await {
        tracing::debug!(%error, "the journal mode was not changed");
    }
    Ok(())
}
