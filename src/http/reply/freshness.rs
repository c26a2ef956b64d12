//! What every answer made from the snapshot carries: its version, its age, whether it is stale.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde_json::{Value as Json, json};

use crate::clock;
use crate::http::AppState;
use crate::http::reply::problem::Problem;
use crate::snapshot::Snapshot;

/// Features.
pub(crate) const GEOJSON: &str = "application/geo+json";
/// Tables for spreadsheets.
pub(crate) const CSV: &str = "text/csv; charset=utf-8";

/// A snapshot that the store has not confirmed for this long is called stale, milliseconds.
const STALE_AFTER_MS: i64 = 3_000;

/// An answer that was made on another thread than the one that sends it.
pub(crate) struct Rendered {
    current: RequestSnapshot,
    content_type: &'static str,
    /// The content security policy of a page.
    pub(crate) policy: Option<&'static str>,
    body: Vec<u8>,
}

/// Makes an answer that takes its time on a thread that others do not wait for.
pub(crate) async fn blocking(
    make: impl FnOnce() -> Result<Rendered, Problem> + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let answer = web::block(make).await.map_err(|error| Problem::Ours { incident: error.to_string() })??;
    let mut response = answer.current.respond(answer.content_type);
    if let Some(policy) = answer.policy {
        response.insert_header((header::CONTENT_SECURITY_POLICY, policy));
    }
    Ok(response.body(answer.body))
}

/// The snapshot that one answer is made from, and how old it is.
#[derive(Clone)]
pub(crate) struct RequestSnapshot {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) age_ms: i64,
}

impl RequestSnapshot {
    /// Loads the snapshot, once for one answer.
    pub(crate) fn now(state: &AppState) -> Self {
        let snapshot = state.head.load();
        let age_ms = (clock::now_ms() - state.head.confirmed_ms()).max(0);
        Self { snapshot, age_ms }
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.age_ms > STALE_AFTER_MS
    }

    /// Seconds since the store last confirmed the snapshot, to a tenth.
    #[expect(clippy::cast_precision_loss, reason = "an age in tenths of a second")]
    pub(crate) fn age_s(&self) -> f64 {
        (self.age_ms / 100) as f64 / 10.0
    }

    /// A tag for what this snapshot answers to a request in some form: the same until anything changes.
    pub(crate) fn tag(&self, request: &HttpRequest, form: &str) -> String {
        let asked = format!("{} {form}", request.uri());
        format!("W/\"{}-{}\"", self.snapshot.version(), etag(asked.as_bytes()).trim_matches(['W', '/', '"']))
    }

    /// Members that tell version and age.
    pub(crate) fn members(&self) -> Json {
        json!({
            "data_version": self.snapshot.version().to_string(),
            "data_age_s": self.age_s(),
            "stale": self.is_stale(),
        })
    }

    /// Closes a JSON object that was written by hand, with version and age as its last members.
    pub(crate) fn close_object(&self, body: &mut Vec<u8>) {
        let members = self.members().to_string();
        body.push(b',');
        body.extend_from_slice(&members.as_bytes()[1..]);
    }

    /// A successful answer with the headers that tell version and age.
    pub(crate) fn respond(&self, content_type: &str) -> HttpResponseBuilder {
        let mut response = HttpResponse::Ok();
        response
            .insert_header((header::CONTENT_TYPE, content_type))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header(("X-Onemap-Data-Version", self.snapshot.version().to_string()))
            .insert_header((header::AGE, self.age_ms / 1000));
        if self.is_stale() {
            response.insert_header((header::WARNING, "110 onemap \"the data may be out of date\""));
        }
        response
    }

    /// A JSON object with version and age added to it.
    pub(crate) fn json(&self, body: Json) -> HttpResponse {
        self.respond("application/json").body(self.with_members(body))
    }

    fn with_members(&self, mut body: Json) -> String {
        if let (Some(body), Json::Object(members)) = (body.as_object_mut(), self.members()) {
            body.extend(members);
        }
        body.to_string()
    }

    /// An answer to be sent by another thread.
    pub(crate) fn made(&self, content_type: &'static str, body: Vec<u8>) -> Rendered {
        Rendered { current: self.clone(), content_type, policy: None, body }
    }

    /// The same with a JSON object, to which version and age are added.
    pub(crate) fn made_json(&self, body: Json) -> Rendered {
        self.made("application/json", self.with_members(body).into_bytes())
    }
}

/// Whether the caller already has these bytes.
pub(crate) fn is_known(request: &HttpRequest, etag: &str) -> bool {
    let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    request
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || weak(tag) == weak(etag))
}

/// A tag for bytes that are sent in several encodings: weak, FNV-1a over 64 bits.
pub(crate) fn etag(bytes: &[u8]) -> String {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("W/\"{hash:016x}\"")
}
