//! `onemap serve`: opens the store, loads the snapshot, and serves HTTP until a signal arrives.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::accounts::AccountOptions;
use super::audit::RetentionOptions;
use super::configuration_hash::configuration_hash;
use super::listen::{BoundSockets, ListenAddress, require_consent};
use super::public_url::PublicUrl;
use super::restart::restart_on_panic;
use super::startup::{self, CacheOptions};
use super::stop_signal::stop_signal;
use super::store::{Fill, StoreOptions};
use super::token;
use crate::access::oidc::{IdentityProvider, keep_keys};
use crate::access::{self, Accounts};
use crate::clock;
use crate::config::roads::RoadEngineConfig;
use crate::config::{Config, parse_trusted_proxy};
use crate::dispatch::expiry;
use crate::http::{
    self, AccessControl, AllowedOrigins, BearerToken, Limits, Reachability, Server, Service, Tls, TlsFiles,
};
use crate::import::download::{WatchedUrl, keep_downloading};
use crate::import::sync::{SyncStatuses, SyncedCollection, keep_syncing, statuses_of};
use crate::import::watch::{WatchedFolder, keep_watching};
use crate::model::access::TrustedProxy;
use crate::model::{Catalog, FingerprintKey, Role};
use crate::routing::pgrouting::PgRouting;
use crate::snapshot::disk_cache::DiskCache;
use crate::snapshot::{Restriction, Snapshot, SnapshotHandle, Version, disk_cache_writer, follower};
use crate::store::{AuditSpool, NoticeFile, Store, audit_retention, audit_spool};
use crate::subscription::delivery::keep_delivering;
use crate::subscription::watching::keep_noticing;
use crate::subscription::webhook::DeliveryRules;
use crate::subscription::{Registry, Views};
use crate::traces::{CollectorUrl, Traces, parse_ratio};

/// Pause before a background task that panicked is started again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// Serve the map over HTTP: viewer, tiles, OGC API, nearest resources.
#[derive(Args)]
#[command(after_help = "\
Examples:
  onemap serve                                 serve the sample county on http://127.0.0.1:8080
  onemap serve --empty --store county.gpkg     create an empty store for your own county
  onemap serve --listen 0.0.0.0:80 --insecure-public
                                               let the whole network read the map without login

The server shuts down gracefully on Ctrl-C, SIGTERM and SIGHUP: it completes running requests first.")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(super) struct ServeOptions {
    /// Address or host name, and port; port 0 selects a free port. Or unix: and the file of a Unix socket, for a proxy on
    /// this machine. May be given several times.
    #[arg(
        long,
        value_name = "HOST:PORT|unix:FILE",
        default_value = "127.0.0.1:8080",
        env = "ONEMAP_LISTEN",
        value_delimiter = ','
    )]
    listen: Vec<ListenAddress>,

    /// Certificate in PEM, followed by those of its issuers: serve HTTPS with HTTP/2. A changed file is used at once.
    #[arg(long, value_name = "FILE", env = "ONEMAP_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate in PEM.
    #[arg(long, value_name = "FILE", env = "ONEMAP_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Accept connections from other machines although reading needs no login. Required for an address beyond this
    /// machine.
    #[arg(long, env = "ONEMAP_INSECURE_PUBLIC")]
    insecure_public: bool,

    /// Public URL of the server behind a proxy, with the path prefix if there is one.
    #[arg(long, value_name = "URL", env = "ONEMAP_PUBLIC_URL")]
    public_url: Option<PublicUrl>,

    /// Proxy whose Forwarded and X-Forwarded-* headers are believed; unix stands for those that use the Unix socket. May be
    /// given several times.
    #[arg(
        long,
        value_name = "ADDR|CIDR|unix",
        env = "ONEMAP_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_parser = parse_trusted_proxy
    )]
    trusted_proxy: Vec<TrustedProxy>,

    /// Create a new store without the sample county.
    #[arg(long)]
    empty: bool,

    /// Maximum number of event streams; each holds one file handle.
    #[arg(long, value_name = "COUNT", default_value_t = 2_000, env = "ONEMAP_MAX_EVENT_STREAMS")]
    max_event_streams: usize,

    /// Size of the tile cache in megabytes; 0 disables it.
    #[arg(long, value_name = "MB", default_value_t = 256, env = "ONEMAP_TILE_CACHE_MB")]
    tile_cache_mb: u32,
    /// Maximum size of a tile in kilobytes before compression. A larger tile omits the least important features and
    /// reports their number.
    #[arg(long, value_name = "KB", default_value_t = 500, env = "ONEMAP_TILE_BUDGET_KB")]
    tile_budget_kb: u32,

    /// Requests per second of one account, or of one address without an account; four seconds of them may come at once.
    /// 0 sets no limit. Callers on this machine are not limited.
    #[arg(long, value_name = "PER_SECOND", default_value_t = 500, env = "ONEMAP_RATE_LIMIT")]
    rate_limit: u32,

    /// File with the bearer token for edits, created at first start [default: beside the store].
    #[arg(long, value_name = "FILE", env = "ONEMAP_TOKEN_FILE")]
    token_file: Option<PathBuf>,

    /// Disable edits.
    #[arg(long)]
    no_write: bool,

    /// Directory of PMTiles archives, served at /packs.
    #[arg(long, value_name = "FOLDER", env = "ONEMAP_PACKS")]
    packs: Option<PathBuf>,

    /// Log each request: id, client, method, path, status and milliseconds, but no query string.
    #[arg(long, env = "ONEMAP_ACCESS_LOG")]
    access_log: bool,

    #[command(flatten)]
    store: StoreOptions,

    #[command(flatten)]
    accounts: AccountOptions,

    #[command(flatten)]
    copies: CacheOptions,

    #[command(flatten)]
    retention: RetentionOptions,

    /// Address of an OpenTelemetry collector, which receives a span of each request: OTLP over HTTP, without query strings
    /// [default: no traces].
    #[arg(long, value_name = "URL", env = "ONEMAP_TRACE_ENDPOINT")]
    trace_endpoint: Option<CollectorUrl>,

    /// Share of the requests that are traced, 0 to 1. A caller that sends a traceparent decides itself.
    #[arg(long, value_name = "RATIO", default_value_t = 1.0, env = "ONEMAP_TRACE_RATIO", value_parser = parse_ratio)]
    trace_ratio: f64,
}

