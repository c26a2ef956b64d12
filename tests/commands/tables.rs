//! Import of delimited text: encodings, delimiters, and columns with common names.

use serde_json::json;

use super::{exported, import};
use crate::support::Folder;

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
        let (code, log) = import(&folder, &[name, "--layer", "shelters", "--store", &store]);
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
    assert!(code == Some(1) && log.contains("--column COLUMN=lon") && log.contains("甲, 乙, 丙"), "{log}");
    let named = ["in.tsv", "--layer", "villages", "--column", "甲=name", "--column", "乙=lon", "--column", "丙=lat"];
    let (code, log) = import(&folder, &named);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(exported(&folder, "villages")[0]["properties"]["name"], "县城");
    let swapped = ["in.tsv", "--layer", "villages", "--column", "甲=name", "--column", "乙=lat", "--column", "丙=lon"];
    let (code, log) = import(&folder, &swapped);
    assert!(code == Some(3) && log.contains("did you mean 118.859,26.222?"), "{log}");
    folder.write("in.csv", "name,capacity,lon,lat\na,1,000,118.8,26.2\nb,many,118.8,26.2\nc,3,118.8,\nd,4,east,26\n");
    let (code, log) = import(&folder, &["in.csv", "--layer", "shelters"]);
    assert!(code == Some(3) && log.contains("refused=4"), "{log}");
    for words in ["line=2", "5 cells", "line=3", "is not a number", "line=4", "lat is blank", "line=5", "\"east\""] {
        assert!(log.replace("\\\"", "\"").contains(words), "{words}: {log}");
    }
}
