//! The tile cache: after any edits, each cached tile equals a newly rendered one, and only tiles that show a change get
//! a new tag.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use crate::support::Server;
use crate::support::listener::{Listener, edit, point_literal};

/// Web Mercator tiles of some zooms over the county.
fn tiles(layers: &str) -> Vec<String> {
    let fraction =
        |lon: f64, lat: f64| (lon / 360.0 + 0.5, 0.5 - lat.to_radians().tan().asinh() / (2.0 * std::f64::consts::PI));
    let (low, high) = (fraction(118.45, 26.6), fraction(119.05, 25.9));
    let mut paths = vec![format!("/tiles/{layers}/0/0/0"), format!("/tiles/{layers}/1/1/0")];
    for zoom in [8, 10, 11] {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "columns and rows of the county")]
        let index = |at: f64| (at * f64::from(1_u32 << zoom)) as u32;
        for x in index(low.0)..=index(high.0) {
            paths.extend((index(low.1)..=index(high.1)).map(|y| format!("/tiles/{layers}/{zoom}/{x}/{y}")));
        }
    }
    paths
}

fn tags(server: &Server) -> BTreeMap<String, String> {
    let tag = |path: String| {
        let tag = server.get(&path).header("etag").to_owned();
        (path, tag)
    };
    tiles("shelters").into_iter().map(tag).collect()
}

#[test]
fn a_move_changes_the_tags_of_its_two_tiles_only() {
    let (folder, server) = Server::of_sample();
    let mut news = Listener::open(&server, "");
    let at = |lon: f64| format!("update shelters set geom = {} where id = 'SH-0001'", point_literal(lon, 26.2));
    edit(&folder.file("onemap.gpkg"), &at(118.61));
    news.change();
    let before = tags(&server);
    edit(&folder.file("onemap.gpkg"), &at(118.9));
    news.change();
    let after = tags(&server);
    let changed: Vec<&str> =
        before.iter().filter(|(path, tag)| after[*path] != **tag).map(|(path, _)| path.as_str()).collect();
    // 118.61 and 118.9 at 26.2 degrees, by the formulas of the tile matrix set.
    let expected = ["10/849/434", "10/850/434", "11/1698/869", "11/1700/869", "8/212/108"];
    assert_eq!(changed, expected.map(|tile| format!("/tiles/shelters/{tile}")));
    for (path, tag) in &after {
        if !tag.is_empty() {
            let again = server.get_with(path, ("If-None-Match", tag));
            assert_eq!((again.status, again.header("cache-control")), (304, "no-cache"), "{path}");
        }
    }
}

#[derive(Clone, Debug)]
enum IndexOp {
    Move(u8, f64, f64),
    Rename(u8),
    Delete(u8),
    Forget(u8),
    /// A township gets the area of another one, so borders of its neighbours change.
    CopyTownship(u8, u8),
    DeleteTownship(u8),
}

fn op() -> impl Strategy<Value = IndexOp> {
    prop_oneof![
        5 => (0..40_u8, 118.4..119.1, 25.8..26.7).prop_map(|(row, lon, lat)| IndexOp::Move(row, lon, lat)),
        2 => (0..40_u8).prop_map(IndexOp::Rename),
        1 => (0..40_u8).prop_map(IndexOp::Delete),
        1 => (0..40_u8).prop_map(IndexOp::Forget),
        2 => (0..16_u8, 0..16_u8).prop_map(|(from, to)| IndexOp::CopyTownship(from, to)),
        1 => (0..16_u8).prop_map(IndexOp::DeleteTownship),
    ]
}

impl IndexOp {
    fn statement(&self, round: usize) -> String {
        let nth = |row: &u8| format!("(select id from shelters order by id limit 1 offset {row})");
        let township = |row: &u8| format!("(select id from townships order by id limit 1 offset {row})");
        match self {
            Self::Move(row, lon, lat) => {
                format!("update shelters set geom = {} where id = {};", point_literal(*lon, *lat), nth(row))
            }
            Self::Rename(row) => format!("update shelters set name = 'round {round}' where id = {};", nth(row)),
            Self::Delete(row) => format!("delete from shelters where id = {};", nth(row)),
            Self::Forget(row) => format!("update shelters set geom = null where id = {};", nth(row)),
            Self::CopyTownship(from, to) => {
                format!(
                    "update townships set geom = (select geom from townships where id = {}) where id = {};",
                    township(from),
                    township(to)
                )
            }
            Self::DeleteTownship(row) => format!("delete from townships where id = {};", township(row)),
        }
    }
}

#[test]
fn a_cached_tile_equals_a_new_rendering() {
    let (folder, keeping) = Server::of_sample();
    let making = Server::start(&folder, &["--tile-cache-mb", "0"]);
    let mut news = [&keeping, &making].map(|server| Listener::open(server, "?layers=teams"));
    let paths = [tiles("shelters"), tiles("shelters,teams"), tiles("roads,shelters"), tiles("townships")].concat();
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 6, failure_persistence: None, max_shrink_iters: 0, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let mut round = 0;
    let file = folder.file("onemap.gpkg");
    for _ in 0..6 {
        let ops = proptest::collection::vec(op(), 1..4).new_tree(&mut runner).expect("ops").current();
        round += 1;
        let mut statements = String::new();
        for op in &ops {
            statements.push_str(&op.statement(round));
        }
        // The same transaction changes a team without moving it: a client notified of it has received the whole
        // transaction.
        write!(statements, "update teams set people = {round} where id = (select min(id) from teams)").expect("text");
        edit(&file, &statements);
        for listener in &mut news {
            listener.change();
        }
        for path in &paths {
            let (kept, made) = (keeping.get(path), making.get(path));
            assert_eq!((kept.status, kept.header("etag")), (made.status, made.header("etag")), "{path} after {ops:?}");
            assert!(kept.body == made.body, "{path} after {ops:?}");
            let packed = keeping.get_with(path, ("Accept-Encoding", "gzip"));
            if packed.header("content-encoding") == "gzip" {
                let mut plain = Vec::new();
                let read = std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*packed.body), &mut plain);
                assert!(read.is_ok() && plain == made.body, "{path} packed, after {ops:?}");
            } else {
                assert_eq!(packed.body, made.body, "{path} after {ops:?}");
            }
        }
    }
}