impl ServeOptions {
    /// What records spans, if there is a collector.
    fn traces(&self) -> anyhow::Result<Option<Arc<Traces>>> {
        let traces = self.trace_endpoint.as_ref().map(|url| Traces::start(url, self.trace_ratio)).transpose()?;
        Ok(traces.map(Arc::new))
    }

    fn tls(&self) -> anyhow::Result<Option<Tls>> {
        let files = self.tls_cert.clone().zip(self.tls_key.clone());
        let files = files.map(|(certificate, key)| TlsFiles { certificate, key });
        Ok(files.map(Tls::open).transpose()?)
    }

    fn limits(&self) -> Limits {
        Limits {
            event_streams: self.max_event_streams,
            tile_cache_bytes: u64::from(self.tile_cache_mb) * 1_000_000,
            requests_per_s: self.rate_limit,
            tile_budget_bytes: self.tile_budget_kb as usize * 1_000,
        }
    }

    /// The token for edits, and the key of fingerprints that is made from it. A server without edits uses the token file
    /// only for the key, so that its entity tags are those of the servers that take edits.
    fn token_and_fingerprint_key(&self) -> anyhow::Result<(Option<BearerToken>, FingerprintKey)> {
        let file = self.token_file();
        if self.no_write && !file.exists() {
            return Ok((None, token::ephemeral_key()?));
        }
        let token = token::load(&file)?;
        let key = token.fingerprint_key();
        Ok(((!self.no_write).then_some(token), key))
    }

    fn token_file(&self) -> PathBuf {
        self.token_file.clone().unwrap_or_else(|| self.store.file_beside(".token"))
    }
}

