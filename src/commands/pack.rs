//! `onemap export --pmtiles`: writes the tiles of layers to a PMTiles archive.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::progress;
use super::stop_signal::stop_signal;
use super::store::StoreOptions;
use crate::access;
use crate::geodesy::Envelope;
use crate::model::{LayerSchema, Role};
use crate::private_file::UnfinishedFile;
use crate::snapshot::{Layer, Snapshot, follower};
use crate::tile::pack::{Pack, PackError, PackSummary, ROLE_KEY};
use crate::tile::vector_layer::{MAX_ZOOM, vector_layers};
use crate::tile::{Drawing, Labels, TileFormat};

/// Exit code after Ctrl-C, as shells report it.
const INTERRUPTED: u8 = 130;

/// Options of an archive.
#[derive(Args)]
pub(super) struct PackOptions {
    /// PMTiles archive to write, instead of a layer; an existing file is replaced.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["layer", "output"])]
    pmtiles: Option<PathBuf>,

    /// Layers of the archive, joined by commas [default: all that the role sees].
    #[arg(long, value_name = "ID,ID", value_delimiter = ',', requires = "pmtiles")]
    layers: Vec<String>,

    /// Area of the archive in degrees [default: the extent of its layers].
    #[arg(long, value_name = "WEST,SOUTH,EAST,NORTH", requires = "pmtiles", allow_hyphen_values = true)]
    bbox: Option<Bbox>,

    /// Zooms of the archive.
    #[arg(long, value_name = "FIRST-LAST", default_value = "0-14", requires = "pmtiles")]
    zooms: Zooms,

    /// Format of the tiles.
    #[arg(long, value_enum, default_value_t = FormatOption::Mvt, requires = "pmtiles")]
    tile_format: FormatOption,

    /// Maximum size of a tile in kilobytes before compression.
    #[arg(long, value_name = "KB", default_value_t = 500, requires = "pmtiles")]
    tile_budget_kb: u32,

    /// Role for which the archive is made: it contains what that role sees, and a server gives it to no lower one.
    #[arg(long, value_name = "ROLE", default_value = "public", requires = "pmtiles")]
    role: Role,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatOption {
    /// Mapbox Vector Tile.
    Mvt,
    /// MapLibre Tile.
    Mlt,
}

/// `WEST,SOUTH,EAST,NORTH` in degrees.
#[derive(Clone, Copy)]
struct Bbox(Envelope);

impl FromStr for Bbox {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<f64>, _> = text.split(',').map(|number| number.trim().parse::<f64>()).collect();
        let accepted = "accepted: WEST,SOUTH,EAST,NORTH in degrees, such as 118.5,25.9,119.1,26.6";
        match numbers.as_deref() {
            Ok(&[west, south, east, north]) => {
                Envelope::new(west, south, east, north).map(Self).map_err(|error| format!("{error}; {accepted}"))
            }
            _ => Err(format!("not four numbers; {accepted}")),
        }
    }
}

/// `FIRST-LAST`, or one zoom.
#[derive(Clone, Debug)]
struct Zooms(RangeInclusive<u8>);

impl FromStr for Zooms {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.trim().parse::<u8>(), last.trim().parse::<u8>()) {
            (Ok(first), Ok(last)) if first <= last && last <= MAX_ZOOM => Ok(Self(first..=last)),
            _ => Err(format!("accepted: FIRST-LAST with zooms of 0 to {MAX_ZOOM}, such as 0-14")),
        }
    }
}

