//! What we say when it is wrong: every refusal as RFC 9457 problem details, in one table.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

/// A refusal, ready to be told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Problem {
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
    /// The path takes other methods.
    MethodNotAllowed {
        /// What was tried.
        method: String,
        /// What is taken.
        allowed: &'static str,
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
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::InvalidParameter { .. } | Self::MissingParameter { .. } | Self::UnknownParameter { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooMany { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn body(&self) -> serde_json::Value {
        let (slug, title) = match self {
            Self::InvalidParameter { .. } => ("invalid-parameter", "A parameter has a value that is not accepted"),
            Self::MissingParameter { .. } => ("missing-parameter", "A required parameter is missing"),
            Self::UnknownParameter { .. } => ("unknown-parameter", "A parameter is not known here"),
            Self::NotFound { .. } => ("not-found", "There is nothing of that name"),
            Self::MethodNotAllowed { .. } => ("method-not-allowed", "The method is not taken here"),
            Self::TooMany { .. } => ("too-many", "As many are served at once as may be"),
        };
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
            Self::MethodNotAllowed { method, allowed } => json!({"value": method, "accepted": allowed}),
            Self::TooMany { what, limit, .. } => json!({"parameter": what, "accepted": limit}),
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
            Self::MethodNotAllowed { method, allowed } => write!(f, "{method} is not taken here; accepted: {allowed}"),
            Self::TooMany { what, limit, retry_after_s } => {
                write!(f, "{limit} {what} are open, which is the most; ask again in {retry_after_s} s")
            }
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        if let Self::MethodNotAllowed { allowed, .. } = self {
            response.insert_header((header::ALLOW, *allowed));
        }
        if let Self::TooMany { retry_after_s, .. } = self {
            response.insert_header((header::RETRY_AFTER, *retry_after_s));
        }
        response.body(self.body().to_string())
    }
}
