//! The disk cache: the snapshot on disk, for starts while the store is unreachable.
//!
//! A folder contains one file for each layer and a manifest that lists them. Files are never overwritten: a changed
//! layer gets a new file, then the manifest is replaced, then unlisted files are removed. So the manifest lists a
//! complete snapshot after a power failure at any time. Every block has its length and CRC-32; a block that does not
//! match is refused.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use geozero::error::GeozeroError;
use geozero::wkb::Wkb;
use geozero::{CoordDimensions, ToGeo, ToWkb};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::column::Column;
use super::texts::Texts;
use super::{Chunk, Layer, Snapshot, Version};
use crate::model::{FeatureId, LayerSchema, Shape, SharedState};

/// Changes with the format of the files.
const FORMAT: u32 = 4;
const MANIFEST: &str = "manifest";
const LAYER_ENDING: &str = "layer";
const UNFINISHED_ENDING: &str = "unfinished";
/// Maximum length of a block, bytes: enough for a chunk of the largest shapes.
const LONGEST_PIECE: u32 = 1 << 30;

/// A folder with the snapshot of one store.
#[derive(Debug)]
pub struct DiskCache {
    folder: PathBuf,
    /// The location of the store, so that the cache of one store is never used for another.
    store: String,
    /// The layers written by this run and the names of their files; the layers are not kept alive.
    written: HashMap<String, (Weak<Layer>, String)>,
    /// Locked while this process writes the cache.
    _lock: File,
}

/// A snapshot that was read from the cache.
#[derive(Debug)]
pub struct CachedSnapshot {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// When it was last known to equal the store, milliseconds since 1970.
    pub confirmed_ms: i64,
}

/// A failure to write or use the cache.
#[derive(Debug, thiserror::Error)]
pub enum DiskCacheError {
    /// A file operation failed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// Another server writes its cache to the same folder.
    #[error("{}: another server writes its cache here", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// The bytes differ from those that were written.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The mismatch.
        reason: String,
    },
    /// It was written by another version of this program.
    #[error("{} has format {found}, this program reads {FORMAT}", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It is the snapshot of another store.
    #[error("{} is the cache of {found}, not of {wanted}", path.display())]
    OtherStore {
        /// The file.
        path: PathBuf,
        /// The store in the manifest.
        found: String,
        /// The store of this server.
        wanted: String,
    },
}

/// The manifest, in JSON so that it can be read without this program.
#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    store: String,
    version: Version,
    #[serde(default)]
    shared: Option<SharedState>,
    confirmed_ms: i64,
    layers: Vec<LayerEntry>,
}

#[derive(Serialize, Deserialize)]
struct LayerEntry {
    schema: LayerSchema,
    file: String,
    chunks: usize,
    rows: usize,
}

#[derive(Serialize)]
struct PieceOut<'a> {
    ids: Texts,
    shapes: Vec<Option<StoredShape>>,
    columns: Vec<&'a Column>,
}

/// A shape; points, the most frequent type, are stored without WKB.
#[derive(Serialize, Deserialize)]
enum StoredShape {
    /// Longitude, latitude in degrees.
    Point(f64, f64),
    /// Well-known binary of any other.
    Wkb(Vec<u8>),
}

#[derive(Deserialize)]
struct PieceIn {
    ids: Texts,
    shapes: Vec<Option<StoredShape>>,
    columns: Vec<Column>,
}

impl StoredShape {
    fn of(shape: &Shape) -> Result<Self, GeozeroError> {
        Ok(match shape.as_point() {
            Some(at) => Self::Point(at.lon(), at.lat()),
            None => Self::Wkb(shape.geometry().to_wkb(CoordDimensions::xy())?),
        })
    }

    fn shape(self) -> Result<Shape, String> {
        let geometry = match self {
            Self::Point(lon, lat) => geo::Point::new(lon, lat).into(),
            Self::Wkb(bytes) => Wkb(bytes).to_geo().map_err(|error| error.to_string())?,
        };
        Shape::new(geometry).map_err(|error| error.to_string())
    }
}

