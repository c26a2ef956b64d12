//! Commitments of resources to incidents: made, changed and listed.

use actix_web::http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::clock;
use crate::dispatch::{
    self, Amount, Commitment, CommitmentError, CommitmentFields, CommitmentState, EndChange, NewCommitment, StateChange,
};
use crate::exchange::geojson::write_feature_of;
use crate::http::call::Call;
use crate::http::ogc::edit_target::Target;
use crate::http::ogc::edits::{EditReply, apply, body_digest, idempotency_key, new_id};
use crate::http::params::{invalid, layer, parse_json, spec};
use crate::http::reply::Reply;
use crate::http::reply::geojson::CollectionWriter;
use crate::http::reply::links::encode;
use crate::http::reply::media::GEOJSON;
use crate::http::reply::problem::Problem;
use crate::model::{Edit, FeatureId, OverCommitment, format_instant, parse_instant};

/// Maximum number of commitments in one request.
const MAX_COMMITMENTS: usize = 500;
const MAX_AMOUNT: i64 = 1_000_000;
const MAX_NOTE_CHARS: usize = 500;
const ACCEPTED: &str = "{\"incident\": ID, \"resource\": {\"layer\", \"id\"}, \"people\": N with \"night\", or \"items\": \
                        [{\"code\", \"quantity\"}], \"until\": an instant, \"state\": \"proposed|committed|en_route\", \
                        \"note\", \"override\": a reason}, or {\"commitments\": [up to 500 of these]}";
