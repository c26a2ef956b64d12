//! `Last-Modified`, `If-Modified-Since` and `If-Unmodified-Since` of features (RFC 9110, sections 8.8.2, 13.1.3 and
//! 13.1.4), without a lost update between two changes in one second.
//!
//! Dates of HTTP have whole seconds, features have microseconds. A feature counts as unmodified since a date only if its
//! own time is not later, to the microsecond. `Last-Modified` therefore is the first whole second at or after the time
//! of the feature. Before that second the date would be in the future, so it is the second that has begun, and it holds
//! only for the state that it was sent with: [`AnnouncedDates`] remembers the states that dates of the current second
//! were sent with. A date that was sent with two states holds for neither.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use actix_web::http::header::{HeaderMap, HeaderName, HttpDate};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, UtcDateTime};

use crate::model::{Fingerprint, LayerSchema, View};
use crate::snapshot::Row;

/// IMF-fixdate (RFC 9110, section 5.6.7).
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
/// The field with the time of the last change.
const UPDATED_AT: &str = "updated_at";
/// Most dates that are remembered.
const MAX_ANNOUNCED: usize = 4_096;

/// When a feature was last modified; `None` if it is unknown, or not shown to the caller.
pub(crate) fn modified_at(view: &View<'_>, row: &Row<'_>) -> Option<UtcDateTime> {
    row.visible(view).instant(UPDATED_AT)
}

/// A date as HTTP writes it.
fn http_date(instant: UtcDateTime) -> String {
    instant.format(HTTP_DATE).unwrap_or_default()
}

/// The earliest date since which a feature of a time counts as unmodified.
pub(crate) fn date_not_before(modified: UtcDateTime) -> String {
    http_date(seconds(modified).1)
}

/// The date of a header, which is ignored if it is not a date of HTTP.
pub(crate) fn date_of(headers: &HeaderMap, name: HeaderName) -> Option<UtcDateTime> {
    let mut values = headers.get_all(name);
    let date = values.next()?.to_str().ok()?.parse::<HttpDate>().ok()?;
    values.next().is_none().then(|| std::time::SystemTime::from(date).into())
}

/// The second in which an instant lies, and the first whole second at or after it.
fn seconds(instant: UtcDateTime) -> (UtcDateTime, UtcDateTime) {
    let begun = instant.replace_nanosecond(0).unwrap_or(instant);
    let next = if begun == instant { begun } else { begun.checked_add(Duration::SECOND).unwrap_or(begun) };
    (begun, next)
}

/// Dates that were sent in their own second, each with the state that it was sent with.
#[derive(Default)]
pub(crate) struct AnnouncedDates(Mutex<VecDeque<Announced>>);

struct Announced {
    /// Seconds since 1970.
    second: i64,
    feature: String,
    /// `None` when the date was sent with several states.
    state: Option<Fingerprint>,
}

impl AnnouncedDates {
    /// The `Last-Modified` of a feature in a state, when the snapshot was last confirmed at a time.
    pub(crate) fn last_modified(
        &self,
        (layer, id): (&LayerSchema, &str),
        state: Fingerprint,
        modified: UtcDateTime,
        confirmed: UtcDateTime,
    ) -> String {
        let (begun, next) = seconds(modified);
        let current = seconds(confirmed).0;
        if next < current {
            return http_date(next);
        }
        // A time in the future is not sent (RFC 9110, section 8.8.2.1).
        let date = if next == current { next } else { begun.min(current) };
        let (second, feature) = (date.unix_timestamp(), name(layer, id));
        let mut announced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match announced.iter_mut().find(|own| own.second == second && own.feature == feature) {
            Some(own) if own.state != Some(state) => own.state = None,
            Some(_) => {}
            None => {
                if announced.len() >= MAX_ANNOUNCED {
                    announced.pop_front();
                }
                announced.push_back(Announced { second, feature, state: Some(state) });
            }
        }
        http_date(date)
    }

    /// The state of a feature that a date was sent with in its own second.
    pub(crate) fn state(&self, (layer, id): (&LayerSchema, &str), date: UtcDateTime) -> Option<Fingerprint> {
        let (second, feature) = (date.unix_timestamp(), name(layer, id));
        let announced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        announced.iter().find(|own| own.second == second && own.feature == feature)?.state
    }
}

fn name(layer: &LayerSchema, id: &str) -> String {
    format!("{}/{id}", layer.id)
}
