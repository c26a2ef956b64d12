//! Writes: OGC API Features Part 4 (OGC 20-002r1) create, replace, update and delete, and batches of them.

use std::time::Duration;

use actix_web::http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::clock;
use crate::exchange::feature_json::{FeatureDocument, FeatureError, read_submission};
use crate::exchange::geojson::write_geometry;
use crate::exchange::reader::{Defect, check_place};
use crate::http::call::Call;
use crate::http::ogc::edit_target::Target;
use crate::http::params::crs::{body_to_lon_lat, content_crs};
use crate::http::params::{invalid, parse_json};
use crate::http::reply::Reply;
use crate::http::reply::links::encode;
use crate::http::reply::modified::date_of;
use crate::http::reply::problem::Problem;
use crate::http::store_time::of_store;
use crate::model::{
    Action, Applied, Batch, Edit, EditError, EditOutcome, FeatureId, Fingerprint, IdempotencyKey, LayerSchema, Origin,
    Precondition, Value,
};
use crate::snapshot::{Layer, Snapshot};

const MAX_EDITS: usize = 10_000;
/// Maximum time that a reply waits until the snapshot contains the edit.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(2);

/// `POST /ogc/collections/{collectionId}/items`: creates a feature.
pub(crate) async fn create(call: Call<'static>) -> Result<Reply, Problem> {
    let document = EditBody::read(&call)?;
    let edit = to_create(&call, call.segment("collectionId"), None, &document.json).map_err(|wrong| wrong.of(None))?;
    check_places(&call, std::slice::from_ref(&edit), false)?;
    let applied = apply(&call, vec![edit], idempotency_key(&call, &document.digest)?, None).await?;
    let Some(outcome) = applied.applied.outcomes.first() else { return Err(Problem::Unavailable) };
    let own = format!("/collections/{}/items/{}", call.segment("collectionId"), encode(outcome.id.as_str()));
    let id = json!({"id": outcome.id.as_str()});
    Ok(applied
        .reply(&call, StatusCode::CREATED)
        .header((header::LOCATION, format!("{}{own}", call.ogc_base())))
        .header((header::CONTENT_TYPE, "application/json"))
        .body(id.to_string()))
}

/// `PUT` of a whole feature. Sensitive fields that are omitted keep their values; null makes them unknown.
pub(crate) async fn replace(call: Call<'static>) -> Result<Reply, Problem> {
    change(call, to_replace).await
}

/// `PATCH` with a merge patch (RFC 7396); a property is replaced as a whole.
pub(crate) async fn patch(call: Call<'static>) -> Result<Reply, Problem> {
    change(call, to_patch).await
}

