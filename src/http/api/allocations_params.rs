//! The body of `POST /api/allocations`: demands, what is allocated, and the conditions on the resources.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::geodesy::LonLat;
use crate::geodesy::crs_transform::CrsTransform;
use crate::http::api::by_road::ByRoad;
use crate::http::api::nearest_params::{LayerRequest, NearestRequest, code};
use crate::http::call::Call;
use crate::http::params::param::Param;
use crate::http::params::{QueryParams, invalid, layer, parse_json, spec, travel};
use crate::http::reply::problem::Problem;
use crate::model::catalog::Code;
use crate::model::{FeatureId, Shape};
use crate::query::allocation::{PlacedDemand, Resource};
use crate::query::nearest::demand::Demand;
use crate::query::query_geometry::QueryGeometry;
use crate::query::siting::{frail, people};
use crate::snapshot::{Layer, Row};

/// Conditions on the resources, as for `/api/nearest`.
static CONDITIONS: &[&dyn Param] = &[
    &spec::NEAREST_LAYER,
    &spec::MAX_DISTANCE_M,
    &travel::BY,
    &travel::MAX_MINUTES,
    &travel::VEHICLE_HEIGHT_M,
    &travel::VEHICLE_WIDTH_M,
    &travel::VEHICLE_WEIGHT_T,
    &spec::STATUS,
    &spec::NIGHT,
    &spec::AT,
    &spec::HAZARD,
    &spec::SKILLS,
    &spec::WITHIN,
    &spec::AVOID,
    &spec::AVOID_LEVEL,
    &spec::FILTER,
    &spec::FILTER_LANG,
    &spec::FILTER_CRS,
    &spec::CRS,
];

/// Maximum number of demands.
const MAX_DEMANDS: usize = 2_000;
/// Maximum amount of one demand.
const MAX_AMOUNT: u32 = 1_000_000;
const ACCEPTED: &str = "a list of 1 to 2000 objects with amount and point [LON,LAT], or with place {layer, id}, or with \
                        each_of LAYER and inside {layer, id}; these take share and frail";

/// A demand with its id and name.
#[derive(Clone, Debug)]
pub(crate) struct NamedDemand {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    /// Where lines to the demand end.
    pub(crate) at: LonLat,
    pub(crate) placed: PlacedDemand,
}

/// An allocation request.
pub(crate) struct AllocationRequest<'a> {
    pub(crate) layer: &'a Layer,
    pub(crate) resource: Resource,
    pub(crate) demands: Vec<NamedDemand>,
    pub(crate) conditions: Demand,
    pub(crate) max_distance_m: Option<f64>,
    pub(crate) by_road: Option<ByRoad>,
    pub(crate) together: bool,
    pub(crate) crs: CrsTransform,
}

/// A demand as in the body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDemand {
    id: Option<String>,
    amount: Option<u32>,
    point: Option<[f64; 2]>,
    place: Option<FeatureName>,
    each_of: Option<String>,
    inside: Option<FeatureName>,
    /// Share of the people of a feature, above 0 and at most 1.
    share: Option<f64>,
    /// Whether only the people are counted who cannot move without help.
    #[serde(default)]
    frail: bool,
}

