//! The section `[proxy_identity]` in its checked form: headers by which a trusted proxy states who a caller is.

use super::identity::GrantRules;

/// The headers of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyIdentityConfig {
    /// The header with the name of the caller, in lower case.
    pub user_header: String,
    /// The headers with its role and limits, in lower case.
    pub rules: GrantRules,
}
