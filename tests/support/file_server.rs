//! An HTTP server of the files in a folder, with entity tags.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Serves the files of a folder and keeps the requests.
pub(crate) struct FileServer {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl FileServer {
    pub(crate) fn start(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let kept = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                kept.lock().expect("requests").push(answer(stream, &folder));
            }
        });
        Self { url, requests }
    }

    /// The requests so far, each with its headers.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("requests").clone()
    }
}

fn answer(mut stream: TcpStream, folder: &Path) -> String {
    let mut request = [0; 4096];
    let length = stream.read(&mut request).unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = request.split([' ', '?']).nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, body) = match std::fs::read_to_string(folder.join(path)) {
        Ok(body) if request.contains(&format!("\"{}\"", tag(&body))) => ("304 Not Modified", String::new()),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nETag: \"{}\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        tag(&body),
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
    request
}

fn tag(body: &str) -> String {
    let sum = body.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("{sum:x}")
}
