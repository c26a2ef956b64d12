//! Printed pages in both languages.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Server, encoded};

/// Tags with texts of the page itself; headers of rows may be names of townships.
const TAGS: [&str; 5] = ["h1", "h2", "th", "span", "footer"];

/// The texts of those tags.
fn texts(html: &str) -> BTreeSet<&str> {
    html.split('<')
        .filter_map(|piece| piece.split_once('>'))
        .filter(|(tag, _)| TAGS.iter().any(|own| tag == own || tag.starts_with(&format!("{own} "))))
        .map(|(_, text)| text.trim())
        .filter(|text| !text.is_empty() && !text.ends_with(['镇', '乡']))
        .collect()
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|own| ('\u{4e00}'..='\u{9fff}').contains(&own))
}

#[test]
fn pages_are_printed_in_the_language_that_is_wanted() {
    let (_folder, server) = Server::of_sample();
    let demands = json!([{"id": "V-1", "point": [118.86, 26.22], "amount": 40}, {"id": "V-2", "point": [117.0, 25.0], "amount": 7}]);
    let plan = json!({"layer": "shelters", "max_distance_m": 20_000, "demands": demands}).to_string();
    for (path, heading) in [
        ("/api/surroundings?point=118.86,26.22&radius_m=500,2000".to_owned(), "Surroundings"),
        ("/api/surroundings?incident=IN-01".to_owned(), "Surroundings"),
        ("/api/alerts/WN-01?at=2026-01-01T00:00:00Z".to_owned(), "Who to warn"),
        (format!("/api/allocations?request={}", encoded(&plan)), "Evacuation plan"),
    ] {
        let page = |language: &str| {
            let reply = server.get(&format!("{path}&f=html{language}"));
            assert_eq!(reply.status, 200, "{path}");
            String::from_utf8(reply.body).expect("text")
        };
        let (zh, en, default) = (page("&lang=zh"), page("&lang=en"), page(""));
        assert!(zh.contains("<html lang=\"zh-CN\">") && default.contains("<html lang=\"zh-CN\">"), "{path}");
        assert!(en.contains("<html lang=\"en\">") && en.contains(&format!("<h1>{heading}</h1>")), "{path}: {en}");
        let (own, chinese) = (texts(&en), texts(&zh));
        let left: Vec<&&str> = own.iter().filter(|text| is_chinese(text)).collect();
        assert!(left.is_empty(), "{path}: {left:?}");
        assert!(own.len() >= 8 && own.len().abs_diff(chinese.len()) <= 2, "{path}: {own:?} {chinese:?}");
        assert_eq!(en.matches("<th").count(), zh.matches("<th").count(), "{path}");
        let refused = server.get(&format!("{path}&f=html&lang=fr"));
        assert_eq!((refused.status, &refused.json()["parameter"]), (400, &"lang".into()), "{path}");
    }
}
