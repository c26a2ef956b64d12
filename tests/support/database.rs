//! A PostgreSQL server with PostGIS for the test run, or the one that `ONEMAP_TEST_POSTGRES` names.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Folder;

/// A running PostgreSQL, stopped at the end of the run.
pub(crate) struct Postgres {
    pub(crate) url: String,
    /// The command to restart it; `None` for an external server.
    own: Option<Own>,
}

struct Own {
    folder: PathBuf,
    port: u16,
}

/// The server of this run; started by the first test that needs it.
pub(crate) fn postgres() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(Postgres::start)
}

/// A new database with PostGIS on the server of this run, and its URL.
pub(crate) fn fresh_database() -> String {
    postgres().fresh_database()
}

/// The GDAL name of a database, from `postgres://user[:password]@host:port/name`.
pub(crate) fn gdal_name(url: &str) -> String {
    let read = || {
        let (who, place) = url.strip_prefix("postgres://")?.split_once('@')?;
        let (address, name) = place.split_once('/')?;
        let (user, password) = who.split_once(':').unwrap_or((who, ""));
        let (host, port) = address.split_once(':').unwrap_or((address, "5432"));
        Some(format!("PG:host={host} port={port} user={user} password='{password}' dbname={name}"))
    };
    read().unwrap_or_else(|| panic!("{url} is no address of a database"))
}

/// Runs SQL and returns rows of values joined by `|`.
pub(crate) fn psql(url: &str, sql: &str) -> String {
    use std::io::Write;
    let mut child = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("psql: {error}; scripts/install-test-tools installs it"));
    let mut input = child.stdin.take().expect("standard input");
    let sql = sql.to_owned();
    let writer = std::thread::spawn(move || input.write_all(sql.as_bytes()));
    let output = child.wait_with_output().expect("psql ends");
    let _ = writer.join();
    assert!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Postgres {
    fn start() -> Self {
        match std::env::var("ONEMAP_TEST_POSTGRES") {
            Ok(url) => Self { url: url.trim_end_matches('/').to_owned(), own: None },
            Err(_) => Self::of_its_own(),
        }
    }

    /// A separate server, which a test may kill.
    pub(crate) fn of_its_own() -> Self {
        let folder = Folder::new();
        if is_root() {
            super::foreign("chown", &["postgres", &folder.path().display().to_string()]);
        }
        let data = folder.file("data");
        let made =
            program("initdb", &format!("-D {} -U onemap -A trust -E UTF8 --no-locale --no-sync", data.display()))
                .output()
                .expect("initdb starts");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|taken| taken.local_addr())
            .expect("a free port")
            .port();
        let own = Own { folder: folder.path().to_owned(), port };
        // The folder is removed by the guard.
        std::mem::forget(folder);
        own.launch();
        Self { url: format!("postgres://onemap@127.0.0.1:{port}"), own: Some(own) }
    }

    /// A new database with PostGIS, and its URL.
    pub(crate) fn fresh_database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("onemap_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        psql(&format!("{}/postgres", self.url), &format!("CREATE DATABASE {name}"));
        let url = format!("{}/{name}", self.url);
        psql(&url, "CREATE EXTENSION postgis");
        url
    }

    /// Ends the server with SIGKILL. Its processes hold the data directory until they notice.
    pub(crate) fn kill(&self) {
        let own = self.own.as_ref().expect("a server of its own");
        let lock = std::fs::read_to_string(own.folder.join("data/postmaster.pid")).expect("it runs");
        let process = lock.lines().next().expect("a process");
        let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).expect("children");
        super::foreign("kill", &["-KILL", process]);
        for child in children.split_whitespace() {
            super::await_that("the end of a database process", || !std::path::Path::new("/proc").join(child).exists());
        }
    }

    /// Starts the server again after it was killed.
    pub(crate) fn start_again(&self) {
        self.own.as_ref().expect("a server of its own").launch();
    }
}

impl Own {
    #[expect(clippy::zombie_processes, reason = "the guard ends it after the run")]
    fn launch(&self) {
        let Self { folder, port } = self;
        let options = "-c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=100";
        let server = format!("-D {}/data -p {port} -k {} {options}", folder.display(), folder.display());
        let log = folder.join("log");
        let file = || std::fs::File::options().create(true).append(true).open(&log).expect("a log");
        let child = program("postgres", &server).stdout(file()).stderr(file()).spawn().expect("postgres starts");
        guard(std::process::id(), child.id(), folder);
        wait_until_ready(*port, &log);
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// A program of PostgreSQL, run as another user than root.
fn program(name: &str, arguments: &str) -> Command {
    let command = format!("cd / && exec {} {arguments}", programs().join(name).display());
    let mut shell = if is_root() { Command::new("runuser") } else { Command::new("sh") };
    if is_root() {
        shell.args(["-u", "postgres", "--", "sh"]);
    }
    shell.args(["-c", &command]).stdin(Stdio::null());
    shell
}

/// Statics are not dropped at the end of a test run, so a shell process waits for it and cleans up.
#[expect(clippy::zombie_processes, reason = "it outlives the run on purpose")]
fn guard(run: u32, server: u32, folder: &std::path::Path) {
    let script = format!(
        "while kill -0 {run} 2>/dev/null; do sleep 1; done; kill -INT {server}; sleep 2; rm -rf '{}'",
        folder.display()
    );
    Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh starts");
}

fn wait_until_ready(port: u16, log: &std::path::Path) {
    let pg_isready = programs().join("pg_isready");
    // The program waits for the server; -t bounds one attempt.
    for _ in 0..200 {
        let port = port.to_string();
        let answered = Command::new(&pg_isready).args(["-q", "-h", "127.0.0.1", "-p", &port, "-t", "1"]).status();
        if answered.is_ok_and(|status| status.success()) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("PostgreSQL does not start:\n{}", std::fs::read_to_string(log).unwrap_or_default());
}

/// The directory of the newest installed PostgreSQL programs.
fn programs() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, path)| path.join("initdb").is_file())
        .collect();
    versions.sort();
    versions.pop().map_or_else(
        || panic!("PostgreSQL is missing; scripts/install-test-tools installs it, or name a server in ONEMAP_TEST_POSTGRES"),
        |(_, path)| path,
    )
}
