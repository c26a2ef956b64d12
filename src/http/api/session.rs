//! Who the caller is and what it may do; signing in and out of a browser.

use actix_web::http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::clock;
use crate::http::call::Call;
use crate::http::params::auth::Caller;
use crate::http::params::{cookie, invalid, parse_json};
use crate::http::reply::Reply;
use crate::http::reply::problem::Problem;
use crate::model::{LayerAccess, Role, format_instant};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    secret: String,
}

/// `POST /api/session`: gives a browser a cookie with the secret, which it sends from then on.
pub(crate) fn sign_in(call: &Call<'_>) -> Result<Reply, Problem> {
    let body = serde_json::from_value(parse_json(&call.body)?);
    let SignIn { secret } =
        body.map_err(|error| invalid("body", "", &error.to_string(), "{\"secret\": the secret of an account}"))?;
    let state = &call.state;
    let is_local = || state.reachability.is_local(&call.headers, call.peer);
    let caller = state.access.caller_of(secret.trim().as_bytes(), is_local, clock::now());
    if let (Err(Problem::Unauthorized), Some(address)) = (&caller, state.reachability.client(&call.headers, call.peer))
        && !is_local()
    {
        state.rate_limits.count_failure(address)?;
    }
    let caller = caller?;
    let entry = call.origin_of(&caller)?.entry(0, "sign-in", clock::now());
    state.audit.append(&entry).map_err(|error| Problem::internal(&error))?;
    let reply = Reply::new(StatusCode::OK).header((header::CONTENT_TYPE, "application/json"));
    let reply = reply.header((header::CACHE_CONTROL, "no-store"));
    let reply = reply.header((header::SET_COOKIE, cookie::signing_in(secret.trim(), &call.base_url())));
    Ok(reply.body(json!({"signed_in": true, "role": caller.role().name()}).to_string()))
}

/// `DELETE /api/session`: removes the cookie, also one whose account no longer works.
#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
pub(crate) fn sign_out(call: &Call<'_>) -> Result<Reply, Problem> {
    let reply = Reply::new(StatusCode::NO_CONTENT).header((header::CACHE_CONTROL, "no-store"));
    Ok(reply.header((header::SET_COOKIE, cookie::signing_out(&call.base_url()))))
}

/// `GET /api/session`: who the caller is, and what it may do.
#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
pub(crate) fn session(call: &Call<'_>) -> Result<Reply, Problem> {
    let (caller, role): (&Caller, Role) = (&call.caller, call.caller.role());
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
