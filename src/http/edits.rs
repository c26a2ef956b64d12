//! Writes: OGC API Features Part 4 (OGC 20-002r1) create, replace, update and delete, and batches of them.

use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::Door;
use super::access::may_write;
use super::frame::Frame;
use super::problem::Problem;
use super::request::{Parameters, body, invalid, layer, origin, parse_json};
use crate::clock;
use crate::exchange::submission::{Fault, Submission, read_submission};
use crate::model::{
    Action, Applied, Batch, Condition, Edit, EditError, FeatureId, Fingerprint, LayerSchema, Once, Outcome, Value,
};
use crate::snapshot::Snapshot;

const MAX_FEATURE_BYTES: usize = 4_000_000;
const MAX_BATCH_BYTES: usize = 16_000_000;
const MAX_EDITS: usize = 10_000;
/// How long an answer waits for the picture to show what was written.
const PICTURE_PATIENCE: Duration = Duration::from_secs(2);
const FEATURE_TYPES: &str = "application/geo+json, application/json";
const PATCH_TYPES: &str = "application/merge-patch+json";

/// POST of a feature to a collection.
pub(super) async fn create(
    request: HttpRequest,
    door: web::Data<Door>,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let feature = read_body(&request, &door, payload, FEATURE_TYPES, MAX_FEATURE_BYTES).await?;
    let edit = to_create(&door, &path, None, &feature.json).map_err(|wrong| wrong.of(None))?;
    let once = once(&request, &feature.digest)?;
    let answer = apply(&door, vec![edit], once).await?;
    let outcome = &answer.applied.outcomes[0];
    let own = format!("/ogc/collections/{path}/items/{}", super::ogc::encode(outcome.id.as_str()));
    let location = format!("{}{own}", origin(&request, door.public_url.as_deref()));
    let mut response = answer.respond(StatusCode::CREATED);
    response.insert_header((header::LOCATION, location));
    response.insert_header((header::CONTENT_TYPE, "application/json"));
    Ok(response.body(json!({"id": outcome.id.as_str()}).to_string()))
}

/// PUT of a whole feature. Sensitive fields that are not named stay as they are; null makes them unknown.
pub(super) async fn replace(
    request: HttpRequest,
    door: web::Data<Door>,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    change(request, door, path, payload, FEATURE_TYPES, to_replace).await
}

/// PATCH with a merge patch (RFC 7396); a property is replaced as a whole.
pub(super) async fn patch(
    request: HttpRequest,
    door: web::Data<Door>,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    change(request, door, path, payload, PATCH_TYPES, to_patch).await
}

/// Makes an edit of a collection's feature from a body and the state that it must have.
type Reading = fn(&Door, &str, &str, &Json, Condition) -> Result<Edit, Wrong>;

async fn change(
    request: HttpRequest,
    door: web::Data<Door>,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    accepted: &'static str,
    read: Reading,
) -> Result<HttpResponse, Problem> {
    let (collection, id) = path.into_inner();
    let feature = read_body(&request, &door, payload, accepted, MAX_FEATURE_BYTES).await?;
    let condition = if_match(&request)?;
    let edit = read(&door, &collection, &id, &feature.json, condition).map_err(|wrong| wrong.of(None))?;
    let once = once(&request, &feature.digest)?;
    Ok(apply(&door, vec![edit], once).await?.respond(StatusCode::NO_CONTENT).finish())
}

