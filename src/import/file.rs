//! Opens a file for an import: matches its columns to fields, determines its reference system, and converts its rows to
//! features as they are read.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use geo::Coord;
use serde::Serialize;
use time::UtcDateTime;

use super::reference_system::{corner, declared_system, without_system};
use super::tables::TableSource;
use crate::exchange::delimited::PlaceColumns;
use crate::exchange::import::{DangerZone, FeatureCheck, Importer, Report, Rules};
use crate::exchange::matching::{ColumnMatch, column_of, match_columns};
use crate::exchange::read_ahead::Row;
use crate::exchange::{ExchangeError, Opened, RecordSource, TableHints, is_alert, may_be_incomplete, open};
use crate::geodesy::crs::{Crs, CrsError};
use crate::model::{
    Catalog, Feature, ImportMode, ImportRecord, ImportScope, ImportSource, LayerSchema, Merge, Unmatched,
};
use crate::store::StoreError;

/// Rows that are searched for column names, and whose coordinates tell their reference system.
const SCANNED_ROWS: usize = 1_000;

/// What is known of a file and how it is imported.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Name of the reference system.
    pub crs: Option<String>,
    /// Columns and the fields that they fill, in either order.
    pub columns: Vec<(String, String)>,
    /// The sheet of a workbook, or the table of a GeoPackage or database.
    pub sheet: Option<String>,
    /// Value of the field `source` if the file has none.
    pub source: Option<String>,
    /// What happens to features that are stored already.
    pub mode: ImportMode,
    /// The field by which stored features are found, instead of the id.
    pub key: Option<String>,
    /// Whether features far outside the county are accepted.
    pub anywhere: bool,
    /// Whether features without a name or a place are accepted.
    pub incomplete: bool,
    /// Which stored features it may change or delete.
    pub scope: ImportScope,
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportFileError {
    /// It cannot be read.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The table cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The reference system is not known.
    #[error(transparent)]
    Crs(#[from] CrsError),
    /// Its reference system must be named.
    #[error("{reason}")]
    UnnamedCrs {
        /// What the coordinates are, and the candidates.
        reason: String,
    },
    /// An option does not fit the layer or the file.
    #[error("{reason}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong with it, and what is accepted.
        reason: String,
    },
    /// A column that features need is missing.
    #[error("{reason}")]
    MissingColumn {
        /// What is missing, and the columns of the file.
        reason: String,
        /// The columns of the file.
        columns: Vec<String>,
    },
}

/// What was recognised of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recognised {
    /// Encoding and delimiter of a text, or sheet and header of a workbook.
    pub table: Option<String>,
    /// The reference system.
    pub crs: String,
    /// Columns of longitude or easting, and of latitude or northing.
    pub places: Option<[String; 2]>,
    /// The other columns of the first rows.
    pub columns: Vec<String>,
    /// Fields and the columns that fill them.
    pub matches: Vec<ColumnMatch>,
}

impl Recognised {
    /// Whether a column of the file fills a field.
    #[must_use]
    pub fn fills(&self, field: &str) -> bool {
        is_filled(field, &self.columns, &self.matches)
    }
}

/// Whether one of the columns fills a field.
fn is_filled(field: &str, columns: &[String], matches: &[ColumnMatch]) -> bool {
    matches.iter().any(|own| own.field == field && columns.contains(&own.column))
}

/// A file that is being imported.
pub struct ImportFile<'a> {
    /// What was recognised.
    pub recognised: Recognised,
    /// Number of rows, if the file declares it.
    pub rows: Option<usize>,
    schema: &'a LayerSchema,
    importer: Importer<'a>,
    records: Box<dyn Iterator<Item = Row> + Send>,
    has_geometry: bool,
    mode: ImportMode,
    /// Whether the file has no names or no places, so that it cannot create features.
    is_partial: bool,
    key: Option<usize>,
    /// Whether the valid rows are imported if others are refused.
    pub skip_bad: bool,
    /// The record of the import; `None` only counts what would change.
    pub record: Option<ImportRecord>,
    /// Set to stop reading; nothing is imported then.
    pub is_cancelled: Arc<AtomicBool>,
    scope: ImportScope,
    newest_by: Option<usize>,
}

