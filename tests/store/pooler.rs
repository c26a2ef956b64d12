//! PgBouncer in transaction mode between server and database: each transaction may use another connection.

use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, await_that};

/// A running pooler, stopped at the end of the test.
struct Pooler {
    child: Child,
    url: String,
    _folder: Folder,
}

impl Pooler {
    fn before(url: &str) -> Self {
        let (who, place) = url.split_once('@').expect("a user");
        let (address, name) = place.split_once('/').expect("a database");
        let (host, port) = address.split_once(':').expect("a port");
        let user = who.rsplit('/').next().expect("a name");
        let free =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a port").port();
        let folder = Folder::new();
        let config = folder.write(
            "pgbouncer.ini",
            format!(
                "[databases]\n{name} = host={host} port={port} user={user}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {free}\n\
                 unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 3\nserver_round_robin = 1\n\
                 ignore_startup_parameters = extra_float_digits,options\n"
            ),
        );
        // It refuses to run as root.
        crate::support::foreign("chmod", &["-R", "a+rX", &folder.path().display().to_string()]);
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "pgbouncer"];
        let program = program.iter().find(|path| std::path::Path::new(path).exists()).unwrap_or(&program[2]);
        let arguments = ["-q", "-u", "nobody", &config.display().to_string()].map(str::to_owned);
        let child = Command::new(program)
            .args(&arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("pgbouncer: {error}; scripts/install-test-tools installs it"));
        let pooler = Self { child, url: format!("{who}@127.0.0.1:{free}/{name}"), _folder: folder };
        await_that("the pooler answers", || std::net::TcpStream::connect(("127.0.0.1", free)).is_ok());
        pooler
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_pooler_in_transaction_mode_works() {
    let url = fresh_database();
    psql(&url, "CREATE TABLE public.a1 (gid serial PRIMARY KEY, name text, geom geometry(Point, 4326))");
    let pooler = Pooler::before(&url);
    let folder = Folder::new();
    folder.write("onemap.toml", "[[layer]]\ntable = \"public.a1\"\n");
    let server = Server::start(&folder, &["--store", &pooler.url]);
    let token = std::fs::read_to_string(folder.file("onemap.token")).expect("a token");
    let bearer = format!("Bearer {}", token.trim());
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let (server, bearer) = (&server, &bearer);
            scope.spawn(move || {
                for number in 0..8 {
                    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/geo+json")];
                    let body = format!(
                        r#"{{"id":"P-{writer}-{number}","type":"Feature","geometry":null,"properties":{{"name":"x"}}}}"#
                    );
                    let reply = server.send("POST", "/ogc/collections/villages/items", &headers, &body);
                    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
                }
            });
        }
        scope.spawn(|| {
            for number in 0..20 {
                psql(&url, &format!("INSERT INTO public.a1 (name) VALUES ('{number}')"));
            }
        });
    });
    let count =
        |layer: &str| server.get(&format!("/ogc/collections/{layer}/items?limit=1")).json()["numberMatched"].clone();
    await_that("the rows of the other program", || count("a1") == 20);
    let health = server.get("/health/ready");
    assert_eq!((health.status, &health.json()["unavailable"]), (200, &json!({})));
    assert_eq!(psql(&url, "SELECT count(*) FROM onemap.villages WHERE id LIKE 'P-%'").trim(), "24");
}
