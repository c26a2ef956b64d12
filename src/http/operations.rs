//! Whether the server lives, and whether what it says is fresh.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::Door;
use super::answer::Moment;

/// The process answers.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "live"}))
}

/// The picture follows the store: 200; it does not: 503 with its age, while all other paths go on answering.
pub(super) async fn ready(door: web::Data<Door>) -> HttpResponse {
    let moment = Moment::now(&door);
    let status = if moment.is_stale() { "stale" } else { "ready" };
    let features: usize = moment.snapshot.layers().iter().map(|layer| layer.len()).sum();
    let mut response = moment.json(json!({"status": status, "features": features}));
    if moment.is_stale() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}
