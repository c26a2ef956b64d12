//! Glyphs of the map style.

use crate::support::Server;

#[test]
fn glyphs_are_given_in_ranges_of_known_fonts() {
    let (_folder, server) = Server::of_sample();
    let latin = server.get("/fonts/Noto%20Sans%20Regular/0-255.pbf");
    assert_eq!((latin.status, latin.header("content-type")), (200, "application/x-protobuf"));
    let has = |text: &str| latin.body.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(latin.body.len() > 50_000 && has("Noto Sans Regular") && has("0-255"));
    let again = server.get_with("/fonts/Noto%20Sans%20Regular/0-255.pbf", ("If-None-Match", latin.header("etag")));
    assert_eq!(again.status, 304);
    // The first known font of a stack; a range without glyphs is no failure.
    let stack = server.get("/fonts/Arial,Noto%20Sans%20Bold/0-255.pbf");
    assert!(stack.status == 200 && stack.body != latin.body);
    let chinese = server.get("/fonts/Noto%20Sans%20Bold/19968-20223.pbf");
    assert_eq!((chinese.status, chinese.body.len()), (200, 0));

    let unknown = server.get("/fonts/Arial/0-255.pbf");
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["accepted"], "Noto Sans Bold, Noto Sans Regular");
    for range in ["0-256", "1-256", "65536-65791", "256-0", "a-b", "-256-255", "0", "..%2F0-255"] {
        let refused = server.get(&format!("/fonts/Noto%20Sans%20Bold/{range}.pbf"));
        assert_eq!((refused.status, &refused.json()["parameter"]), (400, &"range".into()), "{range}");
    }
    assert_eq!(server.get("/catalog").json()["fonts"]["Noto Sans Bold"]["style"], "Bold");
}
