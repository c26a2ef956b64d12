//! Mapbox Vector Tile 2.1 bytes. The same features in the same order give the same bytes.
//!
//! The format is protocol buffers; the field numbers are those of `vector_tile.proto` in the
//! specification, section 4.

use std::collections::HashMap;

use super::clip::{EXTENT, TileGeometry, TilePoint};
use crate::model::{FeatureId, Value, format_date, format_instant};

const VERSION: u64 = 2;
const MOVE_TO: u32 = 1;
const LINE_TO: u32 = 2;
const CLOSE_PATH: u32 = 7;

/// A tile as it grows.
#[derive(Default)]
pub(super) struct Tile(Vec<u8>);

impl Tile {
    /// Adds a layer unless it is empty.
    pub(super) fn add(&mut self, layer: LayerWriter) {
        if !layer.features.is_empty() {
            message(&mut self.0, 3, &layer.into_bytes());
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A property value of a feature.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Attribute {
    Text(String),
    Integer(i64),
    /// Bits of a finite double.
    Real(u64),
    Boolean(bool),
}

impl Attribute {
    /// `None` for unknown: an absent property.
    pub(super) fn of(value: Value) -> Option<Self> {
        Some(match value {
            Value::Unknown => return None,
            Value::Boolean(yes) => Self::Boolean(yes),
            Value::Integer(number) => Self::Integer(number),
            Value::Real(number) => Self::Real(number.to_bits()),
            Value::Text(text) | Value::Json(text) => Self::Text(text),
            Value::Date(date) => Self::Text(format_date(date)),
            Value::DateTime(instant) => Self::Text(format_instant(instant)),
            Value::TextList(list) => Self::Text(list.join(",")),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Text(text) => message(&mut out, 1, text.as_bytes()),
            Self::Real(bits) => {
                key(&mut out, 3, 1);
                out.extend_from_slice(&bits.to_le_bytes());
            }
            Self::Integer(number) => match u64::try_from(*number) {
                Ok(number) => number_field(&mut out, 5, number),
                Err(_) => number_field(&mut out, 6, zigzag64(*number)),
            },
            Self::Boolean(yes) => number_field(&mut out, 7, u64::from(*yes)),
        }
        out
    }
}

/// A layer as it grows: features, and each different key and value once.
pub(super) struct LayerWriter {
    name: String,
    features: Vec<u8>,
    keys: Dictionary<String>,
    values: Dictionary<Attribute>,
}

impl LayerWriter {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), features: Vec::new(), keys: Dictionary::new(), values: Dictionary::new() }
    }

    pub(super) fn feature(&mut self, id: &FeatureId, geometry: &TileGeometry, properties: Vec<(&str, Attribute)>) {
        let mut tags = Vec::with_capacity(properties.len() * 2);
        for (name, value) in properties {
            tags.push(self.keys.entry(name.to_owned()));
            tags.push(self.values.entry(value));
        }
        let (kind, commands) = match geometry {
            TileGeometry::Points(cells) => (1, points(cells)),
            TileGeometry::Lines(lines) => (2, paths(lines, false)),
            TileGeometry::Areas(rings) => (3, paths(rings, true)),
        };
        let mut feature = Vec::new();
        number_field(&mut feature, 1, stable_number(id));
        packed(&mut feature, 2, &tags);
        number_field(&mut feature, 3, kind);
        packed(&mut feature, 4, &commands);
        message(&mut self.features, 2, &feature);
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.features.len() + 1024);
        number_field(&mut out, 15, VERSION);
        message(&mut out, 1, self.name.as_bytes());
        out.extend_from_slice(&self.features);
        for name in &self.keys.entries {
            message(&mut out, 3, name.as_bytes());
        }
        for value in &self.values.entries {
            message(&mut out, 4, &value.encode());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
        number_field(&mut out, 5, EXTENT as u64);
        out
    }
}

/// Entries in order of first use.
struct Dictionary<T> {
    entries: Vec<T>,
    places: HashMap<T, u32>,
}

impl<T: Clone + Eq + std::hash::Hash> Dictionary<T> {
    fn new() -> Self {
        Self { entries: Vec::new(), places: HashMap::new() }
    }

    fn entry(&mut self, value: T) -> u32 {
        *self.places.entry(value).or_insert_with_key(|value| {
            self.entries.push(value.clone());
            #[expect(clippy::cast_possible_truncation, reason = "a tile holds far fewer values")]
            let place = (self.entries.len() - 1) as u32;
            place
        })
    }
}

/// A number for the id that stays the same for ever and is exact in JavaScript: FNV-1a, cut to 53 bits.
pub(super) fn stable_number(id: &FeatureId) -> u64 {
    let hash = id
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash >> 11
}

/// Turns positions into the format's steps from a running cursor.
struct CommandCursor(TilePoint);

impl CommandCursor {
    fn step(&mut self, commands: &mut Vec<u32>, to: TilePoint) {
        commands.push(zigzag(to.0 - self.0.0));
        commands.push(zigzag(to.1 - self.0.1));
        self.0 = to;
    }
}

fn command(id: u32, count: usize) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "a feature has at most a million positions")]
    let count = count as u32;
    id | (count << 3)
}

fn points(cells: &[TilePoint]) -> Vec<u32> {
    let mut commands = vec![command(MOVE_TO, cells.len())];
    let mut cursor = CommandCursor((0, 0));
    for cell in cells {
        cursor.step(&mut commands, *cell);
    }
    commands
}

fn paths(paths: &[Vec<TilePoint>], closed: bool) -> Vec<u32> {
    let mut commands = Vec::new();
    let mut cursor = CommandCursor((0, 0));
    for path in paths {
        let Some((first, rest)) = path.split_first() else { continue };
        commands.push(command(MOVE_TO, 1));
        cursor.step(&mut commands, *first);
        commands.push(command(LINE_TO, rest.len()));
        for cell in rest {
            cursor.step(&mut commands, *cell);
        }
        if closed {
            commands.push(command(CLOSE_PATH, 1));
        }
    }
    commands
}

fn zigzag(number: i32) -> u32 {
    ((number << 1) ^ (number >> 31)).cast_unsigned()
}

fn zigzag64(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

fn key(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    varint(out, field << 3 | wire_type);
}

fn number_field(out: &mut Vec<u8>, field: u64, number: u64) {
    key(out, field, 0);
    varint(out, number);
}

fn message(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    key(out, field, 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn packed(out: &mut Vec<u8>, field: u64, numbers: &[u32]) {
    let mut bytes = Vec::with_capacity(numbers.len() * 2);
    for number in numbers {
        varint(&mut bytes, u64::from(*number));
    }
    message(out, field, &bytes);
}
