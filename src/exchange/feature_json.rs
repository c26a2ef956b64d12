//! Reads a feature from a request: GeoJSON, checked strictly against its layer.

use geozero::ToGeo;
use geozero::geojson::GeoJson;
use serde_json::{Map, Value as Json};

use super::fault::Fault;
use super::reader::{Defect, Reader, Spelling};
use crate::model::{Catalog, FeatureId, LayerSchema, Shape, Value};

/// Fields that the store sets at each write; values in requests are ignored.
const STORE_FIELDS: [&str; 2] = ["version", "updated_at"];

/// A feature as given in a request.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureDocument {
    /// The id, if given.
    pub id: Option<FeatureId>,
    /// The geometry; the outer `None` if it is not given.
    pub geometry: Option<Option<Shape>>,
    /// The given values by index in the layer's fields; null is unknown.
    pub values: Vec<(usize, Value)>,
}

/// Why a feature is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureError {
    /// JSON pointer (RFC 6901) of the faulty value.
    pub pointer: String,
    /// The value as JSON.
    pub value: String,
    /// Its kind, if the value itself is at fault and not the structure of the document.
    pub fault: Option<Box<Fault>>,
    /// The reason.
    pub reason: String,
    /// What is accepted.
    pub accepted: String,
}

impl FeatureError {
    fn at(
        pointer: impl Into<String>,
        value: &Json,
        reason: &(impl ToString + ?Sized),
        accepted: impl Into<String>,
    ) -> Self {
        let value = value.to_string().chars().take(200).collect();
        Self { pointer: pointer.into(), value, fault: None, reason: reason.to_string(), accepted: accepted.into() }
    }

    fn of_defect(pointer: impl Into<String>, value: &Json, defect: Defect) -> Self {
        let Defect { fault, reason, accepted } = defect;
        Self { fault: Some(Box::new(fault)), ..Self::at(pointer, value, &reason, accepted) }
    }
}

/// Reads a Feature, or a merge patch (RFC 7396) of one; a property is replaced as a whole.
///
/// # Errors
/// The first defect.
pub fn read_submission(
    catalog: &Catalog,
    schema: &LayerSchema,
    feature: &Json,
) -> Result<FeatureDocument, FeatureError> {
    let Some(members) = feature.as_object() else {
        return Err(FeatureError::at("", feature, "it is not an object", "a GeoJSON Feature"));
    };
    // Unknown members are ignored (RFC 7946, section 6.1), but at least one known member is required.
    if !["type", "id", "geometry", "properties"].iter().any(|name| members.contains_key(*name)) {
        return Err(FeatureError::at("", feature, "it has no member of a Feature", "id, geometry, properties"));
    }
    match members.get("type") {
        None => {}
        Some(Json::String(kind)) if kind == "Feature" => {}
        Some(other) => return Err(FeatureError::at("/type", other, "it is not a Feature", "\"Feature\"")),
    }
    let reader = Reader::new(catalog, schema, Spelling::Exact);
    let id = members.get("id").filter(|id| !id.is_null()).map(read_id).transpose()?;
    let geometry = members.get("geometry").map(|geometry| read_geometry(&reader, geometry)).transpose()?;
    // JSON-FG in another reference system has its geometry in `place`; it must not count as no geometry.
    if let Some(place) =
        members.get("place").filter(|place| !place.is_null() && geometry.as_ref().is_none_or(Option::is_none))
    {
        let accepted = "the geometry in geometry, in longitude, latitude or in the system of Content-Crs";
        return Err(FeatureError::at("/place", place, "it is not read, and geometry is null", accepted));
    }
    let empty = Map::new();
    let properties = match members.get("properties") {
        None | Some(Json::Null) => &empty,
        Some(Json::Object(properties)) => properties,
        Some(other) => return Err(FeatureError::at("/properties", other, "it is not an object", "an object or null")),
    };
    let mut values = Vec::with_capacity(properties.len());
    for (name, value) in properties {
        if let Some(value) = read_property(&reader, name, value)? {
            values.push(value);
        }
    }
    Ok(FeatureDocument { id, geometry, values })
}

fn read_id(id: &Json) -> Result<FeatureId, FeatureError> {
    const ACCEPTED: &str = "text of 1 to 200 bytes without control characters, or a number";
    let text = match id {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        other => return Err(FeatureError::at("/id", other, "it is not text", ACCEPTED)),
    };
    FeatureId::new(&text).map_err(|error| FeatureError::at("/id", id, &error, ACCEPTED))
}

fn read_geometry(reader: &Reader<'_>, geometry: &Json) -> Result<Option<Shape>, FeatureError> {
    if geometry.is_null() {
        return Ok(None);
    }
    let read = GeoJson(&geometry.to_string()).to_geo().map_err(|error| {
        let accepted = format!("a GeoJSON {} geometry", reader.schema().geometry.name());
        FeatureError::at("/geometry", geometry, &format!("it is not GeoJSON: {error}"), accepted)
    })?;
    reader.shape(read).map(Some).map_err(|defect| FeatureError::of_defect("/geometry", geometry, defect))
}

fn read_property(reader: &Reader<'_>, name: &str, value: &Json) -> Result<Option<(usize, Value)>, FeatureError> {
    let pointer = format!("/properties/{}", name.replace('~', "~0").replace('/', "~1"));
    let schema = reader.schema();
    let Some(at) = schema.position(name) else {
        let known: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
        return Err(FeatureError::at(pointer, value, "the layer does not have this property", known.join(", ")));
    };
    if STORE_FIELDS.contains(&name) {
        return Ok(None);
    }
    let read = reader.value(&schema.fields[at], value);
    read.map(|value| Some((at, value))).map_err(|defect| FeatureError::of_defect(pointer, value, defect))
}
