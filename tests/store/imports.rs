//! Imports into a store: what they change, what they leave alone, and undoing them; on both backends.

use std::collections::{BTreeMap, BTreeSet};

use onemap::model::{
    Feature, FeatureId, ImportCounts, ImportError, ImportMode, ImportRecord, ImportScope, ImportSource, Merge, Origin,
    Role, Undo, Undone, Unmatched, Value, parse_instant,
};
use onemap::store::{AuditPart, StoreError};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::contract::{Backend, at, reported, text};

const LAYER: &str = "shelters";

struct Rows {
    features: std::vec::IntoIter<Feature>,
    merge: Option<Merge>,
}

impl ImportSource for Rows {
    fn next_feature(&mut self) -> Option<Feature> {
        self.features.next()
    }

    fn merge(&mut self) -> Option<Merge> {
        self.merge.take()
    }
}

fn origin() -> Origin {
    Origin {
        entry: format!("{:016x}", rand_u64()),
        actor: "clerk".to_owned(),
        account: None,
        role: Role::Admin,
        address: None,
        request_id: None,
        reason: None,
    }
}

fn rand_u64() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

/// An import of these fields.
struct Import<'a> {
    backend: &'a Backend,
    mode: ImportMode,
    fields: &'a [&'a str],
    geometry: bool,
    key: Option<&'a str>,
    unmatched: Unmatched,
    scope: ImportScope,
    newest_by: Option<&'a str>,
    id: Option<&'a str>,
}

impl<'a> Import<'a> {
    fn new(backend: &'a Backend, mode: ImportMode, id: &'a str) -> Self {
        let fields = &["name", "capacity"];
        Self {
            backend,
            mode,
            fields,
            geometry: true,
            key: None,
            unmatched: Unmatched::Create,
            scope: ImportScope::default(),
            newest_by: None,
            id: Some(id),
        }
    }

    async fn of(&self, features: Vec<Feature>) -> Result<Option<ImportCounts>, StoreError> {
        let layer = self.backend.layer(LAYER);
        let schema = layer.of(self.backend.store.schemas());
        let position = |field: &&str| schema.position(field).expect("a field");
        let now = parse_instant("2026-11-27T00:00:00Z").expect("an instant");
        let record = self.id.map(|id| ImportRecord {
            id: id.to_owned(),
            at: now,
            file: "避灾点.xlsx".to_owned(),
            audit: origin().entry(0, "import", now),
            is_kept: true,
        });
        let merge = Merge {
            mode: self.mode,
            fields: self.fields.iter().map(position).collect(),
            geometry: self.geometry,
            key: self.key.as_ref().map(position),
            unmatched: self.unmatched,
            scope: self.scope.clone(),
            newest_by: self.newest_by.as_ref().map(position),
            record,
        };
        let mut source = Rows { features: features.into_iter(), merge: Some(merge) };
        self.backend.store.import(layer, &mut source).await
    }
}

async fn undo(backend: &Backend, id: &str, skip_changed: bool) -> Result<Undone, StoreError> {
    let now = parse_instant("2026-11-27T01:00:00Z").expect("an instant");
    let audit = origin().entry(0, "undo-import", now);
    backend.store.undo_import(&Undo { id: id.to_owned(), skip_changed, at: now, audit }).await
}

fn shelter(backend: &Backend, id: &str, name: &str, capacity: i64) -> Feature {
    let values = [("name", text(name)), ("capacity", Value::Integer(capacity)), ("version", Value::Integer(1))];
    backend.feature(LAYER, id, at(118.86, 26.22), &values)
}

fn counts(new: u64, changed: u64, unchanged: u64, removed: u64) -> ImportCounts {
    ImportCounts { new, changed, unchanged, removed, skipped: 0 }
}

/// Name and capacity of each shelter.
async fn stored(backend: &Backend) -> BTreeMap<String, (Value, Value)> {
    let schema = backend.layer(LAYER).of(backend.store.schemas()).clone();
    let of = |feature: &Feature, field: &str| feature.values[schema.position(field).expect("a field")].clone();
    let all = backend.read(LAYER).await;
    all.iter().map(|(id, own)| (id.to_string(), (of(own, "name"), of(own, "capacity")))).collect()
}

