//! Sends each input as a request to a server in this process: routes, query strings, headers, bodies, tile addresses.
#![no_main]

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::LazyLock;

/// The socket of the server with the sample county, once it listens.
static SOCKET: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("onemap-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str| folder.join(name).display().to_string();
    let (socket, store) = (folder.join("socket"), file("county.gpkg"));
    let listen = format!("unix:{}", socket.display());
    let arguments =
        ["onemap", "serve", "--listen", &listen, "--store", &store, "--tile-cache-mb", "32", "--rate-limit", "0"];
    let arguments = arguments.map(std::ffi::OsString::from);
    std::thread::spawn(move || onemap::commands::run(arguments));
    while UnixStream::connect(&socket).is_err() {
        std::thread::yield_now();
    }
    socket
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let connection = UnixStream::connect(&*SOCKET).expect("a connection");
    connection.set_read_timeout(Some(entries::PATIENCE)).expect("a time limit");
    entries::send(connection, bytes);
});
