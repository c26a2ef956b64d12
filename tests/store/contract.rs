//! The contract of `store::Store`, tested on a GeoPackage file and a PostGIS database.

use std::collections::BTreeMap;
use std::sync::Arc;

use geo::{line_string, polygon};
use onemap::geodesy::LonLat;
use onemap::model::{Catalog, Feature, FeatureId, LayerIndex, Shape, Value, parse_date, parse_instant};
use onemap::snapshot::{SnapshotHandle, follower};
use onemap::store::{Changes, GeoPackage, PostGis, Store, StoreError};

use super::writers::contents;
use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, foreign};

/// A store, and a way for another program to change it.
pub(crate) struct Backend {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) foreign_sql: Box<dyn Fn(&str)>,
    /// The table name of a layer.
    pub(crate) table: fn(&str) -> String,
    _folder: Option<Folder>,
}

impl Backend {
    pub(crate) async fn geopackage() -> Self {
        let folder = Folder::new();
        let path = folder.file("store.gpkg");
        let catalog = Catalog::built_in().expect("a catalog");
        GeoPackage::create(&path, &catalog).await.expect("a draft").finish().await.expect("a file");
        let store = GeoPackage::open(&path, &catalog).await.expect("a store");
        // Plain SQLite, without our functions or a spatial extension.
        let program = "import sqlite3,sys\nwith sqlite3.connect(sys.argv[1]) as c: c.executescript(sys.argv[2])";
        let foreign_sql = move |sql: &str| {
            foreign("python3", &["-c", program, &path.display().to_string(), sql]);
        };
        Self { store: Arc::new(store), foreign_sql: Box::new(foreign_sql), table: str::to_owned, _folder: Some(folder) }
    }

    /// A store that nothing else changes.
    pub(crate) fn over(store: Arc<dyn Store>) -> Self {
        Self { store, foreign_sql: Box::new(|_| {}), table: str::to_owned, _folder: None }
    }

    pub(crate) async fn postgis() -> Self {
        let url = fresh_database();
        let schemas = Catalog::built_in().expect("a catalog").layers;
        let store = PostGis::open(&url, schemas, &[]).await.expect("a store");
        let foreign_sql = move |sql: &str| {
            psql(&url, sql);
        };
        let table = |layer: &str| format!("onemap.{layer}");
        Self { store: Arc::new(store), foreign_sql: Box::new(foreign_sql), table, _folder: None }
    }

    pub(crate) fn layer(&self, id: &str) -> LayerIndex {
        LayerIndex::find(self.store.schemas(), id).expect("a layer")
    }

    pub(crate) async fn append(&self, layer: &str, features: &[Feature]) -> Result<usize, StoreError> {
        self.store.append(self.layer(layer), &mut features.iter().cloned()).await
    }

    /// All features of a layer by id.
    pub(crate) async fn read(&self, layer: &str) -> BTreeMap<FeatureId, Feature> {
        let wanted = self.layer(layer);
        let mut found = BTreeMap::new();
        let mut sink = |at: LayerIndex, feature: Feature| {
            if at == wanted {
                found.insert(feature.id.clone(), feature);
            }
        };
        self.store.read_all(&mut sink).await.expect("a reading");
        found
    }

    /// A feature with these values only.
    pub(crate) fn feature(
        &self,
        layer: &str,
        id: &str,
        shape: impl Into<Option<Shape>>,
        values: &[(&str, Value)],
    ) -> Feature {
        let schema = self.layer(layer).of(self.store.schemas());
        let mut all = vec![Value::Unknown; schema.fields.len()];
        for (field, value) in values {
            all[schema.position(field).expect("a field")] = value.clone();
        }
        Feature { id: FeatureId::new(id).expect("an id"), geometry: shape.into(), values: all }
    }
}

pub(crate) fn at(lon: f64, lat: f64) -> Shape {
    LonLat::new(lon, lat).expect("a position").into()
}

pub(crate) fn text(words: &str) -> Value {
    Value::Text(words.to_owned())
}

