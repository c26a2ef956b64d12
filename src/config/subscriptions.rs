//! The section `[subscriptions]`: where webhooks may be sent, and for how long.

use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{Mistake, parse_network};
use crate::subscription::webhook::DeliveryRules;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSubscriptions {
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    max_age_s: Option<Spanned<u64>>,
    timeout_s: Option<Spanned<u64>>,
}

impl RawSubscriptions {
    pub(super) fn checked(self) -> Result<DeliveryRules, Mistake> {
        const LONGEST_S: u64 = 30 * 24 * 3_600;
        let seconds = |given: Option<Spanned<u64>>, name: &str, longest: u64, default: Duration| match given {
            None => Ok(default),
            Some(given) if (1..=longest).contains(given.get_ref()) => Ok(Duration::from_secs(given.into_inner())),
            Some(given) => Err((given.span().start, format!("subscriptions.{name} is not 1 to {longest} seconds"))),
        };
        let mut rules = DeliveryRules::default();
        rules.max_age = seconds(self.max_age_s, "max_age_s", LONGEST_S, rules.max_age)?;
        rules.timeout = seconds(self.timeout_s, "timeout_s", 60, rules.timeout)?;
        for allowed in self.allow {
            let text = allowed.get_ref().trim().to_ascii_lowercase();
            let is_label = |label: &str| {
                !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            // A name of digits and points would be a mistyped address.
            let is_name = text.split('.').all(is_label) && text.bytes().any(|byte| byte.is_ascii_alphabetic());
            if let Ok(network) = parse_network(&text) {
                rules.destinations.networks.push(network);
            } else if is_name {
                rules.destinations.names.push(text);
            } else {
                let reason = format!("subscriptions.allow: {text:?} is no host name, no address and no network");
                return Err((allowed.span().start, reason));
            }
        }
        Ok(rules)
    }
}
