//! Imports by upload: a file is sent, looked at with different options, and then imported or discarded; imports are listed
//! and undone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::{StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::clock;
use crate::exchange::fault::Fault;
use crate::exchange::geojson::write_geometry;
use crate::exchange::import::{DangerZone, Report};
use crate::exchange::{TableHints, marked_table};
use crate::http::call::Call;
use crate::http::ogc::edit_target::Target;
use crate::http::params::param::Text;
use crate::http::params::{invalid, parse_json, spec};
use crate::http::reply::Reply;
use crate::http::reply::media::{CSV, CSV_UTF8, XLSX};
use crate::http::reply::problem::Problem;
use crate::http::store_time::of_store;
use crate::http::workers::lower_priority;
use crate::import::file::{ImportFile, ImportFileError, ImportOptions, Recognised, known_columns};
use crate::import::report;
use crate::import::uploads::{Upload, UploadError};
use crate::model::{
    AuditEntry, Catalog, Feature, ImportCounts, ImportMode, ImportRecord, ImportScope, ImportSource, LayerIndex,
    LayerSchema, Merge, Shape, Undo, Value, format_instant,
};
use crate::snapshot::Snapshot;
use crate::store::{Store, StoreError};

/// Maximum size of a file, bytes; larger ones are imported with the command line.
pub(crate) const MAX_FILE_BYTES: usize = 64_000_000;
/// Rows of each kind in a preview.
const SHOWN_ROWS: usize = 200;
/// Features of a preview.
const SHOWN_FEATURES: usize = 1_000;
/// Imports in the list.
const LISTED: u32 = 100;
const ACCEPTED: &str = "{\"crs\", \"columns\": {COLUMN: FIELD}, \"sheet\", \"source\", \"mode\": \"add|update|replace\", \"key\", \
                        \"skip_bad\", \"anywhere\", \"incomplete\"}, all optional";

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawOptions {
    crs: Option<String>,
    columns: BTreeMap<String, String>,
    sheet: Option<String>,
    source: Option<String>,
    mode: ImportMode,
    key: Option<String>,
    skip_bad: bool,
    anywhere: bool,
    incomplete: bool,
}

/// `POST /api/imports`: keeps a file and looks at it.
pub(crate) async fn upload(mut call: Call<'static>) -> Result<Reply, Problem> {
    let given = |param: &Text| call.params.get(param).unwrap_or_default().to_owned();
    let (collection, name) = (given(&spec::COLLECTION), given(&spec::FILE_NAME));
    drop(Target::to_edit(&call, &collection)?);
    let id = new_id()?;
    let now = clock::now();
    let kept = call.state.uploads.keep(&id, &owner(&call), (&collection, &name), &call.body, now);
    let upload = kept.map_err(|error| match error {
        UploadError::TooMany { limit } => Problem::RateLimited {
            what: "sent files, which wait to be imported or discarded",
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            retry_after_s: 60,
        },
        UploadError::File(error) if error.kind() == std::io::ErrorKind::StorageFull => Problem::NoSpace,
        UploadError::File(error) => Problem::internal(&error),
    })?;
    // The file waits on the disk, not in memory, until it is its turn.
    call.body.clear();
    let preview = preview(&call, &id, &upload, RawOptions::default()).await?;
    let location = format!("{}/api/imports/{id}", call.base_url());
    Ok(json_reply(StatusCode::CREATED, &preview.json).header((header::LOCATION, location)))
}