/// DELETE of a feature.
pub(super) async fn delete(
    request: HttpRequest,
    door: web::Data<Door>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    may_write(&request, door.token.as_ref())?;
    Parameters::read(&request, &[])?;
    let (collection, id) = path.into_inner();
    let edit = to_delete(&door, &collection, &id, if_match(&request)?).map_err(|wrong| wrong.of(None))?;
    Ok(apply(&door, vec![edit], once(&request, "")?).await?.respond(StatusCode::NO_CONTENT).finish())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBatch {
    edits: Vec<RawEdit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEdit {
    op: Operation,
    collection: String,
    id: Option<String>,
    feature: Option<Json>,
    if_match: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Operation {
    Create,
    Replace,
    Patch,
    Delete,
}

/// POST of several edits that happen together or not at all.
pub(super) async fn batch(
    request: HttpRequest,
    door: web::Data<Door>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = read_body(&request, &door, payload, "application/json", MAX_BATCH_BYTES).await?;
    let accepted =
        "{\"edits\": [{\"op\": \"create|replace|patch|delete\", \"collection\", \"id\", \"feature\", \"if_match\"}]}";
    let raw: RawBatch =
        serde_json::from_value(body.json).map_err(|error| invalid("body", "", &error.to_string(), accepted))?;
    if raw.edits.is_empty() || raw.edits.len() > MAX_EDITS {
        let accepted = format!("1 to {MAX_EDITS} edits");
        return Err(invalid("/edits", &raw.edits.len().to_string(), "their number is out of range", &accepted));
    }
    let read = |(index, edit): (usize, RawEdit)| read_edit(&door, edit).map_err(|wrong| wrong.of(Some(index)));
    let edits = raw.edits.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    let answer = apply(&door, edits, once(&request, &body.digest)?).await?;
    let outcome = |outcome: &Outcome| {
        let collection = door.store.schemas().get(outcome.layer).map(|schema| &schema.id);
        json!({"collection": collection, "id": outcome.id.as_str(), "etag": outcome.state.map(tag)})
    };
    let outcomes: Vec<Json> = answer.applied.outcomes.iter().map(outcome).collect();
    let mut response = answer.respond(StatusCode::OK);
    response.insert_header((header::CONTENT_TYPE, "application/json"));
    Ok(response.body(json!({"edits": outcomes}).to_string()))
}

fn read_edit(door: &Door, raw: RawEdit) -> Result<Edit, Wrong> {
    let missing = |name: &str| {
        let (reason, accepted) = ("it is missing".to_owned(), format!("an edit with {name}"));
        Wrong::Content(Fault { pointer: format!("/{name}"), value: "null".to_owned(), reason, accepted })
    };
    let RawEdit { op, collection, id, feature, if_match } = raw;
    let condition = condition(if_match.as_deref())?;
    if op == Operation::Create {
        return to_create(door, &collection, id.as_deref(), &feature.ok_or_else(|| missing("feature"))?);
    }
    let id = id.ok_or_else(|| missing("id"))?;
    if op == Operation::Delete {
        return to_delete(door, &collection, &id, condition);
    }
    let feature = feature.ok_or_else(|| missing("feature"))?;
    let read: Reading = if op == Operation::Replace { to_replace } else { to_patch };
    read(door, &collection, &id, &feature, condition)
}

/// What is wrong with one edit.
enum Wrong {
    Content(Fault),
    Other(Problem),
}

impl Wrong {
    fn of(self, edit: Option<usize>) -> Problem {
        match self {
            Self::Content(fault) => Problem::InvalidContent { edit, fault },
            Self::Other(Problem::EditRefused { reason, .. }) => {
                Problem::EditRefused { edit: edit.unwrap_or(0), reason }
            }
            Self::Other(problem) => problem,
        }
    }
}

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Self {
        Self::Content(fault)
    }
}

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        Self::Other(problem)
    }
}

fn to_create(door: &Door, collection: &str, id: Option<&str>, feature: &Json) -> Result<Edit, Wrong> {
    let (at, schema) = target(door, collection)?;
    let Submission { id: own, geometry, values } = read_submission(&door.catalog, schema, feature)?;
    let id = match (id, own) {
        (Some(id), own) => same_id(id, own.as_ref())?,
        (None, Some(own)) => own,
        (None, None) => new_id()?,
    };
    let action = Action::Create { geometry: geometry.flatten(), values };
    Ok(Edit { layer: at, id, action, condition: Condition::None })
}

