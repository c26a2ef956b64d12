//! A client of `/api/events`, and edits of the file by another program.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;

use super::{Server, foreign};

/// Time limit of a whole stream, because the client has none for one event. A test may do much while it is open.
const STREAM_LIMIT: Duration = Duration::from_mins(5);

/// A received event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: Json,
    /// Size of the whole event, bytes.
    pub(crate) size: usize,
}

/// An open stream.
pub(crate) struct Listener(BufReader<Box<dyn std::io::Read>>);

impl Listener {
    pub(crate) fn open(server: &Server, query: &str) -> Self {
        Self::resume(server, query, None)
    }

    /// The stream of an account.
    pub(crate) fn open_as(server: &Server, query: &str, secret: &str) -> Self {
        let request = ureq::get(&format!("{}/api/events{query}", server.url));
        Self::read(request.header("Authorization", &format!("Bearer {secret}")))
    }

    pub(crate) fn resume(server: &Server, query: &str, last_event_id: Option<&str>) -> Self {
        Self::resume_at(&server.url, query, last_event_id)
    }

    /// The stream of a server that was started otherwise.
    pub(crate) fn resume_at(base: &str, query: &str, last_event_id: Option<&str>) -> Self {
        let mut request = ureq::get(&format!("{base}/api/events{query}"));
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        Self::read(request)
    }

    /// Another stream with a greeting.
    pub(crate) fn open_at(server: &Server, path: &str, headers: &[(&str, &str)]) -> Self {
        let request = ureq::get(&format!("{}{path}", server.url));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.config().timeout_global(Some(STREAM_LIMIT)).build().call().expect("a stream");
        let mut listener = Self(BufReader::new(Box::new(response.into_body().into_reader())));
        assert_eq!(listener.receive().expect("a greeting").name, "hello");
        listener
    }

    fn read(request: ureq::RequestBuilder<ureq::typestate::WithoutBody>) -> Self {
        let response = request.config().timeout_global(Some(STREAM_LIMIT)).build().call().expect("a stream");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let mut listener = Self(BufReader::new(Box::new(response.into_body().into_reader())));
        let hello = listener.receive().expect("a greeting");
        assert_eq!(hello.name, "hello");
        assert_eq!(hello.data["stale"], false);
        listener
    }

    /// The next event with content; `None` at the end of the stream.
    pub(crate) fn receive(&mut self) -> Option<Event> {
        let mut event = Event { id: None, name: String::new(), data: Json::Null, size: 0 };
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).expect("the stream is readable until the timeout");
            if read == 0 {
                return None;
            }
            event.size += read;
            let line = line.trim_end_matches('\n');
            match line.split_once(": ") {
                Some(("id", id)) => event.id = Some(id.to_owned()),
                Some(("event", name)) => name.clone_into(&mut event.name),
                Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
                _ if line.is_empty() && !event.name.is_empty() => return Some(event),
                _ => {}
            }
        }
    }

    /// The next change; panics on any other event.
    pub(crate) fn change(&mut self) -> Event {
        let event = self.receive().expect("the stream continues");
        assert_eq!(event.name, "change", "{event:?}");
        event
    }
}

/// Runs statements on a GeoPackage in one transaction, like another program.
pub(crate) fn edit(file: &Path, statements: &str) {
    let program = "import sqlite3,sys\nc = sqlite3.connect(sys.argv[1], timeout=30)\n\
                   c.executescript('begin immediate;' + sys.stdin.read() + ';commit')";
    let script = file.with_extension("sql");
    std::fs::write(&script, statements).expect("a script");
    let program = program.replace("sys.stdin.read()", "open(sys.argv[2], encoding='utf-8').read()");
    foreign("python3", &["-c", &program, &file.display().to_string(), &script.display().to_string()]);
}

/// A point as an SQL literal of GeoPackage binary: header without envelope, then well-known binary.
pub(crate) fn point_literal(lon: f64, lat: f64) -> String {
    let mut bytes = vec![0x47, 0x50, 0, 1, 0xe6, 0x10, 0, 0, 1, 1, 0, 0, 0];
    bytes.extend([lon, lat].iter().flat_map(|ordinate| ordinate.to_le_bytes()));
    bytes.iter().fold("X'".to_owned(), |hex, byte| format!("{hex}{byte:02x}")) + "'"
}
