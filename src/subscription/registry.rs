//! What the tasks and the endpoints of subscriptions share: the file, the rules, what each role sees, and figures.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use time::UtcDateTime;
use tokio::sync::watch;

use super::webhook::DeliveryRules;
use crate::access::{Account, Accounts};
use crate::model::{Role, format_instant};
use crate::private_file;
use crate::query::geofence::FenceDefinition;
use crate::snapshot::SnapshotHandle;
use crate::store::NoticeFile;
use crate::store::notices::{NoticeCounts, StoredNotice};

/// Subscriptions of one account, and of all together.
pub const LIMITS: (i64, i64) = (50, 1_000);
/// Features that may be in the area when a subscription is created.
pub const MAX_SEEN: usize = 20_000;

/// What each role sees.
pub type Views = Vec<(Vec<Role>, Arc<SnapshotHandle>)>;

/// A subscription as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionDocument {
    /// What it watches.
    pub fence: FenceDefinition,
    /// The area as its creator named it.
    pub area: Json,
    /// Where its notices go, besides the stream.
    pub webhook: Option<WebhookTarget>,
    /// A name for people.
    pub name: Option<String>,
}

/// Where notices are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookTarget {
    /// The address.
    pub url: String,
    /// The secret of signatures.
    pub secret: String,
}

/// A notice as receivers get it.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice(pub Json);

impl Notice {
    /// Completes a stored notice.
    #[must_use]
    pub fn of(stored: &StoredNotice) -> Self {
        let mut notice = json!({
            "id": Self::id(stored), "sequence": stored.sequence, "subscription": stored.subscription,
        });
        let content: Json = serde_json::from_str(&stored.content).unwrap_or_default();
        if let (Some(notice), Json::Object(content)) = (notice.as_object_mut(), content) {
            notice.extend(content);
        }
        Self(notice)
    }

    /// Identifies a notice wherever and however often it is delivered.
    #[must_use]
    pub fn id(stored: &StoredNotice) -> String {
        format!("{}-{}", stored.subscription, stored.sequence)
    }
}

/// Attempts since the start of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Notices that receivers took.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Notices that were given up.
    pub given_up: u64,
}

/// Figures for the operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoticeFigures {
    /// What is in the file.
    pub counts: NoticeCounts,
    /// Attempts since the start.
    pub attempts: DeliveryCounts,
}

/// Shared by tasks and endpoints.
#[derive(Debug)]
pub struct Registry {
    /// The file.
    pub file: NoticeFile,
    /// How webhooks are sent.
    pub rules: DeliveryRules,
    /// What each role sees.
    pub views: Views,
    /// Accounts of subscribers.
    pub accounts: Arc<Accounts>,
    /// Changes when there are new notices or subscriptions.
    pub updates: watch::Sender<u64>,
    figures: Mutex<NoticeFigures>,
    /// Held while this process works on the file; other processes that use the same file wait.
    lock: Mutex<Option<File>>,
}

impl Registry {
    /// A registry over an open file.
    #[must_use]
    pub fn new(file: NoticeFile, rules: DeliveryRules, views: Views, accounts: Arc<Accounts>) -> Self {
        let (figures, lock) = (Mutex::default(), Mutex::default());
        Self { file, rules, views, accounts, updates: watch::Sender::new(0), figures, lock }
    }

    /// Whether this process is the one that watches and delivers; of several servers with one file, one is.
    pub(super) fn holds_lock(&self) -> bool {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_none() {
            match private_file::try_lock(self.file.path()) {
                Ok(own) => *lock = own,
                Err(error) => tracing::error!(%error, "the lock of subscriptions cannot be created"),
            }
        }
        lock.is_some()
    }

    /// What an owner sees; `None` if its account no longer works, or may no longer subscribe.
    #[must_use]
    pub fn view_of(&self, owner: &str, now: UtcDateTime) -> Option<Arc<SnapshotHandle>> {
        let role = if owner.is_empty() { Role::Admin } else { self.account(owner, now)?.role };
        let is_permitted = role >= Role::Dispatcher;
        let view = self.views.iter().find(|(roles, _)| is_permitted && roles.contains(&role));
        view.map(|(_, handle)| handle.clone())
    }

    fn account(&self, id: &str, now: UtcDateTime) -> Option<Arc<Account>> {
        self.accounts.with_id(id).filter(|account| !account.is_expired(now))
    }

    /// Tells streams and tasks that there is something new.
    pub fn notify(&self) {
        self.updates.send_modify(|count| *count += 1);
    }

    /// The figures.
    #[must_use]
    pub fn figures(&self) -> NoticeFigures {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut NoticeFigures)) {
        change(&mut self.figures.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The figures as JSON.
    #[must_use]
    pub fn as_json(&self) -> Json {
        let NoticeFigures { counts, attempts } = self.figures();
        let oldest = counts.oldest_ms.and_then(instant_of_ms);
        json!({
            "subscriptions": counts.subscriptions, "undelivered": counts.undelivered, "dead": counts.dead,
            "oldest_undelivered_at": oldest.map(format_instant),
            "delivered": attempts.delivered, "failed": attempts.failed,
        })
    }
}

/// An instant from milliseconds since 1970.
pub(super) fn instant_of_ms(ms: i64) -> Option<UtcDateTime> {
    UtcDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}
