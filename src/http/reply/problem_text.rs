//! The sentence of each problem, which its details have as `detail`.

use std::fmt;

use super::problem::{Problem, STORE_RETRY_AFTER_S};
use crate::exchange::feature_json::FeatureError;
use crate::model::format_instant;

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
                write!(f, "{what} {value:?} does not exist")
            }
            Self::NotFound { what, value, accepted } => {
                write!(f, "{what} {value:?} does not exist; accepted: {accepted}")
            }
            Self::NotAcceptable { given, offered } => write!(f, "Accept: {given}; offered: {offered}"),
            Self::MethodNotAllowed { method, allowed } => {
                write!(f, "{method} is not allowed for this path; accepted: {allowed}")
            }
            Self::RateLimited { what, limit, retry_after_s } => {
                write!(f, "more than {limit} {what}; try again in {retry_after_s} s")
            }
            Self::TooMany { what, limit, retry_after_s } => {
                write!(f, "{limit} {what} are open, the maximum; try again in {retry_after_s} s")
            }
            Self::Timeout { limit_s } => {
                write!(f, "the reply was not ready within {limit_s} s; try again, or request less")
            }
            Self::InvalidContent { fault, .. } => {
                let FeatureError { pointer, value, reason, accepted, .. } = &**fault;
                write!(f, "{pointer} is {value}: {reason}; accepted: {accepted}")
            }
            Self::WrongMediaType { given, accepted } => {
                write!(f, "the media type of the body is {given:?}; accepted: {accepted}")
            }
            Self::TooLarge { limit_bytes } => write!(f, "the maximum is {limit_bytes} bytes"),
            Self::BodyTimeout { timeout_s } => write!(f, "the body did not arrive within {timeout_s} s"),
            Self::Unauthorized => f.write_str(
                "send the header Authorization: Bearer SECRET with the secret of an account (onemap token add), or, on the \
                 machine that runs the server, with the token in the file that its log names",
            ),
            Self::Expired { expired_at } => write!(f, "the account expired at {}", format_instant(*expired_at)),
            Self::Identity(problem) => problem.fmt(f),
            Self::RoleTooLow { role, accepted } => {
                write!(f, "the role {} does not permit this; {} does", role.name(), accepted.name())
            }
            Self::OutOfScope { parameter, value, accepted } => {
                write!(f, "the account may not write {parameter} {value:?}; it may write {accepted}")
            }
            Self::LoopbackOnly => f.write_str("this token is accepted only from the machine that runs the server"),
            Self::WritesDisabled => f.write_str("this server, or its role in the store, is read-only"),
            Self::EditRefused { edit, reason } => write!(f, "edit {edit}: {reason}; no edit was applied"),
            Self::ImportRefused { detail, .. } | Self::ImportConflict { detail } => f.write_str(detail),
            Self::KeyReused { key } => write!(f, "{key:?} was already used for a request with different content"),
            Self::ReadOnlyLayer { layer } => {
                write!(f, "{layer} is maintained by another program and is read-only here")
            }
            Self::OtherSource { source } => write!(f, "{source} maintains this feature on its own server; it is read-only here"),
            Self::RoadEngine { reason } => write!(f, "travel on roads cannot be computed: {reason}"),
            Self::Unavailable => write!(f, "no edit was applied; try again in {STORE_RETRY_AFTER_S} s"),
            Self::NoSpace => f.write_str("no edit was applied; the disk of the store is full"),
            Self::OutcomeUnknown => {
                f.write_str("the edit may or may not have been committed; repeat it with the same Idempotency-Key")
            }
            Self::Internal { incident } => {
                write!(f, "the request was not completed; the log has details under {incident}")
            }
        }
    }
}
