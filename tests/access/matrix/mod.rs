//! Every role, route, format and kind of access rule: a hidden value is in no byte that is sent to a lower role, and
//! replies to a role are the same, with entity tags and versions, whatever changes among what is hidden from it.

mod county;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use aho_corasick::AhoCorasick;
use serde_json::{Value as Json, json};

use super::{account, get, machine_token, send};
use crate::support::listener::Listener;
use crate::support::{Folder, Server, await_that};
use county::{County, Marker, ROLES};
use requests::Request;

/// Headers that tell the time or the request. Within the second of a change, `Last-Modified` is the second before.
const VOLATILE_HEADERS: [&str; 4] = ["date", "age", "x-request-id", "last-modified"];
/// Members that tell the time.
const VOLATILE_MEMBERS: [&str; 2] = ["data_age_s", "timeStamp"];
/// What only counts requests and resources of the process.
const OF_THE_PROCESS: [&str; 1] = ["/metrics"];

/// Headers of every reply, and a part of their values.
const SECURITY_HEADERS: [(&str, &str); 3] =
    [("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin"), ("permissions-policy", "camera=()")];

/// The media types in which features are sent.
const MEDIA_TYPES: [&str; 12] = [
    "application/geo+json",
    "application/json",
    "text/html",
    "text/csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.flatgeobuf",
    "application/geo+json-seq",
    "application/vnd.ogc.fg+json",
    "application/vnd.google-earth.kml+xml",
    "application/zip",
    "application/vnd.mapbox-vector-tile",
    "application/vnd.maplibre-tile",
];

/// A caller: the number of its role, and its connections.
struct Client {
    agent: ureq::Agent,
    url: String,
    authorization: Option<String>,
}

/// A reply, without what depends on the time.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Client {
    fn new(server: &Server, secret: &str) -> Self {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let authorization = (!secret.is_empty()).then(|| format!("Bearer {secret}"));
        Self { agent, url: server.url.clone(), authorization }
    }

    fn ask(&self, request: &Request, tag: Option<&str>) -> Answer {
        let method = if request.body.is_some() { "POST" } else { "GET" };
        let mut own = ureq::http::Request::builder().method(method).uri(format!("{}{}", self.url, request.path));
        let json = request.body.as_ref().map(|_| "application/json");
        let headers = [
            ("authorization", self.authorization.as_deref()),
            ("accept", request.accept.as_deref()),
            ("accept-encoding", Some("identity")),
            ("content-type", json),
            ("if-none-match", tag),
        ];
        for (name, value) in headers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            own = own.header(name, value);
        }
        let own = own.body(request.body.clone().unwrap_or_default()).expect("a request");
        let mut response = self.agent.run(own).unwrap_or_else(|error| panic!("{}: {error}", request.name()));
        let body = response.body_mut().with_config().limit(1 << 28).read_to_vec().expect("a whole body");
        let headers = response.headers().iter().filter(|(name, _)| !VOLATILE_HEADERS.contains(&name.as_str()));
        let headers = headers
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Answer { status: response.status().as_u16(), headers: headers.collect(), body: unpacked(body) }
    }

    /// The replies to all requests, by several connections.
    fn ask_all(&self, requests: &[Request], tag: impl Fn(&Request) -> Option<String> + Sync) -> Vec<Answer> {
        let share = requests.len().div_ceil(4).max(1);
        let ask = |part: &[Request]| part.iter().map(|own| self.ask(own, tag(own).as_deref())).collect::<Vec<_>>();
        std::thread::scope(|scope| {
            let parts: Vec<_> = requests.chunks(share).map(|part| scope.spawn(|| ask(part))).collect();
            parts.into_iter().flat_map(|part| part.join().expect("all replies")).collect()
        })
    }
}

impl Answer {
    /// Header values and body.
    fn bytes(&self) -> Vec<u8> {
        let headers = self.headers.iter().flat_map(|(name, value)| [name.as_bytes(), b": ", value.as_bytes(), b"\n"]);
        headers.chain([self.body.as_slice()]).flatten().copied().collect()
    }

