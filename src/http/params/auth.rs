//! Authentication and authorization: the token, callers, and views of layers.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderMap};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq;
use time::UtcDateTime;

use crate::access::Accounts;
use crate::access::identity::Identity;
use crate::access::oidc::IdentityProvider;
use crate::access::proxy_identity::ProxyIdentityConfig;
use crate::http::endpoint::Access;
use crate::http::params::{cookie, proxy_identity};
use crate::http::reply::identity_problem::IdentityProblem;
use crate::http::reply::problem::Problem;
use crate::model::access::Anonymous;
use crate::model::{FingerprintKey, LayerSchema, Role, View};

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

/// How callers are identified.
#[derive(Debug)]
pub struct AccessControl {
    /// The token of the machine that runs the server; `None` disables edits.
    pub token: Option<BearerToken>,
    /// Accounts of people and programs.
    pub accounts: Arc<Accounts>,
    /// The provider whose tokens are accepted beside accounts.
    pub provider: Option<Arc<IdentityProvider>>,
    /// The headers by which trusted proxies state who a caller is.
    pub proxy_identity: Option<ProxyIdentityConfig>,
    /// What callers without credentials may do; `None`: viewer as long as nobody can sign in, then public.
    pub anonymous: Option<Anonymous>,
}

/// The identity of a client.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    role: Role,
    /// `None` for a caller without credentials, and for the holder of the machine's token.
    identity: Option<Identity>,
    is_signed_in: bool,
}

impl AccessControl {
    /// Whether edits are possible at all.
    pub(crate) fn offers_edits(&self) -> bool {
        self.token.is_some()
    }

    /// Whether callers without credentials see all layers.
    #[must_use]
    pub fn lets_everybody_in(&self) -> bool {
        self.anonymous().role == Role::Viewer
    }

    /// Whether anybody but the holder of the machine's token can sign in.
    fn has_identities(&self) -> bool {
        self.provider.is_some() || self.proxy_identity.is_some() || !self.accounts.is_empty()
    }

    /// Whether an identity that was found before still works.
    pub(crate) fn is_current(&self, identity: &Identity, now: UtcDateTime) -> bool {
        match identity {
            Identity::Account(account) => self.accounts.is_current(account, now),
            Identity::External(own) => own.expires_at.is_none_or(|end| !IdentityProvider::is_past(end, now)),
        }
    }

    /// A caller without credentials.
    pub(crate) fn anonymous(&self) -> Caller {
        let role = match self.anonymous {
            Some(Anonymous::Viewer) => Role::Viewer,
            None if !self.has_identities() => Role::Viewer,
            Some(Anonymous::Public | Anonymous::None) | None => Role::Public,
        };
        Caller { role, identity: None, is_signed_in: false }
    }

    /// Identifies the caller of an endpoint. `is_local` is true for a caller on this machine, `is_proxied` for a connection
    /// from a trusted proxy.
    ///
    /// # Errors
    /// When the endpoint requires credentials or a role that the caller does not have, or when the credentials are
    /// wrong.
    pub(crate) async fn identify(
        &self,
        access: Access,
        headers: &HeaderMap,
        is_proxied: bool,
        is_local: impl FnOnce() -> bool,
        now: UtcDateTime,
    ) -> Result<Caller, Problem> {
        if access == Access::Open {
            return Ok(self.anonymous());
        }
        if matches!(access, Access::Write | Access::Dispatch) && !self.offers_edits() {
            return Err(Problem::WritesDisabled);
        }
        if let Some(caller) = self.proxied(access, headers, is_proxied)? {
            return caller.permitted(access);
        }
        let given = headers.get(header::AUTHORIZATION).map(|given| secret(given.as_bytes()));
        let given = given.or_else(|| cookie::secret_of(headers).map(String::into_bytes));
        let caller = match given {
            None if self.anonymous == Some(Anonymous::None) => return Err(Problem::Unauthorized),
            None => self.anonymous(),
            Some(secret) => self.caller_of(&secret, is_local, now).await?,
        };
        caller.permitted(access)
    }

