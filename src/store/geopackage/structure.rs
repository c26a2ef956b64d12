//! The tables of a file: whether they exist and have the triggers of the change log, and their reference systems.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;

use crate::geodesy::crs::Crs;
use crate::geodesy::crs_transform::CrsTransform;
use crate::model::{LayerIndex, LayerSchema};
use crate::store::StoreError;

/// Transforms the coordinates of a layer to longitude, latitude; `None` if they are WGS 84 already.
pub(super) type Transform = Option<Arc<CrsTransform>>;

/// The tables at the last check.
#[derive(Debug, Default)]
pub(super) struct Structure {
    /// SQLite's schema version, which grows whenever a table or trigger changes.
    version: Option<i64>,
    /// For each layer the statements that create its table and triggers; empty when the table is missing.
    layers: Vec<String>,
}

impl Structure {
    /// Checks the tables. Returns the layers whose table or triggers changed since the last check.
    pub(super) async fn check(
        &mut self,
        connection: &mut SqliteConnection,
        schemas: &[LayerSchema],
    ) -> Result<Vec<LayerIndex>, sqlx::Error> {
        const LAYER: &str = "SELECT coalesce(group_concat(sql, ';'), '') FROM \
            (SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('table', 'view', 'trigger') ORDER BY name)";
        let version: i64 = sqlx::query_scalar("PRAGMA schema_version").fetch_one(&mut *connection).await?;
        if self.version == Some(version) {
            return Ok(Vec::new());
        }
        let mut layers = Vec::with_capacity(schemas.len());
        for schema in schemas {
            layers.push(sqlx::query_scalar(LAYER).bind(&schema.id).fetch_one(&mut *connection).await?);
        }
        let before = std::mem::replace(self, Self { version: Some(version), layers });
        let is_other = |at: &LayerIndex| before.layers.get(at.0).is_some_and(|before| before != at.of(&self.layers));
        Ok((0..schemas.len()).map(LayerIndex).filter(is_other).collect())
    }

    /// The next check reports the layer again.
    pub(super) fn forget(&mut self, layer: LayerIndex) {
        self.version = None;
        if let Some(sql) = self.layers.get_mut(layer.0) {
            sql.push(';');
        }
    }

    /// Whether the table of a layer exists.
    pub(super) fn has(&self, layer: LayerIndex) -> bool {
        self.layers.get(layer.0).is_some_and(|sql| !sql.is_empty())
    }
}

/// The transformation of a layer, from the reference system declared in the file.
///
/// # Errors
/// [`StoreError::UnsupportedCrs`] when the system is not supported.
pub(super) async fn transform(
    connection: &mut SqliteConnection,
    layer: &LayerSchema,
    failed: impl Fn(sqlx::Error) -> StoreError,
) -> Result<Transform, StoreError> {
    const SYSTEM: &str = "\
        SELECT columns.srs_id, coalesce(organization, ''), coalesce(organization_coordsys_id, 0) \
        FROM gpkg_geometry_columns AS columns LEFT JOIN gpkg_spatial_ref_sys USING (srs_id) WHERE table_name = ?";
    let found: Option<(i64, String, i64)> =
        sqlx::query_as(SYSTEM).bind(&layer.id).fetch_optional(connection).await.map_err(failed)?;
    let Some((srs_id, organization, code)) = found else { return Ok(None) };
    // Undefined systems are taken as longitude, latitude.
    if matches!(srs_id, -1 | 0 | 4326) {
        return Ok(None);
    }
    let name = format!("{}:{code}", organization.to_ascii_uppercase());
    let transform = Crs::parse(&name).and_then(CrsTransform::new).map_err(|error| StoreError::UnsupportedCrs {
        layer: layer.id.clone(),
        crs: name.clone(),
        reason: error.to_string(),
    })?;
    if transform.crs().is_crs84() {
        return Ok(None);
    }
    tracing::warn!(
        layer = layer.id,
        crs = name,
        "the layer is in another reference system: it is transformed to WGS 84 and cannot be edited here"
    );
    Ok(Some(Arc::new(transform)))
}
