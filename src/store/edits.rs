//! What a batch of edits comes to, once it is known what is stored: the same in every house.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Error;
use crate::model::edit::resolve;
use crate::model::{Batch, Feature, FeatureId, Fingerprint, LayerSchema, Outcome, Value};

/// Features by position of their layer and id.
pub(super) type Stored = HashMap<(usize, FeatureId), Feature>;

/// Rows to write, by position of the layer.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Rows that are not there yet.
    pub(super) new: BTreeMap<usize, Vec<Feature>>,
    /// Rows that are there.
    pub(super) changed: BTreeMap<usize, Vec<Feature>>,
    /// Rows that go.
    pub(super) gone: BTreeMap<usize, Vec<FeatureId>>,
    pub(super) outcomes: Vec<Outcome>,
}

/// The ids that a batch is about, by position of the layer, in order: locks are taken in this order by everyone.
pub(super) fn wanted(batch: &Batch) -> BTreeMap<usize, BTreeSet<&FeatureId>> {
    let mut wanted: BTreeMap<usize, BTreeSet<&FeatureId>> = BTreeMap::new();
    for edit in &batch.edits {
        wanted.entry(edit.layer).or_default().insert(&edit.id);
    }
    wanted
}

/// Resolves the edits one after the other.
///
/// # Errors
/// [`Error::Edit`] for the first that cannot happen.
pub(super) fn plan(schemas: &[LayerSchema], batch: &Batch, stored: &Stored) -> Result<Plan, Error> {
    let mut now: BTreeMap<(usize, &FeatureId), Option<Feature>> = BTreeMap::new();
    let mut plan = Plan::default();
    for (index, edit) in batch.edits.iter().enumerate() {
        let schema = &schemas[edit.layer];
        let key = (edit.layer, &edit.id);
        let before = now.get(&key).map_or_else(|| stored.get(&(edit.layer, edit.id.clone())), Option::as_ref);
        let after =
            resolve(schema, edit, before, &batch.seal, batch.now).map_err(|reason| Error::Edit { index, reason })?;
        let version = schema.position("version").and_then(|at| match after.as_ref()?.values[at] {
            Value::Integer(version) => Some(version),
            _ => None,
        });
        let state = after.as_ref().map(|feature| batch.seal.fingerprint(feature));
        plan.outcomes.push(Outcome { layer: edit.layer, id: edit.id.clone(), state, version });
        now.insert(key, after);
    }
    for ((layer, id), after) in now {
        let is_stored = stored.contains_key(&(layer, id.clone()));
        match after {
            Some(feature) if is_stored => plan.changed.entry(layer).or_default().push(feature),
            Some(feature) => plan.new.entry(layer).or_default().push(feature),
            None if is_stored => plan.gone.entry(layer).or_default().push(id.clone()),
            None => {}
        }
    }
    Ok(plan)
}

/// Outcomes as text, to be kept beside the key of a batch.
pub(super) fn write_outcomes(schemas: &[LayerSchema], outcomes: &[Outcome]) -> String {
    let outcome = |outcome: &Outcome| {
        let state = outcome.state.map(|state| state.to_string());
        serde_json::json!([schemas[outcome.layer].id, outcome.id.as_str(), state, outcome.version])
    };
    outcomes.iter().map(outcome).collect::<serde_json::Value>().to_string()
}

/// Reads what [`write_outcomes`] wrote; layers that are no more are left out.
pub(super) fn read_outcomes(schemas: &[LayerSchema], text: &str) -> Vec<Outcome> {
    type Row = (String, String, Option<String>, Option<i64>);
    let rows: Vec<Row> = serde_json::from_str(text).unwrap_or_default();
    let outcome = |(layer, id, state, version): Row| {
        Some(Outcome {
            layer: schemas.iter().position(|schema| schema.id == layer)?,
            id: FeatureId::new(&id).ok()?,
            state: state.as_deref().and_then(Fingerprint::parse),
            version,
        })
    };
    rows.into_iter().filter_map(outcome).collect()
}
