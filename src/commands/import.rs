//! `onemap import`: reads a file into a layer and reports every refused row.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::store::{Fill, StoreOptions};
use super::{ROWS_REFUSED, progress};
use crate::clock;
use crate::exchange::csv::write_table;
use crate::exchange::delimited::PlaceColumns;
use crate::exchange::import::{Importer, Report, RowIssue, Rules, Twin, twins};
use crate::exchange::matching::{ColumnMatch, column_of, match_columns};
use crate::exchange::{self, Opened, RecordSource, TableHints};
use crate::geodesy::crs::{ACCEPTED_CRS, Crs};
use crate::model::{Catalog, Feature, LayerIndex, LayerSchema};
use crate::private_file;
use crate::store::OnConflict;

/// Number of rows that are searched for column names.
const SCANNED_ROWS: usize = 1_000;
/// Maximum number of refused rows in the log; the others are counted.
const MAX_LOGGED_ISSUES: usize = 50;

/// Import a file into a layer: all rows or none.
#[derive(Args)]
#[command(after_help = "\
Formats by file name ending: GeoJSON (.geojson, .json), one GeoJSON feature per line (.geojsonl, .ndjson),
FlatGeobuf (.fgb), Shapefiles (.shp, .zip), point tables (.csv, .tsv, .txt) in UTF-8, UTF-16 or GB 18030 with any common delimiter, and
workbooks (.xlsx, .xlsb, .xls, .ods). A title above the header and headers of two rows are recognised. Cells may have
full-width digits, units (300人, 3.5公里), Chinese dates and degrees with minutes and seconds. Warnings are also read as
CAP alerts (.xml, .cap); with --replace updates and cancellations replace the alert that they refer to.

Columns are matched by field id, title and common synonyms; the matches are logged. `onemap layers LAYER` lists the
fields. --column matches other columns; lon and lat name the coordinate columns of a table.

Examples:
  onemap import shelters.geojson --layer shelters
  onemap import survey.geojson --layer hazards --crs EPSG:4549
  onemap import sites.geojsonl --layer shelters --column 共通ID=id --column 施設・場所名=name
  onemap import amap.geojson --layer key_places --crs gcj02 --dry-run
  onemap import 避灾点.xlsx --layer shelters --skip-bad --report 退回.csv
  onemap import 预警.xml --layer warnings --replace")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct ImportOptions {
    /// File to import.
    file: PathBuf,

    /// Target layer.
    #[arg(long)]
    layer: String,

    /// Reference system of the coordinates: wgs84, cgcs2000, gcj02, bd09 or EPSG:n [default: the system that the file
    /// declares, otherwise wgs84].
    #[arg(long)]
    crs: Option<String>,

    /// Column of the file and the field it fills; repeatable. FIELD=COLUMN is accepted too.
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = column)]
    column: Vec<(String, String)>,

    /// Sheet of a workbook [default: the one with the most matching columns].
    #[arg(long)]
    sheet: Option<String>,

    /// Value of the field `source` if the file has none [default: the file name].
    #[arg(long)]
    source: Option<String>,

    /// Replace existing features with the same id.
    #[arg(long)]
    replace: bool,

    /// Import valid rows and skip invalid ones.
    #[arg(long)]
    skip_bad: bool,

    /// Write the refused rows to a file, CSV or JSON by its ending: row, line, column, value, reason.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Accept features far outside the county.
    #[arg(long)]
    anywhere: bool,

    /// Check the file without storing anything.
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

