//! Parameters of a nearest-resource request: layers, demand, areas to avoid.

use time::{Duration, UtcDateTime};

use crate::clock;
use crate::geodesy::crs_transform::CrsTransform;
use crate::http::api::by_road::ByRoad;
use crate::http::call::Call;
use crate::http::params::auth::Caller;
use crate::http::params::crs::{crs_by_name, shape};
use crate::http::params::filters::{filter, instant};
use crate::http::params::param::{List, Param};
use crate::http::params::{QueryParams, invalid, layer, spec, travel};
use crate::http::reply::problem::Problem;
use crate::http::state::AppState;
use crate::model::LayerSchema;
use crate::model::catalog::{Code, CodeValue};
use crate::query::nearest::Explain;
use crate::query::nearest::covering_program::{CoverOptions, Prefer};
use crate::query::nearest::demand::{Avoid, Demand, Quantity, Status, Within};
use crate::query::nearest::traversal::SearchLimit;
use crate::snapshot::{Layer, Snapshot};

/// Parameters of a nearest-resource request.
pub(crate) static PARAMS: &[&dyn Param] = &[
    &spec::NEAREST_LAYER,
    &spec::K,
    &spec::MAX_DISTANCE_M,
    &travel::BY,
    &travel::MAX_MINUTES,
    &travel::VEHICLE_HEIGHT_M,
    &travel::VEHICLE_WIDTH_M,
    &travel::VEHICLE_WEIGHT_T,
    &spec::FILTER,
    &spec::FILTER_LANG,
    &spec::FILTER_CRS,
    &spec::STATUS,
    &spec::PEOPLE,
    &spec::NIGHT,
    &spec::HAZARD,
    &spec::SKILLS,
    &spec::ITEMS,
    &spec::WITHIN,
    &spec::AVOID,
    &spec::AVOID_LEVEL,
    &spec::EXPLAIN,
    &spec::RELAX,
    &spec::AT,
    &spec::COVER,
    &spec::PREFER,
    &spec::MAX_SITES,
    &spec::STALE_AFTER_H,
    &spec::CRS,
    &spec::POINT,
    &spec::NEAR,
];

/// Maximum number of layers in one request.
const MAX_LAYERS: usize = 16;
const MAX_AREA_COORDINATES: usize = 10_000;
/// Maximum number of excluded features listed; the rest are counted.
const MAX_EXPLAINED: usize = 20;
/// Maximum number of excluded features listed without `explain` if no feature is found.
const EXPLAINED_WHEN_EMPTY: usize = 10;

/// A nearest-resource request.
pub(crate) struct NearestRequest {
    /// The request for each layer.
    pub(crate) parts: Vec<LayerRequest>,
    /// The set of features that together covers the demand, if it is requested.
    pub(crate) cover: Option<CoverOptions>,
    pub(crate) relax: bool,
    /// Travel on roads, if that is how near is measured.
    pub(crate) by_road: Option<ByRoad>,
    /// Which excluded features are listed.
    pub(crate) explain: Explain,
    /// Records last confirmed before this time are marked as outdated.
    pub(crate) confirmed_since: Option<UtcDateTime>,
    pub(crate) crs: CrsTransform,
    pub(crate) caller: Caller,
}

/// The request for one layer.
pub(crate) struct LayerRequest {
    pub(crate) layer: String,
    pub(crate) limit: SearchLimit,
    pub(crate) demand: Demand,
}

