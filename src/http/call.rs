//! One request as handlers see it: who calls, what is asked, and the snapshot that answers it.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::http::{Method, Uri};
use actix_web::web;

use crate::http::params::auth::Caller;
use crate::http::params::{QueryParams, invalid};
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::media::MediaType;
use crate::http::reply::problem::Problem;
use crate::http::state::AppState;
use crate::query::cancel::CancelToken;
use crate::snapshot::Layer;

/// A request, read as far as its endpoint declares it.
pub(crate) struct Call<'a> {
    /// Media types that the endpoint offers; the first is the default.
    pub(crate) formats: &'static [MediaType],
    pub(crate) state: web::Data<AppState>,
    /// The snapshot of this request, loaded once.
    pub(crate) current: RequestSnapshot,
    pub(crate) caller: Caller,
    pub(crate) params: QueryParams,
    pub(crate) body: web::Bytes,
    /// Set when the caller is gone or the time is up; long loops look at it.
    pub(crate) cancel: CancelToken,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: Cow<'a, HeaderMap>,
    /// The other end of the connection: the caller, or a proxy.
    pub(crate) peer: Option<IpAddr>,
    /// Values of the path, in the order of the template.
    pub(crate) path: Vec<(String, String)>,
}

impl Call<'_> {
    /// The same request, independent of the connection.
    pub(crate) fn into_owned(self) -> Call<'static> {
        Call {
            formats: self.formats,
            state: self.state,
            current: self.current,
            caller: self.caller,
            params: self.params,
            body: self.body,
            cancel: self.cancel,
            method: self.method,
            uri: self.uri,
            headers: Cow::Owned(self.headers.into_owned()),
            peer: self.peer,
            path: self.path,
        }
    }

    /// A value of the path; empty where the template has no such segment.
    pub(crate) fn segment(&self, name: &str) -> &str {
        self.path.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// A header as text; `None` where it is absent or not text.
    pub(crate) fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        let name = HeaderName::try_from(name.as_ref()).ok()?;
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The collection that the path names.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn collection(&self) -> Result<&Layer, Problem> {
        crate::http::params::layer(&self.current.snapshot, "collection", self.segment("collectionId"))
    }

    /// The media type to reply in: what `f` says, or what the Accept header prefers of those that the endpoint offers.
    ///
    /// # Errors
    /// When `f` names another, or the header accepts none.
    pub(crate) fn media_type(&self) -> Result<MediaType, Problem> {
        crate::http::reply::media::negotiate(&self.headers, self.params.format(), self.formats)
    }

    /// The media type that `f` names; the first without it. The Accept header is not looked at.
    ///
    /// # Errors
    /// When `f` names another.
    pub(crate) fn format(&self) -> Result<MediaType, Problem> {
        let offered = self.formats;
        let asked = self.params.format().unwrap_or_default();
        let found = offered.iter().find(|form| asked.is_empty() || form.name == asked);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = offered.iter().map(|form| form.name).collect();
            invalid("f", asked, "this media type is not offered", &names.join(", "))
        })
    }

    /// The URL of the server as the caller reached it, without a trailing slash.
    pub(crate) fn base_url(&self) -> String {
        self.state.reachability.base_url(&self.headers, self.peer)
    }

    /// The address of the OGC API.
    pub(crate) fn ogc_base(&self) -> String {
        format!("{}/ogc", self.base_url())
    }
}
