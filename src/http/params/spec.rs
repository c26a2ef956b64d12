//! Every query parameter of the interface, declared once: parsing, bounds, default and documentation come from the
//! declaration.
//!
//! An endpoint lists the parameters that it takes; a handler reads them through the same declarations. So the enforced
//! limits are those in `/openapi.json`.

use crate::http::params::param::{
    Choice, Count, CrsName, CrsUri, Decimal, Flag, FormatName, List, Numbers, Profiles, Text,
};
use crate::tile::TileFormat;

/// Maximum length of a filter, a geometry or a cursor, characters; the whole query string has a limit too.
const MAX_TEXT: usize = 16_384;

pub(crate) static F: FormatName = FormatName { about: "Media type of the reply; without it the Accept header decides" };

pub(crate) static FEATURE_PROFILE: Profiles = Profiles {
    name: "profile",
    about: "Profile of GeoJSON: rfc7946 (the default); jsonfg adds time, place and type; jsonfg-plus keeps a geometry in WGS 84 beside a place in another system. Other media types have no profiles",
    ids: &["rfc7946", "jsonfg", "jsonfg-plus"],
};
pub(crate) static SCHEMA_PROFILE: Profiles = Profiles {
    name: "profile",
    about: "How codes are given: codelist-ref (the default) lists them with the URI of the code list; codelist-inline has a title for each",
    ids: &["codelist-ref", "codelist-inline"],
};

pub(crate) static CRS: CrsName =
    CrsName { name: "crs", about: "Coordinate reference system of coordinates in the request and in the reply" };
pub(crate) static REPLY_CRS: CrsUri =
    CrsUri { name: "crs", about: "Coordinate reference system of the reply, by its URI" };
pub(crate) static BBOX_CRS: CrsUri =
    CrsUri { name: "bbox-crs", about: "Coordinate reference system of bbox, by its URI" };
pub(crate) static FILTER_CRS: CrsUri =
    CrsUri { name: "filter-crs", about: "Coordinate reference system of geometries in filter, by its URI" };

pub(crate) static POINT: Numbers = Numbers {
    name: "point",
    about: "Longitude, latitude in degrees, longitude first; with crs the coordinates of that system",
    example: &[118.86, 26.22],
    min_items: 2,
    max_items: 2,
    above: None,
    max: None,
    accepted: "LON,LAT in degrees, longitude first, such as 118.86,26.22; with crs= in that system",
    required: false,
};
pub(crate) static FROM: Numbers = Numbers { name: "from", required: true, ..POINT };
pub(crate) static TO: Numbers = Numbers { name: "to", example: &[118.72, 26.1], required: true, ..POINT };
pub(crate) static BBOX: Numbers = Numbers {
    name: "bbox",
    about: "West, south, east, north in degrees, or the lower and upper corner in bbox-crs; west greater than east crosses the antimeridian",
    example: &[118.5, 25.9, 119.1, 26.6],
    min_items: 4,
    max_items: 6,
    above: None,
    max: None,
    accepted: "four numbers: the least and the greatest of both coordinates, WEST,SOUTH,EAST,NORTH in degrees without bbox-crs; west greater than east crosses the antimeridian",
    required: false,
};
pub(crate) static RADIUS_M: Numbers = Numbers {
    name: "radius_m",
    about: "Radii of the rings around the point, line or area, metres, ascending",
    example: &[500.0, 1000.0, 3000.0],
    min_items: 1,
    max_items: 10,
    above: Some(0.0),
    max: Some(200_000.0),
    accepted: "up to 10 distances in metres above 0 and up to 200000, ascending, such as 500,1000,3000",
    required: false,
};