/// Makes an edit of a collection's feature from a body and the state that it must have.
type EditParser = fn(&Call<'_>, &str, &str, &Json, Precondition) -> Result<Edit, RefusedEdit>;

async fn change(call: Call<'static>, parse: EditParser) -> Result<Reply, Problem> {
    let (collection, id) = (call.segment("collectionId"), call.segment("featureId"));
    let document = EditBody::read(&call)?;
    let condition = precondition(&call)?;
    let edit = parse(&call, collection, id, &document.json, condition).map_err(|wrong| wrong.of(None))?;
    check_places(&call, std::slice::from_ref(&edit), false)?;
    let key = idempotency_key(&call, &document.digest)?;
    Ok(apply(&call, vec![edit], key, None).await?.reply(&call, StatusCode::NO_CONTENT))
}

/// `DELETE` of a feature.
pub(crate) async fn delete(call: Call<'static>) -> Result<Reply, Problem> {
    let (collection, id) = (call.segment("collectionId"), call.segment("featureId"));
    let condition = precondition(&call)?;
    let edit = to_delete(&call, collection, id, condition).map_err(|wrong| wrong.of(None))?;
    let key = idempotency_key(&call, "")?;
    Ok(apply(&call, vec![edit], key, None).await?.reply(&call, StatusCode::NO_CONTENT))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBatch {
    edits: Vec<RawEdit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEdit {
    op: EditOp,
    collection: String,
    id: Option<String>,
    feature: Option<Json>,
    if_match: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EditOp {
    Create,
    Replace,
    Patch,
    Delete,
}

/// `POST /api/edits`: several edits in one transaction.
pub(crate) async fn batch(call: Call<'static>) -> Result<Reply, Problem> {
    let state = &call.state;
    let document = EditBody::read(&call)?;
    let accepted =
        "{\"edits\": [{\"op\": \"create|replace|patch|delete\", \"collection\", \"id\", \"feature\", \"if_match\"}]}";
    let raw: RawBatch =
        serde_json::from_value(document.json).map_err(|error| invalid("body", "", &error.to_string(), accepted))?;
    if raw.edits.is_empty() || raw.edits.len() > MAX_EDITS {
        let accepted = format!("1 to {MAX_EDITS} edits");
        return Err(invalid("/edits", &raw.edits.len().to_string(), "their number is out of range", &accepted));
    }
    let read = |(index, edit): (usize, RawEdit)| read_edit(&call, edit).map_err(|wrong| wrong.of(Some(index)));
    let edits = raw.edits.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    check_places(&call, &edits, true)?;
    let applied = apply(&call, edits, idempotency_key(&call, &document.digest)?, None).await?;
    let outcome = |outcome: &EditOutcome| {
        let collection = state.store.schemas().get(outcome.layer.0).map(|schema| &schema.id);
        json!({"collection": collection, "id": outcome.id.as_str(), "etag": outcome.fingerprint.map(tag)})
    };
    let outcomes: Vec<Json> = applied.applied.outcomes.iter().map(outcome).collect();
    let reply = applied.reply(&call, StatusCode::OK).header((header::CONTENT_TYPE, "application/json"));
    Ok(reply.body(json!({"edits": outcomes}).to_string()))
}

fn read_edit(call: &Call<'_>, raw: RawEdit) -> Result<Edit, RefusedEdit> {
    let missing = |name: &str| {
        let (reason, accepted) = ("it is missing".to_owned(), format!("an edit with {name}"));
        let (pointer, value) = (format!("/{name}"), "null".to_owned());
        RefusedEdit::Content(FeatureError { pointer, value, fault: None, reason, accepted })
    };
    let RawEdit { op, collection, id, feature, if_match } = raw;
    let condition = condition(if_match.iter().flat_map(|tags| tags.split(',')).map(str::trim));
    if op == EditOp::Create {
        return to_create(call, &collection, id.as_deref(), &feature.ok_or_else(|| missing("feature"))?);
    }
    let id = id.ok_or_else(|| missing("id"))?;
    if op == EditOp::Delete {
        return to_delete(call, &collection, &id, condition);
    }
    let feature = feature.ok_or_else(|| missing("feature"))?;
    let read: EditParser = if op == EditOp::Replace { to_replace } else { to_patch };
    read(call, &collection, &id, &feature, condition)
}

/// What is wrong with one edit.
enum RefusedEdit {
    Content(FeatureError),
    Other(Problem),
}

impl RefusedEdit {
    fn of(self, edit: Option<usize>) -> Problem {
        match self {
            Self::Content(fault) => Problem::InvalidContent { edit, fault: Box::new(fault) },
            Self::Other(Problem::EditRefused { reason, .. }) => {
                Problem::EditRefused { edit: edit.unwrap_or(0), reason }
            }
            Self::Other(problem) => problem,
        }
    }
}

impl From<FeatureError> for RefusedEdit {
    fn from(fault: FeatureError) -> Self {
        Self::Content(fault)
    }
}

impl From<Problem> for RefusedEdit {
    fn from(problem: Problem) -> Self {
        Self::Other(problem)
    }
}

fn to_create(call: &Call<'_>, collection: &str, id: Option<&str>, feature: &Json) -> Result<Edit, RefusedEdit> {
    let target = Target::to_edit(call, collection)?;
    let FeatureDocument { id: own, geometry, values } = read_values(call, &target, feature)?;
    let id = match (id, own) {
        (Some(id), own) => same_id(id, own.as_ref())?,
        (None, Some(own)) => own,
        (None, None) => new_id()?,
    };
    let action = Action::Create { geometry: geometry.flatten(), values };
    Ok(target.edit(id, action, Precondition::None))
}

fn to_replace(
    call: &Call<'_>,
    collection: &str,
    id: &str,
    feature: &Json,
    condition: Precondition,
) -> Result<Edit, RefusedEdit> {
    let target = Target::to_edit(call, collection)?;
    let FeatureDocument { id: own, geometry, mut values } = read_values(call, &target, feature)?;
    let named = |field: usize, values: &[(usize, Value)]| values.iter().any(|(at, _)| *at == field);
    for (at, field) in target.visible.fields.iter().enumerate() {
        if !field.sensitive && !named(at, &values) {
            values.push((at, Value::Unknown));
        }
    }
    let action = Action::Change { geometry: Some(geometry.flatten()), values };
    Ok(target.edit(same_id(id, own.as_ref())?, action, condition))
}

fn to_patch(
    call: &Call<'_>,
    collection: &str,
    id: &str,
    feature: &Json,
    condition: Precondition,
) -> Result<Edit, RefusedEdit> {
    let target = Target::to_edit(call, collection)?;
    let FeatureDocument { id: own, geometry, values } = read_values(call, &target, feature)?;
    Ok(target.edit(same_id(id, own.as_ref())?, Action::Change { geometry, values }, condition))
}

fn to_delete(call: &Call<'_>, collection: &str, id: &str, condition: Precondition) -> Result<Edit, RefusedEdit> {
    let target = Target::to_edit(call, collection)?;
    Ok(target.edit(same_id(id, None)?, Action::Delete, condition))
}

/// Reads a submitted feature; the caller must see the fields that it writes.
fn read_values(call: &Call<'_>, target: &Target<'_>, feature: &Json) -> Result<FeatureDocument, RefusedEdit> {
    let document = read_submission(&call.state.catalog, target.schema, feature)?;
    document.values.iter().try_for_each(|(field, _)| target.check_field(*field))?;
    Ok(document)
}

/// The id in the URL; an id in the body must be equal.
fn same_id(id: &str, own: Option<&FeatureId>) -> Result<FeatureId, RefusedEdit> {
    let fault = |reason: &str| FeatureError {
        pointer: "/id".to_owned(),
        value: own.map_or_else(|| id.to_owned(), ToString::to_string),
        fault: None,
        reason: reason.to_owned(),
        accepted: format!("{id:?}, or no id at all"),
    };
    let named = FeatureId::new(id).map_err(|error| fault(&error.to_string()))?;
    if own.is_some_and(|own| *own != named) {
        return Err(fault("it differs from the id in the URL").into());
    }
    Ok(named)
}

/// A new id: 96 random bits.
pub(crate) fn new_id() -> Result<FeatureId, Problem> {
    let bits = getrandom::u64().and_then(|high| Ok((high, getrandom::u32()?)));
    let (high, low) = bits.map_err(|_| Problem::Unavailable)?;
    FeatureId::new(&format!("{high:016x}{low:08x}")).map_err(|_| Problem::Unavailable)
}

/// A state as an entity tag.
pub(crate) fn tag(fingerprint: Fingerprint) -> String {
    format!("\"{fingerprint}\"")
}

/// The precondition on the state of a feature (RFC 9110, sections 13.1 and 13.2.2): a date counts only without entity
/// tags.
///
/// # Errors
/// When the collection does not exist.
fn precondition(call: &Call<'_>) -> Result<Precondition, Problem> {
    let texts = |name| call.headers.get_all(name).filter_map(|value| value.to_str().ok());
    let tags = |name| texts(name).flat_map(|value| value.split(',')).map(str::trim);
    let date = date_of(&call.headers, header::IF_UNMODIFIED_SINCE);
    Ok(match (condition(tags(header::IF_NONE_MATCH)), condition(tags(header::IF_MATCH)), date) {
        (Precondition::Exists, ..) => Precondition::Absent,
        (Precondition::OneOf(states), Precondition::None, _) => Precondition::NoneOf(states),
        (_, Precondition::None, Some(since)) => {
            let Target { schema, .. } = Target::of(call, call.segment("collectionId"))?;
            let state = call.audience.announced_dates.state((schema, call.segment("featureId")), since);
            Precondition::UnmodifiedSince { since, state }
        }
        (_, given, _) => given,
    })
}

/// Entity tags as a condition: none mean any state; a tag that is not from this server matches no state.
fn condition<'a>(tags: impl Iterator<Item = &'a str>) -> Precondition {
    let tags: Vec<&str> = tags.collect();
    match tags.as_slice() {
        [] => Precondition::None,
        tags if tags.contains(&"*") => Precondition::Exists,
        tags => {
            let parse = |tag: &&str| Fingerprint::parse(tag.trim_start_matches("W/").trim_matches('"'));
            Precondition::OneOf(tags.iter().filter_map(parse).collect())
        }
    }
}

/// A body that was read, and a digest of the whole request.
struct EditBody {
    json: Json,
    digest: String,
}

impl EditBody {
    fn read(call: &Call<'_>) -> Result<Self, Problem> {
        let crs = content_crs(call)?;
        let digest = format!("{} {}", body_digest(call), crs.crs().uri().unwrap_or_default());
        let mut json = parse_json(&call.body)?;
        if let Some(geometry) = json.get_mut("geometry") {
            body_to_lon_lat(&crs, geometry)?;
        }
        Ok(Self { json, digest })
    }
}

/// A digest of method, path and body.
pub(crate) fn body_digest(call: &Call<'_>) -> String {
    let mut digest = Sha256::new();
    digest.update(call.method.as_str());
    digest.update(call.uri.path());
    digest.update(&call.body);
    digest.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Positions must be in the county or near it, unless the request has `Onemap-Anywhere: true`.
fn check_places(call: &Call<'_>, edits: &[Edit], is_batch: bool) -> Result<(), Problem> {
    const NAME: &str = "onemap-anywhere";
    match call.headers.get(NAME).map(|value| value.to_str().unwrap_or_default().trim()) {
        None | Some("false") => {}
        Some("true") => return Ok(()),
        Some(other) => return Err(invalid(NAME, other, "it is neither true nor false", "true, false")),
    }
    for (index, edit) in edits.iter().enumerate() {
        let (Action::Create { geometry: Some(shape), .. } | Action::Change { geometry: Some(Some(shape)), .. }) =
            &edit.action
        else {
            continue;
        };
        check_place(&call.state.catalog.county, shape).map_err(|Defect { fault, reason, accepted }| {
            let mut value = Vec::new();
            write_geometry(&mut value, shape.geometry());
            let value = String::from_utf8_lossy(&value).chars().take(200).collect();
            let accepted = format!("{accepted}, or any position with the header Onemap-Anywhere: true");
            let fault =
                FeatureError { pointer: "/geometry".to_owned(), value, fault: Some(Box::new(fault)), reason, accepted };
            Problem::InvalidContent { edit: is_batch.then_some(index), fault: Box::new(fault) }
        })?;
    }
    Ok(())
}

/// The idempotency key of a request.
pub(crate) fn idempotency_key(call: &Call<'_>, digest: &str) -> Result<Option<IdempotencyKey>, Problem> {
    const NAME: &str = "Idempotency-Key";
    const ACCEPTED: &str = "1 to 255 visible ASCII characters";
    let Some(value) = call.headers.get(NAME) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if !(1..=255).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid(NAME, key, "it is not a key", ACCEPTED));
    }
    let digest = if digest.is_empty() { format!("{} {}", call.method, call.uri.path()) } else { digest.to_owned() };
    Ok(Some(IdempotencyKey { key: key.to_owned(), digest }))
}

/// The outcomes of edits, and whether the snapshot contains them.
pub(crate) struct EditReply {
    pub(crate) applied: Applied,
    is_shown: bool,
}

impl EditReply {
    pub(crate) fn reply(&self, call: &Call<'_>, status: StatusCode) -> Reply {
        let mut reply = Reply::new(status);
        if let [only] = self.applied.outcomes.as_slice()
            && let Some(fingerprint) = only.fingerprint
        {
            reply.set_header((header::ETAG, tag(fingerprint)));
            if let (Some(modified), Some(schema)) = (only.updated_at, call.state.store.schemas().get(only.layer.0)) {
                let feature = (schema, only.id.as_str());
                let date = call.audience.announced_dates.last_modified(feature, fingerprint, modified, modified);
                reply.set_header((header::LAST_MODIFIED, date));
            }
        }
        if self.applied.is_repeated {
            reply.set_header(("idempotency-replayed", "true"));
        }
        if !self.is_shown {
            reply.set_header(("x-onemap-snapshot", "behind"));
        }
        reply
    }
}

/// Whether an edit concerns a feature that exists, but not for the caller.
fn is_hidden(call: &Call<'_>, edit: &Edit) -> bool {
    let Some(schema) = call.state.store.schemas().get(edit.layer.0) else { return false };
    let has = |snapshot: &Snapshot| snapshot.layer(&schema.id).is_some_and(|layer| layer.find(&edit.id).is_some());
    !matches!(edit.action, Action::Create { .. }) && !has(&call.current.snapshot) && has(&call.state.snapshots.load())
}

/// Checks that no other server maintains a feature.
fn check_source(call: &Call<'_>, edit: &Edit) -> Result<(), Problem> {
    let sources = &call.state.synced_sources;
    let schema = call.state.store.schemas().get(edit.layer.0).filter(|_| !sources.is_empty());
    let snapshot = call.state.snapshots.load();
    let layer = schema.and_then(|schema| snapshot.layer(&schema.id));
    let source = layer.and_then(|layer| layer.text(&layer.find(&edit.id)?, "source"));
    match source.filter(|source| sources.iter().any(|own| own == source)) {
        Some(source) => Err(Problem::OtherSource { source: source.to_owned() }),
        None => Ok(()),
    }
}

/// Commits, then waits for the snapshot for a limited time. `reason` is recorded in the audit log.
pub(crate) async fn apply(
    call: &Call<'_>,
    edits: Vec<Edit>,
    idempotency_key: Option<IdempotencyKey>,
    reason: Option<String>,
) -> Result<EditReply, Problem> {
    let state = &call.state;
    // A write to a table that cannot be read would fail.
    let statuses = state.store.layer_statuses();
    let is_unavailable =
        |edit: &Edit| statuses.get(edit.layer.0).is_some_and(|status| status.unavailable_for.is_some());
    if edits.iter().any(is_unavailable) {
        return Err(Problem::Unavailable);
    }
    if let Some(index) = edits.iter().position(|edit| is_hidden(call, edit)) {
        return Err(Problem::EditRefused { edit: index, reason: EditError::NotThere });
    }
    edits.iter().try_for_each(|edit| check_source(call, edit))?;
    let mut versions = state.snapshots.versions();
    let batch = Batch {
        edits,
        now: clock::now_to_the_millisecond(),
        fingerprint_key: state.fingerprint_key.clone(),
        idempotency_key,
        origin: Some(Origin { reason, ..call.origin()? }),
    };
    let applied = of_store(state.store.apply(&batch)).await?;
    if applied.outcomes.is_empty() {
        return Err(Problem::EditRefused { edit: 0, reason: EditError::NotThere });
    }
    let schemas = state.store.schemas();
    let shown = async {
        while !shows(call, schemas, &applied.outcomes) {
            if versions.changed().await.is_err() {
                return;
            }
        }
    };
    let is_shown = tokio::time::timeout(SNAPSHOT_WAIT, shown).await.is_ok();
    Ok(EditReply { applied, is_shown })
}

/// Whether the snapshot is as new as these outcomes, or newer.
fn shows(call: &Call<'_>, schemas: &[LayerSchema], outcomes: &[EditOutcome]) -> bool {
    let snapshot = call.state.snapshots.load();
    outcomes.iter().rev().all(|outcome| has(call, &snapshot, outcome.layer.of(schemas), outcome))
}

fn has(call: &Call<'_>, snapshot: &Snapshot, schema: &LayerSchema, outcome: &EditOutcome) -> bool {
    let found = snapshot.layer(&schema.id).and_then(|layer| Some((layer, layer.find(&outcome.id)?)));
    let Some((layer, row)) = found else { return outcome.fingerprint.is_none() };
    match (outcome.fingerprint, outcome.version, layer.integer(&row, "version")) {
        (None, ..) => false,
        (Some(_), Some(written), Some(shown)) => shown >= written,
        (Some(fingerprint), ..) => {
            // The outcome leaves out what is reserved in the schema of the caller.
            let visible = call.current.snapshot.layer(&schema.id).map_or(schema, Layer::schema);
            row.fingerprint(visible, &call.state.fingerprint_key) == fingerprint
        }
    }
}
