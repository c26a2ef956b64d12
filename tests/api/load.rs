//! Expensive requests: they delay nobody, and end with their caller.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Folder, Server};

/// The nearest features of three layers to a line of many corners.
fn expensive() -> String {
    nearest_to_line("hazards:1000,villages:1000,shelters:1000")
}

/// A long request, of which a busy machine too serves dozens within the time limit.
fn long() -> String {
    nearest_to_line("shelters:200")
}

fn nearest_to_line(layers: &str) -> String {
    let corner = |at: u32| format!("{}+{}", 118.5 + f64::from(at) * 7e-4, 26.0 + f64::from(at % 7) * 0.07);
    let corners: Vec<String> = (0..790).map(corner).collect();
    format!("/api/nearest?layer={layers}&status=any&near=LINESTRING({})", corners.join(","))
}

/// Sends a request without reading its reply.
fn begin(server: &Server, path: &str) -> TcpStream {
    begin_with(server, path, "")
}

/// The same with a header line.
fn begin_with(server: &Server, path: &str, header: &str) -> TcpStream {
    let address = server.url.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{header}Connection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).expect("sent");
    connection
}

/// The whole reply of a request that was sent.
fn finish(mut connection: TcpStream) -> String {
    let mut reply = Vec::new();
    connection.read_to_end(&mut reply).expect("a reply");
    String::from_utf8_lossy(&reply).into_owned()
}

/// Header lines of requests that a proxy on this machine passes on for two callers.
const FIRST_CALLER: &str = "X-Forwarded-For: 10.0.0.1\r\n";
const SECOND_CALLER: &str = "X-Forwarded-For: 10.0.0.2\r\n";

fn behind_a_proxy() -> (Folder, Server) {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--trusted-proxy", "127.0.0.1"]);
    (folder, server)
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

#[test]
fn long_requests_of_one_caller_do_not_delay_those_of_another() {
    let (_folder, server) = behind_a_proxy();
    let path = long();
    let (many, threads) = (20, std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2));
    let finished = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..many {
            let connection = begin_with(&server, &path, FIRST_CALLER);
            let finished = &finished;
            scope.spawn(move || {
                assert!(finish(connection).starts_with("HTTP/1.1 200"));
                finished.fetch_add(1, Ordering::Relaxed);
            });
        }
        // The first request has been served, so the others wait.
        while finished.load(Ordering::Relaxed) == 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let before = finished.load(Ordering::Relaxed);
        assert!(finish(begin_with(&server, &path, SECOND_CALLER)).starts_with("HTTP/1.1 200"));
        // Those that ran, and, because their replies travel at the same time, one more of each thread.
        let waited = finished.load(Ordering::Relaxed) - before;
        assert!(waited <= 2 * threads, "it waited for {waited} of {} requests of another caller", many - before);
    });
}

#[test]
fn a_caller_has_a_maximum_of_long_requests_at_the_same_time() {
    let (_folder, server) = behind_a_proxy();
    let path = long();
    let begun: Vec<TcpStream> = (0..60).map(|_| begin_with(&server, &path, FIRST_CALLER)).collect();
    // Refusals arrive while the others wait.
    let refused = begun.iter().rev().find_map(|connection| {
        connection.set_read_timeout(Some(std::time::Duration::from_millis(200))).expect("a time limit");
        let mut reply = Vec::new();
        let _ = connection.try_clone().expect("a connection").read_to_end(&mut reply);
        String::from_utf8(reply).ok().filter(|reply| !reply.is_empty())
    });
    let refused = refused.expect("a limit");
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    assert!(refused.contains("urn:problem-type:onemap:rate-limited"), "{refused}");
    assert!(refused.to_ascii_lowercase().contains("\r\nretry-after: 2\r\n"), "{refused}");
    assert!(finish(begin_with(&server, &path, SECOND_CALLER)).starts_with("HTTP/1.1 200"));
    // Requests of a client that disconnects do not count.
    drop(begun);
    let begin_again = || finish(begin_with(&server, &path, FIRST_CALLER));
    let again = (0..50).map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        begin_again()
    });
    let again = again.take(50).find(|reply| !reply.starts_with("HTTP/1.1 429")).expect("a place");
    assert!(again.starts_with("HTTP/1.1 200"), "{again}");
    // Callers on this machine have no maximum.
    let local: Vec<TcpStream> = (0..40).map(|_| begin(&server, &path)).collect();
    assert!(local.into_iter().map(finish).all(|reply| !reply.starts_with("HTTP/1.1 429")));
}
