//! A GeoPackage in trouble: a full disk, a lock of another program, a backup copied over the file.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::support::{Folder, Server, await_that, foreign, run};

const ITEMS: &str = "/ogc/collections/shelters/items";

fn create(token: &str, server: &Server, id: &str) -> (u16, String) {
    let authorization = format!("Bearer {}", token.trim());
    let headers = [("Authorization", &*authorization), ("Content-Type", "application/json")];
    let shelter = json!({"type": "Feature", "id": id, "properties": {},
        "geometry": {"type": "Point", "coordinates": [118.7012, 26.3345]}});
    let reply = server.send("POST", ITEMS, &headers, &shelter.to_string());
    (reply.status, String::from_utf8_lossy(&reply.body).into_owned())
}

fn token(folder: &Folder) -> String {
    std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token")
}

#[test]
fn the_first_write_after_a_full_disk_succeeds() {
    let folder = Folder::new();
    let server = Server::start_on_small_disk(&folder, 24, &["--store", "disk/onemap.gpkg"]);
    let disk = format!("/proc/{}/root{}/disk", server.process_id(), folder.path().display());
    let token = std::fs::read_to_string(format!("{disk}/onemap.gpkg.token")).expect("a token");
    assert_eq!(create(&token, &server, "X-0").0, 201);
    // Data written by other programs.
    let filler = format!("{disk}/filler");
    let mut file = std::fs::File::create(&filler).expect("a file");
    let block = [0_u8; 4096];
    while file.write_all(&block).is_ok() {}
    drop(file);
    let mut stored = 0;
    await_that("the disk is full", || {
        stored += 1;
        let (status, message) = create(&token, &server, &format!("X-{stored}"));
        assert!(matches!(status, 201 | 503 | 507), "{status} {message}");
        status != 201
    });
    for attempt in 0..6 {
        let (status, message) = create(&token, &server, &format!("Y-{attempt}"));
        assert!(matches!(status, 503 | 507), "{status} {message}");
    }
    assert_eq!(server.get("/health/live").status, 200);
    std::fs::remove_file(&filler).expect("removed");
    let (status, message) = create(&token, &server, "Z-1");
    assert_eq!(status, 201, "{message}");
    assert_eq!(server.get(&format!("{ITEMS}/Z-1")).status, 200);
}

/// Another program that holds the file's write lock until it is dropped.
struct WriteLock(Child);

