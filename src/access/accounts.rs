//! Accounts: names, roles and hashed secrets in a file that only its owner can read.
//!
//! The file is read again when it changes, so an account that is revoked on the command line stops working within a
//! second, also while the store is unreachable.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::UtcDateTime;

use crate::model::{Role, format_instant, parse_zoned_instant};
use crate::private_file;

/// Begins every secret, so that programs that search for leaked secrets find them.
const SECRET_PREFIX: &str = "onemap_";
/// Interval at which a change of the file is noticed.
const CHECK_EVERY_MS: u64 = 1_000;
const MAX_NAME_CHARS: usize = 100;
const MAX_ACCOUNTS: usize = 10_000;
/// Permission bits of others and of the group.
const OTHERS: u32 = 0o077;

/// A person or program that may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Short random id, which names the account in the audit log.
    pub id: String,
    /// Name for people, unique.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Layers that it may write; empty for all that its role may write.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub layers: BTreeSet<String>,
    /// Division codes; it may write only features of these divisions. Empty for all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub regions: BTreeSet<String>,
    /// When it was created.
    #[serde(with = "instant")]
    pub created_at: UtcDateTime,
    /// When it stops working.
    #[serde(default, with = "optional_instant", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UtcDateTime>,
    /// SHA-256 of the secret, in hexadecimal digits. The secret has 256 random bits, so a slow hash adds nothing.
    pub secret_sha256: String,
}

impl Account {
    /// Whether it no longer works.
    #[must_use]
    pub fn is_expired(&self, now: UtcDateTime) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// What a new account is made of.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Name for people.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// See [`Account::layers`].
    pub layers: BTreeSet<String>,
    /// See [`Account::regions`].
    pub regions: BTreeSet<String>,
    /// See [`Account::expires_at`].
    pub expires_at: Option<UtcDateTime>,
}

/// Why the accounts cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// Others may read or write the file.
    #[error("others may access {path}; run chmod 600 {path}", path = .0.display())]
    NotPrivate(PathBuf),
    /// The file is not a list of accounts.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A name that is empty, too long or taken.
    #[error("{0}")]
    Refused(String),
    /// No account has this name or id.
    #[error("no account has the name or id {0:?}")]
    Unknown(String),
    /// The system returns no random numbers.
    #[error("the system returns no random numbers: {0}")]
    Random(getrandom::Error),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    accounts: Vec<Account>,
}

/// The file of the accounts.
#[derive(Clone, Debug)]
pub struct AccountsFile(PathBuf);

impl AccountsFile {
    /// The file at a path; it need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads all accounts; none if the file does not exist.
    ///
    /// # Errors
    /// When the file is unreadable, accessible to others, or not a list of accounts.
    pub fn read(&self) -> Result<Vec<Account>, AccountError> {
        let at = |error| AccountError::File { path: self.0.clone(), error };
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(at(error)),
        };
        let found = file.metadata().map_err(at)?;
        if found.mode() & OTHERS != 0 {
            return Err(AccountError::NotPrivate(self.0.clone()));
        }
        let content = |reason: String| AccountError::Content { path: self.0.clone(), reason };
        let text = io::read_to_string(file).map_err(at)?;
        let Document { accounts } = serde_json::from_str(&text).map_err(|error| content(error.to_string()))?;
        let mut names = BTreeSet::new();
        if let Some(twice) = accounts.iter().find(|account| !names.insert(&account.name)) {
            return Err(content(format!("two accounts have the name {:?}", twice.name)));
        }
        Ok(accounts)
    }

    /// Adds an account and returns it with its secret, which is not stored.
    ///
    /// # Errors
    /// When the name is empty, too long or taken, or the file cannot be written.
    pub fn add(&self, new: NewAccount, now: UtcDateTime) -> Result<(Account, String), AccountError> {
        let NewAccount { name, role, layers, regions, expires_at } = new;
        let _lock = self.lock()?;
        let mut accounts = self.read()?;
        let name = name.trim().to_owned();
        let is_plain =
            !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS && !name.chars().any(char::is_control);
        if !is_plain {
            let reason =
                format!("{name:?} is no name; accepted: 1 to {MAX_NAME_CHARS} characters without control characters");
            return Err(AccountError::Refused(reason));
        }
        if accounts.iter().any(|own| own.name == name) {
            return Err(AccountError::Refused(format!("an account has the name {name:?} already; revoke it first")));
        }
        if accounts.len() >= MAX_ACCOUNTS {
            return Err(AccountError::Refused(format!("there are {MAX_ACCOUNTS} accounts; revoke some first")));
        }
        let random = |count: usize| {
            (0..count).try_fold(String::new(), |mut text, _| {
                let _ = write!(text, "{:016x}", getrandom::u64().map_err(AccountError::Random)?);
                Ok(text)
            })
        };
        let secret = format!("{SECRET_PREFIX}{}", random(4)?);
        let id = random(1)?.chars().take(8).collect();
        let secret_sha256 = digest(&secret);
        let account = Account { id, name, role, layers, regions, created_at: now, expires_at, secret_sha256 };
        accounts.push(account.clone());
        self.write(accounts)?;
        Ok((account, secret))
    }

    /// Removes an account by its name or id.
    ///
    /// # Errors
    /// When there is none, or the file cannot be written.
    pub fn revoke(&self, name: &str) -> Result<Account, AccountError> {
        let _lock = self.lock()?;
        let mut accounts = self.read()?;
        let found = accounts.iter().position(|own| own.name == name || own.id == name);
        let revoked = accounts.remove(found.ok_or_else(|| AccountError::Unknown(name.to_owned()))?);
        self.write(accounts)?;
        Ok(revoked)
    }

    /// Excludes other writers while the returned file is open.
    fn lock(&self) -> Result<File, AccountError> {
        private_file::lock(&self.0).map_err(|error| AccountError::File { path: self.0.clone(), error })
    }

    /// Replaces the file atomically.
    fn write(&self, accounts: Vec<Account>) -> Result<(), AccountError> {
        let draft = private_file::beside(&self.0, ".draft");
        let content = serde_json::to_string_pretty(&Document { accounts }).unwrap_or_default();
        let written = private_file::open(&draft, File::options().create(true).truncate(true).write(true))
            .and_then(|mut file| file.write_all(content.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&draft, &self.0));
        written.map_err(|error| AccountError::File { path: self.0.clone(), error })
    }

    /// Changes whenever the file changes; `None` if it does not exist.
    fn state(&self) -> Option<(u64, i64, i64, u64)> {
        fs::metadata(&self.0).ok().map(|found| (found.ino(), found.mtime(), found.mtime_nsec(), found.len()))
    }
}