impl DiskCache {
    /// Opens the folder of a store's cache below `parent`; creates it, readable by the owner only, if it is missing.
    ///
    /// # Errors
    /// When it cannot be created, or another program uses it.
    pub fn open(parent: &Path, store: &str) -> Result<Self, DiskCacheError> {
        let name: String = store
            .trim_start_matches("postgres://")
            .chars()
            .map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' })
            .collect();
        let folder = parent.join(name);
        // The cache contains sensitive fields.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(at(&folder))?;
        let path = folder.join("lock");
        let lock = private().truncate(false).open(&path).map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder, store: store.to_owned(), written: HashMap::new(), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(DiskCacheError::Taken { path: folder }),
            Err(fs::TryLockError::Error(source)) => Err(DiskCacheError::File { path, source }),
        }
    }

    /// Whether a snapshot can be loaded.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.folder.join(MANIFEST).exists()
    }

    /// Reads the snapshot; `None` if none was written yet.
    ///
    /// # Errors
    /// When any part is damaged; a damaged cache is never served.
    pub fn load(&self) -> Result<Option<CachedSnapshot>, DiskCacheError> {
        let path = self.folder.join(MANIFEST);
        let mut file = match File::open(&path) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path)(error)),
        };
        let manifest = read_manifest(&path, &mut file)?;
        if manifest.store != self.store {
            return Err(DiskCacheError::OtherStore { path, found: manifest.store, wanted: self.store.clone() });
        }
        let layers = manifest.layers.into_iter().map(|entry| read_layer(&self.folder, entry));
        let snapshot = Snapshot::new(manifest.version, layers.collect::<Result<_, _>>()?);
        let snapshot = snapshot.shared_as(manifest.shared);
        Ok(Some(CachedSnapshot { snapshot, confirmed_ms: manifest.confirmed_ms }))
    }

    /// Writes the layers that changed since the last write, and the time at which the snapshot was known to equal the
    /// store.
    ///
    /// # Errors
    /// When writing fails; the previous cache stays complete.
    pub fn save(&mut self, snapshot: &Snapshot, confirmed_ms: i64) -> Result<(), DiskCacheError> {
        let mut layers = Vec::with_capacity(snapshot.layers().len());
        for layer in snapshot.layers() {
            let id = &layer.schema().id;
            let known = self.written.get(id).filter(|(written, _)| std::ptr::eq(written.as_ptr(), Arc::as_ptr(layer)));
            let file = if let Some((_, file)) = known {
                file.clone()
            } else {
                let file = format!("{id}-{}-{confirmed_ms}.{LAYER_ENDING}", snapshot.version());
                self.replace(&file, |out| write_layer(out, layer))?;
                self.written.insert(id.clone(), (Arc::downgrade(layer), file.clone()));
                file
            };
            let (schema, chunks) = (layer.schema().clone(), layer.chunks().len());
            layers.push(LayerEntry { schema, file, chunks, rows: layer.len() });
        }
        let (version, shared) = (snapshot.version(), snapshot.shared());
        let manifest = Manifest { format: FORMAT, store: self.store.clone(), version, shared, confirmed_ms, layers };
        self.replace(MANIFEST, |out| write_piece(out, &serde_json::to_vec(&manifest)?))?;
        self.remove_unnamed(&manifest);
        Ok(())
    }

    /// Writes a file under a temporary name and renames it when it is complete and synced to disk.
    fn replace(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
    ) -> Result<(), DiskCacheError> {
        let path = self.folder.join(name);
        let unfinished = self.folder.join(format!("{name}.{UNFINISHED_ENDING}"));
        let file = private().truncate(true).open(&unfinished).map_err(at(&unfinished))?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        write(&mut out)
            .and_then(|()| out.into_inner()?.sync_all())
            .and_then(|()| fs::rename(&unfinished, &path))
            .and_then(|()| File::open(&self.folder)?.sync_all())
            .map_err(at(&path))
    }

    fn remove_unnamed(&self, manifest: &Manifest) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default();
            let ours = path.extension().is_some_and(|ending| ending == LAYER_ENDING || ending == UNFINISHED_ENDING);
            if ours && !manifest.layers.iter().any(|entry| name == entry.file.as_str()) {
                // If removal fails, the next write removes the file.
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn read_manifest(path: &Path, file: &mut impl Read) -> Result<Manifest, DiskCacheError> {
    let damaged = |reason: String| DiskCacheError::Damaged { path: path.to_owned(), reason };
    let bytes = read_piece(path, file)?;
    let document: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    // In another format only the number can be relied on.
    let format = document["format"].as_u64().and_then(|format| u32::try_from(format).ok()).unwrap_or(0);
    if format != FORMAT {
        return Err(DiskCacheError::OtherFormat { path: path.to_owned(), found: format });
    }
    serde_json::from_value(document).map_err(|error| damaged(error.to_string()))
}

fn write_layer(out: &mut impl Write, layer: &Layer) -> std::io::Result<()> {
    for chunk in layer.chunks() {
        let (ids, shapes, columns) = chunk.parts();
        let ids = Texts::collect(ids.iter().map(|id| Some(id.as_str())));
        let columns = columns.iter().map(AsRef::as_ref).collect();
        let shapes = shapes.iter().map(|shape| shape.as_ref().map(StoredShape::of).transpose());
        let shapes = shapes.collect::<Result<_, _>>().map_err(std::io::Error::other)?;
        let piece = postcard::to_stdvec(&PieceOut { ids, shapes, columns }).map_err(std::io::Error::other)?;
        write_piece(out, &piece)?;
    }
    Ok(())
}

/// Reads a layer. Its pieces are found one after another; they are read, checked and built on all cores.
fn read_layer(folder: &Path, entry: LayerEntry) -> Result<Layer, DiskCacheError> {
    let path = folder.join(&entry.file);
    let file = File::open(&path).map_err(at(&path))?;
    let mut end = 0;
    let starts = (0..entry.chunks).map(|_| {
        let start = end;
        let head = read_head(&path, &mut ReadAt { file: &file, at: start })?;
        end = start + HEAD_BYTES + u64::from(head.length);
        Ok(start)
    });
    let starts = starts.collect::<Result<Vec<u64>, _>>()?;
    let chunks = starts
        .into_par_iter()
        .map(|start| {
            let piece = read_piece(&path, &mut ReadAt { file: &file, at: start })?;
            let chunk = read_chunk(&piece, &entry);
            chunk.map(Arc::new).map_err(|reason| DiskCacheError::Damaged { path: path.clone(), reason })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let rows: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    if rows != entry.rows {
        return Err(DiskCacheError::Damaged { path, reason: format!("{rows} rows instead of {}", entry.rows) });
    }
    Ok(Layer::of_chunks(entry.schema, chunks))
}

fn read_chunk(piece: &[u8], entry: &LayerEntry) -> Result<Chunk, String> {
    let PieceIn { ids, shapes, columns } = postcard::from_bytes(piece).map_err(|error| error.to_string())?;
    let id = |row: usize| FeatureId::new(ids.get(row).unwrap_or_default()).map_err(|error| error.to_string());
    let ids: Vec<FeatureId> = (0..ids.len()).map(id).collect::<Result<_, _>>()?;
    let shapes: Vec<Option<Shape>> =
        shapes.into_iter().map(|shape| shape.map(StoredShape::shape).transpose()).collect::<Result<_, _>>()?;
    let fields = &entry.schema.fields;
    let fits = ids.is_sorted()
        && shapes.len() == ids.len()
        && columns.len() == fields.len()
        && columns.iter().zip(fields).all(|(column, field)| column.fits(field.field_type, ids.len()));
    if !fits {
        return Err("its columns do not match the layer".to_owned());
    }
    Ok(Chunk::assemble(ids, shapes, columns))
}

/// Length and CRC-32 (4 bytes each, little-endian), then the bytes.
fn write_piece(out: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|&length| length <= LONGEST_PIECE);
    let length = length.ok_or_else(|| std::io::Error::other("a piece is longer than 1 GiB"))?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&crc32fast::hash(bytes).to_le_bytes())?;
    out.write_all(bytes)
}

/// What precedes the bytes of a piece.
struct PieceHead {
    length: u32,
    checksum: u32,
}

/// Bytes of a head.
const HEAD_BYTES: u64 = 8;

fn damaged(path: &Path, reason: &str) -> DiskCacheError {
    DiskCacheError::Damaged { path: path.to_owned(), reason: reason.to_owned() }
}

fn read_head(path: &Path, file: &mut impl Read) -> Result<PieceHead, DiskCacheError> {
    let mut number = [0; 4];
    let mut next = || {
        file.read_exact(&mut number).map(|()| u32::from_le_bytes(number)).map_err(|_| damaged(path, "it is truncated"))
    };
    let (length, checksum) = (next()?, next()?);
    if length > LONGEST_PIECE {
        return Err(damaged(path, "a length is out of range"));
    }
    Ok(PieceHead { length, checksum })
}

fn read_piece(path: &Path, file: &mut impl Read) -> Result<Vec<u8>, DiskCacheError> {
    let PieceHead { length, checksum } = read_head(path, file)?;
    let mut bytes = Vec::new();
    file.take(u64::from(length)).read_to_end(&mut bytes).map_err(at(path))?;
    if bytes.len() != length as usize {
        return Err(damaged(path, "it is truncated"));
    }
    if crc32fast::hash(&bytes) != checksum {
        return Err(damaged(path, "a checksum does not match"));
    }
    Ok(bytes)
}

/// Reads a file from a place, independently of other readers of it.
struct ReadAt<'a> {
    file: &'a File,
    at: u64,
}

impl Read for ReadAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// A file that only its owner may read.
fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.write(true).create(true).mode(0o600);
    options
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> DiskCacheError + use<> {
    let path = path.to_owned();
    move |source| DiskCacheError::File { path: path.clone(), source }
}
