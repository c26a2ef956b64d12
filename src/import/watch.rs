//! Imports files that other programs put into a folder, such as alerts of the meteorological bureau.
//!
//! A file is complete when it did not change between two looks. It is moved to `working` first, so that of several servers one
//! takes it, then to `done`, or to `failed` with a report beside it.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use time::UtcDateTime;
use tokio::sync::watch;

use super::download::WatchedUrl;
use super::file::{ImportFile, ImportFileError, ImportOptions};
use super::report;
use crate::exchange::import::{MAX_ISSUES, Report};
use crate::model::{
    Catalog, ImportCounts, ImportMode, ImportRecord, ImportScope, LayerIndex, LayerSchema, Origin, Role,
};
use crate::private_file;
use crate::store::{Store, StoreError};

/// Interval between two looks at the folder.
const EVERY: Duration = Duration::from_secs(1);
/// Endings of files that are being written.
const UNFINISHED: [&str; 5] = ["part", "tmp", "filepart", "crdownload", "unfinished"];
const WORKING: &str = "working";
const DONE: &str = "done";
const FAILED: &str = "failed";

/// A folder, and the layer that its files are imported into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedFolder {
    /// The folder.
    pub folder: PathBuf,
    /// The layer.
    pub layer: String,
    /// What happens to features that are stored already.
    pub mode: ImportMode,
    /// Reference system of the coordinates.
    pub crs: Option<String>,
    /// Whether the valid rows of a file are imported if others are refused.
    pub skip_bad: bool,
    /// Columns and the fields that they fill.
    pub columns: Vec<(String, String)>,
    /// An address whose documents are put into the folder.
    pub download: Option<WatchedUrl>,
}

/// Why a file was not imported.
#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error(transparent)]
    File(#[from] ImportFileError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("layer {0} does not exist")]
    NoLayer(String),
    #[error("{0} rows are refused and nothing was stored")]
    Refused(usize),
    #[error("{0}")]
    System(String),
}

/// What a file looked like.
type Look = (u64, Option<SystemTime>);

/// Imports what arrives in a folder until `stop` turns true. Features of `synced` sources are left alone.
pub async fn keep_watching(
    store: Arc<dyn Store>,
    catalog: Arc<Catalog>,
    (watched, synced): (WatchedFolder, Vec<String>),
    now: fn() -> UtcDateTime,
    mut stop: watch::Receiver<bool>,
) {
    let mut seen: HashMap<PathBuf, Look> = HashMap::new();
    let mut has_failed = false;
    loop {
        match complete_files(&watched.folder, &mut seen) {
            Ok(files) => {
                has_failed = false;
                for file in files {
                    take(&*store, &catalog, (&watched, &synced), &file, now).await;
                }
            }
            Err(error) if !has_failed => {
                has_failed = true;
                tracing::warn!(folder = %watched.folder.display(), "the folder cannot be read: {error}");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// The files that did not change since the last look, by name.
fn complete_files(folder: &Path, seen: &mut HashMap<PathBuf, Look>) -> io::Result<Vec<PathBuf>> {
    let mut now: HashMap<PathBuf, Look> = HashMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, about) = (entry.path(), entry.metadata()?);
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        if about.is_file() && !is_hidden && !UNFINISHED.contains(&ending.as_str()) {
            now.insert(path, (about.len(), about.modified().ok()));
        }
    }
    let mut complete: Vec<PathBuf> =
        now.iter().filter(|(path, look)| seen.get(*path) == Some(look)).map(|(path, _)| path.clone()).collect();
    complete.sort();
    *seen = now;
    Ok(complete)
}

async fn take(
    store: &dyn Store,
    catalog: &Catalog,
    watched: (&WatchedFolder, &[String]),
    file: &Path,
    now: fn() -> UtcDateTime,
) {
    let folder = &watched.0.folder;
    let Some(name) = file.file_name().map(|name| name.to_string_lossy().into_owned()) else { return };
    let claimed = match moved(file, &folder.join(WORKING), &name) {
        Ok(claimed) => claimed,
        // Another server was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return tracing::warn!(file = name, "it cannot be moved: {error}"),
    };
    let layer = &watched.0.layer;
    let (outcome, report) = import(store, catalog, watched, &claimed, &name, now).await;
    let (target, note) = match outcome {
        Ok(ImportCounts { new, changed, unchanged, .. }) => {
            tracing::info!(
                file = name,
                layer,
                new,
                changed,
                unchanged,
                refused = report.refused_count,
                "file imported"
            );
            (DONE, None)
        }
        Err(error) => {
            tracing::warn!(file = name, layer, "file not imported: {error}");
            (FAILED, Some(error.to_string()))
        }
    };
    // The time keeps files of one name apart.
    let stamp = now().unix_timestamp();
    let filed = format!("{stamp}-{name}");
    let told = moved(&claimed, &folder.join(target), &filed).and_then(|filed| {
        if note.is_none() && report.refused_count == 0 {
            return Ok(());
        }
        let mut body = report::as_json(&report, MAX_ISSUES);
        body["error"] = note.into();
        let options = &mut fs::OpenOptions::new();
        let file = private_file::open(
            &private_file::beside(&filed, ".report.json"),
            options.create(true).truncate(true).write(true),
        )?;
        Ok(serde_json::to_writer_pretty(file, &body)?)
    });
    if let Err(error) = told {
        tracing::warn!(file = name, "its report cannot be written: {error}");
    }
}

/// Moves a file into a folder, which is created.
fn moved(file: &Path, folder: &Path, name: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let target = folder.join(name);
    fs::rename(file, &target)?;
    Ok(target)
}

async fn import(
    store: &dyn Store,
    catalog: &Catalog,
    watched: (&WatchedFolder, &[String]),
    path: &Path,
    name: &str,
    now: fn() -> UtcDateTime,
) -> (Result<ImportCounts, WatchError>, Report) {
    let Some(index) = LayerIndex::find(store.schemas(), &watched.0.layer) else {
        return (Err(WatchError::NoLayer(watched.0.layer.clone())), Report::default());
    };
    let mut file = match open(catalog, index.of(store.schemas()), watched, path, name, now()) {
        Ok(file) => file,
        Err(error) => return (Err(error), Report::default()),
    };
    let counts = store.import(index, &mut file).await;
    let report = file.into_report();
    let outcome = match counts {
        Ok(Some(counts)) => Ok(counts),
        Ok(None) => Err(WatchError::Refused(report.refused_count)),
        Err(error) => Err(error.into()),
    };
    (outcome, report)
}

fn open<'a>(
    catalog: &'a Catalog,
    schema: &'a LayerSchema,
    (watched, synced): (&WatchedFolder, &[String]),
    path: &Path,
    name: &str,
    now: UtcDateTime,
) -> Result<ImportFile<'a>, WatchError> {
    let options = ImportOptions {
        crs: watched.crs.clone(),
        columns: watched.columns.clone(),
        mode: watched.mode,
        scope: ImportScope::Except(synced.to_vec()),
        ..ImportOptions::default()
    };
    let mut file = ImportFile::open(catalog, schema, path, name, &options, now)?;
    let origin = Origin::of_program(format!("folder {}", watched.folder.display()), Role::Editor);
    let origin = origin.map_err(|error| WatchError::System(error.to_string()))?;
    file.record = Some(ImportRecord::new(&origin, &watched.layer, name, now));
    file.skip_bad = watched.skip_bad;
    Ok(file)
}