fn to_replace(door: &Door, collection: &str, id: &str, feature: &Json, condition: Condition) -> Result<Edit, Wrong> {
    let (at, schema) = target(door, collection)?;
    let Submission { id: own, geometry, mut values } = read_submission(&door.catalog, schema, feature)?;
    let named = |field: usize, values: &[(usize, Value)]| values.iter().any(|(at, _)| *at == field);
    for (at, field) in schema.fields.iter().enumerate() {
        if !field.sensitive && !named(at, &values) {
            values.push((at, Value::Unknown));
        }
    }
    let action = Action::Change { geometry: Some(geometry.flatten()), values };
    Ok(Edit { layer: at, id: same_id(id, own.as_ref())?, action, condition })
}

fn to_patch(door: &Door, collection: &str, id: &str, feature: &Json, condition: Condition) -> Result<Edit, Wrong> {
    let (at, schema) = target(door, collection)?;
    let Submission { id: own, geometry, values } = read_submission(&door.catalog, schema, feature)?;
    Ok(Edit { layer: at, id: same_id(id, own.as_ref())?, action: Action::Change { geometry, values }, condition })
}

fn to_delete(door: &Door, collection: &str, id: &str, condition: Condition) -> Result<Edit, Wrong> {
    let (at, _) = target(door, collection)?;
    Ok(Edit { layer: at, id: same_id(id, None)?, action: Action::Delete, condition })
}

/// The layer that is written to.
fn target<'a>(door: &'a Door, collection: &str) -> Result<(usize, &'a LayerSchema), Problem> {
    layer(&door.head.load(), "collection", collection)?;
    let mut schemas = door.store.schemas().iter().enumerate();
    schemas.find(|(_, schema)| schema.id == collection).ok_or(Problem::Unavailable)
}

/// The id in the address; one in the body must be the same.
fn same_id(id: &str, own: Option<&FeatureId>) -> Result<FeatureId, Wrong> {
    let fault = |reason: &str| Fault {
        pointer: "/id".to_owned(),
        value: own.map_or_else(|| id.to_owned(), ToString::to_string),
        reason: reason.to_owned(),
        accepted: format!("{id:?}, or no id at all"),
    };
    let named = FeatureId::new(id).map_err(|error| fault(&error.to_string()))?;
    if own.is_some_and(|own| *own != named) {
        return Err(fault("it is not the id of the address").into());
    }
    Ok(named)
}

/// An id that nobody has: 96 random bits.
fn new_id() -> Result<FeatureId, Problem> {
    let bits = getrandom::u64().and_then(|high| Ok((high, getrandom::u32()?)));
    let (high, low) = bits.map_err(|_| Problem::Unavailable)?;
    FeatureId::new(&format!("{high:016x}{low:08x}")).map_err(|_| Problem::Unavailable)
}

/// A state as an entity tag.
pub(super) fn tag(state: Fingerprint) -> String {
    format!("\"{state}\"")
}

fn if_match(request: &HttpRequest) -> Result<Condition, Problem> {
    let given = request.headers().get(header::IF_MATCH).map(|value| value.to_str().unwrap_or_default());
    condition(given)
}

/// `*` and nothing at all mean any state; a tag that we did not make names none.
fn condition(if_match: Option<&str>) -> Result<Condition, Problem> {
    let Some(text) = if_match.map(str::trim).filter(|text| *text != "*") else { return Ok(Condition::None) };
    if text.contains(',') {
        return Err(invalid("If-Match", text, "it names several states", "one entity tag, or *"));
    }
    let state = Fingerprint::parse(text.trim_start_matches("W/").trim_matches('"'));
    Ok(state.map_or(Condition::Never, Condition::Unchanged))
}

/// A body that was read, and a digest of the whole request.
struct Body {
    json: Json,
    digest: String,
}

