//! Reads and checks the values and geometry of one feature; shared by imports and requests.
//!
//! Requests contain JSON written for the schema, so values must have the types of the fields. Files may contain numbers
//! and lists as text and codes as labels, as in tables. Otherwise both are read alike.

use std::borrow::Cow;

use geo::CoordsIter;
use serde_json::Value as Json;
use time::Time;

use super::fault::Fault;
use super::{spelling, value_from_json};
use crate::geodesy::distance::nearest_place;
use crate::geodesy::validity::check_validity;
use crate::geodesy::{Envelope, LonLat};
use crate::model::catalog::{Code, CodeValue, County};
use crate::model::{
    Catalog, Field, FieldType, LayerSchema, Shape, ShapeError, Value, format_date, parse_date, parse_instant,
};

/// Likeness, from 0 to 1, from which a label is suggested for a text that is no code.
const LEAST_LIKENESS: f64 = 0.6;

/// The encoding of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// In the JSON type of the field; codes are not translated.
    Exact,
    /// As in tables: any value may be text, and codes may be their Chinese or English labels.
    Table,
}

/// Why a value or a geometry is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Defect {
    /// Its kind.
    pub fault: Fault,
    /// The reason.
    pub reason: String,
    /// What is accepted.
    pub accepted: String,
}

/// Reads values and geometries of one layer.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    catalog: &'a Catalog,
    schema: &'a LayerSchema,
    spelling: Spelling,
}

impl<'a> Reader<'a> {
    /// Creates a reader for a layer.
    #[must_use]
    pub fn new(catalog: &'a Catalog, schema: &'a LayerSchema, spelling: Spelling) -> Self {
        Self { catalog, schema, spelling }
    }

    /// The layer.
    #[must_use]
    pub fn schema(&self) -> &'a LayerSchema {
        self.schema
    }

    /// Reads a value of a field; null and blank text are unknown.
    ///
    /// # Errors
    /// When it has another type, is out of range or is not in the code list.
    pub fn value(&self, field: &Field, json: &Json) -> Result<Value, Defect> {
        let defect = |fault, reason: String| Defect { fault, reason, accepted: self.accepted(field) };
        let codes = field.codes.as_ref().and_then(|list| self.catalog.codes.get(list)).map(Vec::as_slice);
        let json = match self.spelling {
            Spelling::Exact if !is_of_type(field.field_type, json) => {
                return Err(defect(Fault::WrongType, format!("it is not of type {}", field.field_type.name())));
            }
            Spelling::Exact => Cow::Borrowed(json),
            Spelling::Table => {
                as_typed(field, codes.unwrap_or_default(), json).map_err(|reason| defect(Fault::WrongType, reason))?
            }
        };
        let mut value =
            value_from_json(field, &json).map_err(|error| defect(Fault::from(&error), error.to_string()))?;
        let Some(codes) = codes else { return Ok(value) };
        if self.spelling == Spelling::Table {
            match &mut value {
                Value::Text(text) => replace_label(codes, text),
                Value::TextList(list) => list.iter_mut().for_each(|text| replace_label(codes, text)),
                _ => {}
            }
        }
        match unknown_code(codes, &value) {
            Some(unknown) => {
                let like = similar_label(codes, &unknown).map(str::to_owned);
                let hint = like.as_ref().map(|label| format!("; did you mean {label}?")).unwrap_or_default();
                Err(defect(Fault::UnknownCode { like }, format!("{unknown} is not in the code list{hint}")))
            }
            None => Ok(value),
        }
    }

    /// Reads a geometry in longitude, latitude degrees.
    ///
    /// # Errors
    /// When its coordinates are not positions, its kind is not that of the layer, or it is invalid, such as a
    /// self-intersecting ring.
    pub fn shape(&self, geometry: geo::Geometry) -> Result<Shape, Defect> {
        let kind = self.schema.geometry.name();
        let defect = |fault, reason: String| Defect {
            fault,
            reason,
            accepted: format!("a GeoJSON {kind} geometry in longitude, latitude degrees, or null"),
        };
        let shape = Shape::new(geometry).map_err(|error| {
            let fault =
                if matches!(error, ShapeError::Position(_)) { Fault::NoPosition } else { Fault::InvalidGeometry };
            defect(fault, error.to_string())
        })?;
        if !self.schema.geometry.accepts(shape.kind()) {
            let reason = format!("the layer contains {kind} features, not {}", shape.kind().name());
            return Err(defect(Fault::WrongGeometry, reason));
        }
        check_validity(shape.geometry())
            .map_err(|error| defect(Fault::InvalidGeometry, format!("it is not valid: {error}")))?;
        Ok(shape)
    }

    fn accepted(&self, field: &Field) -> String {
        let codes = field.codes.as_ref().and_then(|list| self.catalog.codes.get(list)).map(|list| {
            let codes = list.iter().map(|code| code.code.to_string()).collect::<Vec<_>>();
            format!(", one of {}", codes.join(", "))
        });
        let at_least = field.min.map(|min| format!(", at least {min}"));
        let at_most = field.max.map(|max| format!(", at most {max}"));
        let parts = [codes, at_least, at_most].into_iter().flatten().collect::<String>();
        format!("{}{parts}, or null for unknown", field.field_type.name())
    }
}

