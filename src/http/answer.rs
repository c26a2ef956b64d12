//! What every answer made from the picture carries: its version, its age, whether it is stale.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde_json::{Value as Json, json};

use super::Door;
use super::problem::Problem;
use crate::clock;
use crate::snapshot::Snapshot;

/// Features.
pub(super) const GEOJSON: &str = "application/geo+json";
/// Tables for spreadsheets.
pub(super) const CSV: &str = "text/csv; charset=utf-8";

/// A picture that the store has not confirmed for this long is called stale, milliseconds.
const STALE_AFTER_MS: i64 = 3_000;

/// An answer that was made on another thread than the one that sends it.
pub(super) struct Made {
    moment: Moment,
    content_type: &'static str,
    /// The content security policy of a page.
    pub(super) policy: Option<&'static str>,
    body: Vec<u8>,
}

/// Makes an answer that takes its time on a thread that others do not wait for.
pub(super) async fn off_thread(
    make: impl FnOnce() -> Result<Made, Problem> + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let answer = web::block(make).await.map_err(|error| Problem::Ours { incident: error.to_string() })??;
    let mut response = answer.moment.respond(answer.content_type);
    if let Some(policy) = answer.policy {
        response.insert_header((header::CONTENT_SECURITY_POLICY, policy));
    }
    Ok(response.body(answer.body))
}

/// The picture that one answer is made from, and how old it is.
#[derive(Clone)]
pub(super) struct Moment {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) age_ms: i64,
}

impl Moment {
    /// Loads the picture, once for one answer.
    pub(super) fn now(door: &Door) -> Self {
        let snapshot = door.head.load();
        let age_ms = (clock::now_ms() - door.head.confirmed_ms()).max(0);
        Self { snapshot, age_ms }
    }

    pub(super) fn is_stale(&self) -> bool {
        self.age_ms > STALE_AFTER_MS
    }

    /// Seconds since the store last confirmed the picture, to a tenth.
    #[expect(clippy::cast_precision_loss, reason = "an age in tenths of a second")]
    pub(super) fn age_s(&self) -> f64 {
        (self.age_ms / 100) as f64 / 10.0
    }

    /// A tag for what this picture answers to a request in some form: the same until anything changes.
    pub(super) fn tag(&self, request: &HttpRequest, form: &str) -> String {
        let asked = format!("{} {form}", request.uri());
        format!("W/\"{}-{}\"", self.snapshot.version(), etag(asked.as_bytes()).trim_matches(['W', '/', '"']))
    }

    /// Members that tell version and age.
    pub(super) fn members(&self) -> Json {
        json!({
            "data_version": self.snapshot.version().to_string(),
            "data_age_s": self.age_s(),
            "stale": self.is_stale(),
        })
    }

    /// Closes a JSON object that was written by hand, with version and age as its last members.
    pub(super) fn close_object(&self, body: &mut Vec<u8>) {
        let members = self.members().to_string();
        body.push(b',');
        body.extend_from_slice(&members.as_bytes()[1..]);
    }

    /// A successful answer with the headers that tell version and age.
    pub(super) fn respond(&self, content_type: &str) -> HttpResponseBuilder {
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
    pub(super) fn json(&self, body: Json) -> HttpResponse {
        self.respond("application/json").body(self.with_members(body))
    }

    fn with_members(&self, mut body: Json) -> String {
        if let (Some(body), Json::Object(members)) = (body.as_object_mut(), self.members()) {
            body.extend(members);
        }
        body.to_string()
    }

    /// An answer to be sent by another thread.
    pub(super) fn made(&self, content_type: &'static str, body: Vec<u8>) -> Made {
        Made { moment: self.clone(), content_type, policy: None, body }
    }

    /// The same with a JSON object, to which version and age are added.
    pub(super) fn made_json(&self, body: Json) -> Made {
        self.made("application/json", self.with_members(body).into_bytes())
    }
}

/// Whether the caller already has these bytes.
pub(super) fn is_known(request: &HttpRequest, etag: &str) -> bool {
    let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    request
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || weak(tag) == weak(etag))
}

/// A tag for bytes that are sent in several encodings: weak, FNV-1a over 64 bits.
pub(super) fn etag(bytes: &[u8]) -> String {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("W/\"{hash:016x}\"")
}