pub(crate) static ITEMS_LIMIT: Count = Count {
    name: "limit",
    about: "Features in a page; a number above the maximum counts as the maximum",
    example: 10,
    min: 1,
    max: 10_000,
    default: Some(100),
    capped: true,
};
pub(crate) static MEMBERS_LIMIT: Count = Count {
    name: "limit",
    about: "Members in a page",
    example: 10,
    min: 1,
    max: 1_000,
    default: Some(100),
    capped: false,
};
pub(crate) static SEARCH_LIMIT: Count = Count {
    name: "limit",
    about: "Features in the reply",
    example: 10,
    min: 1,
    max: 100,
    default: Some(10),
    capped: false,
};
pub(crate) static AUDIT_LIMIT: Count = Count {
    name: "limit",
    about: "Entries in the reply",
    example: 100,
    min: 1,
    max: 1_000,
    default: Some(100),
    capped: false,
};
pub(crate) static AUDIT_AFTER: Count = Count {
    name: "after",
    about: "Entries with a greater number, oldest first; the default, from the first",
    example: 0,
    min: 0,
    max: 2_000_000_000,
    default: None,
    capped: false,
};
pub(crate) static AUDIT_BEFORE: Count = Count {
    name: "before",
    about: "Entries with a smaller number, newest first; not with after",
    example: 2_000_000_000,
    min: 1,
    max: 2_000_000_000,
    default: None,
    capped: false,
};
pub(crate) static AUDIT_ACTOR: Text = Text {
    name: "actor",
    about: "Entries of the account with this name",
    example: "值班员",
    max: 200,
    required: false,
};
pub(crate) static AUDIT_ACTION: Text =
    Text { name: "action", about: "Entries of this action", example: "change", max: 50, required: false };
pub(crate) static AUDIT_LAYER: Text = Text {
    name: "layer",
    about: "Entries about features of this collection",
    example: "shelters",
    max: 200,
    required: false,
};
pub(crate) static AUDIT_ID: Text = Text {
    name: "id",
    about: "Entries about the feature or account with this id",
    example: "SH-0001",
    max: 200,
    required: false,
};
pub(crate) static K: Count = Count {
    name: "k",
    about: "Features in the reply for each layer",
    example: 5,
    min: 1,
    max: 1_000,
    default: Some(5),
    capped: false,
};
pub(crate) static PEOPLE: Count = Count {
    name: "people",
    about: "Free places needed, persons",
    example: 120,
    min: 1,
    max: 1_000_000,
    default: None,
    capped: false,
};
pub(crate) static LEVEL: Count = Count {
    name: "level",
    about: "Only risk zones of this level or worse; 1 is the worst",
    example: 2,
    min: 1,
    max: 4,
    default: None,
    capped: false,
};
pub(crate) static AVOID_LEVEL: Count = Count { name: "avoid_level", ..LEVEL };
pub(crate) static MARGIN_M: Count = Count {
    name: "margin_m",
    about: "A place within this distance of a zone counts as inside, metres",
    example: 50,
    min: 0,
    max: 10_000,
    default: Some(0),
    capped: false,
};
pub(crate) static STALE_AFTER_H: Count = Count {
    name: "stale_after_h",
    about: "Mark features whose record was not confirmed within this many hours",
    example: 720,
    min: 1,
    max: 1_000_000,
    default: None,
    capped: false,
};

pub(crate) static MAX_DISTANCE_M: Decimal = Decimal {
    name: "max_distance_m",
    unit: "metres",
    about: "Farthest distance of a feature in the reply, metres",
    example: 20_000.0,
    // Longer than any geodesic.
    max: 20_100_000.0,
    default: None,
};
pub(crate) static SHELTER_M: Decimal = Decimal {
    name: "shelter_m",
    unit: "metres",
    about: "Distance to a ready shelter beyond which a place counts as not covered, metres",
    example: 5_000.0,
    max: 1_000_000.0,
    default: Some(3_000.0),
};
pub(crate) static TEAM_M: Decimal = Decimal {
    name: "team_m",
    unit: "metres",
    about: "Distance to a ready team beyond which a place counts as not covered, metres",
    default: Some(10_000.0),
    ..SHELTER_M
};
pub(crate) static DEPOT_M: Decimal = Decimal {
    name: "depot_m",
    unit: "metres",
    about: "Distance to a stocked depot beyond which a place counts as not covered, metres",
    default: Some(10_000.0),
    ..SHELTER_M
};

