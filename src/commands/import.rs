//! `onemap import`: reads a file into a layer and reports every refused row.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;

use super::import_report::{check_report_path, log_report, write_report};
use super::stop_signal::stop_signal;
use super::store::{ImportTarget, StoreOptions};
use super::{ROWS_REFUSED, command_origin, progress};
use crate::clock;
use crate::config;
use crate::exchange::TableHints;
use crate::exchange::import::{DangerZone, Report};
use crate::exchange::matching::ColumnMatch;
use crate::import::file::{ImportFile, ImportFileError, ImportOptions, Recognised, known_columns};
use crate::import::tables::TableSource;
use crate::model::{
    Catalog, Feature, ImportCounts, ImportMode, ImportRecord, ImportScope, ImportSource, LayerIndex, LayerSchema, Merge,
};
use crate::store::{Store, StoreError};

/// Characters of the id of an import.
const SHORT_ID: usize = 8;

/// Import a file into a layer: all rows or none.
#[derive(Args)]
#[command(after_help = "\
Formats by file name ending: GeoJSON (.geojson, .json), one GeoJSON feature per line (.geojsonl, .ndjson),
FlatGeobuf (.fgb), Shapefiles (.shp, .zip), point tables (.csv, .tsv, .txt) in UTF-8, UTF-16, GB 18030 or Big5 with any
common delimiter, workbooks (.xlsx, .xlsb, .xls, .ods), KML (.kml, .kmz), GPX (.gpx), GeoPackage (.gpkg), and tables of a
PostGIS database (postgres://USER:PASSWORD@HOST/DATABASE --table SCHEMA.TABLE). A title above the header and headers of two
rows are recognised. Cells may have full-width digits, units (300人, 3.5公里), Chinese dates and degrees with minutes and
seconds.
The roads of OpenStreetMap extracts (.osm.pbf) are read for the layer of roads.
Warnings are also read as CAP alerts (.xml, .cap); with --update updates and cancellations take the place of the alert
that they refer to.

Columns are matched by field id, title and common synonyms; the matches are logged. `onemap layers LAYER` lists the
fields. --column or --map matches other columns; lon and lat name the coordinate columns of a table. The reference system
of a table must be named, unless its columns do (经度(GCJ02), wgs84_lng).

Each import has an id: `onemap imports` lists them, `onemap undo ID` restores what was stored before.

Examples:
  onemap import shelters.geojson --layer shelters
  onemap import survey.geojson --layer hazards --crs EPSG:4549
  onemap import sites.geojsonl --layer shelters --column 共通ID=id --column 施設・場所名=name
  onemap import amap.csv --layer key_places --crs gcj02 --dry-run
  onemap import 避灾点.xlsx --layer shelters --crs wgs84 --skip-bad --report 退回.xlsx
  onemap import 今日在点人数.xlsx --layer shelters --update --key name
  onemap import county.osm.pbf --layer roads --anywhere
  onemap import 预警.xml --layer warnings --update")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct ImportArguments {
    /// File to import, or URL of a database.
    file: PathBuf,

    /// Target layer.
    #[arg(long)]
    layer: String,

    /// Reference system of the coordinates: wgs84, cgcs2000, gcj02, bd09 or EPSG:n [default: the system that the file
    /// declares; wgs84 for GeoJSON].
    #[arg(long)]
    crs: Option<String>,

    /// Column of the file and the field it fills; repeatable. FIELD=COLUMN is accepted too.
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = column)]
    column: Vec<(String, String)>,

    /// File with columns and the fields they fill, one per line: "COLUMN" = "FIELD" (TOML).
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,

    /// Sheet of a workbook [default: the one with the most matching columns], or table of a GeoPackage or database
    /// [default: the one with the name of the layer, or the only one].
    #[arg(long, visible_alias = "table")]
    sheet: Option<String>,

    /// Value of the field `source` if the file has none [default: the file name].
    #[arg(long)]
    source: Option<String>,

    /// Change features that are stored already: they take the values of the columns that the file has.
    #[arg(long)]
    update: bool,

    /// Make the layer equal to the file: as --update, and features that the file lacks are deleted.
    #[arg(long, conflicts_with_all = ["update", "skip_bad"])]
    replace: bool,

    /// Field by which stored features are found, instead of the id.
    #[arg(long, value_name = "FIELD")]
    key: Option<String>,

    /// Import valid rows and skip invalid ones.
    #[arg(long)]
    skip_bad: bool,

    /// Write the refused rows to a file, CSV or JSON by its ending; .xlsx is a copy of the table in which they are marked.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Accept features far outside the county.
    #[arg(long)]
    anywhere: bool,

    /// Accept features without a name or a place.
    #[arg(long)]
    incomplete: bool,

    /// Check the file and count what would change, without storing anything.
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    store: StoreOptions,
}

