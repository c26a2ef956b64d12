//! Geofences: which features are in an area, and what happens to them from one state to the next.
//!
//! States are compared, not edits: what happened is the same whether a feature was edited once, several times or read again.

use std::collections::{BTreeMap, BTreeSet};

use geozero::ToGeo;
use geozero::geojson::GeoJson;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::filter::{Filter, Language};
use super::query_geometry::QueryGeometry;
use crate::geodesy::Envelope;
use crate::model::{FeatureId, FingerprintKey, Shape, ValueRef, View};
use crate::snapshot::{Layer, Row, Snapshot};

/// The field with the code of the division that a feature belongs to.
const REGION_CODE: &str = "region_code";

/// What a geofence watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FenceDefinition {
    /// Ids of the layers.
    pub layers: Vec<String>,
    /// Where.
    pub area: FenceArea,
    /// What is told.
    pub when: Vec<FenceCondition>,
    /// CQL2 text that features meet, besides being in the area.
    pub filter: Option<String>,
}

/// The area of a geofence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FenceArea {
    /// Features that touch a geometry, or come near it.
    Near {
        /// GeoJSON, longitude and latitude.
        geometry: Json,
        /// The distance, metres.
        within_m: f64,
    },
    /// Features of a division, by the prefix of its code.
    Division(String),
}

/// What is told of a feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FenceCondition {
    /// It is in the area, and was not.
    Enters,
    /// It was in the area, and is no longer.
    Leaves,
    /// It changes and stays in the area.
    Changes,
    /// A field of a feature that stays in the area gets one of these codes.
    Becomes {
        /// The field.
        field: String,
        /// The codes.
        codes: Vec<String>,
    },
    /// A number of a feature that stays in the area crosses a threshold.
    Crosses {
        /// The field.
        field: String,
        /// The threshold.
        threshold: f64,
        /// Whether it rises above it, or falls below it.
        rises: bool,
    },
}

impl FenceCondition {
    /// The field that it reads.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Becomes { field, .. } | Self::Crosses { field, .. } => Some(field),
            Self::Enters | Self::Leaves | Self::Changes => None,
        }
    }

    /// What happened to a feature, as members of a notice; `None` if this did not.
    fn happened(&self, before: Option<&SeenFeature>, after: Option<&SeenFeature>) -> Option<Json> {
        let value = |seen: &SeenFeature, field: &str| seen.values.get(field).cloned().unwrap_or_default();
        match (self, before, after) {
            (Self::Enters, None, Some(_)) => Some(json!({"event": "enters"})),
            (Self::Leaves, Some(_), None) => Some(json!({"event": "leaves"})),
            (Self::Changes, Some(before), Some(after)) if before.fingerprint != after.fingerprint => {
                Some(json!({"event": "changes"}))
            }
            (Self::Becomes { field, codes }, Some(before), Some(after)) => {
                let (before, after) = (value(before, field), value(after, field));
                let is_new = before != after && after.as_str().is_some_and(|code| codes.iter().any(|own| own == code));
                is_new.then(|| json!({"event": "becomes", "field": field, "before": before, "after": after}))
            }
            (Self::Crosses { field, threshold, rises }, Some(before), Some(after)) => {
                let (was, is) = (value(before, field).as_f64()?, value(after, field).as_f64()?);
                let crossed =
                    if *rises { was <= *threshold && is > *threshold } else { was >= *threshold && is < *threshold };
                let direction = if *rises { "above" } else { "below" };
                crossed.then(|| {
                    json!({"event": "crosses", "field": field, "direction": direction, "threshold": threshold,
                        "before": value(before, field), "after": value(after, field)})
                })
            }
            _ => None,
        }
    }
}

/// What is remembered of a feature in the area.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeenFeature {
    /// The last known values of the fields that conditions read: a gauge that fails for a while has still crossed a threshold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Json>,
    /// Its state, if changes are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// The features in the area, by layer and id.