/// How many people of a feature are a demand.
#[derive(Clone, Copy)]
struct PeopleShare {
    share: f64,
    frail: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeatureName {
    layer: String,
    id: String,
}

impl<'a> AllocationRequest<'a> {
    /// # Errors
    /// When the body is invalid.
    pub(crate) fn read(call: &'a Call<'_>) -> Result<Self, Problem> {
        let accepted = "an object with layer, demands, and conditions as of /api/nearest";
        let (name, document) = match call.params.get(&spec::ALLOCATION) {
            Some(text) => {
                let refused = |error: serde_json::Error| invalid("request", text, &error.to_string(), accepted);
                ("request", serde_json::from_str(text).map_err(refused)?)
            }
            None => ("body", parse_json(&call.body)?),
        };
        let Json::Object(mut members) = document else {
            return Err(invalid(name, "", "it is not a JSON object", accepted));
        };
        let (demands, item) = (members.shift_remove("demands"), members.shift_remove("item"));
        let together = match members.shift_remove("together") {
            None | Some(Json::Null) => false,
            Some(Json::Bool(together)) => together,
            Some(other) => return Err(invalid("together", &other.to_string(), "it is not a boolean", "true, false")),
        };
        let params = QueryParams::from_members(&members, CONDITIONS)?;
        let NearestRequest { mut parts, by_road, crs, .. } = NearestRequest::read(call, &params)?;
        let given = params.get(&spec::NEAREST_LAYER).unwrap_or_default();
        let (Some(LayerRequest { layer: name, limit, demand }), None) = (parts.pop(), parts.pop()) else {
            return Err(invalid("layer", given, "resources of one layer are allocated", "the id of one layer"));
        };
        let layer = layer(&call.current.snapshot, "layer", &name)?;
        let resource = resource(call, layer, item.as_ref())?;
        let reader = DemandReader { call, crs: &crs };
        let demands = reader.read(demands.unwrap_or_default())?;
        let is_point = |own: &&NamedDemand| matches!(own.placed.origin.geometry(), geo::Geometry::Point(_));
        if by_road.is_some()
            && let Some(wide) = demands.iter().find(|own| !is_point(own))
        {
            let detail = format!("a journey begins at a point, which the place of {} is not", wide.id);
            return Err(invalid(
                "by",
                params.get(&travel::BY).unwrap_or_default(),
                &detail,
                "line, or demands at points",
            ));
        }
        let max_distance_m = limit.max_distance_m;
        Ok(Self { layer, resource, demands, conditions: demand, max_distance_m, by_road, together, crs })
    }
}

/// What is allocated: stock if the request names an item, free places of layers with a capacity, features otherwise.
fn resource(call: &Call<'_>, layer: &Layer, item: Option<&Json>) -> Result<Resource, Problem> {
    let (resources, schema) = (layer.resources(), layer.schema());
    let known = schema.roles.stock.as_ref().and_then(|stock| call.state.catalog.codes.get(&stock.codes));
    let known: Vec<&Code> = known.into_iter().flatten().collect();
    match (item, resources.has_stock()) {
        (None | Some(Json::Null), true) => Err(Problem::MissingParameter {
            parameter: "item",
            accepted: "the code or name of a stock item".to_owned(),
        }),
        (Some(Json::String(word)), true) => code(&spec::ITEMS, word, &known, "").map(Resource::Item),
        (None | Some(Json::Null), false) if resources.has_capacity() => Ok(Resource::Places),
        (None | Some(Json::Null), false) => Ok(Resource::Features),
        (Some(other), _) => {
            let detail = format!("it does not name a stock item of {}", schema.id);
            Err(invalid("item", &other.to_string(), &detail, "the code or name of an item, for a layer with stock"))
        }
    }
}

struct DemandReader<'a, 'c> {
    call: &'a Call<'c>,
    crs: &'a CrsTransform,
}

impl<'a> DemandReader<'a, '_> {
    fn read(&self, demands: Json) -> Result<Vec<NamedDemand>, Problem> {
        let shown = demands.to_string();
        let refused = |detail: &str| invalid("demands", &shown, detail, ACCEPTED);
        let raw: Vec<RawDemand> = serde_json::from_value(demands).map_err(|error| refused(&error.to_string()))?;
        let mut named = Vec::new();
        for (number, raw) in raw.into_iter().enumerate() {
            let at = |detail: &str| refused(&format!("demand {}: {detail}", number + 1));
            let part = PeopleShare { share: raw.share.unwrap_or(1.0), frail: raw.frail };
            let is_part = raw.share.is_some() || raw.frail;
            if !(part.share > 0.0 && part.share <= 1.0) || (is_part && raw.amount.is_some()) {
                return Err(at(
                    "share is a number above 0 and at most 1, share and frail are of a feature without amount",
                ));
            }
            match raw {
                RawDemand {
                    id,
                    amount: Some(amount),
                    point: Some([x, y]),
                    place: None,
                    each_of: None,
                    inside: None,
                    share: None,
                    frail: false,
                } => {
                    let position = self.crs.position(x, y).map_err(|error| at(&error.to_string()))?;
                    let placed = PlacedDemand { origin: QueryGeometry::point(position), amount };
                    let id = id.unwrap_or_else(|| (number + 1).to_string());
                    named.push(NamedDemand { id, name: None, at: position, placed });
                }
                RawDemand { id, amount, point: None, place: Some(place), each_of: None, inside: None, .. } => {
                    let (layer, row) = self.feature(&place)?;
                    let found = of_feature(layer, &row, amount, part)
                        .ok_or_else(|| at("the feature has no amount or no place"))?;
                    named.push(NamedDemand { id: id.unwrap_or(found.id), ..found });
                }
                RawDemand {
                    id: None,
                    amount,
                    point: None,
                    place: None,
                    each_of: Some(name),
                    inside: Some(area),
                    ..
                } => {
                    named.extend(self.each_inside(&name, &area, amount, part)?);
                }
                _ => return Err(at("it needs amount and point, or place, or each_of and inside")),
            }
            if named.len() > MAX_DEMANDS {
                return Err(refused("there are too many demands"));
            }
        }
        named.retain(|demand| demand.placed.amount > 0);
        if named.is_empty() {
            return Err(refused("there is no demand above 0"));
        }
        if let Some(large) = named.iter().find(|demand| demand.placed.amount > MAX_AMOUNT) {
            return Err(refused(&format!("the amount of {} is above {MAX_AMOUNT}", large.id)));
        }
        Ok(named)
    }

