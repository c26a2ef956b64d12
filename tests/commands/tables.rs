//! Import of delimited text: encodings, delimiters, and columns with common names.

use serde_json::json;

use super::{exported, import};
use crate::support::{Folder, Server, run, run_well};

#[test]
fn a_table_is_read_in_common_encodings_and_with_common_column_names() {
    let folder = Folder::new();
    let text = "序号,点名,可容纳人数（人）,状态,经度,纬度,联系电话,备注\r\n\
                1,\"第一中学,操场\",300,待启用,118.859,26.222,13812345678,旧\r\n\
                2,第二小学,,已开放,118.86,26.223,,\r\n\
                ,,,,,,,\r\n";
    let recoded = |encoding: &str, name: &str| {
        folder.write("utf8.csv", text);
        let program = "import sys;open(sys.argv[3],'wb').write(open(sys.argv[1],encoding='utf-8',newline='').read().encode(sys.argv[2]))";
        let (from, to) = (folder.file("utf8.csv").display().to_string(), folder.file(name).display().to_string());
        crate::support::foreign("python3", &["-c", program, &from, encoding, &to]);
    };
    for (encoding, name, found) in [
        ("utf-8", "a.csv", "UTF-8"),
        ("utf-8-sig", "b.csv", "UTF-8"),
        ("gb18030", "c.csv", "gb18030"),
        ("utf-16", "d.txt", "UTF-16LE"),
    ] {
        recoded(encoding, name);
        let store = format!("{name}.gpkg");
        let (code, log) = import(&folder, &[name, "--layer", "shelters", "--crs", "wgs84", "--store", &store]);
        assert_eq!(code, Some(0), "{encoding}: {log}");
        for words in
            [found, "column=点名 field=name", "column=可容纳人数（人） field=capacity", "lon=经度 lat=纬度", "备注"]
        {
            let plain = log.replace('"', "");
            assert!(plain.contains(words), "{encoding}, {words}: {log}");
        }
        let copied = Folder::new();
        std::fs::copy(folder.file(&store), copied.file("onemap.gpkg")).expect("a copy");
        let shelters = exported(&copied, "shelters");
        assert_eq!(shelters.len(), 2, "{shelters:?}");
        let one = &shelters[0];
        assert_eq!(one["properties"]["name"], "第一中学,操场");
        assert_eq!((&one["properties"]["capacity"], &one["properties"]["status"]), (&json!(300), &json!("standby")));
        assert_eq!(one["geometry"]["coordinates"], json!([118.859, 26.222]));
        assert_eq!(one["properties"]["phone"], "13812345678");
        assert_eq!(shelters[1]["properties"]["capacity"], json!(null));
    }
}

#[test]
fn columns_can_be_named_and_a_table_without_coordinates_is_refused() {
    let folder = Folder::new();
    folder.write("in.tsv", "甲\t乙\t丙\n县城\t118.859\t26.222\n");
    let (code, log) = import(&folder, &["in.tsv", "--layer", "villages"]);
    assert!(
        code == Some(1) && log.contains("column COLUMN=lon") && log.contains("--column") && log.contains("甲, 乙, 丙"),
        "{log}"
    );
    let named = [
        "in.tsv", "--layer", "villages", "--crs", "wgs84", "--column", "甲=name", "--column", "乙=lon", "--column",
        "丙=lat",
    ];
    let (code, log) = import(&folder, &named);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(exported(&folder, "villages")[0]["properties"]["name"], "县城");
    let swapped = [
        "in.tsv", "--layer", "villages", "--crs", "wgs84", "--column", "甲=name", "--column", "乙=lat", "--column",
        "丙=lon",
    ];
    let (code, log) = import(&folder, &swapped);
    assert!(code == Some(3) && log.contains("did you mean 118.859,26.222?"), "{log}");
    folder.write("in.csv", "name,capacity,lon,lat\na,1,000,118.8,26.2\nb,many,118.8,26.2\nc,3,118.8,\nd,4,east,26\n");
    let (code, log) = import(&folder, &["in.csv", "--layer", "shelters", "--crs", "wgs84"]);
    assert!(code == Some(3) && log.contains("refused=4"), "{log}");
    for words in ["line=2", "5 cells", "line=3", "is not a number", "line=4", "lat is blank", "line=5", "\"east\""] {
        assert!(log.replace("\\\"", "\"").contains(words), "{words}: {log}");
    }
}

