//! What each replacement of the snapshot changed: a bounded memory, so that others need not compare snapshots.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Snapshot, Version};
use crate::geodesy::Envelope;
use crate::model::FeatureId;

/// Most replacements that are remembered.
const MAX_DIFFS: usize = 1_024;
/// Most edits that are remembered, over all replacements.
const MAX_CHANGES: usize = 100_000;
/// From this many edits of a layer at once on, only the box around them is kept.
const MANY_CHANGES: usize = 2_000;

/// One replacement of the snapshot.
#[derive(Debug)]
pub struct SnapshotDiff {
    version: Version,
    before: Version,
    /// `None` when everything was read again, so that nothing is known of what changed.
    layers: Option<Vec<LayerDiff>>,
}

impl SnapshotDiff {
    /// The version of the snapshot that came.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// What changed, once for each layer; `None` when anything may have.
    #[must_use]
    pub fn layers(&self) -> Option<&[LayerDiff]> {
        self.layers.as_deref()
    }

    fn size(&self) -> usize {
        self.layers.iter().flatten().map(|layer| layer.changes.len()).sum()
    }
}

/// What one replacement changed in one layer.
#[derive(Clone, Debug)]
pub struct LayerDiff {
    layer: usize,
    count: usize,
    bounds: Option<Envelope>,
    changes: Vec<FeatureChange>,
}

impl LayerDiff {
    /// Position of the layer in [`Snapshot::layers`].
    #[must_use]
    pub fn layer(&self) -> usize {
        self.layer
    }

    /// How many features changed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The box around all old and new places; `None` when nothing changed has a place.
    #[must_use]
    pub fn bounds(&self) -> Option<&Envelope> {
        self.bounds.as_ref()
    }

    /// Each changed feature; `None` when they were too many to be kept.
    #[must_use]
    pub fn changes(&self) -> Option<&[FeatureChange]> {
        (self.changes.len() == self.count).then_some(&self.changes)
    }

    /// Whether an old or new place shares a point with a box, which must not cross the antimeridian. Answers yes
    /// where it cannot be told.
    #[must_use]
    pub fn touches(&self, envelope: &Envelope) -> bool {
        let near = self.bounds.is_some_and(|bounds| bounds.intersects(envelope));
        near && self.changes().is_none_or(|changes| changes.iter().any(|change| change.touches(envelope)))
    }
}

/// One feature that changed: where it was and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureChange {
    /// Which feature.
    pub id: FeatureId,
    /// The box around it before; `None` when it was not there or its place was unknown.
    pub before: Option<Envelope>,
    /// The box around it now; `None` when it is deleted or its place is unknown.
    pub after: Option<Envelope>,
}

impl FeatureChange {
    /// Whether the old or the new place shares a point with a box that does not cross the antimeridian.
    #[must_use]
    pub fn touches(&self, envelope: &Envelope) -> bool {
        self.boxes().any(|own| own.intersects(envelope))
    }

    /// The old and the new box, as far as they are there and differ.
    pub fn boxes(&self) -> impl Iterator<Item = Envelope> + use<> {
        let moved = self.after.filter(|after| Some(*after) != self.before);
        self.before.into_iter().chain(moved)
    }
}

/// The edits that lead from one snapshot to the next, for changed ids by layer.
pub(super) fn compare(before: &Snapshot, after: &Snapshot, changed: Vec<(usize, Vec<FeatureId>)>) -> Vec<LayerDiff> {
    let place = |snapshot: &Snapshot, layer: usize, id: &FeatureId| {
        Envelope::around(snapshot.layers[layer].find(id)?.shape()?.geometry())
    };
    changed
        .into_iter()
        .map(|(layer, ids)| {
            let count = ids.len();
            if count >= MANY_CHANGES {
                // Thousands of look-ups would hold up the snapshot; the layer as it was and is covers them all.
                let around = [before, after].map(|snapshot| snapshot.layers[layer].envelope());
                return LayerDiff { layer, count, bounds: union(around.into_iter().flatten()), changes: Vec::new() };
            }
            let changes: Vec<FeatureChange> = ids
                .into_iter()
                .map(|id| FeatureChange { before: place(before, layer, &id), after: place(after, layer, &id), id })
                .collect();
            LayerDiff { layer, count, bounds: union(changes.iter().flat_map(FeatureChange::boxes)), changes }
        })
        .collect()
}

fn union(boxes: impl Iterator<Item = Envelope>) -> Option<Envelope> {
    boxes.reduce(|a, b| a.union(&b))
}

/// The newest replacements, oldest first; each leads on from the one before.
#[derive(Debug, Default)]
pub(super) struct History {
    diffs: VecDeque<Arc<SnapshotDiff>>,
    changes: usize,
}

impl History {
    pub(super) fn push(&mut self, before: Version, version: Version, layers: Option<Vec<LayerDiff>>) {
        let diff = SnapshotDiff { version, before, layers };
        self.changes += diff.size();
        self.diffs.push_back(Arc::new(diff));
        while self.diffs.len() > MAX_DIFFS || self.changes > MAX_CHANGES {
            let Some(oldest) = self.diffs.pop_front() else { break };
            self.changes -= oldest.size();
        }
    }

    /// What leads from one version to another; `None` when that is not remembered.
    pub(super) fn between(&self, from: Version, to: Version) -> Option<Vec<Arc<SnapshotDiff>>> {
        if from == to {
            return Some(Vec::new());
        }
        let start = self.diffs.partition_point(|diff| diff.version <= from);
        let end = self.diffs.partition_point(|diff| diff.version <= to);
        let known = self.diffs.get(start)?.before == from && end > start && self.diffs[end - 1].version == to;
        known.then(|| self.diffs.range(start..end).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_remembered_is_not_told() {
        let mut history = History::default();
        for version in 1..=2_000 {
            history.push(version - 1, version, Some(Vec::new()));
        }
        let told = |from, to| history.between(from, to).map(|diffs| diffs.len());
        assert_eq!(told(2_000, 2_000), Some(0));
        assert_eq!(told(1_990, 1_995), Some(5));
        assert_eq!(told(976, 2_000), Some(MAX_DIFFS));
        assert_eq!(told(975, 2_000), None);
        assert_eq!(told(1_990, 2_001), None);
        assert_eq!(told(2_001, 2_000), None);
    }
}
