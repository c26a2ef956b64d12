//! Server-sent events for changes of layers: filtered, merged and limited in size.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::geodesy::Envelope;
use crate::model::{FeatureId, LayerIndex};
use crate::snapshot::{LayerDiff, Snapshot, SnapshotDiff};

/// Maximum number of ids in one event.
const MAX_IDS: usize = 1_000;
/// Maximum size of the ids in one event, bytes of JSON.
const MAX_ID_BYTES: usize = 32_000;
/// Maximum number of boxes in one event; each has less than 100 bytes.
const MAX_BOXES: usize = 256;

/// The layers and areas to which a client subscribed.
#[derive(Debug)]
pub(crate) struct EventFilter {
    /// The layers; `None` for all.
    pub(crate) layers: Option<BTreeSet<LayerIndex>>,
    /// Boxes that do not cross the antimeridian; `None` for no spatial filter.
    pub(crate) boxes: Option<Vec<Envelope>>,
}

/// Changes of one layer, accumulated over several versions.
#[derive(Default)]
struct LayerChanges {
    ids: BTreeSet<FeatureId>,
    boxes: Vec<Envelope>,
    /// Envelopes of changes beyond this number are merged into one.
    around: Option<Envelope>,
    /// Number of changed features whose ids are omitted.
    unnamed: usize,
}

impl EventFilter {
    /// One JSON object for each layer with changes that pass the filter; `None` if one of the diffs does not record its
    /// changes.
    pub(crate) fn layer_changes(&self, snapshot: &Snapshot, diffs: &[Arc<SnapshotDiff>]) -> Option<Vec<Json>> {
        let mut by_layer: BTreeMap<LayerIndex, LayerChanges> = BTreeMap::new();
        for diff in diffs {
            for edits in diff.layers()? {
                if self.layers.as_ref().is_none_or(|wanted| wanted.contains(&edits.layer())) {
                    self.gather(edits, &mut by_layer);
                }
            }
        }
        let version = snapshot.version().to_string();
        let events = by_layer.into_iter().filter_map(|(at, changes)| {
            let layer = snapshot.layers().get(at.0)?;
            Some(changes.into_event(&version, &layer.schema().id))
        });
        Some(events.collect())
    }

    fn gather(&self, edits: &LayerDiff, by_layer: &mut BTreeMap<LayerIndex, LayerChanges>) {
        let near = |own: &Envelope| self.boxes.iter().flatten().any(|wanted| wanted.intersects(own));
        let Some(each) = edits.changes() else {
            if self.boxes.is_none() || edits.bounds().is_some_and(near) {
                by_layer.entry(edits.layer()).or_default().add_many(edits.count(), edits.bounds().copied());
            }
            return;
        };
        for edit in each {
            if self.boxes.is_none() || edit.boxes().any(|own| near(&own)) {
                let changes = by_layer.entry(edits.layer()).or_default();
                changes.ids.insert(edit.id.clone());
                edit.boxes().for_each(|own| changes.add_box(own));
            }
        }
    }
}

impl LayerChanges {
    fn add_many(&mut self, count: usize, reach: Option<Envelope>) {
        self.unnamed += count;
        if let Some(reach) = reach {
            self.widen(reach);
        }
    }

    fn add_box(&mut self, own: Envelope) {
        if self.around.is_some() || (self.boxes.len() == MAX_BOXES && !self.boxes.contains(&own)) {
            self.widen(own);
        } else if !self.boxes.contains(&own) {
            self.boxes.push(own);
        }
    }

    /// Replaces the list of boxes with one box that covers all changes.
    fn widen(&mut self, own: Envelope) {
        let all = self.boxes.drain(..).chain(self.around).fold(own, |all, own| all.union(&own));
        self.around = Some(all);
    }

    fn into_event(self, version: &str, layer: &str) -> Json {
        let boxes: Vec<[f64; 4]> = self.boxes.iter().chain(&self.around).map(Envelope::to_array).collect();
        let mut event = json!({"data_version": version, "layer": layer, "count": self.ids.len() + self.unnamed});
        let bytes: usize = self.ids.iter().map(|id| json!(id.as_str()).to_string().len() + 1).sum();
        if self.unnamed == 0 && self.ids.len() <= MAX_IDS && bytes <= MAX_ID_BYTES {
            event["ids"] = self.ids.iter().map(FeatureId::as_str).collect();
        }
        event["boxes"] = json!(boxes);
        event
    }
}
