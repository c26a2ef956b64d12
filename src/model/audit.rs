//! Entries of the audit log: who did what, when, from where, and what changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::UtcDateTime;

use super::{Action, Edit, Feature, LayerSchema, Role, Shape, Value, format_date, format_instant};
use crate::geodesy::Envelope;

/// Stands for a sensitive value.
const MASKED: &str = "***";
/// Longest text of a value, characters.
const MAX_VALUE_CHARS: usize = 500;

/// Who makes a request, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Random, the beginning of the ids of its entries.
    pub entry: String,
    /// Name of the account.
    pub actor: String,
    /// Id of the account; `None` for the machine's token and the command line.
    pub account: Option<String>,
    /// Its role.
    pub role: Role,
    /// Address of the client, as far as it is known.
    pub address: Option<String>,
    /// Id of the request.
    pub request_id: Option<String>,
    /// The reason that was given.
    pub reason: Option<String>,
}

/// The entries at the beginning of the log that were removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedEntries {
    /// Number of the last one.
    pub through: i64,
    /// Its hash, from which the chain goes on.
    pub hash: String,
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Id, by which a repeated entry is recognised.
    pub entry: String,
    /// RFC 3339 in UTC.
    pub at: String,
    /// `create`, `change`, `delete`, `reveal`, `token-add`, `token-revoke`, `import`, `audit-prune`.
    pub action: String,
    /// Name of the account.
    pub actor: String,
    /// Id of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its role.
    pub role: Role,
    /// Address of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The feature, or the account that was added or revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The reason that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Values before and after, by field; sensitive ones are masked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changes: BTreeMap<String, [Option<String>; 2]>,
    /// Entries that were removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<RemovedEntries>,
}

impl Origin {
    /// The program itself, not a request.
    ///
    /// # Errors
    /// When the system returns no random numbers.
    pub fn of_program(actor: String, role: Role) -> Result<Self, getrandom::Error> {
        let entry = format!("{:016x}", getrandom::u64()?);
        Ok(Self { entry, actor, account: None, role, address: None, request_id: None, reason: None })
    }

    /// An entry without further members.
    #[must_use]
    pub fn entry(&self, number: usize, action: &str, at: UtcDateTime) -> AuditEntry {
        AuditEntry {
            entry: format!("{}-{number}", self.entry),
            at: format_instant(at),
            action: action.to_owned(),
            actor: self.actor.clone(),
            account: self.account.clone(),
            role: self.role,
            address: self.address.clone(),
            request_id: self.request_id.clone(),
            layer: None,
            id: None,
            reason: self.reason.clone(),
            changes: BTreeMap::new(),
            removed: None,
        }
    }

    /// The entry of an edit. `number` distinguishes the edits of a batch.
    #[must_use]
    pub fn entry_of_edit(
        &self,
        number: usize,
        at: UtcDateTime,
        schema: &LayerSchema,
        edit: &Edit,
        states: [Option<&Feature>; 2],
    ) -> AuditEntry {
        let action = match edit.action {
            Action::Create { .. } => "create",
            Action::Change { .. } => "change",
            Action::Reserve(_) => "reserve",
            Action::Delete => "delete",
        };
        AuditEntry {
            layer: Some(schema.id.clone()),
            id: Some(edit.id.to_string()),
            changes: changes(schema, states),
            ..self.entry(number, action, at)
        }
    }
}

/// The fields that differ, with their values before and after.
fn changes(schema: &LayerSchema, states: [Option<&Feature>; 2]) -> BTreeMap<String, [Option<String>; 2]> {
    let mut changes = BTreeMap::new();
    for (at, field) in schema.fields.iter().enumerate() {
        let [before, after] = states.map(|state| state.and_then(|feature| feature.values.get(at)));
        if before.unwrap_or(&Value::Unknown) != after.unwrap_or(&Value::Unknown) {
            let shown = |value: Option<&Value>| {
                let text = value.and_then(text)?;
                Some(if field.sensitive { MASKED.to_owned() } else { text })
            };
            changes.insert(field.name.clone(), [shown(before), shown(after)]);
        }
    }
    let [before, after] = states.map(|state| state.and_then(|feature| feature.geometry.as_ref()));
    if before != after {
        changes.insert("geometry".to_owned(), [before, after].map(|shape| shape.map(outline)));
    }
    changes
}

/// A value as text; `None` if it is unknown.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Unknown => return None,
        Value::Boolean(yes) => yes.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Date(date) => format_date(*date),
        Value::DateTime(instant) => format_instant(*instant),
        Value::TextList(list) => list.join(", "),
        Value::Text(text) | Value::Json(text) => text.clone(),
    };
    Some(text.chars().take(MAX_VALUE_CHARS).collect())
}

/// A point as `LON,LAT`, anything else as its envelope `WEST,SOUTH,EAST,NORTH`, degrees.
fn outline(shape: &Shape) -> String {
    match (shape.as_point(), Envelope::around(shape.geometry())) {
        (Some(at), _) => format!("{},{}", at.lon(), at.lat()),
        (None, Some(around)) => around.to_array().map(|degrees| degrees.to_string()).join(","),
        (None, None) => String::new(),
    }
}