async fn an_import_changes_what_differs_and_nothing_else(backend: Backend) {
    let phone = ("phone", text("0591-22332233"));
    let mut kept = shelter(&backend, "a", "一中", 100);
    let position = |field: &str| backend.layer(LAYER).of(backend.store.schemas()).position(field).expect("a field");
    kept.values[position(phone.0)] = phone.1.clone();
    backend.append(LAYER, &[kept.clone(), shelter(&backend, "b", "二中", 200)]).await.expect("stored");
    let mut log = backend.store.read_all(&mut |_, _| {}).await.expect("a reading");

    let refused = Import::new(&backend, ImportMode::Add, "i0").of(vec![shelter(&backend, "a", "x", 1)]).await;
    assert!(matches!(&refused, Err(StoreError::Duplicate { id, .. }) if id.as_str() == "a"), "{refused:?}");
    let rows = || {
        vec![
            shelter(&backend, "a", "一中", 150),
            shelter(&backend, "b", "二中", 200),
            shelter(&backend, "c", "三中", 7),
        ]
    };
    let counted = Import { id: None, ..Import::new(&backend, ImportMode::Update, "") }.of(rows()).await;
    assert_eq!(counted.expect("counted"), Some(counts(1, 1, 1, 0)));
    assert_eq!(reported(&backend, &mut log).await, Some(Vec::new()), "nothing was stored");

    let done = Import::new(&backend, ImportMode::Update, "i1").of(rows()).await.expect("stored");
    assert_eq!(done, Some(counts(1, 1, 1, 0)));
    let changed: Vec<String> =
        reported(&backend, &mut log).await.expect("covered").into_iter().map(|own| own.1).collect();
    assert_eq!(changed, ["a", "c"], "b is unchanged");
    let now = backend.read(LAYER).await;
    let a = &now[&FeatureId::new("a").expect("an id")];
    assert_eq!(a.values[position("capacity")], Value::Integer(150));
    assert_eq!(a.values[position("phone")], phone.1, "a column that the file lacks keeps what is stored");
    assert_eq!(a.values[position("version")], Value::Integer(2));

    let replaced = Import::new(&backend, ImportMode::Replace, "i2").of(vec![shelter(&backend, "c", "三中", 7)]).await;
    assert_eq!(replaced.expect("stored"), Some(counts(0, 0, 1, 2)));
    assert_eq!(stored(&backend).await.keys().collect::<Vec<_>>(), ["c"]);
    let imports = backend.store.imports(None, 10).await.expect("listed");
    let listed: Vec<_> = imports.iter().map(|own| (own.id.as_str(), own.mode.as_str(), own.actor.as_str())).collect();
    assert_eq!(listed, [("i2", "replace", "clerk"), ("i1", "update", "clerk")]);
    let named = backend.store.imports(Some("i1"), 1).await.expect("found");
    assert_eq!(named, imports[1..], "also after others");
    assert_eq!(backend.store.imports(Some("none"), 1).await.expect("looked for"), []);
    let audit = backend.store.audit_rows(AuditPart::After(0), 10).await.expect("an audit log");
    assert!(audit.len() == 2 && audit[1].body.contains("\"removed\":[null,\"2\"]"), "{audit:?}");
}

