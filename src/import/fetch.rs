//! Documents of other servers over HTTP: bounded in time and size, and not sent again while their entity tag is current.

use std::time::Duration;

use url::Url;

/// Time limit of one request.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Why a document cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
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
}

/// A document and its entity tag.
pub(super) type TaggedDocument = (Vec<u8>, Option<String>);

/// Fetches documents of a server.
pub(super) struct Fetcher {
    agent: ureq::Agent,
    /// An address of the server.
    url: String,
    /// Secret that is sent to this server as a bearer token.
    secret: Option<String>,
}

impl Fetcher {
    /// For the server of an address.
    pub(super) fn new(url: &str, secret: Option<&str>) -> Self {
        let agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).build();
        Self { agent: agent.into(), url: url.to_owned(), secret: secret.map(str::to_owned) }
    }

    /// A document; `None` if it still has the entity tag given. Blocks while it waits for the server.
    pub(super) fn get(
        &self,
        url: &str,
        accept: &str,
        tag: Option<&str>,
        max_bytes: u64,
    ) -> Result<Option<TaggedDocument>, FetchError> {
        let unreachable = |error| FetchError::Unreachable { url: without_query(url), error: Box::new(error) };
        let mut request = self.agent.get(url).header("accept", accept);
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
            status => return Err(FetchError::Status { url: without_query(url), status }),
        }
        let tag = reply.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let body = reply.body_mut().with_config().limit(max_bytes).read_to_vec().map_err(unreachable)?;
        Ok(Some((body, tag)))
    }
}

/// An address without its query, which may hold a key.
fn without_query(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

/// The address of a link in a document.
pub(super) fn absolute(document: &str, href: &str) -> String {
    Url::parse(document).and_then(|document| document.join(href)).map_or_else(|_| href.to_owned(), String::from)
}

/// Whether two addresses have the same scheme, host and port.
pub(super) fn is_same_server(one: &str, other: &str) -> bool {
    matches!((Url::parse(one), Url::parse(other)), (Ok(one), Ok(other)) if one.origin() == other.origin())
}
