//! Features of a collection of another server by OGC API Features (OGC 17-069r4), page by page.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use crate::exchange::geojson_reader::read_feature;
use crate::exchange::read_ahead::{Rows, read_ahead};
use crate::exchange::{RecordSource, Unreadable};

/// Time limit of one request.
const TIMEOUT: Duration = Duration::from_mins(1);
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
    /// The server does not answer.
    #[error("{url}: {error}")]
    Unreachable {
        /// The address.
        url: String,
        /// The reason.
        error: Box<ureq::Error>,
    },
    /// It answers with an error.
    #[error("{url}: the server answers {status}")]
    Status {
        /// The address.
        url: String,
        /// The status code.
        status: u16,
    },
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
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).build().into();
        let Some((page, own_tag)) = self.page(&agent, &first, tag)? else { return Ok(Fetched::Unchanged) };
        let matched = page.matched;
        let remote = self.clone();
        let records = read_ahead(move |rows| {
            if let Err(reason) = remote.read(&agent, first, page, rows) {
                rows.push_cut(None, reason.to_string());
            }
        });
        let source = RecordSource { crs: Some("wgs84".to_owned()), unnamed_crs: None, rows: matched, records };
        Ok(Fetched::Features { source, tag: own_tag })
    }

    /// Hands over the features of a page and of those that follow.
    fn read(
        &self,
        agent: &ureq::Agent,
        mut url: String,
        mut page: RemotePage,
        rows: &mut Rows,
    ) -> Result<(), RemoteError> {
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
            (page, _) = self.page(agent, &next, None)?.ok_or_else(no_page)?;
            url = next;
        }
        Err(RemoteError::NoPage { url, reason: format!("there are more than {MAX_PAGES} pages") })
    }

    /// A page with its entity tag; `None` if it still has the one given.
    fn page(
        &self,
        agent: &ureq::Agent,
        url: &str,
        tag: Option<&str>,
    ) -> Result<Option<(RemotePage, Option<String>)>, RemoteError> {
        let unreachable = |error| RemoteError::Unreachable { url: url.to_owned(), error: Box::new(error) };
        let mut request = agent.get(url).header("accept", ACCEPT);
        // The secret is not for a server that a link leads to.
        if let Some(secret) = self.secret.as_ref().filter(|_| is_same_server(url, &self.url)) {
            request = request.header("authorization", format!("Bearer {secret}"));
        }
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        let mut reply = request.call().map_err(unreachable)?;
        match reply.status().as_u16() {
            200 => {}
            304 => return Ok(None),
            status => return Err(RemoteError::Status { url: url.to_owned(), status }),
        }
        let tag = reply.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let body = reply.body_mut().with_config().limit(MAX_PAGE_BYTES).read_to_vec().map_err(unreachable)?;
        let page = serde_json::from_slice(&body)
            .map_err(|error| RemoteError::NoPage { url: url.to_owned(), reason: error.to_string() })?;
        Ok(Some((page, tag)))
    }
}

/// The address of a link on a page.
fn absolute(page: &str, href: &str) -> String {
    Url::parse(page).and_then(|page| page.join(href)).map_or_else(|_| href.to_owned(), String::from)
}

/// Whether two addresses have the same scheme, host and port.
fn is_same_server(one: &str, other: &str) -> bool {
    matches!((Url::parse(one), Url::parse(other)), (Ok(one), Ok(other)) if one.origin() == other.origin())
}
