//! A surroundings request, read from parameters or a body: the location and the rings.

use geo::CoordsIter;
use serde_json::{Value as Json, json};

use crate::geodesy::crs_transform::CrsTransform;
use crate::http::call::Call;
use crate::http::params::crs::{required_point, shape};
use crate::http::params::filters::instant;
use crate::http::params::param::Text;
use crate::http::params::{QueryParams, feature, invalid, layer, parse_json, spec};
use crate::http::reply::problem::Problem;
use crate::model::{Catalog, Shape};
use crate::query::query_geometry::QueryGeometry;
use crate::query::surroundings::{Area, SurroundingsQuery};
use crate::snapshot::Snapshot;

/// Maximum number of coordinates of an area.
const MAX_COORDINATES: usize = 20_000;
/// Parameters that name a feature by its id, each with its layer.
static STORED_FEATURES: [(&Text, &str); 3] =
    [(&spec::INCIDENT, "incidents"), (&spec::WARNING, "warnings"), (&spec::ZONE, "risk_zones")];

/// A surroundings request with the name of its subject.
pub(crate) struct SurroundingsRequest {
    pub(crate) ask: SurroundingsQuery,
    pub(crate) title: Option<String>,
    pub(crate) place: Json,
    /// The layer and the id of a stored feature.
    pub(crate) subject: Option<(&'static str, String)>,
}

/// A point with rings, or a feature.
pub(crate) fn read(call: &Call<'_>, crs: &CrsTransform) -> Result<SurroundingsRequest, Problem> {
    let params = &call.params;
    let on_file: Vec<(&'static str, &'static str, &str)> =
        STORED_FEATURES.iter().filter_map(|(param, layer)| Some((param.name, *layer, params.get(*param)?))).collect();
    match (params.get(&spec::POINT).or(params.get(&spec::DRAWN)), on_file.as_slice()) {
        (_, []) if let Some(near) = params.get(&spec::DRAWN) => of_geometry(call, crs, near),
        (_, []) => {
            let at = required_point(crs, params, &spec::POINT)?;
            let radii = rings(params, &call.state.catalog, params.get(&spec::KIND))?;
            let place = json!({"point": crs.pair(at).ok()});
            Ok(SurroundingsRequest { ask: ask(params, Area::Rings(at, radii))?, title: None, place, subject: None })
        }
        (None, [feature]) => of_feature(params, &call.state.catalog, &call.current.snapshot, *feature),
        (_, [(name, _, id), ..]) => {
            let accepted = "one of point, near, incident, warning, zone";
            Err(invalid(name, id, "it cannot be combined with another location", accepted))
        }
    }
}

/// An area as GeoJSON in the body, or any geometry with the distances around it.
pub(crate) fn read_body(call: &Call<'_>, crs: &CrsTransform) -> Result<SurroundingsRequest, Problem> {
    let document = parse_json(&call.body)?;
    let geometry = if document["type"] == "Feature" { &document["geometry"] } else { &document };
    of_shape(call, "body", shape(crs, "body", &geometry.to_string(), MAX_COORDINATES)?)
}

/// A drawn geometry in the URL, which gives a drawn area an address to print and to send.
fn of_geometry(call: &Call<'_>, crs: &CrsTransform, near: &str) -> Result<SurroundingsRequest, Problem> {
    if let Some(point) = call.params.get(&spec::POINT) {
        let detail = "it cannot be combined with another location";
        return Err(invalid("point", point, detail, "one of point, near, incident, warning, zone"));
    }
    of_shape(call, spec::DRAWN.name, shape(crs, spec::DRAWN.name, near, MAX_COORDINATES)?)
}

/// An area as it is, or any geometry with the distances around it.
fn of_shape(call: &Call<'_>, name: &'static str, shape: Shape) -> Result<SurroundingsRequest, Problem> {
    let is_area = matches!(shape.geometry(), geo::Geometry::Polygon(_) | geo::Geometry::MultiPolygon(_));
    let area = if call.params.get(&spec::RADIUS_M).is_some() {
        around(&call.params, &call.state.catalog, name, shape)?
    } else if is_area {
        Area::Inside(Box::new(shape))
    } else {
        let detail = "it is not an area, and radius_m is missing";
        return Err(invalid(name, "", detail, "a Polygon or MultiPolygon, or any geometry with radius_m"));
    };
    Ok(SurroundingsRequest {
        ask: ask(&call.params, area)?,
        title: None,
        place: json!({"area": is_area}),
        subject: None,
    })
}

fn ask(params: &QueryParams, area: Area) -> Result<SurroundingsQuery, Problem> {
    Ok(SurroundingsQuery { area, at: instant(params)? })
}

/// Rings around a shape.
fn around(params: &QueryParams, catalog: &Catalog, name: &'static str, shape: Shape) -> Result<Area, Problem> {
    let radii = rings(params, catalog, None)?;
    if let Some(at) = shape.as_point() {
        return Ok(Area::Rings(at, radii));
    }
    let count = shape.geometry().coords_count();
    if count > QueryGeometry::MAX_COORDINATES {
        let accepted = format!("at most {} coordinates with radius_m", QueryGeometry::MAX_COORDINATES);
        return Err(invalid(name, "", &format!("it has {count} coordinates"), &accepted));
    }
    Ok(Area::Around(Box::new(shape), radii))
}

/// The requested rings, or the default rings of a kind of incident.
fn rings(params: &QueryParams, catalog: &Catalog, kind: Option<&str>) -> Result<Vec<f64>, Problem> {
    let Some(radii) = params.numbers(&spec::RADIUS_M)? else {
        let kinds = &catalog.rings_m;
        if let Some(kind) = params.get(&spec::KIND).filter(|kind| !kinds.contains_key(*kind)) {
            let accepted: Vec<&str> = kinds.keys().map(String::as_str).collect();
            return Err(invalid("kind", kind, "this kind of incident has no rings", &accepted.join(", ")));
        }
        let own = kind.and_then(|kind| kinds.get(kind)).or_else(|| kinds.get("default"));
        return Ok(own.cloned().unwrap_or_else(|| vec![1_000.0]));
    };
    if !radii.is_sorted_by(|a, b| a < b) {
        let given = params.get(&spec::RADIUS_M).unwrap_or_default();
        return Err(invalid("radius_m", given, "the distances are not in ascending order", spec::RADIUS_M.accepted));
    }
    Ok(radii)
}

/// A stored area is used as it is, or with the requested distances around it; a stored point gets the rings of its kind.
fn of_feature(
    parameters: &QueryParams,
    catalog: &Catalog,
    snapshot: &Snapshot,
    (name, layer_id, id): (&'static str, &'static str, &str),
) -> Result<SurroundingsRequest, Problem> {
    let layer = layer(snapshot, "layer", layer_id)?;
    let row = feature(layer, name, id)?;
    let shape = row.shape().ok_or_else(|| invalid(name, id, "it has no location", "a feature with a location"))?;
    let area = match shape.as_point() {
        Some(at) => {
            let kind = parameters.get(&spec::KIND).or_else(|| layer.text(&row, "kind"));
            Area::Rings(at, rings(parameters, catalog, kind)?)
        }
        None if parameters.get(&spec::RADIUS_M).is_some() => around(parameters, catalog, name, shape.clone())?,
        None => Area::Inside(Box::new(shape.clone())),
    };
    let title = layer.text(&row, "name").map(str::to_owned);
    let place = json!({"layer": layer_id, "id": id, "name": title});
    let subject = Some((layer_id, id.to_owned()));
    Ok(SurroundingsRequest { ask: ask(parameters, area)?, title, place, subject })
}
