//! Which web pages of other origins may read replies.

use super::account;
use crate::support::{Folder, Server, run};

const BOARD: &str = "https://board.example";

fn allowed(server: &Server, origin: &str) -> (String, bool) {
    let reply = server.get_with("/api/layers", ("Origin", origin));
    assert_eq!(reply.status, 200);
    (reply.header("access-control-allow-origin").to_owned(), reply.header("vary").contains("Origin"))
}

#[test]
fn pages_elsewhere_read_what_is_public_or_if_they_are_listed() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    // Without accounts this server shows everything to the programs of this machine, and so to every page in a browser.
    assert_eq!(allowed(&server, "https://evil.example"), (String::new(), true));
    assert_eq!(allowed(&server, "http://localhost:3000").0, "http://localhost:3000");
    account(&folder, "值班", &["--role", "viewer"]);
    drop(server);
    let server = Server::start(&folder, &[]);
    assert_eq!(allowed(&server, "https://any.example"), ("*".to_owned(), false), "the public sees what is public");
    drop(server);
    folder.write("onemap.toml", format!("[cors]\norigins = [\"{BOARD}\"]\n"));
    let server = Server::start(&folder, &[]);
    assert_eq!(allowed(&server, BOARD), (BOARD.to_owned(), true));
    for other in ["https://any.example", "https://board.example.evil.example", "null"] {
        assert_eq!(allowed(&server, other), (String::new(), true), "{other}");
    }
    let refused = server.get_with("/api/nearest?layer=none", ("Origin", BOARD));
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (404, BOARD), "a page reads problems");
    drop(server);
    for wrong in ["board.example", "https://board.example/", "https://board.example:443", "null", ""] {
        folder.write("onemap.toml", format!("[cors]\norigins = [\"{wrong}\"]\n"));
        let output = run(&folder, &["check"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains("is no origin"), "{wrong}: {told}");
    }
}