pub(super) async fn serve(options: ServeOptions) -> anyhow::Result<ExitCode> {
    // Bind first: a second server must not touch the store.
    let mut sockets = BoundSockets::bind(&options.listen)?;
    let tls = options.tls()?;
    raise_file_limit();
    let config = options.store.config()?;
    let reachability = reachability(&options, &config, tls.is_some())?;
    let access = access_control(&options, &config, &sockets.addresses)?;
    let accounts = access.accounts.clone();
    let configuration = configuration_hash(&config);
    let catalog = config.catalog;
    let started = Instant::now();
    // The sample belongs to the built-in county.
    let fill = if options.empty || config.has_own_catalog { Fill::Nothing } else { Fill::Sample };
    let opened = startup::open(&options.store, &options.copies, &catalog, fill).await?;
    log_loaded(&opened.snapshot, started.elapsed());

    let store = opened.store;
    let age = age_of(opened.confirmed_ms, clock::now_ms());
    let snapshots = Arc::new(SnapshotHandle::aged(opened.snapshot, opened.confirmed_ms, age));
    startup::prepare_low_zooms(snapshots.load());
    let audit = AuditSpool::new(options.store.audit_spool_file());
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let views = views(&snapshots, &catalog)?;
    let subscribers = (!options.no_write).then_some((config.delivery, views.clone(), accounts));
    let registry = start_subscriptions(&mut tasks, &options.store, subscribers, (&store, &stopped)).await?;
    tasks.spawn(follower::follow(store.clone(), snapshots.clone(), opened.position, clock::now_ms, stopped.clone()));
    if !options.no_write {
        spawn_expiry(&mut tasks, (store.clone(), snapshots.clone()), &stopped)?;
    }
    let arriving = if options.no_write { (Vec::new(), Vec::new()) } else { (config.syncs, config.watches) };
    let sync_statuses = spawn_imports(&mut tasks, arriving, (&store, &catalog), &stopped);
    spawn_audit(&mut tasks, audit.clone(), (&store, options.retention.audit_retention_days), &stopped);
    spawn_keys(&mut tasks, access.provider.as_ref(), &stopped);
    spawn_disk_cache(&mut tasks, opened.cache, (snapshots.clone(), opened.saved), stopped);
    let (close_streams, closing) = watch::channel(false);
    let limits = options.limits();
    let (token, fingerprint_key) = options.token_and_fingerprint_key()?;
    let access = AccessControl { token, ..access };
    let traces = options.traces()?;
    let state = Service {
        snapshots,
        store: Arc::clone(&store),
        access,
        audit,
        views,
        fingerprint_key,
        catalog,
        reachability,
        access_log: options.access_log,
        packs: options.packs,
        base_map: config.base_map,
        uploads: options.store.file_beside(".uploads"),
        sync_statuses,
        over_commitment: config.over_commitment,
        subscriptions: registry,
        allowed_origins: AllowedOrigins(config.allowed_origins),
        road_engine: road_engine(&options.store, config.road_engine).await?.map(|engine| engine as _),
        configuration,
        traces: traces.clone(),
    };
    let server = http::serve(state, limits, closing, std::mem::take(&mut sockets.listeners), tls.as_ref())?;
    run(server, &sockets.urls(if tls.is_some() { "https" } else { "http" }), &close_streams).await?;
    finish(&stop, tasks, &*store, traces).await?;
    Ok(ExitCode::SUCCESS)
}

/// Ends what runs beside the server: background tasks, connections of the store, spans that wait.
async fn finish(
    stop: &watch::Sender<bool>,
    mut tasks: JoinSet<()>,
    store: &dyn Store,
    traces: Option<Arc<Traces>>,
) -> anyhow::Result<()> {
    stop.send_replace(true);
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    store.close().await;
    if let Some(traces) = traces {
        tokio::task::spawn_blocking(move || traces.stop()).await?;
    }
    Ok(())
}

/// How the server is reached.
fn reachability(options: &ServeOptions, config: &Config, has_tls: bool) -> anyhow::Result<Reachability> {
    let trusted_proxies = [config.trusted_proxies.clone(), options.trusted_proxy.clone()].concat();
    anyhow::ensure!(
        config.proxy_identity.is_none() || !trusted_proxies.is_empty(),
        "[proxy_identity] needs trusted_proxies in onemap.toml or --trusted-proxy: only their headers are believed"
    );
    let public_url = options.public_url.clone().map(|PublicUrl(url)| url);
    Ok(Reachability { public_url, trusted_proxies, has_tls })
}

/// How callers are identified. Addresses that other machines reach are refused while everybody reads everything.
fn access_control(options: &ServeOptions, config: &Config, addresses: &[SocketAddr]) -> anyhow::Result<AccessControl> {
    let accounts = Arc::new(Accounts::open(options.accounts.file(&options.store))?);
    let provider = config.oidc.clone().map(IdentityProvider::new).transpose()?.map(Arc::new);
    let (proxy_identity, anonymous) = (config.proxy_identity.clone(), config.anonymous);
    let access = AccessControl { token: None, accounts, provider, proxy_identity, anonymous };
    let is_agreed = options.insecure_public || !access.lets_everybody_in();
    addresses.iter().try_for_each(|address| require_consent(*address, is_agreed))?;
    Ok(access)
}

