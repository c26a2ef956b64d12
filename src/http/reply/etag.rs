//! Entity tags: the tag of a reply, and conditional requests (RFC 9110, sections 8.8 and 13.1).

use actix_web::http::header::{ETAG, EntityTag, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use time::UtcDateTime;

use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::modified::date_of;

/// A tag for bytes that are sent in several encodings: weak, FNV-1a over 64 bits.
pub(crate) fn etag(bytes: &[u8]) -> String {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("W/\"{hash:016x}\"")
}

impl Call<'_> {
    /// A tag for this snapshot, this request and a media type; it changes with every change of the snapshot.
    pub(crate) fn snapshot_tag(&self, format: &str) -> String {
        let request_hash = format!("{} {} {format}", self.base_url(), self.uri);
        let request_hash = etag(request_hash.as_bytes());
        let request_hash = request_hash.trim_matches(['W', '/', '"']);
        format!("W/\"{}-{request_hash}\"", self.audience.state_id(&self.current.snapshot))
    }

    /// Whether the client already has the representation with this tag. A stale reply is never replaced by 304, because
    /// a 304 would hide that it is stale.
    pub(crate) fn knows(&self, etag: &str) -> bool {
        self.current.is_known(&self.headers, etag)
    }

    /// Whether the caller already has what was last modified at a time, by `If-Modified-Since`; entity tags take
    /// precedence (RFC 9110, section 13.1.3).
    pub(crate) fn knows_since(&self, modified: Option<UtcDateTime>) -> bool {
        let since = date_of(&self.headers, IF_MODIFIED_SINCE).filter(|_| !self.headers.contains_key(IF_NONE_MATCH));
        !self.current.is_stale() && since.zip(modified).is_some_and(|(since, modified)| modified <= since)
    }
}

impl RequestSnapshot {
    /// Whether the client already has the representation with this tag; see [`Call::knows`].
    fn is_known(&self, headers: &HeaderMap, etag: &str) -> bool {
        headers.contains_key(IF_NONE_MATCH) && !self.is_stale() && is_known(headers, etag)
    }

    /// Adds a tag to a reply; the reply becomes 304 if the client already has this representation.
    pub(crate) fn tagged(&self, headers: &HeaderMap, reply: Reply, etag: &str) -> Reply {
        let reply = reply.header((ETAG, etag));
        if self.is_known(headers, etag) { reply.not_modified() } else { reply }
    }
}

/// Whether `If-None-Match` holds a tag, compared weakly, or `*`.
pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let Ok(etag) = etag.parse::<EntityTag>() else { return false };
    let values = headers.get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|own| own == "*" || own.parse::<EntityTag>().is_ok_and(|own| own.weak_eq(&etag)))
}
