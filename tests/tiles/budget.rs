//! A tile over its size budget omits the least important features and reports the number; output is deterministic.

use std::collections::BTreeMap;

use onemap::model::Catalog;

use super::decoded::{COUNTY, Tile, tiles};
use crate::support::{Folder, Server};

const BUDGET_KB: u64 = 20;

fn omitted(tile: &Tile) -> BTreeMap<String, usize> {
    let parts = tile.omitted.as_deref().unwrap_or_default().split(", ").filter(|part| !part.is_empty());
    let part = |part: &str| {
        let (layer, count) = part.split_once('=').expect("layer=count");
        (layer.to_owned(), count.parse().expect("a count"))
    };
    parts.map(part).collect()
}

#[test]
fn a_tile_over_its_budget_omits_the_least_important_features() {
    let folder = Folder::new();
    let whole = Server::start(&folder, &["--tile-cache-mb", "0"]);
    let small = Server::start(&folder, &["--tile-cache-mb", "0", "--tile-budget-kb", &BUDGET_KB.to_string()]);
    let catalog = Catalog::built_in().expect("a catalog");
    let layers: Vec<&str> = catalog.layers.iter().map(|layer| layer.id.as_str()).collect();
    let [all, few, again] = [&whole, &small, &small].map(|server| {
        let mut tiles = tiles(server, &layers, 9..=12, COUNTY, "");
        tiles.sort_by_key(|tile| tile.address);
        tiles
    });
    let mut over = 0;
    for ((all, few), again) in all.iter().zip(&few).zip(&again) {
        assert_eq!((all.address, few.address), (few.address, again.address));
        assert!(all.omitted.is_none() && few.bytes <= BUDGET_KB * 1_000, "{:?} has {} bytes", few.address, few.bytes);
        let omitted = omitted(few);
        assert_eq!(omitted.is_empty(), all.bytes <= BUDGET_KB * 1_000, "{:?}", few.address);
        over += usize::from(!omitted.is_empty());
        for layer in &catalog.layers {
            let count = |tile: &Tile| tile.layers.get(&layer.id).map_or(0, Vec::len);
            let own = omitted.get(&layer.id).copied().unwrap_or(0);
            assert_eq!(count(few) + own, count(all), "{} in {:?}", layer.id, few.address);
            // A layer loses features only when all less important layers are empty.
            let less = catalog.layers.iter().filter(|other| other.importance > layer.importance && own > 0);
            for other in less {
                assert!(!few.layers.contains_key(&other.id), "{} before {} in {:?}", layer.id, other.id, few.address);
            }
        }
        let named = |tile: &Tile| -> Vec<u64> { tile.layers.values().flatten().map(|own| own.number).collect() };
        assert_eq!(
            (named(few), &few.omitted),
            (named(again), &again.omitted),
            "{:?} differs when made again",
            few.address
        );
    }
    assert!(over > 5, "{over} tiles are over the budget");
}

#[test]
fn the_same_data_gives_the_same_bytes() {
    let folder = Folder::new();
    let first = Server::start(&folder, &["--tile-cache-mb", "0"]);
    let second = Server::start(&folder, &["--tile-cache-mb", "0"]);
    let catalog = Catalog::built_in().expect("a catalog");
    let layers: Vec<&str> = catalog.layers.iter().map(|layer| layer.id.as_str()).collect();
    for tile in ["0/0/0", "5/26/13", "8/212/108", "10/850/435", "12/3400/1740", "14/13600/6961"] {
        let path = format!("/tiles/{}/{tile}", layers.join(","));
        let (one, other) = (first.get(&path), second.get(&path));
        assert!(one.status == 200 && one.body == other.body && one.body == first.get(&path).body, "{path}");
    }
}
