//! JSON Schemas of the features of a collection: queryables, sortables and the schema (OGC 23-058r1).

use serde_json::{Map, Value as Json, json};

use crate::http::call::Call;
use crate::http::params::spec;
use crate::http::reply::links::encode;
use crate::http::reply::problem::Problem;
use crate::model::catalog::{Catalog, CodeValue};
use crate::model::schema::GeometryKind;
use crate::model::{Field, FieldType, LayerSchema, View};

/// The purpose of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Returnables and receivables.
    Features,
    /// Properties for filters.
    Queryables,
    /// Properties for sorting.
    Sortables,
}

impl Purpose {
    /// Last part of the schema's path.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Features => "schema",
            Self::Queryables => "queryables",
            Self::Sortables => "sortables",
        }
    }
}

/// How the codes of properties are given (OGC 23-058r2, section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodelistProfile {
    /// As values, with the URI of the code list.
    Reference,
    /// As schemas with titles.
    Inline,
}

impl CodelistProfile {
    /// The first profile that is asked for; the reference without one.
    ///
    /// # Errors
    /// When a profile is not known.
    pub(crate) fn read(call: &Call<'_>) -> Result<Self, Problem> {
        let asked = call.params.profiles(&spec::SCHEMA_PROFILE)?;
        Ok(if asked.first() == Some(&Self::Inline.id()) { Self::Inline } else { Self::Reference })
    }

    /// Its id in the register of the OGC.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Reference => "codelist-ref",
            Self::Inline => "codelist-inline",
        }
    }
}

/// Fields that the server sets at each write.
pub(crate) const SET_BY_THE_SERVER: [&str; 2] = ["version", "updated_at"];

/// The schema of a collection. `base` is the URL of the OGC API.
pub(crate) fn schema(
    catalog: &Catalog,
    view: &View<'_>,
    purpose: Purpose,
    profile: CodelistProfile,
    base: &str,
) -> Json {
    let layer = view.schema();
    let address = format!("{base}/collections/{}/{}", layer.id, purpose.path());
    let mut properties = Map::new();
    let mut id = json!({"type": "string", "title": "编号 Id", "minLength": 1});
    id["x-ogc-role"] = json!("id");
    properties.insert("id".to_owned(), id);
    if purpose != Purpose::Sortables {
        let mut geometry = json!({"title": "位置 Geometry", "format": geometry_format(layer.geometry)});
        geometry["x-ogc-role"] = json!("primary-geometry");
        properties.insert("geometry".to_owned(), geometry);
    }
    for (_, field) in view.fields() {
        if purpose != Purpose::Sortables || is_sortable(field) {
            let property = with_codelist(property(catalog, layer, field), field, profile, base);
            properties.insert(field.name.clone(), property);
        }
    }
    for (at, property) in properties.values_mut().enumerate() {
        property["x-ogc-propertySeq"] = json!(at + 1);
    }
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": address,
        "type": "object",
        "title": format!("{} {}", layer.title.zh, layer.title.en),
        "properties": properties,
        "additionalProperties": false,
    });
    if purpose == Purpose::Features {
        schema["required"] = json!(["id"]);
    }
    schema
}

/// A property with its codes as a profile gives them.
fn with_codelist(mut property: Json, field: &Field, profile: CodelistProfile, base: &str) -> Json {
    let is_list = field.field_type == FieldType::TextList;
    let target = if is_list { &mut property["items"] } else { &mut property };
    if let (Some(list), Some(members)) = (&field.codes, target.as_object_mut())
        && members.contains_key("enum")
    {
        members.insert("x-ogc-codelistUri".to_owned(), json!(codelist_url(base, list)));
        if profile == CodelistProfile::Inline {
            let (values, labels) = (members.remove("enum"), members.remove("x-onemap-labels"));
            let all = |list: Option<Json>| list.and_then(|list| list.as_array().cloned()).unwrap_or_default();
            let code = |(value, label): (Json, Json)| {
                let title = format!(
                    "{} {}",
                    label["zh"].as_str().unwrap_or_default(),
                    label["en"].as_str().unwrap_or_default()
                );
                json!({"const": value, "title": title.trim()})
            };
            let codes: Vec<Json> = all(values).into_iter().zip(all(labels)).map(code).collect();
            members.insert("oneOf".to_owned(), json!(codes));
        }
    }
    property
}

