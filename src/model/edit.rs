//! Edits: requests and their outcomes. The rules are the same in every backend.

use time::{Duration, UtcDateTime};

use super::audit::Origin;
use super::instant::format_instant;
use super::reservation::{Reservation, ReservationError};
use super::schema::OverCapacity;
use super::{Feature, FeatureId, Fingerprint, FingerprintKey, LayerIndex, LayerSchema, Shape, Value};

/// The field with the time of the last change.
const UPDATED_AT: &str = "updated_at";

/// An edit of one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// The layer.
    pub layer: LayerIndex,
    /// Id of the feature.
    pub id: FeatureId,
    /// The action.
    pub action: Action,
    /// The precondition.
    pub condition: Precondition,
    /// Prefixes of division codes: the division of the feature, before and after, begins with one of them. Empty for any
    /// feature.
    pub regions: Vec<String>,
    /// The indices of the fields that are reserved for higher roles; the states in its precondition and its outcome leave
    /// them out.
    pub reserved: Vec<usize>,
}

/// The field with the code of the division that a feature belongs to.
const REGION_CODE: &str = "region_code";

impl Edit {
    /// The same with more values of a feature that is created or changed.
    #[must_use]
    pub fn with_values(&self, more: Vec<(usize, Value)>) -> Self {
        let mut edit = self.clone();
        if let Action::Create { values, .. } | Action::Change { values, .. } = &mut edit.action {
            values.extend(more);
        }
        edit
    }

    /// Whether it may concern a feature in this state.
    fn reaches(&self, schema: &LayerSchema, feature: &Feature) -> bool {
        let division = schema.position(REGION_CODE).and_then(|at| feature.values.get(at));
        self.regions.is_empty()
            || matches!(division, Some(Value::Text(code)) if self.regions.iter().any(|own| code.starts_with(own.as_str())))
    }
}

/// The action of an edit.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates a feature.
    Create {
        /// The geometry; `None` without a known position.
        geometry: Option<Shape>,
        /// Values by index in [`LayerSchema::fields`]; fields that are not listed are unknown.
        values: Vec<(usize, Value)>,
    },
    /// Changes the listed parts of a feature and keeps the rest.
    Change {
        /// The new geometry; the outer `None` keeps the old one.
        geometry: Option<Option<Shape>>,
        /// New values by index in [`LayerSchema::fields`].
        values: Vec<(usize, Value)>,
    },
    /// Changes what is promised of the feature.
    Reserve(Reservation),
    /// Deletes the feature.
    Delete,
}

/// A precondition on the stored feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// No condition.
    None,
    /// The feature exists.
    Exists,
    /// The feature does not exist.
    Absent,
    /// The feature exists in one of these states. An empty list matches no feature.
    OneOf(Vec<Fingerprint>),
    /// The feature was not modified after a time, or is in the state that was read at that time. Holds if the feature
    /// does not exist or its time is unknown (RFC 9110, section 13.1.4).
    UnmodifiedSince {
        /// The time.
        since: UtcDateTime,
        /// The state.
        state: Option<Fingerprint>,
    },
    /// The feature is in none of these states.
    NoneOf(Vec<Fingerprint>),
}

impl Precondition {
    /// # Errors
    /// When the stored feature does not meet the condition.
    fn check(
        &self,
        schema: &LayerSchema,
        stored: Option<&Feature>,
        fingerprint: impl Fn(&Feature) -> Fingerprint,
    ) -> Result<(), EditError> {
        match (self, stored) {
            (Self::None, _)
            | (Self::Exists, Some(_))
            | (Self::Absent | Self::NoneOf(_) | Self::UnmodifiedSince { .. }, None) => Ok(()),
            (Self::OneOf(states), Some(stored)) => {
                let found = fingerprint(stored);
                if states.contains(&found) { Ok(()) } else { Err(EditError::Changed(found)) }
            }
            (Self::UnmodifiedSince { since, state }, Some(stored)) => match updated_at(schema, stored) {
                Some(modified) if modified > *since && *state != Some(fingerprint(stored)) => {
                    Err(EditError::Modified(modified))
                }
                _ => Ok(()),
            },
            (Self::NoneOf(states), Some(stored)) => {
                if states.contains(&fingerprint(stored)) {
                    Err(EditError::Unchanged)
                } else {
                    Ok(())
                }
            }
            (Self::Exists | Self::OneOf(_), None) => Err(EditError::Absent),
            (Self::Absent, Some(_)) => Err(EditError::Exists),
        }
    }
}

