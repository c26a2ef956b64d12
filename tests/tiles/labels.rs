//! Names of lines and areas in tiles.

use std::collections::BTreeMap;

use geo::{Contains, Distance, Euclidean, Geometry};
use serde_json::Value as Json;

use super::decoded::{COUNTY, Decoded, by_layer, shape, tiles};
use super::{features, layers};
use crate::support::Server;

#[test]
fn every_line_and_area_that_is_drawn_has_one_label_in_it() {
    let (_folder, server) = Server::of_sample();
    let all = layers(&server);
    let shaped = all.iter().filter(|layer| layer["geometry"] != "point");
    let names: Vec<&str> = shaped.filter_map(|layer| layer["id"].as_str()).collect();
    assert!(names.len() >= 5, "{names:?}");
    let labels = |query: &str, layers: &[&str]| -> Vec<Decoded> {
        by_layer(tiles(&server, layers, 0..=14, COUNTY, query)).remove("labels").unwrap_or_default()
    };
    let path: Vec<&str> = names.iter().copied().chain(["labels"]).collect();
    let both = by_layer(tiles(&server, &path, 0..=14, COUNTY, ""));
    let alone = labels("", &["labels"]);
    assert!(alone.len() == both["labels"].len() && alone.len() > 1_000, "{} labels", alone.len());
    let mut places: BTreeMap<(&str, u8, String), Vec<&Decoded>> = BTreeMap::new();
    for label in &alone {
        let layer = label.properties["layer"].as_str().expect("a layer");
        places.entry((layer, label.tile.0, label.id().expect("an id").to_owned())).or_default().push(label);
    }
    for name in names {
        for feature in features(&server, name) {
            let id = feature["id"].as_str().expect("an id");
            let title = &feature["properties"]["name"];
            let is_point = feature["geometry"]["type"] == "Point";
            for zoom in 0..=14 {
                let is_drawn = both
                    .get(name)
                    .is_some_and(|drawn| drawn.iter().any(|own| own.tile.0 == zoom && own.id() == Some(id)));
                let own = places.remove(&(name, zoom, id.to_owned())).unwrap_or_default();
                let what = format!("{name} {id} at zoom {zoom}");
                assert_eq!(own.len(), usize::from(is_drawn && !is_point && title.is_string()), "{what}");
                let [label] = own[..] else { continue };
                assert_eq!(&label.properties["name"], title, "{what}");
                let Geometry::Point(at) = label.geometry else { panic!("{what} is no point") };
                let source = shape(&feature["geometry"], zoom);
                let is_near = Euclidean.distance(&source, &Geometry::Point(at)) <= 1.5;
                assert!(is_near || source.contains(&at), "{what}: {at:?}");
            }
        }
    }
    assert!(places.is_empty(), "labels of nothing: {:?}", places.keys().next());
    // A filter applies to the labels too.
    let flood = labels("?filter=hazard='flood'", &["risk_zones", "labels"]);
    assert!(!flood.is_empty() && flood.len() < both["labels"].len());
}

#[test]
fn labels_are_those_of_the_layers_before_them() {
    let (_folder, server) = Server::of_sample();
    let named = |path: &str| {
        let found = tiles(&server, &[path], 10..=10, COUNTY, "");
        let labels = found.iter().filter_map(|tile| tile.layers.get("labels")).flatten();
        let mut layers: Vec<String> =
            labels.filter_map(|own| own.properties["layer"].as_str().map(str::to_owned)).collect();
        layers.sort_unstable();
        layers.dedup();
        layers
    };
    assert_eq!(named("townships,shelters,labels,risk_zones"), ["townships"]);
    assert_eq!(named("shelters,labels"), [""; 0]);
    assert_eq!(server.get("/tiles/labels,townships/10/850/434").status, 400);
    assert_eq!(server.get("/tiles/townships,labels,labels/10/850/434").status, 404);
    let described = server.get("/tiles/townships,labels").json();
    let ids: Vec<&Json> = described["vector_layers"].as_array().expect("layers").iter().map(|own| &own["id"]).collect();
    assert_eq!(ids, ["townships", "labels"]);
}
