//! Authentication and authorization: the token, callers, and views of layers.

use actix_web::http::header::{self, HeaderMap};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq;

use crate::http::endpoint::Access;
use crate::http::reply::problem::Problem;
use crate::model::{FingerprintKey, LayerSchema, View};

/// The secret required for edits. Its `Debug` output does not contain it.
#[derive(Clone)]
pub struct BearerToken(String);

impl BearerToken {
    /// Wraps a secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The key of entity tags, derived from the token.
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

/// The identity of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A client without valid credentials.
    Anonymous,
    /// A client on this machine that presented the token.
    TokenHolder,
}

impl Caller {
    /// Identifies the caller of an endpoint. `is_local` is true for a caller on this machine.
    ///
    /// # Errors
    /// When the endpoint requires the token, or when the credentials that it checks are wrong.
    pub(crate) fn identify(
        access: Access,
        headers: &HeaderMap,
        is_local: impl FnOnce() -> bool,
        token: Option<&BearerToken>,
    ) -> Result<Self, Problem> {
        let given = headers.get(header::AUTHORIZATION);
        if access == Access::Public || (access == Access::PublicOrToken && given.is_none()) {
            return Ok(Self::Anonymous);
        }
        let Some(token) = token else { return Err(Problem::WritesDisabled) };
        if !is_local() {
            return Err(Problem::LoopbackOnly);
        }
        // Constant-time comparison.
        if given.is_some_and(|given| bool::from(secret(given.as_bytes()).ct_eq(token.0.as_bytes()))) {
            Ok(Self::TokenHolder)
        } else {
            Err(Problem::Unauthorized)
        }
    }

    /// The view of a layer for the caller. No other function of `http` creates views.
    #[expect(clippy::unused_self, reason = "a view belongs to a caller")]
    pub(crate) fn view(self, schema: &LayerSchema) -> View<'_> {
        View::public(schema)
    }

    /// Whether names and phones of responsible persons are shown.
    pub(crate) fn sees_contacts(self) -> bool {
        self == Self::TokenHolder
    }

    /// The view with names and phones of responsible persons, if the caller may see them.
    pub(crate) fn contact_view(self, schema: &LayerSchema) -> View<'_> {
        match &schema.roles.responsible {
            Some(role) if self.sees_contacts() => self.view(schema).with(&[&role.person, &role.phone]),
            _ => self.view(schema),
        }
    }
}

/// The secret of `Authorization: Bearer SECRET`, or the password of `Authorization: Basic …` (RFC 7617), which QGIS, GDAL
/// and ArcGIS send; the scheme is case-insensitive (RFC 9110, section 11.1).
fn secret(value: &[u8]) -> Vec<u8> {
    let Some(space) = value.iter().position(|byte| *byte == b' ') else { return Vec::new() };
    let (scheme, rest) = value.split_at(space);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return rest.to_vec();
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Vec::new();
    }
    let decoded = BASE64_STANDARD.decode(rest).unwrap_or_default();
    let colon = decoded.iter().position(|byte| *byte == b':');
    colon.and_then(|colon| decoded.get(colon + 1..)).unwrap_or_default().to_vec()
}
