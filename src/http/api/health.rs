//! Whether the process lives, and whether the map follows its store.

use actix_web::http::{StatusCode, header};
use serde_json::json;

use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::reply::problem::Problem;

/// `GET /health/live`: the process answers.
pub(crate) fn live(_: &Call<'_>) -> Result<Reply, Problem> {
    let body = json!({"status": "live"}).to_string();
    Ok(Reply::new(StatusCode::OK).header((header::CONTENT_TYPE, "application/json")).body(body))
}

/// `GET /health/ready`: 200 while the snapshot follows the store; otherwise 503 with its age, while all other paths
/// go on answering.
pub(crate) fn ready(call: &Call<'_>) -> Result<Reply, Problem> {
    let current = &call.current;
    let status = if current.is_stale() { "stale" } else { "ready" };
    let features: usize = current.snapshot.layers().iter().map(|layer| layer.len()).sum();
    let reply = current.json(json!({"status": status, "features": features}));
    Ok(if current.is_stale() { reply.status(StatusCode::SERVICE_UNAVAILABLE) } else { reply })
}