pub type SeenFeatures = BTreeMap<(String, FeatureId), SeenFeature>;

/// What happened to a feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// Its layer.
    pub layer: String,
    /// Its id.
    pub feature: FeatureId,
    /// What happened: members of a notice.
    pub what: Json,
}

/// The difference between two states.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FenceStep {
    /// What is told.
    pub happenings: Vec<Happening>,
    /// What is remembered from now on; `None` of a feature that is no longer in the area.
    pub remembered: Vec<((String, FeatureId), Option<SeenFeature>)>,
}

/// A geofence, ready for use.
#[derive(Clone, Debug)]
pub struct Geofence {
    definition: FenceDefinition,
    /// The geometry with the distance; `None` for a division.
    near: Option<(QueryGeometry, f64)>,
    key: FingerprintKey,
}

impl Geofence {
    /// Maximum distance to a geometry, metres.
    pub const MAX_WITHIN_M: f64 = 100_000.0;

    /// Prepares a definition.
    ///
    /// # Errors
    /// When its geometry is none.
    pub fn new(definition: FenceDefinition) -> Result<Self, String> {
        let near = match &definition.area {
            FenceArea::Near { geometry, within_m } => {
                let geometry = GeoJson(&geometry.to_string()).to_geo().map_err(|error| error.to_string())?;
                let shape = Shape::new(geometry).map_err(|error| error.to_string())?;
                Some((QueryGeometry::shape(shape), *within_m))
            }
            FenceArea::Division(_) => None,
        };
        // Only this file compares these fingerprints, and they are told to nobody.
        Ok(Self { definition, near, key: FingerprintKey::new(b"geofence") })
    }

    /// Its definition.
    #[must_use]
    pub fn definition(&self) -> &FenceDefinition {
        &self.definition
    }

    /// Compares the features that are remembered with a snapshot, and remembers those of the snapshot. `changed` names the
    /// features that may have changed, by layer; `None` compares all. Layers that cannot be read now are skipped.
    pub fn step(
        &self,
        seen: &mut SeenFeatures,
        snapshot: &Snapshot,
        changed: Option<&BTreeMap<String, BTreeSet<FeatureId>>>,
        is_skipped: &dyn Fn(&str) -> bool,
    ) -> FenceStep {
        let mut step = FenceStep::default();
        for id in self.definition.layers.iter().filter(|id| !is_skipped(id)) {
            let layer = snapshot.layer(id);
            let own = layer.map(|layer| LayerFence::new(self, layer)).transpose();
            let own = match own {
                Ok(own) => own,
                Err(error) => {
                    tracing::error!(layer = id, %error, "a subscription no longer fits its layer, which is skipped");
                    continue;
                }
            };
            let mut now: BTreeMap<FeatureId, SeenFeature> = BTreeMap::new();
            let mut compared: BTreeSet<FeatureId> = BTreeSet::new();
            match (changed, &own) {
                (Some(changed), own) => {
                    for feature in changed.get(id).into_iter().flatten() {
                        let row = own.as_ref().and_then(|own| own.layer.find(feature));
                        let is = row.and_then(|row| own.as_ref().and_then(|own| own.seen(&row)));
                        now.extend(is.map(|is| (feature.clone(), is)));
                        compared.insert(feature.clone());
                    }
                }
                (None, own) => {
                    let rows = own.iter().flat_map(|own| own.rows().map(move |row| (own, row)));
                    now.extend(rows.filter_map(|(own, row)| Some((row.id().clone(), own.seen(&row)?))));
                    compared.extend(now.keys().cloned());
                    compared.extend(seen.keys().filter(|(layer, _)| layer == id).map(|(_, feature)| feature.clone()));
                }
            }
            for feature in compared {
                let after = now.remove(&feature);
                self.compare(seen, (id.clone(), feature), after, &mut step);
            }
        }
        step
    }

