//! Entry points for bytes of strangers. The fuzz targets and `tests/hostile` call the same functions, so that a file of
//! the corpus checks the same on every compiler.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use onemap::exchange::import::MAX_ISSUES;
use onemap::geodesy::LonLat;
use onemap::import::file::{ImportFile, ImportOptions};
use onemap::model::{Catalog, Feature, FeatureId, ImportSource, Shape, Value, View};
use onemap::query::filter::{Filter, FilterError, Language};
use onemap::snapshot::Layer;
use onemap::store::wkb_geometry::{read_ewkb, read_geopackage};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::built_in().expect("the built-in catalog"));

/// The layer whose features conditions are evaluated on, and into which files are imported.
const LAYER: &str = "shelters";

/// Three shelters: without values, and with values of each type that the layer has.
static SHELTERS: LazyLock<Layer> = LazyLock::new(|| {
    let schema = CATALOG.layer(LAYER).expect("a layer");
    let feature = |number: i32| {
        let at = LonLat::new(118.86 + f64::from(number) / 100.0, 26.22).expect("a position");
        let geometry = Shape::new(geo::Point::new(at.lon(), at.lat()).into()).ok();
        let mut values = vec![Value::Unknown; schema.fields.len()];
        let mut set = |name: &str, value: Value| {
            if let Some(field) = schema.position(name).filter(|_| number > 0) {
                values[field] = value;
            }
        };
        set("name", Value::Text(format!("梅城镇第{number}小学 École")));
        set("capacity", Value::Integer(i64::from(number) * 120));
        set("area_m2", Value::Real(f64::from(number) * 350.5));
        set("public", Value::Boolean(number == 1));
        set("region_code", Value::Text("350124100000".to_owned()));
        Feature { id: FeatureId::new(&format!("SH-{number}")).expect("an id"), geometry, values }
    };
    Layer::build(schema.clone(), (0..3).map(feature).collect())
});

/// CQL2 text.
///
/// # Panics
/// If the canonical form of a condition is another condition.
pub fn filter_text(bytes: &[u8]) {
    filter(bytes, Language::Text);
}

/// CQL2 JSON.
///
/// # Panics
/// If the canonical form of a condition is another condition.
pub fn filter_json(bytes: &[u8]) {
    filter(bytes, Language::Json);
}

fn filter(bytes: &[u8], language: Language) {
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    let view = View::public(SHELTERS.schema());
    let Ok(filter) = Filter::read(source, language, &view) else { return };
    let matches = |filter: &Filter| SHELTERS.rows_after(None).filter(|row| filter.matches(row)).count();
    // A backslash before a quote has no form in CQL2 text.
    if source.contains('\\') {
        return;
    }
    // A canonical text has more parentheses than its source, so that it may be too long or too deep to be read.
    let again = match Filter::read(filter.canonical(), Language::Text, &view) {
        Err(FilterError::TooDeep { .. } | FilterError::TooLong { .. }) => return,
        again => again.unwrap_or_else(|error| panic!("{} is canonical, but: {error}", filter.canonical())),
    };
    assert_eq!(again.canonical(), filter.canonical(), "of {source}");
    assert_eq!(matches(&again), matches(&filter), "of {source}");
}

/// A geometry as databases keep it: EWKB if the first byte is even, otherwise the blob of a GeoPackage.
pub fn geometry(bytes: &[u8]) {
    let Some((form, rest)) = bytes.split_first() else { return };
    let geometry = if form % 2 == 0 { read_ewkb(rest) } else { read_geopackage(rest) };
    if let Ok(Some(geometry)) = geometry
        && let Ok(shape) = Shape::new(geometry)
    {
        // What is stored is on the map.
        assert!(shape.anchor().is_some(), "{:?}", shape.geometry());
    }
}

/// A table of texts.
pub fn table_file(bytes: &[u8]) {
    file(bytes, &["csv", "tsv", "txt"]);
}

/// GeoJSON: one document, or a line for each feature.
pub fn geojson_file(bytes: &[u8]) {
    file(bytes, &["geojson", "geojsonl"]);
}

/// A format of XML.
pub fn xml_file(bytes: &[u8]) {
    file(bytes, &["kml", "gpx", "xml"]);
}

