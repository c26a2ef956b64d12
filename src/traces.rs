//! Traces: one span for each request, sent to an OpenTelemetry collector (OTLP over HTTP).
//!
//! Spans wait in a bounded queue and are sent by a thread of their own, so a collector that is slow or down delays no
//! request; spans beyond the queue are dropped. A span has no query string, no address of the caller and no values.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span, SpanKind, Status, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider};
use url::Url;

/// Path of OTLP over HTTP, added to an address without a path.
const PATH: &str = "/v1/traces";
/// Time limit of one transmission.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for which spans wait for others.
const SEND_EVERY: Duration = Duration::from_secs(1);
/// Time that the last spans may take when the server stops.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest reply of a collector, bytes.
const MAX_REPLY_BYTES: u64 = 1_000_000;

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("spans cannot be sent to {url}: {reason}")]
pub struct TraceError {
    url: String,
    reason: String,
}

/// The address of a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorUrl(Url);

impl std::str::FromStr for CollectorUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
        let accepted = "accepted: http or https with a host, such as http://127.0.0.1:4318";
        let mut url = url.ok_or_else(|| format!("no address of a collector; {accepted}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the address has a password; use the variable OTEL_EXPORTER_OTLP_HEADERS".to_owned());
        }
        if url.path() == "/" {
            url.set_path(PATH);
        }
        Ok(Self(url))
    }
}

/// Reads the share of requests that are traced.
///
/// # Errors
/// When the text is no number from 0 to 1.
pub fn parse_ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| "no share of requests; accepted: 0 to 1".to_owned())
}

/// A request that has been answered.
pub struct TracedRequest<'a> {
    /// Its method; another than those of the server is `_OTHER`.
    pub method: &'static str,
    /// The path template; `None` if no path matched.
    pub route: Option<&'a str>,
    /// Status of the reply.
    pub status: u16,
    /// Role of the caller; `None` if it was not identified.
    pub role: Option<&'static str>,
    /// When it arrived.
    pub started: SystemTime,
    /// Time until the head of the reply.
    pub duration: Duration,
    /// The part of it in which the store was waited for.
    pub store: Option<Duration>,
    /// Id of the request.
    pub request_id: String,
}

/// Sends spans.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
}

impl Traces {
    /// Sends spans of a share of the requests, and of all requests whose caller traces them.
    ///
    /// # Errors
    /// When the exporter cannot be made. A collector that does not answer is no error.
    pub fn start(CollectorUrl(url): &CollectorUrl, ratio: f64) -> Result<Self, TraceError> {
        let agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
        let client = SpanSender {
            agent: agent.max_redirects(0).build().into(),
            url: url.to_string(),
            is_failing: AtomicBool::default(),
        };
        let exporter = SpanExporter::builder().with_http().with_http_client(client).with_endpoint(url.as_str());
        let exporter = exporter.with_protocol(Protocol::HttpBinary).with_timeout(TIMEOUT).build();
        let exporter = exporter.map_err(|error| TraceError { url: url.to_string(), reason: error.to_string() })?;
        let batches = BatchConfigBuilder::default().with_scheduled_delay(SEND_EVERY).build();
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name("onemap").with_attribute(version).build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("onemap");
        Ok(Self { provider, tracer, propagator: TraceContextPropagator::new() })
    }

    /// The trace of the caller, from the headers of a request (W3C Trace Context).
    #[must_use]
    pub fn parent(&self, headers: &dyn Extractor) -> Context {
        self.propagator.extract_with_context(&Context::new(), headers)
    }

    /// Records the span of a request.
    pub fn record(&self, request: TracedRequest<'_>, parent: &Context) {
        let TracedRequest { method, route, status, role, started, duration, store, request_id } = request;
        let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
        let mut span = self.tracer.span_builder(name).with_kind(SpanKind::Server).with_start_time(started);
        span.attributes = Some(vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.response.status_code", i64::from(status)),
            KeyValue::new("onemap.request_id", request_id),
        ]);
        let mut span = span.start_with_context(&self.tracer, parent);
        if let Some(route) = route {
            span.set_attribute(KeyValue::new("http.route", route.to_owned()));
        }
        if let Some(role) = role {
            span.set_attribute(KeyValue::new("onemap.role", role));
        }
        if let Some(store) = store {
            span.set_attribute(KeyValue::new("onemap.store.duration", store.as_secs_f64()));
        }
        if status >= 500 {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(started + duration);
    }

    /// Sends what waits, for a limited time.
    pub fn stop(&self) {
        // The collector does not answer; it has been logged.
        let _ = self.provider.shutdown_with_timeout(LAST_TIMEOUT);
    }
}

/// The HTTP client of the exporter, whose thread may block.
#[derive(Debug)]
struct SpanSender {
    agent: ureq::Agent,
    url: String,
    is_failing: AtomicBool,
}

impl HttpClient for SpanSender {
    fn send_bytes<'own, 'sent>(
        &'own self,
        request: Request<Bytes>,
    ) -> BoxFuture<'sent, Result<Response<Bytes>, HttpError>>
    where
        'own: 'sent,
        Self: 'sent,
    {
        Box::pin(async move {
            let sent = self.send(request);
            // Each outage is logged once.
            match &sent {
                Ok(reply) if reply.status().is_success() => {
                    if self.is_failing.swap(false, Ordering::Relaxed) {
                        tracing::info!(url = self.url, "the collector of traces receives spans again");
                    }
                }
                failed => {
                    let status = |reply: &Response<Bytes>| format!("it answers {}", reply.status().as_u16());
                    let reason = failed.as_ref().map_or_else(ToString::to_string, status);
                    if !self.is_failing.swap(true, Ordering::Relaxed) {
                        tracing::warn!(
                            url = self.url,
                            "the collector of traces receives no spans, they are dropped: {reason}"
                        );
                    }
                }
            }
            sent
        })
    }
}

impl SpanSender {
    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let reply = self.agent.run(Request::from_parts(parts, body.to_vec()))?;
        let (parts, mut body) = reply.into_parts();
        let body = body.with_config().limit(MAX_REPLY_BYTES).read_to_vec()?;
        Ok(Response::from_parts(parts, body.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_usual_path_unless_it_has_its_own() {
        let read = |text: &str| text.parse().map(|CollectorUrl(url)| url.to_string());
        assert_eq!(read("http://127.0.0.1:4318"), Ok("http://127.0.0.1:4318/v1/traces".to_owned()));
        assert_eq!(read("https://otel.example/a/b"), Ok("https://otel.example/a/b".to_owned()));
        for wrong in ["", "127.0.0.1:4318", "grpc://a", "http://", "http://me:secret@a"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_ratio("0.25"), Ok(0.25));
        for wrong in ["-0.1", "1.5", "NaN", "all"] {
            assert!(parse_ratio(wrong).is_err(), "{wrong}");
        }
    }
}
