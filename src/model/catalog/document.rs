//! Reads, checks and writes the JSON document of the catalog.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::clusters::RawClusterConfig;
use super::fault::MAX_NAME_BYTES;
use super::mistake::{Checked, DocumentLocation, at, located, mistake};
use super::needs::{self, EvacueeNeed};
use super::{Catalog, CatalogError, CatalogFault, Code, CodeValue, County, distances_grow};
use crate::geodesy::{Envelope, LonLat};
use crate::model::LayerAccess;
use crate::model::roles::Roles;
use crate::model::schema::{Field, FieldType, GeometryKind, Label, LayerSchema};

const BUILT_IN: &str = include_str!("../../../data/catalog.json");
const CATEGORIES: &str = include_str!("../../../data/categories.csv");

/// Reserved layer names: internal tables of both backends and derived layers.
const RESERVED_LAYERS: [&str; 7] =
    ["audit", "changes", "coverage", "done", "idempotency_keys", "migrations", "trimmed"];
/// Reserved field names.
const RESERVED_FIELDS: [&str; 4] = ["fid", "geom", "geometry", "id"];

pub(super) fn built_in(category_table: Option<&str>) -> Result<Catalog, CatalogError> {
    let mut raw: RawCatalog = from_json(BUILT_IN)?;
    raw.codes.get_or_insert_default().insert("category".to_owned(), categories(category_table.unwrap_or(CATEGORIES))?);
    raw.into_catalog().map_err(|mistake| located(BUILT_IN, *mistake.0))
}

pub(super) fn parse(text: &str) -> Result<Catalog, CatalogError> {
    let text = text.trim_start_matches('\u{feff}');
    let own: RawCatalog = from_json(text)?;
    let default: RawCatalog = from_json(BUILT_IN)?;
    let mut codes = default.codes.unwrap_or_default();
    codes.insert("category".to_owned(), categories(CATEGORIES)?);
    codes.extend(own.codes.unwrap_or_default());
    let mut colors = default.colors.unwrap_or_default();
    colors.extend(own.colors.unwrap_or_default());
    let mut synonyms = default.synonyms.unwrap_or_default();
    synonyms.extend(own.synonyms.unwrap_or_default());
    let has_needs = own.needs.is_some();
    let raw = RawCatalog {
        county: own.county,
        colors: Some(colors),
        synonyms: Some(synonyms),
        common_fields: own.common_fields.or(default.common_fields),
        rings_m: own.rings_m.or(default.rings_m),
        needs: own.needs,
        codes: Some(codes),
        layers: own.layers.or(default.layers),
    };
    let mut catalog = raw.into_catalog().map_err(|mistake| located(text, *mistake.0))?;
    if !has_needs {
        let built_in = default.needs.unwrap_or_default();
        catalog.needs = needs::of_known_items(built_in, &catalog.layers, &catalog.codes);
    }
    Ok(catalog)
}

fn from_json<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, CatalogError> {
    serde_json::from_str(text).map_err(|error| {
        let place = format!(" at line {} column {}", error.line(), error.column());
        let reason = error.to_string().replace(&place, "");
        CatalogError { line: error.line().max(1), column: error.column().max(1), fault: CatalogFault::Json(reason) }
    })
}