impl<'a> ImportFile<'a> {
    /// Opens a file. `name` is what its sender calls it.
    ///
    /// # Errors
    /// When it cannot be read, an option does not fit, a column is missing that features need, or its reference system
    /// must be named.
    pub fn open(
        catalog: &'a Catalog,
        schema: &'a LayerSchema,
        path: &Path,
        name: &str,
        options: &ImportOptions,
        now: UtcDateTime,
    ) -> Result<Self, ImportFileError> {
        let given = fields_of_columns(schema, &options.columns)?;
        let opened = open_rows(catalog, schema, path, &given, options)?;
        let incomplete = options.incomplete || may_be_incomplete(path);
        let options = ImportOptions { incomplete, ..options.clone() };
        let mut file = Self::of_rows(catalog, schema, opened, given, (name, &options, now))?;
        file.newest_by = if is_alert(path) { schema.position("confirmed_at") } else { None };
        Ok(file)
    }

    /// Imports rows that are read already, in longitude, latitude degrees.
    ///
    /// # Errors
    /// When an option does not fit, or a column is missing that features need.
    pub fn of_source(
        catalog: &'a Catalog,
        schema: &'a LayerSchema,
        source: RecordSource,
        name: &str,
        options: &ImportOptions,
        now: UtcDateTime,
    ) -> Result<Self, ImportFileError> {
        let given = fields_of_columns(schema, &options.columns)?;
        Self::of_rows(catalog, schema, (source, None, None), given, (name, options, now))
    }

    fn of_rows(
        catalog: &'a Catalog,
        schema: &'a LayerSchema,
        (source, table, places): OpenedRows,
        given: Vec<ColumnMatch>,
        (name, options, now): (&str, &ImportOptions, UtcDateTime),
    ) -> Result<Self, ImportFileError> {
        if let Some(key) = options.key.as_ref().filter(|key| schema.position(key).is_none()) {
            return Err(option(
                "key",
                format!("layer {} has no field {key:?}; accepted: {}", schema.id, fields(schema)),
            ));
        }
        let RecordSource { crs: declared, unnamed_crs, rows, mut records } = source;
        let first: Vec<Row> = records.by_ref().take(SCANNED_ROWS).collect();
        let columns = columns_of(&first);
        let found = match_columns(catalog, schema, &columns, &given);
        let matches: Vec<ColumnMatch> = given.into_iter().chain(found).collect();
        let has_id = first.iter().flatten().any(|record| record.id.is_some());
        check_columns(schema, options, &columns, &matches, has_id)?;
        let sample: Vec<Coord> =
            first.iter().flatten().filter_map(|record| corner(record.geometry.as_ref()?)).collect();
        let crs = match &options.crs {
            Some(name) => Crs::parse(name)?,
            None => declared_system(catalog, declared, unnamed_crs, (places.as_ref(), &columns), &sample)?,
        };
        let recognised = Recognised {
            table,
            crs: crs.to_string(),
            places: places.map(|PlaceColumns { lon, lat }| [lon, lat]),
            columns,
            matches,
        };
        let stem = Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        // A file that only changes features need not have both, but what it has must not be blank.
        let is_update = options.mode == ImportMode::Update;
        let has_name = recognised.fills("name");
        let is_whole = has_name && !sample.is_empty();
        let rules = Rules {
            crs,
            columns: recognised.matches.clone(),
            source: options.source.clone().unwrap_or_else(|| name.to_owned()),
            id_prefix: stem.unwrap_or_default(),
            now,
            anywhere: options.anywhere,
            needs_name: !options.incomplete && (has_name || !is_update),
            needs_place: !options.incomplete && (!sample.is_empty() || !is_update),
        };
        let importer = Importer::new(catalog, schema, rules)?;
        let records = Box::new(first.into_iter().chain(records));
        Ok(Self {
            recognised,
            rows,
            schema,
            importer,
            records,
            has_geometry: false,
            mode: options.mode,
            is_partial: is_update && !is_whole && !options.incomplete,
            key: options.key.as_ref().and_then(|key| schema.position(key)),
            skip_bad: false,
            record: None,
            is_cancelled: Arc::default(),
            scope: options.scope.clone(),
            newest_by: None,
        })
    }

