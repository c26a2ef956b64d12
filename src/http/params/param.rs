//! Types of query parameters: bounds, documentation and error messages of each.

use serde_json::{Value as Json, json};

use crate::geodesy::crs::ACCEPTED_CRS;
use crate::geodesy::crs::{CRS84, Crs};

/// A declared parameter, of any type.
pub(crate) trait Param: Sync {
    /// Its name in the query string.
    fn name(&self) -> &'static str;
    /// Its description, for the API description.
    fn about(&self) -> &'static str;
    /// An example value as JSON.
    fn example(&self) -> Json;
    /// Its OpenAPI schema. `formats` are the names that `f` takes at the endpoint.
    fn schema(&self, formats: &[&'static str]) -> Json;
    /// The accepted values, for error messages.
    fn accepted(&self) -> String;
    /// Whether a value is refused before the handler runs.
    fn refuses(&self, _value: &str) -> bool {
        false
    }
    /// Whether a request without it is refused.
    fn required(&self) -> bool {
        false
    }
}

/// Text of a bounded length.
pub(crate) struct Text {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) example: &'static str,
    /// Maximum length, characters.
    pub(crate) max: usize,
    pub(crate) required: bool,
}

/// Texts joined by commas, none of them empty.
pub(crate) struct List {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) example: &'static [&'static str],
    /// Maximum number of texts.
    pub(crate) max: usize,
    pub(crate) required: bool,
}

/// `true` or `false`; false without the parameter.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
}

/// A whole number within bounds.
pub(crate) struct Count {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) example: u32,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) default: Option<u32>,
    /// A number above the maximum counts as the maximum (OGC 17-069r4, requirement 22) instead of being refused.
    pub(crate) capped: bool,
}

/// A number above 0 in a unit, such as a distance in metres.
pub(crate) struct Decimal {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) example: f64,
    pub(crate) max: f64,
    pub(crate) default: Option<f64>,
}

/// Numbers joined by commas.
pub(crate) struct Numbers {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) example: &'static [f64],
    pub(crate) min_items: usize,
    pub(crate) max_items: usize,
    /// Bounds of each number, the lower one excluded.
    pub(crate) above: Option<f64>,
    pub(crate) max: Option<f64>,
    /// The accepted values, for error messages.
    pub(crate) accepted: &'static str,
    pub(crate) required: bool,
}

/// One of a few words; the first is the default.
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) values: &'static [&'static str],
}

/// Profiles of the reply, joined by commas; without the parameter the endpoint chooses.
pub(crate) struct Profiles {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Ids in the profile register of the OGC.
    pub(crate) ids: &'static [&'static str],
}

/// A coordinate reference system by its short name.
pub(crate) struct CrsName {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
}

/// A coordinate reference system by its URI; CRS84 without the parameter.
pub(crate) struct CrsUri {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
}

/// The media type of the reply: one of those that the endpoint offers.
pub(crate) struct FormatName {
    pub(crate) about: &'static str,
}

impl Param for Text {
    fn accepted(&self) -> String {
        format!("1 to {} characters, such as {}", self.max, self.example)
    }
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn example(&self) -> Json {
        json!(self.example)
    }
    fn schema(&self, _: &[&'static str]) -> Json {
        json!({"type": "string", "minLength": 1, "maxLength": self.max})
    }
    fn refuses(&self, value: &str) -> bool {
        value.is_empty() || value.chars().count() > self.max
    }
    fn required(&self) -> bool {
        self.required
    }
}

impl Param for List {
    fn accepted(&self) -> String {
        format!("1 to {} values joined by commas, such as {}", self.max, self.example.join(","))
    }
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn example(&self) -> Json {
        json!(self.example)
    }
    fn schema(&self, _: &[&'static str]) -> Json {
        json!({"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": self.max})
    }
    fn required(&self) -> bool {
        self.required
    }
}

impl Param for Profiles {
    fn accepted(&self) -> String {
        format!("{}; each by its id, its URI or its safe CURIE, joined by commas", self.ids.join(", "))
    }
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn example(&self) -> Json {
        json!(self.ids.get(..1))
    }
    fn schema(&self, _: &[&'static str]) -> Json {
        let ids = self.ids.join("|");
        let pattern =
            format!("^(https?://www\\.opengis\\.net/def/profile/OGC/0/({ids})|\\[ogc-profile:({ids})\\]|{ids})$");
        json!({"type": "array", "items": {"type": "string", "pattern": pattern}, "minItems": 1})
    }
}

impl Param for Flag {
    fn accepted(&self) -> String {
        "true, false".to_owned()
    }
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn example(&self) -> Json {
        json!(true)
    }
    fn schema(&self, _: &[&'static str]) -> Json {
        json!({"type": "boolean", "default": false})
    }
}

impl Param for Count {
    fn accepted(&self) -> String {
        format!("a whole number from {} to {}", self.min, self.max)
    }
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn example(&self) -> Json {
        json!(self.example)
    }
    fn schema(&self, _: &[&'static str]) -> Json {
        let mut schema = json!({"type": "integer", "minimum": self.min, "maximum": self.max});
        if let Some(default) = self.default {
            schema["default"] = json!(default);
        }
        schema
    }
}

impl Param for Decimal {
    fn accepted(&self) -> String {
        format!("a number of {} above 0 and up to {}", self.unit, self.max)
    }
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn example(&self) -> Json {
        json!(self.example)
    }
    fn schema(&self, _: &[&'static str]) -> Json {
        let mut schema = json!({"type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": self.max});
        if let Some(default) = self.default {
            schema["default"] = json!(default);
        }
        schema
    }
}

impl Param for Numbers {
    fn accepted(&self) -> String {
        self.accepted.to_owned()
    }
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn example(&self) -> Json {
        json!(self.example)
    }
    fn schema(&self, _: &[&'static str]) -> Json {
        let mut item = json!({"type": "number"});
        if let Some(above) = self.above {
            item["minimum"] = json!(above);
            item["exclusiveMinimum"] = json!(true);
        }
        if let Some(max) = self.max {
            item["maximum"] = json!(max);
        }
        json!({"type": "array", "items": item, "minItems": self.min_items, "maxItems": self.max_items})
    }
    fn required(&self) -> bool {
        self.required
    }
}

impl Param for Choice {
    fn accepted(&self) -> String {
        self.values.join(", ")
    }
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn example(&self) -> Json {
        json!(self.values.first())
    }
    fn schema(&self, _: &[&'static str]) -> Json {
        json!({"type": "string", "enum": self.values, "default": self.values.first()})
    }
}

impl Param for CrsName {
    fn accepted(&self) -> String {
        ACCEPTED_CRS.to_owned()
    }
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn example(&self) -> Json {
        json!("gcj02")
    }
    fn schema(&self, _: &[&'static str]) -> Json {
        json!({"type": "string", "description": ACCEPTED_CRS, "default": "wgs84"})
    }
}

impl Param for CrsUri {
    fn accepted(&self) -> String {
        Crs::uris().collect::<Vec<_>>().join(", ")
    }
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn example(&self) -> Json {
        json!(CRS84)
    }
    fn schema(&self, _: &[&'static str]) -> Json {
        json!({"type": "string", "enum": Crs::uris().collect::<Vec<_>>(), "default": CRS84})
    }
}

impl Param for FormatName {
    fn accepted(&self) -> String {
        "one of the media types that the endpoint offers".to_owned()
    }
    fn name(&self) -> &'static str {
        "f"
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn example(&self) -> Json {
        Json::Null
    }
    fn schema(&self, formats: &[&'static str]) -> Json {
        json!({"type": "string", "enum": formats})
    }
}
