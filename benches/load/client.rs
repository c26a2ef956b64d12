//! A client of HTTP/1.1 that keeps its connection, with no more than the load needs.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub(crate) struct Client {
    pub(crate) server: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self { server, connection: None }
    }

    /// Gets a path and returns the status; connects again if the server has closed the connection since the last request.
    pub(crate) async fn get(&mut self, path: &str) -> Result<u16> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: gzip\r\n\r\n", self.server);
        if let Some(mut kept) = self.connection.take()
            && let Ok(received) = exchange(&mut kept, head.as_bytes()).await
        {
            self.connection = Some(kept);
            return Ok(received);
        }
        let mut fresh = BufReader::new(TcpStream::connect(self.server).await?);
        let received = exchange(&mut fresh, head.as_bytes()).await?;
        self.connection = Some(fresh);
        Ok(received)
    }

    /// Reads an event stream until the server ends it, and returns its status.
    pub(crate) async fn listen(&mut self, path: &str) -> Result<u16> {
        let mut stream = BufReader::new(TcpStream::connect(self.server).await?);
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n", self.server);
        exchange(&mut stream, head.as_bytes()).await
    }
}

/// Sends a request, reads its whole reply and returns its status.
pub(crate) async fn exchange(stream: &mut BufReader<TcpStream>, request: &[u8]) -> Result<u16> {
    stream.get_mut().write_all(request).await?;
    read_reply(stream).await
}

/// Reads a whole reply and returns its status.
pub(crate) async fn read_reply(stream: &mut BufReader<TcpStream>) -> Result<u16> {
    let mut line = line_of(stream).await?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status: u16 = status.ok_or_else(|| Error::new(ErrorKind::InvalidData, line.clone()))?;
    let (mut length, mut is_chunked) = (0, false);
    while !line.is_empty() {
        line = line_of(stream).await?.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(Error::other)?;
        }
        is_chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
    }
    if is_chunked {
        read_chunks(stream).await?;
    } else {
        skip(stream, length).await?;
    }
    Ok(status)
}

async fn read_chunks(stream: &mut BufReader<TcpStream>) -> Result<()> {
    loop {
        let line = line_of(stream).await?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(Error::other)?;
        skip(stream, length).await?;
        line_of(stream).await?;
        if length == 0 {
            return Ok(());
        }
    }
}

async fn skip(stream: &mut BufReader<TcpStream>, length: usize) -> Result<()> {
    let copied = tokio::io::copy(&mut stream.take(length as u64), &mut tokio::io::sink()).await?;
    if copied < length as u64 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// A line without its end.
async fn line_of(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}
