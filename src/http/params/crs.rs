//! Parameters and headers with coordinates or with the reference system of coordinates.

use geo::CoordsIter;
use geozero::ToGeo;
use geozero::geojson::GeoJson;
use serde_json::Value as Json;

use crate::geodesy::LonLat;
use crate::geodesy::crs::{ACCEPTED_CRS, CRS84, Crs, CrsError};
use crate::geodesy::crs_transform::CrsTransform;
use crate::geodesy::region::Region;
use crate::geodesy::validity::check_validity;
use crate::http::call::Call;
use crate::http::params::param::{CrsUri, Numbers, Param};
use crate::http::params::spec;
use crate::http::params::{QueryParams, invalid};
use crate::http::reply::problem::Problem;
use crate::model::Shape;
use crate::query::filter::read_wkt;

const CONTENT_CRS: &str = "content-crs";

/// The system that the parameter `crs` names; WGS 84 longitude, latitude without it.
///
/// # Errors
/// When the system is not known.
pub(crate) fn crs_by_name(params: &QueryParams) -> Result<CrsTransform, Problem> {
    let Some(name) = params.get(&spec::CRS) else { return Ok(CrsTransform::crs84()) };
    let refused = |error: CrsError| invalid(spec::CRS.name, name, &error.to_string(), ACCEPTED_CRS);
    Crs::parse(name).and_then(CrsTransform::new).map_err(refused)
}

/// The system whose URI a parameter holds; WGS 84 longitude, latitude without it.
///
/// # Errors
/// When the URI is not known.
pub(crate) fn crs_by_uri(params: &QueryParams, param: &CrsUri) -> Result<CrsTransform, Problem> {
    match params.get(param) {
        None => Ok(CrsTransform::crs84()),
        Some(uri) => of_uri(param.name, uri),
    }
}

/// The system of a request body, by the header `Content-Crs`: a URI between angle brackets.
///
/// # Errors
/// When the URI is not known.
pub(crate) fn content_crs(call: &Call<'_>) -> Result<CrsTransform, Problem> {
    let Some(value) = call.headers.get(CONTENT_CRS) else { return Ok(CrsTransform::crs84()) };
    let given = value.to_str().unwrap_or_default();
    of_uri(CONTENT_CRS, given.trim().trim_start_matches('<').trim_end_matches('>'))
}

fn of_uri(name: &str, uri: &str) -> Result<CrsTransform, Problem> {
    let refused = |_| {
        let accepted: Vec<&str> = Crs::uris().collect();
        invalid(name, uri, "this coordinate reference system is not offered", &accepted.join(", "))
    };
    Crs::from_uri(uri).and_then(CrsTransform::new).map_err(refused)
}

/// The header `Content-Crs` of a reply in a system.
pub(crate) fn content_crs_header(crs: &CrsTransform) -> (&'static str, String) {
    (CONTENT_CRS, format!("<{}>", crs.crs().uri().unwrap_or(CRS84)))
}

/// Converts the coordinates of a GeoJSON geometry to longitude, latitude. Other members are not changed.
///
/// # Errors
/// When a pair is not a position in the system.
pub(crate) fn body_to_lon_lat(crs: &CrsTransform, geometry: &mut Json) -> Result<(), Problem> {
    if crs.crs().is_crs84() {
        return Ok(());
    }
    match geometry {
        Json::Object(members) => members.values_mut().try_for_each(|member| body_to_lon_lat(crs, member)),
        Json::Array(parts) => {
            let pair = (parts.first().and_then(Json::as_f64)).zip(parts.get(1).and_then(Json::as_f64));
            let Some((x, y)) = pair else { return parts.iter_mut().try_for_each(|part| body_to_lon_lat(crs, part)) };
            let value = format!("[{x},{y}]");
            let accepted = "coordinates in the system of Content-Crs";
            let at = crs.position(x, y);
            let at = at.map_err(|error| invalid("/geometry", &value, &error.to_string(), accepted))?;
            parts[0] = at.lon().into();
            parts[1] = at.lat().into();
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A point parameter; `None` without it.
///
/// # Errors
/// When it is not a position in the system.
pub(crate) fn point(crs: &CrsTransform, params: &QueryParams, param: &Numbers) -> Result<Option<LonLat>, Problem> {
    let Some(numbers) = params.numbers(param)? else { return Ok(None) };
    let [x, y] = numbers[..] else { return Ok(None) };
    let given = params.get(param).unwrap_or_default();
    crs.position(x, y).map(Some).map_err(|error| invalid(param.name, given, &error.to_string(), param.accepted))
}

/// A point parameter that must be given.
///
/// # Errors
/// When it is missing or not a position in the system.
pub(crate) fn required_point(crs: &CrsTransform, params: &QueryParams, param: &Numbers) -> Result<LonLat, Problem> {
    let missing = || Problem::MissingParameter { parameter: param.name, accepted: param.accepted() };
    point(crs, params, param)?.ok_or_else(missing)
}

/// The box of the parameter `bbox`; six numbers, with heights, are accepted too.
///
/// # Errors
/// When it is not a box in the system.
pub(crate) fn bbox(crs: &CrsTransform, params: &QueryParams) -> Result<Option<Region>, Problem> {
    let Some(numbers) = params.numbers(&spec::BBOX)? else { return Ok(None) };
    let refused = |detail: &str| {
        invalid(spec::BBOX.name, params.get(&spec::BBOX).unwrap_or_default(), detail, spec::BBOX.accepted)
    };
    let sides = match numbers[..] {
        [a, b, c, d] | [a, b, _, c, d, _] => [a, b, c, d],
        _ => return Err(refused("it is not four or six numbers")),
    };
    crs.region(sides).map(Some).map_err(|error| refused(&error.to_string()))
}

/// A geometry parameter, as well-known text or GeoJSON, of at most so many coordinates.
///
/// # Errors
/// When it is not a valid geometry in the system, or has more coordinates.
pub(crate) fn shape(crs: &CrsTransform, name: &str, text: &str, max_coordinates: usize) -> Result<Shape, Problem> {
    const ACCEPTED: &str = "a geometry in WKT, such as POLYGON((...)), or GeoJSON";
    let refused = |detail: &str| invalid(name, text, detail, ACCEPTED);
    let geometry = if text.trim_start().starts_with('{') {
        GeoJson(text).to_geo().map_err(|error| refused(&error.to_string()))?
    } else {
        read_wkt(text).map_err(|error| refused(&error.to_string()))?
    };
    let count = geometry.coords_count();
    if count > max_coordinates {
        return Err(refused(&format!("it has {count} coordinates, the maximum is {max_coordinates}")));
    }
    let there = crs.to_lon_lat(&geometry).map_err(|error| refused(&error.to_string()))?;
    let shape = Shape::new(there).map_err(|error| refused(&error.to_string()))?;
    check_validity(shape.geometry()).map_err(|error| refused(&error.to_string()))?;
    Ok(shape)
}
