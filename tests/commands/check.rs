//! `onemap check`: a sound store, each kind of problem, and a configuration with a mistake.

use crate::support::listener::edit;
use crate::support::{Folder, Server, onemap, run};

fn check(folder: &Folder) -> (Option<i32>, String) {
    let output = run(folder, &["check"]);
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), printed)
}

#[test]
fn a_sound_store_passes_and_each_kind_of_problem_is_told() {
    let folder = Folder::new();
    drop(Server::start(&folder, &[]));
    let (code, printed) = check(&folder);
    assert_eq!(code, Some(0), "{printed}");
    for line in [
        "configuration\tnone",
        "accounts\t0",
        "callers without credentials\tviewer (no accounts)",
        "hazards\t1850 features",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    for (change, wanted) in [
        (
            "update shelters set status = 'opne' where id = 'SH-0001'",
            "values that are not accepted: SH-0001: status opne is not in the code list",
        ),
        (
            "update shelters set capacity = 5, occupancy = 9 where id = 'SH-0002'",
            "with more people than places: SH-0002",
        ),
        (
            "update shelters set region_code = '990000000001' where id = 'SH-0003'",
            "in divisions that do not exist: SH-0003: 990000000001",
        ),
        ("update shelters set geom = (select geom from shelters where id = 'SH-0004') where id = 'none'", ""),
        ("update shelters set occupancy = 'many' where id = 'SH-0005'", "1 unreadable values or rows"),
    ] {
        edit(&folder.file("onemap.gpkg"), change);
        let (code, printed) = check(&folder);
        assert!(code == Some(1) && printed.contains(wanted), "{change}: {printed}");
    }
}

#[test]
fn each_option_is_printed_with_its_source() {
    let folder = Folder::new();
    drop(Server::start(&folder, &["--store", "own.gpkg"]));
    let check = |variables: &[(&str, &str)]| {
        let mut command = onemap(&folder, &["check", "--store", "own.gpkg"]);
        let output = command.envs(variables.iter().copied()).output().expect("the program starts");
        let printed = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        (output.status.code(), printed)
    };
    let (code, printed) = check(&[("ONEMAP_RATE_LIMIT", "7"), ("ONEMAP_LISTEN", "127.0.0.1:81,[::1]:81")]);
    assert_eq!(code, Some(0), "{printed}");
    for line in [
        "--store\town.gpkg (--store)",
        "--rate-limit\t7 (ONEMAP_RATE_LIMIT)",
        "--listen\t127.0.0.1:81,[::1]:81 (ONEMAP_LISTEN)",
        "--tile-cache-mb\t256 (default)",
        "--audit-retention-days\tnone (default)",
    ] {
        assert!(printed.lines().any(|own| own == line), "{line}: {printed}");
    }
    // What the server would refuse is refused here too, and a password is not printed.
    let (code, printed) = check(&[("ONEMAP_RATE_LIMIT", "many")]);
    assert!(code == Some(1) && printed.contains("many"), "{printed}");
    let output = onemap(&folder, &["check"]).env("ONEMAP_STORE", "postgres://me:secret@127.0.0.1:1/x").output();
    let printed = String::from_utf8_lossy(&output.expect("the program starts").stdout).into_owned();
    assert!(printed.contains("--store\tpostgres://*** (ONEMAP_STORE)") && !printed.contains("secret"), "{printed}");
}

#[test]
fn a_mistake_in_the_configuration_is_told_with_its_line() {
    let folder = Folder::new();
    drop(Server::start(&folder, &[]));
    for (text, reason) in
        [("[access]\nanonymos = \"public\"\n", "line 2"), ("trusted_proxies = [\"10.0.0.0/99\"]\n", "line 1")]
    {
        folder.write("onemap.toml", text);
        let (code, printed) = check(&folder);
        assert!(code == Some(1) && printed.contains(reason), "{printed}");
    }
    let catalog = std::fs::read_to_string(crate::support::project().join("data/catalog.json")).expect("the catalog");
    folder.write("onemap.toml", "catalog = \"catalog.json\"\n");
    for (from, to, reason) in [
        ("status <> 'reported'", "statu <> 'reported'", "access rule of layer incidents for role public"),
        (r#"{"fields": {"capacity_m3""#, r#"{"fields": {"kind""#, "cannot hide"),
        (r#""access": {"read": "viewer"}"#, r#""access": {"read": "chief"}"#, "unknown variant"),
    ] {
        assert!(catalog.contains(from));
        folder.write("catalog.json", catalog.replacen(from, to, 1));
        let (code, printed) = check(&folder);
        assert!(code == Some(1) && printed.contains(reason), "{reason}: {printed}");
    }
}

#[test]
fn the_configuration_sets_options_below_variables_and_the_command_line() {
    let folder = Folder::new();
    let text = "[options]\nstore = \"own.gpkg\"\nlisten = [\"127.0.0.1:0\", \"[::1]:0\"]\ntile_cache_mb = 64\nrate_limit = 9\nno_write = true\n";
    folder.write("onemap.toml", text);
    let mut serve = onemap(&folder, &["--json", "serve", "--listen", "127.0.0.1:0"]);
    let (server, _) = Server::start_command({
        serve.env("ONEMAP_RATE_LIMIT", "7");
        serve
    });
    assert!(folder.file("own.gpkg").exists());
    let written = server.send("DELETE", "/ogc/collections/shelters/items/SH-0001", &[], "");
    assert_eq!(written.status, 403, "no_write");
    drop(server);
    let check = |arguments: &[&str]| {
        let output = onemap(&folder, &[&["check"][..], arguments].concat()).env("ONEMAP_RATE_LIMIT", "7").output();
        let output = output.expect("the program starts");
        let printed = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        (output.status.code(), printed)
    };
    let (code, printed) = check(&[]);
    assert_eq!(code, Some(0), "{printed}");
    for line in [
        "--config\tonemap.toml (default)",
        "--store\town.gpkg (onemap.toml, line 2)",
        "--listen\t127.0.0.1:0,[::1]:0 (onemap.toml, line 3)",
        "--tile-cache-mb\t64 (onemap.toml, line 4)",
        "--rate-limit\t7 (ONEMAP_RATE_LIMIT)",
        "--no-write\ttrue (onemap.toml, line 6)",
        "--access-log\tfalse (default)",
    ] {
        assert!(printed.lines().any(|own| own == line), "{line}: {printed}");
    }
    for (text, place, reason) in [
        (
            "[options]\ntile_cache = 64\n",
            "line 2, column 1",
            "unknown option \"tile_cache\"; accepted: access_log, accounts,",
        ),
        ("[options]\nconfig = \"a\"\n", "line 2, column 1", "unknown option \"config\""),
        ("[options]\ntile-cache-mb = 64\n", "line 2, column 1", "unknown option"),
        ("[options]\ntile_cache_mb = -1\n", "line 2, column 17", "'-1'"),
        ("[options]\nlisten = {}\n", "line 2, column 10", "accepted are a text"),
    ] {
        folder.write("onemap.toml", text);
        let (code, printed) = check(&[]);
        assert!(code == Some(1) && printed.contains(place) && printed.contains(reason), "{text}: {printed}");
    }
}
