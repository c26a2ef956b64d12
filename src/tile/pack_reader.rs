//! Reads archives of tiles, PMTiles and MBTiles: their description and their tiles.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::GzDecoder;
use pmtiles::{
    AsyncBackend, AsyncPmTilesReader, BackendResponse, Compression, HashMapCache, PmtError, PmtResult, TileCoord,
    TileType,
};
use serde_json::{Map, Value as Json};

use super::TileFormat;
use super::mbtiles::MbTiles;
use super::pack::ROLE_KEY;
use crate::geodesy::Envelope;
use crate::model::Role;

/// Ending of the names of MBTiles files.
pub const MBTILES: &str = "mbtiles";
/// Largest tile after decompression, bytes.
const MAX_TILE_BYTES: u64 = 64_000_000;

/// An open archive. A file that replaces it has another [`ArchiveState`].
pub struct PackReader {
    archive: Archive,
    file: Arc<File>,
    state: ArchiveState,
    metadata: Map<String, Json>,
}

enum Archive {
    PmTiles(AsyncPmTilesReader<ArchiveFile, HashMapCache>),
    MbTiles(MbTiles),
}

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PackReadError {
    /// A PMTiles archive.
    #[error(transparent)]
    PmTiles(#[from] PmtError),
    /// An MBTiles file.
    #[error(transparent)]
    MbTiles(#[from] sqlx::Error),
    /// The file, or a compressed tile.
    #[error(transparent)]
    File(#[from] io::Error),
}

/// What changes when a file is replaced or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveState {
    /// Size in bytes.
    pub bytes: u64,
    modified_ns: i128,
    inode: u64,
}

impl ArchiveState {
    /// The state of a file.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn of(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|metadata| Self::from(&metadata))
    }

    /// A strong entity tag.
    #[must_use]
    pub fn tag(self) -> String {
        format!("\"{:x}-{:x}-{:x}\"", self.modified_ns, self.inode, self.bytes)
    }
}

impl From<&std::fs::Metadata> for ArchiveState {
    fn from(own: &std::fs::Metadata) -> Self {
        let modified_ns = i128::from(own.mtime()) * 1_000_000_000 + i128::from(own.mtime_nsec());
        Self { bytes: own.len(), modified_ns, inode: own.ino() }
    }
}

impl PackReader {
    /// Opens an archive; the ending of its name shows the format.
    ///
    /// # Errors
    /// When the file cannot be read or is no archive.
    pub async fn open(path: &Path) -> Result<Self, PackReadError> {
        let file = Arc::new(File::open(path)?);
        let state = ArchiveState::from(&file.metadata()?);
        if path.extension().is_some_and(|ending| ending == MBTILES) {
            let (mbtiles, metadata) = MbTiles::open(path).await?;
            return Ok(Self { metadata, archive: Archive::MbTiles(mbtiles), file, state });
        }
        let reader =
            AsyncPmTilesReader::try_from_cached_source(ArchiveFile(file.clone()), HashMapCache::default()).await?;
        let metadata = reader.get_metadata().await?;
        let metadata = serde_json::from_str(&metadata).map_err(|_| PmtError::InvalidMetadata)?;
        Ok(Self { archive: Archive::PmTiles(reader), file, state, metadata })
    }

    /// The state of the file when it was opened.
    #[must_use]
    pub fn state(&self) -> ArchiveState {
        self.state
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> Arc<File> {
        self.file.clone()
    }

    /// Its metadata, such as `name`, `attribution` and `vector_layers`.
    #[must_use]
    pub fn metadata(&self) -> &Map<String, Json> {
        &self.metadata
    }

    /// The lowest role that may read it: the role whose view it contains, or everybody for an archive of another
    /// program. An archive with an unknown role is for administrators.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.metadata.get(ROLE_KEY) {
            None => Role::Public,
            Some(role) => role.as_str().and_then(|role| role.parse().ok()).unwrap_or(Role::Admin),
        }
    }

    /// Lowest and highest zoom.
    #[must_use]
    pub fn zooms(&self) -> (u8, u8) {
        match &self.archive {
            Archive::PmTiles(reader) => (reader.get_header().min_zoom, reader.get_header().max_zoom),
            Archive::MbTiles(own) => own.zooms,
        }
    }

    /// The area of its tiles; the world if the file states none.
    #[must_use]
    pub fn envelope(&self) -> Envelope {
        let own = match &self.archive {
            Archive::PmTiles(reader) => reader.get_header(),
            Archive::MbTiles(own) => return own.envelope,
        };
        Envelope::new(own.min_longitude, own.min_latitude, own.max_longitude, own.max_latitude)
            .unwrap_or(Envelope::WORLD)
    }

    /// Name of the tile format and media type of the tiles.
    #[must_use]
    pub fn format(&self) -> (&'static str, &'static str) {
        let tile_type = match &self.archive {
            Archive::PmTiles(reader) => reader.get_header().tile_type,
            Archive::MbTiles(own) => return own.format,
        };
        match tile_type {
            TileType::Mvt => (TileFormat::Mvt.name(), TileFormat::Mvt.media_type()),
            TileType::Mlt => (TileFormat::Mlt.name(), TileFormat::Mlt.media_type()),
            TileType::Png => ("png", "image/png"),
            TileType::Jpeg => ("jpeg", "image/jpeg"),
            TileType::Webp => ("webp", "image/webp"),
            TileType::Avif => ("avif", "image/avif"),
            TileType::Unknown => ("unknown", "application/octet-stream"),
        }
    }

    /// Whether its tiles are compressed with gzip.
    #[must_use]
    pub fn has_gzip(&self) -> bool {
        match &self.archive {
            Archive::PmTiles(reader) => reader.get_header().tile_compression == Compression::Gzip,
            Archive::MbTiles(own) => own.has_gzip,
        }
    }

    /// A tile, compressed as in the archive or not; `None` if the archive does not contain it.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub async fn tile(&self, zoom: u8, x: u32, y: u32, is_compressed: bool) -> Result<Option<Bytes>, PackReadError> {
        let Ok(coord) = TileCoord::new(zoom, x, y) else { return Ok(None) };
        match &self.archive {
            Archive::PmTiles(reader) if is_compressed => Ok(reader.get_tile(coord).await?),
            Archive::PmTiles(reader) => Ok(reader.get_tile_decompressed(coord).await?),
            Archive::MbTiles(own) => {
                let tile = own.tile(zoom, x, y).await?;
                if is_compressed || !own.has_gzip {
                    Ok(tile)
                } else {
                    Ok(tile.map(|tile| unpacked(&tile)).transpose()?)
                }
            }
        }
    }
}

fn unpacked(tile: &[u8]) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    GzDecoder::new(tile).take(MAX_TILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Reads a file at positions. It is not mapped into memory, because a truncated mapped file ends the process.
struct ArchiveFile(Arc<File>);

impl ArchiveFile {
    async fn read_up_to(&self, offset: u64, length: usize) -> PmtResult<Vec<u8>> {
        let file = self.0.clone();
        let read = move || {
            let available = usize::try_from(file.metadata()?.len().saturating_sub(offset)).unwrap_or(usize::MAX);
            let mut bytes = vec![0; length.min(available)];
            file.read_exact_at(&mut bytes, offset).map(|()| bytes)
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?;
        Ok(read?)
    }
}

impl AsyncBackend for ArchiveFile {
    async fn read_exact(&self, offset: u64, length: usize) -> PmtResult<BackendResponse> {
        let bytes = self.read_up_to(offset, length).await?;
        if bytes.len() < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(BackendResponse::new(bytes.into()))
    }

    async fn read(&self, offset: u64, length: usize) -> PmtResult<BackendResponse> {
        Ok(BackendResponse::new(self.read_up_to(offset, length).await?.into()))
    }
}
