//! What a group of callers may see of a snapshot: hidden layers, features and fields do not exist in theirs.
//!
//! Replies are computed from the restricted snapshot, so a hidden value cannot appear in one, nor influence a count, an
//! order or a filter. Layers of which every feature is visible share their chunks with the whole snapshot.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{FeatureChange, Layer, LayerDiff, Row, Snapshot};
use crate::model::{Feature, FeatureId, Field, LayerIndex, LayerSchema};

/// Whether a feature is visible.
pub type RowTest = Arc<dyn Fn(&Row<'_>) -> bool + Send + Sync>;

/// Makes the test for the schema of a layer, which changes when its table changes.
pub type RowRule = Arc<dyn Fn(&LayerSchema) -> RowTest + Send + Sync>;

/// What is hidden of a layer.
#[derive(Clone, Default)]
pub struct LayerRestriction {
    /// The whole layer.
    pub is_hidden: bool,
    /// The names of fields.
    pub fields: Vec<String>,
    /// Features that fail the test.
    pub rows: Option<RowRule>,
}

impl fmt::Debug for LayerRestriction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerRestriction")
            .field("is_hidden", &self.is_hidden)
            .field("fields", &self.fields)
            .field("rows", &self.rows.is_some())
            .finish()
    }
}

/// What is hidden of a snapshot, by layer id.
#[derive(Clone, Debug, Default)]
pub struct Restriction(pub BTreeMap<String, LayerRestriction>);

/// A layer and its state in the restricted snapshot, if it was there before.
struct Before<'a> {
    whole: &'a Arc<Layer>,
    restricted: &'a Arc<Layer>,
}

impl Restriction {
    /// What it leaves of a snapshot.
    #[must_use]
    pub fn apply(&self, whole: &Snapshot) -> Snapshot {
        let layers = whole.layers.iter().filter_map(|layer| self.layer(layer));
        Snapshot { version: whole.version, shared: whole.shared, layers: layers.collect() }
    }

    /// What it leaves of the next snapshot, and the visible changes; `None` if they are unknown. `changes` are those of
    /// the whole snapshot.
    pub(super) fn follow(
        &self,
        before: &Snapshot,
        restricted: &Snapshot,
        next: &Snapshot,
        changes: Option<&[LayerDiff]>,
    ) -> (Snapshot, Option<Vec<LayerDiff>>) {
        let mut layers: Vec<Arc<Layer>> = Vec::with_capacity(restricted.layers.len());
        let mut visible = changes.map(|_| Vec::new());
        for (index, layer) in LayerIndex::each(&next.layers) {
            let own_index = LayerIndex(layers.len());
            let id = &layer.schema().id;
            let find = |snapshot: &'_ Snapshot| snapshot.layers.iter().position(|own| own.schema().id == *id);
            let before = find(before)
                .zip(find(restricted))
                .map(|(whole, own)| Before { whole: &before.layers[whole], restricted: &restricted.layers[own] });
            if let Some(before) = before.as_ref().filter(|before| Arc::ptr_eq(before.whole, layer)) {
                layers.push(before.restricted.clone());
                continue;
            }
            let diff = changes.and_then(|changes| changes.iter().find(|diff| diff.layer() == index));
            let (now, own_diff) = match (self.filter_of(id), before, diff) {
                (Some(rule), Some(before), Some(diff)) if diff.changes().is_some() => {
                    let (now, own_diff) = changed(rule, &before, layer, own_index, diff);
                    (Some(now), own_diff)
                }
                (Some(_), ..) => (self.layer(layer), None),
                (None, before, diff) => {
                    let now = self.layer(layer);
                    let own_diff = match (before, &now, diff) {
                        (Some(before), Some(now), Some(diff)) => Some(visible_part(&before, now, own_index, diff)),
                        (.., diff) => diff.map(|diff| diff.at(own_index)),
                    };
                    (now, own_diff)
                }
            };
            let Some(now) = now else { continue };
            layers.push(now);
            match (own_diff, &mut visible) {
                (Some(diff), Some(visible)) => visible.push(diff),
                _ => visible = None,
            }
        }
        (Snapshot { version: next.version, shared: next.shared, layers }, visible)
    }

    fn filter_of(&self, id: &str) -> Option<&RowRule> {
        self.0.get(id).and_then(|own| own.rows.as_ref())
    }

    /// What it leaves of a layer; `None` if it is hidden.
    fn layer(&self, whole: &Arc<Layer>) -> Option<Arc<Layer>> {
        let Some(own) = self.0.get(&whole.schema().id) else { return Some(whole.clone()) };
        if own.is_hidden {
            return None;
        }
        let mut schema = whole.schema().clone();
        for field in &mut schema.fields {
            field.is_reserved = own.fields.contains(&field.name);
            field.sensitive |= field.is_reserved;
        }
        Some(Arc::new(match &own.rows {
            None => whole.with_schema(Arc::new(schema)),
            Some(rule) => {
                let is_visible = rule(whole.schema());
                let rows = whole.rows_after(None).filter(|row| is_visible(row));
                let features = rows.map(|row| row.to_feature()).collect();
                Layer::build(schema, features)
            }
        }))
    }
}

/// A layer with a row rule after known changes, and the visible ones.
fn changed(
    rule: &RowRule,
    before: &Before<'_>,
    whole: &Layer,
    index: LayerIndex,
    diff: &LayerDiff,
) -> (Arc<Layer>, Option<LayerDiff>) {
    let is_visible = rule(whole.schema());
    let change = |id: &FeatureId| {
        let now: Option<Feature> = whole.find(id).filter(|row| is_visible(row)).map(|row| row.to_feature());
        (now.is_some() || before.restricted.find(id).is_some()).then(|| (id.clone(), now))
    };
    let changes: Vec<(FeatureId, Option<Feature>)> =
        diff.changes().unwrap_or_default().iter().filter_map(|own| change(&own.id)).collect();
    if changes.is_empty() {
        return (before.restricted.clone(), Some(LayerDiff::new(index, Vec::new(), [None, None])));
    }
    let (now, mut changes) = before.restricted.with_changes(changes);
    let bounds = [before.restricted.envelope(), now.envelope()];
    changes.retain(|change| is_visible_change(before.restricted, &now, change));
    (Arc::new(now), Some(LayerDiff::new(index, changes, bounds)))
}

/// The changes of a layer of which every feature is visible, without those of reserved fields only.
fn visible_part(before: &Before<'_>, now: &Layer, index: LayerIndex, diff: &LayerDiff) -> LayerDiff {
    match diff.changes() {
        Some(changes) if now.schema().fields.iter().any(|field| field.is_reserved) => {
            let changes = changes.iter().filter(|change| is_visible_change(before.restricted, now, change)).cloned();
            LayerDiff::new(index, changes.collect(), [before.restricted.envelope(), now.envelope()])
        }
        _ => diff.at(index),
    }
}

/// Whether a change concerns more than the fields that are reserved for higher roles.
fn is_visible_change(before: &Layer, now: &Layer, change: &FeatureChange) -> bool {
    let (Some(old), Some(new)) = (before.find(&change.id), now.find(&change.id)) else { return true };
    let differs = |(at, field): (usize, &Field)| !field.is_reserved && old.value(at) != new.value(at);
    old.shape() != new.shape() || now.schema().fields.iter().enumerate().any(differs)
}
