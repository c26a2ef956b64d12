//! Reads MBTiles files (MBTiles 1.3): tiles of raster or vector maps in an SQLite database.

use std::path::Path;

use bytes::Bytes;
use serde_json::{Map, Value as Json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use super::TileFormat;
use crate::geodesy::Envelope;

const CONNECTIONS: u32 = 4;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// An open file.
pub(super) struct MbTiles {
    pool: SqlitePool,
    pub(super) metadata: Map<String, Json>,
    pub(super) zooms: (u8, u8),
    pub(super) envelope: Envelope,
    /// Name of the tile format and media type.
    pub(super) format: (&'static str, &'static str),
    /// Whether tiles are compressed with gzip.
    pub(super) has_gzip: bool,
}

impl MbTiles {
    pub(super) async fn open(path: &Path) -> Result<Self, sqlx::Error> {
        // The file is not written while it is open; one that replaces it is opened anew.
        let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, value FROM metadata WHERE name IS NOT NULL AND value IS NOT NULL")
                .fetch_all(&pool)
                .await?;
        let value = |wanted: &str| rows.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let sample: Option<(Vec<u8>,)> =
            sqlx::query_as("SELECT tile_data FROM tiles LIMIT 1").fetch_optional(&pool).await?;
        let stated: (Option<i64>, Option<i64>) =
            sqlx::query_as("SELECT min(zoom_level), max(zoom_level) FROM tiles").fetch_one(&pool).await?;
        let zoom = |name: &str, stored: Option<i64>| {
            let stated = value(name).and_then(|text| text.trim().parse().ok());
            stated.or_else(|| u8::try_from(stored?).ok()).unwrap_or(0)
        };
        let zooms = (zoom("minzoom", stated.0), zoom("maxzoom", stated.1));
        Ok(Self {
            zooms,
            envelope: value("bounds").and_then(bounds).unwrap_or(Envelope::WORLD),
            format: format(value("format").unwrap_or_default()),
            has_gzip: sample.is_some_and(|(tile,)| tile.starts_with(&GZIP)),
            metadata: metadata(&rows),
            pool,
        })
    }

    /// A tile as it is stored; rows are counted from the south.
    pub(super) async fn tile(&self, zoom: u8, x: u32, y: u32) -> Result<Option<Bytes>, sqlx::Error> {
        let Some(row) = 1_u32.checked_shl(zoom.into()).and_then(|side| side.checked_sub(1)?.checked_sub(y)) else {
            return Ok(None);
        };
        let sql = "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?";
        let found: Option<(Vec<u8>,)> =
            sqlx::query_as(sql).bind(zoom).bind(x).bind(row).fetch_optional(&self.pool).await?;
        Ok(found.map(|(tile,)| tile.into()))
    }
}

/// West, south, east and north, joined by commas.
fn bounds(text: &str) -> Option<Envelope> {
    let numbers: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    match numbers?.as_slice() {
        [west, south, east, north] => Envelope::new(*west, *south, *east, *north).ok(),
        _ => None,
    }
}

fn format(name: &str) -> (&'static str, &'static str) {
    match name.trim() {
        "pbf" => (TileFormat::Mvt.name(), TileFormat::Mvt.media_type()),
        "png" => ("png", "image/png"),
        "jpg" | "jpeg" => ("jpeg", "image/jpeg"),
        "webp" | "image/webp" => ("webp", "image/webp"),
        _ => ("unknown", "application/octet-stream"),
    }
}

/// The metadata as TileJSON has it: the member `json` has the layers of vector tiles.
fn metadata(rows: &[(String, String)]) -> Map<String, Json> {
    let mut metadata: Map<String, Json> = Map::new();
    for (name, value) in rows {
        match serde_json::from_str(value) {
            Ok(Json::Object(members)) if name == "json" => metadata.extend(members),
            _ => {
                metadata.insert(name.clone(), Json::from(value.as_str()));
            }
        }
    }
    metadata
}
