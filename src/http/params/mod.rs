//! What a request says, as domain types: parameters, points, boxes, layers, its own address.

pub(crate) mod auth;
pub(crate) mod crs;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use serde_json::{Map, Value as Json};

use crate::geodesy::reference::{CrsTransform, Region};
use crate::http::params::crs::RequestCrs;
use crate::http::reply::problem::Problem;
use crate::model::View;
use crate::query::filter::{Filter, Language};
use crate::snapshot::{Layer, Snapshot};

/// Longest query string that is read, bytes.
const MAX_QUERY_BYTES: usize = 16_384;

/// The parameters of a query string, each at most once and all of them known to the path.
pub(crate) struct QueryParams(Vec<(String, String)>);

impl QueryParams {
    /// Nothing is said.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Reads the query string.
    ///
    /// # Errors
    /// When a parameter is unknown, comes twice or cannot be decoded.
    pub(crate) fn read(request: &HttpRequest, known: &[&'static str]) -> Result<Self, Problem> {
        Self::read_beside(request, known, &[])
    }

    /// Reads the query string, in which names of properties may stand too.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn read_beside(
        request: &HttpRequest,
        known: &[&'static str],
        properties: &[&str],
    ) -> Result<Self, Problem> {
        let query = request.query_string();
        let malformed = |detail: &str| Problem::InvalidParameter {
            parameter: "query string".to_owned(),
            value: query.chars().take(200).collect(),
            detail: detail.to_owned(),
            accepted: "name=value pairs joined by &, percent-encoded UTF-8, at most 16 kB".to_owned(),
        };
        if query.len() > MAX_QUERY_BYTES {
            return Err(malformed("it is too long"));
        }
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|error| malformed(&error.to_string()))?
            .into_inner();
        for (at, (name, value)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) && !properties.contains(&name.as_str()) {
                let (parameter, value) = (name.clone(), value.clone());
                return Err(Problem::UnknownParameter { parameter, value, accepted: known.to_vec() });
            }
            if pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(invalid(name, value, "it is given more than once", "each parameter once"));
            }
        }
        Ok(Self(pairs))
    }

    /// Reads the same parameters as members of a JSON object: lists are joined by commas, amounts by name
    /// (`{"tent": 200}`) become `tent:200`, and documents stay JSON.
    ///
    /// # Errors
    /// When a member is unknown or cannot be a parameter.
    pub(crate) fn from_members(members: &Map<String, Json>, known: &[&'static str]) -> Result<Self, Problem> {
        let plain = |value: &Json| match value {
            Json::String(text) => Some(text.clone()),
            Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
            _ => None,
        };
        let mut pairs = Vec::new();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            if !known.contains(&name.as_str()) {
                let (parameter, value) = (name.clone(), value.to_string().chars().take(200).collect());
                return Err(Problem::UnknownParameter { parameter, value, accepted: known.to_vec() });
            }
            let amounts = |(name, count): (&String, &Json)| count.as_f64().map(|count| format!("{name}:{count}"));
            let text = match value {
                Json::Array(items) => items.iter().map(plain).collect::<Option<Vec<_>>>().map(|items| items.join(",")),
                Json::Object(own) if own.values().all(Json::is_number) && !own.is_empty() => {
                    own.iter().map(amounts).collect::<Option<Vec<_>>>().map(|items| items.join(","))
                }
                Json::Object(_) => Some(value.to_string()),
                other => plain(other),
            };
            let text = text.ok_or_else(|| {
                invalid(name, &value.to_string(), "it is not a parameter", "a text, number, list of them or object")
            })?;
            pairs.push((name.clone(), text));
        }
        Ok(Self(pairs))
    }

    /// Yes or no; no without the parameter.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(invalid(name, other, "it is not yes or no", "true, false")),
        }
    }

    /// The form that is asked for by `f`; the first without it.
    pub(crate) fn form(&self, offered: &[&'static str]) -> Result<&'static str, Problem> {
        let asked = self.get("f").unwrap_or_default();
        let found = offered.iter().find(|form| **form == asked || asked.is_empty());
        found.copied().ok_or_else(|| invalid("f", asked, "this form is not offered", &offered.join(", ")))
    }

    /// Parts between commas, none of them empty; none without the parameter.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<&str>, Problem> {
        let Some(text) = self.get(name) else { return Ok(Vec::new()) };
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(invalid(name, text, "a part of it is empty", "values joined by commas"));
        }
        Ok(parts)
    }

    /// All of them, name and value.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn required(&self, parameter: &'static str, accepted: &str) -> Result<&str, Problem> {
        self.get(parameter).ok_or_else(|| Problem::MissingParameter { parameter, accepted: accepted.to_owned() })
    }

    /// A whole number within bounds.
    pub(crate) fn count(&self, name: &str, default: usize, min: usize, max: usize) -> Result<usize, Problem> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let accepted = format!("a whole number from {min} to {max}");
        match text.parse::<usize>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            Ok(_) => Err(invalid(name, text, "it is out of range", &accepted)),
            Err(_) => Err(invalid(name, text, "it is not a whole number", &accepted)),
        }
    }

    /// A whole number from 1; what is above the maximum is the maximum (OGC 17-069r4, requirement 22).
    pub(crate) fn count_at_most(&self, name: &str, default: usize, max: usize) -> Result<usize, Problem> {
        let is_above = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits && text.parse::<usize>().map_or(true, |number| number > max)
        };
        match self.get(name) {
            Some(text) if is_above(text) => Ok(max),
            _ => self.count(name, default, 1, max),
        }
    }

    /// A positive number of metres.
    pub(crate) fn metres(&self, name: &str, max: f64) -> Result<Option<f64>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse::<f64>() {
            Ok(metres) if metres > 0.0 && metres <= max => Ok(Some(metres)),
            _ => {
                let accepted = format!("a number of metres above 0 and up to {max}");
                Err(invalid(name, text, "it is not a distance", &accepted))
            }
        }
    }

    /// A box `WEST,SOUTH,EAST,NORTH`, or of the least and the greatest coordinates of another reference system; six
    /// numbers, with heights, are taken too.
    pub(crate) fn bbox(&self, reference: &CrsTransform) -> Result<Option<Region>, Problem> {
        const ACCEPTED: &str = "four numbers: the least and the greatest of both coordinates, WEST,SOUTH,EAST,NORTH in \
                                degrees without bbox-crs; west greater than east crosses the antimeridian";
        let Some(text) = self.get("bbox") else { return Ok(None) };
        let refused = |detail: &str| invalid("bbox", text, detail, ACCEPTED);
        let flat = || numbers::<4>(text);
        let high = || numbers::<6>(text).map(|[a, b, _, c, d, _]| [a, b, c, d]);
        let sides = flat().or_else(high).ok_or_else(|| refused("it is not four numbers joined by commas"))?;
        reference.bent_box(sides).map(Some).map_err(|error| refused(&error.to_string()))
    }

    /// A CQL2 filter on the fields of a layer that the caller may see; coordinates are longitude, latitude, or those of
    /// `filter-crs`.
    pub(crate) fn filter(&self, view: &View<'_>) -> Result<Option<Filter>, Problem> {
        let frame = RequestCrs::at_address(self, "filter-crs")?;
        let language = match self.get("filter-lang") {
            None | Some("cql2-text") => Language::Text,
            Some("cql2-json") => Language::Json,
            Some(other) => return Err(invalid("filter-lang", other, "this is not offered", "cql2-text, cql2-json")),
        };
        let Some(text) = self.get("filter") else { return Ok(None) };
        let accepted = "a CQL2 expression on the properties of the collection, such as status='open' AND capacity>=100";
        let filter = Filter::read_in(frame.reference(), text, language, view);
        filter.map(Some).map_err(|error| invalid("filter", text, &error.to_string(), accepted))
    }
}