    /// The same without what tells the time.
    fn lasting(&self) -> Self {
        let mut own = self.clone();
        let is_page = own.headers.get("content-type").is_some_and(|kind| kind.contains("html"));
        if let Ok(mut json) = serde_json::from_slice::<Json>(&self.body) {
            if let Some(members) = json.as_object_mut() {
                members.retain(|name, _| !VOLATILE_MEMBERS.contains(&name.as_str()));
            }
            own.body = json.to_string().into_bytes();
            // The time in the body varies in length.
            own.headers.remove("content-length");
        } else if is_page {
            let page = String::from_utf8_lossy(&self.body);
            let lines = page.lines().filter(|line| !line.contains("Data version") && !line.contains("数据版本"));
            own.body = lines.collect::<Vec<_>>().join("\n").into_bytes();
            own.headers.remove("content-length");
        } else if own.headers.get("content-type").is_some_and(|kind| kind.contains("zip") || kind.contains("sheet")) {
            // The times of the files are compressed.
            own.headers.remove("content-length");
        }
        own
    }
}

/// The files of a ZIP archive, or the bytes themselves. The properties of a workbook tell the time.
fn unpacked(body: Vec<u8>) -> Vec<u8> {
    let Ok(mut archive) = zip::ZipArchive::new(std::io::Cursor::new(&body)) else { return body };
    let mut unpacked = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).expect("a file");
        let name = file.name().expect("a name").into_owned();
        if !name.starts_with("docProps/") {
            unpacked.extend(name.as_bytes());
            file.read_to_end(&mut unpacked).expect("a file");
        }
    }
    unpacked
}

/// Finds the markers in replies.
struct Search {
    markers: Vec<Marker>,
    automaton: AhoCorasick,
}

impl Search {
    fn new(markers: Vec<Marker>) -> Self {
        let automaton = AhoCorasick::new(markers.iter().map(|own| &own.text)).expect("few markers");
        Self { markers, automaton }
    }

    fn markers_in(&self, bytes: &[u8]) -> BTreeSet<usize> {
        self.automaton.find_overlapping_iter(bytes).map(|own| own.pattern().as_usize()).collect()
    }
}

/// A server with the county, and a client of each role.
struct Scene {
    folder: Folder,
    server: Server,
    county: County,
    admin: String,
    secrets: Vec<String>,
    clients: Vec<Client>,
}

fn scene() -> Scene {
    let folder = Folder::new();
    let county = County::write(&folder);
    let secrets: Vec<String> = ROLES.iter().map(|(role, _)| account(&folder, role, &["--role", role])).collect();
    let server = Server::start(&folder, &["--rate-limit", "0"]);
    // The public has no account.
    let secret = |role: usize| if role == 0 { "" } else { &secrets[role] };
    let clients = (0..ROLES.len()).map(|role| Client::new(&server, secret(role))).collect();
    let admin = machine_token(&folder);
    Scene { folder, server, county, admin, secrets, clients }
}

impl Scene {
    /// Adds what a role sees and lower ones do not, and waits until it is visible.
    fn plant(&self, role: usize) {
        self.county.plant(&self.folder, &self.server, &self.admin, role);
        let shelters = self.county.layers.iter().find(|layer| layer.id == "shelters").expect("a layer");
        let item = format!("/ogc/collections/shelters/items/{}", shelters.open());
        let values: Vec<String> = (1..=role).map(|role| shelters.value(role)).collect();
        await_that("the values are visible", || {
            let text = String::from_utf8_lossy(&get(&self.server, &self.admin, &item).body).into_owned();
            values.iter().all(|value| text.contains(value))
        });
    }
}

/// What was found in the replies.
#[derive(Default)]
struct Findings {
    faults: Vec<String>,
    /// Markers by role.
    found: BTreeSet<(usize, usize)>,
    /// Media types of replies in which there are features that are hidden from some.
    media_types: BTreeSet<String>,
}

