//! Writes a FeatureCollection feature by feature.

use geo::Geometry;
use serde_json::Value as Json;

use crate::exchange::geojson::{write_geometry, write_json, write_value};
use crate::geodesy::crs_transform::CrsTransform;
use crate::http::reply::freshness::RequestSnapshot;
use crate::model::{Shape, ValueRef};
use crate::snapshot::Row;

/// Size with which a collection starts, so that a page of features is rarely moved while it grows.
const INITIAL_BYTES: usize = 16_384;

/// A FeatureCollection under construction: features first, then other members, then version and age.
pub(crate) struct CollectionWriter {
    out: Vec<u8>,
    is_empty: bool,
}

impl CollectionWriter {
    pub(crate) fn new() -> Self {
        Self::with_members(&[])
    }

    /// One with members before its features.
    pub(crate) fn with_members(members: &[(&str, Json)]) -> Self {
        let mut out = Vec::with_capacity(INITIAL_BYTES);
        out.extend_from_slice(br#"{"type":"FeatureCollection","#);
        for (name, value) in members {
            write_json(&mut out, name);
            out.push(b':');
            write_json(&mut out, value);
            out.push(b',');
        }
        out.extend_from_slice(br#""features":["#);
        Self { out, is_empty: true }
    }

    /// Writes one feature through a function that appends a JSON object.
    pub(crate) fn feature(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        write(&mut self.out);
    }

    /// Ends the features; members of the collection follow.
    pub(crate) fn end_features(mut self) -> Members {
        self.out.push(b']');
        Members(self.out)
    }
}

/// The members of a FeatureCollection after its features.
pub(crate) struct Members(Vec<u8>);

impl Members {
    #[must_use]
    pub(crate) fn member(mut self, name: &str, value: &impl serde::Serialize) -> Self {
        self.0.push(b',');
        write_json(&mut self.0, &name);
        self.0.push(b':');
        write_json(&mut self.0, value);
        self
    }

    /// A member from a value of the model.
    #[must_use]
    pub(crate) fn value(mut self, name: &str, value: ValueRef<'_>) -> Self {
        self.0.push(b',');
        write_json(&mut self.0, &name);
        self.0.push(b':');
        write_value(&mut self.0, value);
        self
    }

    /// The collection, closed with version and age.
    pub(crate) fn close(self, current: &RequestSnapshot) -> Vec<u8> {
        let mut out = self.0;
        current.close_object(&mut out);
        out
    }
}

/// Appends a Feature whose coordinates are in a reference system; the geometry is null outside the domain of the
/// system.
pub(crate) fn write_feature(out: &mut Vec<u8>, crs: &CrsTransform, id: &str, row: &Row<'_>, properties: &Json) {
    write_feature_of(out, crs, id, row.shape().map(Shape::geometry), properties);
}

/// The same with a geometry in longitude and latitude.
pub(crate) fn write_feature_of(
    out: &mut Vec<u8>,
    crs: &CrsTransform,
    id: &str,
    geometry: Option<&Geometry>,
    properties: &Json,
) {
    out.extend_from_slice(br#"{"type":"Feature","id":"#);
    write_json(out, &id);
    out.extend_from_slice(br#","geometry":"#);
    match geometry.and_then(|geometry| crs.from_lon_lat(geometry)) {
        Some(geometry) => write_geometry(out, &geometry),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(br#","properties":"#);
    write_json(out, properties);
    out.push(b'}');
}