/// The bytes of a body of one of these media types, joined by commas.
///
/// # Errors
/// When it is of another type, too long or cut off.
pub(crate) async fn body(
    request: &HttpRequest,
    payload: web::Payload,
    accepted: &'static str,
    limit_bytes: usize,
) -> Result<web::Bytes, Problem> {
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !accepted.split(", ").any(|accepted| accepted == essence) {
        return Err(Problem::WrongMediaType { given: given.chars().take(200).collect(), accepted });
    }
    let bytes = payload.to_bytes_limited(limit_bytes).await.map_err(|_| Problem::TooLarge { limit_bytes })?;
    bytes.map_err(|error| not_json(&error.to_string()))
}

/// A body as JSON.
///
/// # Errors
/// When it is not.
pub(crate) fn parse_json(bytes: &[u8]) -> Result<Json, Problem> {
    serde_json::from_slice(bytes).map_err(|error| not_json(&error.to_string()))
}

fn not_json(detail: &str) -> Problem {
    invalid("body", "", detail, "a JSON document in UTF-8")
}

/// A refusal of a value.
pub(crate) fn invalid(parameter: &str, value: &str, detail: &str, accepted: &str) -> Problem {
    Problem::InvalidParameter {
        parameter: parameter.to_owned(),
        value: value.chars().take(200).collect(),
        detail: detail.to_owned(),
        accepted: accepted.to_owned(),
    }
}

pub(crate) fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let parts: Vec<f64> = text.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
    parts.try_into().ok()
}

/// A layer of the snapshot by the name a request gives.
///
/// # Errors
/// When there is none; the names that exist are told.
pub(crate) fn layer<'a>(snapshot: &'a Snapshot, what: &'static str, name: &str) -> Result<&'a Layer, Problem> {
    snapshot.layer(name).ok_or_else(|| {
        let names: Vec<&str> = snapshot.layers().iter().map(|layer| layer.schema().id.as_str()).collect();
        Problem::NotFound { what, value: name.chars().take(200).collect(), accepted: names.join(", ") }
    })
}

/// The server's own address as the caller reached it, without a trailing slash.
pub(crate) fn origin(request: &HttpRequest, public_url: Option<&str>) -> String {
    if let Some(url) = public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let plain = |host: &&str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte));
    format!("http://{}", host.filter(plain).unwrap_or("localhost"))
}
