//! The audit log, and contacts that are shown one record at a time.

use actix_web::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::clock;
use crate::http::call::Call;
use crate::http::ogc::edit_target::Target;
use crate::http::params::{invalid, layer, parse_json, spec};
use crate::http::reply::Reply;
use crate::http::reply::problem::Problem;
use crate::http::store_time::of_store;
use crate::model::{AuditEntry, FeatureId, Role, ValueRef, View};
use crate::store::AuditPart;

const MAX_REASON_CHARS: usize = 500;
const ACCEPTED: &str = "{\"collection\", \"id\", \"reason\": 1 to 500 characters}";

/// Rows that are read at once.
const PAGE: u32 = 1_000;
/// Rows that one request reads at most; the reply says where the next continues.
const MOST_READ: u32 = 50_000;

/// `GET /api/audit`: entries in the order of their numbers, which may be filtered. `next` is the number to continue from.
pub(crate) async fn entries(call: Call<'static>) -> Result<Reply, Problem> {
    let after = call.params.count(&spec::AUDIT_AFTER)?;
    let before = call.params.count(&spec::AUDIT_BEFORE)?;
    let limit = call.params.count(&spec::AUDIT_LIMIT)?.unwrap_or_default() as usize;
    let mut part = match (after, before) {
        (Some(_), Some(before)) => {
            let accepted = "one of after and before";
            return Err(invalid("before", &before.to_string(), "after is given too", accepted));
        }
        (after, None) => AuditPart::After(i64::from(after.unwrap_or_default())),
        (None, Some(before)) => AuditPart::Before(i64::from(before)),
    };
    let mut wanted = Vec::new();
    for (member, parameter) in [
        ("actor", &spec::AUDIT_ACTOR),
        ("action", &spec::AUDIT_ACTION),
        ("layer", &spec::AUDIT_LAYER),
        ("id", &spec::AUDIT_ID),
    ] {
        wanted.extend(call.params.get(parameter).map(|value| (member, value)));
    }
    let (mut entries, mut next, mut read) = (Vec::new(), None, 0);
    let mut read_to = 0;
    while next.is_none() {
        let rows = of_store(call.state.store.audit_rows(part, PAGE)).await?;
        let is_last = rows.len() < PAGE as usize;
        for row in rows {
            if entries.len() == limit || read == MOST_READ {
                next = Some(read_to);
                break;
            }
            (read, read_to) = (read + 1, row.number);
            // An entry that somebody damaged has no content here; `onemap audit verify` tells which it is.
            let entry = serde_json::from_str::<Json>(&row.body).unwrap_or_default();
            if wanted.iter().all(|(member, value)| entry[*member] == *value) {
                entries.push(json!({"number": row.number, "hash": row.hash, "entry": entry}));
            }
        }
        if is_last {
            break;
        }
        part = part.behind(read_to);
    }
    Ok(call.current.json(json!({"entries": entries, "next": next})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevealRequest {
    collection: String,
    id: String,
    reason: String,
}

/// `POST /api/reveal`: the sensitive values of one feature. The entry in the audit log is on the disk before the reply
/// is sent, also while the store is unreachable.
pub(crate) fn reveal(call: &Call<'_>) -> Result<Reply, Problem> {
    let body = parse_json(&call.body)?;
    let request: RevealRequest =
        serde_json::from_value(body).map_err(|error| invalid("body", "", &error.to_string(), ACCEPTED))?;
    let reason = request.reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS {
        return Err(invalid("/reason", reason, "it is empty or too long", ACCEPTED));
    }
    let collection = layer(&call.current.snapshot, "collection", &request.collection)?;
    let schema = collection.schema();
    let missing = || Problem::NotFound { what: "feature", value: request.id.clone(), accepted: String::new() };
    let id = FeatureId::new(&request.id).map_err(|_| missing())?;
    let row = collection.find(&id).ok_or_else(missing)?;
    if call.caller.role() == Role::Editor {
        // An editor reads the contacts of what it may edit.
        let target = Target::of(call, &request.collection)?;
        let public = call.caller.view(schema);
        target.check_division(row.visible(&public).text("region_code"))?;
    }
    // Fields that are reserved for higher roles are sensitive in the schema of the caller, but need not be in that of the
    // store.
    let own = call.state.store.schemas().iter().find(|own| own.id == schema.id).ok_or(Problem::Unavailable)?;
    let sensitive: Vec<&str> =
        own.fields.iter().filter(|field| field.sensitive).map(|field| field.name.as_str()).collect();
    let view: View<'_> = call.caller.revealed(schema, &sensitive);
    let shown = row.visible(&view);
    let values: Map<String, Json> = sensitive
        .iter()
        .filter_map(|name| Some((*name, schema.position(name).filter(|at| view.shows(*at))?)))
        .map(|(name, at)| (name.to_owned(), text(shown.value(at))))
        .collect();
    let origin = call.origin()?;
    let entry = AuditEntry {
        layer: Some(schema.id.clone()),
        id: Some(id.to_string()),
        reason: Some(reason.to_owned()),
        ..origin.entry(0, "reveal", clock::now())
    };
    call.state.audit.append(&entry).map_err(|error| Problem::internal(&error))?;
    let body = json!({"collection": schema.id, "id": id.as_str(), "values": values});
    Ok(call.current.json(body).status(StatusCode::OK).header(("cache-control", "no-store")))
}

fn text(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Text(text) => json!(text),
        ValueRef::Integer(number) => json!(number),
        ValueRef::TextList(list) => json!(list),
        _ => Json::Null,
    }
}