async fn read_body(
    request: &HttpRequest,
    door: &Door,
    payload: web::Payload,
    accepted: &'static str,
    limit_bytes: usize,
) -> Result<Body, Problem> {
    // Who may not write is told so before anything is read.
    may_write(request, door.token.as_ref())?;
    Parameters::read(request, &[])?;
    let bytes = body(request, payload, accepted, limit_bytes).await?;
    let mut digest = Sha256::new();
    digest.update(request.method().as_str());
    digest.update(request.uri().path());
    digest.update(&bytes);
    let frame = Frame::of_header(request)?;
    digest.update(frame.reference().address().unwrap_or_default());
    let digest = digest.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let mut json = parse_json(&bytes)?;
    if let Some(geometry) = json.get_mut("geometry") {
        frame.inward(geometry)?;
    }
    Ok(Body { json, digest })
}

/// The key under which the request happens once.
fn once(request: &HttpRequest, digest: &str) -> Result<Option<Once>, Problem> {
    const NAME: &str = "Idempotency-Key";
    const ACCEPTED: &str = "1 to 255 visible ASCII characters";
    let Some(value) = request.headers().get(NAME) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if !(1..=255).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid(NAME, key, "it is not a key", ACCEPTED));
    }
    let digest =
        if digest.is_empty() { format!("{} {}", request.method(), request.uri().path()) } else { digest.to_owned() };
    Ok(Some(Once { key: key.to_owned(), digest }))
}

/// What was done, and whether the picture shows it already.
struct Answer {
    applied: Applied,
    is_shown: bool,
}

impl Answer {
    fn respond(&self, status: StatusCode) -> actix_web::HttpResponseBuilder {
        let mut response = HttpResponse::build(status);
        if let [only] = self.applied.outcomes.as_slice()
            && let Some(state) = only.state
        {
            response.insert_header((header::ETAG, tag(state)));
        }
        if self.applied.is_repeated {
            response.insert_header(("Idempotency-Replayed", "true"));
        }
        if !self.is_shown {
            response.insert_header(("X-Onemap-Picture", "behind"));
        }
        response
    }
}

/// Commits, then waits a while for the picture.
async fn apply(door: &Door, edits: Vec<Edit>, once: Option<Once>) -> Result<Answer, Problem> {
    let mut versions = door.head.versions();
    let batch = Batch { edits, now: clock::now_to_the_millisecond(), seal: door.seal.clone(), once };
    let applied = door.store.apply(&batch).await?;
    if applied.outcomes.is_empty() {
        return Err(Problem::EditRefused { edit: 0, reason: EditError::NotThere });
    }
    let schemas = door.store.schemas();
    let shown = async {
        while !shows(door, schemas, &applied.outcomes) {
            if versions.changed().await.is_err() {
                return;
            }
        }
    };
    let is_shown = tokio::time::timeout(PICTURE_PATIENCE, shown).await.is_ok();
    Ok(Answer { applied, is_shown })
}

/// Whether the picture is as new as these outcomes, or newer.
fn shows(door: &Door, schemas: &[LayerSchema], outcomes: &[Outcome]) -> bool {
    let snapshot = door.head.load();
    outcomes.iter().rev().all(|outcome| has(door, &snapshot, &schemas[outcome.layer], outcome))
}

fn has(door: &Door, snapshot: &Snapshot, schema: &LayerSchema, outcome: &Outcome) -> bool {
    let row = snapshot.layer(&schema.id).and_then(|layer| layer.find(&outcome.id));
    let Some(row) = row else { return outcome.state.is_none() };
    match (outcome.state, outcome.version, schema.position("version").map(|at| row.value(at))) {
        (None, ..) => false,
        (Some(_), Some(written), Some(Value::Integer(shown))) => shown >= written,
        (Some(state), ..) => door.seal.fingerprint(&row.to_feature()) == state,
    }
}
