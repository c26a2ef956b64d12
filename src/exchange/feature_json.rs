//! A feature as a caller writes it: GeoJSON, checked strictly against its layer.

use geozero::ToGeo;
use geozero::geojson::GeoJson;
use serde_json::{Map, Value as Json};

use super::value_from_json;
use crate::geodesy::validity::check_validity;
use crate::model::catalog::CodeValue;
use crate::model::{Catalog, FeatureId, Field, FieldType, LayerSchema, Shape, Value};

/// Fields that the store itself fills at each write; what a caller says about them is passed over.
const KEPT_BY_THE_STORE: [&str; 2] = ["version", "updated_at"];

/// What a caller wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureDocument {
    /// The id, where one is given.
    pub id: Option<FeatureId>,
    /// Where it is; the outer `None` when nothing is said of it.
    pub geometry: Option<Option<Shape>>,
    /// The values that are given, by position in the layer's fields; unknown where null is given.
    pub values: Vec<(usize, Value)>,
}

/// What is wrong with what a caller wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureError {
    /// JSON pointer (RFC 6901) to the place.
    pub pointer: String,
    /// What stands there, as JSON.
    pub value: String,
    /// Why it is not taken.
    pub reason: String,
    /// What would be taken.
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
        Self { pointer: pointer.into(), value, reason: reason.to_string(), accepted: accepted.into() }
    }
}

/// Reads a Feature, or the parts of one that a merge patch (RFC 7396) names; a property is replaced as a whole.
///
/// # Errors
/// The first thing that does not fit the layer.
pub fn read_submission(
    catalog: &Catalog,
    schema: &LayerSchema,
    feature: &Json,
) -> Result<FeatureDocument, FeatureError> {
    let Some(members) = feature.as_object() else {
        return Err(FeatureError::at("", feature, "it is not an object", "a GeoJSON Feature"));
    };
    for (name, value) in members {
        if !["type", "id", "geometry", "properties", "bbox", "links"].contains(&name.as_str()) {
            return Err(FeatureError::at(
                format!("/{name}"),
                value,
                "a Feature has no such member",
                "id, geometry, properties",
            ));
        }
    }
    match members.get("type") {
        None => {}
        Some(Json::String(kind)) if kind == "Feature" => {}
        Some(other) => return Err(FeatureError::at("/type", other, "it is not a Feature", "\"Feature\"")),
    }
    let id = members.get("id").filter(|id| !id.is_null()).map(read_id).transpose()?;
    let geometry = members.get("geometry").map(|geometry| read_geometry(schema, geometry)).transpose()?;
    let empty = Map::new();
    let properties = match members.get("properties") {
        None | Some(Json::Null) => &empty,
        Some(Json::Object(properties)) => properties,
        Some(other) => return Err(FeatureError::at("/properties", other, "it is not an object", "an object or null")),
    };
    let mut values = Vec::with_capacity(properties.len());
    for (name, value) in properties {
        if let Some(value) = read_property(catalog, schema, name, value)? {
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

fn read_geometry(schema: &LayerSchema, geometry: &Json) -> Result<Option<Shape>, FeatureError> {
    if geometry.is_null() {
        return Ok(None);
    }
    let accepted = format!("a GeoJSON {} geometry in longitude, latitude degrees, or null", schema.geometry.name());
    let fault = |reason: String| FeatureError::at("/geometry", geometry, &reason, &accepted);
    let read = GeoJson(&geometry.to_string()).to_geo().map_err(|error| fault(format!("it is not GeoJSON: {error}")))?;
    let shape = Shape::new(read).map_err(|error| fault(error.to_string()))?;
    if !schema.geometry.accepts(shape.kind()) {
        return Err(fault(format!("the layer does not hold {} features", shape.kind().name())));
    }
    check_validity(shape.geometry()).map_err(|error| fault(format!("it is not valid: {error}")))?;
    Ok(Some(shape))
}

fn read_property(
    catalog: &Catalog,
    schema: &LayerSchema,
    name: &str,
    value: &Json,
) -> Result<Option<(usize, Value)>, FeatureError> {
    let pointer = format!("/properties/{}", name.replace('~', "~0").replace('/', "~1"));
    let Some(at) = schema.position(name) else {
        let known: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
        return Err(FeatureError::at(pointer, value, "the layer has no such property", known.join(", ")));
    };
    if KEPT_BY_THE_STORE.contains(&name) {
        return Ok(None);
    }
    let field = &schema.fields[at];
    let accepted = || accepted(catalog, field);
    if !is_of_type(field.field_type, value) {
        return Err(FeatureError::at(
            pointer,
            value,
            &format!("it is not of type {}", field.field_type.name()),
            accepted(),
        ));
    }
    let read =
        value_from_json(field, value).map_err(|reason| FeatureError::at(&*pointer, value, &reason, accepted()))?;
    if let Some(unknown) = unknown_code(catalog, field, &read) {
        return Err(FeatureError::at(pointer, value, &format!("{unknown} is not in the code list"), accepted()));
    }
    Ok(Some((at, read)))
}

/// What JSON may stand for a type; null is unknown for all of them.
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

/// The first code of a value that its list does not have.
fn unknown_code(catalog: &Catalog, field: &Field, value: &Value) -> Option<String> {
    let list = catalog.codes.get(field.codes.as_ref()?)?;
    let known = |wanted: &CodeValue| list.iter().any(|code| code.code == *wanted);
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

fn accepted(catalog: &Catalog, field: &Field) -> String {
    let codes = field.codes.as_ref().and_then(|list| catalog.codes.get(list)).map(|list| {
        let code = |code: &crate::model::catalog::Code| match &code.code {
            CodeValue::Integer(number) => number.to_string(),
            CodeValue::Text(text) => text.clone(),
        };
        format!(", one of {}", list.iter().map(code).collect::<Vec<_>>().join(", "))
    });
    let at_least = field.min.map(|min| format!(", at least {min}"));
    let at_most = field.max.map(|max| format!(", at most {max}"));
    let parts = [codes, at_least, at_most].into_iter().flatten().collect::<String>();
    format!("{}{parts}, or null for unknown", field.field_type.name())
}