/// A format that is not text.
pub fn binary_file(bytes: &[u8]) {
    file(bytes, &["zip", "fgb", "pbf", "xlsx", "kmz", "ods", "xls", "xlsb", "shp"]);
}

/// Imports a file into nothing. The first byte selects its ending, and whether it says where its coordinates are.
fn file(bytes: &[u8], endings: &[&str]) {
    let Some((form, content)) = bytes.split_first() else { return };
    let ending = endings[usize::from(form % 16) % endings.len()];
    let path = temporary(ending);
    std::fs::write(&path, content).expect("a file");
    let options = ImportOptions {
        crs: (form & 16 > 0).then(|| "EPSG:4490".to_owned()),
        anywhere: form & 32 > 0,
        incomplete: form & 64 > 0,
        ..ImportOptions::default()
    };
    import(&path, &options);
    std::fs::remove_file(&path).expect("the file is still there");
}

fn import(path: &Path, options: &ImportOptions) {
    let schema = CATALOG.layer(LAYER).expect("a layer");
    let now = onemap::clock::now();
    let Ok(mut file) = ImportFile::open(&CATALOG, schema, path, "烟测.csv", options, now) else { return };
    let mut taken = 0;
    while let Some(feature) = file.next_feature() {
        assert_eq!(feature.values.len(), schema.fields.len(), "{feature:?}");
        taken += 1;
    }
    let report = file.into_report();
    assert_eq!(report.taken, taken);
    assert!(report.read >= report.taken + report.refused_count, "{report:?}");
    assert!(report.refused.len() <= MAX_ISSUES);
}

/// A file of this thread, in memory where the system has such a folder.
fn temporary(ending: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let thread: String = format!("{:?}", std::thread::current().id()).chars().filter(char::is_ascii_digit).collect();
    folder.join(format!("onemap-fuzz-{}-{thread}.{ending}", std::process::id()))
}

/// Headers that say where a request ends. With others of them the server waits for a rest that never comes.
const FRAMING: [&str; 5] = ["connection", "content-length", "expect", "transfer-encoding", "upgrade"];

/// The bytes of a request: `METHOD TARGET`, headers in lines, an empty line, the body. It ends as the server expects:
/// where messages end is the matter of the HTTP library.
#[must_use]
pub fn request(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((bytes, &b""[..]), |at| (&bytes[..at], &bytes[at + 2..]));
    let head: Vec<u8> = head.iter().copied().filter(|byte| *byte != b'\r').collect();
    let mut lines = head.split(|byte| *byte == b'\n');
    let is_framing = |line: &[u8]| {
        let name =
            String::from_utf8_lossy(line.split(|byte| *byte == b':').next().unwrap_or_default()).to_ascii_lowercase();
        FRAMING.contains(&name.trim())
    };
    let mut sent = lines.next().unwrap_or_default().to_vec();
    sent.extend_from_slice(b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
    for line in lines.filter(|line| !line.is_empty() && !is_framing(line)) {
        sent.extend_from_slice(line);
        sent.extend_from_slice(b"\r\n");
    }
    if !body.is_empty() {
        sent.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    sent.extend_from_slice(b"\r\n");
    sent.extend_from_slice(body);
    sent
}

/// Sends a request and reads the reply to its end; the beginning only of an event stream, which has none.
///
/// # Panics
/// If the server fails, does not speak HTTP, or is silent for half a minute.
pub fn send(mut connection: impl std::io::Read + Write, bytes: &[u8]) {
    // A server may refuse a request before it has read all of it.
    let _ = connection.write_all(&request(bytes));
    let mut reply = Vec::new();
    let mut part = vec![0; 65_536];
    loop {
        match connection.read(&mut part) {
            Ok(0) => break,
            Ok(read) => reply.extend_from_slice(&part[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            // An alarm of the fuzzer.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => panic!("{error} after {} bytes", reply.len()),
        }
        if reply.windows(17).take(4_096).any(|own| own == b"text/event-stream") {
            break;
        }
    }
    let head = String::from_utf8_lossy(&reply[..reply.len().min(200)]).into_owned();
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse::<u16>().ok());
    let is_expected = status.is_none_or(|status| status < 500 || status == 503 || status == 501);
    assert!(is_expected && (reply.is_empty() || status.is_some()), "{head}");
}

/// How long a reply may be silent.
pub const PATIENCE: Duration = Duration::from_secs(30);
