//! Dashes by value: a style layer for each, because only the newest map libraries accept expressions for dashes.

use serde_json::{Value as Json, json};

const DASHES: &str = "line-dasharray";

/// Splits each line layer whose dashes are a `match` of a value: a layer for each case, with a filter, and one for the rest,
/// which keeps its id.
pub(crate) fn split(style: &mut Json) {
    let Some(layers) = style["layers"].as_array_mut() else { return };
    *layers = std::mem::take(layers).into_iter().flat_map(split_layer).collect();
}

fn split_layer(mut layer: Json) -> Vec<Json> {
    let dashes = layer["paint"][DASHES].as_array().cloned().unwrap_or_default();
    let [operator, input, cases @ .., rest] = dashes.as_slice() else { return vec![layer] };
    if operator != "match" {
        return vec![layer];
    }
    let values: Vec<&Json> = cases.chunks_exact(2).map(|case| &case[0]).collect();
    let of_case = |case: &[Json]| {
        let mut own = with_filter(&layer, json!(["==", input, case[0]]));
        own["id"] = json!(format!("{}-{}", text(&layer["id"]), text(&case[0])));
        own["paint"][DASHES] = case[1][1].clone();
        own
    };
    let own: Vec<Json> = cases.chunks_exact(2).map(of_case).collect();
    layer = with_filter(&layer, json!(["!", ["in", input, ["literal", values]]]));
    // A dash without a gap is a plain line.
    if rest[1][1] == 0 {
        if let Some(paint) = layer["paint"].as_object_mut() {
            paint.remove(DASHES);
        }
    } else {
        layer["paint"][DASHES] = rest[1].clone();
    }
    std::iter::once(layer).chain(own).collect()
}

fn with_filter(layer: &Json, test: Json) -> Json {
    let mut own = layer.clone();
    own["filter"] = match &layer["filter"] {
        Json::Null => test,
        filter => json!(["all", filter, test]),
    };
    own
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_gets_a_layer_and_the_rest_keeps_the_id() {
        let dashes = json!([
            "match",
            ["get", "kind"],
            "gas",
            ["literal", [4, 1]],
            "power",
            ["literal", [2, 1]],
            ["literal", [1, 0]]
        ]);
        let plain = json!({"id": "roads", "type": "line", "paint": {DASHES: [1, 2]}});
        let line = json!({"id": "pipes", "type": "line", "filter": ["has", "kind"], "paint": {"line-width": 2, DASHES: dashes}});
        let mut style = json!({"layers": [plain, line]});
        split(&mut style);
        let filter = |test: Json| json!(["all", ["has", "kind"], test]);
        let drawn = |id: &str, test: Json, dash: Json| json!({"id": id, "type": "line", "filter": filter(test), "paint": {"line-width": 2, DASHES: dash}});
        let mut rest = drawn("pipes", json!(["!", ["in", ["get", "kind"], ["literal", ["gas", "power"]]]]), Json::Null);
        rest["paint"].as_object_mut().map(|paint| paint.remove(DASHES));
        let gas = drawn("pipes-gas", json!(["==", ["get", "kind"], "gas"]), json!([4, 1]));
        let power = drawn("pipes-power", json!(["==", ["get", "kind"], "power"]), json!([2, 1]));
        assert_eq!(style, json!({"layers": [plain, rest, gas, power]}));
    }
}
