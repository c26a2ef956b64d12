//! The stream of change events (WHATWG HTML, section 9.2): what changed on the map, as it happens.
//!
//! A stream keeps nothing but its position. It is asked for more only while its caller reads, and then looks up in
//! the snapshot's history what happened since: a slow caller costs no memory, and one that is too slow is told to
//! fetch everything anew.

use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{self, Bytes};
use futures_util::stream::unfold;
use serde_json::Value as Json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep};

use crate::geodesy::crs_transform::CrsTransform;
use crate::geodesy::region::Region;
use crate::http::api::change_events::EventFilter;
use crate::http::call::Call;
use crate::http::params::crs::bbox;
use crate::http::params::{QueryParams, layer, spec};
use crate::http::reply::Reply;
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::problem::Problem;
use crate::http::state::AppState;
use crate::model::LayerIndex;
use crate::snapshot::{Snapshot, Version};

/// How often a stream checks whether the snapshot has become stale or fresh.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Interval of comments on a silent stream, so that proxies keep the connection.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// When a caller whose stream broke tries again, milliseconds.
const RETRY_MS: u32 = 2_000;

/// `GET /api/events`: streams what changes from now on, or from `Last-Event-ID` on.
#[expect(clippy::unused_async, reason = "asynchronous handlers have one type")]
pub(crate) async fn events(call: Call<'static>) -> Result<Reply, Problem> {
    let (state, current) = (call.state.clone(), call.current.clone());
    let versions = state.snapshots.versions();
    let filter = filter(&call.params, &current.snapshot)?;
    let reply = Reply::new(StatusCode::OK)
        .header((header::CONTENT_TYPE, "text/event-stream"))
        .header((header::CACHE_CONTROL, "no-store"))
        // No proxy may hold events back.
        .header(("x-accel-buffering", "no"))
        .header(header::ContentEncoding::Identity)
        .closing();
    if call.method == Method::HEAD {
        return Ok(reply);
    }
    let streams = &state.streams;
    let place = streams.place()?;
    let header = call.header("last-event-id");
    let last = header.or(call.params.get(&spec::LAST_EVENT_ID)).filter(|id| !id.is_empty());
    let position = last.map_or(Some(current.snapshot.version()), |id| version_of(&state.run, id));
    let stream = EventStream {
        closing: streams.closing(),
        position,
        stale: current.is_stale(),
        spoke_at: Instant::now(),
        is_new: true,
        pending_id: false,
        state,
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

/// The version in an event id of a run of the program.
fn version_of(run: &str, event_id: &str) -> Option<Version> {
    let (own, version) = event_id.split_once('-')?;
    version.parse().ok().filter(|_| own == run)
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

/// One caller who listens.
struct EventStream {
    state: web::Data<AppState>,
    filter: EventFilter,
    versions: watch::Receiver<Version>,
    closing: watch::Receiver<bool>,
    /// The version that was told last; `None` when the caller names one that is not known here.
    position: Option<Version>,
    stale: bool,
    spoke_at: Instant,
    is_new: bool,
    /// The position moved on without a word.
    pending_id: bool,
    _place: OwnedSemaphorePermit,
}

impl EventStream {
    /// Waits for something to tell; `None` when the program stops.
    async fn next(&mut self) -> Option<String> {
        loop {
            if *self.closing.borrow() {
                return None;
            }
            let text = self.news();
            if !text.is_empty() {
                self.spoke_at = Instant::now();
                return Some(text);
            }
            tokio::select! {
                ended = self.closing.changed() => ended.ok()?,
                ended = self.versions.changed() => ended.ok()?,
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// All events that are due now.
    fn news(&mut self) -> String {
        let current = RequestSnapshot::now(&self.state);
        let now = current.snapshot.version();
        let mut text = String::new();
        if std::mem::take(&mut self.is_new) {
            let id = self.position.map(|position| self.event_id(position)).unwrap_or_default();
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
        if text.is_empty() && self.spoke_at.elapsed() >= HEARTBEAT_EVERY {
            text.push_str(": still here\n");
            if std::mem::take(&mut self.pending_id) {
                text.push_str(&self.event_id(now));
            }
            text.push('\n');
        }
        text
    }

    /// What happened between the position and the snapshot.
    fn changes(&mut self, current: &RequestSnapshot) -> String {
        let now = current.snapshot.version();
        let swaps = self.position.and_then(|position| self.state.snapshots.changes(position, now));
        let Some(news) = swaps.and_then(|swaps| self.filter.news(&current.snapshot, &swaps)) else {
            self.pending_id = false;
            return self.event_id(now) + &event("reset", &current.members());
        };
        let Some((last, others)) = news.split_last() else {
            self.pending_id = true;
            return String::new();
        };
        self.pending_id = false;
        // A client that loses the connection between two layers of one version receives both again.
        let others: String = others.iter().map(|told| event("change", told)).collect();
        others + &self.event_id(now) + &event("change", last)
    }

    fn event_id(&self, version: Version) -> String {
        format!("id: {}-{version}\n", self.state.run)
    }
}

fn event(name: &str, data: &Json) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
