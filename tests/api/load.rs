//! Expensive requests: they delay nobody, and end with their caller.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::Server;

/// The nearest features of three layers to a line of many corners.
fn expensive() -> String {
    let corner = |at: u32| format!("{}+{}", 118.5 + f64::from(at) * 7e-4, 26.0 + f64::from(at % 7) * 0.07);
    let corners: Vec<String> = (0..790).map(corner).collect();
    let layers = "hazards:1000,villages:1000,shelters:1000";
    format!("/api/nearest?layer={layers}&status=any&near=LINESTRING({})", corners.join(","))
}

/// Sends a request without reading its reply.
fn begin(server: &Server, path: &str) -> TcpStream {
    let address = server.url.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).expect("sent");
    connection
}

#[test]
fn a_caller_who_hangs_up_ends_the_work_for_it() {
    let (_folder, server) = Server::of_sample();
    let path = expensive();
    let mut connection = begin(&server, &path);
    connection.shutdown(Shutdown::Write).expect("hung up");
    let mut reply = Vec::new();
    // Closed by the server, in order or not.
    let _ = connection.read_to_end(&mut reply);
    assert_eq!(String::from_utf8_lossy(&reply), "", "work for nobody was finished");
    assert_eq!(server.get(&path).status, 200);
}

#[test]
fn long_requests_do_not_delay_short_ones() {
    let (_folder, server) = Server::of_sample();
    let path = expensive();
    // More than run at the same time.
    let many = 4 * std::thread::available_parallelism().map_or(1, usize::from);
    let finished = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..many {
            let mut connection = begin(&server, &path);
            let finished = &finished;
            scope.spawn(move || {
                connection.read_to_end(&mut Vec::new()).expect("a reply");
                finished.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(server.get("/api/nearest?point=118.86,26.22&layer=shelters").status, 200);
        let before = finished.load(Ordering::Relaxed);
        assert!(before < many / 2, "it waited for {before} of {many} long requests");
    });
}