#[test]
fn the_reference_system_of_a_table_must_be_known() {
    let folder = Folder::new();
    let table = |lon: &str, lat: &str, at: &str| {
        folder.write("in.csv", format!("编号,名称,{lon},{lat}\n1,县城,{at}\n"));
        import(&folder, &["in.csv", "--layer", "key_places", "--dry-run", "--anywhere"])
    };
    let (code, log) = table("经度", "纬度", "118.859,26.222");
    assert_eq!(code, Some(1), "{log}");
    for words in ["wgs84 (GPS, CGCS2000, 天地图): 100 %", "gcj02 (高德, 腾讯): 100 %", "bd09", "--crs"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let (code, log) = table("X", "Y", "40385976.6,2901931.6");
    assert!(code == Some(1) && log.contains("Rows inside 闽清县 Minqing by each: EPSG:4528: 100 %"), "{log}");
    let (code, log) = table("X", "Y", "385976.6,2901931.6");
    assert!(code == Some(1) && log.contains("by each: EPSG:4549: 100 %") && !log.contains("EPSG:4548: "), "{log}");
    let (code, log) = table("X", "Y", "385976.6,5901931.6");
    assert!(code == Some(1) && log.contains("none puts a row there"), "{log}");
    folder.write("in.csv", "编号,名称,X,Y\n1,县城,40385976.6,2901931.6\n");
    for (crs, datum) in [("EPSG:2365", "Xi'an 1980"), ("EPSG:2437", "Beijing 1954"), ("西安80", "Xi'an 1980")] {
        let (code, log) = import(&folder, &["in.csv", "--layer", "key_places", "--crs", crs]);
        assert!(code == Some(1) && log.contains(datum) && log.contains("surveying office"), "{crs}: {log}");
    }
    for (lon, lat, at, crs) in [
        ("经度(GCJ02)", "纬度(GCJ02)", "118.859,26.222", "GCJ-02"),
        ("wgs84_lng", "wgs84_lat", "118.859,26.222", "WGS 84"),
        ("百度经度", "百度纬度", "118.859,26.222", "BD-09"),
        // The systems differ only in China.
        ("lon", "lat", "-120.5,38.2", "WGS 84"),
    ] {
        let (code, log) = table(lon, lat, at);
        assert!(code == Some(0) && log.contains(&format!("crs=\"{crs}\"")), "{lon}: {log}");
    }
}

#[test]
fn a_table_of_numbers_updates_features_by_a_key_and_is_undone() {
    let folder = Folder::new();
    let whole = "编号,名称,经度,纬度,容量,已安置人数\na,一中,118.86,26.22,100,1\nb,二中,118.87,26.22,100,2\n";
    folder.write("all.csv", whole);
    let (code, log) = import(&folder, &["all.csv", "--layer", "shelters", "--crs", "wgs84"]);
    assert_eq!(code, Some(0), "{log}");
    folder.write("now.csv", "名称,在点人数\n一中,77\n三中,5\n");
    let update = ["now.csv", "--layer", "shelters", "--update", "--key", "name"];
    let (code, log) = import(&folder, &update);
    assert!(code == Some(1) && log.contains("such as 三中"), "{log}");
    let (code, log) = import(&folder, &[&update[..], &["--skip-bad"]].concat());
    assert!(code == Some(0) && log.contains("changed=1"), "{log}");
    let occupancies = || -> Vec<serde_json::Value> {
        exported(&folder, "shelters").iter().map(|own| own["properties"]["occupancy"].clone()).collect()
    };
    assert_eq!(occupancies(), [json!(77), json!(2)]);
    let (code, log) = import(&folder, &["now.csv", "--layer", "shelters", "--update", "--crs", "wgs84"]);
    assert!(code == Some(1) && log.contains("needs a column with the ids"), "{log}");
    let listed = run(&folder, &["imports"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let last = listed.lines().nth(1).and_then(|line| line.split('\t').next()).expect("an import").to_owned();
    run_well(&folder, &["undo", &last]);
    assert_eq!(occupancies(), [json!(1), json!(2)]);
    let again = run(&folder, &["undo", &last]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("was undone at"));
}

#[test]
fn a_map_names_columns_and_the_marked_copy_has_every_row() {
    let folder = Folder::new();
    folder.write("in.csv", "甲,乙,丙,丁\n一中,118.86,26.22,100\n二中,118.86,26.22,很多\n");
    folder.write("map.toml", "\"甲\" = \"name\"\n\"乙\" = \"lon\"\n\"丙\" = \"lat\"\n\"丁\" = \"capacity\"\n");
    let arguments =
        ["in.csv", "--layer", "shelters", "--crs", "wgs84", "--map", "map.toml", "--skip-bad", "--report", "退回.xlsx"];
    let (code, log) = import(&folder, &arguments);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(exported(&folder, "shelters").len(), 1);
    // The marked copy is a table of its own, with the problem in the first column.
    let program =
        "import sys,zipfile,re\nz=zipfile.ZipFile(sys.argv[1])\nprint(z.read('xl/sharedStrings.xml').decode())";
    let strings = crate::support::foreign("python3", &["-c", program, &folder.file("退回.xlsx").display().to_string()]);
    for words in ["问题 Problem", "一中", "二中", "is not a number", "丁"] {
        assert!(strings.contains(words), "{words}: {strings}");
    }
    folder.write("map.toml", "甲 name");
    let (code, log) = import(&folder, &arguments);
    assert!(code == Some(1) && log.contains("map.toml"), "{log}");
}

#[test]
fn a_replaced_layer_keeps_the_tiles_of_what_did_not_change() {
    let folder = Folder::new();
    folder.write("in.csv", "编号,名称,wgs84_lng,wgs84_lat\na,甲,118.8,26.2\nb,乙,118.9,26.4\n");
    let (code, log) = import(&folder, &["in.csv", "--layer", "villages"]);
    assert_eq!(code, Some(0), "{log}");
    let server = Server::start(&folder, &["--empty"]);
    let tag = |path: &str| server.get(path).header("etag").to_owned();
    let (changed, same) = ("/tiles/villages/14/13598/6955", "/tiles/villages/14/13603/6945");
    let before = [changed, same].map(tag);
    assert_ne!(server.get(same).body.len(), 0);
    folder.write("in.csv", "编号,名称,wgs84_lng,wgs84_lat\na,丙,118.8,26.2\nb,乙,118.9,26.4\n");
    let (code, log) = import(&folder, &["in.csv", "--layer", "villages", "--replace"]);
    assert!(code == Some(0) && log.contains("changed=1 unchanged=1"), "{log}");
    crate::support::await_that("the change", || tag(changed) != before[0]);
    assert_eq!(tag(same), before[1]);
}

#[test]
fn traditional_characters_in_big5_are_told_from_simplified_ones() {
    let folder = Folder::new();
    let row = |row: u32| format!("T{row},第{row}國民小學避難收容處所,118.8{row},26.2{row},{row}00人\n");
    let rows: String = (1..6).map(row).collect::<Vec<_>>().concat();
    folder.write("utf8.csv", format!("編號,場所名稱,WGS84經度,WGS84緯度,容納人數\n{rows}"));
    let program = "import sys;open(sys.argv[2],'wb').write(open(sys.argv[1],encoding='utf-8').read().encode('big5'))";
    let paths = ["utf8.csv", "in.csv"].map(|name| folder.file(name).display().to_string());
    crate::support::foreign("python3", &["-c", program, &paths[0], &paths[1]]);
    let columns = ["場所名稱=name", "編號=id", "容納人數=capacity", "WGS84經度=lon", "WGS84緯度=lat"];
    let columns: Vec<&str> = columns.into_iter().flat_map(|column| ["--column", column]).collect();
    let (code, log) = import(&folder, &[&["in.csv", "--layer", "shelters"][..], &columns].concat());
    assert!(code == Some(0) && log.contains("Big5"), "{log}");
    let first = &exported(&folder, "shelters")[0]["properties"];
    assert_eq!((&first["name"], &first["capacity"]), (&json!("第1國民小學避難收容處所"), &json!(100)));
}
