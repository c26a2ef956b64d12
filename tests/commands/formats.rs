//! Formats that are written and read back, by this program and by GDAL, and files that are not what they seem.

use std::io::Write;

use serde_json::{Value as Json, json};
use zip::write::SimpleFileOptions;

use super::{exported, import};
use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, foreign, run_well};

/// The features of a layer of a store.
fn stored(folder: &Folder, layer: &str, store: &str) -> Vec<Json> {
    run_well(folder, &["export", "--layer", layer, "-o", "back.geojson", "--store", store]);
    let back = std::fs::read(folder.file("back.geojson")).expect("an export");
    let back: Json = serde_json::from_slice(&back).expect("JSON");
    back["features"].as_array().expect("features").clone()
}

/// Whether two values are equal, numbers up to the digits of a Shapefile.
fn is_same(own: &Json, back: &Json) -> bool {
    match (own, back) {
        (Json::Number(own), Json::Number(back)) => {
            let (own, back) = (own.as_f64().expect("a number"), back.as_f64().expect("a number"));
            (own - back).abs() <= 1e-9 * own.abs().max(1.0)
        }
        (Json::Object(own), Json::Object(back)) => {
            own.len() == back.len() && own.iter().all(|(name, value)| is_same(value, &back[name]))
        }
        (Json::Array(own), Json::Array(back)) => {
            own.len() == back.len() && own.iter().zip(back).all(|(own, back)| is_same(own, back))
        }
        _ => own == back,
    }
}

#[test]
fn every_format_is_read_back_as_it_was_written() {
    let folder = Folder::new();
    drop(Server::start(&folder, &[]));
    for (layer, endings) in [
        ("shelters", &["gpkg", "kml", "shp", "zip", "fgb", "geojson"][..]),
        ("risk_zones", &["gpkg", "kml", "shp", "zip", "fgb"]),
        ("roads", &["gpkg", "kml", "zip"]),
        ("stations", &["gpkg", "kml", "zip"]),
        ("incidents", &["gpkg", "kml"]),
        ("depots", &["gpkg", "kml"]),
    ] {
        let original = exported(&folder, layer);
        for ending in endings {
            let (file, store) = (format!("{layer}.{ending}"), format!("{layer}-{ending}.gpkg"));
            run_well(&folder, &["export", "--layer", layer, "-o", &file]);
            run_well(&folder, &["import", &file, "--layer", layer, "--store", &store]);
            let back = stored(&folder, layer, &store);
            assert_eq!(back.len(), original.len(), "{file}");
            for (own, back) in original.iter().zip(&back) {
                assert!(is_same(&own["properties"], &back["properties"]), "{file}: {own} {back}");
                assert!(own["geometry"] == back["geometry"] || is_rotated(own, back), "{file}: {own} {back}");
            }
        }
    }
}

/// Whether two areas have the same rings, which may start elsewhere or run the other way.
fn is_rotated(own: &Json, back: &Json) -> bool {
    let rings = |feature: &Json| -> Vec<Vec<String>> {
        let mut rings = Vec::new();
        collect_rings(&feature["geometry"]["coordinates"], &mut rings);
        rings.sort();
        rings
    };
    own["geometry"]["type"] == back["geometry"]["type"] && rings(own) == rings(back)
}

fn collect_rings(coordinates: &Json, rings: &mut Vec<Vec<String>>) {
    let Some(items) = coordinates.as_array() else { return };
    if items.first().is_some_and(|first| first[0].is_number()) {
        let mut ring: Vec<String> = items.iter().map(Json::to_string).collect();
        ring.sort();
        ring.dedup();
        rings.push(ring);
    } else {
        for item in items {
            collect_rings(item, rings);
        }
    }
}

#[test]
fn other_programs_read_what_is_written() {
    let folder = Folder::new();
    drop(Server::start(&folder, &[]));
    for (layer, ending) in
        [("shelters", "gpkg"), ("shelters", "shp"), ("shelters", "kml"), ("risk_zones", "gpkg"), ("risk_zones", "zip")]
    {
        let own = exported(&folder, layer);
        let file = format!("out-{layer}.{ending}");
        run_well(&folder, &["export", "--layer", layer, "-o", &file]);
        let path = folder.file(&file).display().to_string();
        let path = if ending == "zip" { format!("/vsizip/{path}") } else { path };
        let target = folder.file(&format!("{layer}-{ending}.geojson")).display().to_string();
        foreign("ogr2ogr", &["-f", "GeoJSON", &target, &path]);
        let read: Json = serde_json::from_slice(&std::fs::read(&target).expect("a file")).expect("JSON");
        let read = read["features"].as_array().expect("features");
        assert_eq!(read.len(), own.len(), "{file}");
        let names: Vec<&Json> = read
            .iter()
            .map(|feature| feature["properties"].get("name").unwrap_or(&feature["properties"]["Name"]))
            .collect();
        assert!(own.iter().zip(names).all(|(own, name)| own["properties"]["name"] == *name), "{file}");
    }
}