impl PackOptions {
    pub(super) async fn export(self, store: &StoreOptions) -> anyhow::Result<ExitCode> {
        let path = self.pmtiles.clone().context("--pmtiles names no file")?;
        let catalog = store.config()?.catalog;
        let title = catalog.county.title.zh.clone();
        let restrictions = access::restrictions(&catalog)?;
        let opened = store.open_existing(&catalog).await?;
        let (whole, _) = follower::build(&*opened).await?;
        opened.close().await;
        let restriction = restrictions.into_iter().find(|(roles, _)| roles.contains(&self.role));
        let restriction = restriction.map(|(_, restriction)| restriction).unwrap_or_default();
        let snapshot = restriction.apply(&whole);

        let interrupted = Arc::new(AtomicBool::new(false));
        let stop = stop_signal()?;
        let (flag, target) = (interrupted.clone(), path.clone());
        let mut work = tokio::task::spawn_blocking(move || self.write(&snapshot, &title, &target, &flag));
        let written = tokio::select! {
            written = &mut work => written?,
            () = stop => {
                interrupted.store(true, Ordering::Relaxed);
                work.await?
            }
        };
        match written {
            Ok(summary) => {
                report(&path, summary);
                Ok(ExitCode::SUCCESS)
            }
            Err(error) if error.downcast_ref().is_some_and(|error| matches!(error, PackError::Interrupted)) => {
                tracing::warn!("interrupted; nothing was written");
                Ok(ExitCode::from(INTERRUPTED))
            }
            Err(error) => Err(error.context(format!("cannot write {}", path.display()))),
        }
    }

    fn write(
        &self,
        snapshot: &Snapshot,
        title: &str,
        path: &Path,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<PackSummary> {
        let layers = self.layers_of(snapshot)?;
        let bounds = layers.iter().filter_map(|layer| layer.envelope()).reduce(|a, b| a.union(&b));
        let envelope = self.bbox.map(|Bbox(envelope)| envelope).or(bounds).context("the layers have no features")?;
        let schemas: Vec<&LayerSchema> = layers.iter().map(|layer| layer.schema()).collect();
        let metadata = json!({
            "name": title,
            "format": self.tile_format.format().name(),
            "vector_layers": vector_layers(&schemas, Drawing::Features(Labels::OfFirst(schemas.len()))),
            ROLE_KEY: self.role.name(),
        });
        let pack = Pack {
            layers,
            envelope,
            zooms: self.zooms.0.clone(),
            format: self.tile_format.format(),
            budget_bytes: self.tile_budget_kb as usize * 1_000,
            metadata: metadata.to_string(),
        };
        // Created first, so that a wrong name is reported before the work.
        let unfinished = UnfinishedFile::create(path)?;
        let addresses = pack.addresses();
        let bar = progress::bar(addresses.len() as u64, "tiles");
        let summary = pack.write(unfinished.file(), &addresses, &mut |finished| {
            bar.set_position(finished as u64);
            !interrupted.load(Ordering::Relaxed)
        })?;
        bar.finish_and_clear();
        unfinished.finish()?;
        Ok(summary)
    }

    fn layers_of<'a>(&self, snapshot: &'a Snapshot) -> anyhow::Result<Vec<&'a Layer>> {
        if self.layers.is_empty() {
            return Ok(snapshot.layers().iter().map(|layer| &**layer).collect());
        }
        let named = |id: &String| {
            let known =
                || snapshot.layers().iter().map(|layer| layer.schema().id.as_str()).collect::<Vec<_>>().join(", ");
            snapshot.layer(id).with_context(|| format!("--layers: unknown layer {id:?}; accepted: {}", known()))
        };
        self.layers.iter().map(named).collect()
    }
}

impl FormatOption {
    fn format(self) -> TileFormat {
        match self {
            Self::Mvt => TileFormat::Mvt,
            Self::Mlt => TileFormat::Mlt,
        }
    }
}

fn report(path: &Path, summary: PackSummary) {
    let bytes = std::fs::metadata(path).map(|file| file.len()).unwrap_or_default();
    tracing::info!(tiles = summary.tiles, bytes, file = %path.display(), "exported");
    if summary.over_budget > 0 {
        tracing::warn!(
            tiles = summary.over_budget,
            "tiles over the size budget omit their least important features; --tile-budget-kb raises it"
        );
    }
}
