//! Who may write: callers on this machine who hold the token.

use actix_web::HttpRequest;
use actix_web::http::header;
use subtle::ConstantTimeEq;

use crate::http::reply::problem::Problem;
use crate::model::FingerprintKey;

/// The secret that writers show. It is never printed by accident.
#[derive(Clone)]
pub struct BearerToken(String);

impl BearerToken {
    /// Takes a secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// What seals the states of features: the same as long as the token is.
    #[must_use]
    pub fn fingerprint_key(&self) -> FingerprintKey {
        FingerprintKey::new(self.0.as_bytes())
    }
}

impl std::fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Lets a writer in. Where the request comes from is told by the connection alone: a header can say anything.
pub(crate) fn may_write(request: &HttpRequest, token: Option<&BearerToken>) -> Result<(), Problem> {
    let Some(token) = token else { return Err(Problem::WritesAreOff) };
    if !request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
        return Err(Problem::NotFromHere);
    }
    let given = request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes).unwrap_or_default();
    let given = given.strip_prefix(b"Bearer ").unwrap_or_default();
    // Comparing takes as long for a wrong secret as for the right one.
    if bool::from(given.ct_eq(token.0.as_bytes())) { Ok(()) } else { Err(Problem::NoToken) }
}
