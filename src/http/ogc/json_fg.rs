//! JSON-FG 1.0 (OGC 21-045r1): GeoJSON with time, type and places in any reference system, as a profile of GeoJSON.

use serde_json::{Value as Json, json};

use crate::exchange::geojson::{write_feature_of, write_geometry, write_json};
use crate::geodesy::crs_transform::CrsTransform;
use crate::http::call::Call;
use crate::http::params::spec;
use crate::http::reply::media::{GEOJSON, JSON_FG, MediaType};
use crate::http::reply::problem::Problem;
use crate::model::roles::TimeRole;
use crate::model::{GeometryKind, Shape, ValueRef, View, format_date, format_instant};
use crate::snapshot::{Layer, Row};

/// Classes that replies conform to.
const CONFORMS_TO: [&str; 2] = [
    "http://www.opengis.net/spec/json-fg-1/1.0/conf/core",
    "http://www.opengis.net/spec/json-fg-1/1.0/conf/types-schemas",
];

/// A profile of GeoJSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FeatureProfile {
    Rfc7946,
    JsonFg,
    /// With a geometry in WGS 84 beside each place.
    JsonFgPlus,
}

impl FeatureProfile {
    const ALL: [Self; 3] = [Self::Rfc7946, Self::JsonFg, Self::JsonFgPlus];

    /// The first requested profile that the media type has; its default without one.
    ///
    /// # Errors
    /// When a profile is not known.
    pub(crate) fn read(call: &Call<'_>, format: MediaType) -> Result<Self, Problem> {
        let requested = call.params.profiles(&spec::FEATURE_PROFILE)?;
        let offered = match format {
            GEOJSON => &Self::ALL[..],
            JSON_FG => &[Self::JsonFg, Self::JsonFgPlus],
            _ => &[Self::Rfc7946],
        };
        let found = requested.iter().find_map(|id| offered.iter().find(|profile| profile.id() == *id));
        Ok(found.or(offered.first()).copied().unwrap_or(Self::Rfc7946))
    }

    /// Its id in the register of the OGC.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Rfc7946 => "rfc7946",
            Self::JsonFg => "jsonfg",
            Self::JsonFgPlus => "jsonfg-plus",
        }
    }
}

/// How features of a layer are written.
pub(crate) struct JsonFg<'a> {
    view: View<'a>,
    time: Option<&'a TimeRole>,
    schema_url: String,
    /// Whether a geometry in WGS 84 accompanies a place.
    with_fallback: bool,
}

impl<'a> JsonFg<'a> {
    /// The writer of a profile; `None` for plain GeoJSON.
    pub(crate) fn of(call: &Call<'_>, layer: &'a Layer, profile: FeatureProfile) -> Option<Self> {
        let schema = layer.schema();
        (profile != FeatureProfile::Rfc7946).then(|| Self {
            view: call.caller.view(schema),
            time: schema.roles.time.as_ref(),
            schema_url: format!("{}/collections/{}/schema", call.ogc_base(), schema.id),
            with_fallback: profile == FeatureProfile::JsonFgPlus,
        })
    }

    /// Members of the root object of a reply in a reference system.
    fn root_members(&self, crs: &CrsTransform) -> Vec<(&'static str, Json)> {
        let mut members = vec![
            ("conformsTo", json!(CONFORMS_TO)),
            ("featureType", json!(self.view.schema().id)),
            ("featureSchema", json!(self.schema_url)),
        ];
        let crs = crs.crs();
        members.extend(crs.uri().filter(|_| !crs.is_crs84()).map(|uri| ("coordRefSys", json!(uri))));
        members
    }

    /// Members of a collection, before its features.
    pub(crate) fn collection_members(&self, crs: &CrsTransform) -> Vec<(&'static str, Json)> {
        let dimension = match self.view.schema().geometry {
            GeometryKind::Point => Some(0),
            GeometryKind::Line => Some(1),
            GeometryKind::Polygon => Some(2),
            GeometryKind::Any => None,
        };
        let mut members = self.root_members(crs);
        members.extend(dimension.map(|dimension| ("geometryDimension", json!(dimension))));
        members
    }

    /// Appends a feature that is a root object.
    pub(crate) fn write_root(&self, out: &mut Vec<u8>, view: &View<'_>, row: &Row<'_>, crs: &CrsTransform) {
        self.write(out, view, row, crs, true);
        out.pop();
        for (name, value) in self.root_members(crs) {
            member(out, name, &value);
        }
        out.push(b'}');
    }

    /// Appends a feature of a collection, with the properties of a view. A geometry in WGS 84 is `geometry`, any other
    /// is `place`; where the reference system does not reach, there is a geometry in WGS 84 alone.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        view: &View<'_>,
        row: &Row<'_>,
        crs: &CrsTransform,
        with_geometry: bool,
    ) {
        let shape = row.shape().filter(|_| with_geometry);
        let place = shape.filter(|_| !crs.crs().is_crs84()).and_then(|shape| crs.from_lon_lat(shape.geometry()));
        let geometry = shape.filter(|_| place.is_none() || self.with_fallback).map(Shape::geometry);
        write_feature_of(out, view, row.id(), geometry, |field| row.visible(view).value(field), &[]);
        out.pop();
        member(out, "time", &self.time(row));
        out.extend_from_slice(b",\"place\":");
        match place {
            Some(place) => write_geometry(out, &place),
            None => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
    }

    /// The instant or interval of a feature; null if it is unknown.
    fn time(&self, row: &Row<'_>) -> Json {
        let cell = |name: &str| {
            let (at, _) = self.view.fields().find(|(_, field)| field.name == name)?;
            Some(row.visible(&self.view).value(at))
        };
        let Some(start) = self.time.and_then(|time| cell(&time.start)) else { return Json::Null };
        let Some(end) = self.time.and_then(|time| time.end.as_deref()).and_then(cell) else {
            return match start {
                ValueRef::Date(day) => json!({"date": format_date(day)}),
                ValueRef::DateTime(instant) => json!({"timestamp": format_instant(instant)}),
                _ => Json::Null,
            };
        };
        // Both ends are dates or both are timestamps, in order.
        let interval = match (start, end) {
            (ValueRef::Date(start), ValueRef::Date(end)) if start <= end => [format_date(start), format_date(end)],
            (ValueRef::DateTime(start), ValueRef::DateTime(end)) if start <= end => {
                [format_instant(start), format_instant(end)]
            }
            (ValueRef::Date(start), ValueRef::Unknown) => [format_date(start), "..".to_owned()],
            (ValueRef::DateTime(start), ValueRef::Unknown) => [format_instant(start), "..".to_owned()],
            (ValueRef::Unknown, ValueRef::Date(end)) => ["..".to_owned(), format_date(end)],
            (ValueRef::Unknown, ValueRef::DateTime(end)) => ["..".to_owned(), format_instant(end)],
            _ => return Json::Null,
        };
        json!({"interval": interval})
    }
}

/// Appends a member behind others.
fn member(out: &mut Vec<u8>, name: &str, value: &Json) {
    out.push(b',');
    write_json(out, &name);
    out.push(b':');
    write_json(out, value);
}
