//! What we say when it is wrong: every refusal as RFC 9457 problem details, in one table.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use actix_web::http::{StatusCode, header};
use serde_json::json;

use crate::exchange::feature_json::FeatureError;
use crate::http::reply::Reply;
use crate::model::EditError;
use crate::query::cancel::Cancelled;
use crate::store::{self, Remedy};

/// A refusal, ready to be told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Problem {
    /// A parameter or path segment cannot be understood or is out of range.
    InvalidParameter {
        /// Its name.
        parameter: String,
        /// What was given.
        value: String,
        /// What is wrong with it.
        detail: String,
        /// What would be accepted.
        accepted: String,
    },
    /// A parameter that must be given is missing.
    MissingParameter {
        /// Its name.
        parameter: &'static str,
        /// What would be accepted.
        accepted: String,
    },
    /// A parameter that this path does not know.
    UnknownParameter {
        /// Its name.
        parameter: String,
        /// What was given.
        value: String,
        /// The names that this path knows.
        accepted: Vec<&'static str>,
    },
    /// Something that a path names is not there.
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name as given.
        value: String,
        /// What is there, if that helps.
        accepted: String,
    },
    /// The caller takes none of the forms that are offered.
    NotAcceptable {
        /// What the caller takes.
        given: String,
        /// What is offered.
        offered: String,
    },
    /// The path takes other methods.
    MethodNotAllowed {
        /// What was tried.
        method: String,
        /// What is taken.
        allowed: String,
    },
    /// As many are served at once as may be.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many may be.
        limit: usize,
        /// When to ask again, seconds.
        retry_after_s: u32,
    },
    /// The reply was not ready in time; its computation was cancelled.
    Timeout {
        /// How long it may take, seconds.
        limit_s: u64,
    },
    /// What a writer sent does not fit.
    InvalidContent {
        /// Which edit of a batch, from 0.
        edit: Option<usize>,
        /// What is wrong, and where.
        fault: FeatureError,
    },
    /// The body is of a kind that is not taken.
    WrongMediaType {
        /// What was given.
        given: String,
        /// What is taken.
        accepted: String,
    },
    /// The body is longer than may be.
    TooLarge {
        /// Most bytes that are taken.
        limit_bytes: usize,
    },
    /// The body did not arrive in time.
    BodyTimeout {
        /// How long it may take, seconds.
        timeout_s: u64,
    },
    /// A writer without the token.
    NoToken,
    /// A writer on another machine.
    NotFromHere,
    /// Nobody may write.
    WritesAreOff,
    /// An edit cannot happen; nothing was done.
    EditRefused {
        /// Which edit of a batch, from 0.
        edit: usize,
        /// Why.
        reason: EditError,
    },
    /// The key of a request was used for another one.
    KeyReused {
        /// The key.
        key: String,
    },
    /// The layer belongs to another program.
    NotOurs {
        /// The layer.
        layer: String,
    },
    /// The store does not answer now; nothing was done.
    Unavailable,
    /// The store has no space left; nothing was done.
    NoSpace,
    /// The connection to the store failed during the commit.
    OutcomeUnknown,
    /// Something is wrong with us; the log tells what.
    Ours {
        /// By which the log line is found.
        incident: String,
    },
}

/// When a store that does not answer may be asked again, seconds.
const STORE_RETRY_AFTER_S: u32 = 5;

impl From<Cancelled> for Problem {
    /// Nobody reads it: whoever cancels has replied already or is gone.
    fn from(_: Cancelled) -> Self {
        Self::Timeout { limit_s: 0 }
    }
}

impl From<store::StoreError> for Problem {
    fn from(error: store::StoreError) -> Self {
        match error {
            store::StoreError::Edit { index, reason } => Self::EditRefused { edit: index, reason },
            store::StoreError::KeyReused { key } => Self::KeyReused { key },
            store::StoreError::NotOurs { layer } => Self::NotOurs { layer },
            store::StoreError::OutcomeUnknown { .. } => {
                tracing::warn!(%error, "the outcome of a write is unknown");
                Self::OutcomeUnknown
            }
            error => match error.remedy() {
                Remedy::Wait => {
                    tracing::warn!(%error, "a write was refused, the store does not answer");
                    Self::Unavailable
                }
                Remedy::Space => {
                    tracing::error!(%error, "a write failed, the disk of the store is full");
                    Self::NoSpace
                }
                Remedy::Permission => Self::WritesAreOff,
                Remedy::Repair => Self::internal(&error),
            },
        }
    }
}

