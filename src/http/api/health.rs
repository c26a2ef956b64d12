//! Health checks: liveness of the process, readiness of the snapshot.

use std::sync::PoisonError;

use actix_web::http::{StatusCode, header};
use serde_json::{Map, Value as Json, json};

use crate::access::oidc::KeyStatus;
use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::reply::problem::Problem;
use crate::model::format_instant;

/// The media type of the text format of Prometheus.
pub(crate) const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /health/live`: 200 while the process handles requests.
#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
pub(crate) fn live(_: &Call<'_>) -> Result<Reply, Problem> {
    let body = json!({"status": "live"}).to_string();
    Ok(Reply::new(StatusCode::OK).header((header::CONTENT_TYPE, "application/json")).body(body))
}

/// `GET /metrics`: the metrics in the text format of Prometheus.
pub(crate) fn metrics(call: &Call<'_>) -> Result<Reply, Problem> {
    let text = call.state.metrics.text(
        &call.current,
        &*call.state.store,
        &call.state.sync_statuses,
        call.state.subscriptions.as_ref().map(|own| own.figures()),
        call.state.access.provider.as_deref(),
    );
    let text = text.map_err(|error| Problem::internal(&error))?;
    Ok(Reply::new(StatusCode::OK).header((header::CONTENT_TYPE, METRICS_TYPE)).body(text))
}

/// `GET /health/ready`: 200 while the snapshot follows the store; otherwise 503 with the age of the snapshot. All other
/// endpoints keep serving. Unreadable values, unavailable layers, and an identity provider whose keys are not current are
/// listed and do not change the status.
#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
pub(crate) fn ready(call: &Call<'_>) -> Result<Reply, Problem> {
    let (current, store) = (&call.current, &call.state.store);
    let status = if current.is_stale() { "stale" } else { "ready" };
    let features: usize = current.snapshot.layers().iter().map(|layer| layer.len()).sum();
    let layers = store.schemas().iter().zip(store.layer_statuses()).filter(|(_, layer)| layer.read_warnings > 0);
    let layers = layers.filter(|(schema, _)| current.snapshot.layer(&schema.id).is_some());
    let read_warnings: Map<String, Json> =
        layers.map(|(schema, layer)| (schema.id.clone(), layer.read_warnings.into())).collect();
    let reply = current.json(json!({
        "status": status, "features": features, "read_warnings": read_warnings, "unavailable": current.unavailable(),
        "synced": &*call.state.sync_statuses.lock().unwrap_or_else(PoisonError::into_inner),
        "subscriptions": call.state.subscriptions.as_ref().map(|own| own.as_json()),
        "identity_provider": call.state.access.provider.as_ref().map(|own| provider(own.status())),
    }));
    Ok(if current.is_stale() { reply.status(StatusCode::SERVICE_UNAVAILABLE) } else { reply })
}

/// How the keys of the identity provider are kept.
fn provider(status: KeyStatus) -> Json {
    let KeyStatus { keys, confirmed_at, is_failing, .. } = status;
    json!({"keys": keys, "confirmed_at": confirmed_at.map(format_instant), "is_failing": is_failing})
}
