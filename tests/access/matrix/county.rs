//! A county with access rules of every kind for every role, and values that mark what the rules hide.

use std::fmt::Write;

use serde_json::{Map, Value as Json, json};

use super::super::send;
use crate::support::listener::{edit, point_literal};
use crate::support::{Folder, Server, run};

/// All roles, lowest first, with the letter of their markers.
pub(super) const ROLES: [(&str, char); 5] =
    [("public", 'p'), ("viewer", 'v'), ("editor", 'e'), ("dispatcher", 'd'), ("admin", 'a')];
/// The number of a role that nobody has.
pub(super) const NOBODY: usize = ROLES.len();
/// Where the features are.
pub(super) const PLACE: [f64; 2] = [118.8623, 26.2214];
/// The layer whose contacts are reserved for administrators.
const CONTACTS_OF_ADMINS: &str = "hazards";
/// The resource of the layers that are hidden as a whole.
const TEMPLATE: &str = "shelters";

/// A value, and the number of the lowest role that may receive it.
pub(super) struct Marker {
    pub(super) text: String,
    pub(super) lowest: usize,
    /// The kind of rule that hides it.
    pub(super) rule: &'static str,
}

/// The county and its markers.
pub(super) struct County {
    pub(super) layers: Vec<Layer>,
    pub(super) codes: Map<String, Json>,
}

pub(super) struct Layer {
    pub(super) id: String,
    number: usize,
    geometry: String,
    /// The number of the lowest role that sees the layer.
    pub(super) read: usize,
    fields: Vec<Json>,
    roles: Json,
    /// Features are made by requests of their own only.
    is_dispatched: bool,
    pub(super) has_clusters: bool,
}

impl County {
    /// The built-in county with rules added, written to a folder with its configuration.
    pub(super) fn write(folder: &Folder) -> Self {
        let printed = run(folder, &["layers", "--json"]);
        let mut catalog: Json = serde_json::from_slice(&printed.stdout).expect("a catalog");
        let layers = catalog["layers"].as_array_mut().expect("layers");
        let template = layers.iter().find(|layer| layer["id"] == TEMPLATE).expect("shelters").clone();
        for (role, letter) in &ROLES[1..] {
            let mut own = template.clone();
            own["id"] = json!(format!("vault_{role}"));
            own["zh"] = json!(format!("zqz{letter}"));
            own["en"] = json!(format!("zqt{letter}"));
            own["access"]["read"] = json!(role);
            layers.push(own);
        }
        layers.iter_mut().for_each(add_rules);
        let own = layers.iter().enumerate().map(|(number, layer)| Layer::new(number, layer)).collect();
        folder.write("county.json", catalog.to_string());
        folder.write("onemap.toml", "catalog = \"county.json\"\n[access]\nanonymous = \"public\"\n");
        Self { layers: own, codes: catalog["codes"].as_object().expect("codes").clone() }
    }

    /// All markers.
    pub(super) fn markers(&self) -> Vec<Marker> {
        let mut markers = Vec::new();
        let mut add = |text: String, lowest: usize, rule| markers.push(Marker { text, lowest, rule });
        for (number, (role, letter)) in ROLES.iter().enumerate().skip(1) {
            add(format!("secret_{role}"), number, "field name");
            for text in [format!("vault_{role}"), format!("zqz{letter}"), format!("zqt{letter}")] {
                add(text, number, "layer name");
            }
            for layer in &self.layers {
                add(layer.row(number), number.max(layer.read), "row");
                add(layer.value(number), number.max(layer.read), "field");
            }
        }
        for layer in &self.layers {
            add(layer.open(), layer.read, "layer");
            if layer.has_contacts() {
                let lowest = if layer.id == CONTACTS_OF_ADMINS { NOBODY - 1 } else { layer.read.max(1) };
                add(format!("139****{:04}", layer.number), lowest, "contact");
                add(layer.phone(), NOBODY, "contact");
                add(layer.person(), NOBODY, "contact");
            }
        }
        markers
    }

    /// Adds what the role of a number sees and lower ones do not; for the public, what everybody sees.
    pub(super) fn plant(&self, folder: &Folder, server: &Server, admin: &str, role: usize) {
        let mut edits = Vec::new();
        let mut statements = String::new();
        for layer in &self.layers {
            let is_own = layer.read == role || (role > 0 && layer.read < role);
            let mut create = |id: &str, source: &str| {
                if layer.is_dispatched {
                    let point = point_literal(PLACE[0], PLACE[1]);
                    let columns = "(geom, id, name, source, state, people)";
                    writeln!(
                        statements,
                        "insert into {} {columns} values ({point}, '{id}', '{id}', '{source}', 'committed', 7);",
                        layer.id
                    )
                    .expect("text");
                } else {
                    let feature = layer.feature(&self.codes, id, source);
                    edits.push(json!({"op": "create", "collection": layer.id, "feature": feature}));
                }
            };
            if layer.read == role {
                create(&layer.open(), "open");
                // What lower roles would see of a layer that is hidden from them anyway.
                (1..=role).for_each(|lower| create(&layer.row(lower), &format!("row_{}", ROLES[lower].0)));
            } else if is_own {
                create(&layer.row(role), &format!("row_{}", ROLES[role].0));
            }
        }
        let reply = send(server, admin, "POST", "/api/edits", &json!({"edits": edits}).to_string());
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        for layer in self.layers.iter().filter(|layer| layer.read <= role) {
            let first = if layer.read == role { 1 } else { role.max(1) };
            for (own, (name, _)) in ROLES.iter().enumerate().take(role + 1).skip(first) {
                // By another program, which leaves the time of the last change and the version as they are.
                writeln!(
                    statements,
                    "update {} set secret_{name} = '{}' where source = 'open';",
                    layer.id,
                    layer.value(own)
                )
                .expect("text");
            }
        }
        edit(&folder.file("onemap.gpkg"), &statements);
    }
}

