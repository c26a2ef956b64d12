//! `GET /api/session`: who the caller is, and what it may do.

use serde_json::{Value as Json, json};

use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::reply::problem::Problem;
use crate::model::{LayerAccess, Role, format_instant};

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
pub(crate) fn session(call: &Call<'_>) -> Result<Reply, Problem> {
    let (caller, role) = (&call.caller, call.caller.role());
    let default = LayerAccess::default();
    let writes = |id: &str| {
        let writers = &call.state.catalog.access.get(id).unwrap_or(&default).write;
        let limit = caller.account().map(|account| &account.layers).filter(|layers| !layers.is_empty());
        (role == Role::Admin || writers.contains(&role)) && limit.is_none_or(|layers| layers.contains(id))
    };
    let is_writer = caller.is_signed_in() && call.state.access.offers_edits();
    let layers = call.current.snapshot.layers().iter().map(|layer| layer.schema().id.as_str());
    let writable: Vec<&str> = layers.filter(|id| is_writer && writes(id)).collect();
    let account = caller.account();
    let body: Json = json!({
        "signed_in": caller.is_signed_in(),
        "role": role.name(),
        "name": account.map(|account| &account.name),
        "expires_at": account.and_then(|account| account.expires_at).map(format_instant),
        "writable_layers": writable,
        "regions": account.map(|account| &account.regions),
    });
    Ok(call.current.json(body))
}