    fn feature(&self, name: &FeatureName) -> Result<(&'a Layer, Row<'a>), Problem> {
        let layer = layer(&self.call.current.snapshot, "layer", &name.layer)?;
        let missing = || Problem::NotFound { what: "feature", value: name.id.clone(), accepted: String::new() };
        let row = FeatureId::new(&name.id).ok().and_then(|id| layer.find(&id)).ok_or_else(missing)?;
        Ok((layer, row))
    }

    /// A demand for each feature of a layer that intersects an area; features without an amount are left out.
    fn each_inside(
        &self,
        name: &str,
        area: &FeatureName,
        amount: Option<u32>,
        part: PeopleShare,
    ) -> Result<Vec<NamedDemand>, Problem> {
        let places = layer(&self.call.current.snapshot, "layer", name)?;
        let (_, area_row) = self.feature(area)?;
        let no_area = || invalid("inside", &area.id, "the feature has no geometry", "a feature with an area");
        let region = area_row.shape().ok_or_else(no_area)?;
        let index = crate::geodesy::edge_index::EdgeIndex::new(region.geometry().clone());
        let around = index.envelope().ok_or_else(no_area)?;
        let mut found = Vec::new();
        for row in places.rows_in(&around) {
            self.call.cancel.check()?;
            if row.shape().is_some_and(|shape| index.intersects(shape.geometry())) {
                found.extend(of_feature(places, &row, amount, part));
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }
}

/// The demand of a feature; without an amount, a share of the number of its people, rounded up.
fn of_feature(layer: &Layer, row: &Row<'_>, amount: Option<u32>, part: PeopleShare) -> Option<NamedDemand> {
    let share_of = |people: u32| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the number of people")]
        let share = (f64::from(people) * part.share).ceil() as u32;
        share
    };
    let people = if part.frail { frail } else { people };
    let counted = || people(layer, row).map(|people| share_of(u32::try_from(people.max(0)).unwrap_or(u32::MAX)));
    let amount = amount.or_else(counted)?;
    let shape: &Shape = row.shape()?;
    Some(NamedDemand {
        id: row.id().to_string(),
        name: layer.text(row, "name").map(str::to_owned),
        at: shape.anchor()?,
        placed: PlacedDemand { origin: QueryGeometry::shape(shape.clone()), amount },
    })
}