/// `POST /api/imports/{importId}/preview`: what the file would change, with these options; or its report.
pub(crate) async fn look(call: Call<'static>) -> Result<Reply, Problem> {
    let format = call.media_type()?;
    let (id, upload) = own_upload(&call)?;
    let raw: RawOptions = members(&call, ACCEPTED)?;
    let sheet = raw.sheet.clone();
    let preview = preview(&call, &id, &upload, raw).await?;
    let attachment = |ending: &str| (header::CONTENT_DISPOSITION, format!("attachment; filename=\"report.{ending}\""));
    if format == CSV {
        let body = report::as_csv(&preview.report);
        return Ok(Reply::new(StatusCode::OK)
            .header((header::CONTENT_TYPE, CSV_UTF8))
            .header(attachment("csv"))
            .body(body));
    }
    if format == XLSX {
        let (state, schema) = (call.state.clone(), Target::to_edit(&call, &upload.collection)?.schema.clone());
        let marked = tokio::task::spawn_blocking(move || {
            let known = |names: &[String]| known_columns(&state.catalog, &schema, names);
            let hints = TableHints { sheet: sheet.as_deref(), known_columns: &known };
            marked_table::write(&upload.path, &hints, &preview.report)
        });
        let marked = marked.await.map_err(|error| Problem::internal(&error))?;
        let body = marked.map_err(|error| invalid("f", XLSX.name, &error.to_string(), "csv, json"))?;
        return Ok(Reply::new(StatusCode::OK)
            .header((header::CONTENT_TYPE, XLSX.media_type))
            .header(attachment(XLSX.name))
            .body(body));
    }
    Ok(json_reply(StatusCode::OK, &preview.json))
}

/// `POST /api/imports/{importId}`: imports the file.
pub(crate) async fn confirm(call: Call<'static>) -> Result<Reply, Problem> {
    let (id, upload) = own_upload(&call)?;
    let raw = members(&call, ACCEPTED)?;
    let record = ImportRecord::new(&call.origin()?, &upload.collection, &upload.name, clock::now());
    let record = ImportRecord { id: id.clone(), ..record };
    let done = run(&call, &upload, raw, Some(record)).await?;
    let Outcome { imported, report, .. } = done.map_err(|error| unusable(&error))?;
    let Some(counts) = imported? else {
        let (detail, accepted) = if report.is_cut {
            ("the rest of the file cannot be read and nothing was stored".to_owned(), "a whole file")
        } else {
            let detail = format!("{} rows are refused and nothing was stored", report.refused_count);
            (detail, "a file without refused rows, or the option skip_bad")
        };
        return Err(Problem::ImportRefused { detail, accepted: accepted.to_owned() });
    };
    call.state.uploads.discard(&id);
    Ok(json_reply(StatusCode::OK, &json!({"id": id, "collection": upload.collection, "counts": counts})))
}

/// `DELETE /api/imports/{importId}`: discards the file.
pub(crate) fn discard(call: &Call<'_>) -> Result<Reply, Problem> {
    let (id, _) = own_upload(call)?;
    call.state.uploads.discard(&id);
    Ok(Reply::new(StatusCode::NO_CONTENT))
}

/// `GET /api/imports`: the last imports into layers that the caller sees.
pub(crate) async fn list(call: Call<'static>) -> Result<Reply, Problem> {
    let imports = of_store(call.state.store.imports(None, LISTED)).await?;
    let seen: Vec<_> =
        imports.into_iter().filter(|import| call.current.snapshot.layer(&import.layer).is_some()).collect();
    Ok(json_reply(StatusCode::OK, &json!({"imports": seen})))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawUndo {
    skip_changed: bool,
}

/// `POST /api/imports/{importId}/undo`: its features have their earlier values again.
pub(crate) async fn undo(call: Call<'static>) -> Result<Reply, Problem> {
    let id = call.segment("importId").to_owned();
    let raw: RawUndo = members(&call, "{\"skip_changed\": true|false}")?;
    let missing = || Problem::NotFound { what: "importId", value: id.clone(), accepted: String::new() };
    // Ids are hexadecimal digits; other texts need not fit into a database.
    if !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(missing());
    }
    let import = of_store(call.state.store.imports(Some(&id), 1)).await?.pop().ok_or_else(missing)?;
    let target = Target::to_edit(&call, &import.layer)?;
    if !target.regions.is_empty() {
        return Err(Problem::OutOfScope {
            parameter: "region_code",
            value: String::new(),
            accepted: target.regions.join(", "),
        });
    }
    let at = clock::now();
    let audit = AuditEntry { id: Some(id.clone()), ..call.origin()?.entry(0, "undo-import", at) };
    let undone =
        of_store(call.state.store.undo_import(&Undo { id, skip_changed: raw.skip_changed, at, audit })).await?;
    Ok(json_reply(StatusCode::OK, &json!(undone)))
}

