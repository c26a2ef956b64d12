//! Metrics in the text format of Prometheus: requests by endpoint, the age of the data, layers, the process.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
    TextEncoder,
};

use crate::access::oidc::IdentityProvider;
use crate::clock;
use crate::http::endpoint::Endpoint;
use crate::http::reply::freshness::RequestSnapshot;
use crate::import::sync::{SyncStatus, SyncStatuses};
use crate::store::Store;
use crate::subscription::NoticeFigures;

/// Upper bounds of the duration histogram, seconds: from cached tiles to audits of a country.
const BUCKETS_S: [f64; 12] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];
/// Classes of status codes, by their first digit from 1.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The metrics of a server.
pub(crate) struct Metrics {
    registry: Registry,
    /// In the order of the endpoints, so that counting a request locks and searches nothing.
    endpoints: Vec<EndpointMetrics>,
    data_age: Gauge,
    stale: Gauge,
    features: GaugeVec,
    unavailable: GaugeVec,
    read_warnings: GaugeVec,
    synced_age: GaugeVec,
    notices: NoticeMetrics,
    provider: ProviderMetrics,
    reading: Mutex<()>,
}

/// Notices of subscriptions.
struct NoticeMetrics {
    attempts: IntCounterVec,
    waiting: GaugeVec,
    oldest_age: Gauge,
}

impl NoticeMetrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let attempts =
            Opts::new("onemap_notice_deliveries_total", "Attempts to deliver notices to webhooks by outcome");
        let waiting = Opts::new("onemap_notices", "Notices that wait for a webhook, and those that were given up");
        let attempts = IntCounterVec::new(attempts, &["outcome"])?;
        let waiting = GaugeVec::new(waiting, &["state"])?;
        let oldest_age = Gauge::new("onemap_notice_oldest_age_seconds", "Age of the oldest notice that waits")?;
        registry.register(Box::new(attempts.clone()))?;
        registry.register(Box::new(waiting.clone()))?;
        registry.register(Box::new(oldest_age.clone()))?;
        Ok(Self { attempts, waiting, oldest_age })
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn set(&self, figures: &NoticeFigures) {
        let NoticeFigures { counts, attempts } = figures;
        self.attempts.reset();
        let outcomes =
            [("delivered", attempts.delivered), ("failed", attempts.failed), ("given_up", attempts.given_up)];
        for (outcome, count) in outcomes {
            self.attempts.with_label_values(&[outcome]).inc_by(count);
        }
        for (state, count) in [("undelivered", counts.undelivered), ("dead", counts.dead)] {
            self.waiting.with_label_values(&[state]).set(count as f64);
        }
        let now_ms = clock::now_ms();
        self.oldest_age.set(counts.oldest_ms.map_or(0.0, |oldest| (now_ms - oldest).max(0) as f64 / 1_000.0));
    }
}

/// The identity provider, if there is one.
struct ProviderMetrics {
    up: GaugeVec,
    keys_age: GaugeVec,
    failures: IntCounterVec,
}

impl ProviderMetrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| GaugeVec::new(Opts::new(name, help), &["issuer"]);
        let up =
            gauge("onemap_identity_provider_up", "1 if the last fetch of the keys of the identity provider succeeded")?;
        let keys_age =
            gauge("onemap_identity_provider_keys_age_seconds", "Time since the keys were last fetched; +Inf if never")?;
        let failures =
            Opts::new("onemap_identity_provider_failures_total", "Fetches of the keys that failed since the start");
        let failures = IntCounterVec::new(failures, &["issuer"])?;
        registry.register(Box::new(up.clone()))?;
        registry.register(Box::new(keys_age.clone()))?;
        registry.register(Box::new(failures.clone()))?;
        Ok(Self { up, keys_age, failures })
    }

    fn set(&self, provider: Option<&IdentityProvider>) {
        let Some(provider) = provider else { return };
        let (issuer, status) = (provider.issuer(), provider.status());
        let is_up = status.confirmed_at.is_some() && !status.is_failing;
        self.up.with_label_values(&[issuer]).set(f64::from(u8::from(is_up)));
        let age_s = status.confirmed_at.map_or(f64::INFINITY, |at| (clock::now() - at).as_seconds_f64());
        self.keys_age.with_label_values(&[issuer]).set(age_s);
        self.failures.reset();
        self.failures.with_label_values(&[issuer]).inc_by(status.failures);
    }
}

struct EndpointMetrics {
    duration: Histogram,
    requests: [IntCounter; 5],
}