/// Keeps the disk cache current, if there is one.
fn spawn_disk_cache(
    tasks: &mut JoinSet<()>,
    cache: Option<DiskCache>,
    (snapshots, saved): (Arc<SnapshotHandle>, Option<(Version, i64)>),
    stopped: watch::Receiver<bool>,
) {
    if let Some(cache) = cache {
        tasks.spawn(disk_cache_writer::keep(cache, snapshots, saved, stopped));
    }
}

/// Releases commitments that have ended.
fn spawn_expiry(
    tasks: &mut JoinSet<()>,
    (store, snapshots): (Arc<dyn Store>, Arc<SnapshotHandle>),
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let (key, now) = (token::ephemeral_key()?, clock::now_to_the_millisecond);
    let until = stopped.clone();
    tasks.spawn(restart_on_panic("expiry of commitments", RESTART_AFTER, stopped.clone(), move || {
        expiry::keep_releasing(store.clone(), snapshots.clone(), key.clone(), now, until.clone())
    }));
    Ok(())
}

/// The engine that computes travel on roads, if there is one.
async fn road_engine(
    options: &StoreOptions,
    config: Option<RoadEngineConfig>,
) -> anyhow::Result<Option<Arc<PgRouting>>> {
    let Some(engine) = options.road_engine(config)? else { return Ok(None) };
    if let Err(error) = engine.check().await {
        tracing::warn!("travel on roads cannot be computed until this is mended: {error}");
    }
    Ok(Some(engine))
}

/// What each role sees.
fn views(snapshots: &Arc<SnapshotHandle>, catalog: &Catalog) -> anyhow::Result<Views> {
    let view = |(roles, restriction): (Vec<Role>, Restriction)| {
        let own = if restriction.0.is_empty() { snapshots.clone() } else { snapshots.restricted(restriction) };
        (roles, own)
    };
    Ok(access::restrictions(catalog)?.into_iter().map(view).collect())
}

/// Opens the file of subscriptions of a server that takes them, watches for them, and delivers their notices.
async fn start_subscriptions(
    tasks: &mut JoinSet<()>,
    options: &StoreOptions,
    parts: Option<(DeliveryRules, Views, Arc<Accounts>)>,
    (store, stopped): (&Arc<dyn Store>, &watch::Receiver<bool>),
) -> anyhow::Result<Option<Arc<Registry>>> {
    let Some((rules, views, accounts)) = parts else { return Ok(None) };
    let file = NoticeFile::open(&options.subscriptions_file()?).await?;
    let registry = Arc::new(Registry::new(file, rules, views, accounts));
    let (own, store, until) = (registry.clone(), store.clone(), stopped.clone());
    tasks.spawn(restart_on_panic("subscriptions", RESTART_AFTER, stopped.clone(), move || {
        keep_noticing(own.clone(), store.clone(), clock::now_to_the_millisecond, until.clone())
    }));
    let (own, until) = (registry.clone(), stopped.clone());
    tasks.spawn(restart_on_panic("deliveries of notices", RESTART_AFTER, stopped.clone(), move || {
        keep_delivering(own.clone(), clock::now_to_the_millisecond, until.clone())
    }));
    Ok(Some(registry))
}

/// Moves audit entries into the store, and removes those that are older than a number of days.
fn spawn_audit(
    tasks: &mut JoinSet<()>,
    spool: AuditSpool,
    (store, retention_days): (&Arc<dyn Store>, Option<u32>),
    stopped: &watch::Receiver<bool>,
) {
    let (until, own) = (stopped.clone(), store.clone());
    if let Some(days) = retention_days {
        let (store, until) = (store.clone(), stopped.clone());
        tasks.spawn(restart_on_panic("retention of the audit log", RESTART_AFTER, stopped.clone(), move || {
            audit_retention::keep_pruning(store.clone(), days, clock::now, until.clone())
        }));
    }
    tasks.spawn(restart_on_panic("audit log", RESTART_AFTER, stopped.clone(), move || {
        audit_spool::keep_draining(spool.clone(), own.clone(), until.clone())
    }));
}

