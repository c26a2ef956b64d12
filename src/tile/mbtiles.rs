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
    pub(super) zooms: (u8, u8),
    pub(super) envelope: Envelope,
    /// Name of the tile format and media type.
    pub(super) format: (&'static str, &'static str),
    /// Whether tiles are compressed with gzip.
    pub(super) has_gzip: bool,
}

impl MbTiles {
    /// The file and its metadata.
    pub(super) async fn open(path: &Path) -> Result<(Self, Map<String, Json>), sqlx::Error> {
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
        let stated = |name: &str| value(name).and_then(|text| text.trim().parse::<u8>().ok());
        let zooms = match (stated("minzoom"), stated("maxzoom")) {
            (Some(least), Some(most)) => (least, most),
            (least, most) => {
                let stored = stored_zooms(&pool).await?;
                (least.unwrap_or(stored.0), most.unwrap_or(stored.1))
            }
        };
        let opened = Self {
            zooms,
            envelope: value("bounds").and_then(bounds).unwrap_or(Envelope::WORLD),
            format: format(value("format").unwrap_or_default()),
            has_gzip: sample.is_some_and(|(tile,)| tile.starts_with(&GZIP)),
            pool,
        };
        Ok((opened, metadata(&rows)))
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

/// The least and the greatest zoom of the tiles; one query each, because only so the index is used.
async fn stored_zooms(pool: &SqlitePool) -> Result<(u8, u8), sqlx::Error> {
    let (least, most): (Option<i64>, Option<i64>) =
        sqlx::query_as("SELECT (SELECT min(zoom_level) FROM tiles), (SELECT max(zoom_level) FROM tiles)")
            .fetch_one(pool)
            .await?;
    let zoom = |stored: Option<i64>| stored.and_then(|stored| u8::try_from(stored).ok()).unwrap_or(0);
    Ok((zoom(least), zoom(most)))
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
