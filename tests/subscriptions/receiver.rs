//! A receiver of webhooks: a small HTTP server that keeps what it gets, and answers as it is told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::foreign;

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Status(u16),
    /// Closes the connection.
    HangUp,
    /// Answers after the sender has lost patience.
    Slow,
    /// Sends the sender elsewhere.
    Redirect,
}

/// A request that was received.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) path: String,
    pub(super) id: String,
    timestamp: String,
    signature: String,
    body: String,
    /// Whether it was answered with success.
    pub(super) is_taken: bool,
}

impl Received {
    pub(super) fn notice(&self) -> Json {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    answers: VecDeque<Answer>,
    otherwise: Option<Answer>,
}

pub(super) struct Receiver {
    pub(super) port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Receiver {
    /// A receiver that gives these answers one after the other, and then takes everything.
    pub(super) fn start(answers: &[Answer]) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").expect("a port"), answers)
    }

    /// The same at a port at which nobody listened until now.
    pub(super) fn start_at(port: u16) -> Self {
        Self::listen(TcpListener::bind(("127.0.0.1", port)).expect("the port"), &[])
    }

    fn listen(listener: TcpListener, answers: &[Answer]) -> Self {
        let port = listener.local_addr().expect("an address").port();
        let state = State { answers: answers.iter().copied().collect(), ..State::default() };
        let state = Arc::new((Mutex::new(state), Condvar::new()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { port, state }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Answers everything from now on like this.
    pub(super) fn always(&self, answer: Option<Answer>) {
        self.state.0.lock().expect("a state").otherwise = answer;
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.state.0.lock().expect("a state").received.clone()
    }

    /// Waits for so many notices that were answered with success, and returns them.
    pub(super) fn taken(&self, count: usize) -> Vec<Json> {
        let taken = |state: &State| state.received.iter().filter(|own| own.is_taken).count();
        let (state, waiting) = self
            .state
            .1
            .wait_timeout_while(self.state.0.lock().expect("a state"), Duration::from_mins(1), |state| {
                taken(state) < count
            })
            .expect("a state");
        assert!(!waiting.timed_out(), "{} of {count} notices: {:?}", taken(&state), state.received);
        state.received.iter().filter(|own| own.is_taken).map(Received::notice).collect()
    }

    /// Checks the signatures of all requests with another implementation of HMAC.
    pub(super) fn check_signatures(&self, secret: &str) {
        const PROGRAM: &str = "import base64,hashlib,hmac,json,sys,time\n\
            key = base64.b64decode(sys.argv[1].removeprefix('whsec_'))\n\
            for id, at, signature, body in json.loads(sys.argv[2]):\n\
            \x20   own = hmac.new(key, f'{id}.{at}.{body}'.encode(), hashlib.sha256).digest()\n\
            \x20   assert signature == 'v1,' + base64.b64encode(own).decode(), (id, signature)\n\
            \x20   assert abs(int(at) - time.time()) < 300, at\n";
        let all: Vec<Json> =
            self.received().iter().map(|own| json!([own.id, own.timestamp, own.signature, own.body])).collect();
        assert!(!all.is_empty());
        foreign("python3", &["-c", PROGRAM, secret, &Json::from(all).to_string()]);
    }
}

fn serve(mut stream: TcpStream, shared: &(Mutex<State>, Condvar)) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() || line.is_empty() {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers: Vec<(String, String)> = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let header =
        |name: &str| headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap_or_default();
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).expect("a body");
    let answer = {
        let mut state = shared.0.lock().expect("a state");
        let answer = state.answers.pop_front().or(state.otherwise).unwrap_or(Answer::Status(204));
        state.received.push(Received {
            path,
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
            body: String::from_utf8(body).expect("text"),
            is_taken: matches!(answer, Answer::Status(200..=299)),
        });
        shared.1.notify_all();
        answer
    };
    let reply = match answer {
        Answer::HangUp => return,
        Answer::Slow => {
            // Until the sender hangs up.
            let _ = reader.read(&mut [0]);
            return;
        }
        Answer::Status(status) => format!("HTTP/1.1 {status} -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        Answer::Redirect => {
            "HTTP/1.1 307 -\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
        }
    };
    let _ = stream.write_all(reply.as_bytes());
}
