//! The server under load: a process of its own with the sample county.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub(crate) struct LoadedServer {
    child: Child,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
}

impl LoadedServer {
    pub(crate) fn start(program: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("onemap-load-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("a folder");
        let mut command = Command::new(program);
        command.args(["--json", "serve", "--listen", "127.0.0.1:0"]).current_dir(&folder);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the server starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a log")).lines().map_while(Result::ok);
        let address = lines.by_ref().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line).ok()?;
            line["fields"]["url"].as_str()?.trim_start_matches("http://").trim_end_matches('/').parse().ok()
        });
        let address = address.expect("the server listens");
        // What it logs under load is shown, so that nothing is missed.
        std::thread::spawn(move || lines.for_each(|line| println!("log: {line}")));
        Self { child, folder, address }
    }

    /// Memory and open files.
    pub(crate) fn usage(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the server runs");
        let line = |name: &str| {
            let found = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            found.trim_end_matches("kB").trim().parse::<u64>().unwrap_or_default()
        };
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count);
        format!(
            "memory {} MB, peak {} MB, threads {}, files {files}",
            line("VmRSS:") / 1_000,
            line("VmHWM:") / 1_000,
            line("Threads:")
        )
    }
}

impl Drop for LoadedServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Each connection holds a file handle.
pub(crate) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("the limit of open files");
}
