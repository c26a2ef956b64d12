//! Callers that mean harm, one connection each, again and again.

use std::io::{Result, Write};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{exchange, read_reply};

/// What a hostile caller does.
#[derive(Clone, Copy)]
pub(crate) enum Attack {
    /// A head of which a byte arrives each second.
    SlowHead,
    /// A body of which a byte arrives each second.
    SlowBody,
    /// A large reply of which nothing is read.
    SlowReader,
    /// Expensive requests whose caller hangs up.
    Abort,
    /// Expensive requests whose caller waits.
    Expensive,
    /// A header beyond all limits.
    HugeHeader,
    /// Bytes that are not HTTP.
    Malformed,
    /// A small body that unpacks to a large one.
    Bomb,
    /// A condition nested beyond all limits.
    Nesting,
}

pub(crate) const ATTACKS: [(&str, Attack); 9] = [
    ("slow head", Attack::SlowHead),
    ("slow body", Attack::SlowBody),
    ("slow reader", Attack::SlowReader),
    ("abort", Attack::Abort),
    ("expensive", Attack::Expensive),
    ("huge header", Attack::HugeHeader),
    ("malformed", Attack::Malformed),
    ("bomb", Attack::Bomb),
    ("nesting", Attack::Nesting),
];

impl Attack {
    /// One attack; the status of the reply, if the server sent one before it closed the connection.
    pub(crate) async fn run(self, server: SocketAddr, seed: u64) -> Result<u16> {
        if let Self::SlowReader = self {
            return read_nothing(server).await;
        }
        let mut stream = BufReader::new(TcpStream::connect(server).await?);
        match self {
            Self::SlowReader => unreachable!("done above"),
            Self::SlowHead => drip(&mut stream, b"GET /api/layers HTTP/1.1\r\nHost: a\r\nX-A: ").await,
            Self::SlowBody => {
                let head = post(server, "application/json", "", 1_000_000);
                drip(&mut stream, head.as_bytes()).await
            }
            Self::Abort => {
                stream.get_mut().write_all(get(server, &expensive(), "").as_bytes()).await?;
                tokio::time::sleep(Duration::from_millis(seed % 50)).await;
                Err(std::io::ErrorKind::ConnectionAborted.into())
            }
            Self::Expensive => exchange(&mut stream, get(server, &expensive(), "").as_bytes()).await,
            Self::HugeHeader => {
                let header = format!("X-A: {}\r\n", "a".repeat(1_000_000));
                exchange(&mut stream, get(server, "/api/layers", &header).as_bytes()).await
            }
            Self::Malformed => {
                let noise: Vec<u8> =
                    (0..2_000_u64).map(|at| ((seed ^ at).wrapping_mul(0x9e37_79b9) >> 7) as u8).collect();
                exchange(&mut stream, &[&noise[..], b"\r\n\r\n"].concat()).await
            }
            Self::Bomb => {
                let head = post(server, "application/json", "Content-Encoding: gzip\r\n", BOMB.len());
                exchange(&mut stream, &[head.as_bytes(), &BOMB].concat()).await
            }
            Self::Nesting => {
                let filter = "NOT%20".repeat(2_000);
                let path = format!("/ogc/collections/shelters/items?filter={filter}public%3Dtrue");
                exchange(&mut stream, get(server, &path, "").as_bytes()).await
            }
        }
    }
}

fn get(server: SocketAddr, path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n{headers}\r\n")
}

fn post(server: SocketAddr, media_type: &str, headers: &str, length: usize) -> String {
    format!(
        "POST /api/nearest HTTP/1.1\r\nHost: {server}\r\nContent-Type: {media_type}\r\n{headers}Content-Length: {length}\r\n\r\n"
    )
}

/// The nearest features of three layers to a line of many corners.
fn expensive() -> String {
    let corner = |at: u32| format!("{}+{}", 118.5 + f64::from(at) * 7e-4, 26.0 + f64::from(at % 7) * 0.07);
    let corners: Vec<String> = (0..790).map(corner).collect();
    let layers = "hazards:1000,villages:1000,shelters:1000";
    format!("/api/nearest?layer={layers}&status=any&near=LINESTRING({})", corners.join(","))
}

/// 50 MB of spaces in 50 kB; packed once, because that takes longer than a request.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let spaces = [b' '; 10_000];
    for _ in 0..5_000 {
        encoder.write_all(&spaces).expect("packed in memory");
    }
    encoder.finish().expect("packed in memory")
});

/// Sends the beginning at once and then a byte each second until the server ends it.
async fn drip(stream: &mut BufReader<TcpStream>, beginning: &[u8]) -> Result<u16> {
    stream.get_mut().write_all(beginning).await?;
    loop {
        let pause = tokio::time::sleep(Duration::from_secs(1));
        tokio::select! {
            reply = read_reply(stream) => return reply,
            () = pause => {}
        }
        stream.get_mut().write_all(b"a").await?;
    }
}

/// Asks for whole layers many times in one connection, and reads a byte every ten seconds.
async fn read_nothing(server: SocketAddr) -> Result<u16> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4_096)?;
    let mut stream = socket.connect(server).await?;
    let request = get(server, "/ogc/collections/hazards/items?limit=10000", "");
    for _ in 0..8 {
        stream.write_all(request.as_bytes()).await?;
    }
    let mut byte = [0];
    loop {
        tokio::time::sleep(Duration::from_secs(10)).await;
        if stream.read(&mut byte).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
