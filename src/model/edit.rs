//! What somebody asks to be changed, and what becomes of it: rules that hold in every backend.

use time::UtcDateTime;

use super::schema::OverCapacity;
use super::{Feature, FeatureId, Fingerprint, FingerprintKey, LayerSchema, Shape, Value};

/// One thing that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Position of the layer in the store's schemas.
    pub layer: usize,
    /// Which feature.
    pub id: FeatureId,
    /// What is to become of it.
    pub action: Action,
    /// What it must be like before.
    pub condition: Precondition,
}

/// What is to become of a feature.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// It is new.
    Create {
        /// Where it is.
        geometry: Option<Shape>,
        /// Its values, by position in [`LayerSchema::fields`]; those not named are unknown.
        values: Vec<(usize, Value)>,
    },
    /// It changes where something is named, and stays as it is otherwise.
    Change {
        /// Where it is; `None` when it stays where it is.
        geometry: Option<Option<Shape>>,
        /// New values, by position in [`LayerSchema::fields`].
        values: Vec<(usize, Value)>,
    },
    /// It goes.
    Delete,
}

/// What a feature must be like for an edit to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Anything.
    None,
    /// The feature exists.
    Exists,
    /// The feature does not exist.
    Absent,
    /// The feature exists in one of these states; without any, in none that it can have.
    OneOf(Vec<Fingerprint>),
}

impl Precondition {
    /// # Errors
    /// When the stored feature does not meet it.
    fn check(&self, stored: Option<&Feature>, fingerprint_key: &FingerprintKey) -> Result<(), EditError> {
        match (self, stored) {
            (Self::None, _) | (Self::Exists, Some(_)) | (Self::Absent, None) => Ok(()),
            (Self::OneOf(states), Some(stored)) => {
                let found = fingerprint_key.fingerprint(stored);
                if states.contains(&found) { Ok(()) } else { Err(EditError::Changed(found)) }
            }
            (Self::Exists | Self::OneOf(_), None) => Err(EditError::Absent),
            (Self::Absent, Some(_)) => Err(EditError::Exists),
        }
    }
}

/// Why an edit cannot happen; a fact about the stored feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// There is no such feature.
    #[error("there is no such feature")]
    NotThere,
    /// A feature with that id is already there.
    #[error("a feature with that id is already there")]
    Duplicate,
    /// It should exist already, and does not.
    #[error("there is no such feature, and it should exist")]
    Absent,
    /// It should not exist yet, and does.
    #[error("the feature exists already")]
    Exists,
    /// Somebody else changed it since.
    #[error("it has been changed since; it is {0} now")]
    Changed(Fingerprint),
    /// More people would be there, or promised a place, than there is room for.
    #[error(transparent)]
    OverCapacity(#[from] OverCapacity),
}

/// What a feature is after an edit (`None`: gone), from what is stored. Its `version` counts up and its `updated_at`
/// is `now`.
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
    edit.condition.check(stored, fingerprint_key)?;
    let (mut feature, values) = match (&edit.action, stored) {
        (Action::Create { .. }, Some(_)) => return Err(EditError::Duplicate),
        (Action::Create { geometry, values }, None) => {
            let unknown = vec![Value::Unknown; schema.fields.len()];
            (Feature { id: edit.id.clone(), geometry: geometry.clone(), values: unknown }, values)
        }
        (Action::Change { .. } | Action::Delete, None) => return Err(EditError::NotThere),
        (Action::Delete, Some(_)) => return Ok(None),
        (Action::Change { geometry, values }, Some(stored)) => {
            let mut feature = stored.clone();
            if let Some(geometry) = geometry {
                feature.geometry.clone_from(geometry);
            }
            (feature, values)
        }
    };
    for (at, value) in values {
        feature.values[*at] = value.clone();
    }
    // What is stored may be over capacity already; then other fields can still be changed.
    if values.iter().any(|(at, _)| schema.capacity_fields().any(|field| field == *at)) {
        schema.check_capacity(&feature.values)?;
    }
    if let Some(at) = schema.position("version") {
        let before = stored.map(|stored| &stored.values[at]);
        let version = if let Some(Value::Integer(version)) = before { version.saturating_add(1) } else { 1 };
        feature.values[at] = Value::Integer(version);
    }
    if let Some(at) = schema.position("updated_at") {
        feature.values[at] = Value::DateTime(now);
    }
    Ok(Some(feature))
}

/// Edits that happen together or not at all.
#[derive(Clone, Debug)]
pub struct Batch {
    /// In this order; a later one sees what an earlier one did.
    pub edits: Vec<Edit>,
    /// What `updated_at` will say.
    pub now: UtcDateTime,
    /// Makes the fingerprints that conditions and outcomes speak of.
    pub fingerprint_key: FingerprintKey,
    /// That the same batch, asked for again, happens once.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// The name under which a batch happens once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Chosen by the caller.
    pub key: String,
    /// Tells one content from another under the same name.
    pub digest: String,
}

/// What a feature is after an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditOutcome {
    /// Position of the layer in the store's schemas.
    pub layer: usize,
    /// Which feature.
    pub id: FeatureId,
    /// Its state; `None` when it is gone.
    pub fingerprint: Option<Fingerprint>,
    /// Its `version`, where the layer counts them.
    pub version: Option<i64>,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// One for each edit, in their order.
    pub outcomes: Vec<EditOutcome>,
    /// It had happened before; nothing was done now.
    pub is_repeated: bool,
}