/// Checks the JSON type of a value; null is unknown for all types.
fn is_of_type(field_type: FieldType, value: &Json) -> bool {
    value.is_null()
        || match field_type {
            FieldType::Boolean => value.is_boolean(),
            FieldType::Integer | FieldType::Real => value.is_number(),
            FieldType::Text | FieldType::Date | FieldType::DateTime => value.is_string(),
            FieldType::TextList => value.is_array(),
            FieldType::Json => value.is_array() || value.is_object(),
        }
}

/// Checks a stored value: its type, range and codes.
///
/// # Errors
/// What is wrong with it.
pub fn check_value(catalog: &Catalog, field: &Field, value: &Value) -> Result<(), String> {
    field.check(value).map_err(|error| error.to_string())?;
    let codes = field.codes.as_ref().and_then(|list| catalog.codes.get(list));
    match codes.and_then(|codes| unknown_code(codes, value)) {
        Some(unknown) => Err(format!("{unknown} is not in the code list")),
        None => Ok(()),
    }
}

/// The first code of a value that is not in the list.
fn unknown_code(codes: &[Code], value: &Value) -> Option<String> {
    let known = |wanted: &CodeValue| codes.iter().any(|code| code.code == *wanted);
    let texts: &[String] = match value {
        Value::Integer(number) => {
            return (!known(&CodeValue::Integer(*number))).then(|| number.to_string());
        }
        Value::Text(text) => std::slice::from_ref(text),
        Value::TextList(list) => list,
        _ => &[],
    };
    texts.iter().find(|text| !known(&CodeValue::Text((*text).clone()))).cloned()
}

fn code_of_label<'a>(codes: &'a [Code], text: &str) -> Option<&'a CodeValue> {
    let text = text.trim();
    let is_label = |code: &&Code| code.label.zh == text || code.label.en.eq_ignore_ascii_case(text);
    codes.iter().find(is_label).map(|code| &code.code)
}

/// A cell in the form that its field is read from.
///
/// # Errors
/// When it is a number with a unit that does not fit.
fn as_typed<'a>(field: &Field, codes: &[Code], json: &'a Json) -> Result<Cow<'a, Json>, String> {
    let Some(text) = json.as_str().filter(|text| !text.trim().is_empty()) else { return Ok(Cow::Borrowed(json)) };
    Ok(match field.field_type {
        FieldType::Integer => match code_of_label(codes, text) {
            Some(CodeValue::Integer(rank)) => Cow::Owned(Json::from(*rank)),
            _ if text.trim().parse::<i64>().is_ok() => Cow::Borrowed(json),
            _ => Cow::Owned(Json::from(spelling::number(text, field.unit.as_deref())?)),
        },
        FieldType::Real => Cow::Owned(Json::from(spelling::number(text, field.unit.as_deref())?)),
        FieldType::Date => match spelling::day_and_time(text) {
            Some((day, _)) if parse_date(text).is_none() => Cow::Owned(Json::from(format_date(day))),
            _ => Cow::Borrowed(json),
        },
        FieldType::DateTime => match spelling::day_and_time(text) {
            // Without a zone it is the time of the county, as everywhere.
            Some((day, time)) if parse_instant(text).is_none() => {
                let (hour, minute, second) = time.unwrap_or(Time::MIDNIGHT).as_hms();
                let text = format!("{}T{hour:02}:{minute:02}:{second:02}+08:00", format_date(day));
                Cow::Owned(Json::from(text))
            }
            _ => Cow::Borrowed(json),
        },
        FieldType::Boolean => match spelling::half_width(text).to_lowercase().as_str() {
            "√" | "✓" | "有" | "y" | "对" => Cow::Owned(Json::from(true)),
            "×" | "✗" | "无" | "n" | "没有" => Cow::Owned(Json::from(false)),
            other => Cow::Owned(Json::from(other)),
        },
        FieldType::TextList if !text.trim_start().starts_with('[') => {
            let items = text.split([',', '，', '、', ';', '；', '/']).map(str::trim).filter(|item| !item.is_empty());
            Cow::Owned(items.collect())
        }
        FieldType::Text if field.codes.is_some() => Cow::Owned(Json::from(spelling::half_width(text))),
        FieldType::Text | FieldType::TextList | FieldType::Json => Cow::Borrowed(json),
    })
}

