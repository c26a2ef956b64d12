//! Query parameters as domain types, read through their declarations; bodies; layers by name.

pub(crate) mod auth;
pub(crate) mod cookie;
pub(crate) mod crs;
pub(crate) mod duty;
pub(crate) mod filters;
pub(crate) mod lists;
pub(crate) mod param;
pub(crate) mod proxy_identity;
pub(crate) mod spec;
pub(crate) mod travel;
pub(crate) mod viewer;

use actix_web::web;
use serde_json::{Map, Value as Json};

use crate::http::params::param::{Choice, Count, Decimal, Flag, List, Numbers, Param, Profiles};
use crate::http::reply::problem::Problem;
use crate::model::FeatureId;
use crate::snapshot::{Layer, Row, Snapshot};

/// Maximum length of a query string, bytes.
const MAX_QUERY_BYTES: usize = 16_384;
/// URIs of profiles in the register of the OGC.
pub(crate) const PROFILE: &str = "http://www.opengis.net/def/profile/OGC/0/";
/// Maximum number of characters of a refused value in a problem.
const MAX_VALUE: usize = 200;

/// The parameters of a request: each at most once, and each declared by the endpoint.
#[derive(Clone)]
pub(crate) struct QueryParams {
    pairs: Vec<(String, String)>,
    declared: &'static [&'static dyn Param],
}