pub(super) async fn import(options: ImportOptions) -> anyhow::Result<ExitCode> {
    let catalog = options.store.config()?.catalog;
    let schema = layer_of(&catalog, &options.layer)?;
    anyhow::ensure!(
        !schema.roles.commitments,
        "layer {} is written by requests to /api/commitments, which reserve what they promise",
        schema.id
    );
    let given = fields_of_columns(schema, &options.column)?;
    let known_columns = |names: &[String]| {
        let places = ["lon", "lat"].iter().filter(|name| column_of(&catalog, name, names).is_some());
        match_columns(&catalog, schema, names, &[]).len() + places.count()
    };
    let hints = TableHints { sheet: options.sheet.as_deref(), known_columns: &known_columns };
    let source = match exchange::open(&options.file, &hints)? {
        Opened::Features(source) => source,
        Opened::Table(table) => {
            tracing::info!(format = %table.origin, "table recognised");
            let places = place_columns(&catalog, table.columns(), &given)?;
            tracing::info!(lon = places.lon, lat = places.lat, "coordinate columns matched");
            table.into_source(&places)
        }
    };
    let (columns, source) = columns(&catalog, schema, given, source);
    let rules = rules(&options, columns, &source)?;
    tracing::info!(file = %options.file.display(), layer = schema.id, crs = %rules.crs, "importing");
    let (features, mut report) = read(source, Importer::new(&catalog, schema, rules)?);
    report.twins = twins(schema, &features);
    log_report(&report, schema);
    if let Some(file) = &options.report {
        write_report(file, &report).with_context(|| format!("cannot write {}", file.display()))?;
    }
    check_matched(&report, schema)?;

    if !report.refused.is_empty() && !options.skip_bad {
        tracing::error!(
            refused = report.refused.len(),
            "nothing was stored: correct these rows, or import only the valid ones with --skip-bad"
        );
        return Ok(ExitCode::from(ROWS_REFUSED));
    }
    if options.dry_run {
        tracing::info!(features = features.len(), "dry run: nothing was stored");
        return Ok(ExitCode::SUCCESS);
    }
    let store = options.store.open(&catalog, Fill::Nothing).await?;
    let index = LayerIndex::find(store.schemas(), &schema.id).context("the store does not contain the layer")?;
    let bar = progress::bar(features.len() as u64, "features stored");
    let on_conflict = if options.replace { OnConflict::Replace } else { OnConflict::Refuse };
    let stored = store.append(index, &mut bar.wrap_iter(features.into_iter()), on_conflict).await;
    bar.finish_and_clear();
    let stored = stored?;
    store.close().await;
    tracing::info!(features = stored, layer = schema.id, "stored");
    Ok(ExitCode::SUCCESS)
}

/// Finds a layer of the catalog.
pub(super) fn layer_of<'a>(catalog: &'a Catalog, name: &str) -> anyhow::Result<&'a LayerSchema> {
    catalog.layer(name).with_context(|| {
        let names: Vec<&str> = catalog.layers.iter().map(|layer| layer.id.as_str()).collect();
        format!("layer {name:?} does not exist; accepted: {}", names.join(", "))
    })
}

/// Pairs of field and column, given in either order.
fn fields_of_columns(schema: &LayerSchema, columns: &[(String, String)]) -> anyhow::Result<Vec<ColumnMatch>> {
    let is_field = |name: &String| ["id", "lon", "lat"].contains(&name.as_str()) || schema.position(name).is_some();
    let pair = |(column, field): &(String, String)| {
        if is_field(field) {
            return Ok(ColumnMatch { field: field.clone(), column: column.clone() });
        }
        let names = || schema.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
        anyhow::ensure!(
            is_field(column),
            "layer {} has no field {column:?} or {field:?}; accepted: id, {}",
            schema.id,
            names()
        );
        Ok(ColumnMatch { field: column.clone(), column: field.clone() })
    };
    columns.iter().map(pair).collect()
}

/// Finds the columns of longitude and latitude.
fn place_columns(catalog: &Catalog, columns: &[String], given: &[ColumnMatch]) -> anyhow::Result<PlaceColumns> {
    let named = |name: &str| {
        let given = given.iter().find(|own| own.field == name).map(|own| &own.column);
        let found = match given {
            Some(column) => columns.iter().find(|own| *own == column),
            None => column_of(catalog, name, columns),
        };
        found.cloned().with_context(|| {
            let what = given.map_or_else(|| format!("no column for {name}"), |column| format!("no column {column:?}"));
            format!("the table has {what}; its columns: {} (--column COLUMN={name} names it)", columns.join(", "))
        })
    };
    Ok(PlaceColumns { lon: named("lon")?, lat: named("lat")? })
}

/// Determines the columns that fill fields: given ones, and those that the first rows have under a known name. Logs
/// them before rows are read.
fn columns(
    catalog: &Catalog,
    schema: &LayerSchema,
    given: Vec<ColumnMatch>,
    source: RecordSource,
) -> (Vec<ColumnMatch>, RecordSource) {
    let RecordSource { crs, unnamed_crs, rows, mut records } = source;
    let first: Vec<_> = records.by_ref().take(SCANNED_ROWS).collect();
    let mut names: Vec<String> = Vec::new();
    for record in first.iter().flatten() {
        for name in record.properties.keys().filter(|name| !names.contains(name)).collect::<Vec<_>>() {
            names.push(name.clone());
        }
    }
    let found = match_columns(catalog, schema, &names, &given);
    for ColumnMatch { field, column } in given.iter().chain(&found).filter(|own| own.field != own.column) {
        tracing::info!(column, field, "column matched");
    }
    let columns = given.into_iter().chain(found).collect();
    (columns, RecordSource { crs, unnamed_crs, rows, records: Box::new(first.into_iter().chain(records)) })
}

