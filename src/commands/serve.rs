//! `onemap serve`: opens the store, draws the snapshot, answers until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::listen::{ListenAddress, bind};
use super::startup::{self, CacheOptions};
use super::store::{Fill, StoreOptions};
use super::token;
use crate::clock;
use crate::http::{self, Limits, Service};
use crate::snapshot::{SnapshotHandle, disk_cache_writer, follower};

/// Answer on HTTP: the map, tiles, features, nearest.
#[derive(Args)]
#[command(after_help = "\
Examples:
  onemap serve                                 the sample county on http://127.0.0.1:8080
  onemap serve --empty --store county.gpkg     a map of your own, empty at first
  onemap serve --listen 0.0.0.0:80             for the whole network

Shuts down gracefully on Ctrl-C, SIGTERM and SIGHUP: requests under way are answered first.")]
pub(super) struct ServeOptions {
    /// Address or host name, and port, to listen on; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", env = "ONEMAP_LISTEN")]
    listen: ListenAddress,

    /// The address people reach the server by, when it stands behind a proxy.
    #[arg(long, value_name = "URL", env = "ONEMAP_PUBLIC_URL")]
    public_url: Option<String>,

    /// Make a new store without the sample county.
    #[arg(long)]
    empty: bool,

    /// Most streams of change events at once; each holds one file handle.
    #[arg(long, value_name = "COUNT", default_value_t = 2_000, env = "ONEMAP_MAX_EVENT_STREAMS")]
    max_event_streams: usize,

    /// Memory for finished tiles, megabytes; 0 keeps none.
    #[arg(long, value_name = "MB", default_value_t = 256, env = "ONEMAP_TILE_CACHE_MB")]
    tile_cache_mb: u32,
    /// Most kilobytes of one tile before it is packed: beyond it the least important features are left out, and the
    /// tile says how many. Raise it where the line is fast and every feature counts
    #[arg(long, value_name = "KB", default_value_t = 500, env = "ONEMAP_TILE_BUDGET_KB")]
    tile_budget_kb: u32,

    /// File that holds the token writers must show, made at first start. Default: beside the store.
    #[arg(long, value_name = "FILE", env = "ONEMAP_TOKEN_FILE")]
    token_file: Option<PathBuf>,

    /// Take no writes.
    #[arg(long)]
    no_write: bool,

    #[command(flatten)]
    store: StoreOptions,

    #[command(flatten)]
    copies: CacheOptions,
}

impl ServeOptions {
    fn token_file(&self) -> PathBuf {
        self.token_file.clone().unwrap_or_else(|| self.store.token_file())
    }
}

pub(super) async fn serve(options: ServeOptions) -> anyhow::Result<ExitCode> {
    // The port is taken first: a second server must not touch the store.
    let listener = bind(&options.listen)?;
    let address = listener.local_addr()?;
    raise_file_limit();
    let config = options.store.config()?;
    let catalog = config.catalog;
    let started = Instant::now();
    // The sample is that of the built-in county.
    let fill = if options.empty || config.has_own_catalog { Fill::Nothing } else { Fill::Sample };
    let opened = startup::open(&options.store, &options.copies, &catalog, fill).await?;
    let features: usize = opened.snapshot.layers().iter().map(|layer| layer.len()).sum();
    tracing::info!(
        features,
        layers = opened.snapshot.layers().len(),
        seconds = clock::rounded_s(started.elapsed()),
        "the map is drawn"
    );

    let store = opened.store;
    let age = age_of(opened.confirmed_ms, clock::now_ms());
    let snapshots = Arc::new(SnapshotHandle::aged(opened.snapshot, opened.confirmed_ms, age));
    let (stop, stopped) = watch::channel(false);
    let following = follower::follow(store.clone(), snapshots.clone(), opened.position, clock::now_ms, stopped.clone());
    let follower = tokio::spawn(following);
    let disk_cache_writer =
        opened.copy.map(|copy| tokio::spawn(disk_cache_writer::keep(copy, snapshots.clone(), opened.saved, stopped)));
    let (close_streams, closing) = watch::channel(false);
    let limits = Limits {
        event_streams: options.max_event_streams,
        tile_cache_bytes: u64::from(options.tile_cache_mb) * 1_000_000,
        tile_budget_bytes: options.tile_budget_kb as usize * 1_000,
    };
    let token = if options.no_write { None } else { Some(token::load(&options.token_file())?) };
    // Who takes no writes is never shown a state again, so any secret does.
    let fingerprint_key = token.as_ref().map_or_else(token::ephemeral_key, |token| Ok(token.fingerprint_key()))?;
    let state =
        Service { snapshots, store: store.clone(), token, fingerprint_key, catalog, public_url: options.public_url };
    let server = http::serve(state, limits, closing, listener)?;
    let handle = server.handle();
    // Whoever reads the line below may ask to stop at once.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    let mut server = tokio::spawn(server);
    tracing::info!(url = %format!("http://{address}/"), "onemap answers; stop with Ctrl-C");

    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
        _ = hung_up.recv() => {}
        ended = &mut server => anyhow::bail!("the server ended by itself: {ended:?}"),
    }
    tracing::info!("stopping");
    // A stream has no end of its own that could be waited for.
    close_streams.send_replace(true);
    handle.stop(true).await;
    server.await??;
    stop.send_replace(true);
    follower.await?;
    if let Some(disk_cache_writer) = disk_cache_writer {
        disk_cache_writer.await?;
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// How old a snapshot is that was confirmed at a time, both in milliseconds since 1970. The clock was set back where
/// that time lies ahead: then the age is not known, and the snapshot is old.
fn age_of(confirmed_ms: i64, now_ms: i64) -> Duration {
    const UNKNOWN: Duration = Duration::from_hours(24);
    u64::try_from(now_ms.saturating_sub(confirmed_ms)).map_or(UNKNOWN, Duration::from_millis)
}

/// Each open map holds a connection, and the usual limit of 1,024 is soon reached.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, limit = limit.current, "the limit of open files stays as it is");
    }
}
