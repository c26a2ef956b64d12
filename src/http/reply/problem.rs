//! Errors as RFC 9457 problem details: status, type, title and members of each.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use actix_web::http::{StatusCode, header};
use serde_json::json;
use time::UtcDateTime;

use crate::exchange::feature_json::FeatureError;
use crate::http::reply::Reply;
use crate::http::reply::identity_problem::IdentityProblem;
use crate::http::reply::modified::date_not_before;
use crate::model::{EditError, ReservationError, Role, format_instant};
use crate::query::cancel::Cancelled;

/// An error of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Problem {
    /// A parameter or path segment is malformed or out of range.
    InvalidParameter {
        /// Its name.
        parameter: String,
        /// The value in the request.
        value: String,
        /// The reason for the refusal.
        detail: String,
        /// The accepted values.
        accepted: String,
    },
    /// A required parameter is missing.
    MissingParameter {
        /// Its name.
        parameter: &'static str,
        /// The accepted values.
        accepted: String,
    },
    /// The path has no parameter of this name.
    UnknownParameter {
        /// Its name.
        parameter: String,
        /// The value in the request.
        value: String,
        /// The parameters of the path.
        accepted: Vec<&'static str>,
    },
    /// The resource of the path does not exist.
    NotFound {
        /// The kind of resource.
        what: &'static str,
        /// Its name in the request.
        value: String,
        /// The names that exist; empty if there is no short list.
        accepted: String,
    },
    /// The client accepts none of the offered media types.
    NotAcceptable {
        /// The Accept header.
        given: String,
        /// The offered media types.
        offered: String,
    },
    /// The path does not have this method.
    MethodNotAllowed {
        /// The method of the request.
        method: String,
        /// The methods of the path.
        allowed: String,
    },
    /// The limit of concurrent requests is reached.
    TooMany {
        /// The limited resource, in the plural.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// Seconds until the next attempt.
        retry_after_s: u32,
    },
    /// The caller makes requests too often, or has too many at the same time.
    RateLimited {
        /// What is counted, with its unit.
        what: &'static str,
        /// The limit.
        limit: u32,
        /// Seconds until the next attempt.
        retry_after_s: u32,
    },
    /// The reply was not ready in time; its computation was cancelled.
    Timeout {
        /// Time limit, seconds.
        limit_s: u64,
    },
    /// The content of an edit does not match the layer.
    InvalidContent {
        /// Index of the edit in a batch, from 0.
        edit: Option<usize>,
        /// The member at fault, and the reason.
        fault: Box<FeatureError>,
    },
    /// The media type of the body is not supported.
    WrongMediaType {
        /// The value in the request.
        given: String,
        /// The supported media types.
        accepted: String,
    },
    /// The body exceeds the maximum length.
    TooLarge {
        /// Maximum length, bytes.
        limit_bytes: usize,
    },
    /// The body did not arrive in time.
    BodyTimeout {
        /// Time limit, seconds.
        timeout_s: u64,
    },
    /// A write without the token.
    Unauthorized,
    /// The account no longer works.
    Expired {
        /// Since then.
        expired_at: UtcDateTime,
    },
    /// An identity of another system is not accepted.
    Identity(IdentityProblem),
    /// The role of the caller does not suffice.
    RoleTooLow {
        /// Its role.
        role: Role,
        /// The lowest role that suffices.
        accepted: Role,
    },
    /// The account may not write this layer, or not in this division.
    OutOfScope {
        /// Which rule: `collection` or `region_code`.
        parameter: &'static str,
        /// The layer or division.
        value: String,
        /// What the account may write.
        accepted: String,
    },
    /// The machine's token from another machine.
    LoopbackOnly,
    /// Writes are disabled.
    WritesDisabled,
    /// An edit is refused; no edit was applied.
    EditRefused {
        /// Index of the edit in a batch, from 0.
        edit: usize,
        /// The reason.
        reason: EditError,
    },
    /// The idempotency key belongs to another request.
    KeyReused {
        /// The key.
        key: String,
    },
    /// A file cannot be imported.
    ImportRefused {
        /// What is wrong with it.
        detail: String,
        /// What would be accepted.
        accepted: String,
    },
    /// An import or its undoing contradicts what is stored.
    ImportConflict {
        /// The contradiction.
        detail: String,
    },
    /// The layer is maintained by another program.
    ReadOnlyLayer {
        /// The layer.
        layer: String,
    },
    /// Another server maintains the feature.
    OtherSource {
        /// Its source.
        source: String,
    },
    /// The store is unreachable; no edit was applied.
    Unavailable,
    /// The store has no space left; no edit was applied.
    NoSpace,
    /// The connection to the store failed during the commit.
    OutcomeUnknown,
    /// The engine that computes travel on roads does not answer.
    RoadEngine {
        /// Why.
        reason: String,
    },
    /// A failure of the server; the log has the details.
    Internal {
        /// The reference of the log line.
        incident: String,
    },
}

