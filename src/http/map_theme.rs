//! Themes of the map style: tables of colours that replace those of the style file. Colours of code lists stay.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::model::schema::Label;

type Colors = BTreeMap<String, String>;

/// A theme.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MapTheme {
    zh: String,
    en: String,
    /// By paint property.
    colors: BTreeMap<String, Colors>,
    /// Of text with a halo, which stands on the map; other text stands on a symbol.
    text_on_map: Colors,
    /// Paint of a base map.
    #[serde(default)]
    base_map: serde_json::Map<String, Json>,
}

impl MapTheme {
    /// # Errors
    /// Only if the embedded file is invalid.
    pub(crate) fn parse(file: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(file)
    }

    pub(crate) fn title(&self) -> Label {
        Label { zh: self.zh.clone(), en: self.en.clone() }
    }

    /// Paint of the raster tiles of a base map.
    pub(crate) fn raster_paint(&self) -> Json {
        Json::Object(self.base_map.clone())
    }

    /// Replaces the colours of a style template.
    pub(crate) fn apply(&self, style: &mut Json) {
        let layers = style["layers"].as_array_mut();
        for paint in layers.into_iter().flatten().filter_map(|layer| layer["paint"].as_object_mut()) {
            if paint.contains_key("text-halo-color")
                && let Some(text) = paint.get_mut("text-color")
            {
                replace(text, &self.text_on_map);
            }
            for (property, value) in paint {
                if let Some(colors) = self.colors.get(property) {
                    replace(value, colors);
                }
            }
        }
    }
}

fn replace(value: &mut Json, colors: &Colors) {
    match value {
        Json::String(text) => {
            if let Some(color) = colors.get(text) {
                color.clone_into(text);
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| replace(item, colors)),
        _ => {}
    }
}