/// Refuses a file without any matching column, which would produce features without values.
fn check_matched(report: &Report, schema: &LayerSchema) -> anyhow::Result<()> {
    if report.taken == 0 || !report.matched.is_empty() {
        return Ok(());
    }
    let columns: Vec<&str> = report.ignored_columns.keys().map(String::as_str).collect();
    let columns = if columns.is_empty() { "none".to_owned() } else { columns.join(", ") };
    let fields: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
    anyhow::bail!(
        "nothing was stored: no column of the file matches a field of layer {}; its columns: \
         {columns}; fields of the layer: {} (--column COLUMN=FIELD matches a column)",
        schema.id,
        fields.join(", ")
    )
}

fn rules(options: &ImportOptions, columns: Vec<ColumnMatch>, source: &RecordSource) -> anyhow::Result<Rules> {
    let crs = match (&options.crs, &source.crs) {
        (Some(name), _) => Crs::parse(name)?,
        (None, Some(claimed)) => Crs::parse(claimed).with_context(|| {
            format!("the file declares the reference system {claimed}; override it with --crs ({ACCEPTED_CRS})")
        })?,
        (None, None) => match &source.unnamed_crs {
            Some(reason) => anyhow::bail!("{reason}"),
            None => Crs::CRS84,
        },
    };
    let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    Ok(Rules {
        crs,
        columns,
        source: options.source.clone().or_else(|| part(options.file.file_name())).unwrap_or_default(),
        id_prefix: part(options.file.file_stem()).unwrap_or_default(),
        now: clock::now(),
        anywhere: options.anywhere,
    })
}

fn read(source: RecordSource, mut importer: Importer<'_>) -> (Vec<Feature>, Report) {
    let bar =
        source.rows.map_or_else(|| progress::counter("rows read"), |rows| progress::bar(rows as u64, "rows read"));
    let features = bar.wrap_iter(source.records).filter_map(|record| importer.take(record)).collect();
    bar.finish_and_clear();
    (features, importer.into_report())
}

/// Writes the refused rows to a file.
fn write_report(path: &Path, report: &Report) -> anyhow::Result<()> {
    let is_json = match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => true,
        Some("csv") => false,
        _ => anyhow::bail!("--report names a file that ends in .csv or .json"),
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let bytes = if is_json {
        let row = |issue: &RowIssue| {
            let RowIssue { row, line, field, value, reason } = issue;
            json!({"row": row, "line": line, "column": field, "value": value, "reason": reason})
        };
        let refused: Vec<_> = report.refused.iter().map(row).collect();
        serde_json::to_vec_pretty(&json!({"read": report.read, "taken": report.taken, "refused": refused}))?
    } else {
        let row = |issue: &RowIssue| {
            let line = issue.line.map(|line| line.to_string()).unwrap_or_default();
            vec![issue.row.to_string(), line, text(&issue.field), text(&issue.value), issue.reason.clone()]
        };
        write_table(&["row", "line", "column", "value", "reason"], report.refused.iter().map(row))
    };
    let mut file = private_file::open(path, File::options().create(true).truncate(true).write(true))?;
    Ok(file.write_all(&bytes)?)
}

fn log_report(report: &Report, schema: &LayerSchema) {
    for RowIssue { row, line, field, value, reason } in report.refused.iter().take(MAX_LOGGED_ISSUES) {
        tracing::warn!(row, line, field, value, "refused: {reason}");
    }
    if let Some(more) = report.refused.len().checked_sub(MAX_LOGGED_ISSUES).filter(|&more| more > 0) {
        tracing::warn!(more, "more rows were refused");
    }
    if report.numbered > 0 {
        tracing::warn!(
            rows = report.numbered,
            "rows without an id received a generated one (--column COLUMN=id names the id column)"
        );
    }
    for (column, rows) in &report.ignored_columns {
        tracing::warn!(
            column,
            rows,
            "layer {} has no field for this column; it is ignored (--column {column}=FIELD matches it)",
            schema.id
        );
    }
    for Twin { name, ids } in report.twins.iter().take(MAX_LOGGED_ISSUES) {
        tracing::warn!(
            name,
            ids = ids.join(", "),
            "features with the same name at the same place; is one superfluous?"
        );
    }
    if report.placeless > 0 {
        tracing::warn!(rows = report.placeless, "features without geometry do not appear on the map");
    }
    tracing::info!(read = report.read, taken = report.taken, refused = report.refused.len(), "rows read");
}
