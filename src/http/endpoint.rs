//! The type of an endpoint: one row that defines its route, access, thread and documentation.

use std::pin::Pin;

use actix_web::http::Method;

use crate::http::call::Call;
use crate::http::params::param::Param;
use crate::http::reply::Reply;
use crate::http::reply::media::MediaType;
use crate::http::reply::problem::Problem;

/// An endpoint: a path, a method, and everything that the server and the API description need.
pub(crate) struct Endpoint {
    pub(crate) method: Verb,
    /// Path template; `{name}` matches one segment.
    pub(crate) path: &'static str,
    /// Operation id.
    pub(crate) id: &'static str,
    /// Section of the API description; `None` leaves the endpoint out of it.
    pub(crate) tag: Option<&'static str>,
    pub(crate) summary: &'static str,
    pub(crate) access: Access,
    pub(crate) thread: Thread,
    /// Whether a request is too long for the pool for requests that somebody waits for.
    pub(crate) is_long: fn(&Call<'_>) -> bool,
    pub(crate) handler: Handler,
    pub(crate) params: &'static [&'static dyn Param],
    /// Whether each property of the collection is a parameter too.
    pub(crate) property_params: bool,
    /// Whether unknown parameters are ignored: programs that pass on the address of a page add their own.
    pub(crate) ignores_unknown: bool,
    /// Media types that `f` and the Accept header choose from; the first is the default.
    pub(crate) formats: &'static [MediaType],
    pub(crate) body: Option<Body>,
    pub(crate) replies: &'static [Success],
}

/// An HTTP method of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

/// Access control of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// No login. Credentials are ignored.
    Open,
    /// Credentials decide what is visible; wrong ones are refused.
    Read,
    /// For those who watch the server: a viewer, or anybody as long as there are no accounts.
    Operate,
    /// Requires an account that may write, or the token and a connection from this machine.
    Write,
    /// Requires an account that may read contacts: an editor, a dispatcher or an administrator.
    Reveal,
    /// Requires an account that may dispatch, or the token and a connection from this machine.
    Dispatch,
    /// Requires an administrator.
    Admin,
}

/// The thread on which a handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thread {
    /// The thread that serves the connection, for handlers that take microseconds.
    Web,
    /// The pool for interactive requests; a long request goes to the other pool.
    Interactive,
    /// The pool for long requests, at lower priority.
    Bulk,
}

type ReplyFuture = Pin<Box<dyn Future<Output = Result<Reply, Problem>>>>;

/// A request with more bytes of query and body than this has a large geometry or filter.
const LONG_REQUEST_BYTES: usize = 2_000;

/// Whether a request is long: the default of [`Endpoint::is_long`].
pub(crate) fn has_many_bytes(call: &Call<'_>) -> bool {
    call.uri.query().map_or(0, str::len) + call.body.len() > LONG_REQUEST_BYTES
}

/// The handler of an endpoint.
pub(crate) enum Handler {
    /// Runs on the endpoint's thread.
    Sync(fn(&Call<'_>) -> Result<Reply, Problem>),
    /// Runs on the web thread within a small budget; if that is not enough, starts again on the endpoint's thread. For
    /// handlers without side effects that check the token of the call.
    Budgeted(fn(&Call<'_>) -> Result<Reply, Problem>),
    /// Looks up a finished reply on the web thread; without one, `make` runs on the endpoint's thread.
    Cached { lookup: fn(&Call<'_>) -> Result<Option<Reply>, Problem>, make: fn(&Call<'_>) -> Result<Reply, Problem> },
    /// Waits for the store or for events.
    Async(fn(Call<'static>) -> ReplyFuture),
}

/// The required body of a request.
#[derive(Clone, Copy)]
pub(crate) struct Body {
    /// Accepted media types.
    pub(crate) media_types: &'static [&'static str],
    /// Name of its schema in the API description.
    pub(crate) schema: &'static str,
    pub(crate) max_bytes: usize,
}

/// A successful reply.
#[derive(Clone, Copy)]
pub(crate) struct Success {
    pub(crate) status: u16,
    /// Empty if the reply has no content.
    pub(crate) media_type: &'static str,
    /// Name of its schema in the API description; empty for text and bytes.
    pub(crate) schema: &'static str,
}

/// A reply of a status and media type, with the name of its schema.
pub(crate) const fn ok(media_type: &'static str, schema: &'static str) -> Success {
    Success { status: 200, media_type, schema }
}

/// A reply without content.
pub(crate) const fn empty(status: u16) -> Success {
    Success { status, media_type: "", schema: "" }
}

impl Endpoint {
    /// A public GET (and HEAD) on the web thread, without parameters; rows override what differs.
    pub(crate) const fn get(path: &'static str, handler: fn(&Call<'_>) -> Result<Reply, Problem>) -> Self {
        Self {
            method: Verb::Get,
            path,
            id: "",
            tag: None,
            summary: "",
            access: Access::Read,
            thread: Thread::Web,
            is_long: has_many_bytes,
            handler: Handler::Sync(handler),
            params: &[],
            property_params: false,
            ignores_unknown: false,
            formats: &[],
            body: None,
            replies: &[],
        }
    }

    /// Whether the server offers it.
    pub(crate) fn is_offered(&self, offers_edits: bool) -> bool {
        !matches!(self.access, Access::Write | Access::Dispatch) || offers_edits
    }
}