pub(crate) static NIGHT: Flag = Flag { name: "night", about: "Count places for overnight stays" };
pub(crate) static EXPLAIN: Flag =
    Flag { name: "explain", about: "List nearer features that were excluded, with the reasons" };
pub(crate) static RELAX: Flag = Flag { name: "relax", about: "Append features that meet part of the demand" };
pub(crate) static COVER: Flag =
    Flag { name: "cover", about: "Reply with the nearest set of features that covers the demand together" };
pub(crate) static TILE_FORMAT: Choice =
    Choice { name: "f", about: "Format of the tiles", values: &[TileFormat::Mvt.name(), TileFormat::Mlt.name()] };
pub(crate) static LANG: Choice =
    Choice { name: "lang", about: "Language of the page, for people to read", values: &["zh", "en"] };
pub(crate) static DATUM: Choice = Choice {
    name: "datum",
    about: "Datum of the tiles: wgs84, or gcj02 for use over Chinese base maps in that datum",
    values: &["wgs84", "gcj02"],
};
pub(crate) static PREFER: Choice = Choice {
    name: "prefer",
    about: "With cover: nearest makes the farthest member as near as possible, fewest minimizes the number of members, balanced minimizes their total distance",
    values: &["nearest", "fewest", "balanced"],
};
pub(crate) static MAX_SITES: Count = Count {
    name: "max_sites",
    about: "With cover: maximum number of members; if they cannot cover the demand, those that cover most of it",
    example: 3,
    min: 1,
    max: 100,
    default: None,
    capped: false,
};
pub(crate) static BEYOND: Flag = Flag { name: "beyond", about: "Only places that are not covered" };
pub(crate) static SKIP_GEOMETRY: Flag = Flag { name: "skipGeometry", about: "Leave geometries out of the reply" };

pub(crate) static FILTER_LANG: Choice =
    Choice { name: "filter-lang", about: "Language of filter", values: &["cql2-text", "cql2-json"] };

pub(crate) static FILTER: Text =
    Text { name: "filter", about: "CQL2 expression", example: "name LIKE '%小学%'", max: MAX_TEXT, required: false };
pub(crate) static ALLOCATION: Text = Text {
    name: "request",
    about: "The request as a JSON object",
    example: "{\"layer\": \"shelters\", \"demands\": [{\"amount\": 300, \"point\": [118.86, 26.22]}]}",
    max: 12_000,
    required: true,
};
pub(crate) static AT: Text = Text {
    name: "at",
    about: "Instant with a zone at which warnings and incidents are active, and stock and agreements are valid; now without it",
    example: "2026-08-14T20:00:00+08:00",
    max: 100,
    required: false,
};
pub(crate) static DATETIME: Text = Text {
    name: "datetime",
    about: "An instant with a zone, a day, or an interval START/END whose ends may be ..",
    example: "2026-08-01T00:00:00Z/..",
    max: 100,
    required: false,
};
pub(crate) static SUBSET: Text = Text {
    name: "subset",
    about: "The same as datetime: datetime(\"INSTANT\") or datetime(\"START\":\"END\"), where an end may be *",
    example: "datetime(\"2026-08-01T00:00:00Z\":*)",
    max: 200,
    required: false,
};
pub(crate) static Q: Text = Text {
    name: "q",
    about: "Text that the id or any text property contains, ignoring case and accents",
    example: "小学",
    max: 100,
    required: false,
};
pub(crate) static COLLECTION: Text = Text {
    name: "collection",
    about: "The layer into which the file is imported",
    example: "shelters",
    max: 100,
    required: true,
};
pub(crate) static FILE_NAME: Text = Text {
    name: "filename",
    about: "Name of the file; its ending tells the format",
    example: "避灾点.xlsx",
    max: 200,
    required: true,
};
pub(crate) static SEARCH_Q: Text =
    Text { name: "q", about: "Words: part of a name, its pinyin or initials, a code or an id", required: true, ..Q };
