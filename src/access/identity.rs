//! Who a caller is: an account of this server, or somebody whom another system has verified.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::UtcDateTime;

use crate::access::Account;
use crate::model::Role;
use crate::model::division::division_prefix;

/// In a list of layers or divisions: all of them.
const ALL: &str = "*";
/// Longest name that is taken from another system.
const MAX_NAME_CHARS: usize = 100;
/// Longest text of a value that a refusal repeats.
const MAX_SHOWN_CHARS: usize = 200;

/// The identity of a caller who has presented credentials.
#[derive(Clone, Debug)]
pub enum Identity {
    /// An account of this server.
    Account(Arc<Account>),
    /// Verified by another system.
    External(Arc<ExternalIdentity>),
}

/// An identity that an identity provider or a proxy has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalIdentity {
    /// Names it in the audit log; it begins with the kind of the system, so it is never that of an account.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// What it may do.
    pub grant: Grant,
    /// When it stops working; `None` if the other system verifies each request.
    pub expires_at: Option<UtcDateTime>,
}

/// What a caller may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its role.
    pub role: Role,
    /// Layers that it may write; empty for all that its role may write.
    pub layers: BTreeSet<String>,
    /// Division codes; it may write only features of these divisions. Empty for all.
    pub regions: BTreeSet<String>,
}

impl Identity {
    /// Names it in the audit log.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Account(account) => &account.id,
            Self::External(own) => &own.id,
        }
    }

    /// Name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Account(account) => &account.name,
            Self::External(own) => &own.name,
        }
    }

    /// Its role.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            Self::Account(account) => account.role,
            Self::External(own) => own.grant.role,
        }
    }

    /// Layers that it may write; empty for all that its role may write.
    #[must_use]
    pub fn layers(&self) -> &BTreeSet<String> {
        match self {
            Self::Account(account) => &account.layers,
            Self::External(own) => &own.grant.layers,
        }
    }

    /// Division codes; it may write only features of these divisions. Empty for all.
    #[must_use]
    pub fn regions(&self) -> &BTreeSet<String> {
        match self {
            Self::Account(account) => &account.regions,
            Self::External(own) => &own.grant.regions,
        }
    }

    /// When it stops working.
    #[must_use]
    pub fn expires_at(&self) -> Option<UtcDateTime> {
        match self {
            Self::Account(account) => account.expires_at,
            Self::External(own) => own.expires_at,
        }
    }
}

/// How the statements of another system become a grant. Statements are claims of a token, or headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRules {
    /// The statement with the role, or with several, of which the highest counts.
    pub role: String,
    /// The statement with division codes.
    pub region: Option<String>,
    /// The statement with layers.
    pub layers: Option<String>,
    /// Role by value of the statement; empty if the values are the names of roles.
    pub roles: BTreeMap<String, Role>,
}

/// Why the statements of another system give no grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRefusal {
    /// The claim or header.
    pub statement: String,
    /// Its values.
    pub value: String,
    /// What is wrong with it.
    pub reason: &'static str,
    /// The accepted values.
    pub accepted: String,
}

impl GrantRules {
    /// The grant of a caller whose statements have these values; a statement that is absent has none.
    ///
    /// # Errors
    /// When no value is a role, or a role that writes lacks a configured limit, or a limit is no division code: who is
    /// limited by mistake of the other system must not write everything.
    pub fn grant(&self, values: impl Fn(&str) -> Vec<String>) -> Result<Grant, GrantRefusal> {
        let given = values(&self.role);
        let role = given.iter().filter_map(|value| self.role_of(value)).max();
        let role = role.ok_or_else(|| {
            let reason = if given.is_empty() { "it is absent" } else { "no value of it is a role" };
            refusal(&self.role, &given, reason, self.role_values())
        })?;
        let limit = |statement: &Option<String>, accepted: &str| {
            let Some(statement) = statement else { return Ok(BTreeSet::new()) };
            let given = values(statement);
            let needs_limit = matches!(role, Role::Editor | Role::Dispatcher);
            if given.is_empty() && needs_limit {
                return Err(refusal(statement, &given, "it is absent, and the role writes", accepted.to_owned()));
            }
            Ok(if given.iter().any(|value| value == ALL) { BTreeSet::new() } else { given.into_iter().collect() })
        };
        let layers = limit(&self.layers, "ids of layers, or * for all that the role may write")?;
        let accepted = "division codes of 2, 4, 6, 9 or 12 digits, or * for all";
        let regions = limit(&self.region, accepted)?;
        match regions.iter().find(|code| division_prefix(code).is_none()) {
            Some(wrong) => {
                let statement = self.region.as_deref().unwrap_or_default();
                Err(refusal(statement, std::slice::from_ref(wrong), "it is no division code", accepted.to_owned()))
            }
            None => Ok(Grant { role, layers, regions }),
        }
    }

    fn role_of(&self, value: &str) -> Option<Role> {
        if self.roles.is_empty() { value.parse().ok() } else { self.roles.get(value).copied() }
    }

    fn role_values(&self) -> String {
        if self.roles.is_empty() {
            return Role::ALL.map(Role::name).join(", ");
        }
        self.roles.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

fn refusal(statement: &str, given: &[String], reason: &'static str, accepted: String) -> GrantRefusal {
    let value = given.join(", ").chars().take(MAX_SHOWN_CHARS).collect();
    GrantRefusal { statement: statement.to_owned(), value, reason, accepted }
}

/// A name of another system, in the form that names of accounts have; `None` if nothing remains of it.
#[must_use]
pub fn plain_name(text: &str) -> Option<String> {
    let name: String = text.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(region: Option<&str>, roles: &[(&str, Role)]) -> GrantRules {
        let roles = roles.iter().map(|(value, role)| ((*value).to_owned(), *role)).collect();
        GrantRules { role: "role".to_owned(), region: region.map(str::to_owned), layers: None, roles }
    }

    fn grant(rules: &GrantRules, role: &[&str], region: &[&str]) -> Result<Grant, GrantRefusal> {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        rules.grant(|name| if name == "role" { owned(role) } else { owned(region) })
    }

    #[test]
    fn the_highest_role_counts_and_other_values_do_not() {
        let own = grant(&rules(None, &[]), &["offline_access", "viewer", "dispatcher"], &[]);
        assert_eq!(own.map(|own| own.role), Ok(Role::Dispatcher));
        let mapped = rules(None, &[("county-duty", Role::Editor)]);
        assert_eq!(grant(&mapped, &["admin", "county-duty"], &[]).map(|own| own.role), Ok(Role::Editor));
        for (wrong, reason) in [(&["admin"][..], "no value of it is a role"), (&[], "it is absent")] {
            let refused = grant(&mapped, wrong, &[]).map_err(|refused| (refused.reason, refused.accepted));
            assert_eq!(refused, Err((reason, "county-duty".to_owned())));
        }
    }

    #[test]
    fn a_role_that_writes_needs_a_limit_that_is_configured() {
        let limited = rules(Some("region"), &[]);
        assert_eq!(grant(&limited, &["editor"], &["350124100"]).map(|own| own.regions.len()), Ok(1));
        assert_eq!(grant(&limited, &["editor"], &["*"]).map(|own| own.regions.len()), Ok(0));
        for role in ["editor", "dispatcher"] {
            assert!(grant(&limited, &[role], &[]).is_err(), "{role}");
        }
        for role in ["viewer", "admin"] {
            assert!(grant(&limited, &[role], &[]).is_ok(), "{role}");
        }
        assert_eq!(grant(&limited, &["editor"], &["梅溪镇"]).map_err(|own| own.value), Err("梅溪镇".to_owned()));
    }
}
