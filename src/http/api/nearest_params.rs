//! What a dispatcher's job asks for, read from parameters: layers, amounts, skills, places to keep out of.

use time::{Duration, UtcDateTime};

use crate::clock;
use crate::http::AppState;
use crate::http::params::crs::RequestCrs;
use crate::http::params::{QueryParams, invalid, layer};
use crate::http::reply::problem::Problem;
use crate::model::catalog::{Code, CodeValue};
use crate::model::{LayerSchema, View};
use crate::query::nearest::demand::{Avoid, Demand, Quantity, Status, Within};
use crate::query::nearest::traversal::SearchLimit;
use crate::snapshot::Snapshot;

/// The parameters of a job.
pub(crate) const PARAMETERS: [&str; 22] = [
    "layer",
    "k",
    "max_distance_m",
    "filter",
    "filter-lang",
    "filter-crs",
    "status",
    "people",
    "night",
    "hazard",
    "skills",
    "items",
    "within",
    "avoid",
    "avoid_level",
    "explain",
    "relax",
    "cover",
    "stale_after_h",
    "crs",
    "point",
    "near",
];

const DEFAULT_K: usize = 5;
const MAX_K: usize = 1_000;
/// Most layers of one call.
const MAX_LAYERS: usize = 16;
/// Longer than any geodesic, metres.
const MAX_DISTANCE_M: f64 = 20_100_000.0;
/// More than live on earth.
const MAX_PEOPLE: usize = 1_000_000_000;
const MAX_AREA_COORDINATES: usize = 10_000;
/// Most features that are told of as passed over.
const MAX_EXPLAINED: usize = 1_000;
const MAX_AGE_H: usize = 1_000_000;

/// A job.
pub(crate) struct NearestRequest {
    /// What is asked of each layer.
    pub(crate) parts: Vec<LayerRequest>,
    /// Sets that cover the demand together.
    pub(crate) cover: bool,
    pub(crate) relax: bool,
    /// How many of those who were passed over are told of.
    pub(crate) explain: usize,
    /// Records that nobody has confirmed since are marked.
    pub(crate) confirmed_since: Option<UtcDateTime>,
    pub(crate) frame: RequestCrs,
}

/// What is asked of one layer.
pub(crate) struct LayerRequest {
    pub(crate) layer: String,
    pub(crate) limit: SearchLimit,
    pub(crate) demand: Demand,
}

impl NearestRequest {
    /// # Errors
    /// When a parameter cannot be understood, or concerns none of the layers.
    pub(crate) fn read(parameters: &QueryParams, state: &AppState, snapshot: &Snapshot) -> Result<Self, Problem> {
        let frame = RequestCrs::read(parameters)?;
        let reading = NearestParamsReader { parameters, state, snapshot };
        let common = reading.common(&frame)?;
        let max_distance_m = parameters.metres("max_distance_m", MAX_DISTANCE_M)?;
        let mut parts = Vec::new();
        for (name, k) in reading.layers()? {
            let view = View::public(layer(snapshot, "layer", &name)?.schema());
            let demand = Demand { filter: parameters.filter(&view)?, ..common.clone() };
            parts.push(LayerRequest { layer: name, limit: SearchLimit { k, max_distance_m }, demand });
        }
        let explain = if parameters.flag("explain")? { MAX_EXPLAINED } else { 0 };
        let hours = parameters.count("stale_after_h", 0, 1, MAX_AGE_H)?;
        let age = Duration::hours(i64::try_from(hours).unwrap_or(i64::MAX));
        let confirmed_since = (hours > 0).then(|| clock::now().checked_sub(age).unwrap_or(UtcDateTime::MIN));
        let (cover, relax) = (parameters.flag("cover")?, parameters.flag("relax")?);
        if cover && common.people.is_none() && common.skills.is_empty() && common.items.is_empty() {
            let accepted = "cover=true beside people=, skills= or items=";
            return Err(invalid("cover", "true", "nothing is asked for that could be shared", accepted));
        }
        Ok(Self { parts, cover, relax, explain, confirmed_since, frame })
    }
}

/// Reads parameters against what the layers have.
struct NearestParamsReader<'a> {
    parameters: &'a QueryParams,
    state: &'a AppState,
    snapshot: &'a Snapshot,
}