const ACCEPTED_CHANGE: &str =
    "{\"state\": \"committed|en_route|released\", \"until\": an instant or null, \"note\", \"override\": a reason}";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommitment {
    incident: String,
    resource: RawResource,
    people: Option<i64>,
    #[serde(default)]
    night: bool,
    items: Option<Vec<RawItem>>,
    until: Option<String>,
    state: Option<String>,
    note: Option<String>,
    #[serde(rename = "override")]
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawResource {
    layer: String,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawItem {
    code: String,
    quantity: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChange {
    state: Option<String>,
    until: Option<String>,
    note: Option<String>,
    #[serde(rename = "override")]
    reason: Option<String>,
}

/// `POST /api/commitments`: one commitment, or several as one transaction.
pub(crate) async fn create(call: Call<'static>) -> Result<Reply, Problem> {
    let body = parse_json(&call.body)?;
    let refused = |error: serde_json::Error| invalid("body", "", &error.to_string(), ACCEPTED);
    let (raw, is_list): (Vec<RawCommitment>, bool) = match body.get("commitments") {
        Some(list) if body.as_object().is_some_and(|body| body.len() == 1) => {
            (serde_json::from_value(list.clone()).map_err(refused)?, true)
        }
        _ => (vec![serde_json::from_value(body).map_err(refused)?], false),
    };
    if raw.is_empty() || raw.len() > MAX_COMMITMENTS {
        let accepted = format!("1 to {MAX_COMMITMENTS} commitments");
        return Err(invalid("/commitments", &raw.len().to_string(), "their number is out of range", &accepted));
    }
    let now = clock::now_to_the_millisecond();
    let by = call.origin()?.actor;
    let mut edits: Vec<Edit> = Vec::new();
    let mut ids: Vec<FeatureId> = Vec::new();
    // The commitment of each edit, and the first reason that was given.
    let (mut owners, mut reason) = (Vec::new(), None);
    for (index, raw) in raw.into_iter().enumerate() {
        let place =
            |member: &str| if is_list { format!("/commitments/{index}/{member}") } else { format!("/{member}") };
        reason = reason.or(reason_of(raw.reason.as_deref(), &place)?);
        let over = over(&call, raw.reason.is_some());
        let new = read(raw, by.clone(), over, &place)?;
        check_scope(&call, &new.layer, &new.resource)?;
        let id = new_id()?;
        let own = dispatch::create(&call.current.snapshot, call.state.store.schemas(), &new, id.clone(), now);
        let own = own.map_err(|error| refusal(&error, &new, &place))?;
        owners.extend(own.iter().map(|_| index));
        edits.extend(own);
        ids.push(id);
    }
    let key = idempotency_key(&call, &body_digest(&call))?;
    let applied = apply(&call, edits, key, reason).await.map_err(|problem| of_commitment(problem, &owners))?;
    // A repeated request made its commitments before.
    let own_layer = CommitmentFields::find(call.state.store.schemas()).map(|own| own.layer().to_owned());
    let made = made(&call, &applied, own_layer.as_deref().unwrap_or_default());
    let reply = applied.reply(&call, StatusCode::CREATED);
    if is_list {
        return Ok(reply.header((header::CONTENT_TYPE, GEOJSON.media_type)).body(collection(&call, &made)));
    }
    let Some(only) = made.first() else { return Err(Problem::Unavailable) };
    let address = format!("{}/api/commitments/{}", call.base_url(), encode(only.as_str()));
    Ok(reply
        .header((header::LOCATION, address))
        .header((header::CONTENT_TYPE, GEOJSON.media_type))
        .body(feature(&call, only)))
}

/// `PATCH /api/commitments/{commitmentId}`: the next state, another end, a remark.
pub(crate) async fn update(call: Call<'static>) -> Result<Reply, Problem> {
    let id = call.segment("commitmentId").to_owned();
    let body = parse_json(&call.body)?;
    // A null differs from a member that is missing.
    let names_end = body.get("until").is_some();
    let raw: RawChange =
        serde_json::from_value(body).map_err(|error| invalid("body", "", &error.to_string(), ACCEPTED_CHANGE))?;
    let place = |member: &str| format!("/{member}");
    let reason = reason_of(raw.reason.as_deref(), &place)?;
    let until = match raw.until {
        Some(text) => EndChange::At(end(&text, &place)?),
        None if names_end => EndChange::WithIncident,
        None => EndChange::Keep,
    };
    let change = StateChange {
        state: raw.state.as_deref().map(|code| state(code, &place)).transpose()?,
        until,
        note: raw.note.map(|note| note_of(note, &place)).transpose()?,
        over: over(&call, reason.is_some()),
    };
    let now = clock::now_to_the_millisecond();
    let (snapshot, schemas) = (&call.current.snapshot, call.state.store.schemas());
    if let Some((layer, resource)) =
        dispatch::list(snapshot).find(|own| own.row.id().as_str() == id).map(|own| own.resource())
    {
        check_scope(&call, layer, resource)?;
    }
    let edits = dispatch::update(snapshot, schemas, &id, &change, &call.state.fingerprint_key, now);
    let edits = edits.map_err(|error| match error {
        CommitmentError::UnknownCommitment | CommitmentError::NoLayer => {
            Problem::NotFound { what: "commitment", value: id.chars().take(200).collect(), accepted: String::new() }
        }
        CommitmentError::PastEnd => invalid("/until", "", &error.to_string(), "an instant in the future"),
        error => invalid("/state", change.state.map_or("", CommitmentState::code), &error.to_string(), ACCEPTED_CHANGE),
    })?;
    let owners = vec![0; edits.len()];
    let key = idempotency_key(&call, &body_digest(&call))?;
    let applied = apply(&call, edits, key, reason).await.map_err(|problem| of_commitment(problem, &owners))?;
    let id = FeatureId::new(&id).map_err(|_| Problem::Unavailable)?;
    let reply = applied.reply(&call, StatusCode::OK).header((header::CONTENT_TYPE, GEOJSON.media_type));
    Ok(reply.body(feature(&call, &id)))
}

/// `GET /api/commitments`: those that are open, of one incident or of all.
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let incident = call.params.get(&spec::COMMITMENT_INCIDENT);
    let states = call.params.list(&spec::COMMITMENT_STATES)?;
    let unknown = states.iter().find(|code| CommitmentState::parse(code).is_none());
    if let Some(code) = unknown {
        let accepted = CommitmentState::ALL.map(CommitmentState::code).join(", ");
        return Err(invalid(spec::COMMITMENT_STATES.name, code, "it is no state", &accepted));
    }
    let is_asked = |own: &Commitment<'_>| {
        incident.is_none_or(|incident| own.incident == incident)
            && if states.is_empty() { own.is_open() } else { states.contains(&own.state.code()) }
    };
    let ids: Vec<FeatureId> =
        dispatch::list(&call.current.snapshot).filter(is_asked).map(|own| own.row.id().clone()).collect();
    // A caller who may not see commitments gets an error, not an empty list.
    let own = CommitmentFields::find(call.state.store.schemas()).map(|own| own.layer().to_owned());
    layer(&call.current.snapshot, "collection", own.as_deref().unwrap_or("commitments"))?;
    Ok(call.current.reply(GEOJSON.media_type).body(collection(call, &ids)))
}

/// What happens beyond what is free: with a reason it is taken, otherwise the configuration decides.
fn over(call: &Call<'_>, has_reason: bool) -> OverCommitment {
    if has_reason { OverCommitment::Override } else { call.state.over_commitment }
}

fn read(
    raw: RawCommitment,
    by: String,
    over: OverCommitment,
    place: &impl Fn(&str) -> String,
) -> Result<NewCommitment, Problem> {
    let amount = match (raw.people, raw.items) {
        (Some(count), None) => {
            if !(1..=MAX_AMOUNT).contains(&count) {
                let accepted = format!("1 to {MAX_AMOUNT} persons");
                return Err(invalid(&place("people"), &count.to_string(), "it is out of range", &accepted));
            }
            Amount::People { count, by_night: raw.night }
        }
        (None, Some(items)) => Amount::Items(items_of(items, place)?),
        (None, None) => Amount::Whole,
        (Some(_), Some(_)) => {
            return Err(invalid(&place("items"), "", "people and items exclude each other", ACCEPTED));
        }
    };
    let first = raw.state.as_deref().map_or(Ok(CommitmentState::Committed), |code| state(code, place))?;
    if first == CommitmentState::Released {
        let accepted = "proposed, committed, en_route";
        return Err(invalid(&place("state"), first.code(), "a new commitment is not released", accepted));
    }
    Ok(NewCommitment {
        incident: raw.incident,
        layer: raw.resource.layer,
        resource: raw.resource.id,
        amount,
        state: first,
        until: raw.until.as_deref().map(|text| end(text, place)).transpose()?,
        note: raw.note.map(|note| note_of(note, place)).transpose()?,
        over,
        by,
    })
}

fn items_of(items: Vec<RawItem>, place: &impl Fn(&str) -> String) -> Result<Vec<(String, f64)>, Problem> {
    const MAX_ITEMS: usize = 100;
    if items.is_empty() || items.len() > MAX_ITEMS {
        let accepted = format!("1 to {MAX_ITEMS} items");
        return Err(invalid(&place("items"), &items.len().to_string(), "their number is out of range", &accepted));
    }
    let mut own: Vec<(String, f64)> = Vec::with_capacity(items.len());
    for (index, RawItem { code, quantity }) in items.into_iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a million")]
        let is_amount = quantity > 0.0 && quantity <= MAX_AMOUNT as f64;
        if !is_amount {
            let pointer = place(&format!("items/{index}/quantity"));
            let accepted = format!("a number above 0 and up to {MAX_AMOUNT}");
            return Err(invalid(&pointer, &quantity.to_string(), "it is out of range", &accepted));
        }
        if own.iter().any(|(known, _)| *known == code) {
            return Err(invalid(&place(&format!("items/{index}/code")), &code, "it is repeated", "each code once"));
        }
        own.push((code, quantity));
    }
    Ok(own)
}

