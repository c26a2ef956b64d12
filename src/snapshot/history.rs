//! What each replacement of the picture changed: a bounded memory, so that others need not compare pictures.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Snapshot, Version};
use crate::geodesy::Envelope;
use crate::model::FeatureId;

/// Most replacements that are remembered.
const MAX_SWAPS: usize = 1_024;
/// Most edits that are remembered, over all replacements.
const MAX_EDITS: usize = 100_000;
/// From this many edits of a layer at once on, only the box around them is kept.
const MANY_EDITS: usize = 2_000;

/// One replacement of the picture.
#[derive(Debug)]
pub struct Swap {
    version: Version,
    before: Version,
    /// `None` when everything was read again, so that nothing is known of what changed.
    layers: Option<Vec<LayerEdits>>,
}

impl Swap {
    /// The version of the picture that came.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// What changed, once for each layer; `None` when anything may have.
    #[must_use]
    pub fn layers(&self) -> Option<&[LayerEdits]> {
        self.layers.as_deref()
    }

    fn size(&self) -> usize {
        self.layers.iter().flatten().map(|layer| layer.edits.len()).sum()
    }
}

/// What one replacement changed in one layer.
#[derive(Clone, Debug)]
pub struct LayerEdits {
    layer: usize,
    count: usize,
    reach: Option<Envelope>,
    edits: Vec<Edit>,
}

impl LayerEdits {
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
    pub fn reach(&self) -> Option<&Envelope> {
        self.reach.as_ref()
    }

    /// Each changed feature; `None` when they were too many to be kept.
    #[must_use]
    pub fn edits(&self) -> Option<&[Edit]> {
        (self.edits.len() == self.count).then_some(&self.edits)
    }

    /// Whether an old or new place shares a point with a box, which must not cross the antimeridian. Answers yes
    /// where it cannot be told.
    #[must_use]
    pub fn touches(&self, envelope: &Envelope) -> bool {
        let near = self.reach.is_some_and(|reach| reach.intersects(envelope));
        near && self.edits().is_none_or(|edits| edits.iter().any(|edit| edit.touches(envelope)))
    }
}

/// One feature that changed: where it was and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Which feature.
    pub id: FeatureId,
    /// The box around it before; `None` when it was not there or its place was unknown.
    pub before: Option<Envelope>,
    /// The box around it now; `None` when it is deleted or its place is unknown.
    pub after: Option<Envelope>,
}

impl Edit {
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

/// The edits that lead from one picture to the next, for changed ids by layer.
pub(super) fn compare(before: &Snapshot, after: &Snapshot, changed: Vec<(usize, Vec<FeatureId>)>) -> Vec<LayerEdits> {
    let place = |snapshot: &Snapshot, layer: usize, id: &FeatureId| {
        Envelope::around(snapshot.layers[layer].find(id)?.shape()?.geometry())
    };
    changed
        .into_iter()
        .map(|(layer, ids)| {
            let count = ids.len();
            if count >= MANY_EDITS {
                // Thousands of look-ups would hold up the picture; the layer as it was and is covers them all.
                let around = [before, after].map(|snapshot| snapshot.layers[layer].envelope());
                return LayerEdits { layer, count, reach: union(around.into_iter().flatten()), edits: Vec::new() };
            }
            let edits: Vec<Edit> = ids
                .into_iter()
                .map(|id| Edit { before: place(before, layer, &id), after: place(after, layer, &id), id })
                .collect();
            LayerEdits { layer, count, reach: union(edits.iter().flat_map(Edit::boxes)), edits }
        })
        .collect()
}

fn union(boxes: impl Iterator<Item = Envelope>) -> Option<Envelope> {
    boxes.reduce(|a, b| a.union(&b))
}

/// The newest replacements, oldest first; each leads on from the one before.
#[derive(Debug, Default)]
pub(super) struct History {
    swaps: VecDeque<Arc<Swap>>,
    edits: usize,
}

impl History {
    pub(super) fn push(&mut self, before: Version, version: Version, layers: Option<Vec<LayerEdits>>) {
        let swap = Swap { version, before, layers };
        self.edits += swap.size();
        self.swaps.push_back(Arc::new(swap));
        while self.swaps.len() > MAX_SWAPS || self.edits > MAX_EDITS {
            let Some(oldest) = self.swaps.pop_front() else { break };
            self.edits -= oldest.size();
        }
    }

    /// What leads from one version to another; `None` when that is not remembered.
    pub(super) fn between(&self, from: Version, to: Version) -> Option<Vec<Arc<Swap>>> {
        if from == to {
            return Some(Vec::new());
        }
        let start = self.swaps.partition_point(|swap| swap.version <= from);
        let end = self.swaps.partition_point(|swap| swap.version <= to);
        let known = self.swaps.get(start)?.before == from && end > start && self.swaps[end - 1].version == to;
        known.then(|| self.swaps.range(start..end).cloned().collect())
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
        let told = |from, to| history.between(from, to).map(|swaps| swaps.len());
        assert_eq!(told(2_000, 2_000), Some(0));
        assert_eq!(told(1_990, 1_995), Some(5));
        assert_eq!(told(976, 2_000), Some(MAX_SWAPS));
        assert_eq!(told(975, 2_000), None);
        assert_eq!(told(1_990, 2_001), None);
        assert_eq!(told(2_001, 2_000), None);
    }
}
