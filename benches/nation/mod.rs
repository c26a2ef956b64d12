//! Generates the features of a country, reproducibly and with a realistic distribution: towns with many features close
//! together, zones with many vertices.

use geo::{LineString, Polygon};
use onemap::geodesy::LonLat;
use onemap::model::catalog::{Code, CodeValue};
use onemap::model::{Catalog, Feature, FeatureId, FieldType, LayerSchema, Shape, Value};

/// Vertices of a risk zone.
const CORNERS: usize = 175;
/// Number of towns, around which features are clustered.
const TOWNS: u64 = 3_000;

/// Generates the layers of a country.
pub(crate) struct Nation<'a> {
    catalog: &'a Catalog,
    /// Fraction of the whole country, 0 to 1.
    scale: f64,
}

impl<'a> Nation<'a> {
    pub(crate) fn new(catalog: &'a Catalog, scale: f64) -> Self {
        Self { catalog, scale }
    }

    /// Layers and their number of features.
    pub(crate) fn layers(&self) -> Vec<(&'a LayerSchema, u64)> {
        [("hazards", 2e6), ("shelters", 5e5), ("risk_zones", 2e5), ("pipelines", 2e5)]
            .into_iter()
            .filter_map(|(id, count)| Some((self.catalog.layer(id)?, (count * self.scale) as u64)))
            .collect()
    }

    /// The features of a layer.
    pub(crate) fn features(&self, schema: &'a LayerSchema, count: u64) -> impl Iterator<Item = Feature> + use<'a> {
        let lists: Vec<Vec<String>> = schema
            .fields
            .iter()
            .map(|field| field.codes.as_ref().map(|list| codes(self.catalog, list)).unwrap_or_default())
            .collect();
        (0..count).map(move |n| draw(&lists, schema, n))
    }
}

/// SplitMix64: a hash of a number, without state.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in 0..1.
fn share(seed: u64) -> f64 {
    (mixed(seed) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A position near one of the towns, degrees.
pub(crate) fn place(seed: u64) -> (f64, f64) {
    let town = mixed(seed) % TOWNS;
    let (town_lon, town_lat) = (78.0 + 55.0 * share(town * 2 + 1_000_001), 20.0 + 32.0 * share(town * 2 + 1_000_002));
    // The sum of numbers is dense in the middle and sparse at the edge.
    let offset = |salt: u64| (0..4).map(|part| share(seed ^ (salt + part) << 40)).sum::<f64>() - 2.0;
    (town_lon + 0.15 * offset(1), town_lat + 0.15 * offset(9))
}

fn draw(lists: &[Vec<String>], schema: &LayerSchema, n: u64) -> Feature {
    let seed = mixed(n ^ (schema.id.len() as u64) << 56);
    let (lon, lat) = place(seed);
    let shape = match schema.id.as_str() {
        "risk_zones" => zone(lon, lat, seed),
        "pipelines" => street(lon, lat, seed),
        _ => Shape::from(LonLat::new(lon, lat).expect("a place")),
    };
    let value = |at: usize| {
        let field = &schema.fields[at];
        let pick = mixed(seed ^ (at as u64) << 32);
        match field.name.as_str() {
            "name" => Value::Text(format!("{}{n}", schema.title.zh)),
            "region_code" => Value::Text(format!("{:012}", 110_000_000_000 + mixed(seed) % TOWNS * 1_000)),
            "source" => Value::Text("示例数据".to_owned()),
            "version" => Value::Integer(1),
            "risk_level" => Value::Integer(1 + (pick % 100 / 5).min(3) as i64),
            "capacity" => Value::Integer(50 + (pick % 2_000) as i64),
            "occupancy" => Value::Integer((pick % 400) as i64),
            "diameter_mm" => Value::Integer(50 + (pick % 1_500) as i64),
            _ if field.field_type == FieldType::Text && !lists[at].is_empty() => {
                Value::Text(lists[at][(pick % lists[at].len() as u64) as usize].clone())
            }
            _ => Value::Unknown,
        }
    };
    let values = (0..schema.fields.len()).map(value).collect();
    Feature { id: FeatureId::new(&format!("n{n:07}")).expect("an id"), geometry: Some(shape), values }
}

fn codes(catalog: &Catalog, list: &str) -> Vec<String> {
    let text = |code: &Code| if let CodeValue::Text(text) = &code.code { Some(text.clone()) } else { None };
    catalog.codes.get(list).map(|codes| codes.iter().filter_map(text).collect()).unwrap_or_default()
}

fn zone(lon: f64, lat: f64, seed: u64) -> Shape {
    let size = 0.002 + 0.01 * share(seed ^ 3);
    let corner = |at: usize| {
        let angle = at as f64 / CORNERS as f64 * std::f64::consts::TAU;
        let reach = size * (0.7 + 0.3 * share(seed ^ (at as u64) << 20));
        (lon + reach * angle.cos(), lat + reach * angle.sin())
    };
    let mut ring: Vec<(f64, f64)> = (0..CORNERS - 1).map(corner).collect();
    ring.push(ring[0]);
    Shape::new(Polygon::new(LineString::from(ring), Vec::new()).into()).expect("a zone")
}

fn street(lon: f64, lat: f64, seed: u64) -> Shape {
    let step = |at: u64| (share(seed ^ at << 24) - 0.3) * 0.002;
    let line: Vec<(f64, f64)> = (0..8)
        .scan((lon, lat), |at, n| {
            *at = (at.0 + step(n), at.1 + step(n + 50));
            Some(*at)
        })
        .collect();
    Shape::new(LineString::from(line).into()).expect("a street")
}
