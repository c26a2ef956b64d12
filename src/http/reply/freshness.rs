//! Members and headers of every reply from the snapshot: version, age, unavailable layers.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use serde_json::{Map, Value as Json, json};
use time::UtcDateTime;

use crate::clock;
use crate::http::reply::Reply;
use crate::http::state::Audience;
use crate::snapshot::Snapshot;
use crate::store::Store;

/// Milliseconds without confirmation by the store after which a snapshot is stale.
const STALE_AFTER_MS: i64 = 3_000;

/// The snapshot of one request, and its age.
#[derive(Clone)]
pub(crate) struct RequestSnapshot {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) age_ms: i64,
    /// When it was loaded for this reply.
    loaded: UtcDateTime,
    /// Layers that are currently unreadable, with the age of their last state.
    unavailable: Vec<(String, Duration)>,
}

impl RequestSnapshot {
    /// Loads the current snapshot; called once for each request.
    pub(crate) fn now(audience: &Audience, store: &dyn Store) -> Self {
        let (loaded, snapshot) = (clock::now(), audience.snapshots.load());
        let age_ms = i64::try_from(audience.snapshots.age().as_millis()).unwrap_or(i64::MAX);
        let statuses = if store.has_unavailable_layers() { store.layer_statuses() } else { Vec::new() };
        let layers = store.schemas().iter().zip(statuses);
        let unavailable = layers.filter_map(|(schema, status)| Some((schema.id.clone(), status.unavailable_for?)));
        let unavailable = unavailable.filter(|(id, _)| snapshot.layer(id).is_some()).collect();
        Self { snapshot, age_ms, loaded, unavailable }
    }

    /// The same for a reply from a single layer: if the layer is unavailable, the age is that of its last state.
    pub(crate) fn of_layer(mut self, id: &str) -> Self {
        self.unavailable.retain(|(layer, _)| layer == id);
        for (_, age) in &self.unavailable {
            self.age_ms = self.age_ms.max(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        }
        self
    }

    /// The unavailable layers as JSON, by id.
    pub(crate) fn unavailable(&self) -> Map<String, Json> {
        self.unavailable.iter().map(|(layer, age)| (layer.clone(), json!({"age_s": age.as_secs()}))).collect()
    }

    /// When the snapshot last equalled the store.
    pub(crate) fn confirmed(&self) -> UtcDateTime {
        self.loaded.checked_sub(time::Duration::milliseconds(self.age_ms)).unwrap_or(UtcDateTime::UNIX_EPOCH)
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.age_ms > STALE_AFTER_MS
    }

    /// Seconds since the store last confirmed the snapshot, rounded down to tenths.
    #[expect(clippy::cast_precision_loss, reason = "an age in tenths of a second")]
    pub(crate) fn age_s(&self) -> f64 {
        (self.age_ms / 100) as f64 / 10.0
    }

    /// Members with version and age, and with the unavailable layers if there are any.
    pub(crate) fn members(&self) -> Json {
        let mut members = json!({
            "data_version": self.snapshot.version().to_string(),
            "data_age_s": self.age_s(),
            "stale": self.is_stale(),
        });
        if !self.unavailable.is_empty() {
            members["unavailable"] = self.unavailable().into();
        }
        members
    }

    /// Closes a JSON object under construction, with version and age as its last members.
    pub(crate) fn close_object(&self, body: &mut Vec<u8>) {
        body.push(b',');
        body.extend(self.members().to_string().bytes().skip(1));
    }

    /// A successful reply with the headers for version and age.
    pub(crate) fn reply(&self, content_type: &'static str) -> Reply {
        let mut reply = Reply::new(StatusCode::OK)
            .header((header::CONTENT_TYPE, content_type))
            .header((header::CACHE_CONTROL, "no-cache"))
            .header(("x-onemap-data-version", self.snapshot.version()))
            .header((header::AGE, self.age_ms / 1000));
        if self.is_stale() {
            reply.set_header((header::WARNING, "110 onemap \"the data may be out of date\""));
        } else if !self.unavailable.is_empty() {
            let layers: Vec<&str> = self.unavailable.iter().map(|(layer, _)| layer.as_str()).collect();
            reply.set_header((header::WARNING, format!("110 onemap \"{} may be out of date\"", layers.join(", "))));
        }
        reply
    }

    /// A JSON object with version and age added to it.
    pub(crate) fn json(&self, mut body: Json) -> Reply {
        if let (Some(body), Json::Object(members)) = (body.as_object_mut(), self.members()) {
            body.extend(members);
        }
        self.reply("application/json").body(body.to_string())
    }
}