    /// Refuses rows whose features do not pass a check.
    pub fn check_features(&mut self, check: FeatureCheck) {
        self.importer.check_features(check);
    }

    /// Warns of features inside these areas.
    pub fn warn_inside(&mut self, zones: Vec<DangerZone>) {
        self.importer.warn_inside(zones);
    }

    /// Rows read so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        self.importer.report()
    }

    /// The report on all rows.
    #[must_use]
    pub fn into_report(self) -> Report {
        let report = self.importer.into_report();
        // What a partial file lacks is no defect.
        if self.is_partial { Report { placeless: 0, numbered: 0, ..report } } else { report }
    }
}

impl ImportSource for ImportFile<'_> {
    fn next_feature(&mut self) -> Option<Feature> {
        while !self.is_cancelled.load(Ordering::Relaxed) {
            let record = self.records.next()?;
            if let Some(feature) = self.importer.take(record) {
                self.has_geometry |= feature.geometry.is_some();
                return Some(feature);
            }
        }
        None
    }

    fn merge(&mut self) -> Option<Merge> {
        let report = self.importer.report();
        let is_ended = self.is_cancelled.load(Ordering::Relaxed) || report.is_cut;
        // Another server that suddenly has no features is more likely to be wrong than empty.
        let is_emptied = report.read == 0 && matches!(self.scope, ImportScope::Only(_));
        if is_ended || is_emptied || (report.refused_count > 0 && !self.skip_bad) {
            return None;
        }
        let fields = report.matched.iter().filter_map(|name| self.schema.position(name)).collect();
        let (mode, key, record) = (self.mode, self.key, self.record.clone());
        let unmatched = match (self.is_partial, self.skip_bad) {
            (false, _) => Unmatched::Create,
            (true, false) => Unmatched::Refuse,
            (true, true) => Unmatched::Skip,
        };
        let scope = self.scope.clone();
        let newest_by = self.newest_by;
        Some(Merge { mode, fields, geometry: self.has_geometry, key, unmatched, scope, newest_by, record })
    }
}

/// How many of some names are those of columns of a layer.
#[must_use]
pub fn known_columns(catalog: &Catalog, schema: &LayerSchema, names: &[String]) -> usize {
    let places = ["lon", "lat"].iter().filter(|name| column_of(catalog, name, names).is_some());
    match_columns(catalog, schema, names, &[]).len() + places.count()
}

/// The rows of a file; what was recognised of a table, and its coordinate columns.
type OpenedRows = (RecordSource, Option<String>, Option<PlaceColumns>);

/// Opens the rows of a file.
fn open_rows(
    catalog: &Catalog,
    schema: &LayerSchema,
    path: &Path,
    given: &[ColumnMatch],
    options: &ImportOptions,
) -> Result<OpenedRows, ImportFileError> {
    if let Some(source) = TableSource::of(path) {
        return Ok((source.open(options.sheet.as_deref(), &schema.id)?, None, None));
    }
    let known = |names: &[String]| known_columns(catalog, schema, names);
    let hints = TableHints { sheet: options.sheet.as_deref(), known_columns: &known };
    Ok(match open(path, &hints)? {
        Opened::Features(source) => (source, None, None),
        Opened::Table(table) => {
            let places = place_columns(catalog, table.columns(), given);
            let places = if options.mode == ImportMode::Update { places.ok() } else { Some(places?) };
            let origin = table.origin.to_string();
            (table.into_source(places.as_ref()), Some(origin), places)
        }
    })
}

