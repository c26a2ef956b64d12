//! Edits locked by timestamps: a date of whole seconds never hides an edit of the same second.

use serde_json::{Value as Json, json};

use super::edits::{ITEMS, Writer, both, shelter};
use crate::support::{Reply, until};

const NOTHING: Json = Json::Null;

fn patch(writer: &Writer, path: &str, since: &str, capacity: i64) -> Reply {
    writer.send("PATCH", path, &[("If-Unmodified-Since", since)], &json!({"properties": {"capacity": capacity}}))
}

fn date(reply: &Reply, name: &str) -> time::OffsetDateTime {
    let format = time::format_description::well_known::Rfc2822;
    let text = reply.header(name).replace("GMT", "+0000");
    time::OffsetDateTime::parse(&text, &format).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The date of a feature once its second is over, for the server and in its snapshot.
fn settled(writer: &Writer, path: &str) -> String {
    until("the second is over", || {
        let reply = writer.server.get(path);
        let text = reply.json()["properties"]["updated_at"].as_str().expect("a time").to_owned();
        let format = time::format_description::well_known::Rfc3339;
        let modified = time::OffsetDateTime::parse(&text, &format).expect("a time");
        let own = date(&reply, "last-modified");
        (modified <= own && own < date(&reply, "date")).then(|| reply.header("last-modified").to_owned())
    })
}

#[test]
fn an_edit_by_the_last_modified_date_is_made_and_one_by_an_earlier_date_is_refused() {
    both(|writer| {
        let path = format!("{ITEMS}/SH-0001");
        settled(writer, &path);
        let before = writer.server.get(&path);
        let early = "Sat, 01 Jan 2000 00:00:00 GMT";
        for (method, body) in
            [("PUT", shelter("SH-0001", 10)), ("PATCH", json!({"properties": {}})), ("DELETE", NOTHING)]
        {
            let refused = writer.send(method, &path, &[("If-Unmodified-Since", early)], &body);
            let problem = refused.json();
            assert_eq!((refused.status, &problem["parameter"]), (412, &json!("If-Unmodified-Since")), "{method}");
            assert_eq!(problem["accepted"], before.header("last-modified"), "{method}");
        }
        assert_eq!(writer.server.get(&path).header("etag"), before.header("etag"));
        // The reply to an edit has the date for the next one, and so has a GET.
        let since = before.header("last-modified");
        let first = writer.send("PUT", &path, &[("If-Unmodified-Since", since)], &shelter("SH-0001", 10));
        assert_eq!(first.status, 204, "{}", String::from_utf8_lossy(&first.body));
        assert!(date(&first, "last-modified") >= date(&before, "last-modified"));
        assert_eq!(patch(writer, &path, since, 11).status, 412);
        let second = patch(writer, &path, writer.server.get(&path).header("last-modified"), 12);
        assert_eq!(second.status, 204, "{}", String::from_utf8_lossy(&second.body));
        assert!(date(&second, "last-modified") >= date(&first, "last-modified"));
        let gone = writer.send("DELETE", &path, &[("If-Unmodified-Since", &settled(writer, &path))], &NOTHING);
        assert_eq!(gone.status, 204);
        // What does not exist has no date.
        assert_eq!(patch(writer, &path, early, 13).status, 404);
    });
}

#[test]
fn an_edit_of_the_same_second_is_not_lost() {
    both(|writer| {
        let path = format!("{ITEMS}/SH-0001");
        // Both clients read the same state; one edits it twice, as fast as it can.
        for round in 0..3 {
            let seen = settled(writer, &path);
            assert_eq!(patch(writer, &path, &seen, 20 + round).status, 204);
            let (etag, reply) = (writer.etag(&path), writer.server.get(&path));
            // This date may be that of the second in which the next edit happens.
            let seen = reply.header("last-modified").to_owned();
            assert_eq!(reply.header("etag"), etag);
            assert_eq!(writer.send("PATCH", &path, &[], &json!({"properties": {"capacity": 30 + round}})).status, 204);
            let late = patch(writer, &path, &seen, 40);
            assert_eq!(late.status, 412, "{seen}");
            assert_eq!(patch(writer, &path, &settled(writer, &path), 50).status, 204);
        }
    });
}

#[test]
fn entity_tags_take_precedence_and_what_is_no_date_is_ignored() {
    both(|writer| {
        let path = format!("{ITEMS}/SH-0001");
        let (early, late) = ("Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT");
        let body = json!({"properties": {"capacity": 60}});
        let etag = writer.etag(&path);
        let both = |etag: &str, since: &str| {
            writer.send("PATCH", &path, &[("If-Match", etag), ("If-Unmodified-Since", since)], &body).status
        };
        assert_eq!(both("\"0123456789abcdef\"", late), 412);
        assert_eq!(both(&etag, early), 204);
        for text in
            ["2000-01-01T00:00:00Z", "yesterday", "", "Sat, 01 Jan 2000 00:00:00 GMT, Sun, 02 Jan 2000 00:00:00 GMT"]
        {
            assert_eq!(patch(writer, &path, text, 61).status, 204, "{text}");
        }
        // The obsolete forms of dates are dates.
        assert_eq!(patch(writer, &path, "Saturday, 01-Jan-00 00:00:00 GMT", 62).status, 412);
        assert_eq!(patch(writer, &path, "Sat Jan  1 00:00:00 2000", 62).status, 412);
        // A GET with a date has no content while nothing changed.
        let since = settled(writer, &path);
        let get = |headers: &[(&str, &str)]| writer.server.send("GET", &path, headers, "").status;
        assert_eq!(get(&[("If-Modified-Since", &since)]), 304);
        assert_eq!(get(&[("If-Modified-Since", early)]), 200);
        assert_eq!(get(&[("If-Modified-Since", &since), ("If-None-Match", "\"0123456789abcdef\"")]), 200);
        assert_eq!(patch(writer, &path, &since, 63).status, 204);
        assert_eq!(get(&[("If-Modified-Since", &since)]), 200);
    });
}