    /// The caller that a trusted proxy names. The proxy has authenticated it, so its credentials are those of the proxy and
    /// are not read.
    fn proxied(&self, access: Access, headers: &HeaderMap, is_proxied: bool) -> Result<Option<Caller>, Problem> {
        let Some(config) = self.proxy_identity.as_ref().filter(|_| is_proxied) else { return Ok(None) };
        let Some(own) = proxy_identity::of_headers(config, headers)? else { return Ok(None) };
        let is_read = matches!(access, Access::Open | Access::Read | Access::Operate);
        if !is_read && proxy_identity::is_cross_site(headers) {
            return Err(Problem::Identity(IdentityProblem::CrossSite));
        }
        let identity = Identity::External(Arc::new(own));
        Ok(Some(Caller { role: identity.role(), identity: Some(identity), is_signed_in: true }))
    }

    /// The caller with a secret.
    ///
    /// # Errors
    /// When no account has it, or the account has expired, or the token is used from another machine, or a token of the
    /// identity provider is not valid.
    pub(crate) async fn caller_of(
        &self,
        secret: &[u8],
        is_local: impl FnOnce() -> bool,
        now: UtcDateTime,
    ) -> Result<Caller, Problem> {
        // Constant-time comparison.
        if self.token.as_ref().is_some_and(|token| bool::from(secret.ct_eq(token.0.as_bytes()))) {
            return if is_local() {
                Ok(Caller { role: Role::Admin, identity: None, is_signed_in: true })
            } else {
                Err(Problem::LoopbackOnly)
            };
        }
        let secret = str::from_utf8(secret).map_err(|_| Problem::Unauthorized)?;
        let identity = match &self.provider {
            Some(provider) if !Accounts::is_secret(secret) => Identity::External(
                provider.identify(secret, now).await.map_err(|refusal| Problem::Identity(refusal.into()))?,
            ),
            _ => Identity::Account(self.accounts.find(secret).ok_or(Problem::Unauthorized)?),
        };
        match &identity {
            Identity::Account(account) if account.is_expired(now) => {
                Err(Problem::Expired { expired_at: account.expires_at.unwrap_or(now) })
            }
            _ => Ok(Caller { role: identity.role(), identity: Some(identity), is_signed_in: true }),
        }
    }
}

impl Caller {
    /// The caller, if its role permits the access.
    ///
    /// # Errors
    /// When it does not, or credentials are required.
    fn permitted(self, access: Access) -> Result<Self, Problem> {
        let lowest = match access {
            Access::Open | Access::Read => Role::Public,
            Access::Operate => Role::Viewer,
            Access::Write | Access::Reveal => Role::Editor,
            Access::Dispatch => Role::Dispatcher,
            Access::Admin => Role::Admin,
        };
        if self.role >= lowest && (lowest <= Role::Viewer || self.is_signed_in) {
            Ok(self)
        } else if self.is_signed_in {
            Err(Problem::RoleTooLow { role: self.role, accepted: lowest })
        } else {
            Err(Problem::Unauthorized)
        }
    }

    /// The role of the caller.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Whether it presented credentials.
    pub(crate) fn is_signed_in(&self) -> bool {
        self.is_signed_in
    }

    /// The identity; `None` for the holder of the machine's token and for a caller without credentials.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The view of a layer for the caller: fields that its role may not see are sensitive in the schema of its snapshot.
    /// No other function of `http` creates views.
    #[expect(clippy::unused_self, reason = "a view belongs to a caller")]
    pub(crate) fn view<'a>(&self, schema: &'a LayerSchema) -> View<'a> {
        View::public(schema)
    }

    /// Whether it may read the contacts of a feature.
    pub(crate) fn may_reveal(&self) -> bool {
        self.is_signed_in && self.role >= Role::Editor
    }

    /// Whether names and phones of responsible persons are shown, masked.
    pub(crate) fn sees_contacts(&self) -> bool {
        self.is_signed_in && self.role >= Role::Viewer
    }

    /// The view with sensitive fields that are revealed for one feature.
    pub(crate) fn revealed<'a>(&self, schema: &'a LayerSchema, fields: &[&str]) -> View<'a> {
        self.view(schema).with(fields)
    }

    /// The view with names and phones of responsible persons, if the caller may see them.
    pub(crate) fn contact_view<'a>(&self, schema: &'a LayerSchema) -> View<'a> {
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