pub(crate) static AFTER: Text = Text {
    name: "after",
    about: "Cursor of the next page, from the link next",
    example: "SH-0001",
    max: MAX_TEXT,
    required: false,
};
pub(crate) static BEFORE: Text =
    Text { name: "before", about: "Cursor of the previous page, from the link prev", ..AFTER };
pub(crate) static NEAR: Text = Text {
    name: "near",
    about: "A point, line or area as WKT or GeoJSON, instead of point",
    example: "LINESTRING(118.8 26.2,118.9 26.3)",
    max: MAX_TEXT,
    required: false,
};
/// Short enough that its encoded text is never longer than a URL can be.
pub(crate) static DRAWN: Text = Text { max: 4_000, ..NEAR };
pub(crate) static WITHIN: Text = Text {
    name: "within",
    about: "Division code of 2, 4, 6, 9 or 12 digits, or an area as WKT or GeoJSON",
    example: "350124100000",
    max: MAX_TEXT,
    required: false,
};
pub(crate) static COVERAGE_LAYER: Text =
    Text { name: "layer", about: "Layer of places with people", example: "villages", max: 100, required: false };
pub(crate) static KIND: Text = Text {
    name: "kind",
    about: "Kind of incident, which determines the rings",
    example: "landslide",
    max: 100,
    required: false,
};
pub(crate) static INCIDENT: Text = Text {
    name: "incident",
    about: "Id of an incident, instead of point",
    example: "IN-0001",
    max: 200,
    required: false,
};
pub(crate) static WARNING: Text =
    Text { name: "warning", about: "Id of a warning, instead of point", example: "WA-0001", ..INCIDENT };
pub(crate) static ZONE: Text =
    Text { name: "zone", about: "Id of a risk zone, instead of point", example: "RZ-0001", ..INCIDENT };
pub(crate) static LAST_EVENT_ID: Text = Text {
    name: "last_event_id",
    about: "Id of the last event received; the header Last-Event-ID takes precedence",
    example: "0123456789abcdef-1",
    max: 100,
    required: false,
};
pub(crate) static VERSION: Text = Text {
    name: "v",
    about: "Ignored; makes the URL unique, to bypass intermediate caches",
    example: "1",
    max: 200,
    required: false,
};

pub(crate) static NEAREST_LAYER: List = List {
    name: "layer",
    about: "Layer ids, each with an optional number of features after a colon",
    example: &["shelters:5", "teams:3"],
    max: 16,
    required: true,
};
pub(crate) static LAYER: List =
    List { name: "layer", about: "Layer ids", example: &["shelters"], max: 64, required: false };
pub(crate) static LAYERS: List = List { name: "layers", ..LAYER };
pub(crate) static COLLECTIONS: List =
    List { name: "collections", about: "Collections in the tiles; all without it", ..LAYER };
pub(crate) static IDS: List =
    List { name: "ids", about: "Only features with these ids", example: &["SH-0001"], max: 250, required: false };
pub(crate) static SORTBY: List = List {
    name: "sortby",
    about: "Properties to sort by; a leading - sorts in descending order",
    example: &["-name"],
    max: 8,
    required: false,
};
pub(crate) static PROPERTIES: List =
    List { name: "properties", about: "Properties in the reply", example: &["name"], max: 1_000, required: false };
