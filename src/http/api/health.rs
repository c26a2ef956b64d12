//! Whether the server lives, and whether what it says is fresh.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::http::AppState;
use crate::http::reply::freshness::RequestSnapshot;

/// The process answers.
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "live"}))
}

/// The snapshot follows the store: 200; it does not: 503 with its age, while all other paths go on answering.
pub(crate) async fn ready(state: web::Data<AppState>) -> HttpResponse {
    let current = RequestSnapshot::now(&state);
    let status = if current.is_stale() { "stale" } else { "ready" };
    let features: usize = current.snapshot.layers().iter().map(|layer| layer.len()).sum();
    let mut response = current.json(json!({"status": status, "features": features}));
    if current.is_stale() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}
