//! The caller's coordinates: one reference system for what comes in and what goes out.

use std::borrow::Cow;

use geo::{CoordsIter, Geometry, MapCoords};
use geozero::ToGeo;
use geozero::geojson::GeoJson;
use serde_json::Value as Json;

use super::problem::Problem;
use super::request::{Parameters, invalid};
use crate::exchange::geojson::{write_geometry, write_json};
use crate::geodesy::LonLat;
use crate::geodesy::datum::{Converter, Crs, CrsError};
use crate::model::Shape;
use crate::query::filter::read_wkt;
use crate::snapshot::Row;

/// The reference system that the parameter `crs` names; WGS 84 without it.
pub(super) struct Frame {
    /// Nothing where positions are the caller's coordinates already.
    converter: Option<Converter>,
}

impl Frame {
    /// # Errors
    /// When the system is not known.
    pub(super) fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let Some(name) = parameters.get("crs") else { return Ok(Self { converter: None }) };
        let refused = |error: CrsError| invalid("crs", name, &error.to_string(), crate::geodesy::datum::ACCEPTED_CRS);
        match Crs::parse(name).map_err(refused)? {
            Crs::Geographic => Ok(Self { converter: None }),
            other => Ok(Self { converter: Some(other.converter().map_err(refused)?) }),
        }
    }

    /// A position from longitude, latitude or easting, northing.
    pub(super) fn position(&self, x: f64, y: f64) -> Result<LonLat, CrsError> {
        match &self.converter {
            Some(converter) => converter.position(x, y),
            None => Ok(LonLat::new(x, y)?),
        }
    }

    /// A point parameter.
    pub(super) fn point(&self, parameters: &Parameters, name: &'static str) -> Result<LonLat, Problem> {
        const ACCEPTED: &str = "LON,LAT in degrees, longitude first, such as 118.86,26.22; with crs= in that system";
        let text = parameters.required(name, ACCEPTED)?;
        let [x, y] = super::request::numbers(text)
            .ok_or_else(|| invalid(name, text, "it is not two numbers joined by a comma", ACCEPTED))?;
        self.position(x, y).map_err(|error| invalid(name, text, &error.to_string(), ACCEPTED))
    }

    /// A geometry parameter, as well-known text or GeoJSON, of at most so many coordinates.
    pub(super) fn shape(&self, name: &str, text: &str, max_coordinates: usize) -> Result<Shape, Problem> {
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
        let there = geometry
            .try_map_coords(|coord| self.position(coord.x, coord.y).map(|at| geo::Coord { x: at.lon(), y: at.lat() }));
        let shape = Shape::new(there.map_err(|error| refused(&error.to_string()))?);
        let shape = shape.map_err(|error| refused(&error.to_string()))?;
        if let Err(error) = geo::Validation::check_validation(shape.geometry()) {
            return Err(refused(&error.to_string()));
        }
        Ok(shape)
    }

    /// A position in the caller's coordinates.
    pub(super) fn pair(&self, at: LonLat) -> [f64; 2] {
        let there = self.converter.as_ref().and_then(|converter| converter.pair(at).ok());
        there.map_or([at.lon(), at.lat()], |(x, y)| [x, y])
    }

    /// A geometry in the caller's coordinates. What the system does not reach stays as it is on file.
    pub(super) fn outward<'a>(&self, geometry: &'a Geometry) -> Cow<'a, Geometry> {
        let Some(converter) = &self.converter else { return Cow::Borrowed(geometry) };
        let there = geometry.try_map_coords(|coord| {
            let (x, y) = converter.pair(LonLat::try_from(coord)?)?;
            Ok::<_, CrsError>(geo::Coord { x, y })
        });
        there.map_or(Cow::Borrowed(geometry), Cow::Owned)
    }

    /// Appends a Feature with its place in the caller's coordinates.
    pub(super) fn write_feature(&self, out: &mut Vec<u8>, id: &str, row: &Row<'_>, properties: &Json) {
        out.extend_from_slice(br#"{"type":"Feature","id":"#);
        write_json(out, &id);
        out.extend_from_slice(br#","geometry":"#);
        match row.shape().map(Shape::geometry) {
            Some(geometry) => write_geometry(out, &self.outward(geometry)),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","properties":"#);
        write_json(out, properties);
        out.push(b'}');
    }
}
