//! The connection by which the snapshot follows the database; dropped as soon as the database does not respond.
//!
//! A pool would keep a dead connection until TCP times out, which takes minutes; here the connection is dropped and the
//! next attempt opens another.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;

use super::CONNECT_TIMEOUT;
use super::sql::query_scalar;

/// Maximum wait for the database within a reply.
const SILENCE: Duration = Duration::from_secs(30);
/// The lock timeout ends a wait for a lock before the connection is dropped: the server would not notice a dropped
/// connection while it waits.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '1s'";
/// A database of the encoding SQL_ASCII holds any bytes. With the same encoding they are sent as they are, and a text that
/// is not UTF-8 is one unreadable value; with another one the whole statement would fail.
pub(super) const ANY_BYTES: &str = "SELECT set_config('client_encoding', \
    CASE current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true)";
/// The channel of the change log's notifications.
const CHANNEL: &str = "onemap_changes";
/// Pause before listening is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);
/// A database answers a second connection sooner than this, unless a pooler has no process left.
const SECOND_PROCESS_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection with one user, opened when it is needed.
pub(super) struct FollowConnection {
    options: PgConnectOptions,
    connection: Mutex<Option<PgConnection>>,
}

impl FollowConnection {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self { options, connection: Mutex::new(None) }
    }

    /// Reads in one read-only transaction. After any failure the connection is not used again.
    pub(super) async fn read<T>(
        &self,
        read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let mut place = self.connection.lock().await;
        // Taken out, so that it is dropped with this future when the future is cancelled.
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => within(CONNECT_TIMEOUT, self.options.connect()).await?,
        };
        answered(sqlx::raw_sql(BEGIN).execute(&mut connection)).await?;
        answered(sqlx::raw_sql(ANY_BYTES).execute(&mut connection)).await?;
        let value = read(&mut connection).await?;
        answered(sqlx::raw_sql("COMMIT").execute(&mut connection)).await?;
        *place = Some(connection);
        Ok(value)
    }

    pub(super) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            // The connection is not used again; an error does not matter.
            let _ = answered(connection.close()).await;
        }
    }
}

/// Waits for the database, but no longer than [`SILENCE`].
pub(super) async fn answered<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    within(SILENCE, answer).await
}

/// Waits no longer than a limit.
pub(super) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
        let silence = format!("the database did not answer for {} s", limit.as_secs());
        Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, silence)))
    })
}

/// Receives notifications of the change log. A database without `NOTIFY` never sends any.
pub(super) struct NotifyListener {
    notified: Arc<Notify>,
    task: JoinHandle<()>,
}

impl NotifyListener {
    pub(super) fn open(options: PgConnectOptions) -> Self {
        let notified = Arc::new(Notify::new());
        let caller = notified.clone();
        let task = tokio::spawn(async move {
            loop {
                match is_pooled(&options).await {
                    Ok(true) => {
                        tracing::info!(
                            "a pooler shares the connections of the database: NOTIFY is not used, the change log is polled"
                        );
                        return;
                    }
                    Ok(false) => {
                        if let Err(error) = listen(&options, &caller).await {
                            tracing::debug!(%error, "not listening for changes; the log is polled");
                        }
                    }
                    Err(error) => tracing::debug!(%error, "not listening for changes; the database cannot be reached"),
                }
                tokio::time::sleep(LISTEN_AGAIN).await;
            }
        });
        Self { notified, task }
    }

    /// Resolves when a notification was received since the last call.
    pub(super) async fn notified(&self) {
        self.notified.notified().await;
    }
}

impl Drop for NotifyListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether a pooler assigns a database connection to each transaction: notifications for one client would reach another,
/// whose driver reports a protocol violation. With a pooler two connections share a database process, or one connection
/// uses several.
///
/// Two transactions are open at once, so that a pooler uses two processes, and they end in either order, so that the next
/// transaction gets the process of the other one, whether the pooler gives out the first or the last that became free.
async fn is_pooled(options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    const ROUNDS: usize = 4;
    let mut first = within(CONNECT_TIMEOUT, options.connect()).await?;
    let mut second = within(CONNECT_TIMEOUT, options.connect()).await?;
    let mut processes = [BTreeSet::new(), BTreeSet::new()];
    for round in 0..ROUNDS {
        let mut one = answered(first.begin()).await?;
        // A pooler with a single process has none left.
        let Ok(other) = tokio::time::timeout(SECOND_PROCESS_TIMEOUT, second.begin()).await else { return Ok(true) };
        let mut other = other?;
        for (transaction, processes) in [&mut one, &mut other].into_iter().zip(&mut processes) {
            let process = query_scalar::<i32>("SELECT pg_backend_pid()").fetch_one(&mut **transaction);
            processes.insert(answered(process).await?);
        }
        let (earlier, later) = if round % 2 == 0 { (one, other) } else { (other, one) };
        answered(earlier.commit()).await?;
        answered(later.commit()).await?;
    }
    for connection in [first, second] {
        // The connection is not used again; an error does not matter.
        let _ = answered(connection.close()).await;
    }
    let [first, second] = processes;
    Ok(first.len() > 1 || second.len() > 1 || first == second)
}

async fn listen(options: &PgConnectOptions, notified: &Notify) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT_TIMEOUT);
    let pool = pool.max_lifetime(None).idle_timeout(None).connect_with(options.clone()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    // A lost connection ends the loop; the caller opens another.
    while listener.try_recv().await?.is_some() {
        notified.notify_one();
    }
    Ok(())
}
