//! Features of a collection of another server by OGC API Features (OGC 17-069r4), page by page.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fetch::{FetchError, Fetcher, absolute};
use crate::exchange::geojson_reader::read_feature;
use crate::exchange::read_ahead::{Rows, read_ahead};
use crate::exchange::{RecordSource, Unreadable};

/// Features of a page that are asked for.
const PAGE_FEATURES: u32 = 1_000;
/// Largest page, bytes, and most pages.
const MAX_PAGE_BYTES: u64 = 100_000_000;
const MAX_PAGES: usize = 20_000;
const ACCEPT: &str = "application/geo+json, application/json";

/// A collection of another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCollection {
    /// Base of the API, such as `https://host/ogc`.
    pub url: String,
    /// Id of the collection.
    pub collection: String,
    /// Secret that is sent as a bearer token.
    pub secret: Option<String>,
}

/// Why a collection cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// A page cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Its answer is no page of features.
    #[error("{url}: the answer is no page of features: {reason}")]
    NoPage {
        /// The address.
        url: String,
        /// The reason.
        reason: String,
    },
}

/// The state of a collection.
pub enum Fetched {
    /// It is still that of the entity tag.
    Unchanged,
    /// Its features.
    Features {
        /// The features; the first page was read already.
        source: RecordSource,
        /// The entity tag of the first page, if it has one.
        tag: Option<String>,
    },
}

#[derive(Deserialize)]
struct RemotePage {
    features: Vec<Box<RawValue>>,
    #[serde(default)]
    links: Vec<Link>,
    #[serde(rename = "numberMatched")]
    matched: Option<usize>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    rel: String,
    #[serde(default)]
    href: String,
}

impl RemoteCollection {
    /// Fetches all features, unless the first page still has an entity tag. Blocks while it waits for the server.
    ///
    /// # Errors
    /// When the first page cannot be fetched or is none.
    pub fn fetch(&self, tag: Option<&str>) -> Result<Fetched, RemoteError> {
        let base = self.url.trim_end_matches('/');
        let collection = percent_encoding::utf8_percent_encode(&self.collection, percent_encoding::NON_ALPHANUMERIC);
        let first = format!("{base}/collections/{collection}/items?limit={PAGE_FEATURES}");
        let fetcher = Fetcher::new(&self.url, self.secret.as_deref());
        let Some((page, own_tag)) = Self::page(&fetcher, &first, tag)? else { return Ok(Fetched::Unchanged) };
        let matched = page.matched;
        let records = read_ahead(move |rows| {
            if let Err(reason) = Self::read(&fetcher, first, page, rows) {
                rows.push_cut(None, reason.to_string());
            }
        });
        let source = RecordSource { crs: Some("wgs84".to_owned()), unnamed_crs: None, rows: matched, records };
        Ok(Fetched::Features { source, tag: own_tag })
    }

    /// Hands over the features of a page and of those that follow.
    fn read(fetcher: &Fetcher, mut url: String, mut page: RemotePage, rows: &mut Rows) -> Result<(), RemoteError> {
        for _ in 0..MAX_PAGES {
            for feature in &page.features {
                let row = rows.count() + 1;
                let record = read_feature(feature.get(), row, None);
                if !rows.push(record.map_err(|reason| Unreadable { row, line: None, reason, is_end: false })) {
                    return Ok(());
                }
            }
            let next = page.links.iter().find(|link| link.rel == "next").map(|link| absolute(&url, &link.href));
            let Some(next) = next.filter(|next| *next != url) else { return Ok(()) };
            let no_page = || RemoteError::NoPage { url: next.clone(), reason: "it has not changed".to_owned() };
            (page, _) = Self::page(fetcher, &next, None)?.ok_or_else(no_page)?;
            url = next;
        }
        Err(RemoteError::NoPage { url, reason: format!("there are more than {MAX_PAGES} pages") })
    }

    /// A page with its entity tag; `None` if it still has the one given.
    fn page(
        fetcher: &Fetcher,
        url: &str,
        tag: Option<&str>,
    ) -> Result<Option<(RemotePage, Option<String>)>, RemoteError> {
        let Some((body, tag)) = fetcher.get(url, ACCEPT, tag, MAX_PAGE_BYTES)? else { return Ok(None) };
        let page = serde_json::from_slice(&body)
            .map_err(|error| RemoteError::NoPage { url: url.to_owned(), reason: error.to_string() })?;
        Ok(Some((page, tag)))
    }
}