impl Findings {
    /// Looks for markers in a reply to a role.
    fn search(&mut self, search: &Search, (role, name): (usize, &str), request: &Request, answer: &Answer) {
        for number in search.markers_in(&answer.bytes()) {
            let Marker { text, lowest, rule } = &search.markers[number];
            if *lowest <= role {
                self.found.insert((role, number));
                if *rule == "row" {
                    let media_type = answer.headers.get("content-type").cloned().unwrap_or_default();
                    self.media_types.insert(media_type.split(';').next().unwrap_or_default().to_owned());
                }
            } else if !request.text().contains(text) {
                self.faults.push(format!("{}: the {rule} {text} is sent to {name}", request.name()));
            }
        }
    }

    /// Compares the replies to a role before and after a change that is hidden from it.
    fn compare(&mut self, name: &str, request: &Request, before: &Answer, after: &Answer) {
        let (before, after) = (before.lasting(), after.lasting());
        if before != after && !OF_THE_PROCESS.contains(&request.template.as_str()) {
            self.faults.push(format!("{}: changed for {name}: {}", request.name(), difference(&before, &after)));
        }
    }

    fn assert_none(&self) {
        let shown = self.faults.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.faults.is_empty(), "{} faults, among them:\n{shown}", self.faults.len());
    }

    /// Every marker reaches every role that may receive it, and features are found in every format.
    fn assert_complete(&self, search: &Search) {
        for (number, marker) in search.markers.iter().enumerate() {
            for (role, (name, _)) in ROLES.iter().enumerate().skip(marker.lowest) {
                let is_sent = self.found.contains(&(role, number));
                assert!(is_sent, "the {} {} is not sent to {name}", marker.rule, marker.text);
            }
        }
        for media_type in MEDIA_TYPES {
            assert!(self.media_types.contains(media_type), "{media_type}: {:?}", self.media_types);
        }
    }
}

