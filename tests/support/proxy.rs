//! A TCP proxy that can be cut, silenced and restored.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Bytes are forwarded.
    Open,
    /// Bytes are not forwarded.
    Silent,
    /// Connections are closed, and new ones refused.
    Cut,
    /// As open, until a client that wrote rows sends COMMIT: the server gets it, the client gets no answer.
    CutAtCommit,
}

/// Forwards TCP connections unless it is cut.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    line: Arc<Line>,
}

struct Line {
    state: Mutex<State>,
    changed: Condvar,
    connections: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A proxy before a database, and the URL of the database through it.
    pub(crate) fn before(database: &str) -> (Self, String) {
        let (before, after) = database.split_once('@').expect("a user");
        let (host, name) = after.split_once('/').expect("a database");
        let proxy = Self::to(host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port"));
        let url = format!("{before}@{}/{name}", proxy.address);
        (proxy, url)
    }

    /// A proxy to a local port.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let line = Arc::new(Line {
            state: Mutex::new(State::Open),
            changed: Condvar::new(),
            connections: Mutex::new(Vec::new()),
        });
        let own = line.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // Held until the connection is listed: a cut in between would leave it open.
                let state = own.state.lock().expect("a state");
                if *state == State::Cut {
                    continue;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for (from, to, is_client) in [(&near, &far, true), (&far, &near, false)] {
                    let (from, to) = (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
                    let line = own.clone();
                    std::thread::spawn(move || line.forward(from, to, is_client));
                }
                own.connections.lock().expect("connections").extend([near, far]);
                drop(state);
            }
        });
        Self { address, line }
    }

    pub(crate) fn cut(&self) {
        self.line.turn(State::Cut);
        for connection in self.line.connections.lock().expect("connections").drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Cuts the next connection that commits rows, after COMMIT is sent and before the reply.
    pub(crate) fn cut_at_commit(&self) {
        self.line.turn(State::CutAtCommit);
    }

    pub(crate) fn silence(&self) {
        self.line.turn(State::Silent);
    }

    pub(crate) fn mend(&self) {
        self.line.turn(State::Open);
    }
}

impl Line {
    fn turn(&self, state: State) {
        *self.state.lock().expect("a state") = state;
        self.changed.notify_all();
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream, is_client: bool) {
        let mut buffer = [0; 16 * 1024];
        let mut has_written = false;
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let state = self.state.lock().expect("a state");
            let state = *self.changed.wait_while(state, |state| *state == State::Silent).expect("a state");
            let sent = &buffer[..count];
            let holds = |words: &[u8]| sent.windows(words.len()).any(|window| window == words);
            has_written |= is_client && holds(b"COPY ");
            let is_last = state == State::CutAtCommit && has_written && holds(b"COMMIT");
            if is_last {
                // The client has disconnected.
                let _ = from.shutdown(Shutdown::Both);
            }
            if to.write_all(sent).is_err() || is_last {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Write);
    }
}
