//! Tokens that were verified: found by a hash, bounded in number, and valid as long as the key set that verified them.

use std::sync::Arc;

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use time::UtcDateTime;

use super::keys::KeySet;
use crate::access::identity::ExternalIdentity;

/// Most tokens that are kept; those that are rarely used give way.
const MAX_TOKENS: usize = 10_000;

/// SHA-256 of a token, so that the memory of the process holds no token.
type TokenHash = [u8; 32];

/// A token that was verified.
#[derive(Clone)]
struct Verified {
    identity: Arc<ExternalIdentity>,
    /// The keys that verified it.
    keys: Arc<KeySet>,
    /// When it stops working.
    expires_at: UtcDateTime,
}

/// Verified tokens.
pub(super) struct VerifiedTokens(Cache<TokenHash, Verified>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(Cache::new(MAX_TOKENS))
    }
}

impl VerifiedTokens {
    /// The identity of a token that these keys have verified and that has not expired.
    pub(super) fn find(&self, token: &str, keys: &Arc<KeySet>, now: UtcDateTime) -> Option<Arc<ExternalIdentity>> {
        let hash = hash(token);
        let found = self.0.get(&hash)?;
        if Arc::ptr_eq(&found.keys, keys) && now < found.expires_at {
            return Some(found.identity);
        }
        self.0.remove(&hash);
        None
    }

    /// Keeps a token that these keys have verified.
    pub(super) fn keep(
        &self,
        token: &str,
        keys: Arc<KeySet>,
        identity: Arc<ExternalIdentity>,
        expires_at: UtcDateTime,
    ) {
        self.0.insert(hash(token), Verified { identity, keys, expires_at });
    }

    /// Forgets all tokens.
    pub(super) fn clear(&self) {
        self.0.clear();
    }
}

fn hash(token: &str) -> TokenHash {
    Sha256::digest(token).into()
}