fn state(code: &str, place: &impl Fn(&str) -> String) -> Result<CommitmentState, Problem> {
    let accepted = CommitmentState::ALL.map(CommitmentState::code).join(", ");
    CommitmentState::parse(code).ok_or_else(|| invalid(&place("state"), code, "it is no state", &accepted))
}

fn end(text: &str, place: &impl Fn(&str) -> String) -> Result<time::UtcDateTime, Problem> {
    let accepted = format!("an instant such as {}; without a zone it is Beijing time", format_instant(clock::now()));
    parse_instant(text).ok_or_else(|| invalid(&place("until"), text, "it is no instant", &accepted))
}

fn note_of(note: String, place: &impl Fn(&str) -> String) -> Result<String, Problem> {
    let is_long = note.chars().count() > MAX_NOTE_CHARS || note.contains('\0');
    let accepted = format!("up to {MAX_NOTE_CHARS} characters");
    if is_long { Err(invalid(&place("note"), "", "it is too long, or contains U+0000", &accepted)) } else { Ok(note) }
}

/// The reason for a commitment beyond what is free.
fn reason_of(reason: Option<&str>, place: &impl Fn(&str) -> String) -> Result<Option<String>, Problem> {
    let Some(reason) = reason.map(str::trim) else { return Ok(None) };
    if reason.is_empty() || reason.chars().count() > MAX_NOTE_CHARS || reason.contains('\0') {
        let accepted = format!("a reason of 1 to {MAX_NOTE_CHARS} characters");
        return Err(invalid(&place("override"), reason, "it is empty or too long", &accepted));
    }
    Ok(Some(reason.to_owned()))
}