fn categories(table: &str) -> Result<Vec<RawCode>, CatalogError> {
    let rows = table.trim_start_matches('\u{feff}').lines().enumerate().skip(1);
    rows.filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let [code, unit, zh, en] = cells[..] else {
                return Err(CatalogError { line: index + 1, column: 1, fault: CatalogFault::Categories });
            };
            Ok(RawCode {
                code: CodeValue::Text(code.to_owned()),
                zh: zh.to_owned(),
                en: en.to_owned(),
                color: None,
                unit: Some(unit.to_owned()),
            })
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCatalog {
    county: RawCounty,
    colors: Option<BTreeMap<String, String>>,
    synonyms: Option<BTreeMap<String, Vec<String>>>,
    common_fields: Option<Vec<RawField>>,
    codes: Option<BTreeMap<String, Vec<RawCode>>>,
    rings_m: Option<BTreeMap<String, Vec<f64>>>,
    needs: Option<Vec<EvacueeNeed>>,
    layers: Option<Vec<RawLayer>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCounty {
    zh: String,
    en: String,
    code: String,
    title: Label,
    center: [f64; 2],
    zoom: f64,
    bounds: [f64; 4],
    #[serde(default = "default_margin_m")]
    margin_m: f64,
}

fn default_margin_m() -> f64 {
    50_000.0
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCode {
    code: CodeValue,
    zh: String,
    en: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawField {
    name: String,
    #[serde(rename = "type")]
    field_type: FieldType,
    zh: String,
    en: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sensitive: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    tile: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLayer {
    id: String,
    group: String,
    zh: String,
    en: String,
    geometry: GeometryKind,
    minzoom: u8,
    clusters: Option<RawClusterConfig>,
    #[serde(default = "default_importance")]
    importance: u8,
    #[serde(default)]
    tessellation: bool,
    fields: Vec<RawField>,
    #[serde(default)]
    roles: Roles,
    access: Option<LayerAccess>,
}

/// Default importance: between the rescue layers and the base map.
fn default_importance() -> u8 {
    5
}

impl RawCatalog {
    fn into_catalog(self) -> Checked<Catalog> {
        let colors = self.colors.unwrap_or_default();
        for (name, color) in &colors {
            check_color(color, &BTreeMap::new(), || format!("/colors/{name}"))?;
        }
        let county = self.county.checked()?;
        let mut codes = BTreeMap::new();
        for (name, list) in self.codes.unwrap_or_default() {
            let list = list.into_iter().enumerate();
            let list = list.map(|(index, code)| code.checked(&colors, || format!("/codes/{name}/{index}/color")));
            codes.insert(name.clone(), list.collect::<Checked<Vec<Code>>>()?);
        }
        let rings_m = self.rings_m.unwrap_or_default();
        if let Some((kind, rings)) = rings_m.iter().find(|(_, rings)| !distances_grow(rings)) {
            return Err(mistake(at(format!("/rings_m/{kind}")), CatalogFault::Rings(rings.clone())));
        }
        let common = self.common_fields.unwrap_or_default();
        let mut layers: Vec<LayerSchema> = Vec::new();
        let mut access = BTreeMap::new();
        for (index, mut layer) in self.layers.unwrap_or_default().into_iter().enumerate() {
            let pointer = format!("/layers/{index}");
            check_name(&layer.id, &RESERVED_LAYERS, &format!("{pointer}/id"))?;
            if layers.iter().any(|other| other.id == layer.id) {
                return Err(mistake(at(format!("{pointer}/id")), CatalogFault::Duplicate(layer.id)));
            }
            let rules = layer.access.take();
            let layer = layer.checked(&common, &codes, &pointer)?;
            if let Some(rules) = rules {
                if let Some(field) = rules.unsuitable_field(&layer) {
                    let fault = CatalogFault::CannotHide { layer: layer.id.clone(), field: field.to_owned() };
                    return Err(mistake(at(format!("{pointer}/access/fields/{field}")), fault));
                }
                access.insert(layer.id.clone(), rules);
            }
            layers.push(layer);
        }
        if layers.is_empty() {
            return Err(mistake(at("/layers"), CatalogFault::Empty));
        }
        let needs = self.needs.unwrap_or_default();
        needs::check(&needs, &layers, &codes)?;
        Ok(Catalog { county, layers, codes, synonyms: self.synonyms.unwrap_or_default(), rings_m, needs, access })
    }
}

impl RawCounty {
    fn checked(self) -> Checked<County> {
        let wrong =
            |member: &str, reason: String| mistake(at(format!("/county/{member}")), CatalogFault::County(reason));
        if !(2..=12).contains(&self.code.len()) || !self.code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong("code", format!("{:?} is not a division code of 2 to 12 digits", self.code)));
        }
        let [west, south, east, north] = self.bounds;
        let bounds = Envelope::new(west, south, east, north).map_err(|error| wrong("bounds", error.to_string()))?;
        if west >= east {
            return Err(wrong("bounds", format!("west {west} is not less than east {east}")));
        }
        let [lon, lat] = self.center;
        let center = LonLat::new(lon, lat).map_err(|error| wrong("center", error.to_string()))?;
        if !bounds.intersects(&center.into()) {
            return Err(wrong("center", format!("{center} is outside the county's bounds")));
        }
        if !(0.0..=24.0).contains(&self.zoom) {
            return Err(mistake(at("/county/zoom"), CatalogFault::Zoom(self.zoom)));
        }
        if !(0.0..=20_000_000.0).contains(&self.margin_m) {
            return Err(wrong("margin_m", format!("{} is not a distance of 0 to 20000000 metres", self.margin_m)));
        }
        Ok(County {
            name: Label { zh: self.zh, en: self.en },
            title: self.title,
            code: self.code,
            center,
            zoom: self.zoom,
            bounds,
            margin_m: self.margin_m,
        })
    }
}

impl RawCode {
    fn checked(self, colors: &BTreeMap<String, String>, pointer: impl FnOnce() -> String) -> Checked<Code> {
        let color = self.color.map(|color| check_color(&color, colors, pointer)).transpose()?;
        Ok(Code { code: self.code, label: Label { zh: self.zh, en: self.en }, color, unit: self.unit })
    }
}

/// Checks `#rrggbb`, because colours are written into HTML and styles unescaped.
fn check_color(color: &str, colors: &BTreeMap<String, String>, pointer: impl FnOnce() -> String) -> Checked<String> {
    let color = colors.get(color).map_or(color, String::as_str);
    let digits = color.strip_prefix('#').unwrap_or_default();
    if digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(color.to_owned());
    }
    let accepted = listed(colors.keys().map(String::as_str));
    Err(mistake(at(pointer()), CatalogFault::Color { color: color.to_owned(), accepted }))
}

fn check_name(name: &str, reserved: &[&str], pointer: &str) -> Checked<()> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let letter_first = name.starts_with(|first: char| first.is_ascii_lowercase());
    if name.len() > MAX_NAME_BYTES || !letter_first || !name.bytes().all(plain) {
        return Err(mistake(at(pointer), CatalogFault::Name(name.to_owned())));
    }
    let prefixes = ["gpkg_", "onemap_", "rtree_", "sqlite_"];
    if reserved.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(mistake(at(pointer), CatalogFault::Reserved(name.to_owned())));
    }
    Ok(())
}