/// Keeps the keys of the identity provider, if there is one.
fn spawn_keys(tasks: &mut JoinSet<()>, provider: Option<&Arc<IdentityProvider>>, stopped: &watch::Receiver<bool>) {
    let Some(provider) = provider.cloned() else { return };
    let until = stopped.clone();
    tasks.spawn(restart_on_panic("keys of the identity provider", RESTART_AFTER, stopped.clone(), move || {
        keep_keys(provider.clone(), clock::now, until.clone())
    }));
}

/// Keeps the collections of other servers, and imports the files that arrive in folders.
fn spawn_imports(
    tasks: &mut JoinSet<()>,
    (syncs, watches): (Vec<SyncedCollection>, Vec<WatchedFolder>),
    (store, catalog): (&Arc<dyn Store>, &Catalog),
    stopped: &watch::Receiver<bool>,
) -> SyncStatuses {
    let statuses = statuses_of(&syncs);
    let catalog = Arc::new(catalog.clone());
    let sources: Vec<String> = syncs.iter().map(|synced| synced.source.clone()).collect();
    for mut watched in watches {
        if let Some(download) = watched.download.take() {
            spawn_download(tasks, (download, &watched), &statuses, stopped);
        }
        let (store, catalog, until) = (store.clone(), catalog.clone(), stopped.clone());
        let parts = (watched, sources.clone());
        tasks.spawn(restart_on_panic("watched folder", RESTART_AFTER, stopped.clone(), move || {
            keep_watching(store.clone(), catalog.clone(), parts.clone(), clock::now_to_the_millisecond, until.clone())
        }));
    }
    for (at, synced) in syncs.into_iter().enumerate() {
        let (store, catalog, statuses) = (store.clone(), catalog.clone(), statuses.clone());
        let until = stopped.clone();
        tasks.spawn(restart_on_panic("sync", RESTART_AFTER, stopped.clone(), move || {
            let parts = (store.clone(), catalog.clone(), statuses.clone());
            keep_syncing(parts.0, parts.1, (synced.clone(), at), parts.2, clock::now_to_the_millisecond, until.clone())
        }));
    }
    statuses
}

/// Puts the documents of an address into a watched folder.
fn spawn_download(
    tasks: &mut JoinSet<()>,
    (download, watched): (WatchedUrl, &WatchedFolder),
    statuses: &SyncStatuses,
    stopped: &watch::Receiver<bool>,
) {
    let at = {
        let mut all = statuses.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(download.status(&watched.layer));
        all.len() - 1
    };
    let (parts, statuses, until) = ((download, watched.folder.clone()), statuses.clone(), stopped.clone());
    tasks.spawn(restart_on_panic("watched address", RESTART_AFTER, stopped.clone(), move || {
        keep_downloading(parts.clone(), (statuses.clone(), at), clock::now_to_the_millisecond, until.clone())
    }));
}

/// Runs the server until a signal arrives, and then completes the requests that it has.
async fn run(server: Server, urls: &[String], close_streams: &watch::Sender<bool>) -> anyhow::Result<()> {
    let handle = server.handle();
    // Signal handlers are installed before the log line below, because a supervisor may stop the server once it reads
    // it.
    let stopped_by_signal = stop_signal()?;
    let mut server = tokio::spawn(server);
    for url in urls {
        tracing::info!(url, "listening");
    }

    tokio::select! {
        () = stopped_by_signal => {}
        ended = &mut server => anyhow::bail!("the HTTP server stopped unexpectedly: {ended:?}"),
    }
    tracing::info!("shutting down");
    // Event streams do not end by themselves.
    close_streams.send_replace(true);
    handle.stop(true).await;
    server.await??;
    Ok(())
}

fn log_loaded(snapshot: &Snapshot, duration: Duration) {
    let features: usize = snapshot.layers().iter().map(|layer| layer.len()).sum();
    let layers = snapshot.layers().len();
    tracing::info!(features, layers, seconds = clock::rounded_s(duration), "snapshot loaded");
}

/// Age of a snapshot confirmed at a time, both in milliseconds since 1970. If that time is in the future, the clock was
/// set back; the age is unknown, and the snapshot is treated as old.
fn age_of(confirmed_ms: i64, now_ms: i64) -> Duration {
    const UNKNOWN: Duration = Duration::from_hours(24);
    u64::try_from(now_ms.saturating_sub(confirmed_ms)).map_or(UNKNOWN, Duration::from_millis)
}

/// Each open viewer holds a connection, and the usual limit of 1,024 files is soon reached.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, limit = limit.current, "the limit of open files could not be raised");
    }
}