    fn compare(
        &self,
        seen: &mut SeenFeatures,
        key: (String, FeatureId),
        mut after: Option<SeenFeature>,
        step: &mut FenceStep,
    ) {
        let before = seen.get(&key);
        if let (Some(before), Some(after)) = (before, &mut after) {
            for (field, value) in &before.values {
                after.values.entry(field.clone()).or_insert_with(|| value.clone());
            }
        }
        if before == after.as_ref() {
            return;
        }
        let happened = self.definition.when.iter().filter_map(|condition| condition.happened(before, after.as_ref()));
        let happening = |what| Happening { layer: key.0.clone(), feature: key.1.clone(), what };
        step.happenings.extend(happened.map(happening));
        match &after {
            Some(after) => seen.insert(key.clone(), after.clone()),
            None => seen.remove(&key),
        };
        step.remembered.push((key, after));
    }
}

/// A geofence on one layer.
struct LayerFence<'a> {
    fence: &'a Geofence,
    layer: &'a Layer,
    view: View<'a>,
    filter: Option<Filter>,
    /// Fields that conditions read.
    fields: Vec<(usize, &'a str)>,
    is_fingerprinted: bool,
}

impl<'a> LayerFence<'a> {
    fn new(fence: &'a Geofence, layer: &'a Layer) -> Result<Self, super::filter::FilterError> {
        let FenceDefinition { when, filter, .. } = &fence.definition;
        let view = View::public(layer.schema());
        let filter = filter.as_ref().map(|filter| Filter::read(filter, Language::Text, &view)).transpose()?;
        let fields: BTreeSet<&str> = when.iter().filter_map(FenceCondition::field).collect();
        let fields = fields.into_iter().filter_map(|name| Some((layer.schema().position(name)?, name)));
        let fields = fields.filter(|(at, _)| view.shows(*at)).collect();
        Ok(Self { fence, layer, view, filter, fields, is_fingerprinted: when.contains(&FenceCondition::Changes) })
    }

    /// The rows that may be in the area.
    fn rows(&self) -> Box<dyn Iterator<Item = Row<'a>> + 'a> {
        match &self.fence.near {
            Some((near, within_m)) => match Envelope::around(near.geometry()) {
                Some(envelope) => Box::new(self.layer.rows_in(&envelope.padded(*within_m))),
                None => Box::new(std::iter::empty()),
            },
            None => Box::new(self.layer.rows_after(None)),
        }
    }

    /// What is remembered of a feature; `None` if it is not in the area.
    fn seen(&self, row: &Row<'_>) -> Option<SeenFeature> {
        let is_inside = match (&self.fence.near, &self.fence.definition.area) {
            (Some((near, within_m)), _) => row.shape().is_some_and(|shape| near.nearest(shape, *within_m).is_some()),
            (None, FenceArea::Division(prefix)) => {
                let code = row.visible(&self.view).text(REGION_CODE);
                code.is_some_and(|code| code.starts_with(prefix.as_str()))
            }
            (None, FenceArea::Near { .. }) => false,
        };
        if !is_inside || self.filter.as_ref().is_some_and(|filter| !filter.matches(row)) {
            return None;
        }
        let visible = row.visible(&self.view);
        let values = self.fields.iter().filter_map(|(at, name)| Some(((*name).to_owned(), known(visible.value(*at))?)));
        let fingerprint = self.is_fingerprinted.then(|| self.fence.key.fingerprint(&visible.to_feature()).to_string());
        Some(SeenFeature { values: values.collect(), fingerprint })
    }
}

/// A value that conditions read; `None` if it is unknown.
fn known(value: ValueRef<'_>) -> Option<Json> {
    match value {
        ValueRef::Text(text) => Some(Json::from(text)),
        ValueRef::Integer(number) => Some(Json::from(number)),
        ValueRef::Real(number) => serde_json::Number::from_f64(number).map(Json::Number),
        _ => None,
    }
}
