//! Documents of another server that are put into a watched folder when they are new or have changed, such as the alerts
//! of the meteorological bureau.
//!
//! The address is that of a document, or of a feed (Atom or RSS), whose documents are fetched once each. Those of other
//! servers are left out: a feed must not make this server send requests to the machines beside it.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use time::UtcDateTime;
use tokio::sync::watch;
use url::Url;

use super::fetch::{FetchError, Fetcher, absolute, is_same_server};
use super::sync::{SyncStatus, SyncStatuses};
use crate::exchange::feed;
use crate::private_file::UnfinishedFile;

/// Largest document, bytes.
const MAX_BYTES: u64 = 16_000_000;
/// Documents of a feed that are fetched; those that are listed first are the latest.
const MAX_LINKS: usize = 1_000;
const ACCEPT: &str = "application/cap+xml, application/atom+xml, application/rss+xml, application/geo+json, */*;q=0.5";

/// An address whose documents are put into a watched folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedUrl {
    /// The address.
    pub url: String,
    /// Secret that is sent as a bearer token.
    pub secret: Option<String>,
    /// Pause between two requests.
    pub every: Duration,
}

impl WatchedUrl {
    /// The status before the first request. The address may hold a key, so only its host is shown.
    #[must_use]
    pub fn status(&self, layer: &str) -> SyncStatus {
        let url = Url::parse(&self.url).ok();
        let source = url.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
        SyncStatus { source, layer: layer.to_owned(), is_kept: false, ..SyncStatus::default() }
    }
}

/// Why documents were not fetched.
#[derive(Debug, thiserror::Error)]
enum DownloadError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the folder: {0}")]
    Folder(#[from] io::Error),
    #[error("{0} is on another server than the feed")]
    OtherServer(String),
}

/// What was fetched from an address.
struct WatchedDownloads {
    watched: WatchedUrl,
    folder: PathBuf,
    fetcher: Fetcher,
    /// The entity tag of the last reply after which nothing was left to fetch.
    tag: Option<String>,
    /// The document that was put last.
    digest: Option<[u8; 32]>,
    /// Addresses of the documents of the feed that were put.
    fetched: HashSet<String>,
}

/// Puts what is new at an address into a folder until `stop` turns true. `at` is its index among the statuses.
pub async fn keep_downloading(
    (watched, folder): (WatchedUrl, PathBuf),
    (statuses, at): (SyncStatuses, usize),
    now: fn() -> UtcDateTime,
    mut stop: watch::Receiver<bool>,
) {
    let (every, host) = (watched.every, watched.status("").source);
    let fetcher = Fetcher::new(&watched.url, watched.secret.as_deref());
    let downloads = WatchedDownloads { watched, folder, fetcher, tag: None, digest: None, fetched: HashSet::new() };
    let downloads = Arc::new(Mutex::new(downloads));
    let mut last_error: Option<String> = None;
    loop {
        let own = downloads.clone();
        let run = move || own.lock().unwrap_or_else(PoisonError::into_inner).run(now);
        let error = match tokio::task::spawn_blocking(run).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(status) = statuses.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
            status.is_failing = error.is_some();
            if error.is_none() {
                status.confirmed_at = Some(now());
            }
        }
        // Each failure is logged once.
        if let Some(error) = error.as_ref().filter(|error| last_error.as_ref() != Some(error)) {
            tracing::warn!(host, "documents of another server are not current: {error}");
        }
        last_error = error;
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

impl WatchedDownloads {
    /// Fetches what is new.
    ///
    /// # Errors
    /// The first failure; other documents are fetched nevertheless.
    fn run(&mut self, now: fn() -> UtcDateTime) -> Result<(), DownloadError> {
        let url = self.watched.url.clone();
        let Some((document, tag)) = self.fetcher.get(&url, ACCEPT, self.tag.as_deref(), MAX_BYTES)? else {
            return Ok(());
        };
        if let Some(links) = feed::links(&document) {
            self.fetch_listed(&url, &links, now)?;
        } else {
            let digest = Sha256::digest(&document).into();
            if self.digest != Some(digest) {
                self.put(&url, &document, now)?;
                self.digest = Some(digest);
            }
        }
        self.tag = tag;
        Ok(())
    }

    fn fetch_listed(&mut self, feed: &str, links: &[String], now: fn() -> UtcDateTime) -> Result<(), DownloadError> {
        let urls: Vec<String> = links.iter().take(MAX_LINKS).map(|link| absolute(feed, link)).collect();
        // What is no longer listed need not be remembered.
        let listed: HashSet<&String> = urls.iter().collect();
        self.fetched.retain(|url| listed.contains(url));
        let mut first_error = None;
        for url in urls {
            if self.fetched.contains(&url) {
                continue;
            }
            match self.fetch(feed, &url, now) {
                Ok(()) => {
                    self.fetched.insert(url);
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    fn fetch(&self, feed: &str, url: &str, now: fn() -> UtcDateTime) -> Result<(), DownloadError> {
        if !is_same_server(feed, url) {
            return Err(DownloadError::OtherServer(url.to_owned()));
        }
        let document = self.fetcher.get(url, ACCEPT, None, MAX_BYTES)?;
        document.map_or(Ok(()), |(document, _)| self.put(url, &document, now))
    }

    /// Puts a document into the folder under a name of its own.
    fn put(&self, url: &str, document: &[u8], now: fn() -> UtcDateTime) -> Result<(), DownloadError> {
        let digest = Sha256::digest(document);
        let ending = ending(url, document);
        let name = format!("{}-{:016x}.{ending}", now().unix_timestamp(), u64::from_be_bytes(first_bytes(&digest)));
        let file = UnfinishedFile::create(&self.folder.join(name))?;
        file.file().write_all(document)?;
        Ok(file.finish()?)
    }
}

fn first_bytes(digest: &[u8]) -> [u8; 8] {
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default())
}

/// The ending that shows the format of a document: that of its address, if it has one, otherwise by its first character.
fn ending<'a>(url: &'a str, document: &[u8]) -> &'a str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_plain =
        |ending: &&str| !ending.is_empty() && ending.len() <= 8 && ending.bytes().all(|c| c.is_ascii_alphanumeric());
    let stated = name.rsplit_once('.').map(|(_, ending)| ending).filter(is_plain);
    match (document.iter().find(|byte| !byte.is_ascii_whitespace()), stated) {
        // Addresses of alerts often end in .php or .do.
        (Some(b'<' | 0xef), Some(ending)) if !["xml", "cap", "kml", "gpx"].contains(&ending) => "xml",
        (Some(b'<' | 0xef), None) => "xml",
        (_, Some(ending)) => ending,
        (_, None) => "geojson",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_is_that_of_the_content_if_the_address_has_another() {
        let xml = b" <alert/>".as_slice();
        let cases = [
            ("https://h/a/warning.xml?key=1", xml, "xml"),
            ("https://h/a/warning.do", xml, "xml"),
            ("https://h/a/area.kml", xml, "kml"),
            ("https://h.gov.cn/alert", xml, "xml"),
            ("https://h/points.geojson", b"{}", "geojson"),
            ("https://h/points", b"{}", "geojson"),
            ("https://h/list.csv", b"id,name", "csv"),
            ("https://h/list.../../x", b"{}", "geojson"),
        ];
        for (url, document, expected) in cases {
            assert_eq!(ending(url, document), expected, "{url}");
        }
    }
}
