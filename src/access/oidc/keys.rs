//! The signing keys of an identity provider (JWKS, RFC 7517), and the check of tokens by them (RFC 7519).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// Algorithms that are accepted. Those with a shared secret are not: the public key would be the secret.
const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];
/// Shortest modulus of an RSA key, bytes (RFC 7518, section 3.3).
const MIN_MODULUS_BYTES: usize = 256;
/// Keys that are kept of a set.
const MAX_KEYS: usize = 100;
/// Longest token, bytes.
const MAX_TOKEN_BYTES: usize = 16_384;

/// Which check of a token failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// It is no signed JWT.
    Format,
    /// Its algorithm is not accepted, or is not that of the key.
    Algorithm,
    /// The provider has no key with its key id.
    Key,
    /// The signature is not by the key.
    Signature,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// Another provider issued it.
    Issuer,
    /// It was issued for another service.
    Audience,
    /// A required claim is absent or has another type.
    Claims,
}

/// The names of the accepted algorithms.
#[must_use]
pub fn accepted_algorithms() -> String {
    ALGORITHMS.map(|(name, _)| name).join(", ")
}

/// The head of a token, which is read before its signature is checked.
pub(super) struct TokenHeader {
    algorithm: Algorithm,
    key_id: Option<String>,
}

#[derive(Deserialize)]
struct RawHeader {
    alg: String,
    kid: Option<String>,
    /// Extensions that a receiver must implement; there are none here.
    crit: Option<Json>,
}

impl TokenHeader {
    /// # Errors
    /// When the text is no signed JWT, or its algorithm is not accepted.
    pub(super) fn read(token: &str) -> Result<Self, TokenFault> {
        let parts: Vec<&str> = token.split('.').collect();
        let &[head, _, _] = parts.as_slice() else { return Err(TokenFault::Format) };
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenFault::Format);
        }
        let head = BASE64_URL_SAFE_NO_PAD.decode(head).map_err(|_| TokenFault::Format)?;
        let raw: RawHeader = serde_json::from_slice(&head).map_err(|_| TokenFault::Format)?;
        if raw.crit.is_some() {
            return Err(TokenFault::Format);
        }
        let algorithm = ALGORITHMS.iter().find(|(name, _)| *name == raw.alg);
        let (_, algorithm) = algorithm.ok_or(TokenFault::Algorithm)?;
        Ok(Self { algorithm: *algorithm, key_id: raw.kid })
    }
}

struct VerificationKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// The keys of a provider.
pub(super) struct KeySet {
    keys: Vec<VerificationKey>,
    /// The document with the keys.
    document: Vec<u8>,
}

impl KeySet {
    /// Reads the keys of a JWKS document that verify signatures; others are left out.
    ///
    /// # Errors
    /// When it is no JWKS, or has no such key.
    pub(super) fn read(document: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct RawKeySet {
            keys: Vec<Json>,
        }
        let RawKeySet { keys } = serde_json::from_slice(document).map_err(|error| format!("no key set: {error}"))?;
        // A key of a kind that is unknown here must not make the others useless.
        let keys = keys.into_iter().filter_map(|key| verification_key(&serde_json::from_value(key).ok()?));
        let keys: Vec<VerificationKey> = keys.take(MAX_KEYS).collect();
        if keys.is_empty() {
            return Err(format!("no key verifies signatures; accepted: {}", accepted_algorithms()));
        }
        Ok(Self { keys, document: document.to_vec() })
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether two key sets were read from the same document.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.document == other.document
    }

    /// Whether a token may be by one of the keys.
    pub(super) fn has_key_of(&self, header: &TokenHeader) -> bool {
        self.candidates(header).next().is_some()
    }

    /// The keys that a token names; all without a key id.
    fn candidates(&self, header: &TokenHeader) -> impl Iterator<Item = &VerificationKey> {
        self.keys.iter().filter(|key| header.key_id.is_none() || key.id == header.key_id)
    }

    /// The claims of a token that is valid.
    ///
    /// # Errors
    /// The check that failed.
    pub(super) fn claims(
        &self,
        token: &str,
        header: &TokenHeader,
        validation: &Validation,
    ) -> Result<Map<String, Json>, TokenFault> {
        if !self.has_key_of(header) {
            return Err(TokenFault::Key);
        }
        let mut fault = TokenFault::Algorithm;
        let validation = Validation { algorithms: vec![header.algorithm], ..validation.clone() };
        for own in self.candidates(header).filter(|own| own.algorithms.contains(&header.algorithm)) {
            match decode(token, &own.key, &validation) {
                Ok(data) => return Ok(data.claims),
                Err(error) => fault = fault_of(error.kind()),
            }
            // Another key of a token without a key id may be the one that signed it.
            if fault != TokenFault::Signature {
                break;
            }
        }
        Err(fault)
    }
}

fn fault_of(error: &ErrorKind) -> TokenFault {
    match error {
        ErrorKind::ExpiredSignature => TokenFault::Expired,
        ErrorKind::ImmatureSignature => TokenFault::NotYetValid,
        ErrorKind::InvalidIssuer => TokenFault::Issuer,
        ErrorKind::InvalidAudience => TokenFault::Audience,
        ErrorKind::InvalidAlgorithm => TokenFault::Algorithm,
        ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => TokenFault::Format,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => {
            TokenFault::Claims
        }
        _ => TokenFault::Signature,
    }
}

/// A key that verifies signatures by the accepted algorithms; `None` for others, and for RSA keys that are too short.
fn verification_key(jwk: &Jwk) -> Option<VerificationKey> {
    let common = &jwk.common;
    let is_for_signatures = common.public_key_use.as_ref().is_none_or(|own| *own == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|own| own.contains(&KeyOperations::Verify));
    let of_kind: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = BASE64_URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
            let length = modulus.iter().skip_while(|byte| **byte == 0).count();
            let all: &[Algorithm] = &[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ];
            if length >= MIN_MODULUS_BYTES { all } else { &[] }
        }
        AlgorithmParameters::EllipticCurve(own) if own.curve == EllipticCurve::P256 => &[Algorithm::ES256],
        AlgorithmParameters::EllipticCurve(own) if own.curve == EllipticCurve::P384 => &[Algorithm::ES384],
        AlgorithmParameters::OctetKeyPair(own) if own.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
        _ => &[],
    };
    // A key that states its algorithm is for that one only.
    let is_stated = |own: &Algorithm| common.key_algorithm.is_none_or(|stated| stated == KeyAlgorithm::from(*own));
    let algorithms: Vec<Algorithm> = of_kind.iter().copied().filter(is_stated).collect();
    if !is_for_signatures || algorithms.is_empty() {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(VerificationKey { id: common.key_id.clone(), algorithms, key })
}