impl RawLayer {
    fn checked(self, common: &[RawField], codes: &BTreeMap<String, Vec<Code>>, pointer: &str) -> Checked<LayerSchema> {
        let mut names = BTreeSet::new();
        let places = (0..common.len()).map(|index| format!("/common_fields/{index}"));
        let places = places.chain((0..self.fields.len()).map(|index| format!("{pointer}/fields/{index}")));
        let fields: Vec<RawField> = common.iter().cloned().chain(self.fields).collect();
        for (field, place) in fields.iter().zip(places) {
            field.check(codes, &place)?;
            if !names.insert(field.name.clone()) {
                return Err(mistake(at(format!("{place}/name")), CatalogFault::Duplicate(field.name.clone())));
            }
        }
        if self.minzoom > 24 {
            return Err(mistake(at(format!("{pointer}/minzoom")), CatalogFault::Zoom(f64::from(self.minzoom))));
        }
        let fields: Vec<Field> = fields.into_iter().map(Field::from).collect();
        let clusters = self.clusters.map(|clusters| clusters.checked(&fields, codes)).transpose();
        let clusters = clusters.map_err(|part| {
            let place = DocumentLocation { pointer: format!("{pointer}/clusters"), text: Some(part.clone()) };
            mistake(place, CatalogFault::Clusters { layer: self.id.clone(), part })
        })?;
        let layer = LayerSchema {
            id: self.id,
            title: Label { zh: self.zh, en: self.en },
            group: self.group,
            geometry: self.geometry,
            min_zoom: self.minzoom,
            clusters,
            importance: self.importance,
            tessellation: self.tessellation,
            fields,
            roles: self.roles,
        };
        if layer.position("name").is_none_or(|name| layer.fields[name].field_type != FieldType::Text) {
            return Err(mistake(at(format!("{pointer}/fields")), CatalogFault::NoName(layer.id)));
        }
        check_roles(&layer, codes, &format!("{pointer}/roles"))?;
        Ok(layer)
    }
}

