//! `onemap import`: a file into a layer, with a report of every row that was refused.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::store::{Fill, StoreOptions};
use super::{ROWS_REFUSED, progress};
use crate::clock;
use crate::exchange::import::{Importer, Report, RowIssue, Rules};
use crate::exchange::{self, RecordSource};
use crate::geodesy::datum::{ACCEPTED_CRS, Crs};
use crate::model::{Catalog, Feature, LayerSchema};
use crate::store::OnConflict;

/// Refused rows that are told one by one; the rest is counted.
const SHOWN_REMARKS: usize = 50;

/// Read a file into a layer: all of its rows or none.
#[derive(Args)]
#[command(after_help = "\
Formats by ending: GeoJSON (.geojson, .json), one GeoJSON feature a line (.geojsonl, .ndjson), FlatGeobuf (.fgb).

Examples:
  onemap import shelters.geojson --layer shelters
  onemap import survey.geojson --layer hazards --crs EPSG:4549
  onemap import sites.geojsonl --layer shelters --column id=共通ID --column name=施設・場所名
  onemap import amap.geojson --layer key_places --crs gcj02 --dry-run")]
pub(super) struct ImportOptions {
    /// The file.
    file: PathBuf,

    /// Layer that takes the features.
    #[arg(long)]
    layer: String,

    /// Reference system of the coordinates: wgs84, cgcs2000, gcj02, bd09 or EPSG:n. Default: what the
    /// file says, or wgs84.
    #[arg(long)]
    crs: Option<String>,

    /// Our field name and the file's column name; may be given many times.
    #[arg(long, value_name = "FIELD=COLUMN", value_parser = column)]
    column: Vec<(String, String)>,

    /// What the field `source` says where the file does not. Default: the file's name.
    #[arg(long)]
    source: Option<String>,

    /// Put features in the place of those with the same id.
    #[arg(long)]
    replace: bool,

    /// Take the good rows and leave the bad ones.
    #[arg(long)]
    skip_bad: bool,

    /// Only tell what would happen.
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    store: StoreOptions,
}

fn column(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, column)) if !field.is_empty() && !column.is_empty() => Ok((field.to_owned(), column.to_owned())),
        _ => Err("give FIELD=COLUMN, such as name=名称".to_owned()),
    }
}

pub(super) async fn import(options: ImportOptions) -> anyhow::Result<ExitCode> {
    let catalog = Catalog::built_in()?;
    let schema = layer_of(&catalog, &options.layer)?;
    check_columns(schema, &options.column)?;
    let source = exchange::open(&options.file)?;
    let rules = rules(&options, &source)?;
    tracing::info!(file = %options.file.display(), layer = schema.id, crs = %rules.crs, "reading");
    let (features, report) = read(source, Importer::new(schema, rules)?);
    tell(&report, schema);

    if !report.refused.is_empty() && !options.skip_bad {
        tracing::error!(
            refused = report.refused.len(),
            "nothing was stored: mend these rows, or take only the good ones with --skip-bad"
        );
        return Ok(ExitCode::from(ROWS_REFUSED));
    }
    if options.dry_run {
        tracing::info!(features = features.len(), "dry run: nothing was stored");
        return Ok(ExitCode::SUCCESS);
    }
    let store = options.store.open(&catalog, Fill::Nothing).await?;
    let at = store.schemas().iter().position(|layer| layer.id == schema.id).context("the store lacks the layer")?;
    let bar = progress::bar(features.len() as u64, "features stored");
    let on_conflict = if options.replace { OnConflict::Replace } else { OnConflict::Refuse };
    let stored = store.append(at, &mut bar.wrap_iter(features.into_iter()), on_conflict).await;
    bar.finish_and_clear();
    let stored = stored?;
    store.close().await;
    tracing::info!(features = stored, layer = schema.id, "stored");
    Ok(ExitCode::SUCCESS)
}

/// A layer of the catalog.
pub(super) fn layer_of<'a>(catalog: &'a Catalog, name: &str) -> anyhow::Result<&'a LayerSchema> {
    catalog.layer(name).with_context(|| {
        let names: Vec<&str> = catalog.layers.iter().map(|layer| layer.id.as_str()).collect();
        format!("there is no layer {name:?}; accepted: {}", names.join(", "))
    })
}

fn check_columns(schema: &LayerSchema, columns: &[(String, String)]) -> anyhow::Result<()> {
    for (field, _) in columns {
        let known = field == "id" || schema.position(field).is_some();
        let names = || schema.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
        anyhow::ensure!(known, "layer {} has no field {field:?}; accepted: id, {}", schema.id, names());
    }
    Ok(())
}

fn rules(options: &ImportOptions, source: &RecordSource) -> anyhow::Result<Rules> {
    let crs = match (&options.crs, &source.crs) {
        (Some(name), _) => Crs::parse(name)?,
        (None, Some(claimed)) => Crs::parse(claimed).with_context(|| {
            format!("the file says that its coordinates are {claimed}; if that is wrong, give --crs ({ACCEPTED_CRS})")
        })?,
        (None, None) => Crs::Geographic,
    };
    let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    Ok(Rules {
        crs,
        columns: options.column.clone(),
        source: options.source.clone().or_else(|| part(options.file.file_name())).unwrap_or_default(),
        id_prefix: part(options.file.file_stem()).unwrap_or_default(),
        now: clock::now(),
    })
}

fn read(source: RecordSource, mut intake: Importer<'_>) -> (Vec<Feature>, Report) {
    let bar =
        source.rows.map_or_else(|| progress::counter("rows read"), |rows| progress::bar(rows as u64, "rows read"));
    let features = bar.wrap_iter(source.records).filter_map(|record| intake.take(record)).collect();
    bar.finish_and_clear();
    (features, intake.into_report())
}

fn tell(report: &Report, schema: &LayerSchema) {
    for RowIssue { row, line, field, value, reason } in report.refused.iter().take(SHOWN_REMARKS) {
        tracing::warn!(row, line, field, value, "refused: {reason}");
    }
    if let Some(more) = report.refused.len().checked_sub(SHOWN_REMARKS).filter(|&more| more > 0) {
        tracing::warn!(more, "rows refused beyond those told");
    }
    if report.numbered > 0 {
        tracing::warn!(rows = report.numbered, "had no id and were given one (--column id=COLUMN names the id column)");
    }
    for (column, rows) in &report.ignored_columns {
        tracing::warn!(
            column,
            rows,
            "layer {} has no field for this column; it is left out (--column FIELD={column})",
            schema.id
        );
    }
    tracing::info!(read = report.read, taken = report.taken, refused = report.refused.len(), "rows");
}