/// The label that is most like a text, if one is.
fn similar_label<'a>(codes: &'a [Code], text: &str) -> Option<&'a str> {
    let labels = codes.iter().flat_map(|code| [code.label.zh.as_str(), code.label.en.as_str()]);
    let rated = labels.map(|label| (strsim::normalized_damerau_levenshtein(label, text), label));
    let best = rated.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(likeness, _)| *likeness >= LEAST_LIKENESS).map(|(_, label)| label)
}

fn replace_label(codes: &[Code], text: &mut String) {
    let is_code = codes.iter().any(|code| matches!(&code.code, CodeValue::Text(code) if code == text));
    if !is_code && let Some(CodeValue::Text(code)) = code_of_label(codes, text) {
        text.clone_from(code);
    }
}

/// Checks that a geometry is in or near the county, because missing, swapped or misdeclared coordinates place features
/// elsewhere. An area or line that reaches the county may extend beyond it, but not to 0,0.
///
/// # Errors
/// When it is farther outside than the margin of the county; the reason states the distance.
pub fn check_place(county: &County, shape: &Shape) -> Result<(), Defect> {
    let Some(around) = Envelope::around(shape.geometry()) else { return Ok(()) };
    let allowed = county.bounds.padded(county.margin_m);
    let is_allowed = |place: &Envelope| allowed.split().any(|part| part.intersects(place));
    let is_unset = |coord: geo::Coord| coord.x == 0.0 && coord.y == 0.0 && !is_allowed(&LonLat::ORIGIN.into());
    let has_unset = shape.geometry().coords_iter().any(is_unset);
    if is_allowed(&around) && !has_unset {
        return Ok(());
    }
    let center = county.center;
    let nearest = geo::Coord {
        x: center.lon().clamp(around.west(), around.east()),
        y: center.lat().clamp(around.south(), around.north()),
    };
    let nearest = if has_unset { LonLat::ORIGIN } else { LonLat::try_from(nearest).unwrap_or(LonLat::ORIGIN) };
    let away_m = distance_m(nearest, &county.bounds);
    let hint = LonLat::new(nearest.lat(), nearest.lon()).ok().filter(|swapped| is_allowed(&(*swapped).into()));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a distance on the Earth")]
    let distance_km = (away_m / 1000.0).round() as u64;
    let fault = Fault::OutsideCounty { distance_km, is_swapped: hint.is_some() };
    let hint = match hint {
        _ if has_unset => "; coordinates that were never set are 0,0".to_owned(),
        Some(swapped) => format!("; did you mean {swapped}?"),
        None => String::new(),
    };
    let reason = format!("{nearest} is {:.0} km outside {} {}{hint}", away_m / 1000.0, county.name.zh, county.name.en);
    let [west, south, east, north] = county.bounds.to_array();
    let accepted = format!("a position within {:.0} km of {west},{south},{east},{north}", county.margin_m / 1000.0);
    Err(Defect { fault, reason, accepted })
}

/// Geodesic distance from a position to a box, metres.
fn distance_m(from: LonLat, to: &Envelope) -> f64 {
    let [west, south, east, north] = to.to_array();
    let area = geo::Rect::new((west, south), (east, north)).to_polygon();
    nearest_place(from, &area.into()).map_or(0.0, |(_, distance_m)| distance_m)
}
