//! Fingerprints of feature states, used as entity tags.
//!
//! A fingerprint covers sensitive values too, so an edit cannot overwrite a changed phone number unnoticed. From a
//! plain hash the number could be found by trying all numbers, so the hash is keyed (HMAC, RFC 2104). It leaves out the
//! fields that are reserved for higher roles: the caller cannot overwrite them, and is not told that they change.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value as Json;
use sha2::Sha256;

use super::{Feature, Shape, Value};

/// Identifies a state of a feature: 128 bits, equal in all backends and after restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// Parses the output of [`fmt::Display`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32).map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The secret key of fingerprints.
#[derive(Clone)]
pub struct FingerprintKey(Hmac<Sha256>);

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(***)")
    }
}

impl FingerprintKey {
    /// Creates a key from a secret, of which the first 64 bytes count.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        // A key of one block is used unchanged and cannot be rejected.
        let mut block = [0; 64];
        let length = secret.len().min(block.len());
        block[..length].copy_from_slice(&secret[..length]);
        Self(Hmac::new(&block.into()))
    }

    /// The fingerprint of a feature.
    #[must_use]
    pub fn fingerprint(&self, feature: &Feature) -> Fingerprint {
        self.fingerprint_without(&[], feature)
    }

    /// The fingerprint of a feature without some fields, by index.
    #[must_use]
    pub fn fingerprint_without(&self, reserved: &[usize], feature: &Feature) -> Fingerprint {
        let mut mac = self.0.clone();
        let mut part = |kind: u8, bytes: &[u8]| {
            mac.update(&[kind]);
            mac.update(&(bytes.len() as u64).to_le_bytes());
            mac.update(bytes);
        };
        part(b'i', feature.id.as_str().as_bytes());
        // Rust's formatting of numbers is lossless, and a shape is fully described by its coordinates.
        part(b'g', format!("{:?}", feature.geometry.as_ref().map(Shape::geometry)).as_bytes());
        for (at, value) in feature.values.iter().enumerate() {
            match value {
                _ if reserved.contains(&at) => part(b'h', &[]),
                // Databases may reformat the same JSON document.
                Value::Json(document) => part(b'j', canonical(document).as_bytes()),
                Value::Real(number) => part(b'r', &number.to_le_bytes()),
                other => part(b'v', format!("{other:?}").as_bytes()),
            }
        }
        let whole = mac.finalize().into_bytes();
        Fingerprint(whole.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte)))
    }
}

/// A canonical JSON document: sorted members, numbers compared by value.
fn canonical(document: &str) -> String {
    let mut out = String::new();
    match serde_json::from_str(document) {
        Ok(value) => write_canonical(&mut out, &value),
        Err(_) => out.push_str(document),
    }
    out
}

fn write_canonical(out: &mut String, value: &Json) {
    match value {
        Json::Object(members) => {
            out.push('{');
            for (name, value) in members.iter().collect::<BTreeMap<_, _>>() {
                let _ = write!(out, "{name:?}:");
                write_canonical(out, value);
                out.push(',');
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(out, item);
                out.push(',');
            }
            out.push(']');
        }
        Json::Number(number) => {
            let _ = write!(out, "{:?}", number.as_f64());
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}