/// Rules that hide fields and features of a layer from each role.
fn add_rules(layer: &mut Json) {
    let is_for_admins = layer["id"] == CONTACTS_OF_ADMINS;
    for window in ROLES.windows(2) {
        let [(lower, _), (role, _)] = window else { continue };
        let name = format!("secret_{role}");
        let field = json!({"name": name, "type": "text", "zh": name, "en": name, "tile": true});
        layer["fields"].as_array_mut().expect("fields").push(field);
        layer["access"]["fields"][&name] = json!(role);
        let rows = &mut layer["access"]["rows"];
        let known = rows[*lower].as_str().map(|rule| format!("({rule}) AND ")).unwrap_or_default();
        rows[*lower] = json!(format!("{known}source <> 'row_{role}'"));
    }
    if is_for_admins {
        for field in ["contact", "phone"] {
            layer["access"]["fields"][field] = json!("admin");
        }
    }
}

impl Layer {
    fn new(number: usize, layer: &Json) -> Self {
        let read = layer["access"]["read"].as_str().unwrap_or(ROLES[0].0);
        Self {
            id: layer["id"].as_str().expect("an id").to_owned(),
            number,
            geometry: layer["geometry"].as_str().expect("a geometry").to_owned(),
            read: ROLES.iter().position(|(role, _)| *role == read).expect("a role"),
            fields: layer["fields"].as_array().expect("fields").clone(),
            roles: layer["roles"].clone(),
            is_dispatched: layer["roles"]["commitments"] == true,
            has_clusters: layer["clusters"].is_object(),
        }
    }

    /// Whether a path names it.
    pub(super) fn is_in(&self, path: &str) -> bool {
        path.split('/').any(|segment| segment == self.id)
    }

    /// Id and name of the feature that every caller of the layer sees.
    pub(super) fn open(&self) -> String {
        format!("zqo{:02}", self.number)
    }

    /// Id and name of a feature that is hidden from lower roles.
    pub(super) fn row(&self, role: usize) -> String {
        format!("zqr{}{:02}", ROLES[role].1, self.number)
    }

    /// A value of the open feature that is hidden from lower roles.
    pub(super) fn value(&self, role: usize) -> String {
        format!("zqf{}{:02}", ROLES[role].1, self.number)
    }

    pub(super) fn phone(&self) -> String {
        format!("1390000{:04}", self.number)
    }

    pub(super) fn person(&self) -> String {
        format!("zqn{:02}", self.number)
    }

    fn has_contacts(&self) -> bool {
        self.roles["responsible"].is_object() && !self.is_dispatched
    }

    /// A feature with values that nearest, the sums and the audits count.
    fn feature(&self, codes: &Map<String, Json>, id: &str, source: &str) -> Json {
        let mut properties = Map::new();
        for field in &self.fields {
            let name = field["name"].as_str().expect("a name");
            if !name.starts_with("secret_") && !["version", "updated_at", "oneway", "dangerous"].contains(&name) {
                properties.insert(name.to_owned(), self.property(codes, field, name));
            }
        }
        properties.insert("name".to_owned(), json!(id));
        properties.insert("source".to_owned(), json!(source));
        let geometry = match self.geometry.as_str() {
            "polygon" => {
                let [west, south] = PLACE.map(|degrees| degrees - 0.01);
                let [east, north] = PLACE.map(|degrees| degrees + 0.01);
                json!({"type": "Polygon", "coordinates": [[[west, south], [east, south], [east, north], [west, south]]]})
            }
            "line" => json!({"type": "LineString", "coordinates": [PLACE, [118.87, 26.23]]}),
            _ => json!({"type": "Point", "coordinates": PLACE}),
        };
        json!({"type": "Feature", "id": id, "geometry": geometry, "properties": properties})
    }

    fn property(&self, codes: &Map<String, Json>, field: &Json, name: &str) -> Json {
        let named = |role: &str, member: &str| self.roles[role][member] == name;
        for role in ["ready", "active_area"] {
            if named(role, "field") {
                return self.roles[role]["codes"][0].clone();
            }
        }
        if named("responsible", "phone") || named("responsible", "person") {
            return json!(if named("responsible", "phone") { self.phone() } else { self.person() });
        }
        // Open-ended, and without people so far.
        if named("time", "end") || named("suitable_for", "no") {
            return Json::Null;
        }
        if named("capacity", "taken") || named("capacity", "promised") {
            return json!(0);
        }
        let code = field["codes"].as_str().map(|list| codes[list][0]["code"].clone());
        match (field["type"].as_str().expect("a type"), code) {
            ("text_list", code) => json!([code.unwrap_or(json!("x"))]),
            (_, Some(code)) => code,
            ("text", None) if name == "region_code" => json!("350124000000"),
            ("text", None) => json!("x"),
            ("integer" | "real", None) if field["max"].is_number() => field["max"].clone(),
            ("integer", None) => json!(4_321),
            ("real", None) => json!(43.25),
            ("boolean", None) => json!(true),
            ("date", None) => json!("2026-01-01"),
            ("datetime", None) => json!("2026-01-01T00:00:00Z"),
            _ => Json::Null,
        }
    }
}
