//! Who the caller is and what it may do; signing in and out of a browser.

use actix_web::http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::access::identity::Identity;
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

/// Longest secret that a cookie holds: browsers drop cookies above 4,096 bytes with their attributes.
const MAX_SECRET_BYTES: usize = 3_800;

/// `POST /api/session`: gives a browser a cookie with the secret, which it sends from then on.
pub(crate) async fn sign_in(call: Call<'static>) -> Result<Reply, Problem> {
    let body = serde_json::from_value(parse_json(&call.body)?);
    let SignIn { secret } =
        body.map_err(|error| invalid("body", "", &error.to_string(), "{\"secret\": the secret of an account}"))?;
    let secret = secret.trim();
    if secret.len() > MAX_SECRET_BYTES {
        let accepted = format!("up to {MAX_SECRET_BYTES} bytes");
        return Err(invalid("secret", "", "it is too long for a cookie", &accepted));
    }
    let state = &call.state;
    let is_local = || state.reachability.is_local(&call.headers, call.peer);
    let now = clock::now();
    let caller = state.access.caller_of(secret.as_bytes(), is_local, now).await;
    if let Some(address) = state.reachability.client(&call.headers, call.peer)
        && caller.as_ref().is_err_and(Problem::is_wrong_secret)
        && !is_local()
    {
        state.rate_limits.count_failure(address)?;
    }
    let caller = caller?;
    let entry = call.origin_of(&caller)?.entry(0, "sign-in", now);
    state.audit.append(&entry).map_err(|error| Problem::internal(&error))?;
    let reply = Reply::new(StatusCode::OK).header((header::CONTENT_TYPE, "application/json"));
    let reply = reply.header((header::CACHE_CONTROL, "no-store"));
    // A cookie with a token is of no use beyond it.
    let left = caller.identity().and_then(Identity::expires_at).map(|end| end - now);
    let reply = reply.header((header::SET_COOKIE, cookie::signing_in(secret, &call.base_url(), left)));
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
        let limit = caller.identity().map(Identity::layers).filter(|layers| !layers.is_empty());
        (role == Role::Admin || writers.contains(&role)) && limit.is_none_or(|layers| layers.contains(id))
    };
    let is_writer = caller.is_signed_in() && call.state.access.offers_edits();
    let layers = call.current.snapshot.layers().iter().map(|layer| layer.schema().id.as_str());
    let writable: Vec<&str> = layers.filter(|id| is_writer && writes(id)).collect();
    let identity = caller.identity();
    let body: Json = json!({
        "signed_in": caller.is_signed_in(),
        "role": role.name(),
        "name": identity.map(Identity::name),
        "expires_at": identity.and_then(Identity::expires_at).map(format_instant),
        "writable_layers": writable,
        "regions": identity.map(Identity::regions),
    });
    Ok(call.current.json(body))
}