fn option(option: &'static str, reason: String) -> ImportFileError {
    ImportFileError::Option { option, reason }
}

fn fields(schema: &LayerSchema) -> String {
    schema.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Pairs of field and column, given in either order.
fn fields_of_columns(schema: &LayerSchema, columns: &[(String, String)]) -> Result<Vec<ColumnMatch>, ImportFileError> {
    let is_field = |name: &String| ["id", "lon", "lat"].contains(&name.as_str()) || schema.position(name).is_some();
    let pair = |(column, field): &(String, String)| {
        if is_field(field) {
            return Ok(ColumnMatch { field: field.clone(), column: column.clone() });
        }
        if is_field(column) {
            return Ok(ColumnMatch { field: column.clone(), column: field.clone() });
        }
        let reason =
            format!("layer {} has no field {column:?} or {field:?}; accepted: id, {}", schema.id, fields(schema));
        Err(option("column", reason))
    };
    columns.iter().map(pair).collect()
}

/// Finds the columns of longitude and latitude.
fn place_columns(
    catalog: &Catalog,
    columns: &[String],
    given: &[ColumnMatch],
) -> Result<PlaceColumns, ImportFileError> {
    let named = |name: &str| {
        let given = given.iter().find(|own| own.field == name).map(|own| &own.column);
        let found = match given {
            Some(column) => columns.iter().find(|own| *own == column),
            None => column_of(catalog, name, columns).or_else(|| {
                // 经度(GCJ02), wgs84_lng.
                let plain = |column: &str| without_system(column);
                let plains: Vec<String> = columns.iter().map(|column| plain(column)).collect();
                let at = column_of(catalog, name, &plains).and_then(|found| plains.iter().position(|own| own == found));
                at.and_then(|at| columns.get(at))
            }),
        };
        found.cloned().ok_or_else(|| {
            let what = given.map_or_else(|| format!("no column for {name}"), |column| format!("no column {column:?}"));
            let listed = columns.join(", ");
            ImportFileError::MissingColumn {
                reason: format!("the table has {what}; its columns: {listed} (column COLUMN={name} names it)"),
                columns: columns.to_vec(),
            }
        })
    };
    Ok(PlaceColumns { lon: named("lon")?, lat: named("lat")? })
}

/// The names of the columns of some rows, in order.
fn columns_of(rows: &[Row]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for record in rows.iter().flatten() {
        for name in record.properties.keys() {
            if known.insert(name.clone()) {
                names.push(name.clone());
            }
        }
    }
    names
}

/// Checks that the columns are there without which the features would be useless.
fn check_columns(
    schema: &LayerSchema,
    options: &ImportOptions,
    columns: &[String],
    matches: &[ColumnMatch],
    has_id: bool,
) -> Result<(), ImportFileError> {
    let is_matched = |field: &str| is_filled(field, columns, matches);
    let missing = |what: String| {
        let listed = if columns.is_empty() { "none".to_owned() } else { columns.join(", ") };
        Err(ImportFileError::MissingColumn {
            columns: columns.to_vec(),
            reason: format!(
                "nothing was stored: {what}; columns of the file: {listed}; fields of layer {}: {} (column \
                 COLUMN=FIELD matches a column)",
                schema.id,
                fields(schema)
            ),
        })
    };
    if columns.is_empty() && !has_id {
        return Ok(());
    }
    match (options.mode, &options.key) {
        (_, Some(key)) if !is_matched(key) => missing(format!("no column is the key {key}")),
        (ImportMode::Update, None) if !has_id && !is_matched("id") => {
            missing("an update needs a column with the ids of the features, or another key that both have".to_owned())
        }
        (ImportMode::Update, _) => Ok(()),
        _ if !columns.is_empty() && !matches.iter().any(|own| columns.contains(&own.column)) => {
            missing("no column of the file matches a field".to_owned())
        }
        _ if options.incomplete || schema.position("name").is_none() || is_matched("name") => Ok(()),
        _ => missing("no column is the name of the features".to_owned()),
    }
}
