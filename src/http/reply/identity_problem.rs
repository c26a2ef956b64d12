//! Problems with identities that other systems have verified: tokens of an identity provider, headers of a proxy.

use std::fmt;

use actix_web::http::StatusCode;
use serde_json::{Value as Json, json};

use crate::access::identity::GrantRefusal;
use crate::access::oidc::{TokenFault, TokenRefusal};

/// Why an identity of another system is not accepted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum IdentityProblem {
    /// A check of a token failed.
    InvalidToken {
        /// The check.
        fault: TokenFault,
        /// What would be accepted.
        accepted: String,
    },
    /// The other system gives the caller no role, or not its limits.
    NoGrant(GrantRefusal),
    /// The keys of the identity provider could not be fetched.
    NoKeys,
    /// What the caller creates outlives its identity.
    NeedsAccount,
    /// A page of another site made the request in the name of the caller.
    CrossSite,
}

impl From<TokenRefusal> for IdentityProblem {
    fn from(refusal: TokenRefusal) -> Self {
        match refusal {
            TokenRefusal::Invalid { fault, accepted } => Self::InvalidToken { fault, accepted },
            TokenRefusal::NoGrant(refusal) => Self::NoGrant(refusal),
            TokenRefusal::NoKeys => Self::NoKeys,
        }
    }
}

impl IdentityProblem {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::InvalidToken { .. } => StatusCode::UNAUTHORIZED,
            Self::NoGrant(_) | Self::NeedsAccount | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The last part of the problem's type URI, and its title.
    pub(super) fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidToken { .. } => ("invalid-token", "The token is not valid"),
            Self::NoGrant(_) => ("no-grant", "The identity has no permission"),
            Self::NoKeys => ("identity-provider", "The identity provider does not answer"),
            Self::NeedsAccount => ("needs-account", "An account of this server is required"),
            Self::CrossSite => ("cross-site", "Pages of other sites may not do this"),
        }
    }

    pub(super) fn facts(&self) -> Json {
        match self {
            Self::InvalidToken { fault, accepted } => {
                json!({"parameter": "Authorization", "check": check(*fault).0, "accepted": accepted})
            }
            Self::NoGrant(GrantRefusal { statement, value, accepted, .. }) => {
                json!({"parameter": statement, "value": value, "accepted": accepted})
            }
            Self::NoKeys => json!({}),
            Self::NeedsAccount => json!({"parameter": "Authorization", "accepted": "Bearer SECRET of an account"}),
            Self::CrossSite => {
                json!({"parameter": "Sec-Fetch-Site", "value": "cross-site", "accepted": "same-origin, same-site, none"})
            }
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750, section 3); `None` if other credentials would not help.
    pub(super) fn challenge(&self) -> Option<String> {
        let Self::InvalidToken { fault, .. } = self else { return None };
        let description = check(*fault).1;
        Some(format!("Bearer realm=\"onemap\", error=\"invalid_token\", error_description=\"{description}\""))
    }

    /// Whether the credentials may be guessed; those that the provider has signed are not.
    pub(super) fn is_wrong_secret(&self) -> bool {
        use TokenFault::{Algorithm, Format, Key, Signature};
        matches!(self, Self::InvalidToken { fault: Format | Algorithm | Key | Signature, .. })
    }
}

/// The name of a check, and what its failure means, in characters that a header may have.
fn check(fault: TokenFault) -> (&'static str, &'static str) {
    match fault {
        TokenFault::Format => ("format", "it is no signed JWT"),
        TokenFault::Algorithm => ("algorithm", "its algorithm is not accepted"),
        TokenFault::Key => ("key", "the identity provider has no key with its kid"),
        TokenFault::Signature => ("signature", "its signature is wrong"),
        TokenFault::Expired => ("exp", "it has expired"),
        TokenFault::NotYetValid => ("nbf", "it is not valid yet"),
        TokenFault::Issuer => ("iss", "another issuer issued it"),
        TokenFault::Audience => ("aud", "it is for another audience"),
        TokenFault::Claims => ("claims", "a required claim is absent or malformed"),
    }
}

impl fmt::Display for IdentityProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidToken { fault, accepted } => {
                write!(f, "the token is refused: {}; accepted: {accepted}", check(*fault).1)
            }
            Self::NoGrant(GrantRefusal { statement, reason, accepted, .. }) => {
                write!(f, "{statement} permits nothing: {reason}; accepted: {accepted}")
            }
            Self::NoKeys => f.write_str("the keys of the identity provider cannot be fetched; try again"),
            Self::NeedsAccount => f.write_str(
                "this outlives the sign-in of the caller, so it needs an account of this server (onemap token add)",
            ),
            Self::CrossSite => f.write_str("a page of another site made this request in the name of its reader"),
        }
    }
}
