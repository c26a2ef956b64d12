//! The notices of a subscription as server-sent events (WHATWG HTML, section 9.2): the id of an event is the sequence number
//! of its notice, so that a client resumes where it was, also after a restart of the server.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::web::{self, Bytes};
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep};

use crate::access::identity::Identity;
use crate::http::api::subscriptions::{find, registry};
use crate::http::call::Call;
use crate::http::params::{invalid, spec};
use crate::http::reply::Reply;
use crate::http::reply::event_stream::{HEARTBEAT_EVERY, RETRY_MS, event_stream, is_permitted};
use crate::http::reply::problem::Problem;
use crate::http::state::AppState;
use crate::subscription::Notice;

/// Interval of checks for notices that another process has written, and of the account.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Notices that are read at once.
const AT_ONCE: i64 = 100;

/// `GET /api/subscriptions/{subscriptionId}/events`: notices from now on, or those after `Last-Event-ID`.
pub(crate) async fn events(call: Call<'static>) -> Result<Reply, Problem> {
    let own = find(&call).await?;
    let last = call.header("last-event-id").or(call.params.get(&spec::LAST_EVENT_ID)).filter(|id| !id.is_empty());
    let position = match last {
        None => own.last_sequence,
        Some(text) => text.parse().ok().filter(|last| (0..=own.last_sequence).contains(last)).ok_or_else(|| {
            let accepted = format!("0 to {}", own.last_sequence);
            invalid("Last-Event-ID", text, "it is no number of a notice of this subscription", &accepted)
        })?,
    };
    let reply = event_stream();
    if call.method == Method::HEAD {
        return Ok(reply);
    }
    let stream = NoticeStream {
        _place: call.state.streams.place()?,
        closing: call.state.streams.closing(),
        updates: registry(&call)?.updates.subscribe(),
        identity: call.caller.identity().cloned(),
        state: call.state.clone(),
        id: own.id,
        position,
        last_sent: Instant::now(),
        is_new: true,
    };
    let stream = unfold(stream, |mut stream| async move {
        let text = stream.next().await?;
        Some((Ok(Bytes::from(text)), stream))
    });
    Ok(reply.stream(stream))
}

/// One open stream.
struct NoticeStream {
    state: web::Data<AppState>,
    identity: Option<Identity>,
    id: String,
    /// Number of the notice that was sent last.
    position: i64,
    closing: watch::Receiver<bool>,
    updates: watch::Receiver<u64>,
    last_sent: Instant,
    is_new: bool,
    _place: OwnedSemaphorePermit,
}

impl NoticeStream {
    /// Waits for the next notices; `None` when the server shuts down, the subscription has ended, or the account no longer
    /// works.
    async fn next(&mut self) -> Option<String> {
        loop {
            if *self.closing.borrow() || !is_permitted(&self.state, self.identity.as_ref()) {
                return None;
            }
            self.updates.borrow_and_update();
            let text = self.due().await?;
            if !text.is_empty() {
                self.last_sent = Instant::now();
                return Some(text);
            }
            tokio::select! {
                ended = self.closing.changed() => ended.ok()?,
                ended = self.updates.changed() => ended.ok()?,
                () = sleep(CHECK_EVERY) => {}
            }
        }
    }

    /// What is due now; empty if nothing is.
    async fn due(&mut self) -> Option<String> {
        let file = &self.state.subscriptions.as_ref()?.file;
        // A file that cannot be read ends the stream; the client comes back.
        file.subscription(&self.id).await.ok()??;
        let notices = file.after(&self.id, self.position, AT_ONCE).await.ok()?;
        let mut text = String::new();
        if std::mem::take(&mut self.is_new) {
            text = format!("retry: {RETRY_MS}\n{}", event(self.position, "hello", &json!({"sequence": self.position})));
        }
        // Old notices are not kept for ever.
        if let Some(first) = notices.first().filter(|first| first.sequence > self.position + 1) {
            let lost = json!({"after": self.position, "before": first.sequence});
            text.push_str(&event(first.sequence - 1, "lost", &lost));
        }
        for stored in &notices {
            text.push_str(&event(stored.sequence, "notice", &Notice::of(stored).0));
            self.position = stored.sequence;
        }
        if text.is_empty() && self.last_sent.elapsed() >= HEARTBEAT_EVERY {
            text.push_str(": still here\n\n");
        }
        Some(text)
    }
}

fn event(id: i64, name: &str, data: &serde_json::Value) -> String {
    format!("id: {id}\nevent: {name}\ndata: {data}\n\n")
}