fn json_reply(status: StatusCode, body: &Json) -> Reply {
    Reply::new(status).header((header::CONTENT_TYPE, "application/json")).body(body.to_string())
}

fn new_id() -> Result<String, Problem> {
    getrandom::u64().map(|bits| format!("{bits:016x}")).map_err(|error| Problem::internal(&error))
}

/// Whose uploads they are.
fn owner(call: &Call<'_>) -> String {
    call.caller.identity().map(|own| own.id().to_owned()).unwrap_or_default()
}

fn own_upload(call: &Call<'_>) -> Result<(String, Upload), Problem> {
    let id = call.segment("importId");
    let missing = || Problem::NotFound { what: "importId", value: id.to_owned(), accepted: String::new() };
    let upload = call.state.uploads.find(id, &owner(call), clock::now()).ok_or_else(missing)?;
    Ok((id.to_owned(), upload))
}

/// The body, an object with known members.
fn members<T: DeserializeOwned>(call: &Call<'_>, accepted: &str) -> Result<T, Problem> {
    // An array would be taken for the values of the members in their order.
    let body = Some(parse_json(&call.body)?).filter(Json::is_object);
    let body = body.ok_or_else(|| invalid("body", "", "it is no object", accepted))?;
    serde_json::from_value(body).map_err(|error| invalid("body", "", &error.to_string(), accepted))
}

/// What a file would change.
struct Preview {
    json: Json,
    report: Report,
}

async fn preview(call: &Call<'static>, id: &str, upload: &Upload, raw: RawOptions) -> Result<Preview, Problem> {
    let mut body = json!({
        "id": id,
        "collection": upload.collection,
        "file": upload.name,
        "bytes": upload.bytes,
        "expires_at": format_instant(upload.expires_at),
    });
    let Outcome { recognised, report, imported, sample, fields } = match run(call, upload, raw, None).await? {
        Ok(outcome) => outcome,
        // The file may be readable with other options, which the client is asked for.
        Err(error) => {
            // The path on the server means nothing to the sender.
            let detail = error.to_string().replace(&upload.path.display().to_string(), &upload.name);
            body["needs"] = json!({"option": needed_option(&error), "detail": detail});
            if let ImportFileError::MissingColumn { columns, .. } = &error {
                body["needs"]["columns"] = json!(columns);
                body["fields"] = json!(field_names(Target::to_edit(call, &upload.collection)?.schema));
            }
            return Ok(Preview { json: body, report: Report::default() });
        }
    };
    body["recognised"] = json!(recognised);
    body["fields"] = json!(fields);
    body["report"] = report::as_json(&report, SHOWN_ROWS);
    body["sample"] = json!({"type": "FeatureCollection", "features": sample});
    match imported {
        Ok(counts) => body["counts"] = json!(counts),
        Err(error @ (StoreError::Duplicate { .. } | StoreError::Import(_))) => {
            body["needs"] = json!({"option": "mode", "detail": error.to_string()});
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Preview { json: body, report })
}

/// The option that may make a file usable.
fn needed_option(error: &ImportFileError) -> Option<&'static str> {
    match error {
        ImportFileError::UnnamedCrs { .. } | ImportFileError::Crs(_) => Some("crs"),
        ImportFileError::MissingColumn { .. } => Some("columns"),
        ImportFileError::Option { option, .. } => Some(option),
        ImportFileError::Store(_) => Some("sheet"),
        ImportFileError::Exchange(_) => None,
    }
}

