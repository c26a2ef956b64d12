//! Resolves a batch of edits against the stored features; the same for every backend.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::StoreError;
use crate::model::edit::{resolve, updated_at};
use crate::model::{
    Action, AuditEntry, Batch, Edit, EditOutcome, Feature, FeatureId, Fingerprint, LayerIndex, LayerSchema, Value,
};

/// The geometry column of every table of ours.
pub(super) const GEOMETRY_COLUMN: &str = "geom";

/// Features by layer and id.
pub(super) type Stored = HashMap<(LayerIndex, FeatureId), Feature>;

/// Rows to write, by layer index.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Rows to insert.
    pub(super) new: BTreeMap<LayerIndex, Vec<Feature>>,
    /// Rows to update, by layer and by the parts that are written.
    pub(super) changed: BTreeMap<(LayerIndex, Written), Vec<Feature>>,
    /// Rows to delete.
    pub(super) gone: BTreeMap<LayerIndex, Vec<FeatureId>>,
    pub(super) outcomes: Vec<EditOutcome>,
    /// Entries of the audit log.
    pub(super) audit: Vec<AuditEntry>,
}

/// The parts of a row that an update writes. The other parts keep what is stored, even where it cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Written {
    geometry: bool,
    /// Indices in the schema.
    fields: BTreeSet<usize>,
}

impl Written {
    /// Adds the parts that an edit writes.
    fn add(&mut self, schema: &LayerSchema, edit: &Edit) {
        match &edit.action {
            Action::Change { geometry, values } => {
                self.geometry |= geometry.is_some();
                self.fields.extend(values.iter().map(|(at, _)| *at));
            }
            Action::Reserve(reservation) => self.fields.extend(reservation.field(schema)),
            Action::Create { .. } | Action::Delete => {
                // A feature that replaces a deleted one keeps nothing of it.
                *self = Self { geometry: true, fields: (0..schema.fields.len()).collect() };
                return;
            }
        }
        self.fields.extend(["version", "updated_at"].iter().filter_map(|name| schema.position(name)));
    }

    /// The names of its columns.
    pub(super) fn columns<'a>(&'a self, schema: &'a LayerSchema) -> impl Iterator<Item = &'a str> {
        let fields = self.fields.iter().map(|at| schema.fields[*at].name.as_str());
        self.geometry.then_some(GEOMETRY_COLUMN).into_iter().chain(fields)
    }
}

/// The ids in a batch, by layer, in order: every writer locks rows in this order.
pub(super) fn ids_by_layer(batch: &Batch) -> BTreeMap<LayerIndex, BTreeSet<&FeatureId>> {
    let mut ids_by_layer: BTreeMap<LayerIndex, BTreeSet<&FeatureId>> = BTreeMap::new();
    for edit in &batch.edits {
        ids_by_layer.entry(edit.layer).or_default().insert(&edit.id);
    }
    ids_by_layer
}

/// Resolves the edits in order.
///
/// # Errors
/// [`StoreError::Edit`] for the first edit that is refused.
pub(super) fn plan(schemas: &[LayerSchema], batch: &Batch, stored: &Stored) -> Result<Plan, StoreError> {
    let mut now: BTreeMap<(LayerIndex, &FeatureId), (Option<Feature>, Written)> = BTreeMap::new();
    let mut plan = Plan::default();
    // What reservations take beyond what is free, by the feature that records it.
    let mut excess: HashMap<(LayerIndex, &FeatureId), Vec<(usize, Value)>> = HashMap::new();
    for (index, edit) in batch.edits.iter().enumerate() {
        let schema = edit.layer.of(schemas);
        let key = (edit.layer, &edit.id);
        let earlier = now.get(&key);
        let before = earlier.map_or_else(|| stored.get(&(edit.layer, edit.id.clone())), |(before, _)| before.as_ref());
        if let (Action::Reserve(reservation), Some(before)) = (&edit.action, before)
            && let Some(mark) = &reservation.mark
        {
            excess.entry((mark.layer, &mark.id)).or_default().extend(reservation.excess(schema, before));
        }
        let marked = excess.remove(&key).map(|excess| edit.with_values(excess));
        let edit = marked.as_ref().unwrap_or(edit);
        let after = resolve(schema, edit, before, &batch.fingerprint_key, batch.now)
            .map_err(|reason| StoreError::Edit { index, reason })?;
        let recorded = batch.origin.as_ref().map(|origin| {
            let states = [before, after.as_ref()];
            origin.entry_of_edit(index, batch.now, schema, edit, states)
        });
        plan.audit.extend(recorded);
        let version = schema.position("version").and_then(|at| match after.as_ref()?.values[at] {
            Value::Integer(version) => Some(version),
            _ => None,
        });
        let fingerprint =
            after.as_ref().map(|feature| batch.fingerprint_key.fingerprint_without(&edit.reserved, feature));
        let updated_at = after.as_ref().and_then(|feature| updated_at(schema, feature));
        plan.outcomes.push(EditOutcome { layer: edit.layer, id: edit.id.clone(), fingerprint, version, updated_at });
        let mut written = earlier.map(|(_, written)| written.clone()).unwrap_or_default();
        written.add(schema, edit);
        now.insert(key, (after, written));
    }
    for ((layer, id), (after, written)) in now {
        let is_stored = stored.contains_key(&(layer, id.clone()));
        match after {
            // A change of nothing, in a layer without a version.
            Some(_) if is_stored && written == Written::default() => {}
            Some(feature) if is_stored => plan.changed.entry((layer, written)).or_default().push(feature),
            Some(feature) => plan.new.entry(layer).or_default().push(feature),
            None if is_stored => plan.gone.entry(layer).or_default().push(id.clone()),
            None => {}
        }
    }
    Ok(plan)
}

/// Outcomes as text, stored with the idempotency key of the batch.
pub(super) fn write_outcomes(schemas: &[LayerSchema], outcomes: &[EditOutcome]) -> String {
    let outcome = |outcome: &EditOutcome| {
        let fingerprint = outcome.fingerprint.map(|fingerprint| fingerprint.to_string());
        serde_json::json!([outcome.layer.of(schemas).id, outcome.id.as_str(), fingerprint, outcome.version])
    };
    outcomes.iter().map(outcome).collect::<serde_json::Value>().to_string()
}

/// Reads what [`write_outcomes`] wrote; outcomes of layers that no longer exist are omitted.
pub(super) fn read_outcomes(schemas: &[LayerSchema], text: &str) -> Vec<EditOutcome> {
    type EditedRow = (String, String, Option<String>, Option<i64>);
    let rows: Vec<EditedRow> = serde_json::from_str(text).unwrap_or_default();
    let outcome = |(layer, id, fingerprint, version): EditedRow| {
        Some(EditOutcome {
            layer: LayerIndex::find(schemas, &layer)?,
            id: FeatureId::new(&id).ok()?,
            fingerprint: fingerprint.as_deref().and_then(Fingerprint::parse),
            version,
            updated_at: None,
        })
    };
    rows.into_iter().filter_map(outcome).collect()
}