/// Seconds until the client may retry after the store was unreachable.
pub(super) const STORE_RETRY_AFTER_S: u32 = 5;

impl From<Cancelled> for Problem {
    /// This problem is never sent: the client has received a timeout or has disconnected.
    fn from(_: Cancelled) -> Self {
        Self::Timeout { limit_s: 0 }
    }
}

impl Problem {
    /// A failure of the server itself. The log has the details; the client gets a reference to them.
    pub(crate) fn internal(error: &dyn fmt::Display) -> Self {
        let incident = format!("{:016x}", RandomState::new().hash_one(error.to_string()));
        tracing::error!(%error, incident, "a request failed");
        Self::Internal { incident }
    }

    /// Whether it refuses credentials that may have been guessed.
    pub(crate) fn is_wrong_secret(&self) -> bool {
        match self {
            Self::Unauthorized => true,
            Self::Identity(problem) => problem.is_wrong_secret(),
            _ => false,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::InvalidParameter { .. } | Self::MissingParameter { .. } | Self::UnknownParameter { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable { .. } => StatusCode::NOT_ACCEPTABLE,
            Self::TooMany { .. }
            | Self::Timeout { .. }
            | Self::Unavailable
            | Self::RoadEngine { .. }
            | Self::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
            Self::InvalidContent { .. }
            | Self::ImportRefused { .. }
            | Self::KeyReused { .. }
            | Self::EditRefused { reason: EditError::OverCapacity(_), .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::WrongMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Unauthorized | Self::Expired { .. } => StatusCode::UNAUTHORIZED,
            Self::Identity(problem) => problem.status(),
            Self::EditRefused { reason: EditError::OutOfRegion, .. }
            | Self::RoleTooLow { .. }
            | Self::OutOfScope { .. }
            | Self::LoopbackOnly
            | Self::WritesDisabled
            | Self::OtherSource { .. }
            | Self::ReadOnlyLayer { .. } => StatusCode::FORBIDDEN,
            Self::NotFound { .. } | Self::EditRefused { reason: EditError::NotThere, .. } => StatusCode::NOT_FOUND,
            Self::ImportConflict { .. }
            | Self::EditRefused { reason: EditError::Duplicate | EditError::Reservation(_), .. } => {
                StatusCode::CONFLICT
            }
            Self::EditRefused {
                reason:
                    EditError::Changed(_)
                    | EditError::Modified(_)
                    | EditError::Absent
                    | EditError::Exists
                    | EditError::Unchanged,
                ..
            } => StatusCode::PRECONDITION_FAILED,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The last part of the problem's type URI, and its title.
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidParameter { .. } => ("invalid-parameter", "A parameter has a value that is not accepted"),
            Self::MissingParameter { .. } => ("missing-parameter", "A required parameter is missing"),
            Self::UnknownParameter { .. } => ("unknown-parameter", "A parameter is unknown"),
            Self::NotFound { .. } => ("not-found", "The resource does not exist"),
            Self::NotAcceptable { .. } => ("not-acceptable", "None of the offered media types is acceptable"),
            Self::MethodNotAllowed { .. } => ("method-not-allowed", "The method is not allowed"),
            Self::TooMany { .. } => ("too-many-requests", "Too many concurrent requests"),
            Self::RateLimited { .. } => ("rate-limited", "The caller makes too many requests"),
            Self::Timeout { .. } => ("timeout", "The reply took too long"),
            Self::InvalidContent { .. } => ("invalid-content", "The content does not match the layer"),
            Self::WrongMediaType { .. } => ("unsupported-media-type", "The media type of the body is not supported"),
            Self::TooLarge { .. } => ("content-too-large", "The body is too long"),
            Self::BodyTimeout { .. } => ("body-timeout", "The body did not arrive in time"),
            Self::Unauthorized => ("unauthorized", "Valid credentials are required"),
            Self::Expired { .. } => ("expired", "The account has expired"),
            Self::Identity(problem) => problem.kind(),
            Self::RoleTooLow { .. } => ("role-too-low", "The role does not permit this"),
            Self::OutOfScope { .. } | Self::EditRefused { reason: EditError::OutOfRegion, .. } => {
                ("out-of-scope", "The account may not write this")
            }
            Self::LoopbackOnly => ("loopback-only", "The token is accepted from this machine only"),
            Self::WritesDisabled => ("writes-disabled", "Edits are disabled"),
            Self::EditRefused { reason: EditError::NotThere, .. } => {
                ("feature-not-found", "The feature does not exist")
            }
            Self::EditRefused { reason: EditError::Duplicate, .. } => ("duplicate", "The id exists already"),
            Self::EditRefused { reason: EditError::Reservation(_), .. } => {
                ("over-committed", "The resource cannot be promised")
            }
            Self::EditRefused { reason: EditError::Changed(_) | EditError::Modified(_), .. } => {
                ("changed", "The feature has been changed")
            }
            Self::EditRefused { reason: EditError::Absent | EditError::Exists | EditError::Unchanged, .. } => {
                ("precondition-failed", "The feature does not meet the precondition")
            }
            Self::EditRefused { reason: EditError::OverCapacity(_), .. } => {
                ("over-capacity", "The number of people exceeds the capacity")
            }
            Self::ImportRefused { .. } => ("import-refused", "The file cannot be imported"),
            Self::ImportConflict { .. } => ("import-conflict", "The import contradicts what is stored"),
            Self::KeyReused { .. } => ("idempotency-key-reused", "The key was used for another request"),
            Self::ReadOnlyLayer { .. } => ("read-only-layer", "The layer is read-only"),
            Self::OtherSource { .. } => ("other-source", "Another server maintains the feature"),
            Self::Unavailable => ("unavailable", "The store is unreachable"),
            Self::RoadEngine { .. } => ("road-engine", "The road engine does not answer"),
            Self::NoSpace => ("insufficient-storage", "The store has no space left"),
            Self::OutcomeUnknown => ("outcome-unknown", "The outcome of the edit is unknown"),
            Self::Internal { .. } => ("internal", "Internal error"),
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
        if let (Some(body), serde_json::Value::Object(facts)) = (body.as_object_mut(), self.facts()) {
            body.extend(facts);
        }
        body
    }

    /// The members that tell what was wrong and what would be accepted.
    fn facts(&self) -> serde_json::Value {
        match self {
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
            Self::RateLimited { what, limit, .. } => json!({"parameter": what, "accepted": limit}),
            Self::Timeout { limit_s } => json!({"accepted": format!("replies within {limit_s} s")}),
            Self::InvalidContent { edit, fault } => content_facts(*edit, fault),
            Self::WrongMediaType { given, accepted } => {
                json!({"parameter": "Content-Type", "value": given, "accepted": accepted})
            }
            Self::TooLarge { limit_bytes } => json!({"parameter": "body", "accepted": limit_bytes}),
            Self::BodyTimeout { timeout_s } => {
                json!({"parameter": "body", "accepted": format!("a body within {timeout_s} s")})
            }
            Self::Unauthorized => {
                json!({"parameter": "Authorization", "accepted": "Bearer SECRET, or Basic NAME:SECRET"})
            }
            Self::Expired { expired_at } => {
                json!({"parameter": "Authorization", "value": format_instant(*expired_at), "accepted": "an account that has not expired"})
            }
            Self::Identity(problem) => problem.facts(),
            Self::RoleTooLow { role, accepted } => {
                json!({"parameter": "Authorization", "value": role.name(), "accepted": accepted.name()})
            }
            Self::OutOfScope { parameter, value, accepted } => {
                json!({"parameter": parameter, "value": value, "accepted": accepted})
            }
            Self::EditRefused { edit, reason: EditError::Changed(now) } => {
                json!({"edit": edit, "parameter": "If-Match", "accepted": format!("\"{now}\"")})
            }
            Self::EditRefused { edit, reason: EditError::Modified(modified) } => {
                json!({"edit": edit, "parameter": "If-Unmodified-Since", "accepted": date_not_before(*modified)})
            }
            Self::EditRefused { edit, reason: EditError::OverCapacity(over) } => {
                json!({"edit": edit, "value": over.people, "accepted": format!("up to {}", over.capacity)})
            }
            Self::EditRefused { edit, reason: EditError::Reservation(reason) } => reservation_facts(*edit, *reason),
            Self::EditRefused { edit, .. } => json!({"edit": edit, "parameter": "id"}),
            Self::KeyReused { key } => json!({"parameter": "Idempotency-Key", "value": key}),
            Self::ReadOnlyLayer { layer } => json!({"parameter": "collection", "value": layer}),
            Self::ImportRefused { accepted, .. } => json!({"parameter": "body", "accepted": accepted}),
            Self::ImportConflict { .. } => json!({"parameter": "importId"}),
            Self::OtherSource { source } => json!({"parameter": "source", "value": source}),
            Self::Internal { incident } => json!({"incident": incident}),
            Self::OutcomeUnknown => json!({"parameter": "Idempotency-Key"}),
            Self::RoadEngine { .. } | Self::LoopbackOnly | Self::WritesDisabled | Self::Unavailable | Self::NoSpace => {
                json!({})
            }
        }
    }
}

/// What could not be promised, and what is free.
fn reservation_facts(edit: usize, reason: ReservationError) -> serde_json::Value {
    match reason {
        ReservationError::Places { free } => {
            json!({"edit": edit, "parameter": "people", "accepted": format!("up to {free}")})
        }
        ReservationError::Items { item, free } => {
            let parameter = format!("/items/{item}/quantity");
            json!({"edit": edit, "parameter": parameter, "accepted": format!("up to {free}")})
        }
        ReservationError::NotReady | ReservationError::Unknown => json!({"edit": edit, "parameter": "resource"}),
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let mut reply = Self::new(problem.status()).header((header::CONTENT_TYPE, "application/problem+json"));
        match &problem {
            Problem::MethodNotAllowed { allowed, .. } => reply.set_header((header::ALLOW, allowed.as_str())),
            Problem::Unavailable
            | Problem::RoadEngine { .. }
            | Problem::OutcomeUnknown
            | Problem::NoSpace
            | Problem::Identity(IdentityProblem::NoKeys)
            | Problem::Timeout { .. } => {
                reply.set_header((header::RETRY_AFTER, STORE_RETRY_AFTER_S));
            }
            Problem::Unauthorized | Problem::Expired { .. } => reply.set_header((
                header::WWW_AUTHENTICATE,
                "Bearer realm=\"onemap\", Basic realm=\"onemap\", charset=\"UTF-8\"",
            )),
            Problem::Identity(problem) => {
                if let Some(challenge) = problem.challenge() {
                    reply.set_header((header::WWW_AUTHENTICATE, challenge));
                }
            }
            Problem::TooMany { retry_after_s, .. } | Problem::RateLimited { retry_after_s, .. } => {
                reply.set_header((header::RETRY_AFTER, *retry_after_s));
            }
            _ => {}
        }
        reply.body(problem.body().to_string())
    }
}

/// What is wrong with a submitted feature, and in which edit of a batch.
fn content_facts(edit: Option<usize>, error: &FeatureError) -> serde_json::Value {
    let FeatureError { pointer, value, fault, accepted, .. } = error;
    let mut facts = json!({"parameter": pointer, "value": value, "accepted": accepted});
    if let Some(edit) = edit {
        facts["edit"] = json!(edit);
    }
    if let Some(fault) = fault {
        facts["fault"] = json!(fault);
    }
    facts
}