#[test]
fn tables_of_geopackages_and_databases_are_read() {
    let folder = Folder::new();
    let points = json!({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"编号": "a", "名称": "一中", "容量": 300, "公开": true, "日期": "2026-08-14"},
         "geometry": {"type": "Point", "coordinates": [385_976.626, 2_901_931.58]}}]});
    folder.write("in.geojson", points.to_string());
    let path = |name: &str| folder.file(name).display().to_string();
    let (from, package) = (path("in.geojson"), path("made.gpkg"));
    let made = ["-f", "GPKG", &package, &from, "-a_srs", "EPSG:4549", "-nln", "避灾点", "-oo", "DATE_AS_STRING=NO"];
    foreign("ogr2ogr", &made);
    let (code, log) = import(&folder, &["made.gpkg", "--layer", "shelters"]);
    assert_eq!(code, Some(0), "{log}");
    let check = |store: &str| {
        let found = &stored(&folder, "shelters", store)[0];
        assert_eq!((&found["id"], &found["properties"]["name"]), (&json!("a"), &json!("一中")), "{found}");
        assert_eq!((&found["properties"]["capacity"], &found["properties"]["source"]), (&json!(300), &json!(store)));
        let at = &found["geometry"]["coordinates"];
        assert!((at[0].as_f64().expect("degrees") - 118.859).abs() < 1e-7, "{found}");
    };
    let renamed = ["made.gpkg", "--layer", "shelters", "--store", "x.gpkg", "--source", "x.gpkg"];
    let (code, log) = import(&folder, &renamed);
    assert_eq!(code, Some(0), "{log}");
    check("x.gpkg");
    // Two tables: one is named.
    foreign("ogr2ogr", &["-update", &package, &from, "-a_srs", "EPSG:4549", "-nln", "another"]);
    let (code, log) = import(&folder, &[&renamed[..], &["--update"]].concat());
    assert!(code == Some(1) && log.contains("another, 避灾点"), "{log}");
    let (code, log) = import(&folder, &[&renamed[..], &["--update", "--table", "避灾点"]].concat());
    assert!(code == Some(0) && log.contains("unchanged=1"), "{log}");

    let url = fresh_database();
    psql(
        &url,
        "CREATE EXTENSION IF NOT EXISTS postgis; CREATE SCHEMA bureau; \
         CREATE TABLE bureau.sites (\"编号\" text, \"名称\" text, \"容量\" bigint, place geometry(Point, 4549)); \
         INSERT INTO bureau.sites VALUES ('a', '一中', 300, ST_SetSRID(ST_Point(385976.626, 2901931.58), 4549))",
    );
    let arguments = ["--layer", "shelters", "--table", "bureau.sites", "--store", "y.gpkg", "--source", "y.gpkg"];
    let (code, log) = import(&folder, &[&[url.as_str()][..], &arguments].concat());
    assert_eq!(code, Some(0), "{log}");
    check("y.gpkg");
    let wrong = ["--layer", "shelters", "--table", "bureau.none"];
    let (code, log) = import(&folder, &[&[url.as_str()][..], &wrong].concat());
    assert!(code == Some(1) && log.contains("bureau.none") && log.contains("exactly one"), "{log}");
}

const PLACEMARKS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="http://www.google.com/kml/ext/2.2"><Document><Folder>
<Placemark id="p1"><name>一中 &amp; 操场 &#x6e;</name><description><![CDATA[<b>旧</b>]]></description><styleUrl>#s</styleUrl>
<ExtendedData><Data name="容量"><value>300人</value></Data><SchemaData><SimpleData name="状态">待启用</SimpleData></SchemaData></ExtendedData>
<Point><coordinates> 118.86,26.22,12.5 </coordinates></Point></Placemark>
<Placemark id="p2"><name>散</name><MultiGeometry><Point><coordinates>118.86,26.22</coordinates></Point>
<LineString><coordinates>118.86,26.22 118.87,26.23</coordinates></LineString></MultiGeometry></Placemark>
<Placemark id="p3"><name>坏</name><Point><coordinates>east</coordinates></Point></Placemark>
</Folder></Document></kml>"#;