impl NearestParamsReader<'_> {
    /// Names of layers, and how many answers each.
    fn layers(&self) -> Result<Vec<(String, usize)>, Problem> {
        const ACCEPTED: &str = "ids of layers joined by commas, each once, such as shelters or shelters:5,teams:3";
        let text = self.parameters.required("layer", ACCEPTED)?;
        let refused = |detail: &str| invalid("layer", text, detail, ACCEPTED);
        let default_k = self.parameters.count("k", DEFAULT_K, 1, MAX_K)?;
        let mut layers: Vec<(String, usize)> = Vec::new();
        for part in self.parameters.list("layer")? {
            let (name, k) = match part.split_once(':') {
                None => (part, default_k),
                Some((name, count)) => match count.parse::<usize>() {
                    Ok(k) if (1..=MAX_K).contains(&k) => (name, k),
                    _ => return Err(refused(&format!("{count:?} is not a number from 1 to {MAX_K}"))),
                },
            };
            layer(self.snapshot, "layer", name)?;
            if layers.iter().any(|(own, _)| own == name) || layers.len() == MAX_LAYERS {
                return Err(refused("a layer stands more than once, or there are too many"));
            }
            layers.push((name.to_owned(), k));
        }
        Ok(layers)
    }

    /// The schemas of the layers that are asked.
    fn schemas(&self) -> Vec<&LayerSchema> {
        let names: Vec<&str> = self.parameters.get("layer").unwrap_or_default().split(',').collect();
        let is_asked =
            |schema: &&LayerSchema| names.iter().any(|name| name.trim().split(':').next() == Some(schema.id.as_str()));
        self.snapshot.layers().iter().map(|layer| layer.schema()).filter(is_asked).collect()
    }

    /// All that does not depend on the layer.
    fn common(&self, frame: &RequestCrs) -> Result<Demand, Problem> {
        let parameters = self.parameters;
        self.concerns("people", |schema| schema.roles.capacity.is_some(), "room for people")?;
        self.concerns("night", |schema| schema.roles.capacity.is_some(), "room for people")?;
        let people = parameters.count("people", 0, 1, MAX_PEOPLE)?;
        Ok(Demand {
            status: self.status()?,
            people: u32::try_from(people).ok().filter(|people| *people > 0),
            by_night: parameters.flag("night")?,
            hazards: self.codes("hazard", |schema| Some(schema.roles.suitable_for.as_ref()?.yes.clone()), "")?,
            skills: self.codes("skills", |schema| schema.roles.skills.clone(), "")?,
            items: self.items()?,
            within: self.within(frame)?,
            avoid: self.avoid()?,
            filter: None,
            today: clock::today(),
        })
    }

    /// A condition that no layer has anything to say to is a mistake.
    fn concerns(&self, name: &'static str, has: impl Fn(&LayerSchema) -> bool, what: &str) -> Result<(), Problem> {
        let Some(value) = self.parameters.get(name) else { return Ok(()) };
        if self.schemas().into_iter().any(&has) {
            return Ok(());
        }
        let layers = self.snapshot.layers().iter().map(|layer| layer.schema()).filter(|schema| has(schema));
        let names: Vec<&str> = layers.map(|schema| schema.id.as_str()).collect();
        let detail = format!("none of the layers asked has {what}");
        Err(invalid(name, value, &detail, &format!("with layer={}", names.join(" or "))))
    }

    fn status(&self) -> Result<Status, Problem> {
        match self.parameters.get("status") {
            None | Some("ready") => Ok(Status::Ready),
            Some("any") => Ok(Status::Any),
            Some(_) => {
                let field = |schema: &LayerSchema| Some(schema.roles.ready.as_ref()?.field.clone());
                self.codes("status", field, "ready, any").map(Status::Codes)
            }
        }
    }

    /// Codes, or their Chinese or English names, of the list of a field that one of the layers has; `also` are words
    /// that would be taken too.
    fn codes(
        &self,
        name: &'static str,
        field: impl Fn(&LayerSchema) -> Option<String>,
        also: &str,
    ) -> Result<Vec<String>, Problem> {
        self.concerns(name, |schema| field(schema).is_some(), &format!("something to say to {name}"))?;
        let list_of = |schema: &LayerSchema| {
            let at = schema.position(&field(schema)?)?;
            schema.fields[at].codes.clone()
        };
        let lists: Vec<String> = self.schemas().into_iter().filter_map(list_of).collect();
        let known: Vec<&Code> = lists.iter().filter_map(|list| self.state.catalog.codes.get(list)).flatten().collect();
        self.parameters.list(name)?.into_iter().map(|word| code(name, word, &known, also)).collect()
    }

    /// `tent:200,pump:3`.
    fn items(&self) -> Result<Vec<Quantity>, Problem> {
        self.concerns("items", |schema| schema.roles.stock.is_some(), "articles")?;
        let lists = self.schemas().into_iter().filter_map(|schema| schema.roles.stock.as_ref());
        let known: Vec<&Code> =
            lists.filter_map(|stock| self.state.catalog.codes.get(&stock.codes)).flatten().collect();
        let mut items: Vec<Quantity> = Vec::new();
        for part in self.parameters.list("items")? {
            const ACCEPTED: &str = "articles and how many of each, such as tent:200,pump:3";
            let (word, count) = part.split_once(':').unwrap_or((part, "1"));
            let count: f64 = match count.trim().parse() {
                Ok(count) if count > 0.0 && count <= 1e9 => count,
                _ => return Err(invalid("items", part, "the quantity is not a number above 0", ACCEPTED)),
            };
            let code = code("items", word.trim(), &known, "")?;
            if items.iter().any(|item| item.code == code) {
                return Err(invalid("items", part, "an article stands more than once", ACCEPTED));
            }
            items.push(Quantity { code, count });
        }
        Ok(items)
    }

    fn within(&self, frame: &RequestCrs) -> Result<Option<Within>, Problem> {
        let Some(text) = self.parameters.get("within") else { return Ok(None) };
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let accepted = "a division code of 2, 4, 6, 9 or 12 digits, such as 350124101, or an area";
            let division = Within::division(text);
            return division.map(Some).ok_or_else(|| invalid("within", text, "it is not a division code", accepted));
        }
        let area = frame.shape("within", text, MAX_AREA_COORDINATES)?;
        Ok(Some(Within::Area(Box::new(area))))
    }

    /// Dangers, `any`, and layers in whose areas something happens.
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
        for word in parameters.list("avoid")? {
            if word == "any" {
                avoid.any_hazard = true;
            } else if let Some(id) = active_areas.iter().find(|id| **id == word) {
                avoid.active_areas.push((*id).to_owned());
            } else {
                let also = format!("any, {}", active_areas.join(", "));
                avoid.hazards.push(code("avoid", word, &hazards, &also)?);
            }
        }
        let level = parameters.count("avoid_level", 0, 1, 4)?;
        avoid.level = i64::try_from(level).ok().filter(|level| *level > 0);
        if avoid.level.is_some() && avoid.hazards.is_empty() && !avoid.any_hazard {
            return Err(invalid(
                "avoid_level",
                &level.to_string(),
                "no danger is avoided",
                "beside avoid= and a danger",
            ));
        }
        Ok(avoid)
    }
}

/// The code that a word means: itself, or its Chinese or English name; `also` are words that would be taken too.
pub(crate) fn code(name: &str, word: &str, known: &[&Code], also: &str) -> Result<String, Problem> {
    if let Some(code) = known.iter().find_map(|code| matching(code, word)) {
        return Ok(code);
    }
    let names = known.iter().map(|code| spoken(&code.label.en));
    let accepted: Vec<String> =
        also.split(", ").filter(|word| !word.is_empty()).map(str::to_owned).chain(names).collect();
    Err(invalid(name, word, "there is nothing of that name", &accepted.join(", ")))
}

/// The code as stored, if a word is it, or its Chinese or English name.
fn matching(code: &Code, word: &str) -> Option<String> {
    let stored = match &code.code {
        CodeValue::Text(text) => text.clone(),
        CodeValue::Integer(number) => number.to_string(),
    };
    let named = code.label.zh == word || spoken(&code.label.en) == spoken(word);
    (stored == word || named).then_some(stored)
}

/// A name as it is written in a parameter: `life_jacket`.
fn spoken(name: &str) -> String {
    name.to_lowercase().replace([' ', '-'], "_")
}
