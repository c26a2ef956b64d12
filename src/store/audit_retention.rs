//! Retention of the audit log: reads it in order while its chain is verified, and removes entries that are old enough.
//!
//! What is removed is recorded by an entry with the number and the hash of the last removed one: the anchor from which
//! the chain is verified afterwards.

use std::sync::Arc;
use std::time::Duration;

use time::UtcDateTime;
use tokio::sync::watch;

use super::audit::{AuditHead, AuditPart, AuditRow};
use super::{Store, StoreError};
use crate::model::{AuditEntry, Origin, RemovedEntries, Role, format_instant};

/// Shortest retention, days: six months, for which the Cybersecurity Law (网络安全法, article 21) has logs kept.
pub const MIN_RETENTION_DAYS: u32 = 184;
/// Longest retention, days.
pub const MAX_RETENTION_DAYS: u32 = 36_525;
/// Interval of the removals.
const EVERY: Duration = Duration::from_hours(6);
/// Pause after a removal that failed.
const RETRY_AFTER: Duration = Duration::from_mins(1);
/// Entries that are read at once.
const PAGE: u32 = 1_000;
/// Name in the audit log.
const ACTOR: &str = "audit retention";

/// Why the audit log cannot be read or shortened.
#[derive(Debug, thiserror::Error)]
pub enum AuditLogError {
    /// An entry is missing or was changed. Nothing is removed of such a log.
    #[error("the audit log is damaged: {0}")]
    Damaged(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system returns no random numbers.
    #[error("the system returns no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// What a removal did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Number of removed entries.
    pub entries: i64,
    /// Number of the first entry that remains.
    pub first: i64,
}

/// Reads the log in order, verifies that each entry follows, and returns where the log begins and ends. `take` returns
/// whether to read on.
///
/// # Errors
/// When an entry is missing or was changed, or the store fails.
pub async fn read_verified(
    store: &dyn Store,
    mut take: impl FnMut(&AuditRow) -> bool,
) -> Result<(AuditHead, AuditHead), AuditLogError> {
    let mut start = start_of(store).await?;
    let mut head = start.clone();
    loop {
        let rows = store.audit_rows(AuditPart::After(head.number), PAGE).await?;
        let Some(first) = rows.first() else { return Ok((start, head)) };
        if first.number > head.number + 1 {
            // Another server may have removed what was next.
            start = start_of(store).await?;
            head = if start.number > head.number { start.clone() } else { head };
        }
        for row in &rows {
            head.verify(row).map_err(AuditLogError::Damaged)?;
            if !take(row) {
                return Ok((start, head));
            }
        }
    }
}

/// Where the log begins: before its first entry, or at the last removed one, which an entry records.
async fn start_of(store: &dyn Store) -> Result<AuditHead, AuditLogError> {
    let first = store.audit_rows(AuditPart::After(0), 1).await?.first().map_or(1, |row| row.number);
    let mut after = first - 1;
    if after == 0 {
        return Ok(AuditHead::default());
    }
    loop {
        let rows = store.audit_rows(AuditPart::After(after), PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.number;
        let mut removed =
            rows.iter().rev().filter_map(|row| serde_json::from_str::<AuditEntry>(&row.body).ok()?.removed);
        if let Some(RemovedEntries { through, hash }) = removed.next().filter(|removed| removed.through == first - 1) {
            return Ok(AuditHead { number: through, hash });
        }
    }
    let reason = format!("entries 1 to {} are missing, and no entry records that they were removed", first - 1);
    Err(AuditLogError::Damaged(reason))
}

/// Removes the entries at the beginning of the log that are older than a number of days, and records it. Returns `None` if
/// there are none.
///
/// # Errors
/// When the log is damaged, or the store fails or refuses the removal.
pub async fn prune(
    store: &dyn Store,
    days: u32,
    origin: &Origin,
    now: UtcDateTime,
) -> Result<Option<Pruned>, AuditLogError> {
    let Some(since) = now.checked_sub(time::Duration::days(i64::from(days))) else { return Ok(None) };
    let since = format_instant(since);
    let mut last_old = None;
    let take = |row: &AuditRow| {
        // Times are in one format, so their order is that of their texts.
        let is_old = serde_json::from_str::<AuditEntry>(&row.body).is_ok_and(|entry| entry.at < since);
        if is_old {
            last_old = Some(AuditHead { number: row.number, hash: row.hash.clone() });
        }
        is_old
    };
    let (start, _) = read_verified(store, take).await?;
    let Some(AuditHead { number: through, hash }) = last_old else { return Ok(None) };
    let removed = RemovedEntries { through, hash };
    let reason = format!("older than {days} days");
    let entry = AuditEntry { removed: Some(removed), reason: Some(reason), ..origin.entry(0, "audit-prune", now) };
    store.prune_audit(through, &entry).await?;
    Ok(Some(Pruned { entries: through - start.number, first: through + 1 }))
}

/// Removes old entries until `stop` turns true. A failure is logged once.
pub async fn keep_pruning(store: Arc<dyn Store>, days: u32, now: fn() -> UtcDateTime, mut stop: watch::Receiver<bool>) {
    let mut reported = None;
    while !*stop.borrow() {
        let pause = match prune_once(&*store, days, now()).await {
            Ok(pruned) => {
                reported = None;
                if let Some(Pruned { entries, first }) = pruned {
                    tracing::info!(entries, first, days, "old entries of the audit log were removed");
                }
                EVERY
            }
            Err(error) => {
                let text = error.to_string();
                if reported.as_ref() != Some(&text) {
                    tracing::warn!("old entries of the audit log cannot be removed: {text}");
                }
                reported = Some(text);
                RETRY_AFTER
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn prune_once(store: &dyn Store, days: u32, now: UtcDateTime) -> Result<Option<Pruned>, AuditLogError> {
    let origin = Origin::of_program(ACTOR.to_owned(), Role::Admin)?;
    prune(store, days, &origin, now).await
}