impl RawField {
    fn check(&self, codes: &BTreeMap<String, Vec<Code>>, place: &str) -> Checked<()> {
        check_name(&self.name, &RESERVED_FIELDS, &format!("{place}/name"))?;
        if let Some(list) = self.codes.as_ref().filter(|list| !codes.contains_key(*list)) {
            return Err(mistake(at(format!("{place}/codes")), unknown_list(list, codes)));
        }
        match (self.min, self.max) {
            (Some(min), Some(max)) if min > max => {
                Err(mistake(at(format!("{place}/min")), CatalogFault::Range { min, max }))
            }
            _ => Ok(()),
        }
    }
}

impl From<RawField> for Field {
    fn from(raw: RawField) -> Self {
        Self {
            name: raw.name,
            field_type: raw.field_type,
            title: Label { zh: raw.zh, en: raw.en },
            unit: raw.unit,
            codes: raw.codes,
            sensitive: raw.sensitive,
            is_reserved: false,
            in_tiles: raw.tile,
            min: raw.min,
            max: raw.max,
        }
    }
}

impl From<&Field> for RawField {
    fn from(field: &Field) -> Self {
        Self {
            name: field.name.clone(),
            field_type: field.field_type,
            zh: field.title.zh.clone(),
            en: field.title.en.clone(),
            unit: field.unit.clone(),
            codes: field.codes.clone(),
            sensitive: field.sensitive,
            tile: field.in_tiles,
            min: field.min,
            max: field.max,
        }
    }
}