impl NearestRequest {
    /// # Errors
    /// When a parameter is invalid, or applies to none of the layers.
    pub(crate) fn read(call: &Call<'_>, parameters: &QueryParams) -> Result<Self, Problem> {
        let (caller, state, snapshot) = (call.caller.clone(), &call.state, &call.current.snapshot);
        let crs = crs_by_name(parameters)?;
        let layers = layers(parameters, snapshot)?;
        let reading = NearestParamsReader { parameters, state, snapshot, layers: &layers };
        let common = reading.common(&crs)?;
        let max_distance_m = parameters.decimal(&spec::MAX_DISTANCE_M)?;
        let mut parts = Vec::new();
        for &(layer, k) in &layers {
            let view = caller.view(layer.schema());
            let demand = Demand { filter: filter(parameters, &view)?, ..common.clone() };
            let name = layer.schema().id.clone();
            parts.push(LayerRequest { layer: name, limit: SearchLimit { k, max_distance_m }, demand });
        }
        let explain = if parameters.flag(&spec::EXPLAIN)? {
            Explain::Always(MAX_EXPLAINED)
        } else {
            Explain::WhenEmpty(EXPLAINED_WHEN_EMPTY)
        };
        let confirmed_since = parameters
            .count(&spec::STALE_AFTER_H)?
            .map(|hours| clock::now().checked_sub(Duration::hours(i64::from(hours))).unwrap_or(UtcDateTime::MIN));
        let by_road = ByRoad::read(call, parameters, common.at)?;
        let (cover, relax) = (cover_options(parameters)?, parameters.flag(&spec::RELAX)?);
        if cover.is_some() && common.people.is_none() && common.skills.is_empty() && common.items.is_empty() {
            let accepted = "cover=true with people=, skills= or items=";
            return Err(invalid("cover", "true", "there is no demand to cover", accepted));
        }
        Ok(Self { parts, cover, relax, by_road, explain, confirmed_since, crs, caller })
    }
}

fn cover_options(parameters: &QueryParams) -> Result<Option<CoverOptions>, Problem> {
    let prefer = match parameters.choice(&spec::PREFER)? {
        "fewest" => Prefer::Fewest,
        "balanced" => Prefer::Balanced,
        _ => Prefer::Nearest,
    };
    let max_members = parameters.count(&spec::MAX_SITES)?.map(|most| most as usize);
    if parameters.flag(&spec::COVER)? {
        return Ok(Some(CoverOptions { prefer, max_members }));
    }
    let options: [&dyn Param; 2] = [&spec::PREFER, &spec::MAX_SITES];
    match options.into_iter().find_map(|param| Some((param.name(), parameters.get(param)?))) {
        Some((name, value)) => {
            Err(invalid(name, value, "it chooses a covering set", &format!("{name}= with cover=true")))
        }
        None => Ok(None),
    }
}

/// Reads parameters and checks them against the fields of the layers.
struct NearestParamsReader<'a> {
    parameters: &'a QueryParams,
    state: &'a AppState,
    snapshot: &'a Snapshot,
    /// The requested layers, each with the number of features to return.
    layers: &'a [(&'a Layer, usize)],
}

/// The layers of the parameter `layer`, each with the number of features to return.
fn layers<'a>(parameters: &QueryParams, snapshot: &'a Snapshot) -> Result<Vec<(&'a Layer, usize)>, Problem> {
    const ACCEPTED: &str = "ids of layers joined by commas, each once, such as shelters or shelters:5,teams:3";
    let text = parameters.get(&spec::NEAREST_LAYER).unwrap_or_default();
    let refused = |detail: &str| invalid("layer", text, detail, ACCEPTED);
    let default_k = parameters.count(&spec::K)?.unwrap_or(spec::K.min);
    let mut layers: Vec<(&Layer, usize)> = Vec::new();
    for part in parameters.list(&spec::NEAREST_LAYER)? {
        let (name, k) = match part.split_once(':') {
            None => (part, default_k),
            Some((name, count)) => match count.parse::<u32>() {
                Ok(k) if (spec::K.min..=spec::K.max).contains(&k) => (name, k),
                _ => return Err(refused(&format!("{count:?} is not a number from 1 to {}", spec::K.max))),
            },
        };
        let layer = layer(snapshot, "layer", name)?;
        if layers.iter().any(|(own, _)| own.schema().id == name) || layers.len() == MAX_LAYERS {
            return Err(refused("a layer is repeated, or there are too many layers"));
        }
        layers.push((layer, k as usize));
    }
    Ok(layers)
}