async fn stored_features_are_read_back_unchanged(backend: Backend) {
    let shelter = backend.feature(
        "shelters",
        "S'1 \"避\"",
        at(118.859_123_456_789, 26.222_000_000_001),
        &[
            ("name", text("实验小学 \"东楼\" 🏫, it's")),
            ("capacity", Value::Integer(0)),
            ("occupancy", Value::Integer(9_007_199_254_740_993)),
            ("fits", Value::TextList(vec!["flood".to_owned(), "a,b\"c".to_owned()])),
            ("unfit", Value::TextList(Vec::new())),
            ("for_frail", Value::Boolean(false)),
            ("confirmed_at", Value::DateTime(parse_instant("1999-12-31T23:59:59.999Z").expect("an instant"))),
        ],
    );
    let depot = backend.feature(
        "depots",
        "D1",
        None,
        &[
            ("stock", Value::Json(r#"[{"name":"帐篷","quantity":200}]"#.to_owned())),
            ("agreement_until", Value::Date(parse_date("1970-02-28").expect("a day"))),
        ],
    );
    let station = backend.feature("stations", "ST1", at(-180.0, 90.0), &[("value", Value::Real(-0.1))]);
    let hole = polygon!(
        exterior: [(x: 118.0, y: 26.0), (x: 119.0, y: 26.0), (x: 119.0, y: 27.0), (x: 118.0, y: 26.0)],
        interiors: [[(x: 118.6, y: 26.1), (x: 118.8, y: 26.1), (x: 118.8, y: 26.4), (x: 118.6, y: 26.1)]],
    );
    let shape = |geometry: geo::Geometry| Some(Shape::new(geometry).expect("a shape"));
    let zone = backend.feature("risk_zones", "Z1", shape(hole.clone().into()), &[]);
    let zones = backend.feature("risk_zones", "Z2", shape(geo::MultiPolygon(vec![hole.clone(), hole]).into()), &[]);
    let road =
        backend.feature("roads", "R1", shape(line_string![(x: 118.1, y: 26.0), (x: 118.2, y: 26.3)].into()), &[]);
    let points = geo::MultiPoint::from(vec![(118.0, 26.0), (118.1, 26.1)]);
    let incident = backend.feature("incidents", "I1", shape(points.into()), &[]);
    for (layer, features) in [
        ("shelters", vec![shelter]),
        ("depots", vec![depot]),
        ("stations", vec![station]),
        ("risk_zones", vec![zone, zones]),
        ("roads", vec![road]),
        ("incidents", vec![incident]),
    ] {
        assert_eq!(backend.append(layer, &features).await.expect("stored"), features.len());
        let found: Vec<Feature> = backend.read(layer).await.into_values().collect();
        assert_eq!(found, features, "{layer}");
    }
}

async fn a_batch_with_a_known_id_stores_nothing(backend: Backend) {
    let one = |id: &str, name: &str| backend.feature("villages", id, at(118.8, 26.2), &[("name", text(name))]);
    backend.append("villages", &[one("b", "old")]).await.expect("stored");
    let batch: Vec<Feature> = (0..1000).map(|n| one(&format!("n{n:04}"), "new")).chain([one("b", "new")]).collect();
    let refused = backend.append("villages", &batch).await;
    assert!(
        matches!(&refused, Err(StoreError::Duplicate { layer, id }) if layer == "villages" && id.as_str() == "b"),
        "{refused:?}"
    );
    assert_eq!(backend.read("villages").await.len(), 1);
}

/// Changes since a position: layer, id and the current name of the feature.
pub(crate) async fn reported(
    backend: &Backend,
    position: &mut onemap::store::LogPosition,
) -> Option<Vec<(String, String, Option<Value>)>> {
    match backend.store.changes_since(position).await.expect("an answer") {
        Changes::Lost => None,
        Changes::Since { position: now, changes, .. } => {
            *position = now;
            let name = |layer: LayerIndex| layer.of(backend.store.schemas()).id.clone();
            let reported = changes.into_iter().map(|change| {
                (name(change.layer), change.id.to_string(), change.now.map(|feature| feature.values[0].clone()))
            });
            Some(reported.collect())
        }
    }
}

async fn a_change_by_any_program_is_reported(backend: Backend) {
    let mut position = backend.store.read_all(&mut |_, _| {}).await.expect("a reading");
    assert_eq!(reported(&backend, &mut position).await, Some(Vec::new()));
    let a = backend.feature("teams", "a", at(118.8, 26.2), &[("name", text("甲"))]);
    let b = backend.feature("teams", "b", at(118.9, 26.2), &[("name", text("乙"))]);
    backend.append("teams", &[a, b]).await.expect("stored");
    let entry = |id: &str, name: Option<&str>| ("teams".to_owned(), id.to_owned(), name.map(text));
    assert_eq!(reported(&backend, &mut position).await, Some(vec![entry("a", Some("甲")), entry("b", Some("乙"))]));

    let table = (backend.table)("teams");
    (backend.foreign_sql)(&format!("UPDATE {table} SET name = '丙' WHERE id = 'a'"));
    assert_eq!(reported(&backend, &mut position).await, Some(vec![entry("a", Some("丙"))]));
    (backend.foreign_sql)(&format!("UPDATE {table} SET id = 'c' WHERE id = 'a'"));
    assert_eq!(reported(&backend, &mut position).await, Some(vec![entry("a", None), entry("c", Some("丙"))]));
    (backend.foreign_sql)(&format!("DELETE FROM {table} WHERE id = 'b'"));
    assert_eq!(reported(&backend, &mut position).await, Some(vec![entry("b", None)]));
    (backend.foreign_sql)(&format!("BEGIN; UPDATE {table} SET name = '丁'; DELETE FROM {table}; ROLLBACK"));
    assert_eq!(reported(&backend, &mut position).await, Some(Vec::new()));
}

async fn a_log_restored_from_a_backup_is_not_followed(backend: Backend) {
    let (villages, log) =
        ((backend.table)("villages"), if (backend.table)("x") == "x" { "onemap_changes" } else { "onemap.changes" });
    (backend.foreign_sql)(&format!("INSERT INTO {villages} (id) VALUES ('in the backup')"));
    let before = backend.store.read_all(&mut |_, _| {}).await.expect("a reading");
    (backend.foreign_sql)(&format!("INSERT INTO {villages} (id) VALUES ('lost')"));
    let mut position = before.clone();
    assert_eq!(reported(&backend, &mut position).await.map(|reported| reported.len()), Some(1));
    // The effect of restoring an older backup and one edit; the position is the same.
    let next = position.newest();
    let restart = match log {
        "onemap_changes" => format!("UPDATE sqlite_sequence SET seq = {} WHERE name = '{log}'", before.newest()),
        _ => format!("ALTER TABLE {log} ALTER COLUMN position RESTART WITH {next}"),
    };
    (backend.foreign_sql)(&format!(
        "DELETE FROM {villages} WHERE id = 'lost'; DELETE FROM {log} WHERE position > {}; {restart};
         INSERT INTO {villages} (id) VALUES ('after the backup')",
        before.newest()
    ));
    let mut back = position.clone();
    assert_eq!(reported(&backend, &mut back).await, None);
    assert_eq!(backend.store.read_all(&mut |_, _| {}).await.expect("a reading").version(), position.version());
}

async fn the_followed_snapshot_equals_a_newly_built_one(backend: Backend) {
    let point = |n: u32| at(118.5 + f64::from(n % 97) / 200.0, 26.0 + f64::from(n % 89) / 200.0);
    let many: Vec<Feature> = (0..6000)
        .map(|n| backend.feature("hazards", &format!("h{n:05}"), point(n), &[("risk_level", Value::Integer(4))]))
        .collect();
    backend.append("hazards", &many).await.expect("stored");
    let (snapshot, position) = follower::build(&*backend.store).await.expect("a snapshot");
    let head = Arc::new(SnapshotHandle::new(snapshot, 0));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let following = tokio::spawn(follower::follow(backend.store.clone(), head.clone(), Some(position), || 1, stopped));

    let table = (backend.table)("hazards");
    for sql in [
        format!("UPDATE {table} SET risk_level = 1 WHERE id < 'h00100'"),
        format!("DELETE FROM {table} WHERE id BETWEEN 'h01000' AND 'h03999'"),
        format!("UPDATE {table} SET geom = (SELECT geom FROM {table} WHERE id = 'h00001') WHERE id > 'h05500'"),
        format!("UPDATE {table} SET geom = NULL WHERE id = 'h00007'"),
        format!("UPDATE {table} SET id = 'z' || id WHERE id BETWEEN 'h04000' AND 'h04005'"),
    ] {
        (backend.foreign_sql)(&sql);
    }
    backend.append("hazards", &many[1500..1600]).await.expect("stored");

    let (truth, _) = follower::build(&*backend.store).await.expect("a snapshot");
    let wanted = contents(&truth);
    let caught_up = async {
        while contents(&head.load()) != wanted {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), caught_up).await.expect("the follower catches up");
    stop.send_replace(true);
    following.await.expect("the follower ends");
    let hazards = head.load().layer("hazards").map(|layer| (layer.len(), layer.chunks().len()));
    assert_eq!(hazards.map(|(features, _)| features), Some(3100));
    // Each feature is found by location and by id.
    let head = head.load();
    let layer = head.layer("hazards").expect("the layer");
    assert_eq!(layer.rows_in(&onemap::geodesy::Envelope::WORLD).count(), 3099);
}

held_by_both!(
    stored_features_are_read_back_unchanged,
    a_batch_with_a_known_id_stores_nothing,
    a_change_by_any_program_is_reported,
    a_log_restored_from_a_backup_is_not_followed,
    the_followed_snapshot_equals_a_newly_built_one,
);
