//! What the server is compared with: a server that sends fixed bytes, and Martin; and the load of both.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};

const CONNECTIONS: &str = "16";
const SECONDS: &str = "4s";

/// Requests per second of an address, by wrk over kept connections.
pub(crate) fn requests_per_s(address: &str) -> f64 {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-c", CONNECTIONS, "-d", SECONDS, "-H", "Accept-Encoding: gzip", address]);
    let output = wrk.output().expect("wrk runs; scripts/bench installs it");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "{address}: {text}");
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    rate.and_then(|rate| rate.trim().parse().ok()).unwrap_or_else(|| panic!("{address}: {text}"))
}

/// A server of the same library that sends the same bytes for every request: no server can be faster here.
pub(crate) struct Ceiling {
    pub(crate) url: String,
    stop: actix_web::dev::ServerHandle,
}

impl Ceiling {
    pub(crate) fn start(body: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let (send, handle) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let body = web::Bytes::from(body);
                let answer = move || {
                    let body = body.clone();
                    App::new().default_service(web::to(move || {
                        let body = body.clone();
                        async move { HttpResponse::Ok().content_type("application/octet-stream").body(body) }
                    }))
                };
                let server = HttpServer::new(answer).listen(listener).expect("a server").run();
                send.send(server.handle()).expect("somebody waits");
                server.await.expect("the server ends");
            });
        });
        Self { url, stop: handle.recv().expect("a handle") }
    }
}

impl Drop for Ceiling {
    fn drop(&mut self) {
        drop(self.stop.stop(false));
    }
}

/// Martin over the tables of the same database.
pub(crate) struct Martin {
    pub(crate) url: String,
    child: Child,
}

impl Martin {
    pub(crate) fn start(program: &str, database: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let mut command = Command::new(program);
        command.args(["--listen-addresses", &format!("127.0.0.1:{port}"), database]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let own = Self { url: format!("http://127.0.0.1:{port}"), child: command.spawn().expect("Martin starts") };
        let started = Instant::now();
        while ureq::get(format!("{}/health", own.url)).call().is_err() {
            assert!(started.elapsed() < Duration::from_mins(1), "Martin does not answer");
            std::thread::sleep(Duration::from_millis(200));
        }
        own
    }
}

impl Drop for Martin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