impl Problem {
    /// A failure of the server itself. The log has the details; the caller gets a reference to them.
    pub(crate) fn internal(error: &dyn fmt::Display) -> Self {
        let incident = format!("{:016x}", RandomState::new().hash_one(error.to_string()));
        tracing::error!(%error, incident, "a request failed");
        Self::Ours { incident }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::InvalidParameter { .. } | Self::MissingParameter { .. } | Self::UnknownParameter { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable { .. } => StatusCode::NOT_ACCEPTABLE,
            Self::TooMany { .. } | Self::Timeout { .. } | Self::Unavailable | Self::OutcomeUnknown => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
            Self::InvalidContent { .. }
            | Self::KeyReused { .. }
            | Self::EditRefused { reason: EditError::OverCapacity(_), .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::WrongMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::NotFromHere | Self::WritesAreOff | Self::NotOurs { .. } => StatusCode::FORBIDDEN,
            Self::NotFound { .. } | Self::EditRefused { reason: EditError::NotThere, .. } => StatusCode::NOT_FOUND,
            Self::EditRefused { reason: EditError::Duplicate, .. } => StatusCode::CONFLICT,
            Self::EditRefused { reason: EditError::Changed(_) | EditError::Absent | EditError::Exists, .. } => {
                StatusCode::PRECONDITION_FAILED
            }
            Self::Ours { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The end of the problem's type, and its title.
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidParameter { .. } => ("invalid-parameter", "A parameter has a value that is not accepted"),
            Self::MissingParameter { .. } => ("missing-parameter", "A required parameter is missing"),
            Self::UnknownParameter { .. } => ("unknown-parameter", "A parameter is not known here"),
            Self::NotFound { .. } => ("not-found", "There is nothing of that name"),
            Self::NotAcceptable { .. } => ("not-acceptable", "None of the forms offered is accepted"),
            Self::MethodNotAllowed { .. } => ("method-not-allowed", "The method is not taken here"),
            Self::TooMany { .. } => ("too-many-requests", "As many are served at once as may be"),
            Self::Timeout { .. } => ("timeout", "The reply took too long"),
            Self::InvalidContent { .. } => ("invalid-content", "What was sent does not fit the layer"),
            Self::WrongMediaType { .. } => ("unsupported-media-type", "The body is of a kind that is not taken here"),
            Self::TooLarge { .. } => ("content-too-large", "The body is too long"),
            Self::BodyTimeout { .. } => ("body-timeout", "The body did not arrive in time"),
            Self::NoToken => ("unauthorized", "Writers must show the token"),
            Self::NotFromHere => ("loopback-only", "Only this machine may write"),
            Self::WritesAreOff => ("writes-disabled", "Nobody may write here"),
            Self::EditRefused { reason: EditError::NotThere, .. } => ("feature-not-found", "There is no such feature"),
            Self::EditRefused { reason: EditError::Duplicate, .. } => ("duplicate", "The id is taken"),
            Self::EditRefused { reason: EditError::Changed(_), .. } => ("changed", "The feature has been changed"),
            Self::EditRefused { reason: EditError::Absent | EditError::Exists, .. } => {
                ("precondition-failed", "The feature does not meet the precondition")
            }
            Self::EditRefused { reason: EditError::OverCapacity(_), .. } => {
                ("over-capacity", "More people than the place has capacity for")
            }
            Self::KeyReused { .. } => ("idempotency-key-reused", "The key was used for another request"),
            Self::NotOurs { .. } => ("read-only-layer", "The layer belongs to another program"),
            Self::Unavailable => ("unavailable", "The store does not answer now"),
            Self::NoSpace => ("insufficient-storage", "The store has no space left"),
            Self::OutcomeUnknown => ("outcome-unknown", "The outcome of the edit is unknown"),
            Self::Ours { .. } => ("internal", "Something is wrong with the server"),
        }
    }

    fn body(&self) -> serde_json::Value {
        let (slug, title) = self.kind();
        let mut body = json!({
            "type": format!("urn:problem-type:onemap:{slug}"),
            "title": title,
            "status": self.status().as_u16(),
            "detail": self.to_string(),
        });
        let facts = match self {
            Self::InvalidParameter { parameter, value, accepted, .. } => {
                json!({"parameter": parameter, "value": value, "accepted": accepted})
            }
            Self::MissingParameter { parameter, accepted } => json!({"parameter": parameter, "accepted": accepted}),
            Self::UnknownParameter { parameter, value, accepted } => {
                json!({"parameter": parameter, "value": value, "accepted": accepted})
            }
            Self::NotFound { what, value, accepted } => {
                json!({"parameter": what, "value": value, "accepted": accepted})
            }
            Self::NotAcceptable { given, offered } => {
                json!({"parameter": "Accept", "value": given, "accepted": offered})
            }
            Self::MethodNotAllowed { method, allowed } => json!({"value": method, "accepted": allowed}),
            Self::TooMany { what, limit, .. } => json!({"parameter": what, "accepted": limit}),
            Self::Timeout { limit_s } => json!({"accepted": format!("replies within {limit_s} s")}),
            Self::InvalidContent { edit, fault } => {
                let FeatureError { pointer, value, accepted, .. } = fault;
                let mut facts = json!({"parameter": pointer, "value": value, "accepted": accepted});
                if let Some(edit) = edit {
                    facts["edit"] = json!(edit);
                }
                facts
            }
            Self::WrongMediaType { given, accepted } => {
                json!({"parameter": "Content-Type", "value": given, "accepted": accepted})
            }
            Self::TooLarge { limit_bytes } => json!({"parameter": "body", "accepted": limit_bytes}),
            Self::BodyTimeout { timeout_s } => {
                json!({"parameter": "body", "accepted": format!("a body within {timeout_s} s")})
            }
            Self::NoToken => json!({"parameter": "Authorization", "accepted": "Bearer and the token"}),
            Self::EditRefused { edit, reason: EditError::Changed(now) } => {
                json!({"edit": edit, "parameter": "If-Match", "accepted": format!("\"{now}\"")})
            }
            Self::EditRefused { edit, reason: EditError::OverCapacity(over) } => {
                json!({"edit": edit, "value": over.people, "accepted": format!("up to {}", over.capacity)})
            }
            Self::EditRefused { edit, .. } => json!({"edit": edit, "parameter": "id"}),
            Self::KeyReused { key } => json!({"parameter": "Idempotency-Key", "value": key}),
            Self::NotOurs { layer } => json!({"parameter": "collection", "value": layer}),
            Self::Ours { incident } => json!({"incident": incident}),
            Self::OutcomeUnknown => json!({"parameter": "Idempotency-Key"}),
            Self::NotFromHere | Self::WritesAreOff | Self::Unavailable | Self::NoSpace => json!({}),
        };
        if let (Some(body), serde_json::Value::Object(facts)) = (body.as_object_mut(), facts) {
            body.extend(facts);
        }
        body
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidParameter { parameter, value, detail, accepted } => {
                write!(f, "{parameter}={value:?}: {detail}; accepted: {accepted}")
            }
            Self::MissingParameter { parameter, accepted } => write!(f, "{parameter} is missing; accepted: {accepted}"),
            Self::UnknownParameter { parameter, accepted, .. } => match accepted.as_slice() {
                [] => write!(f, "{parameter} is not a parameter of this path, which takes none"),
                known => write!(f, "{parameter} is not a parameter of this path; accepted: {}", known.join(", ")),
            },
            Self::NotFound { what, value, accepted } if accepted.is_empty() => {
                write!(f, "there is no {what} {value:?}")
            }
            Self::NotFound { what, value, accepted } => write!(f, "there is no {what} {value:?}; accepted: {accepted}"),
            Self::NotAcceptable { given, offered } => write!(f, "Accept: {given}; offered: {offered}"),
            Self::MethodNotAllowed { method, allowed } => write!(f, "{method} is not taken here; accepted: {allowed}"),
            Self::TooMany { what, limit, retry_after_s } => {
                write!(f, "{limit} {what} are open, which is the most; ask again in {retry_after_s} s")
            }
            Self::Timeout { limit_s } => {
                write!(f, "the reply was not ready within {limit_s} s; try again, or ask for less")
            }
            Self::InvalidContent { fault, .. } => {
                let FeatureError { pointer, value, reason, accepted } = fault;
                write!(f, "{pointer} is {value}: {reason}; accepted: {accepted}")
            }
            Self::WrongMediaType { given, accepted } => {
                write!(f, "the body says it is {given:?}; accepted: {accepted}")
            }
            Self::TooLarge { limit_bytes } => write!(f, "at most {limit_bytes} bytes are taken"),
            Self::BodyTimeout { timeout_s } => write!(f, "the body did not arrive within {timeout_s} s"),
            Self::NoToken => f.write_str(
                "give the header Authorization: Bearer TOKEN; the server's log names the file that holds the token",
            ),
            Self::NotFromHere => f.write_str("writes are taken from this machine alone"),
            Self::WritesAreOff => f.write_str("this server, or the role it has in its store, only reads"),
            Self::EditRefused { edit, reason } => write!(f, "edit {edit}: {reason}; nothing was done"),
            Self::KeyReused { key } => write!(f, "{key:?} was the key of a request with another content"),
            Self::NotOurs { layer } => write!(f, "{layer} belongs to another program and is only read here"),
            Self::Unavailable => write!(f, "nothing was done; ask again in {STORE_RETRY_AFTER_S} s"),
            Self::NoSpace => f.write_str("nothing was done; the disk of the store is full"),
            Self::OutcomeUnknown => {
                f.write_str("the edit may or may not have been committed; repeat it with the same Idempotency-Key")
            }
            Self::Ours { incident } => write!(f, "nothing was done; the log has more under {incident}"),
        }
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let mut reply = Self::new(problem.status()).header((header::CONTENT_TYPE, "application/problem+json"));
        match &problem {
            Problem::MethodNotAllowed { allowed, .. } => reply.set_header((header::ALLOW, allowed.as_str())),
            Problem::Unavailable | Problem::OutcomeUnknown | Problem::NoSpace | Problem::Timeout { .. } => {
                reply.set_header((header::RETRY_AFTER, STORE_RETRY_AFTER_S));
            }
            Problem::NoToken => reply.set_header((header::WWW_AUTHENTICATE, "Bearer realm=\"onemap\"")),
            Problem::TooMany { retry_after_s, .. } => reply.set_header((header::RETRY_AFTER, *retry_after_s)),
            _ => {}
        }
        reply.body(problem.body().to_string())
    }
}