/// The URL of a code list.
pub(crate) fn codelist_url(base: &str, list: &str) -> String {
    format!("{base}/codelists/{}", encode(list))
}

/// Whether features can be sorted by a field.
pub(crate) fn is_sortable(field: &Field) -> bool {
    !matches!(field.field_type, FieldType::Json | FieldType::TextList)
}

/// A field as a property.
pub(crate) fn property(catalog: &Catalog, layer: &LayerSchema, field: &Field) -> Json {
    let mut property = match field.field_type {
        FieldType::Boolean => json!({"type": "boolean"}),
        FieldType::Integer => json!({"type": "integer"}),
        FieldType::Real => json!({"type": "number"}),
        FieldType::Text => json!({"type": "string"}),
        FieldType::Date => json!({"type": "string", "format": "date"}),
        FieldType::DateTime => json!({"type": "string", "format": "date-time"}),
        FieldType::TextList => json!({"type": "array", "items": {"type": "string"}}),
        FieldType::Json => json!({"type": "array", "items": {"type": "object"}}),
    };
    property["title"] = json!(format!("{} {}", field.title.zh, field.title.en));
    if let Some(unit) = &field.unit {
        property["x-ogc-unit"] = json!(ucum(unit));
        property["x-ogc-unitLang"] = json!("UCUM");
    }
    if SET_BY_THE_SERVER.contains(&field.name.as_str()) {
        property["readOnly"] = json!(true);
    }
    for (name, limit) in [("minimum", field.min), ("maximum", field.max)] {
        if let Some(limit) = limit {
            property[name] = json!(limit);
        }
    }
    if let Some(codes) = field.codes.as_ref().and_then(|list| catalog.codes.get(list)) {
        let value = |code: &CodeValue| match code {
            CodeValue::Integer(number) => json!(number),
            CodeValue::Text(text) => json!(text),
        };
        let values: Vec<Json> = codes.iter().map(|code| value(&code.code)).collect();
        let inner = if field.field_type == FieldType::TextList { &mut property["items"] } else { &mut property };
        inner["enum"] = json!(values);
        inner["x-onemap-labels"] = codes.iter().map(|code| json!({"zh": code.label.zh, "en": code.label.en})).collect();
    }
    if let Some(when) = &layer.roles.time {
        let role = match &when.end {
            None if field.name == when.start => Some("primary-instant"),
            Some(_) if field.name == when.start => Some("primary-interval-start"),
            Some(end) if field.name == *end => Some("primary-interval-end"),
            _ => None,
        };
        if let Some(role) = role {
            property["x-ogc-role"] = json!(role);
        }
    }
    property
}

/// A unit of the catalog in the Unified Code for Units of Measure.
fn ucum(unit: &str) -> String {
    match unit {
        "m²" => "m2".to_owned(),
        "m³" => "m3".to_owned(),
        "years" => "a".to_owned(),
        "persons" => "{person}".to_owned(),
        "m" | "km" | "mm" | "deg" | "t" | "kg" | "%" => unit.to_owned(),
        other => format!("{{{other}}}"),
    }
}

fn geometry_format(kind: GeometryKind) -> &'static str {
    match kind {
        GeometryKind::Point => "geometry-point-or-multipoint",
        GeometryKind::Line => "geometry-linestring-or-multilinestring",
        GeometryKind::Polygon => "geometry-polygon-or-multipolygon",
        GeometryKind::Any => "geometry-any",
    }
}