/// An account that is limited to layers or divisions commits the resources that it may write.
fn check_scope(call: &Call<'_>, layer: &str, resource: &str) -> Result<(), Problem> {
    let Some(found) = call.current.snapshot.layer(layer) else { return Ok(()) };
    let target = Target::of(call, layer)?;
    let row = FeatureId::new(resource).ok().and_then(|id| found.find(&id));
    row.map_or(Ok(()), |row| target.check_division(found.text(&row, "region_code")))
}

fn refusal(error: &CommitmentError, new: &NewCommitment, place: &impl Fn(&str) -> String) -> Problem {
    let (member, value, accepted) = match error {
        CommitmentError::UnknownIncident | CommitmentError::EndedIncident => {
            ("incident", new.incident.as_str(), "the id of an incident or warning that goes on")
        }
        CommitmentError::UnknownLayer => {
            ("resource/layer", new.layer.as_str(), "a layer with resources, such as shelters")
        }
        CommitmentError::UnknownResource => ("resource/id", new.resource.as_str(), "the id of a feature of the layer"),
        CommitmentError::PastEnd => ("until", "", "an instant in the future"),
        _ => ("resource", new.layer.as_str(), ACCEPTED),
    };
    invalid(&place(member), value, &error.to_string(), accepted)
}

/// Names the commitment of a refused edit instead of the edit.
fn of_commitment(problem: Problem, owners: &[usize]) -> Problem {
    match problem {
        Problem::EditRefused { edit, reason } => {
            Problem::EditRefused { edit: owners.get(edit).copied().unwrap_or_default(), reason }
        }
        other => other,
    }
}

/// The ids of the commitments that were made, in order.
fn made(call: &Call<'_>, applied: &EditReply, layer: &str) -> Vec<FeatureId> {
    let schemas = call.state.store.schemas();
    let outcomes = applied.applied.outcomes.iter();
    outcomes.filter(|own| own.layer.of(schemas).id == layer).map(|own| own.id.clone()).collect()
}

fn collection(call: &Call<'_>, ids: &[FeatureId]) -> Vec<u8> {
    let mut body = CollectionWriter::new();
    for id in ids {
        let own = feature(call, id);
        body.feature(|out| out.extend_from_slice(&own));
    }
    body.end_features().member("numberReturned", &ids.len()).close(&call.current)
}

/// A commitment as a Feature: of the newest snapshot, which contains the edit of this request.
fn feature(call: &Call<'_>, id: &FeatureId) -> Vec<u8> {
    let snapshot = call.audience.snapshots.load();
    let fields = CommitmentFields::find(call.state.store.schemas());
    let found = fields.and_then(|own| snapshot.layer(own.layer())).and_then(|layer| Some((layer, layer.find(id)?)));
    let Some((layer, row)) = found else {
        // The snapshot is behind; the commitment is stored.
        return json!({"type": "Feature", "id": id.as_str(), "geometry": Json::Null, "properties": {}})
            .to_string()
            .into();
    };
    let view = call.caller.view(layer.schema());
    let mut out = Vec::new();
    let geometry = row.shape().map(crate::model::Shape::geometry);
    write_feature_of(&mut out, &view, row.id(), geometry, |field| row.visible(&view).value(field), &[]);
    out
}