fn digest(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The accounts of a running server.
#[derive(Debug)]
pub struct Accounts {
    file: AccountsFile,
    /// By the hash of the secret: a lookup tells nothing of the secrets by its duration.
    by_secret: RwLock<Arc<HashMap<String, Arc<Account>>>>,
    /// The state of the file when it was last looked at.
    seen: Mutex<Option<(u64, i64, i64, u64)>>,
    opened: Instant,
    /// When the file is to be looked at again, milliseconds after `opened`.
    next_look_ms: AtomicU64,
}

impl Accounts {
    /// Reads the accounts of a file.
    ///
    /// # Errors
    /// See [`AccountsFile::read`].
    pub fn open(file: AccountsFile) -> Result<Self, AccountError> {
        let state = file.state();
        let by_secret = RwLock::new(Arc::new(by_secret(file.read()?)));
        let next_look_ms = AtomicU64::new(CHECK_EVERY_MS);
        Ok(Self { file, by_secret, seen: Mutex::new(state), opened: Instant::now(), next_look_ms })
    }

    /// Whether there is none, expired ones included.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.look();
        self.by_secret.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether a text has the form of the secret of an account.
    #[must_use]
    pub fn is_secret(text: &str) -> bool {
        text.starts_with(SECRET_PREFIX)
    }

    /// The account with a secret, expired ones included.
    #[must_use]
    pub fn find(&self, secret: &str) -> Option<Arc<Account>> {
        Self::is_secret(secret).then(|| self.current().get(&digest(secret)).cloned())?
    }

    /// The account with an id, expired ones included.
    #[must_use]
    pub fn with_id(&self, id: &str) -> Option<Arc<Account>> {
        self.current().values().find(|account| account.id == id).cloned()
    }

    /// Whether an account that was found before still works.
    #[must_use]
    pub fn is_current(&self, account: &Account, now: UtcDateTime) -> bool {
        !account.is_expired(now) && self.current().get(&account.secret_sha256).is_some_and(|own| **own == *account)
    }

    /// The accounts.
    fn current(&self) -> Arc<HashMap<String, Arc<Account>>> {
        self.look();
        self.by_secret.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file if it has changed since it was last looked at, some time ago. If it cannot be read, the last accounts
    /// remain.
    fn look(&self) {
        // Every request comes here, so it costs no more than the time.
        let now_ms = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        if now_ms < self.next_look_ms.load(Ordering::Relaxed) {
            return;
        }
        // Another thread that looks at the same time suffices.
        let Ok(mut seen) = self.seen.try_lock() else { return };
        self.next_look_ms.store(now_ms + CHECK_EVERY_MS, Ordering::Relaxed);
        let state = self.file.state();
        if state == *seen {
            return;
        }
        match self.file.read() {
            Ok(accounts) => {
                *seen = state;
                tracing::info!(accounts = accounts.len(), "the accounts changed");
                let accounts = Arc::new(by_secret(accounts));
                *self.by_secret.write().unwrap_or_else(PoisonError::into_inner) = accounts;
            }
            Err(error) => tracing::error!(%error, "the changed accounts cannot be read; the last ones apply"),
        }
    }
}

fn by_secret(accounts: Vec<Account>) -> HashMap<String, Arc<Account>> {
    accounts.into_iter().map(|account| (account.secret_sha256.clone(), Arc::new(account))).collect()
}

/// Instants as RFC 3339 text.
mod instant {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::{UtcDateTime, format_instant, parse_zoned_instant};

    pub(super) fn serialize<S: Serializer>(at: &UtcDateTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_instant(*at))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UtcDateTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_zoned_instant(&text).ok_or_else(|| de::Error::custom(format!("{text:?} is no instant with a time zone")))
    }
}

/// The same for instants that may be missing.
mod optional_instant {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{UtcDateTime, instant};

    #[derive(Serialize, Deserialize)]
    struct Instant(#[serde(with = "instant")] UtcDateTime);

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(super) fn serialize<S: Serializer>(at: &Option<UtcDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(Instant).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UtcDateTime>, D::Error> {
        Ok(Option::<Instant>::deserialize(deserializer)?.map(|Instant(at)| at))
    }
}