#[test]
fn kml_kmz_and_gpx_are_read() {
    let folder = Folder::new();
    folder.write("in.kml", PLACEMARKS);
    let mut archive = zip::ZipWriter::new(std::fs::File::create(folder.file("in.kmz")).expect("a file"));
    archive.start_file("doc.kml", SimpleFileOptions::default()).expect("a part");
    archive.write_all(PLACEMARKS.as_bytes()).expect("a part");
    archive.finish().expect("an archive");
    for name in ["in.kml", "in.kmz"] {
        let store = format!("{name}.gpkg");
        let (code, log) = import(&folder, &[name, "--layer", "shelters", "--skip-bad", "--store", &store]);
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("several kinds") && log.contains("\"east\" is not longitude"), "{log}");
        let found = stored(&folder, "shelters", &store);
        let own = &found[0];
        assert_eq!((found.len(), &own["id"]), (1, &json!("p1")));
        assert_eq!(own["properties"]["name"], "一中 & 操场 n");
        assert_eq!((&own["properties"]["capacity"], &own["properties"]["status"]), (&json!(300), &json!("standby")));
        assert_eq!(own["geometry"]["coordinates"], json!([118.86, 26.22]));
    }
    let gpx = r#"<?xml version="1.0"?><gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1">
        <wpt lat="26.22" lon="118.86"><ele>12</ele><name>点</name></wpt>
        <rte><name>路线</name><rtept lat="26.22" lon="118.86"/><rtept lat="26.23" lon="118.87"/></rte>
        <trk><name>轨迹</name><trkseg><trkpt lat="26.22" lon="118.86"/><trkpt lat="26.23" lon="118.87"/></trkseg>
        <trkseg><trkpt lat="26.24" lon="118.88"/><trkpt lat="26.25" lon="118.89"/></trkseg></trk></gpx>"#;
    folder.write("in.gpx", gpx);
    let (code, log) = import(&folder, &["in.gpx", "--layer", "roads", "--skip-bad", "--store", "gpx.gpkg"]);
    assert_eq!(code, Some(0), "{log}");
    let found = stored(&folder, "roads", "gpx.gpkg");
    let kinds: Vec<&str> = found.iter().filter_map(|own| own["geometry"]["type"].as_str()).collect();
    assert_eq!(kinds, ["LineString", "MultiLineString"]);
}

#[test]
fn hostile_and_damaged_files_are_refused() {
    let folder = Folder::new();
    let laughs = "<?xml version=\"1.0\"?><!DOCTYPE k [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><kml><Placemark><name>&b;</name></Placemark></kml>";
    folder.write("laughs.kml", laughs);
    folder.write("deep.kml", format!("<kml>{}", "<Folder>".repeat(100_000)));
    folder.write("cut.kml", &PLACEMARKS[..400]);
    folder.write("cut.gpx", "<gpx><wpt lat=\"26.2\" lon=\"118.8\"><name>x</name>");
    folder.write("own.gpkg", "SQLite format 3\0 no package");
    folder.write("empty.kmz", "");
    folder.write("infinite.csv", "编号,名称,经度,纬度,容量\n1,a,NaN,26.2,1\n2,b,inf,26.2,1\n3,c,118.8,26.2,1e999\n");
    let big = "x".repeat(2_000_000);
    folder.write("big.csv", format!("编号,名称,经度,纬度,容量\n1,{big},118.8,26.2,1\n2,b,118.8,26.2,\"{big}\"\n"));
    for (name, code, reason) in [
        ("laughs.kml", 3, "document type"),
        ("deep.kml", 3, "nested more than"),
        ("cut.kml", 3, "not read further"),
        ("cut.gpx", 3, "ends within an element"),
        ("own.gpkg", 1, "not a GeoPackage"),
        ("empty.kmz", 1, "empty.kmz is not KML"),
        ("infinite.csv", 3, "refused=3"),
        ("big.csv", 3, "is not a number"),
    ] {
        let (found, log) = import(&folder, &[name, "--layer", "shelters", "--crs", "wgs84"]);
        assert!(
            found == Some(code) && log.contains(reason) && !log.contains("panicked"),
            "{name}: {found:?} {log:.2000}"
        );
        assert!(!folder.file("onemap.gpkg").exists(), "{name}: nothing is stored");
        // What comes before a cut is not taken for the whole.
        if name.starts_with("cut") {
            let (found, log) = import(&folder, &[name, "--layer", "shelters", "--crs", "wgs84", "--skip-bad"]);
            assert!(found == Some(3) && log.contains("the rest of the file cannot be read"), "{name}: {log}");
        }
    }
}
