//! Delivers notices to webhooks: at least once, each with the same id, again with growing pauses until they are too old.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::UtcDateTime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::registry::{Notice, Registry, SubscriptionDocument};
use super::webhook::{Message, SendError, key_of, send};
use crate::store::StoreError;
use crate::store::notices::{Attempt, StoredNotice};

/// Interval at which notices that became due are looked for.
const CHECK_EVERY: Duration = Duration::from_millis(500);
/// Attempts at the same time, at most one of each subscription.
const MAX_ATTEMPTS: usize = 16;
/// Pause after the first failed attempt; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// Pause before the next notice of a subscription after a failed attempt: a receiver that is down is not asked for each.
const RECEIVER_PAUSE: Duration = Duration::from_secs(5);
/// The receiver wants no more of it (RFC 9110, section 15.5.11).
const GONE: u16 = 410;

/// The result of an attempt: the notice, and what the receiver answered.
type Answered = (StoredNotice, Result<(), SendError>);

/// Delivers notices as long as this process holds the lock, until `stop` turns true.
pub async fn keep_delivering(registry: Arc<Registry>, now: fn() -> UtcDateTime, mut stop: watch::Receiver<bool>) {
    let mut attempts: JoinSet<Answered> = JoinSet::new();
    let mut busy: HashSet<String> = HashSet::new();
    let mut pauses: HashMap<String, Instant> = HashMap::new();
    let mut updates = registry.updates.subscribe();
    let mut is_failing = false;
    while !*stop.borrow() {
        let mut done = Ok(());
        if registry.holds_lock() {
            done = start(&registry, &mut attempts, (&mut busy, &mut pauses), now()).await;
        }
        if let Ok(counts) = registry.file.counts().await {
            registry.note(|figures| figures.counts = counts);
        }
        tokio::select! {
            Some(ended) = attempts.join_next() => match ended {
                Ok((notice, answer)) => {
                    busy.remove(&notice.subscription);
                    if answer.is_err() {
                        pauses.insert(notice.subscription.clone(), Instant::now() + RECEIVER_PAUSE.min(pause(notice.attempts)));
                    }
                    done = done.and(settle(&registry, &notice, answer, now()).await);
                }
                Err(error) => {
                    tracing::error!(%error, "an attempt to deliver a notice ended early");
                    busy.clear();
                }
            },
            _ = updates.changed() => {}
            () = tokio::time::sleep(CHECK_EVERY) => {}
            _ = stop.changed() => {}
        }
        match done {
            Ok(()) => is_failing = false,
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::error!(%error, "deliveries cannot be read or recorded; retrying");
                }
                tokio::time::sleep(CHECK_EVERY).await;
            }
        }
    }
}

/// Starts an attempt for each subscription that has a notice due.
async fn start(
    registry: &Arc<Registry>,
    attempts: &mut JoinSet<Answered>,
    (busy, pauses): (&mut HashSet<String>, &mut HashMap<String, Instant>),
    now: UtcDateTime,
) -> Result<(), StoreError> {
    pauses.retain(|_, until| *until > Instant::now());
    for notice in registry.file.due(ms(now)).await? {
        let is_waiting = busy.contains(&notice.subscription) || pauses.contains_key(&notice.subscription);
        if is_waiting || busy.len() >= MAX_ATTEMPTS {
            continue;
        }
        let Some(own) = registry.file.subscription(&notice.subscription).await? else { continue };
        // Whoever loses the account also loses what it subscribed to.
        if registry.view_of(&own.owner, now).is_none() {
            if is_old(registry, &notice, now) {
                give_up(registry, &notice, "the account no longer works".to_owned()).await?;
            }
            continue;
        }
        let target = serde_json::from_str::<SubscriptionDocument>(&own.document).ok().and_then(|own| own.webhook);
        let target = target.and_then(|target| Some((key_of(&target.secret)?, target.url)));
        let Some((key, url)) = target else {
            give_up(registry, &notice, "the subscription has no webhook".to_owned()).await?;
            continue;
        };
        busy.insert(notice.subscription.clone());
        let message = Message { id: Notice::id(&notice), body: Notice::of(&notice).0.to_string(), url, key };
        let registry = registry.clone();
        attempts.spawn_blocking(move || {
            let answer = send(&registry.rules, &message, now.unix_timestamp());
            (notice, answer)
        });
    }
    Ok(())
}

/// Records the answer of a receiver.
async fn settle(
    registry: &Registry,
    notice: &StoredNotice,
    answer: Result<(), SendError>,
    now: UtcDateTime,
) -> Result<(), StoreError> {
    let error = match answer {
        Ok(()) => {
            registry.note(|figures| figures.attempts.delivered += 1);
            return registry.file.settle(notice, &Attempt::Delivered).await;
        }
        Err(error) => error,
    };
    registry.note(|figures| figures.attempts.failed += 1);
    let id = Notice::id(notice);
    tracing::info!(notice = id, attempts = notice.attempts + 1, %error, "a notice was not delivered");
    if error == SendError::Status(GONE) || is_old(registry, notice, now) {
        return give_up(registry, notice, error.to_string()).await;
    }
    let pause = i64::try_from(pause(notice.attempts).as_millis()).unwrap_or(i64::MAX);
    let attempt = Attempt::Again { due_ms: ms(now).saturating_add(pause), reason: error.to_string() };
    registry.file.settle(notice, &attempt).await
}

async fn give_up(registry: &Registry, notice: &StoredNotice, reason: String) -> Result<(), StoreError> {
    tracing::warn!(notice = Notice::id(notice), reason, "a notice was given up");
    registry.note(|figures| figures.attempts.given_up += 1);
    registry.file.settle(notice, &Attempt::GivenUp { reason }).await
}

fn is_old(registry: &Registry, notice: &StoredNotice, now: UtcDateTime) -> bool {
    u128::try_from(ms(now) - notice.at_ms).is_ok_and(|age| age >= registry.rules.max_age.as_millis())
}

/// The pause after so many earlier attempts, between half and all of its length, so that receivers are not asked by all
/// servers at once.
fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(0, 20)).unwrap_or_default();
    let longest = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    let share = f64::from(u16::try_from(RandomState::new().hash_one(()) >> 48).unwrap_or(0)) / f64::from(u16::MAX);
    longest.mul_f64(0.5 + 0.5 * share)
}

fn ms(at: UtcDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        for (attempts, seconds) in [(0, 1), (1, 2), (5, 32), (9, 512), (10, 600), (1_000, 600)] {
            let longest = Duration::from_secs(seconds);
            let own = pause(attempts);
            assert!(own <= longest && own >= longest / 2, "{attempts}: {own:?}");
        }
    }
}