#[test]
fn what_is_hidden_is_in_no_byte_and_changes_no_reply() {
    let scene = scene();
    let Scene { county, server, .. } = &scene;
    let description = get(server, &scene.admin, "/openapi.json").json();
    let mut requests = requests::of_description(&description, county);
    requests.extend(requests::questions(county));
    let mut seen = Vec::new();
    for (client, secret) in scene.clients.iter().zip(&scene.secrets) {
        scene.plant(seen.len());
        seen.push((client.ask_all(&requests, |_| None), Listener::open_as(server, "", secret)));
    }
    let search = Search::new(county.markers());
    let mut findings = Findings::default();
    for (role, (before, _)) in seen.iter().enumerate() {
        let (client, (name, _)) = (&scene.clients[role], ROLES[role]);
        let after = client.ask_all(&requests, |_| None);
        for ((request, before), after) in requests.iter().zip(before).zip(&after) {
            findings.search(&search, (role, name), request, after);
            findings.compare(name, request, before, after);
        }
        // The tags of before are still valid.
        let tagged: Vec<usize> = (0..before.len()).filter(|at| before[*at].headers.contains_key("etag")).collect();
        let again: Vec<Request> = tagged.iter().map(|at| requests[*at].clone()).collect();
        let tags: BTreeMap<String, &String> =
            tagged.iter().map(|at| (requests[*at].name(), &before[*at].headers["etag"])).collect();
        let answers = client.ask_all(&again, |request| Some(tags[&request.name()].clone()));
        for (request, answer) in again.iter().zip(&answers).filter(|(_, answer)| answer.status != 304) {
            findings.faults.push(format!("{}: its tag changed for {name}: {}", request.name(), answer.status));
        }
    }
    findings.assert_none();
    findings.assert_complete(&search);
    // The first event is the next visible change.
    let shelters = county.layers.iter().find(|layer| layer.id == "shelters").expect("a layer");
    let path = format!("/ogc/collections/shelters/items/{}", shelters.open());
    assert_eq!(send(server, &scene.admin, "PATCH", &path, r#"{"properties": {"occupancy": 1}}"#).status, 204);
    for (_, mut events) in seen {
        let event = events.change();
        assert_eq!((&event.data["layer"], &event.data["ids"]), (&json!("shelters"), &json!([shelters.open()])));
    }
}

#[test]
fn every_reply_has_the_security_headers() {
    let scene = scene();
    scene.plant(0);
    let description = get(&scene.server, &scene.admin, "/openapi.json").json();
    let mut requests = requests::of_description(&description, &scene.county);
    for path in ["/", "/docs", "/nothing", "/ogc/collections/nothing", "/tiles/%ff", "/api/nearest", "/api/audit"] {
        requests.push(Request::get(path.to_owned()));
    }
    let mut policies = 0;
    for client in [&scene.clients[0], &scene.clients[ROLES.len() - 1]] {
        for (request, answer) in requests.iter().zip(client.ask_all(&requests, |_| None)) {
            let header = |name: &str| answer.headers.get(name).map(String::as_str).unwrap_or_default();
            for (name, value) in SECURITY_HEADERS {
                assert!(header(name).contains(value), "{}: {name}: {:?}", request.name(), header(name));
            }
            // Pages run nothing that is not from this server.
            if header("content-type").contains("html") && answer.status == 200 {
                policies += 1;
                let policy = header("content-security-policy");
                assert!(policy.contains("default-src") && !policy.contains("script-src"), "{}", request.name());
            }
            // Shared caches keep callers apart.
            let is_open = ["/", "/docs", "/health/live", "/health/ready", "/fonts"]
                .iter()
                .any(|own| request.path == *own || (own.len() > 1 && request.path.starts_with(own)));
            if !is_open && answer.status < 400 {
                assert!(header("vary").contains("Authorization"), "{}: {}", request.name(), header("vary"));
            }
        }
    }
    assert!(policies > 50, "{policies} pages");
}

#[test]
fn contacts_that_are_reserved_are_not_revealed_to_lower_roles() {
    let scene = scene();
    (0..2).for_each(|role| scene.plant(role));
    let hazards = scene.county.layers.iter().find(|layer| layer.id == "hazards").expect("a layer");
    let body = json!({"collection": "hazards", "id": hazards.open(), "reason": "x"}).to_string();
    for (role, (name, _)) in ROLES.iter().enumerate().skip(2) {
        let secret = &scene.secrets[role];
        let reply = send(&scene.server, secret, "POST", "/api/reveal", &body);
        let whole =
            if *name == "admin" { json!({"contact": hazards.person(), "phone": hazards.phone()}) } else { json!({}) };
        assert_eq!((reply.status, &reply.json()["values"]), (200, &whole), "{name}");
        let layers = get(&scene.server, secret, "/api/layers").json();
        let own = layers["layers"].as_array().expect("layers").iter().find(|layer| layer["id"] == "hazards");
        let offered = own.and_then(|own| own["contacts"].as_array()).map(Vec::len);
        assert_eq!(offered, Some(if *name == "admin" { 2 } else { 0 }), "{name}");
        let write = json!({"properties": {"phone": "13900000000"}}).to_string();
        let path = format!("/ogc/collections/hazards/items/{}", hazards.open());
        if *name == "editor" {
            assert_eq!(send(&scene.server, secret, "PATCH", &path, &write).status, 403);
        }
    }
}

fn difference(before: &Answer, after: &Answer) -> String {
    if before.status != after.status {
        return format!("{} {}", before.status, after.status);
    }
    let headers = before.headers.iter().find(|(name, value)| after.headers.get(*name) != Some(value));
    if let Some((name, value)) = headers {
        return format!("{name}: {value} {:?}", after.headers.get(name));
    }
    let at = before.body.iter().zip(&after.body).position(|(a, b)| a != b).unwrap_or_default();
    let part =
        |body: &[u8]| String::from_utf8_lossy(&body[at.saturating_sub(60)..(at + 60).min(body.len())]).into_owned();
    format!("…{} | {}…", part(&before.body), part(&after.body))
}