async fn undoing_imports_restores_every_value(backend: Backend) {
    let odd = backend.feature(
        LAYER,
        "o'dd",
        at(118.812_345_678_912_3, 26.2),
        &[
            ("name", text("it's \"\n避\"🏫")),
            ("capacity", Value::Integer(9_007_199_254_740_993)),
            ("area_m2", Value::Real(0.1)),
            ("fits", Value::TextList(vec!["flood".to_owned(), "a,b\"c'".to_owned()])),
            ("for_frail", Value::Boolean(false)),
            ("confirmed_at", Value::DateTime(parse_instant("1999-12-31T23:59:59.999Z").expect("an instant"))),
        ],
    );
    backend.append(LAYER, &[odd, shelter(&backend, "a", "一中", 100)]).await.expect("stored");
    let before = backend.read(LAYER).await;
    let all: Vec<String> =
        backend.layer(LAYER).of(backend.store.schemas()).fields.iter().map(|field| field.name.clone()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let whole = |id| Import { fields: &all, ..Import::new(&backend, ImportMode::Update, id) };
    let rows = vec![shelter(&backend, "o'dd", "x", 1), shelter(&backend, "n", "新", 2)];
    whole("first").of(rows).await.expect("stored");
    let between = backend.read(LAYER).await;
    let replace = Import { fields: &all, ..Import::new(&backend, ImportMode::Replace, "second") };
    replace.of(vec![shelter(&backend, "n", "新", 3)]).await.expect("stored");
    assert_eq!(backend.read(LAYER).await.len(), 1);

    let early = undo(&backend, "first", false).await;
    let is_changed =
        |error: &StoreError| matches!(error, StoreError::Import(ImportError::ChangedSince { count: 2, .. }));
    assert!(early.as_ref().is_err_and(is_changed), "{early:?}");
    assert_eq!(undo(&backend, "second", false).await.expect("undone"), Undone { restored: 3, removed: 0, kept: 0 });
    assert_eq!(backend.read(LAYER).await, between);
    let again = undo(&backend, "second", false).await;
    assert!(matches!(again, Err(StoreError::Import(ImportError::AlreadyUndone { .. }))), "{again:?}");
    // The later import and its undoing are no changes of what the first one wrote.
    assert_eq!(undo(&backend, "first", false).await.expect("undone"), Undone { restored: 1, removed: 1, kept: 0 });
    assert_eq!(backend.read(LAYER).await, before);
    let none = undo(&backend, "none", false).await;
    assert!(matches!(none, Err(StoreError::Import(ImportError::Unknown { .. }))), "{none:?}");
}

async fn a_feature_that_changed_since_keeps_its_values(backend: Backend) {
    backend
        .append(LAYER, &[shelter(&backend, "a", "一中", 1), shelter(&backend, "b", "二中", 1)])
        .await
        .expect("stored");
    let rows = vec![shelter(&backend, "a", "一中", 2), shelter(&backend, "b", "二中", 2)];
    Import::new(&backend, ImportMode::Update, "i").of(rows).await.expect("stored");
    (backend.foreign_sql)(&format!("UPDATE {} SET capacity = 3 WHERE id = 'b'", (backend.table)(LAYER)));
    let refused = undo(&backend, "i", false).await;
    let names_b = |error: &StoreError| matches!(error, StoreError::Import(ImportError::ChangedSince { ids, .. }) if ids == &["b"]);
    assert!(refused.as_ref().is_err_and(names_b), "{refused:?}");
    assert_eq!(undo(&backend, "i", true).await.expect("undone"), Undone { restored: 1, removed: 0, kept: 1 });
    let capacities: Vec<Value> = stored(&backend).await.into_values().map(|(_, capacity)| capacity).collect();
    assert_eq!(capacities, [Value::Integer(1), Value::Integer(3)]);
}

async fn rows_are_found_by_a_key(backend: Backend) {
    let twice = shelter(&backend, "c", "同名", 1);
    let first = [shelter(&backend, "a", "一中", 1), shelter(&backend, "b", "同名", 1), twice];
    backend.append(LAYER, &first).await.expect("stored");
    let by_name = |id| Import {
        fields: &["name", "capacity"],
        geometry: false,
        key: Some("name"),
        unmatched: Unmatched::Refuse,
        ..Import::new(&backend, ImportMode::Update, id)
    };
    let row = |id: &str, name: &str, capacity| Feature { geometry: None, ..shelter(&backend, id, name, capacity) };
    let done = by_name("i1").of(vec![row("x-1", "一中", 5)]).await.expect("stored");
    assert_eq!(done, Some(counts(0, 1, 0, 0)));
    assert_eq!(stored(&backend).await["a"].1, Value::Integer(5));
    assert!(backend.read(LAYER).await.values().all(|own| own.geometry.is_some()), "places are kept");
    for (rows, words) in [
        (vec![row("x-1", "同名", 5)], "several stored features have the value \"同名\""),
        (vec![row("x-1", "一中", 5), row("x-2", "一中", 6)], "several rows of the file have the value \"一中\""),
        (vec![row("x-1", "一中", 6), row("x-2", "五中", 6)], "such as 五中"),
        (vec![row("x-1", "一中", 6), row("a", "六中", 6)], "two rows of the file are the stored feature a"),
    ] {
        let error = by_name("i2").of(rows).await.expect_err(words).to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
    let skipping = Import { unmatched: Unmatched::Skip, ..by_name("i3") };
    let done = skipping.of(vec![row("x-1", "一中", 7), row("x-2", "五中", 6)]).await.expect("stored");
    assert_eq!(done, Some(ImportCounts { skipped: 1, ..counts(0, 1, 0, 0) }));
    assert_eq!(stored(&backend).await.len(), 3);
}

async fn features_of_another_source_are_left_alone(backend: Backend) {
    let of = |id: &str, source: Option<&str>, capacity: i64| {
        let mut feature = shelter(&backend, id, "名", capacity);
        let position = backend.layer(LAYER).of(backend.store.schemas()).position("source").expect("a field");
        feature.values[position] = source.map_or(Value::Unknown, text);
        feature
    };
    let stored_before =
        [of("own", None, 1), of("also own", Some("县"), 1), of("c:1", Some("市"), 1), of("c:2", Some("市"), 1)];
    backend.append(LAYER, &stored_before).await.expect("stored");
    let fields = &["name", "capacity", "source"];
    let of_city = |id| Import {
        fields,
        scope: ImportScope::Only("市".to_owned()),
        ..Import::new(&backend, ImportMode::Replace, id)
    };
    let done = of_city("i1").of(vec![of("c:1", Some("市"), 2), of("c:3", Some("市"), 3)]).await.expect("stored");
    assert_eq!(done, Some(counts(1, 1, 0, 1)));
    let refused = of_city("i2").of(vec![of("own", Some("市"), 9)]).await;
    let is_other =
        |error: &StoreError| matches!(error, StoreError::Import(ImportError::OtherSource { id, .. }) if id == "own");
    assert!(refused.as_ref().is_err_and(is_other), "{refused:?}");
    let of_county = |id| Import {
        fields,
        scope: ImportScope::Except(vec!["市".to_owned(), "it's".to_owned()]),
        ..Import::new(&backend, ImportMode::Replace, id)
    };
    let refused = of_county("i3").of(vec![of("c:1", None, 9)]).await;
    assert!(matches!(refused, Err(StoreError::Import(ImportError::OtherSource { .. }))), "{refused:?}");
    let done = of_county("i4").of(vec![of("new", None, 1)]).await.expect("stored");
    assert_eq!(done, Some(counts(1, 0, 0, 2)));
    assert_eq!(stored(&backend).await.keys().collect::<Vec<_>>(), ["c:1", "c:3", "new"]);
}

async fn rows_older_than_what_is_stored_are_left_out_and_counted(backend: Backend) {
    let position = |field: &str| backend.layer(LAYER).of(backend.store.schemas()).position(field).expect("a field");
    let of_day = |id: &str, capacity: i64, day: u8| {
        let mut feature = shelter(&backend, id, "一中", capacity);
        let at = parse_instant(&format!("2026-11-{day:02}T00:00:00Z")).expect("an instant");
        feature.values[position("confirmed_at")] = Value::DateTime(at);
        feature
    };
    let import = |id| Import {
        fields: &["name", "capacity", "confirmed_at"],
        newest_by: Some("confirmed_at"),
        ..Import::new(&backend, ImportMode::Update, id)
    };
    import("i1").of(vec![of_day("a", 100, 20), of_day("b", 200, 20)]).await.expect("stored");
    let done = import("i2").of(vec![of_day("a", 1, 19), of_day("b", 2, 21), of_day("c", 3, 1)]).await.expect("stored");
    assert_eq!(done, Some(ImportCounts { skipped: 1, ..counts(1, 1, 0, 0) }));
    let capacities: Vec<Value> = stored(&backend).await.into_values().map(|(_, capacity)| capacity).collect();
    assert_eq!(capacities, [100, 2, 3].map(Value::Integer));
}

async fn discarded_rows_leave_nothing(backend: Backend) {
    let mut log = backend.store.read_all(&mut |_, _| {}).await.expect("a reading");
    let features: Vec<Feature> = (0..1000).map(|n| shelter(&backend, &format!("s{n}"), "名", n)).collect();
    let mut source = Rows { features: features.clone().into_iter(), merge: None };
    assert_eq!(backend.store.import(backend.layer(LAYER), &mut source).await.expect("staged"), None);
    assert_eq!(reported(&backend, &mut log).await, Some(Vec::new()));
    // The same connection is used again.
    let done = Import::new(&backend, ImportMode::Add, "i").of(features).await.expect("stored");
    assert_eq!(done, Some(counts(1000, 0, 0, 0)));
}

/// Random contents before and in the file: the result equals that of a map, and undoing gives the contents before.
async fn imports_equal_a_model_in_memory(backend: Backend) {
    let ids = || prop::collection::btree_map("[a-f]", 0_i64..3, 0..6);
    let mode = prop::sample::select(ImportMode::ALL.to_vec());
    let cases = (ids(), ids(), mode);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for number in 0..40 {
        let (before, file, mode) = cases.new_tree(&mut runner).expect("a case").current();
        let import = |mode, id| Import { fields: &["name", "capacity"], ..Import::new(&backend, mode, id) };
        let features = |own: &BTreeMap<String, i64>| -> Vec<Feature> {
            own.iter().map(|(id, capacity)| shelter(&backend, id, id, *capacity)).collect()
        };
        let prepare = format!("prepare-{number}");
        import(ImportMode::Replace, &prepare).of(features(&before)).await.expect("prepared");
        let now = async || -> BTreeMap<String, i64> {
            let number = |value: Value| if let Value::Integer(number) = value { number } else { -1 };
            stored(&backend).await.into_iter().map(|(id, (_, capacity))| (id, number(capacity))).collect()
        };
        assert_eq!(now().await, before);
        let id = format!("import-{number}");
        let done = import(mode, &id).of(features(&file)).await;
        let known: BTreeSet<&String> = before.keys().filter(|id| file.contains_key(*id)).collect();
        if mode == ImportMode::Add && !known.is_empty() {
            assert!(matches!(done, Err(StoreError::Duplicate { .. })), "{done:?}");
            assert_eq!(now().await, before);
            continue;
        }
        let changed = known.iter().filter(|id| before[**id] != file[**id]).count();
        let removed = if mode == ImportMode::Replace { before.len() - known.len() } else { 0 };
        let expected =
            counts((file.len() - known.len()) as u64, changed as u64, (known.len() - changed) as u64, removed as u64);
        assert_eq!(done.expect("stored"), Some(expected), "{before:?} {file:?} {mode:?}");
        let mut after = if mode == ImportMode::Replace { BTreeMap::new() } else { before.clone() };
        after.extend(file);
        assert_eq!(now().await, after);
        match undo(&backend, &id, false).await {
            Ok(_) => assert_eq!(now().await, before),
            // An import that changed nothing.
            Err(StoreError::Import(ImportError::TooOld { .. })) => assert_eq!(before, after),
            Err(error) => panic!("{error}"),
        }
    }
}

held_by_both!(
    an_import_changes_what_differs_and_nothing_else,
    undoing_imports_restores_every_value,
    a_feature_that_changed_since_keeps_its_values,
    rows_are_found_by_a_key,
    features_of_another_source_are_left_alone,
    rows_older_than_what_is_stored_are_left_out_and_counted,
    discarded_rows_leave_nothing,
    imports_equal_a_model_in_memory,
);
