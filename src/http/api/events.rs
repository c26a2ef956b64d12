//! The stream of change events (WHATWG HTML, section 9.2): changes of the map as they happen.
//!
//! A stream stores only its position. It is polled only while its client reads, and then takes the changes since that
//! position from the snapshot history. A slow client therefore uses no memory, and a client that falls behind the
//! history receives `reset` and must load everything again.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::web::{self, Bytes};
use futures_util::stream::unfold;
use serde_json::Value as Json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep};

use crate::access::identity::Identity;
use crate::geodesy::crs_transform::CrsTransform;
use crate::geodesy::region::Region;
use crate::http::api::change_events::EventFilter;
use crate::http::call::Call;
use crate::http::params::crs::bbox;
use crate::http::params::{QueryParams, layer, spec};
use crate::http::reply::Reply;
use crate::http::reply::event_stream::{HEARTBEAT_EVERY, RETRY_MS, event_stream, is_permitted};
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::problem::Problem;
use crate::http::state::{AppState, Audience};
use crate::model::LayerIndex;
use crate::snapshot::{Snapshot, Version};

/// Interval at which a stream checks whether the snapshot has become stale or fresh.
const FRESHNESS_CHECK_EVERY: Duration = Duration::from_secs(1);

/// How long a stream waits for a version that another server has already sent.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(3);

/// `GET /api/events`: streams changes from now on, or those after `Last-Event-ID`.
#[expect(clippy::unused_async, reason = "asynchronous handlers have one type")]
pub(crate) async fn events(call: Call<'static>) -> Result<Reply, Problem> {
    let (state, audience, current) = (call.state.clone(), call.audience.clone(), call.current.clone());
    let versions = audience.snapshots.versions();
    let filter = filter(&call.params, &current.snapshot)?;
    let reply = event_stream();
    if call.method == Method::HEAD {
        return Ok(reply);
    }
    let streams = &state.streams;
    let place = streams.place()?;
    let header = call.header("last-event-id");
    let last = header.or(call.params.get(&spec::LAST_EVENT_ID)).filter(|id| !id.is_empty());
    let resume = last.map(|id| Resume { id: id.to_owned(), until: Instant::now() + CATCH_UP_TIMEOUT });
    let stream = EventStream {
        closing: streams.closing(),
        position: Some(current.snapshot.version()),
        resume,
        stale: current.is_stale(),
        last_sent: Instant::now(),
        is_new: true,
        pending_id: false,
        state,
        audience,
        identity: call.caller.identity().cloned(),
        filter,
        versions,
        _place: place,
    };
    let stream = unfold(stream, |mut stream| async move {
        let text = stream.next().await?;
        Some((Ok(Bytes::from(text)), stream))
    });
    Ok(reply.stream(stream))
}

/// An event id from which a client resumes.
struct Resume {
    id: String,
    /// How long its version may be newer than those of this server.
    until: Instant,
}

impl Resume {
    /// The version to continue from; `None` if the id is from another log, or too old. Another server may have made
    /// several snapshots of changes that are one here, so the client receives some of them again.
    fn version(&self, audience: &Audience, snapshot: &Snapshot) -> Option<Version> {
        let version = self.version_in(&audience.lineage(snapshot))?;
        audience.snapshots.known_version(version).filter(|_| version <= snapshot.version())
    }

    /// Whether another server, which sent the id, is ahead of this one.
    fn is_ahead(&self, audience: &Audience, snapshot: &Snapshot) -> bool {
        snapshot.shared().is_some()
            && Instant::now() < self.until
            && self.version_in(&audience.lineage(snapshot)).is_some_and(|version| version > snapshot.version())
    }

    fn version_in(&self, lineage: &str) -> Option<Version> {
        let (own, version) = self.id.split_once('-')?;
        version.parse().ok().filter(|_| own == lineage)
    }
}

