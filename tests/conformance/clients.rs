//! Other clients of the API: OWSLib, two versions of GDAL, and a fuzzer driven by the API description.

use std::process::Command;

use serde_json::Value as Json;

use super::document;
use crate::support::{Folder, Server, foreign, project};

/// A program from the Python packages of the tests.
pub(crate) fn python(name: &str) -> String {
    let path = project().join("tests/.venv/bin").join(name);
    assert!(path.exists(), "{} is missing; scripts/install-test-tools installs it", path.display());
    path.display().to_string()
}

#[test]
fn owslib_and_a_newer_gdal_read_everything() {
    let (_folder, server) = Server::of_sample();
    let script = project().join("tests/conformance/clients.py").display().to_string();
    let printed = foreign(&python("python"), &[&script, &server.url]);
    assert!(printed.starts_with("OWSLib GDAL 3."), "{printed}");
}

#[test]
fn the_gdal_of_the_system_reads_pages_and_boxes() {
    let (folder, server) = Server::of_sample();
    let source = format!("OAPIF:{}/ogc", server.url);
    let listed = foreign("ogrinfo", &["-ro", "-so", &source, "hazards", "-oo", "PAGE_SIZE=300"]);
    assert!(listed.contains("Feature Count: 1850"), "{listed}");
    let target = folder.file("copy.gpkg").display().to_string();
    foreign("ogr2ogr", &["-f", "GPKG", &target, &source, "hazards", "-oo", "PAGE_SIZE=300"]);
    let copied = foreign("ogrinfo", &["-ro", "-so", &target, "hazards"]);
    assert!(copied.contains("Feature Count: 1850"), "{copied}");
    let box_of = ["-spat", "118.8", "26.15", "118.95", "26.3"];
    let boxed = foreign("ogrinfo", &[&["-ro", "-so", &source, "shelters"][..], &box_of].concat());
    let expected = document(&server, "/ogc/collections/shelters/items?bbox=118.8,26.15,118.95,26.3&limit=1");
    assert!(boxed.contains(&format!("Feature Count: {}", expected["numberMatched"])), "{boxed}");
}

/// The number of requests per operation is small and fixed in the suite; `scripts/fuzz` sets the number and a seed.
#[test]
fn no_request_that_the_description_allows_breaks_the_server() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let description = format!("{}/openapi.json", server.url);
    let examples = std::env::var("ONEMAP_FUZZ_EXAMPLES").unwrap_or_else(|_| "15".to_owned());
    let choice = match std::env::var("ONEMAP_FUZZ_SEED") {
        Ok(seed) => ["--generation-database", "none", "--seed", &seed].map(str::to_owned).to_vec(),
        Err(_) => vec!["--generation-deterministic".to_owned()],
    };
    // Event streams do not end, and the fuzzer would wait for them.
    let output = Command::new(python("st"))
        .current_dir(folder.path())
        .args(["run", &description, "--max-examples", &examples, "--phases", "examples,fuzzing"])
        .args(choice)
        .args([
            "--exclude-operation-id",
            "getEvents",
            "--exclude-operation-id",
            "getSubscriptionEvents",
            "--workers",
            "1",
            "--no-color",
            "--continue-on-failure",
        ])
        .args(["--suppress-health-check", "all", "-H", &format!("Authorization: Bearer {}", token.trim())])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .output()
        .expect("the fuzzer runs");
    let output_text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{output_text}");
    assert_eq!(server.get("/health/live").status, 200);
}

#[test]
fn the_description_names_every_path_of_the_server() {
    let (_folder, server) = Server::of_sample();
    let described = document(&server, "/openapi.json");
    // Every described path is routed, and every path of the not-found list is described.
    let nowhere = server.get("/nowhere").json();
    let routed = nowhere["accepted"].as_str().expect("the list of paths");
    for path in routed.split(", ").filter(|path| !["/", "/docs"].contains(path)) {
        assert!(described["paths"][path].is_object(), "{path} is not described");
    }
    let count = described["paths"].as_object().map(serde_json::Map::len);
    assert_eq!(Some(routed.split(", ").count() - 2), count, "the number of described paths");
    let lacks = |operation: &Json| {
        operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|own| own["schema"].is_null() || own["description"] == "")
    };
    let operations = described["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|path| path.as_object().expect("methods").values());
    assert!(!operations.into_iter().any(lacks), "a parameter is not described");
}
