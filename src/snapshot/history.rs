//! The changes of each replacement of the snapshot, as a bounded history, so that snapshots need not be compared.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Version;
use crate::geodesy::Envelope;
use crate::model::{FeatureId, LayerIndex};

/// Maximum number of replacements kept.
const MAX_DIFFS: usize = 1_024;
/// Maximum number of feature changes kept, over all replacements.
const MAX_CHANGES: usize = 100_000;
/// From this many changes of a layer in one replacement, only their bounds are kept.
const MANY_CHANGES: usize = 2_000;

/// A replacement of the snapshot.
#[derive(Debug)]
pub struct SnapshotDiff {
    version: Version,
    before: Version,
    /// `None` after a full read, where the changes are unknown.
    layers: Option<Vec<LayerDiff>>,
}

impl SnapshotDiff {
    /// The version of the new snapshot.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The changes by layer; `None` if anything may have changed.
    #[must_use]
    pub fn layers(&self) -> Option<&[LayerDiff]> {
        self.layers.as_deref()
    }

    fn size(&self) -> usize {
        self.layers.iter().flatten().map(|layer| layer.changes.len()).sum()
    }
}

/// The changes of one layer in a replacement.
#[derive(Clone, Debug)]
pub struct LayerDiff {
    layer: LayerIndex,
    count: usize,
    bounds: Option<Envelope>,
    changes: Vec<FeatureChange>,
}

impl LayerDiff {
    /// The changes of a layer. `bounds` are those of the layer before and after.
    pub(super) fn new(layer: LayerIndex, changes: Vec<FeatureChange>, bounds: [Option<Envelope>; 2]) -> Self {
        let count = changes.len();
        if count >= MANY_CHANGES {
            return Self { layer, count, bounds: union(bounds.into_iter().flatten()), changes: Vec::new() };
        }
        Self { layer, count, bounds: union(changes.iter().flat_map(FeatureChange::boxes)), changes }
    }

    /// The same changes for a snapshot in which the layer has another index.
    pub(super) fn at(&self, layer: LayerIndex) -> Self {
        Self { layer, ..self.clone() }
    }

    /// Index of the layer in [`super::Snapshot::layers`].
    #[must_use]
    pub fn layer(&self) -> LayerIndex {
        self.layer
    }

    /// Number of changed features.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The envelope of all old and new geometries; `None` if there are none.
    #[must_use]
    pub fn bounds(&self) -> Option<&Envelope> {
        self.bounds.as_ref()
    }

    /// Each changed feature; `None` if there are too many.
    #[must_use]
    pub fn changes(&self) -> Option<&[FeatureChange]> {
        (self.changes.len() == self.count).then_some(&self.changes)
    }

    /// Whether an old or new geometry intersects an envelope, which must not cross the antimeridian. True if that is
    /// unknown.
    #[must_use]
    pub fn touches(&self, envelope: &Envelope) -> bool {
        let near = self.bounds.is_some_and(|bounds| bounds.intersects(envelope));
        near && self.changes().is_none_or(|changes| changes.iter().any(|change| change.touches(envelope)))
    }
}

/// A changed feature: its old and new envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureChange {
    /// Its id.
    pub id: FeatureId,
    /// The old envelope; `None` if the feature is new or had no geometry.
    pub before: Option<Envelope>,
    /// The new envelope; `None` if the feature was deleted or has no geometry.
    pub after: Option<Envelope>,
}

impl FeatureChange {
    /// Whether the old or the new geometry intersects an envelope that does not cross the antimeridian.
    #[must_use]
    pub fn touches(&self, envelope: &Envelope) -> bool {
        self.boxes().any(|own| own.intersects(envelope))
    }

    /// The old and the new envelope, if they exist and differ.
    pub fn boxes(&self) -> impl Iterator<Item = Envelope> + use<> {
        let moved = self.after.filter(|after| Some(*after) != self.before);
        self.before.into_iter().chain(moved)
    }
}

fn union(boxes: impl Iterator<Item = Envelope>) -> Option<Envelope> {
    boxes.reduce(|a, b| a.union(&b))
}

/// The newest replacements, oldest first; consecutive.
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

    /// The newest version up to this one from which replacements are kept.
    pub(super) fn known_version(&self, version: Version) -> Option<Version> {
        let later = self.diffs.partition_point(|diff| diff.version <= version);
        match later.checked_sub(1) {
            Some(last) => self.diffs.get(last).map(|diff| diff.version),
            None => self.diffs.front().map(|diff| diff.before).filter(|before| *before <= version),
        }
    }

    /// The replacements between two versions; `None` if they are no longer kept.
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
    fn dropped_changes_are_not_returned() {
        let mut history = History::default();
        for version in 1..=2_000 {
            history.push(version - 1, version, Some(Vec::new()));
        }
        let kept = |from, to| history.between(from, to).map(|diffs| diffs.len());
        assert_eq!(kept(2_000, 2_000), Some(0));
        assert_eq!(kept(1_990, 1_995), Some(5));
        assert_eq!(kept(976, 2_000), Some(MAX_DIFFS));
        assert_eq!(kept(975, 2_000), None);
        assert_eq!(kept(1_990, 2_001), None);
        assert_eq!(kept(2_001, 2_000), None);
    }

    #[test]
    fn a_version_between_two_replacements_continues_from_the_earlier_one() {
        let mut history = History::default();
        assert_eq!(history.known_version(7), None);
        history.push(10, 12, Some(Vec::new()));
        history.push(12, 20, Some(Vec::new()));
        let known = [9, 10, 11, 12, 19, 20].map(|version| history.known_version(version));
        assert_eq!(known, [None, Some(10), Some(10), Some(12), Some(12), Some(20)]);
    }
}
