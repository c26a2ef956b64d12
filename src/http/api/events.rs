//! The stream of change events (WHATWG HTML, section 9.2): what changed on the map, as it happens.
//!
//! A stream keeps nothing but its position. It is asked for more only while its caller reads, and then looks up in
//! the snapshot's history what happened since: a slow caller costs no memory, and one that is too slow is told to
//! fetch everything anew.

use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream::unfold;
use serde_json::Value as Json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep};

use crate::clock;
use crate::geodesy::reference::{CrsTransform, Region};
use crate::http::AppState;
use crate::http::api::change_events::EventFilter;
use crate::http::params::{QueryParams, layer};
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::problem::Problem;
use crate::snapshot::{Snapshot, Version};

/// How often a stream looks whether the snapshot has become stale or fresh.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest silence on a stream, so that nobody between takes it for dead.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// When a caller whose stream broke tries again, milliseconds.
const RETRY_MS: u32 = 2_000;
/// When a caller for whom there was no room may ask again, seconds.
const RETRY_AFTER_S: u32 = 10;

/// What all streams share.
pub(crate) struct Streams {
    /// Names this run of the program: versions of an earlier one are not compared with its own.
    run: String,
    limit: usize,
    places: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl Streams {
    /// At most `limit` at once, until `closing` turns true.
    pub(crate) fn new(limit: usize, closing: watch::Receiver<bool>) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        let run = format!("{:016x}", RandomState::new().hash_one(clock::now_ms()));
        Self { run, limit, places: Arc::new(Semaphore::new(limit)), closing }
    }

    /// The version in an event id of this run.
    fn version_of(&self, event_id: &str) -> Option<Version> {
        let (run, version) = event_id.split_once('-')?;
        version.parse().ok().filter(|_| run == self.run)
    }
}

pub(crate) const PARAMETERS: [&str; 3] = ["layers", "bbox", "last_event_id"];

/// Streams what changes from now on, or from `Last-Event-ID` on.
pub(crate) async fn events(
    request: HttpRequest,
    state: web::Data<AppState>,
    streams: web::Data<Streams>,
) -> Result<HttpResponse, Problem> {
    let parameters = QueryParams::read(&request, &PARAMETERS)?;
    let versions = state.head.versions();
    let current = RequestSnapshot::now(&state);
    let filter = filter(&parameters, &current.snapshot)?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Neither a proxy nor the packer may hold back what was said.
        .insert_header(("X-Accel-Buffering", "no"))
        .insert_header(header::ContentEncoding::Identity)
        .force_close();
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let place = streams.places.clone().try_acquire_owned().map_err(|_| Problem::TooMany {
        what: "event streams",
        limit: streams.limit,
        retry_after_s: RETRY_AFTER_S,
    })?;
    let header = request.headers().get("Last-Event-ID").and_then(|id| id.to_str().ok());
    let last = header.or(parameters.get("last_event_id")).filter(|id| !id.is_empty());
    let position = last.map_or(Some(current.snapshot.version()), |id| streams.version_of(id));
    let stream = EventStream {
        closing: streams.closing.clone(),
        position,
        stale: current.is_stale(),
        spoke_at: Instant::now(),
        is_new: true,
        pending_id: false,
        state,
        streams,
        filter,
        versions,
        _place: place,
    };
    let stream = unfold(stream, |mut stream| async move {
        let text = stream.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), stream))
    });
    Ok(response.streaming(stream))
}

fn filter(parameters: &QueryParams, snapshot: &Snapshot) -> Result<EventFilter, Problem> {
    let position = |name: &str| {
        let id = &layer(snapshot, "layer", name)?.schema().id;
        Ok::<_, Problem>(snapshot.layers().iter().position(|layer| layer.schema().id == *id))
    };
    let layers = match parameters.get("layers") {
        Some(names) => Some(names.split(',').filter_map(|name| position(name).transpose()).collect::<Result<_, _>>()?),
        None => None,
    };
    let boxes = match parameters.bbox(&CrsTransform::crs84())? {
        Some(Region::Box(bbox)) => Some(bbox.split().collect()),
        Some(Region::Area(_)) | None => None,
    };
    Ok(EventFilter { layers, boxes })
}

/// One caller who listens.
struct EventStream {
    state: web::Data<AppState>,
    streams: web::Data<Streams>,
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

    /// Everything that is to be told now.
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
        let swaps = self.position.and_then(|position| self.state.head.changes(position, now));
        let Some(news) = swaps.and_then(|swaps| self.filter.news(&current.snapshot, &swaps)) else {
            self.pending_id = false;
            return self.event_id(now) + &event("reset", &current.members());
        };
        let Some((last, others)) = news.split_last() else {
            self.pending_id = true;
            return String::new();
        };
        self.pending_id = false;
        // Whoever loses the connection between two layers of one version hears of both again.
        let others: String = others.iter().map(|told| event("change", told)).collect();
        others + &self.event_id(now) + &event("change", last)
    }

    fn event_id(&self, version: Version) -> String {
        format!("id: {}-{version}\n", self.streams.run)
    }
}

fn event(name: &str, data: &Json) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
