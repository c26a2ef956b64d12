//! Traces: spans of requests at a collector, what they do not contain, and a collector that is down.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::{account, get, send};
use crate::support::{Folder, Server, await_that, run, until};

/// A collector: the bodies of the requests so far.
struct Collector {
    url: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let bodies = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let received = bodies.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let received = received.clone();
                std::thread::spawn(move || while receive(&stream, &received).is_some() {});
            }
        });
        Self { url, bodies }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bodies.lock().expect("bodies").concat()
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().expect("bodies");
        let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.as_slice()).expect("an export"));
        let scopes = requests.flat_map(|own| own.resource_spans).flat_map(|own| own.scope_spans);
        scopes.flat_map(|own| own.spans).collect()
    }

    /// The span of a path template with a status.
    fn span(&self, name: &str) -> Span {
        until(name, || self.spans().into_iter().find(|span| span.name == name))
    }
}

/// Reads one request and accepts it; `None` at the end of the connection.
fn receive(stream: &TcpStream, received: &Mutex<Vec<Vec<u8>>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut is_first) = (0, true);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if std::mem::take(&mut is_first) {
            assert!(line.starts_with("POST /v1/traces "), "{line}");
        }
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    received.lock().expect("bodies").push(body);
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()
}

/// An attribute as text.
fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|own| own.key == key)?;
    match found.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        Value::DoubleValue(number) => Some(number.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_request_is_a_span_without_what_it_asks() {
    let (folder, collector) = (Folder::new(), Collector::start());
    let secret = account(&folder, "值班员", &["--role", "dispatcher"]);
    let server = Server::start(&folder, &["--trace-endpoint", &collector.url]);
    let asked = "/api/nearest?point=118.8623,26.2214&layer=shelters&k=1";
    assert_eq!(get(&server, &secret, asked).status, 200);
    let path = "/ogc/collections/shelters/items/SH-0001";
    let authorization = format!("Bearer {secret}");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/merge-patch+json"),
        ("traceparent", parent.as_str()),
        ("X-Request-Id", "night-7"),
    ];
    let body = r#"{"properties": {"phone": "13812341234"}}"#;
    assert_eq!(server.send("PATCH", path, &headers, body).status, 204);
    assert_eq!(get(&server, "", "/nowhere").status, 404);
    // Not sampled by the caller.
    let unsampled = [("traceparent", format!("00-{trace}-00f067aa0ba902b7-00"))];
    let unsampled = unsampled.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(server.send("GET", "/ogc/conformance", &unsampled, "").status, 200);

    let nearest = collector.span("GET /api/nearest");
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/api/nearest"),
        ("http.response.status_code", "200"),
        ("onemap.role", "dispatcher"),
    ] {
        assert_eq!(attribute(&nearest, key).as_deref(), Some(value), "{key}");
    }
    assert!(nearest.parent_span_id.is_empty() && nearest.end_time_unix_nano > nearest.start_time_unix_nano);
    assert_eq!(attribute(&nearest, "onemap.store.duration"), None);
    let edit = collector.span("PATCH /ogc/collections/{collectionId}/items/{featureId}");
    let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    assert_eq!((hex(&edit.trace_id).as_str(), hex(&edit.parent_span_id).as_str()), (trace, "00f067aa0ba902b7"));
    assert_eq!(attribute(&edit, "onemap.request_id").as_deref(), Some("night-7"));
    let waited: f64 = attribute(&edit, "onemap.store.duration").and_then(|own| own.parse().ok()).expect("a duration");
    assert!(waited > 0.0);
    // The server sends the rest when it stops.
    assert_eq!(server.stop(), Some(0));
    assert_eq!(attribute(&collector.span("GET"), "http.response.status_code").as_deref(), Some("404"));
    assert!(!collector.spans().iter().any(|span| span.name.contains("conformance")));
    let bytes = collector.bytes();
    for hidden in ["118.8623", "point=", "13812341234", "SH-0001", "nowhere", "值班员", "127.0.0.1", &secret] {
        let is_sent = bytes.windows(hidden.len()).any(|part| part == hidden.as_bytes());
        assert!(!is_sent, "{hidden} is sent");
    }
}

#[test]
fn a_collector_that_is_down_is_told_once_and_stops_nothing() {
    let folder = Folder::new();
    // It accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    for address in [closed, silent.local_addr().expect("an address")] {
        let server = Server::start(&folder, &["--trace-endpoint", &format!("http://{address}")]);
        let secret = "";
        // More requests than spans wait.
        for _ in 0..2_500 {
            assert_eq!(get(&server, secret, "/health/live").status, 200);
        }
        let told = || server.log().matches("the collector of traces receives no spans").count();
        await_that("it is told", || told() == 1);
        assert_eq!(send(&server, secret, "GET", "/ogc/conformance", "").status, 200);
        assert_eq!(told(), 1);
        assert_eq!(server.stop(), Some(0));
    }
}

#[test]
fn wrong_addresses_and_shares_are_refused() {
    let folder = Folder::new();
    for (option, reason) in [
        ("--trace-endpoint=localhost:4318", "accepted: http or https"),
        ("--trace-endpoint=http://me:secret@collector", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("--trace-ratio=2", "accepted: 0 to 1"),
    ] {
        let output = run(&folder, &["serve", option]);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && printed.contains(reason), "{option}: {printed}");
    }
}
