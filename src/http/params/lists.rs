//! The query parameters that each endpoint takes.

use crate::http::params::param::Param;
use crate::http::params::{spec, travel};

pub(crate) static FORMAT_ONLY: &[&dyn Param] = &[&spec::F];
pub(crate) static ITEMS: &[&dyn Param] = &[
    &spec::F,
    &spec::FEATURE_PROFILE,
    &spec::ITEMS_LIMIT,
    &spec::BBOX,
    &spec::BBOX_CRS,
    &spec::DATETIME,
    &spec::FILTER,
    &spec::FILTER_LANG,
    &spec::FILTER_CRS,
    &spec::SORTBY,
    &spec::PROPERTIES,
    &spec::REPLY_CRS,
    &spec::Q,
    &spec::AFTER,
    &spec::BEFORE,
    &spec::SKIP_GEOMETRY,
    &spec::IDS,
];
pub(crate) static ITEM: &[&dyn Param] = &[&spec::F, &spec::FEATURE_PROFILE, &spec::REPLY_CRS, &spec::PROPERTIES];
pub(crate) static SCHEMA_PAGE: &[&dyn Param] = &[&spec::F, &spec::SCHEMA_PROFILE];
pub(crate) static MAP_TILES: &[&dyn Param] = &[&spec::F, &spec::COLLECTIONS];
pub(crate) static MAP_TILE: &[&dyn Param] = &[&spec::F, &spec::COLLECTIONS, &spec::DATETIME, &spec::SUBSET];
pub(crate) static COLLECTION_TILE: &[&dyn Param] =
    &[&spec::F, &spec::FILTER, &spec::FILTER_LANG, &spec::FILTER_CRS, &spec::DATETIME, &spec::SUBSET, &spec::IDS];
pub(crate) static TILEJSON: &[&dyn Param] = &[
    &spec::TILE_FORMAT,
    &spec::DATUM,
    &spec::FILTER,
    &spec::FILTER_LANG,
    &spec::FILTER_CRS,
    &spec::DATETIME,
    &spec::IDS,
];
pub(crate) static XYZ_TILE: &[&dyn Param] = &[
    &spec::F,
    &spec::DATUM,
    &spec::VERSION,
    &spec::FILTER,
    &spec::FILTER_LANG,
    &spec::FILTER_CRS,
    &spec::DATETIME,
    &spec::IDS,
];
pub(crate) static UPLOAD: &[&dyn Param] = &[&spec::COLLECTION, &spec::FILE_NAME];
pub(crate) static ALERTS: &[&dyn Param] = &[&spec::AT, &spec::LANG, &spec::F];
pub(crate) static PRINTED: &[&dyn Param] = &[&spec::LANG, &spec::F];
pub(crate) static ALLOCATION: &[&dyn Param] = &[&spec::ALLOCATION, &spec::LANG, &spec::F];
pub(crate) static ROUTES: &[&dyn Param] = &[
    &spec::FROM,
    &spec::TO,
    &travel::TRAVEL,
    &travel::VEHICLE_HEIGHT_M,
    &travel::VEHICLE_WIDTH_M,
    &travel::VEHICLE_WEIGHT_T,
    &spec::AT,
    &spec::CRS,
];
pub(crate) static ISOCHRONES: &[&dyn Param] = &[
    &spec::POINT,
    &travel::MINUTES,
    &travel::TRAVEL,
    &travel::DIRECTION,
    &travel::VEHICLE_HEIGHT_M,
    &travel::VEHICLE_WIDTH_M,
    &travel::VEHICLE_WEIGHT_T,
    &spec::AT,
    &spec::CRS,
];
pub(crate) static SURROUNDINGS: &[&dyn Param] = &[
    &spec::POINT,
    &spec::DRAWN,
    &spec::RADIUS_M,
    &spec::KIND,
    &spec::INCIDENT,
    &spec::WARNING,
    &spec::ZONE,
    &spec::AT,
    &spec::LANG,
    &spec::F,
    &spec::CRS,
];
pub(crate) static SURROUNDINGS_OF_BODY: &[&dyn Param] =
    &[&spec::RADIUS_M, &spec::AT, &spec::LANG, &spec::F, &spec::CRS];
pub(crate) static MEMBERS: &[&dyn Param] = &[
    &spec::MEMBERS_LIMIT,
    &spec::AFTER,
    &spec::CRS,
    &spec::FILTER,
    &spec::FILTER_LANG,
    &spec::FILTER_CRS,
    &spec::DATETIME,
    &spec::IDS,
];
pub(crate) static SEARCH: &[&dyn Param] =
    &[&spec::SEARCH_Q, &spec::LAYER, &spec::POINT, &spec::SEARCH_LIMIT, &spec::CRS];
pub(crate) static SITING: &[&dyn Param] =
    &[&spec::LAYER, &spec::HAZARD, &spec::LEVEL, &spec::MARGIN_M, &spec::AT, &spec::F, &spec::CRS];
pub(crate) static COVERAGE: &[&dyn Param] = &[
    &spec::COVERAGE_LAYER,
    &spec::PEOPLE,
    &spec::SHELTER_M,
    &spec::TEAM_M,
    &spec::DEPOT_M,
    &travel::BY,
    &travel::MAX_MINUTES,
    &travel::VEHICLE_HEIGHT_M,
    &travel::VEHICLE_WIDTH_M,
    &travel::VEHICLE_WEIGHT_T,
    &spec::AT,
    &spec::BEYOND,
    &spec::F,
    &spec::CRS,
];
pub(crate) static COORDINATES: &[&dyn Param] = &[&spec::POINT, &spec::CRS];
pub(crate) static COMMITMENTS: &[&dyn Param] = &[&spec::COMMITMENT_INCIDENT, &spec::COMMITMENT_STATES];
pub(crate) static AUDIT: &[&dyn Param] = &[
    &spec::AUDIT_AFTER,
    &spec::AUDIT_BEFORE,
    &spec::AUDIT_LIMIT,
    &spec::AUDIT_ACTOR,
    &spec::AUDIT_ACTION,
    &spec::AUDIT_LAYER,
    &spec::AUDIT_ID,
];
pub(crate) static VIEWER_FILE: &[&dyn Param] = &[&spec::VERSION];
pub(crate) static SUBSCRIPTION_EVENTS: &[&dyn Param] = &[&spec::LAST_EVENT_ID];
pub(crate) static EVENTS: &[&dyn Param] = &[&spec::LAYERS, &spec::BBOX, &spec::LAST_EVENT_ID];
