//! The caller's coordinates: one reference system for what comes in and what goes out.

use std::borrow::Cow;

use geo::{CoordsIter, Geometry, MapCoords};
use geozero::ToGeo;
use geozero::geojson::GeoJson;
use serde_json::Value as Json;

use crate::exchange::geojson::{write_geometry, write_json};
use crate::geodesy::LonLat;
use crate::geodesy::datum::{ACCEPTED_CRS, CrsError};
use crate::geodesy::reference::{CRS84, CrsTransform, Region};
use crate::geodesy::validity::check_validity;
use crate::http::call::Call;
use crate::http::params::param::{CrsUri, Numbers, Param};
use crate::http::params::spec;
use crate::http::params::{QueryParams, invalid};
use crate::http::reply::problem::Problem;
use crate::model::Shape;
use crate::query::filter::read_wkt;
use crate::snapshot::Row;

const CONTENT_CRS: &str = "content-crs";

/// The reference system that the parameter `crs` names; WGS 84 without it.
pub(crate) struct RequestCrs {
    reference: CrsTransform,
}

impl RequestCrs {
    /// WGS 84 longitude, latitude.
    pub(crate) fn crs84() -> Self {
        Self { reference: CrsTransform::crs84() }
    }

    /// The system that the parameter `crs` names.
    ///
    /// # Errors
    /// When the system is not known.
    pub(crate) fn read(params: &QueryParams) -> Result<Self, Problem> {
        let Some(name) = params.get(&spec::CRS) else { return Ok(Self::crs84()) };
        let refused = |error: CrsError| invalid(spec::CRS.name, name, &error.to_string(), ACCEPTED_CRS);
        Ok(Self { reference: CrsTransform::named(name).map_err(refused)? })
    }

    /// The system whose URI a parameter holds; WGS 84 longitude, latitude without it.
    ///
    /// # Errors
    /// When there is none at that URI.
    pub(crate) fn at_address(params: &QueryParams, param: &CrsUri) -> Result<Self, Problem> {
        match params.get(param) {
            None => Ok(Self::crs84()),
            Some(address) => Self::of_uri(param.name, address),
        }
    }

    fn of_uri(name: &str, address: &str) -> Result<Self, Problem> {
        let refused = |_| {
            let accepted: Vec<&str> = CrsTransform::addresses().collect();
            invalid(name, address, "this coordinate reference system is not offered", &accepted.join(", "))
        };
        Ok(Self { reference: CrsTransform::at_address(address).map_err(refused)? })
    }

    /// The system of a body, by the header `Content-Crs`: a URI between angle brackets.
    ///
    /// # Errors
    /// When there is none at that URI.
    pub(crate) fn of_header(call: &Call<'_>) -> Result<Self, Problem> {
        let Some(value) = call.headers.get(CONTENT_CRS) else { return Ok(Self::crs84()) };
        let given = value.to_str().unwrap_or_default();
        Self::of_uri(CONTENT_CRS, given.trim().trim_start_matches('<').trim_end_matches('>'))
    }

    /// The header `Content-Crs` of a reply in this system.
    pub(crate) fn header(&self) -> (&'static str, String) {
        (CONTENT_CRS, format!("<{}>", self.reference.address().unwrap_or(CRS84)))
    }