impl NearestParamsReader<'_> {
    fn schemas(&self) -> impl Iterator<Item = &LayerSchema> {
        self.layers.iter().map(|(layer, _)| layer.schema())
    }

    /// The part of the demand that does not depend on the layer.
    fn common(&self, crs: &CrsTransform) -> Result<Demand, Problem> {
        let parameters = self.parameters;
        self.concerns(&spec::PEOPLE, |schema| schema.roles.capacity.is_some(), "a capacity for people")?;
        self.concerns(&spec::NIGHT, |schema| schema.roles.capacity.is_some(), "a capacity for people")?;
        Ok(Demand {
            status: self.status()?,
            people: parameters.count(&spec::PEOPLE)?,
            by_night: parameters.flag(&spec::NIGHT)?,
            hazards: self.codes(&spec::HAZARD, |schema| Some(schema.roles.suitable_for.as_ref()?.yes.clone()), "")?,
            skills: self.codes(&spec::SKILLS, |schema| schema.roles.skills.clone(), "")?,
            items: self.items()?,
            within: self.within(crs)?,
            avoid: self.avoid()?,
            filter: None,
            at: instant(parameters)?,
        })
    }

    /// Rejects a condition that applies to none of the requested layers.
    fn concerns(&self, param: &dyn Param, has: impl Fn(&LayerSchema) -> bool, what: &str) -> Result<(), Problem> {
        let Some(value) = self.parameters.get(param) else { return Ok(()) };
        if self.schemas().any(&has) {
            return Ok(());
        }
        let layers = self.snapshot.layers().iter().map(|layer| layer.schema()).filter(|schema| has(schema));
        let names: Vec<&str> = layers.map(|schema| schema.id.as_str()).collect();
        let detail = format!("none of the requested layers has {what}");
        Err(invalid(param.name(), value, &detail, &format!("with layer={}", names.join(" or "))))
    }

    fn status(&self) -> Result<Status, Problem> {
        match self.parameters.get(&spec::STATUS) {
            None | Some("ready") => Ok(Status::Ready),
            Some("any") => Ok(Status::Any),
            Some(_) => {
                let field = |schema: &LayerSchema| Some(schema.roles.ready.as_ref()?.field.clone());
                self.codes(&spec::STATUS, field, "ready, any").map(Status::Codes)
            }
        }
    }

    /// Codes, or their Chinese or English names, of the list of a field that one of the layers has; `also` lists other
    /// accepted words.
    fn codes(
        &self,
        param: &List,
        field: impl Fn(&LayerSchema) -> Option<String>,
        also: &str,
    ) -> Result<Vec<String>, Problem> {
        self.concerns(param, |schema| field(schema).is_some(), &format!("a field for {}", param.name))?;
        let list_of = |schema: &LayerSchema| {
            let at = schema.position(&field(schema)?)?;
            schema.fields[at].codes.clone()
        };
        let lists: Vec<String> = self.schemas().filter_map(list_of).collect();
        let known: Vec<&Code> = lists.iter().filter_map(|list| self.state.catalog.codes.get(list)).flatten().collect();
        self.parameters.list(param)?.into_iter().map(|word| code(param, word, &known, also)).collect()
    }

    /// `tent:200,pump:3`.
    fn items(&self) -> Result<Vec<Quantity>, Problem> {
        self.concerns(&spec::ITEMS, |schema| schema.roles.stock.is_some(), "a stock list")?;
        let lists = self.schemas().filter_map(|schema| schema.roles.stock.as_ref());
        let known: Vec<&Code> =
            lists.filter_map(|stock| self.state.catalog.codes.get(&stock.codes)).flatten().collect();
        let mut items: Vec<Quantity> = Vec::new();
        for part in self.parameters.list(&spec::ITEMS)? {
            const ACCEPTED: &str = "items with quantities, such as tent:200,pump:3";
            let (word, count) = part.split_once(':').unwrap_or((part, "1"));
            let count: f64 = match count.trim().parse() {
                Ok(count) if count > 0.0 && count <= 1e9 => count,
                _ => return Err(invalid("items", part, "the quantity is not a number above 0", ACCEPTED)),
            };
            let code = code(&spec::ITEMS, word.trim(), &known, "")?;
            if items.iter().any(|item| item.code == code) {
                return Err(invalid("items", part, "an item is repeated", ACCEPTED));
            }
            items.push(Quantity { code, count });
        }
        Ok(items)
    }

    fn within(&self, crs: &CrsTransform) -> Result<Option<Within>, Problem> {
        let Some(text) = self.parameters.get(&spec::WITHIN) else { return Ok(None) };
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let accepted = "a division code of 2, 4, 6, 9 or 12 digits, such as 350124101, or an area";
            let division = Within::division(text);
            return division.map(Some).ok_or_else(|| invalid("within", text, "it is not a division code", accepted));
        }
        let area = shape(crs, "within", text, MAX_AREA_COORDINATES)?;
        Ok(Some(Within::area(area)))
    }

    /// Hazards, `any`, and layers with active areas.
    fn avoid(&self) -> Result<Avoid, Problem> {
        let parameters = self.parameters;
        let schemas = || self.snapshot.layers().iter().map(|layer| layer.schema());
        let active_areas: Vec<&str> =
            schemas().filter(|schema| schema.roles.active_area.is_some()).map(|schema| schema.id.as_str()).collect();
        let list = |schema: &LayerSchema| {
            let at = schema.position(&schema.roles.zone.as_ref()?.hazard)?;
            self.state.catalog.codes.get(schema.fields[at].codes.as_ref()?)
        };
        let hazards: Vec<&Code> = schemas().filter_map(list).flatten().collect();
        let mut avoid = Avoid::default();
        for word in parameters.list(&spec::AVOID)? {
            if word == "any" {
                avoid.any_hazard = true;
            } else if let Some(id) = active_areas.iter().find(|id| **id == word) {
                avoid.active_areas.push((*id).to_owned());
            } else {
                let also = format!("any, {}", active_areas.join(", "));
                avoid.hazards.push(code(&spec::AVOID, word, &hazards, &also)?);
            }
        }
        avoid.level = parameters.count(&spec::AVOID_LEVEL)?.map(i64::from);
        if let Some(level) = avoid.level
            && avoid.hazards.is_empty()
            && !avoid.any_hazard
        {
            let accepted = "avoid_level= together with a hazard in avoid=";
            return Err(invalid("avoid_level", &level.to_string(), "avoid= names no hazard", accepted));
        }
        Ok(avoid)
    }
}

/// The code for a word, which is the code itself or its Chinese or English name; `also` lists other accepted words.
pub(crate) fn code(param: &List, word: &str, known: &[&Code], also: &str) -> Result<String, Problem> {
    if let Some(code) = known.iter().find_map(|code| matching(code, word)) {
        return Ok(code);
    }
    let names = known.iter().map(|code| parameter_spelling(&code.label.en));
    let accepted: Vec<String> =
        also.split(", ").filter(|word| !word.is_empty()).map(str::to_owned).chain(names).collect();
    Err(invalid(param.name, word, "it is not in the code list", &accepted.join(", ")))
}

/// The code as stored, if the word equals it or its Chinese or English name.
fn matching(code: &Code, word: &str) -> Option<String> {
    let stored = match &code.code {
        CodeValue::Text(text) => text.clone(),
        CodeValue::Integer(number) => number.to_string(),
    };
    let named = code.label.zh == word || parameter_spelling(&code.label.en) == parameter_spelling(word);
    (stored == word || named).then_some(stored)
}

/// A name in the spelling of parameters: `life_jacket`.
fn parameter_spelling(name: &str) -> String {
    name.to_lowercase().replace([' ', '-'], "_")
}