pub(crate) static STATUS: List = List {
    name: "status",
    about: "ready (the default), any, or status codes",
    example: &["ready"],
    max: 32,
    required: false,
};
pub(crate) static HAZARD: List = List {
    name: "hazard",
    about: "Hazards that the resource must be suitable for, or that are audited",
    example: &["flood"],
    max: 32,
    required: false,
};
pub(crate) static SKILLS: List = List {
    name: "skills",
    about: "Skills that a team must have",
    example: &["flood_rescue"],
    max: 32,
    required: false,
};
pub(crate) static ITEMS: List = List {
    name: "items",
    about: "Stock items that must be available: code or name, a colon and a quantity",
    example: &["tent:20"],
    max: 64,
    required: false,
};
pub(crate) static AVOID: List = List {
    name: "avoid",
    about: "Hazards whose risk zones are avoided; any for all hazards; warnings or incidents for their active areas",
    example: &["landslide"],
    max: 32,
    required: false,
};

pub(crate) static COMMITMENT_INCIDENT: Text =
    Text { name: "incident", about: "Id of an incident or warning; without it those of all", ..INCIDENT };
pub(crate) static COMMITMENT_STATES: List = List {
    name: "state",
    about: "States of the commitments: proposed, committed, en_route, released; without it all but released",
    example: &["committed"],
    max: 4,
    required: false,
};

/// A parameter in the path of an endpoint.
pub(crate) struct PathParam {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) kind: PathKind,
}

/// What a parameter in the path holds.
pub(crate) enum PathKind {
    /// Id of a collection.
    Collection,
    /// Ids of layers joined by commas.
    Layers,
    /// Id of a tile matrix set.
    TileMatrixSet,
    /// A zoom level.
    Zoom,
    /// A row or column; its example.
    Index(u32),
    /// Text; its example.
    Text(&'static str),
}

/// All parameters in paths.
pub(crate) static PATH: &[PathParam] = &[
    PathParam { name: "collectionId", about: "Id of a collection", kind: PathKind::Collection },
    PathParam { name: "featureId", about: "Id of a feature", kind: PathKind::Text("SH-0001") },
    PathParam { name: "tileMatrixSetId", about: "Id of a tile matrix set", kind: PathKind::TileMatrixSet },
    PathParam { name: "tileMatrix", about: "Zoom level", kind: PathKind::Zoom },
    PathParam { name: "tileRow", about: "Row, counted from the north", kind: PathKind::Index(434) },
    PathParam { name: "tileCol", about: "Column, counted from the west", kind: PathKind::Index(850) },
    PathParam { name: "layers", about: "Layer ids joined by commas", kind: PathKind::Layers },
    PathParam { name: "z", about: "Zoom level", kind: PathKind::Zoom },
    PathParam { name: "x", about: "Column, counted from the west", kind: PathKind::Index(850) },
    PathParam { name: "y", about: "Row, counted from the north", kind: PathKind::Index(434) },
    PathParam { name: "layer", about: "Id of a layer", kind: PathKind::Collection },
    PathParam { name: "clusterId", about: "Id of a cluster in a tile", kind: PathKind::Text("49503041488464") },
    PathParam { name: "codelistId", about: "Name of a code list", kind: PathKind::Text("risk_level") },
    PathParam {
        name: "importId",
        about: "Id of a sent file, or of an import",
        kind: PathKind::Text("a117a555eb95f9cf"),
    },
    PathParam { name: "commitmentId", about: "Id of a commitment", kind: PathKind::Text("49f50a2b") },
    PathParam { name: "subscriptionId", about: "Id of a subscription", kind: PathKind::Text("5b0c2f6a9d3e4711") },
    PathParam { name: "warningId", about: "Id of a warning", kind: PathKind::Text("WN-01") },
    PathParam { name: "pack", about: "File name of an archive of tiles", kind: PathKind::Text("county.pmtiles") },
    PathParam { name: "styleId", about: "Name of a style", kind: PathKind::Text("onemap") },
    PathParam {
        name: "fontStack",
        about: "Names of fonts joined by commas",
        kind: PathKind::Text("Noto Sans Regular"),
    },
    PathParam { name: "range", about: "256 codes of Unicode", kind: PathKind::Text("0-255") },
];