fn filter(params: &QueryParams, snapshot: &Snapshot) -> Result<EventFilter, Problem> {
    let position = |name: &str| {
        let id = &layer(snapshot, "layer", name)?.schema().id;
        let found = LayerIndex::each(snapshot.layers()).find(|(_, layer)| layer.schema().id == *id);
        Ok::<_, Problem>(found.map(|(index, _)| index))
    };
    let layers = match params.list(&spec::LAYERS)?.as_slice() {
        [] => None,
        names => Some(names.iter().filter_map(|name| position(name).transpose()).collect::<Result<_, _>>()?),
    };
    let boxes = match bbox(&CrsTransform::crs84(), params)? {
        Some(Region::Box(bbox)) => Some(bbox.split().collect()),
        Some(Region::Area(_)) | None => None,
    };
    Ok(EventFilter { layers, boxes })
}

/// One open event stream.
struct EventStream {
    state: web::Data<AppState>,
    audience: Arc<Audience>,
    identity: Option<Identity>,
    filter: EventFilter,
    versions: watch::Receiver<Version>,
    closing: watch::Receiver<bool>,
    /// The version sent last; `None` if the client resumes from an unknown event id.
    position: Option<Version>,
    /// The id from which the client resumes, until its version is found.
    resume: Option<Resume>,
    stale: bool,
    last_sent: Instant,
    is_new: bool,
    /// The position advanced without an event, so the client does not have its id yet.
    pending_id: bool,
    _place: OwnedSemaphorePermit,
}

impl EventStream {
    /// Waits for the next events; `None` when the server shuts down, or the account no longer works.
    async fn next(&mut self) -> Option<String> {
        loop {
            // Whoever loses the account also loses the streams that it opened.
            if *self.closing.borrow() || !is_permitted(&self.state, self.identity.as_ref()) {
                return None;
            }
            let text = self.due_events();
            if !text.is_empty() {
                self.last_sent = Instant::now();
                return Some(text);
            }
            tokio::select! {
                ended = self.closing.changed() => ended.ok()?,
                ended = self.versions.changed() => ended.ok()?,
                () = sleep(FRESHNESS_CHECK_EVERY) => {}
            }
        }
    }

    /// All events that are due now; empty if there are none.
    fn due_events(&mut self) -> String {
        let current = RequestSnapshot::now(&self.audience, &*self.state.store);
        let now = current.snapshot.version();
        let mut text = String::new();
        if let Some(resume) = self.resume.take() {
            if resume.is_ahead(&self.audience, &current.snapshot) {
                self.resume = Some(resume);
                return text;
            }
            self.position = resume.version(&self.audience, &current.snapshot);
        }
        if std::mem::take(&mut self.is_new) {
            let id = self.position.map(|position| self.event_id(&current, position)).unwrap_or_default();
            text = format!("retry: {RETRY_MS}\n{id}{}", event("hello", &current.members()));
            self.stale = current.is_stale();
        }
        if self.position != Some(now) {
            text.push_str(&self.changes(&current));
            self.position = Some(now);
        }
        if self.stale != current.is_stale() {
            self.stale = current.is_stale();
            text.push_str(&event("freshness", &current.members()));
        }
        if text.is_empty() && self.last_sent.elapsed() >= HEARTBEAT_EVERY {
            text.push_str(": still here\n");
            if std::mem::take(&mut self.pending_id) {
                text.push_str(&self.event_id(&current, now));
            }
            text.push('\n');
        }
        text
    }

    /// Events for the changes between the position and the snapshot.
    fn changes(&mut self, current: &RequestSnapshot) -> String {
        let now = current.snapshot.version();
        let diffs = self.position.and_then(|position| self.audience.snapshots.changes(position, now));
        let Some(changes) = diffs.and_then(|diffs| self.filter.layer_changes(&current.snapshot, &diffs)) else {
            self.pending_id = false;
            return self.event_id(current, now) + &event("reset", &current.members());
        };
        let Some((last, others)) = changes.split_last() else {
            self.pending_id = true;
            return String::new();
        };
        self.pending_id = false;
        // A client that loses the connection between two layers of one version receives both again.
        let others: String = others.iter().map(|change| event("change", change)).collect();
        others + &self.event_id(current, now) + &event("change", last)
    }

    fn event_id(&self, current: &RequestSnapshot, version: Version) -> String {
        format!("id: {}-{version}\n", self.audience.lineage(&current.snapshot))
    }
}

fn event(name: &str, data: &Json) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
