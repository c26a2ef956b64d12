//! A PostgreSQL server with PostGIS of the test run's own, or the one that `ONEMAP_TEST_POSTGRES` names.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

use super::Folder;

/// A running PostgreSQL, shared by all tests of the run and stopped with it.
pub(crate) struct Postgres {
    pub(crate) url: String,
}

/// The server of this run; started by the first test that needs it.
pub(crate) fn postgres() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(Postgres::start)
}

/// A new database with PostGIS, and its URL.
pub(crate) fn fresh_database() -> String {
    static COUNT: Mutex<u32> = Mutex::new(0);
    let server = postgres();
    let name = {
        let mut count = COUNT.lock().expect("the count");
        *count += 1;
        format!("onemap_test_{}_{}", std::process::id(), *count)
    };
    let administration = format!("{}/postgres", server.url);
    psql(&administration, &format!("CREATE DATABASE {name}"));
    let url = format!("{}/{name}", server.url);
    psql(&url, "CREATE EXTENSION postgis");
    url
}

/// Runs SQL and answers rows of values joined by `|`.
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
    #[expect(clippy::zombie_processes, reason = "the guard ends it after the run")]
    fn start() -> Self {
        if let Ok(url) = std::env::var("ONEMAP_TEST_POSTGRES") {
            return Self { url: url.trim_end_matches('/').to_owned() };
        }
        let programs = programs();
        let folder = Folder::new();
        let as_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        if as_root {
            super::foreign("chown", &["postgres", &folder.path().display().to_string()]);
        }
        let run = |program: &str, arguments: &str| {
            let command = format!("cd / && exec {} {arguments}", programs.join(program).display());
            // PostgreSQL refuses to run as root.
            let mut shell = if as_root { Command::new("runuser") } else { Command::new("sh") };
            if as_root {
                shell.args(["-u", "postgres", "--", "sh"]);
            }
            shell.args(["-c", &command]).stdin(Stdio::null());
            shell
        };
        let data = folder.file("data");
        let data = data.display();
        let made = run("initdb", &format!("-D {data} -U onemap -A trust -E UTF8 --no-locale --no-sync"))
            .output()
            .expect("initdb starts");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|taken| taken.local_addr())
            .expect("a free port")
            .port();
        let own = std::process::id();
        let server = format!(
            "-D {data} -p {port} -k {} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=100",
            folder.path().display()
        );
        let log = folder.file("log");
        let child = run("postgres", &server)
            .stdout(std::fs::File::create(&log).expect("a log"))
            .stderr(std::fs::File::options().append(true).open(&log).expect("a log"))
            .spawn()
            .expect("postgres starts");
        guard(own, child.id(), folder.path());
        // The folder is removed by the guard.
        std::mem::forget(folder);
        let url = format!("postgres://onemap@127.0.0.1:{port}");
        wait_until_ready(&programs.join("pg_isready"), port, &log);
        Self { url }
    }
}

/// Statics are not dropped at the end of a test run, so a small shell waits for the run's end and cleans up.
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

fn wait_until_ready(pg_isready: &std::path::Path, port: u16, log: &std::path::Path) {
    // The program itself waits for the server's answer; -t bounds one attempt.
    for _ in 0..200 {
        let port = port.to_string();
        let answered = Command::new(pg_isready).args(["-q", "-h", "127.0.0.1", "-p", &port, "-t", "1"]).status();
        if answered.is_ok_and(|status| status.success()) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("PostgreSQL does not start:\n{}", std::fs::read_to_string(log).unwrap_or_default());
}

/// Where the newest installed PostgreSQL keeps its programs.
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
