//! Glyphs of the map styles: distance fields in ranges of 256 codes, as MapLibre and Mapbox styles request them.

use serde_json::{Map, Value as Json, json};

use crate::http::assets::{Styles, tagged};
use crate::http::call::Call;
use crate::http::params::invalid;
use crate::http::reply::Reply;
use crate::http::reply::etag::etag;
use crate::http::reply::problem::Problem;

/// Media type of glyphs.
pub(crate) const MEDIA_TYPE: &str = "application/x-protobuf";
const RANGE: u32 = 256;
const LAST: u32 = 65_535;
const FOLDER: &str = "fonts/";

/// `GET /fonts/{fontStack}/{range}.pbf`: the glyphs of the first known font of a stack; none where it has no glyphs, such as
/// Chinese characters, which map libraries draw from fonts of the machine.
pub(crate) fn glyphs(call: &Call<'_>) -> Result<Reply, Problem> {
    let stack = call.segment("fontStack");
    let names = names();
    let font = stack.split(',').map(str::trim).find(|font| names.iter().any(|name| name == font));
    let missing = || Problem::NotFound { what: "fontStack", value: stack.to_owned(), accepted: names.join(", ") };
    let font = font.ok_or_else(missing)?;
    let range = call.segment("range");
    if !is_range(range) {
        return Err(invalid("range", range, "it is no range of 256 codes", "0-255, 256-511, and so on to 65280-65535"));
    }
    let file = Styles::get(&format!("{FOLDER}{font}/{range}.pbf"));
    let bytes = file.map(|file| file.data.into_owned()).unwrap_or_default();
    Ok(tagged(call, MEDIA_TYPE, &etag(&bytes), bytes))
}

fn is_range(text: &str) -> bool {
    let Some((first, last)) = text.split_once('-') else { return false };
    let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) else { return false };
    first.is_multiple_of(RANGE) && last <= LAST && last.checked_sub(first) == Some(RANGE - 1)
}

/// Names of the fonts in alphabetical order.
fn names() -> Vec<String> {
    let name_of = |file: &str| Some(file.strip_prefix(FOLDER)?.split_once('/')?.0.to_owned());
    let mut names: Vec<String> = Styles::iter().filter_map(|file| name_of(&file)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The fonts by name, as `/catalog` lists them.
pub(crate) fn listed() -> Map<String, Json> {
    let described = |name: String| {
        let (family, style) = name.rsplit_once(' ').unwrap_or((&name, ""));
        let described = json!({"family": family, "style": style});
        (name, described)
    };
    names().into_iter().map(described).collect()
}