fn unusable(error: &ImportFileError) -> Problem {
    let accepted =
        needed_option(error).map_or_else(|| "a readable file".to_owned(), |option| format!("another {option}"));
    Problem::ImportRefused { detail: error.to_string(), accepted }
}

/// The result of reading a file.
struct Outcome {
    recognised: Recognised,
    report: Report,
    imported: Result<Option<ImportCounts>, StoreError>,
    /// Some of its features, with id and name.
    sample: Vec<Json>,
    /// The fields that columns can fill.
    fields: Vec<String>,
}

/// Reads a file and, with a record, imports it; in a thread of its own at low priority. Only one file is read at a time.
async fn run(
    call: &Call<'static>,
    upload: &Upload,
    raw: RawOptions,
    record: Option<ImportRecord>,
) -> Result<Result<Outcome, ImportFileError>, Problem> {
    let target = Target::to_edit(call, &upload.collection)?;
    let RawOptions { crs, columns, sheet, source, mode, key, skip_bad, anywhere, incomplete } = raw;
    if !target.regions.is_empty() && (mode == ImportMode::Replace || key.is_some()) {
        let accepted = "mode add or update, without a key, for an account that is limited to divisions";
        return Err(invalid("mode", mode.name(), "it may concern features of other divisions", accepted));
    }
    let fields = target.schema.fields.iter().enumerate();
    let hidden =
        fields.filter(|(at, _)| target.check_field(*at).is_err()).map(|(_, field)| field.name.clone()).collect();
    let job = Job {
        store: call.state.store.clone(),
        catalog: call.state.catalog.clone(),
        index: target.index,
        schema: target.schema.clone(),
        regions: target.regions.clone(),
        snapshot: call.state.snapshots.load(),
        visible: call.current.snapshot.clone(),
        hidden,
        upload: upload.clone(),
        options: ImportOptions {
            crs,
            columns: columns.into_iter().collect(),
            sheet,
            source,
            mode,
            key,
            anywhere,
            incomplete,
            scope: ImportScope::Except(call.state.synced_sources.clone()),
        },
        skip_bad,
        record,
        is_cancelled: Arc::default(),
    };
    let _turn = call.state.import_turn.acquire().await.map_err(|error| Problem::internal(&error))?;
    let _guard = Cancelling(job.is_cancelled.clone());
    let runtime = call.state.runtime.clone();
    let (done, result) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("import".to_owned()).spawn(move || {
        lower_priority();
        // The client may have disconnected.
        let _ = done.send(runtime.block_on(job.run()));
    });
    thread.map_err(|error| Problem::internal(&error))?;
    result.await.map_err(|error| Problem::internal(&error))
}

/// Stops the reading of a file when its client disconnects.
struct Cancelling(Arc<AtomicBool>);