fn column(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((column, field)) if !field.is_empty() && !column.is_empty() => Ok((column.to_owned(), field.to_owned())),
        _ => Err("expected COLUMN=FIELD, such as 名称=name".to_owned()),
    }
}

pub(super) async fn import(arguments: ImportArguments) -> anyhow::Result<ExitCode> {
    let config = arguments.store.config()?;
    let catalog = config.catalog;
    let schema = layer_of(&catalog, &arguments.layer)?;
    anyhow::ensure!(
        !schema.roles.commitments,
        "layer {} is written by requests to /api/commitments, which reserve what they promise",
        schema.id
    );
    if let Some(report) = &arguments.report {
        check_report_path(report)?;
    }
    // A URL may contain a password; its table is its name.
    let table = arguments.sheet.clone().filter(|_| TableSource::is_database(&arguments.file));
    let name = table.or_else(|| arguments.file.file_name().map(|name| name.to_string_lossy().into_owned()));
    let name = name.unwrap_or_default();
    let mut options = arguments.options()?;
    options.scope = ImportScope::Except(config.syncs.into_iter().map(|synced| synced.source).collect());
    // The file is opened before the store, so that a wrong one does not create a store.
    let opened = ImportFile::open(&catalog, schema, &arguments.file, &name, &options, clock::now());
    let mut file = opened.map_err(|error| explained(&error))?;
    let target = arguments.store.open_for_import(&catalog).await?;
    let store = target.store();
    let index = LayerIndex::find(store.schemas(), &schema.id).context("the store does not contain the layer")?;
    if schema.roles.capacity.is_some() {
        file.warn_inside(danger_zones(store, &catalog).await?);
    }
    // Noticed before the log says that the import begins.
    let interrupted = stop_signal()?;
    log_recognised(&file, &name, schema);

    file.record = if arguments.dry_run { None } else { Some(record(schema, &name)?) };
    file.skip_bad = arguments.skip_bad;
    let import = file.record.as_ref().map(|record| record.id.clone());
    let bar = file.rows.map_or_else(|| progress::counter("rows read"), |rows| progress::bar(rows as u64, "rows read"));
    let mut source = Counted { file, bar: bar.clone() };
    let imported = tokio::select! {
        imported = store.import(index, &mut source) => Some(imported),
        () = interrupted => None,
    };
    bar.finish_and_clear();
    let Some(imported) = imported else {
        target.discard().await;
        anyhow::bail!("interrupted: nothing was stored");
    };
    let report = source.file.into_report();
    log_report(&report, schema);
    if let Some(path) = &arguments.report {
        let known = |names: &[String]| known_columns(&catalog, schema, names);
        let hints = TableHints { sheet: options.sheet.as_deref(), known_columns: &known };
        let written = write_report(path, &report, &arguments.file, &hints);
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    finish(target, imported, &report, schema, import).await
}

/// Closes the store and logs what was stored.
async fn finish(
    target: ImportTarget,
    imported: Result<Option<ImportCounts>, StoreError>,
    report: &Report,
    schema: &LayerSchema,
    import: Option<String>,
) -> anyhow::Result<ExitCode> {
    let counts = match imported {
        Ok(counts) => counts,
        Err(error) => {
            target.discard().await;
            return Err(error.into());
        }
    };
    let Some(ImportCounts { new, changed, unchanged, removed, skipped }) = counts else {
        target.discard().await;
        if report.is_cut {
            tracing::error!("nothing was stored: the rest of the file cannot be read");
        } else {
            tracing::error!(
                refused = report.refused_count,
                "nothing was stored: correct these rows, or import only the valid ones with --skip-bad"
            );
        }
        return Ok(ExitCode::from(ROWS_REFUSED));
    };
    if skipped > 0 {
        tracing::warn!(rows = skipped, "rows were left out: they are no stored features, or older than what is stored");
    }
    match import {
        None => {
            target.discard().await;
            tracing::info!(new, changed, unchanged, removed, "dry run: nothing was stored");
        }
        Some(import) => {
            target.finish().await?;
            tracing::info!(new, changed, unchanged, removed, layer = schema.id, import, "stored");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A file whose rows are counted on a progress bar.
struct Counted<'a> {
    file: ImportFile<'a>,
    bar: ProgressBar,
}

impl ImportSource for Counted<'_> {
    fn next_feature(&mut self) -> Option<Feature> {
        let feature = self.file.next_feature();
        self.bar.set_position(self.file.report().read as u64);
        feature
    }

    fn merge(&mut self) -> Option<Merge> {
        self.bar.set_message("rows read, storing");
        self.file.merge()
    }
}

fn record(schema: &LayerSchema, name: &str) -> anyhow::Result<ImportRecord> {
    let record = ImportRecord::new(&command_origin()?, &schema.id, name, clock::now());
    // Short, because `onemap undo` is typed.
    Ok(ImportRecord { id: record.id.chars().take(SHORT_ID).collect(), ..record })
}

/// The message of a file that is not imported, with the options of the command line.
fn explained(error: &ImportFileError) -> anyhow::Error {
    let hint = match error {
        ImportFileError::UnnamedCrs { .. } => " (--crs)",
        ImportFileError::MissingColumn { .. } => {
            " (--column, --map; --incomplete accepts features without name or place)"
        }
        _ => "",
    };
    anyhow::anyhow!("{error}{hint}")
}

/// The zones of the store, in which a shelter is in danger.
async fn danger_zones(store: &dyn Store, catalog: &Catalog) -> anyhow::Result<Vec<DangerZone>> {
    let mut zones = Vec::new();
    let mut sink = |layer: LayerIndex, feature: Feature| {
        let schema = layer.of(store.schemas());
        zones.extend(schema.roles.zone.as_ref().and_then(|_| DangerZone::of(catalog, schema, &feature)));
    };
    store.read_all(&mut sink).await?;
    Ok(zones)
}

fn log_recognised(file: &ImportFile<'_>, name: &str, schema: &LayerSchema) {
    let Recognised { table, crs, places, matches, .. } = &file.recognised;
    if let Some(table) = table {
        tracing::info!(format = table, "table recognised");
    }
    if let Some([lon, lat]) = places {
        tracing::info!(lon, lat, "coordinate columns matched");
    }
    for ColumnMatch { field, column } in matches.iter().filter(|own| own.field != own.column) {
        tracing::info!(column, field, "column matched");
    }
    tracing::info!(file = name, layer = schema.id, crs, "importing");
}

impl ImportArguments {
    fn options(&self) -> anyhow::Result<ImportOptions> {
        let mut columns = self.column.clone();
        if let Some(map) = &self.map {
            columns.extend(config::read_columns(map)?);
        }
        let mode = match (self.update, self.replace) {
            (true, _) => ImportMode::Update,
            (_, true) => ImportMode::Replace,
            _ => ImportMode::Add,
        };
        Ok(ImportOptions {
            crs: self.crs.clone(),
            columns,
            sheet: self.sheet.clone(),
            source: self.source.clone(),
            mode,
            key: self.key.clone(),
            anywhere: self.anywhere,
            incomplete: self.incomplete,
            scope: ImportScope::default(),
        })
    }
}

/// Finds a layer of the catalog.
pub(super) fn layer_of<'a>(catalog: &'a Catalog, name: &str) -> anyhow::Result<&'a LayerSchema> {
    catalog.layer(name).with_context(|| {
        let names: Vec<&str> = catalog.layers.iter().map(|layer| layer.id.as_str()).collect();
        format!("layer {name:?} does not exist; accepted: {}", names.join(", "))
    })
}
