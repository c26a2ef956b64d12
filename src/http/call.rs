//! One request as handlers see it: caller, parameters, headers, body and snapshot.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::http::{Method, Uri};
use actix_web::web;

use crate::http::params::auth::Caller;
use crate::http::params::{QueryParams, invalid};
use crate::http::peer::Peer;
use crate::http::rate_limits::LimitedCaller;
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::media::MediaType;
use crate::http::reply::problem::Problem;
use crate::http::request_log::RequestId;
use crate::http::state::{AppState, Audience};
use crate::model::Origin;
use crate::query::cancel::{CancelToken, Cancelled};
use crate::snapshot::Layer;

/// A request, parsed according to its endpoint.
pub(crate) struct Call<'a> {
    /// Media types that the endpoint offers; the first is the default.
    pub(crate) formats: &'static [MediaType],
    pub(crate) state: web::Data<AppState>,
    /// What the caller sees.
    pub(crate) audience: Arc<Audience>,
    /// The snapshot for this request, loaded once.
    pub(crate) current: RequestSnapshot,
    pub(crate) caller: Caller,
    pub(crate) params: QueryParams,
    pub(crate) body: web::Bytes,
    /// Set when the client disconnects or the time limit is reached; long loops check it.
    pub(crate) cancel: CancelToken,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: Cow<'a, HeaderMap>,
    /// The other end of the connection: the caller, or a proxy.
    pub(crate) peer: Peer,
    /// The id of the request.
    pub(crate) request_id: Option<RequestId>,
    /// Path parameters in the order of the template: name and value.
    pub(crate) path: Vec<(String, String)>,
}

impl Call<'_> {
    /// The same request with owned data, independent of the connection.
    pub(crate) fn into_owned(self) -> Call<'static> {
        Call {
            formats: self.formats,
            state: self.state,
            audience: self.audience,
            current: self.current,
            caller: self.caller,
            params: self.params,
            body: self.body,
            cancel: self.cancel,
            method: self.method,
            uri: self.uri,
            headers: Cow::Owned(self.headers.into_owned()),
            peer: self.peer,
            request_id: self.request_id,
            path: self.path,
        }
    }

    /// A path parameter; empty if the template does not have it.
    pub(crate) fn segment(&self, name: &str) -> &str {
        self.path.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// A header as text; `None` where it is absent or not text.
    pub(crate) fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        let name = HeaderName::try_from(name.as_ref()).ok()?;
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The collection of the path.
    ///
    /// # Errors
    /// When it does not exist.
    pub(crate) fn collection(&self) -> Result<&Layer, Problem> {
        crate::http::params::layer(&self.current.snapshot, "collection", self.segment("collectionId"))
    }

    /// The media type of the reply: the value of `f`, otherwise the one of the endpoint that the Accept header prefers.
    ///
    /// # Errors
    /// When `f` names a media type that the endpoint does not offer, or the header accepts none.
    pub(crate) fn media_type(&self) -> Result<MediaType, Problem> {
        crate::http::reply::media::negotiate(&self.headers, self.params.format(), self.formats)
    }

    /// The media type that `f` names; the first one without `f`. The Accept header is ignored.
    ///
    /// # Errors
    /// When `f` names a media type that the endpoint does not offer.
    pub(crate) fn format(&self) -> Result<MediaType, Problem> {
        let offered = self.formats;
        let requested = self.params.format().unwrap_or_default();
        let found = offered.iter().find(|form| requested.is_empty() || form.name == requested);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = offered.iter().map(|form| form.name).collect();
            invalid("f", requested, "this media type is not offered", &names.join(", "))
        })
    }

    /// Moves an expensive request from the web thread to the endpoint's thread: a budgeted attempt ends here.
    ///
    /// # Errors
    /// While the request is on the web thread.
    pub(crate) fn leave_web_thread(&self) -> Result<(), Problem> {
        if self.cancel.has_budget() {
            self.cancel.cancel();
            return Err(Cancelled.into());
        }
        Ok(())
    }

    /// The caller for limits of long requests; `None` for callers on this machine, who have none.
    pub(crate) fn limited_caller(&self) -> Option<LimitedCaller> {
        let reachability = &self.state.reachability;
        let is_local = reachability.is_local(&self.headers, self.peer);
        if is_local { None } else { LimitedCaller::new(&self.caller, reachability.client(&self.headers, self.peer)) }
    }

    /// Who makes the request, for the audit log.
    ///
    /// # Errors
    /// When the system returns no random numbers.
    pub(crate) fn origin(&self) -> Result<Origin, Problem> {
        self.origin_of(&self.caller)
    }

    /// The same for a caller who signs in by this request.
    ///
    /// # Errors
    /// When the system returns no random numbers.
    pub(crate) fn origin_of(&self, caller: &Caller) -> Result<Origin, Problem> {
        let entry = getrandom::u64().map_err(|error| Problem::internal(&error))?;
        let identity = caller.identity();
        Ok(Origin {
            entry: format!("{entry:016x}"),
            actor: identity.map_or_else(|| "machine token".to_owned(), |own| own.name().to_owned()),
            account: identity.map(|own| own.id().to_owned()),
            role: caller.role(),
            address: self.state.reachability.client(&self.headers, self.peer).map(|address| address.to_string()),
            request_id: self.request_id.as_ref().map(|id| id.as_str().to_owned()),
            reason: None,
        })
    }

    /// The base URL of the server as the client sees it, without a trailing slash.
    pub(crate) fn base_url(&self) -> String {
        self.state.reachability.base_url(&self.headers, self.peer)
    }

    /// The base URL of the OGC API.
    pub(crate) fn ogc_base(&self) -> String {
        format!("{}/ogc", self.base_url())
    }
}