    /// Turns the coordinates of a GeoJSON geometry into longitude, latitude; what is none is left to the reader.
    ///
    /// # Errors
    /// When a coordinate has no place on earth.
    pub(crate) fn inward(&self, geometry: &mut Json) -> Result<(), Problem> {
        if self.reference.is_crs84() {
            return Ok(());
        }
        match geometry {
            Json::Object(members) => members.values_mut().try_for_each(|member| self.inward(member)),
            Json::Array(parts) => {
                let pair = (parts.first().and_then(Json::as_f64)).zip(parts.get(1).and_then(Json::as_f64));
                let Some((x, y)) = pair else { return parts.iter_mut().try_for_each(|part| self.inward(part)) };
                let value = format!("[{x},{y}]");
                let accepted = "coordinates of the system that Content-Crs names";
                let at = self.position(x, y);
                let at = at.map_err(|error| invalid("/geometry", &value, &error.to_string(), accepted))?;
                parts[0] = at.lon().into();
                parts[1] = at.lat().into();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn reference(&self) -> &CrsTransform {
        &self.reference
    }

    /// A position from two coordinates.
    pub(crate) fn position(&self, x: f64, y: f64) -> Result<LonLat, CrsError> {
        self.reference.position(x, y)
    }

    /// A point parameter; `None` without it.
    pub(crate) fn point(&self, params: &QueryParams, param: &Numbers) -> Result<Option<LonLat>, Problem> {
        let Some(numbers) = params.numbers(param)? else { return Ok(None) };
        let [x, y] = numbers[..] else { return Ok(None) };
        let given = params.get(param).unwrap_or_default();
        self.position(x, y).map(Some).map_err(|error| invalid(param.name, given, &error.to_string(), param.accepted))
    }

    /// A point parameter that must be given.
    pub(crate) fn required_point(&self, params: &QueryParams, param: &Numbers) -> Result<LonLat, Problem> {
        let missing = || Problem::MissingParameter { parameter: param.name, accepted: param.accepted() };
        self.point(params, param)?.ok_or_else(missing)
    }

    /// The box of the parameter `bbox` in this system; six numbers, with heights, are accepted too.
    pub(crate) fn bbox(&self, params: &QueryParams) -> Result<Option<Region>, Problem> {
        let Some(numbers) = params.numbers(&spec::BBOX)? else { return Ok(None) };
        let refused = |detail: &str| {
            invalid(spec::BBOX.name, params.get(&spec::BBOX).unwrap_or_default(), detail, spec::BBOX.accepted)
        };
        let sides = match numbers[..] {
            [a, b, c, d] | [a, b, _, c, d, _] => [a, b, c, d],
            _ => return Err(refused("it is not four or six numbers")),
        };
        self.reference.bent_box(sides).map(Some).map_err(|error| refused(&error.to_string()))
    }

    /// A geometry parameter, as well-known text or GeoJSON, of at most so many coordinates.
    pub(crate) fn shape(&self, name: &str, text: &str, max_coordinates: usize) -> Result<Shape, Problem> {
        const ACCEPTED: &str = "a geometry in WKT, such as POLYGON((...)), or GeoJSON";
        let refused = |detail: &str| invalid(name, text, detail, ACCEPTED);
        let geometry = if text.trim_start().starts_with('{') {
            GeoJson(text).to_geo().map_err(|error| refused(&error.to_string()))?
        } else {
            read_wkt(text).map_err(|error| refused(&error.to_string()))?
        };
        let count = geometry.coords_count();
        if count > max_coordinates {
            return Err(refused(&format!("it has {count} coordinates, at most {max_coordinates} are taken")));
        }
        let there = self.reference.bent(&geometry);
        let shape = Shape::new(there.map_err(|error| refused(&error.to_string()))?);
        let shape = shape.map_err(|error| refused(&error.to_string()))?;
        check_validity(shape.geometry()).map_err(|error| refused(&error.to_string()))?;
        Ok(shape)
    }

    /// A position in the caller's coordinates; `None` where the system does not reach.
    pub(crate) fn pair(&self, at: LonLat) -> Option<[f64; 2]> {
        self.reference.pair(at).ok().map(|(x, y)| [x, y])
    }

    /// A geometry in the caller's coordinates; `None` when the system does not reach all of it.
    pub(crate) fn outward<'a>(&self, geometry: &'a Geometry) -> Option<Cow<'a, Geometry>> {
        if self.reference.is_crs84() {
            return Some(Cow::Borrowed(geometry));
        }
        let there = geometry.try_map_coords(|coord| {
            let (x, y) = self.reference.pair(LonLat::try_from(coord)?)?;
            Ok::<_, CrsError>(geo::Coord { x, y })
        });
        there.ok().map(Cow::Owned)
    }

    /// Appends a Feature with its place in the caller's coordinates.
    pub(crate) fn write_feature(&self, out: &mut Vec<u8>, id: &str, row: &Row<'_>, properties: &Json) {
        out.extend_from_slice(br#"{"type":"Feature","id":"#);
        write_json(out, &id);
        out.extend_from_slice(br#","geometry":"#);
        match row.shape().and_then(|shape| self.outward(shape.geometry())) {
            Some(geometry) => write_geometry(out, &geometry),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","properties":"#);
        write_json(out, properties);
        out.push(b'}');
    }
}