impl QueryParams {
    /// Reads a query string. `properties` are names that stand for a filter on a property of the collection.
    ///
    /// # Errors
    /// When a parameter is unknown and not to be ignored, is repeated or cannot be decoded.
    pub(crate) fn read(
        query: &str,
        declared: &'static [&'static dyn Param],
        properties: &[&str],
        ignores_unknown: bool,
    ) -> Result<Self, Problem> {
        let malformed = |detail: &str| Problem::InvalidParameter {
            parameter: "query string".to_owned(),
            value: query.chars().take(MAX_VALUE).collect(),
            detail: detail.to_owned(),
            accepted: "name=value pairs joined by &, percent-encoded UTF-8, at most 16 kB".to_owned(),
        };
        if query.len() > MAX_QUERY_BYTES {
            return Err(malformed("it is too long"));
        }
        if query.is_empty() {
            return Self { pairs: Vec::new(), declared }.checked();
        }
        if percent_encoding::percent_decode_str(query).decode_utf8().is_err() {
            return Err(malformed("it is not UTF-8"));
        }
        let mut pairs = web::Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|error| malformed(&error.to_string()))?
            .into_inner();
        let is_known = |name: &str| declared.iter().any(|param| param.name() == name) || properties.contains(&name);
        if ignores_unknown {
            pairs.retain(|(name, _)| is_known(name));
        }
        for (at, (name, value)) in pairs.iter().enumerate() {
            if !is_known(name) {
                return Err(unknown(name, value, declared));
            }
            if pairs.iter().take(at).any(|(earlier, _)| earlier == name) {
                return Err(invalid(name, value, "it is repeated", "each parameter once"));
            }
        }
        Self { pairs, declared }.checked()
    }

    /// Reads the same parameters as members of a JSON object: arrays are joined by commas, quantities by name
    /// (`{"tent": 200}`) become `tent:200`, and other objects stay JSON.
    ///
    /// # Errors
    /// When a member is unknown or cannot be a parameter.
    pub(crate) fn from_members(
        members: &Map<String, Json>,
        declared: &'static [&'static dyn Param],
    ) -> Result<Self, Problem> {
        let plain = |value: &Json| match value {
            Json::String(text) => Some(text.clone()),
            Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
            _ => None,
        };
        let mut pairs = Vec::new();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            if !declared.iter().any(|param| param.name() == name) {
                return Err(unknown(name, &value.to_string(), declared));
            }
            let quantity = |(name, count): (&String, &Json)| count.as_f64().map(|count| format!("{name}:{count}"));
            let text = match value {
                Json::Array(items) => items.iter().map(plain).collect::<Option<Vec<_>>>().map(|items| items.join(",")),
                Json::Object(own) if own.values().all(Json::is_number) && !own.is_empty() => {
                    own.iter().map(quantity).collect::<Option<Vec<_>>>().map(|items| items.join(","))
                }
                Json::Object(_) => Some(value.to_string()),
                other => plain(other),
            };
            let text = text.ok_or_else(|| {
                invalid(
                    name,
                    &value.to_string(),
                    "it is not a parameter",
                    "a string, a number, an array of them or an object",
                )
            })?;
            pairs.push((name.clone(), text));
        }
        Self { pairs, declared }.checked()
    }

    /// Refuses texts beyond their length and a request that lacks a required parameter.
    fn checked(self) -> Result<Self, Problem> {
        for (name, value) in self.pairs() {
            let refusing = self.declared.iter().find(|param| param.name() == name && param.refuses(value));
            if let Some(param) = refusing {
                return Err(invalid(name, value, "it is empty or too long", &param.accepted()));
            }
        }
        match self.declared.iter().find(|param| param.required() && self.value(param.name()).is_none()) {
            Some(missing) => Err(Problem::MissingParameter { parameter: missing.name(), accepted: missing.accepted() }),
            None => Ok(self),
        }
    }

    /// All of them, name and value.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether the endpoint declares a parameter of this name.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.declared.iter().any(|own| own.name() == name)
    }

    /// The raw value of a declared parameter. A parameter that the endpoint does not declare has no value, because a
    /// request with it is refused.
    pub(crate) fn get(&self, param: &dyn Param) -> Option<&str> {
        self.value(param.name())
    }

    /// The value of a parameter that is named like a property.
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        self.value(name)
    }

    /// True or false; false without the parameter.
    pub(crate) fn flag(&self, param: &Flag) -> Result<bool, Problem> {
        match self.get(param) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(invalid(param.name, other, "it is neither true nor false", &param.accepted())),
        }
    }

    /// One of the declared words; the first without the parameter.
    pub(crate) fn choice(&self, param: &Choice) -> Result<&'static str, Problem> {
        let Some(text) = self.get(param) else { return Ok(param.values.first().copied().unwrap_or_default()) };
        let found = param.values.iter().find(|own| **own == text);
        found.copied().ok_or_else(|| invalid(param.name, text, "it is not one of the values", &param.accepted()))
    }

    /// Texts between commas, none of them empty; none without the parameter.
    pub(crate) fn list(&self, param: &List) -> Result<Vec<&str>, Problem> {
        let Some(text) = self.get(param) else { return Ok(Vec::new()) };
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(invalid(param.name, text, "an entry is empty", &param.accepted()));
        }
        if parts.len() > param.max {
            return Err(invalid(param.name, text, &format!("it has {} values", parts.len()), &param.accepted()));
        }
        Ok(parts)
    }

    /// The profiles that are asked for, in order: each by its id, its URI or its safe CURIE (OGC 23-058r2,
    /// section 13).
    pub(crate) fn profiles(&self, param: &Profiles) -> Result<Vec<&'static str>, Problem> {
        let Some(text) = self.get(param) else { return Ok(Vec::new()) };
        let profile = |part: &str| {
            let part = part.trim();
            let id = part.strip_prefix(PROFILE).or_else(|| part.strip_prefix(&PROFILE.replacen("http", "https", 1)));
            let curie = part.strip_prefix("[ogc-profile:").and_then(|rest| rest.strip_suffix(']'));
            let id = id.or(curie).unwrap_or(part);
            param.ids.iter().copied().find(|own| *own == id)
        };
        let parts = text.split(',').map(|part| {
            profile(part).ok_or_else(|| invalid(param.name, part, "this profile is not offered", &param.accepted()))
        });
        parts.collect()
    }

    /// A whole number within its bounds; its default without the parameter.
    pub(crate) fn count(&self, param: &Count) -> Result<Option<u32>, Problem> {
        let Some(text) = self.get(param) else { return Ok(param.default) };
        let accepted = param.accepted();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<u32>() {
            Ok(number) if (param.min..=param.max).contains(&number) => Ok(Some(number)),
            Ok(number) if param.capped && number > param.max => Ok(Some(param.max)),
            // More digits than the type holds.
            Err(_) if param.capped && is_number => Ok(Some(param.max)),
            Ok(_) => Err(invalid(param.name, text, "it is out of range", &accepted)),
            Err(_) => Err(invalid(param.name, text, "it is not a whole number", &accepted)),
        }
    }

    /// A number in its unit; its default without the parameter.
    pub(crate) fn decimal(&self, param: &Decimal) -> Result<Option<f64>, Problem> {
        let Some(text) = self.get(param) else { return Ok(param.default) };
        match text.parse::<f64>() {
            Ok(number) if number > 0.0 && number <= param.max => Ok(Some(number)),
            _ => Err(invalid(param.name, text, "it is not a number in range", &param.accepted())),
        }
    }

    /// Numbers within their bounds; none without the parameter.
    pub(crate) fn numbers(&self, param: &Numbers) -> Result<Option<Vec<f64>>, Problem> {
        let Some(text) = self.get(param) else { return Ok(None) };
        let refused = |detail: &str| invalid(param.name, text, detail, param.accepted);
        let numbers: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
        let numbers = numbers.ok_or_else(|| refused("it is not a list of numbers joined by commas"))?;
        if !(param.min_items..=param.max_items).contains(&numbers.len()) {
            return Err(refused(&format!("it has {} numbers", numbers.len())));
        }
        let is_within = |number: &f64| {
            number.is_finite()
                && param.above.is_none_or(|above| *number > above)
                && param.max.is_none_or(|max| *number <= max)
        };
        if !numbers.iter().all(is_within) {
            return Err(refused("a number is out of range"));
        }
        Ok(Some(numbers))
    }

    /// The value of `f`.
    pub(crate) fn format(&self) -> Option<&str> {
        self.value("f")
    }
}

