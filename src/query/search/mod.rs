//! Search: features by name, pinyin of a Chinese name, or code.

mod sound;

use rayon::prelude::*;

use crate::geodesy::LonLat;
use crate::geodesy::distance::nearest_place;
use crate::model::GeometryKind;
use crate::snapshot::{Layer, Row, Snapshot};
use sound::{are_initials, sounds_like};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The group of layers that are the ground of the map.
const GROUND: &str = "base";

/// A search.
#[derive(Clone, Debug)]
pub struct SearchQuery<'a> {
    /// Words folded by [`fold`], all of which must match.
    pub words: Vec<String>,
    /// For each word, the codes of the stock items that it names.
    pub items: Vec<Vec<&'a str>>,
    /// Layers to search.
    pub layers: Vec<&'a Layer>,
    /// Position that ranks equal matches by distance.
    pub near: Option<LonLat>,
    /// Maximum number of results.
    pub limit: usize,
}

/// How a word matched, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// It equals the name, the id or the code.
    Whole,
    /// The name begins with it.
    Start,
    /// The id or the code begins with it.
    Code,
    /// The name contains it.
    Inside,
    /// The stock has an item of this name.
    Stock,
    /// The name contains its characters in their order, with others between them.
    Scattered,
    /// It is the pinyin of the whole name.
    SoundOfWhole,
    /// The name begins with its pinyin or initials.
    SoundOfStart,
    /// The name contains its pinyin.
    SoundInside,
    /// The id or the code begins with it, but it has only letters and is more likely pinyin.
    LettersOfCode,
    /// The name begins with its first initial and has the others in their order, with characters between them.
    ScatteredInitials,
}

/// A matching feature.
#[derive(Clone, Copy, Debug)]
pub struct SearchHit<'a> {
    /// Its layer.
    pub layer: &'a Layer,
    /// The feature.
    pub row: Row<'a>,
    /// How the worst-matching word matched.
    pub how: Match,
    /// Distance from `near`, metres.
    pub distance_m: Option<f64>,
}

/// Finds features: better matches first, then areas and places of the ground, other features, and lines, whose many
/// sections often have the names of the places they pass; then nearer, shorter names, and by layer and id.
#[must_use]
pub fn search<'a>(query: &SearchQuery<'a>) -> Vec<SearchHit<'a>> {
    let chunks: Vec<_> =
        query.layers.iter().flat_map(|layer| layer.chunks().iter().map(move |chunk| (*layer, &**chunk))).collect();
    let found: Vec<SearchHit<'a>> = chunks
        .into_par_iter()
        .flat_map_iter(|(layer, chunk)| {
            let hits = chunk.rows_after(None).filter_map(|row| hit(query, layer, row));
            first(hits.collect(), query.limit)
        })
        .collect();
    first(found, query.limit)
}

/// The layers of a snapshot that have names.
#[must_use]
pub fn named_layers(snapshot: &Snapshot) -> Vec<&Layer> {
    snapshot.layers().iter().map(|layer| &**layer).filter(|layer| layer.schema().position("name").is_some()).collect()
}

fn first(mut hits: Vec<SearchHit<'_>>, limit: usize) -> Vec<SearchHit<'_>> {
    let length = |hit: &SearchHit<'_>| hit.layer.text(&hit.row, "name").map_or(0, |name| name.chars().count());
    hits.sort_by(|a, b| {
        let metres = |hit: &SearchHit<'_>| hit.distance_m.unwrap_or(f64::INFINITY);
        let order = a
            .how
            .cmp(&b.how)
            .then(kind(a.layer).cmp(&kind(b.layer)))
            .then(metres(a).total_cmp(&metres(b)))
            .then_with(|| length(a).cmp(&length(b)));
        order.then_with(|| (&a.layer.schema().id, a.row.id()).cmp(&(&b.layer.schema().id, b.row.id())))
    });
    hits.truncate(limit);
    hits
}

/// Rank of the features of a layer among equal matches.
fn kind(layer: &Layer) -> u8 {
    let schema = layer.schema();
    match schema.geometry {
        GeometryKind::Line => 3,
        _ if schema.group != GROUND => 2,
        GeometryKind::Polygon => 0,
        _ => 1,
    }
}

fn hit<'a>(query: &SearchQuery<'_>, layer: &'a Layer, row: Row<'a>) -> Option<SearchHit<'a>> {
    let name = layer.text(&row, "name").unwrap_or_default();
    let (id, code) = (row.id().as_str(), layer.text(&row, "code"));
    let has = |codes: &[&str]| {
        let stock = if codes.is_empty() { None } else { layer.resources().stock_items(&row) };
        stock.is_some_and(|stock| stock.iter().any(|item| codes.contains(&&*item.code)))
    };
    let found = query.words.iter().zip(&query.items).map(|(word, items)| {
        let by_stock = has(items).then_some(Match::Stock);
        best(word, name, id, code).into_iter().chain(by_stock).min()
    });
    let how = found.collect::<Option<Vec<_>>>()?.into_iter().max()?;
    let distance_m = query.near.and_then(|from| Some(nearest_place(from, row.shape()?.geometry())?.1));
    Some(SearchHit { layer, row, how, distance_m })
}

/// Folds to lower case without accents.
#[must_use]
pub fn fold(text: &str) -> String {
    text.nfd().filter(|c| !is_combining_mark(*c)).nfc().flat_map(char::to_lowercase).collect()
}

/// Whether folding may change a character: Chinese characters have neither case nor accents.
fn is_latin(c: char) -> bool {
    c.is_ascii_uppercase() || ('\u{80}'..'\u{2e80}').contains(&c)
}

/// Whether a name contains the characters of a word in their order: 梅城小学 is 梅城镇第一小学.
fn is_scattered(word: &str, name: &str) -> bool {
    let mut rest = name.chars();
    word.chars().nth(2).is_some() && word.chars().all(|c| rest.any(|own| own == c))
}

/// The best match of a word.
fn best(word: &str, name: &str, id: &str, code: Option<&str>) -> Option<Match> {
    let folded;
    let name = if name.chars().any(is_latin) {
        folded = fold(name);
        folded.as_str()
    } else {
        name
    };
    let begins = |text: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let is = |text: &str| text.len() == word.len() && begins(text);
    if name == word || is(id) || code.is_some_and(is) {
        return Some(Match::Whole);
    }
    if name.starts_with(word) {
        return Some(Match::Start);
    }
    let by_code = begins(id) || code.is_some_and(begins);
    let letters = word.bytes().all(|byte| byte.is_ascii_alphabetic());
    if by_code && !letters {
        return Some(Match::Code);
    }
    if name.contains(word) {
        return Some(Match::Inside);
    }
    if !letters && is_scattered(word, name) {
        return Some(Match::Scattered);
    }
    let Some(spoken) = sounds_like(name, word).filter(|_| letters) else {
        let by_initials = || (letters && are_initials(name, word)).then_some(Match::ScatteredInitials);
        return by_code.then_some(Match::LettersOfCode).or_else(by_initials);
    };
    Some(match (spoken.start, spoken.end == name.chars().count()) {
        (0, true) => Match::SoundOfWhole,
        (0, false) => Match::SoundOfStart,
        _ => Match::SoundInside,
    })
}
