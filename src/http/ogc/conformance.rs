//! The conformance classes that are implemented completely.

use serde_json::json;

use crate::http::call::Call;
use crate::http::ogc::pages;
use crate::http::reply::Reply;
use crate::http::reply::links::own_links;
use crate::http::reply::media::HTML;
use crate::http::reply::problem::Problem;

/// Conformance classes, by their ends after `http://www.opengis.net/spec/`.
const CLASSES: [&str; 72] = [
    "ogcapi-common-1/1.0/conf/core",
    "ogcapi-common-1/1.0/conf/landing-page",
    "ogcapi-common-1/1.0/conf/json",
    "ogcapi-common-1/1.0/conf/html",
    "ogcapi-common-1/1.0/conf/oas30",
    "ogcapi-common-2/1.0/conf/collections",
    "ogcapi-common-2/1.0/conf/json",
    "ogcapi-common-2/1.0/conf/html",
    "ogcapi-common-3/1.0/conf/schemas",
    "ogcapi-common-3/1.0/conf/advanced-property-roles",
    "ogcapi-common-3/1.0/conf/returnables-and-receivables",
    "ogcapi-common-3/1.0/conf/queryables",
    "ogcapi-common-3/1.0/conf/sortables",
    "ogcapi-features-1/1.0/conf/core",
    "ogcapi-features-1/1.0/conf/geojson",
    "ogcapi-features-1/1.0/conf/html",
    "ogcapi-features-1/1.0/conf/oas30",
    "ogcapi-features-2/1.0/conf/crs",
    "ogcapi-features-3/1.0/conf/queryables",
    "ogcapi-features-3/1.0/conf/queryables-query-parameters",
    "ogcapi-features-3/1.0/conf/filter",
    "ogcapi-features-3/1.0/conf/features-filter",
    "cql2/1.0/conf/cql2-text",
    "cql2/1.0/conf/cql2-json",
    "cql2/1.0/conf/basic-cql2",
    "cql2/1.0/conf/advanced-comparison-operators",
    "cql2/1.0/conf/case-insensitive-comparison",
    "cql2/1.0/conf/accent-insensitive-comparison",
    "cql2/1.0/conf/basic-spatial-functions",
    "cql2/1.0/conf/basic-spatial-functions-plus",
    "cql2/1.0/conf/spatial-functions",
    "cql2/1.0/conf/temporal-functions",
    "cql2/1.0/conf/array-functions",
    "cql2/1.0/conf/property-property",
    "cql2/1.0/conf/functions",
    "cql2/1.0/conf/arithmetic",
    "ogcapi-features-4/1.0/conf/create-replace-delete",
    "ogcapi-features-4/1.0/conf/update",
    "ogcapi-features-4/1.0/conf/features",
    "ogcapi-features-4/1.0/conf/optimistic-locking-etags",
    "ogcapi-features-4/1.0/conf/optimistic-locking-timestamps",
    "ogcapi-features-5/1.0/conf/schemas",
    "ogcapi-features-5/1.0/conf/core-roles-features",
    "ogcapi-features-5/1.0/conf/returnables-and-receivables",
    "ogcapi-features-5/1.0/conf/queryables",
    "ogcapi-features-5/1.0/conf/sortables",
    "ogcapi-features-5/1.0/conf/profile-parameter",
    "ogcapi-features-5/1.0/conf/profile-codelists",
    "json-fg-1/1.0/conf/core",
    "json-fg-1/1.0/conf/types-schemas",
    "json-fg-1/1.0/conf/profiles",
    "json-fg-1/1.0/conf/api",
    "ogcapi-features-6/1.0/conf/properties",
    "ogcapi-features-8/1.0/conf/sorting",
    "ogcapi-features-8/1.0/conf/features-sorting",
    "ogcapi-tiles-1/1.0/conf/core",
    "ogcapi-tiles-1/1.0/conf/tileset",
    "ogcapi-tiles-1/1.0/conf/tilesets-list",
    "ogcapi-tiles-1/1.0/conf/dataset-tilesets",
    "ogcapi-tiles-1/1.0/conf/geodata-tilesets",
    "ogcapi-tiles-1/1.0/conf/collections-selection",
    "ogcapi-tiles-1/1.0/conf/datetime",
    "ogcapi-tiles-1/1.0/conf/mvt",
    "ogcapi-tiles-1/1.0/conf/oas30",
    "ogcapi-styles-1/1.0/conf/core",
    "ogcapi-styles-1/1.0/conf/mapbox-styles",
    "tms/2.0/conf/tilematrixset",
    "tms/2.0/conf/json-tilematrixset",
    "tms/2.0/conf/tilematrixsetlimits",
    "tms/2.0/conf/json-tilematrixsetlimits",
    "tms/2.0/conf/tilesetmetadata",
    "tms/2.0/conf/json-tilesetmetadata",
];

/// `GET /ogc/conformance`.
pub(crate) fn conformance(call: &Call<'_>) -> Result<Reply, Problem> {
    let form = call.media_type()?;
    // Without a token, writing is disabled.
    let is_offered = |class: &&str| call.state.access.offers_edits() || !class.starts_with("ogcapi-features-4/");
    let classes = CLASSES.iter().copied().filter(is_offered);
    let classes: Vec<String> = classes.map(|end| format!("http://www.opengis.net/spec/{end}")).collect();
    let base = call.ogc_base();
    if form == HTML {
        return Ok(pages::conformance(&classes, &base).reply(&call.current));
    }
    let links = own_links(&format!("{base}/conformance"), form, call.formats);
    Ok(call.current.json(json!({"conformsTo": classes, "links": links})))
}
