//! Mapbox Vector Tile 2.1 bytes. The same features in the same order give the same bytes.
//!
//! The format is protocol buffers; the field numbers are those of `vector_tile.proto` in the
//! specification, section 4.

use std::collections::HashMap;

use super::attribute::Attribute;
use super::clip::{EXTENT, TileGeometry, TilePoint};
use super::select::TileLayer;

const VERSION: u64 = 2;
const MOVE_TO: u32 = 1;
const LINE_TO: u32 = 2;
const CLOSE_PATH: u32 = 7;

/// Encodes a layer as part of a tile.
pub(super) fn encode(layer: &TileLayer<'_>) -> Vec<u8> {
    let (mut keys, mut values) = (Keys::default(), Values::default());
    let mut features = Vec::with_capacity(layer.features.len() * 64);
    let (mut feature, mut numbers) = (Vec::new(), Vec::new());
    for own in &layer.features {
        feature.clear();
        number_field(&mut feature, 1, own.id);
        numbers.clear();
        for (name, value) in &own.properties {
            numbers.push(keys.entry(name));
            numbers.push(values.entry(value));
        }
        packed(&mut feature, 2, &numbers);
        numbers.clear();
        let kind = match &own.geometry {
            TileGeometry::Points(cells) => {
                points(&mut numbers, cells);
                1
            }
            TileGeometry::Lines(lines) => {
                paths(&mut numbers, lines, false);
                2
            }
            TileGeometry::Areas(rings) => {
                paths(&mut numbers, rings, true);
                3
            }
        };
        number_field(&mut feature, 3, kind);
        packed(&mut feature, 4, &numbers);
        message(&mut features, 2, &feature);
    }
    let mut body = Vec::with_capacity(features.len() + 1024);
    number_field(&mut body, 15, VERSION);
    message(&mut body, 1, layer.name.as_bytes());
    body.extend_from_slice(&features);
    for name in keys.entries {
        message(&mut body, 3, name.as_bytes());
    }
    for value in values.entries {
        feature.clear();
        write_value(&mut feature, value);
        message(&mut body, 4, &feature);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
    number_field(&mut body, 5, EXTENT as u64);
    let mut part = Vec::with_capacity(body.len() + 8);
    message(&mut part, 3, &body);
    part
}

fn write_value(out: &mut Vec<u8>, value: &Attribute<'_>) {
    match value {
        Attribute::Text(text) => message(out, 1, text.as_bytes()),
        Attribute::Real(bits) => {
            key(out, 3, 1);
            out.extend_from_slice(&bits.to_le_bytes());
        }
        Attribute::Integer(number) => match u64::try_from(*number) {
            Ok(number) => number_field(out, 5, number),
            Err(_) => number_field(out, 6, zigzag64(*number)),
        },
        Attribute::Boolean(yes) => number_field(out, 7, u64::from(*yes)),
    }
}

/// Distinct names of properties in order of first use.
#[derive(Default)]
struct Keys<'a> {
    entries: Vec<&'a str>,
    /// The place after the last one: features of a layer have their properties in one order.
    next: usize,
}

impl<'a> Keys<'a> {
    fn entry(&mut self, name: &'a str) -> u32 {
        let is_next = self.entries.get(self.next).is_some_and(|own| *own == name);
        let known = if is_next { Some(self.next) } else { self.entries.iter().position(|own| *own == name) };
        let place = known.unwrap_or_else(|| {
            self.entries.push(name);
            self.entries.len() - 1
        });
        self.next = place + 1;
        number_of(place)
    }
}

/// Distinct values in order of first use.
#[derive(Default)]
struct Values<'a> {
    entries: Vec<&'a Attribute<'a>>,
    places: HashMap<&'a Attribute<'a>, u32, foldhash::fast::RandomState>,
}

impl<'a> Values<'a> {
    fn entry(&mut self, value: &'a Attribute<'a>) -> u32 {
        *self.places.entry(value).or_insert_with(|| {
            self.entries.push(value);
            number_of(self.entries.len() - 1)
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a tile holds far fewer names and values")]
fn number_of(place: usize) -> u32 {
    place as u32
}

/// Encodes positions as cursor-relative commands.
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

fn points(commands: &mut Vec<u32>, cells: &[TilePoint]) {
    commands.push(command(MOVE_TO, cells.len()));
    let mut cursor = CommandCursor((0, 0));
    for cell in cells {
        cursor.step(commands, *cell);
    }
}

fn paths(commands: &mut Vec<u32>, paths: &[Vec<TilePoint>], closed: bool) {
    let mut cursor = CommandCursor((0, 0));
    for path in paths {
        let Some((first, rest)) = path.split_first() else { continue };
        commands.push(command(MOVE_TO, 1));
        cursor.step(commands, *first);
        commands.push(command(LINE_TO, rest.len()));
        for cell in rest {
            cursor.step(commands, *cell);
        }
        if closed {
            commands.push(command(CLOSE_PATH, 1));
        }
    }
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
    let length = |number: &u32| (32 - (number | 1).leading_zeros()).div_ceil(7) as usize;
    key(out, field, 2);
    varint(out, numbers.iter().map(length).sum::<usize>() as u64);
    for number in numbers {
        varint(out, u64::from(*number));
    }
}