/// Checks that roles name existing fields of suitable types, and codes of their code lists.
fn check_roles(layer: &LayerSchema, codes: &BTreeMap<String, Vec<Code>>, pointer: &str) -> Checked<()> {
    let place = |text: &str| DocumentLocation { pointer: pointer.to_owned(), text: Some(text.to_owned()) };
    for (name, types) in layer.roles.typed_fields() {
        let Some(position) = layer.position(name) else {
            let accepted = listed(layer.fields.iter().map(|field| field.name.as_str()));
            let (layer, field) = (layer.id.clone(), name.to_owned());
            return Err(mistake(place(name), CatalogFault::UnknownField { layer, field, accepted }));
        };
        let found = layer.fields[position].field_type;
        if !types.contains(&found) {
            let accepted = types.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" or ");
            return Err(mistake(
                place(name),
                CatalogFault::RoleType { field: name.to_owned(), found: found.name(), accepted },
            ));
        }
    }
    if let Some(stock) = layer.roles.stock.as_ref().filter(|stock| !codes.contains_key(&stock.codes)) {
        return Err(mistake(place(&stock.codes), unknown_list(&stock.codes, codes)));
    }
    let roles = &layer.roles;
    if let Some(risk) = &roles.risk {
        let severity = layer.clusters.as_ref().and_then(|clusters| clusters.severity.as_ref());
        let (count, accepted) = (risk.weights.len(), severity.map_or(0, |severity| severity.codes.len()));
        if count > accepted {
            return Err(mistake(place("weights"), CatalogFault::Weights { layer: layer.id.clone(), count, accepted }));
        }
    }
    let only = roles.exposed_site.iter().filter_map(|site| site.only.as_ref());
    let closed = roles.road.iter().filter_map(|road| road.closed.as_ref());
    let chosen = roles.ready.iter().chain(&roles.active_area).chain(&roles.closes_roads).chain(closed).chain(only);
    let named = chosen.flat_map(|chosen| chosen.codes.iter().map(|code| (chosen.field.as_str(), code)));
    let ranked =
        roles.secondary_hazard.iter().flat_map(|danger| danger.ranks.keys().map(|code| (danger.field.as_str(), code)));
    let classes = roles
        .road
        .iter()
        .flat_map(|road| road.speeds_km_h.keys().chain(&road.limited_access).map(|code| (road.class.as_str(), code)));
    for (field, code) in named.chain(ranked).chain(classes) {
        let list = layer.position(field).and_then(|position| layer.fields[position].codes.as_ref());
        let Some((list, entries)) = list.and_then(|list| codes.get_key_value(list)) else { continue };
        if !entries.iter().any(|entry| entry.code.to_string() == *code) {
            let accepted = listed(entries.iter().map(|entry| entry.code.to_string()).collect::<Vec<_>>().iter());
            return Err(mistake(
                place(code),
                CatalogFault::UnknownCode { code: code.clone(), codes: list.clone(), accepted },
            ));
        }
    }
    Ok(())
}

fn unknown_list(list: &str, codes: &BTreeMap<String, Vec<Code>>) -> CatalogFault {
    CatalogFault::UnknownCodes { codes: list.to_owned(), accepted: listed(codes.keys()) }
}

fn listed(names: impl Iterator<Item = impl AsRef<str>>) -> String {
    names.map(|name| name.as_ref().to_owned()).collect::<Vec<_>>().join(", ")
}

pub(super) fn write(catalog: &Catalog) -> Json {
    let Catalog { county, layers, codes, synonyms, rings_m, needs, access } = catalog;
    let county = RawCounty {
        zh: county.name.zh.clone(),
        en: county.name.en.clone(),
        code: county.code.clone(),
        title: county.title.clone(),
        center: [county.center.lon(), county.center.lat()],
        zoom: county.zoom,
        bounds: county.bounds.to_array(),
        margin_m: county.margin_m,
    };
    let code = |code: &Code| RawCode {
        code: code.code.clone(),
        zh: code.label.zh.clone(),
        en: code.label.en.clone(),
        color: code.color.clone(),
        unit: code.unit.clone(),
    };
    let codes: BTreeMap<&String, Vec<RawCode>> =
        codes.iter().map(|(name, list)| (name, list.iter().map(code).collect())).collect();
    // Of a catalog of some layers, only the needs that their stock can meet.
    let needs = needs::of_known_items(needs.clone(), layers, &catalog.codes);
    let layers: Vec<Json> = layers.iter().map(|layer| write_layer(layer, access.get(&layer.id))).collect();
    json!({
        "county": county,
        "synonyms": synonyms,
        "common_fields": [],
        "rings_m": rings_m,
        "needs": needs,
        "codes": codes,
        "layers": layers,
    })
}

fn write_layer(layer: &LayerSchema, access: Option<&LayerAccess>) -> Json {
    json!({
        "access": access,
        "id": layer.id,
        "group": layer.group,
        "zh": layer.title.zh,
        "en": layer.title.en,
        "geometry": layer.geometry,
        "minzoom": layer.min_zoom,
        "clusters": layer.clusters.as_ref().map(RawClusterConfig::from),
        "importance": layer.importance,
        "tessellation": layer.tessellation,
        "roles": layer.roles,
        "fields": layer.fields.iter().map(RawField::from).collect::<Vec<_>>(),
    })
}