impl WriteLock {
    fn take(folder: &Folder) -> Self {
        let program = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],isolation_level=None)\n\
            c.execute('begin immediate')\nprint('locked',flush=True)\nsys.stdin.read()\nc.execute('rollback')";
        let mut child = Command::new("python3")
            .args(["-c", program, &folder.file("onemap.gpkg").display().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let mut message = String::new();
        BufReader::new(child.stdout.as_mut().expect("its output")).read_line(&mut message).expect("an answer");
        assert_eq!(message.trim(), "locked");
        Self(child)
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn a_write_lock_of_another_program_does_not_stop_following() {
    let (folder, server) = Server::of_sample();
    let token = token(&folder);
    let lock = WriteLock::take(&folder);
    std::thread::scope(|scope| {
        let (token, server) = (&token, &server);
        let writers: Vec<_> = (0..6).map(|n| scope.spawn(move || create(token, server, &format!("W-{n}")))).collect();
        // The server polls the file and reports its newest state as fresh.
        let age = || server.get(&format!("{ITEMS}?limit=1")).json()["data_age_s"].as_f64().expect("an age");
        let started = std::time::Instant::now();
        while started.elapsed() < std::time::Duration::from_secs(5) {
            let reply = server.get("/health/ready");
            assert_eq!(reply.status, 200, "stale after {:?}, age {}", started.elapsed(), age());
        }
        drop(lock);
        for writer in writers {
            let (status, message) = writer.join().expect("a writer");
            assert!(matches!(status, 201 | 503), "{status} {message}");
        }
    });
    assert_eq!(create(&token, &server, "after").0, 201);
    await_that("it follows", || server.get(&format!("{ITEMS}/after")).status == 200);
}

fn name(server: &Server) -> String {
    server.get(&format!("{ITEMS}/SH-0001")).json()["properties"]["name"].as_str().unwrap_or_default().to_owned()
}

fn rename(folder: &Folder, name: &str) {
    let edit = "import sqlite3,sys\nwith sqlite3.connect(sys.argv[1],timeout=20) as c: \
        c.execute(\"update shelters set name=? where id='SH-0001'\",(sys.argv[2],))";
    foreign("python3", &["-c", edit, &folder.file("onemap.gpkg").display().to_string(), name]);
}

#[test]
fn a_backup_copied_over_the_file_of_a_running_server_is_read() {
    let (folder, server) = Server::of_sample();
    let (path, backup) = (folder.file("onemap.gpkg"), folder.file("backup.gpkg"));
    rename(&folder, "in the backup");
    await_that("the change", || name(&server) == "in the backup");
    let copy =
        "import sqlite3,sys\na=sqlite3.connect(sys.argv[1])\nb=sqlite3.connect(sys.argv[2])\na.backup(b)\nb.close()";
    foreign("python3", &["-c", copy, &path.display().to_string(), &backup.display().to_string()]);
    for n in 0..40 {
        rename(&folder, &format!("after the backup {n}"));
    }
    await_that("the change", || name(&server) == "after the backup 39");
    // No log remains after the server has followed.
    let log = folder.file("onemap.gpkg-wal");
    await_that("the write-ahead log is copied into the file", || {
        std::fs::metadata(&log).is_ok_and(|log| log.len() == 0)
    });
    std::fs::write(&path, std::fs::read(&backup).expect("the backup")).expect("copied over");
    await_that("the content of the backup", || name(&server) == "in the backup");
    rename(&folder, "after the restore");
    await_that("the file is followed", || name(&server) == "after the restore");
    assert_eq!(create(&token(&folder), &server, "X-1").0, 201);
    assert_eq!(server.stop(), Some(0));
    let check =
        "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute('pragma integrity_check').fetchone()[0])";
    assert_eq!(foreign("python3", &["-c", check, &path.display().to_string()]).trim(), "ok");
}

#[test]
fn a_file_with_the_log_of_another_file_beside_it_is_refused() {
    let (folder, server) = Server::of_sample();
    let (path, log) = (folder.file("onemap.gpkg"), folder.file("onemap.gpkg-wal"));
    let old = std::fs::read(&path).expect("the file");
    let lock = WriteLock::take(&folder);
    server.kill();
    drop(lock);
    // A write whose log was not copied into the file, as after a power failure.
    let write = "import sqlite3,sys,os\nc=sqlite3.connect(sys.argv[1])\nc.execute('pragma wal_autocheckpoint=0')\n\
        c.execute(\"update shelters set name='in the log' where id='SH-0001'\")\nc.commit()\nos._exit(0)";
    foreign("python3", &["-c", write, &path.display().to_string()]);
    assert!(std::fs::metadata(&log).expect("a log").len() > 0);
    let logged = std::fs::read(&log).expect("the log");
    std::fs::write(&path, &old).expect("copied over");
    let later = std::time::SystemTime::now() + std::time::Duration::from_hours(3);
    std::fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(later)).expect("later");
    let output = run(&folder, &["serve", "--listen", "127.0.0.1:0"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("onemap.gpkg-wal") && message.contains("remove"), "{message}");
    assert_eq!(std::fs::read(&path).expect("the file"), old, "the file is unchanged");
    assert_eq!(std::fs::read(&log).expect("the log"), logged);
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.file(&format!("onemap.gpkg{ending}")));
    }
    assert_ne!(name(&Server::start(&folder, &[])), "in the log");
}