fn unknown(name: &str, value: &str, declared: &'static [&'static dyn Param]) -> Problem {
    if name == "combine" && declared.iter().any(|param| param.name() == spec::COVER.name) {
        return invalid(name, value, "this parameter is now called cover", "cover=true");
    }
    Problem::UnknownParameter {
        parameter: name.to_owned(),
        value: value.chars().take(MAX_VALUE).collect(),
        accepted: declared.iter().map(|param| param.name()).collect(),
    }
}

/// A body as JSON.
///
/// # Errors
/// When it is not valid JSON.
pub(crate) fn parse_json(bytes: &[u8]) -> Result<Json, Problem> {
    serde_json::from_slice(bytes).map_err(|error| not_json(&error.to_string()))
}

fn not_json(detail: &str) -> Problem {
    invalid("body", "", detail, "a JSON document in UTF-8")
}

/// The problem for an invalid value.
pub(crate) fn invalid(parameter: &str, value: &str, detail: &str, accepted: &str) -> Problem {
    Problem::InvalidParameter {
        parameter: parameter.to_owned(),
        value: value.chars().take(MAX_VALUE).collect(),
        detail: detail.to_owned(),
        accepted: accepted.to_owned(),
    }
}

/// A layer of the snapshot by its id in the request.
///
/// # Errors
/// When it does not exist; the error lists the existing ids.
pub(crate) fn layer<'a>(snapshot: &'a Snapshot, what: &'static str, name: &str) -> Result<&'a Layer, Problem> {
    snapshot.layer(name).ok_or_else(|| {
        let names: Vec<&str> = snapshot.layers().iter().map(|layer| layer.schema().id.as_str()).collect();
        Problem::NotFound { what, value: name.chars().take(MAX_VALUE).collect(), accepted: names.join(", ") }
    })
}

/// A feature of a layer by its id in the request.
///
/// # Errors
/// When it does not exist; the error calls it `what`.
pub(crate) fn feature<'a>(layer: &'a Layer, what: &'static str, id: &str) -> Result<Row<'a>, Problem> {
    FeatureId::new(id).ok().and_then(|id| layer.find(&id)).ok_or_else(|| Problem::NotFound {
        what,
        value: id.chars().take(MAX_VALUE).collect(),
        accepted: String::new(),
    })
}