impl Metrics {
    /// Registers the metrics of all endpoints.
    ///
    /// # Errors
    /// When two metrics have one name.
    pub(crate) fn new(endpoints: &[&'static Endpoint]) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("onemap_requests_total", "Requests by endpoint and class of the status"),
            &["endpoint", "status"],
        )?;
        let durations = HistogramVec::new(
            HistogramOpts::new("onemap_request_duration_seconds", "Time from the request to the head of its reply")
                .buckets(BUCKETS_S.to_vec()),
            &["endpoint"],
        )?;
        let gauge = |name: &str, help: &str| Gauge::new(name, help);
        let by_layer = |name: &str, help: &str| GaugeVec::new(Opts::new(name, help), &["layer"]);
        let data_age = gauge("onemap_data_age_seconds", "Time since the snapshot last equalled the store")?;
        let stale = gauge("onemap_data_stale", "1 if the snapshot does not follow the store")?;
        let features = by_layer("onemap_features", "Features in the snapshot")?;
        let unavailable = by_layer("onemap_layer_unavailable", "1 if the layer cannot be read")?;
        let read_warnings = by_layer("onemap_layer_read_warnings", "Unreadable values and skipped rows")?;
        let synced_age = GaugeVec::new(
            Opts::new("onemap_synced_age_seconds", "Time since features of another server last equalled its own"),
            &["source", "layer"],
        )?;
        registry.register(Box::new(synced_age.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(data_age.clone()))?;
        registry.register(Box::new(stale.clone()))?;
        for of_layer in [&features, &unavailable, &read_warnings] {
            registry.register(Box::new(of_layer.clone()))?;
        }
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let notices = NoticeMetrics::new(&registry)?;
        let provider = ProviderMetrics::new(&registry)?;
        let metrics = |endpoint: &'static Endpoint| {
            let duration = durations.with_label_values(&[name_of(endpoint)]);
            let requests = CLASSES.map(|class| requests.with_label_values(&[name_of(endpoint), class]));
            EndpointMetrics { duration, requests }
        };
        let endpoints = endpoints.iter().copied().map(metrics).collect();
        Ok(Self {
            registry,
            endpoints,
            data_age,
            stale,
            features,
            unavailable,
            read_warnings,
            synced_age,
            notices,
            provider,
            reading: Mutex::default(),
        })
    }

    /// Counts a request of an endpoint by its number.
    pub(crate) fn observe(&self, endpoint: usize, status: u16, duration: Duration) {
        let Some(own) = self.endpoints.get(endpoint) else { return };
        own.duration.observe(duration.as_secs_f64());
        if let Some(requests) = own.requests.get(usize::from(status / 100).saturating_sub(1)) {
            requests.inc();
        }
    }

    /// The metrics as text; of layers, those that the caller sees.
    ///
    /// # Errors
    /// When they cannot be encoded.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub(crate) fn text(
        &self,
        current: &RequestSnapshot,
        store: &dyn Store,
        synced: &SyncStatuses,
        notices: Option<NoticeFigures>,
        provider: Option<&IdentityProvider>,
    ) -> prometheus::Result<Vec<u8>> {
        // The gauges of layers are those of one caller until its text is finished.
        let _own = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        for of_layer in [&self.features, &self.unavailable, &self.read_warnings] {
            of_layer.reset();
        }
        self.data_age.set(current.age_s());
        self.stale.set(f64::from(u8::from(current.is_stale())));
        for layer in current.snapshot.layers() {
            self.features.with_label_values(&[&layer.schema().id]).set(layer.len() as f64);
        }
        let statuses = store.schemas().iter().zip(store.layer_statuses());
        for (schema, status) in statuses.filter(|(schema, _)| current.snapshot.layer(&schema.id).is_some()) {
            let is_unavailable = f64::from(u8::from(status.unavailable_for.is_some()));
            self.unavailable.with_label_values(&[&schema.id]).set(is_unavailable);
            self.read_warnings.with_label_values(&[&schema.id]).set(status.read_warnings as f64);
        }
        for SyncStatus { source, layer, confirmed_at, .. } in &*synced.lock().unwrap_or_else(PoisonError::into_inner) {
            let age_s = confirmed_at.map_or(f64::INFINITY, |at| (clock::now() - at).as_seconds_f64());
            self.synced_age.with_label_values(&[source, layer]).set(age_s);
        }
        self.notices.set(&notices.unwrap_or_default());
        self.provider.set(provider);
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// The id of an endpoint, or the path of one that the API description leaves out.
fn name_of(endpoint: &Endpoint) -> &'static str {
    if endpoint.id.is_empty() { endpoint.path } else { endpoint.id }
}