/// Why an edit is refused, as a fact about the stored feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The feature does not exist.
    #[error("the feature does not exist")]
    NotThere,
    /// A feature with this id exists already.
    #[error("a feature with this id exists already")]
    Duplicate,
    /// The precondition requires an existing feature.
    #[error("the precondition requires an existing feature, but the feature does not exist")]
    Absent,
    /// The precondition requires that the feature does not exist.
    #[error("the feature exists already")]
    Exists,
    /// The feature is in a state that the precondition does not list.
    #[error("the feature has been changed; its current state is {0}")]
    Changed(Fingerprint),
    /// The feature was modified after the time that the precondition names.
    #[error("the feature was modified at {}", format_instant(*.0))]
    Modified(UtcDateTime),
    /// The feature is in a state that the precondition excludes.
    #[error("the feature is in a state that If-None-Match excludes")]
    Unchanged,
    /// The feature does not belong, or would no longer belong, to a division that the account may write.
    #[error("region_code is not that of a division that the account may write")]
    OutOfRegion,
    /// A part of the resource cannot be promised.
    #[error(transparent)]
    Reservation(#[from] ReservationError),
    /// The number of people, present or promised, exceeds the capacity.
    #[error(transparent)]
    OverCapacity(#[from] OverCapacity),
}

/// When a feature was last modified.
#[must_use]
pub fn updated_at(schema: &LayerSchema, feature: &Feature) -> Option<UtcDateTime> {
    match schema.position(UPDATED_AT).map(|at| &feature.values[at]) {
        Some(Value::DateTime(instant)) => Some(*instant),
        _ => None,
    }
}

/// The time of a change at `now`: later than that of the state before, so that no two states have the same time. A time
/// far in the future, which another program stored, is not continued.
fn time_of_change(before: Option<UtcDateTime>, now: UtcDateTime) -> UtcDateTime {
    let next = before.and_then(|before| before.checked_add(Duration::MILLISECOND));
    next.filter(|next| *next > now && *next - now < Duration::SECOND).unwrap_or(now)
}

/// Applies an edit to the stored feature and returns the new state (`None`: deleted). Increments `version` and sets
/// `updated_at` to `now`, or to the next millisecond after its value.
///
/// # Errors
/// See [`EditError`].
pub fn resolve(
    schema: &LayerSchema,
    edit: &Edit,
    stored: Option<&Feature>,
    fingerprint_key: &FingerprintKey,
    now: UtcDateTime,
) -> Result<Option<Feature>, EditError> {
    // Before the precondition, whose outcome tells the state of the feature.
    if stored.is_some_and(|stored| !edit.reaches(schema, stored)) {
        return Err(EditError::OutOfRegion);
    }
    let fingerprint = |stored: &Feature| fingerprint_key.fingerprint_without(&edit.reserved, stored);
    edit.condition.check(schema, stored, fingerprint)?;
    let reserved;
    let (mut feature, values) = match (&edit.action, stored) {
        (Action::Create { .. }, Some(_)) => return Err(EditError::Duplicate),
        (Action::Create { geometry, values }, None) => {
            let unknown = vec![Value::Unknown; schema.fields.len()];
            (Feature { id: edit.id.clone(), geometry: geometry.clone(), values: unknown }, values)
        }
        (Action::Change { .. } | Action::Reserve(_) | Action::Delete, None) => return Err(EditError::NotThere),
        (Action::Delete, Some(_)) => return Ok(None),
        (Action::Change { geometry, values }, Some(stored)) => {
            let mut feature = stored.clone();
            if let Some(geometry) = geometry {
                feature.geometry.clone_from(geometry);
            }
            (feature, values)
        }
        (Action::Reserve(reservation), Some(stored)) => {
            reserved = vec![reservation.apply(schema, stored)?];
            (stored.clone(), &reserved)
        }
    };
    for (at, value) in values {
        feature.values[*at] = value.clone();
    }
    if !edit.reaches(schema, &feature) {
        return Err(EditError::OutOfRegion);
    }
    // A stored feature may already exceed its capacity; other fields can still be changed.
    let is_checked = !matches!(edit.action, Action::Reserve(_));
    if is_checked && values.iter().any(|(at, _)| schema.capacity_fields().any(|field| field == *at)) {
        schema.check_capacity(&feature.values)?;
    }
    if let Some(at) = schema.position("version") {
        let before = stored.map(|stored| &stored.values[at]);
        let version = if let Some(Value::Integer(version)) = before { version.saturating_add(1) } else { 1 };
        feature.values[at] = Value::Integer(version);
    }
    if let Some(at) = schema.position(UPDATED_AT) {
        feature.values[at] = Value::DateTime(time_of_change(stored.and_then(|stored| updated_at(schema, stored)), now));
    }
    Ok(Some(feature))
}

/// Edits that are applied together or not at all.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Applied in this order; a later edit sees the effects of earlier ones.
    pub edits: Vec<Edit>,
    /// The new value of `updated_at`.
    pub now: UtcDateTime,
    /// Key of the fingerprints in preconditions and outcomes.
    pub fingerprint_key: FingerprintKey,
    /// Ensures that a repeated batch is applied once.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Who makes the edits, for the audit log; without it they are not recorded.
    pub origin: Option<Origin>,
}

/// A key that identifies repetitions of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key, chosen by the client.
    pub key: String,
    /// Digest of the content, to detect the same key with other content.
    pub digest: String,
}

/// The result of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditOutcome {
    /// The layer.
    pub layer: LayerIndex,
    /// Id of the feature.
    pub id: FeatureId,
    /// Its new state; `None` if it was deleted.
    pub fingerprint: Option<Fingerprint>,
    /// Its new `version`, if the layer has that field.
    pub version: Option<i64>,
    /// Its new `updated_at`, if the layer has that field; unknown for a repetition.
    pub updated_at: Option<UtcDateTime>,
}

/// The result of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// One outcome per edit, in order.
    pub outcomes: Vec<EditOutcome>,
    /// Whether the batch was a repetition and was not executed again.
    pub is_repeated: bool,
}
