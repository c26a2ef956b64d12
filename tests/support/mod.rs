//! Shared by all tests: the real binary, temporary directories, foreign programs.

pub(crate) mod database;
pub(crate) mod file_server;
pub(crate) mod identity_provider;
pub(crate) mod listener;
pub(crate) mod node;
pub(crate) mod proxy;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use proptest::test_runner::{Config, RngAlgorithm, RngSeed};
use serde_json::Value as Json;

/// A temporary directory.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("onemap-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, content).expect("a file for the test");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program, run in a directory.
pub(crate) fn onemap(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onemap"));
    command.current_dir(folder.path()).args(arguments).stdin(Stdio::null());
    command
}

/// Runs the program to completion.
pub(crate) fn run(folder: &Folder, arguments: &[&str]) -> Output {
    onemap(folder, arguments).output().expect("the program starts")
}

/// Runs the program, which must succeed.
pub(crate) fn run_well(folder: &Folder, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "onemap {arguments:?}: {log}");
    log
}

/// A figure of the memory of a process in kilobytes: `VmRSS` now, `VmHWM` at most; 0 if it has ended.
pub(crate) fn memory_kb(process: u32, figure: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(figure));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// A running server on its own port.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    /// The log since the server listens.
    later: Arc<Mutex<String>>,
}

impl Server {
    /// Starts a server in a directory and waits until it listens.
    pub(crate) fn start(folder: &Folder, arguments: &[&str]) -> Self {
        Self::start_with_log(folder, &[&["--listen", "127.0.0.1:0"], arguments].concat()).0
    }

    /// The same with the log up to that line; without `--listen` among the arguments it uses a free port.
    pub(crate) fn start_with_log(folder: &Folder, arguments: &[&str]) -> (Self, String) {
        let anywhere = ["--listen", "127.0.0.1:0"];
        let listen = if arguments.contains(&"--listen") { &[][..] } else { &anywhere };
        let mut command = onemap(folder, &[&["--json", "serve"], listen].concat());
        command.args(arguments);
        Self::start_command(command)
    }

    /// Starts in a folder in which `FOLDER/disk` is a separate disk of this size.
    pub(crate) fn start_on_small_disk(folder: &Folder, megabytes: u32, arguments: &[&str]) -> Self {
        std::fs::create_dir_all(folder.file("disk")).expect("a folder");
        let script = format!("mount -t tmpfs -o size={megabytes}m tmpfs disk && exec \"$0\" \"$@\"");
        let mut command = Command::new("unshare");
        command.current_dir(folder.path()).stdin(Stdio::null());
        command.args(["--map-root-user", "--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_onemap")]);
        command.args(["--json", "serve", "--listen", "127.0.0.1:0"]).args(arguments);
        Self::start_command(command).0
    }

    /// Starts by a command that serves.
    pub(crate) fn start_by(command: Command) -> Self {
        Self::start_command(command).0
    }

    pub(crate) fn start_command(mut command: Command) -> (Self, String) {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut log = BufReader::new(child.stderr.take().expect("a log"));
        let mut log_text = String::new();
        let url = loop {
            let mut line = String::new();
            let read = log.read_line(&mut line).expect("the log is readable");
            assert!(read > 0, "the server stopped before it listened:\n{log_text}");
            log_text.push_str(&line);
            let url = serde_json::from_str::<Json>(&line)
                .ok()
                .and_then(|line| line["fields"]["url"].as_str().map(|url| url.trim_end_matches('/').to_owned()));
            if let Some(url) = url {
                break url;
            }
        };
        // The log must be read on, or the pipe fills and blocks the server.
        let later = Arc::new(Mutex::new(String::new()));
        let lines = later.clone();
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                lines.lock().expect("one reader").push_str(&(line + "\n"));
            }
        });
        (Self { child, url, later }, log_text)
    }

    /// A server with the sample county.
    pub(crate) fn of_sample() -> (Folder, Self) {
        let folder = Folder::new();
        let server = Self::start(&folder, &[]);
        (folder, server)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        Reply::of(ureq::get(&format!("{}{path}", self.url)))
    }

    pub(crate) fn get_with(&self, path: &str, header: (&str, &str)) -> Reply {
        Reply::of(ureq::get(&format!("{}{path}", self.url)).header(header.0, header.1))
    }

    /// Sends a request with a body and headers.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.try_send(method, path, headers, body).expect("the server answers")
    }

    /// Sends a request to a server that may be killed meanwhile; `None` without a whole reply.
    pub(crate) fn try_send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<Reply> {
        try_send_to(&format!("{}{path}", self.url), method, headers, body)
    }

    /// The log since the server listens.
    pub(crate) fn log(&self) -> String {
        self.later.lock().expect("one reader").clone()
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, like a power failure.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server is gone");
    }

    /// Stops it gracefully and returns its exit code.
    pub(crate) fn stop(self) -> Option<i32> {
        self.stop_by("-TERM")
    }

    /// Sends a signal and returns the exit code.
    pub(crate) fn stop_by(mut self, signal: &str) -> Option<i32> {
        let log_text = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(log_text.success());
        self.child.wait().expect("the server ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request to a URL; `None` without a whole reply.
pub(crate) fn try_send_to(url: &str, method: &str, headers: &[(&str, &str)], body: &str) -> Option<Reply> {
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.to_owned()).expect("a request");
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build().into();
    let mut response = agent.run(request).ok()?;
    let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().ok()?;
    Some(Reply { status: response.status().as_u16(), headers: response.headers().clone(), body })
}

/// A reply with its whole body.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    fn of(request: ureq::RequestBuilder<ureq::typestate::WithoutBody>) -> Self {
        Self::read(request.config().http_status_as_error(false).build().call().expect("the server answers"))
    }

    fn read(mut response: ureq::http::Response<ureq::Body>) -> Self {
        let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().expect("a whole body");
        Self { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Runs a foreign program, which must succeed, and returns its output.
pub(crate) fn foreign(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; scripts/install-test-tools installs it"));
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {printed}");
    printed
}

/// The directory of the project.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Polls until the condition holds.
pub(crate) fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    until(what, || holds().then_some(()));
}

/// Polls until there is a result.
pub(crate) fn until<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);
    let start = std::time::Instant::now();
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "timeout: {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Percent-encodes a text for a query string.
pub(crate) fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        write!(encoded, "%{byte:02X}").expect("text");
        encoded
    })
}

/// Reproducible numbers between 0 and 1 (SplitMix64).
#[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
pub(crate) fn chances(mut seed: u64) -> impl FnMut() -> f64 {
    move || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Configuration of a property test with a number of cases, the same in every run.
pub(crate) fn cases(cases: u32) -> Config {
    Config {
        cases,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(350_124),
        failure_persistence: None,
        ..Config::default()
    }
}