impl Drop for Cancelling {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An import with everything that it needs.
struct Job {
    store: Arc<dyn Store>,
    catalog: Catalog,
    index: LayerIndex,
    schema: LayerSchema,
    regions: Vec<String>,
    snapshot: Arc<Snapshot>,
    /// What the caller sees of it.
    visible: Arc<Snapshot>,
    /// Fields that the caller does not see and may not write.
    hidden: Vec<String>,
    upload: Upload,
    options: ImportOptions,
    skip_bad: bool,
    record: Option<ImportRecord>,
    is_cancelled: Arc<AtomicBool>,
}

impl Job {
    async fn run(mut self) -> Result<Outcome, ImportFileError> {
        let Upload { path, name, .. } = &self.upload;
        let mut file = ImportFile::open(&self.catalog, &self.schema, path, name, &self.options, clock::now())?;
        self.hidden.retain(|own| file.recognised.fills(own));
        if !self.hidden.is_empty() {
            let reason = format!("the account may not write {}", self.hidden.join(", "));
            return Err(ImportFileError::Option { option: "columns", reason });
        }
        if self.schema.roles.capacity.is_some() {
            file.warn_inside(danger_zones(&self.catalog, &self.visible));
        }
        file.skip_bad = self.skip_bad;
        file.record = self.record.take();
        file.is_cancelled = self.is_cancelled.clone();
        if !self.regions.is_empty() {
            let (regions, snapshot, schema) = (self.regions.clone(), self.snapshot.clone(), self.schema.clone());
            file.check_features(Box::new(move |feature| check_division(&regions, &snapshot, &schema, feature)));
        }
        let name_field = self.schema.position("name");
        let mut source = Sampled { file, sample: Vec::new(), name_field };
        let imported = self.store.import(self.index, &mut source).await;
        let Sampled { file, sample, .. } = source;
        let fields = field_names(&self.schema);
        Ok(Outcome { recognised: file.recognised.clone(), report: file.into_report(), imported, sample, fields })
    }
}

/// The fields that columns can fill.
fn field_names(schema: &LayerSchema) -> Vec<String> {
    schema.fields.iter().map(|field| field.name.clone()).collect()
}

/// Checks that a feature, before and after, is in a division of the account.
fn check_division(
    regions: &[String],
    snapshot: &Snapshot,
    schema: &LayerSchema,
    feature: &Feature,
) -> Result<(), (Fault, String)> {
    let Some(field) = schema.position("region_code") else { return Ok(()) };
    let is_own = |code: Option<&str>| code.is_some_and(|code| regions.iter().any(|own| code.starts_with(own.as_str())));
    let code = if let Some(Value::Text(code)) = feature.values.get(field) { Some(code.as_str()) } else { None };
    let stored = snapshot.layer(&schema.id).and_then(|layer| Some((layer, layer.find(&feature.id)?)));
    let stored = stored.map(|(layer, row)| layer.text(&row, "region_code").map(str::to_owned));
    let is_stored_own = stored.as_ref().is_none_or(|code| is_own(code.as_deref()));
    // A file without divisions keeps that of a stored feature.
    let is_new_own = (code.is_none() && stored.is_some()) || is_own(code);
    if is_stored_own && is_new_own {
        return Ok(());
    }
    let reason = format!("it is not in the division of the account; accepted: region_code {}", regions.join(", "));
    Err((Fault::OtherDivision, reason))
}

fn danger_zones(catalog: &Catalog, snapshot: &Snapshot) -> Vec<DangerZone> {
    let layers = snapshot.layers().iter().filter(|layer| layer.schema().roles.zone.is_some());
    layers
        .flat_map(|layer| {
            layer.rows_after(None).filter_map(|row| DangerZone::of(catalog, layer.schema(), &row.to_feature()))
        })
        .collect()
}

/// A file whose first features are kept.
struct Sampled<'a> {
    file: ImportFile<'a>,
    sample: Vec<Json>,
    name_field: Option<usize>,
}

impl ImportSource for Sampled<'_> {
    fn next_feature(&mut self) -> Option<Feature> {
        let feature = self.file.next_feature()?;
        if self.sample.len() < SHOWN_FEATURES {
            self.sample.push(sample_of(&feature, self.name_field));
        }
        Some(feature)
    }

    fn merge(&mut self) -> Option<Merge> {
        self.file.merge()
    }
}

fn sample_of(feature: &Feature, name_field: Option<usize>) -> Json {
    let geometry = feature.geometry.as_ref().map(Shape::geometry).map(|geometry| {
        let mut text = Vec::new();
        write_geometry(&mut text, geometry);
        serde_json::from_slice::<Json>(&text).unwrap_or(Json::Null)
    });
    let name = match name_field.and_then(|field| feature.values.get(field)) {
        Some(Value::Text(name)) => Some(name),
        _ => None,
    };
    json!({"type": "Feature", "id": feature.id.as_str(), "geometry": geometry, "properties": {"name": name}})
}
