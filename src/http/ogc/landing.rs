//! The landing page.

use serde_json::json;

use crate::http::call::Call;
use crate::http::ogc::pages;
use crate::http::openapi;
use crate::http::reply::Reply;
use crate::http::reply::links::{REL, link, own_links};
use crate::http::reply::media::HTML;
use crate::http::reply::problem::Problem;

const DESCRIPTION: &str = "onemap: hazard sources, shelters, rescue teams and stockpiles of the county on one map";

/// `GET /ogc`.
pub(crate) fn landing_page(call: &Call<'_>) -> Result<Reply, Problem> {
    let (form, current) = (call.media_type()?, &call.current);
    let (base, root) = (call.ogc_base(), call.base_url());
    if form == HTML {
        return Ok(pages::landing(&call.state.catalog.county.title.zh, &base).reply(current));
    }
    let mut links = own_links(&base, form, call.formats);
    links.extend([
        link(&format!("{base}/openapi.json"), "service-desc", openapi::MEDIA_TYPE, "The API description"),
        link(&format!("{root}/docs"), "service-doc", "text/html", "The API documentation"),
        link(&format!("{base}/conformance"), "conformance", "application/json", "Conformance classes"),
        link(&format!("{base}/collections"), "data", "application/json", "Collections"),
        link(&format!("{base}/functions"), &format!("{REL}functions"), "application/json", "Functions of filters"),
        link(&format!("{base}/tiles"), &format!("{REL}tilesets-vector"), "application/json", "Vector tiles"),
        link(
            &format!("{base}/tileMatrixSets"),
            &format!("{REL}tiling-schemes"),
            "application/json",
            "Tile matrix sets",
        ),
        link(&format!("{base}/styles"), &format!("{REL}styles"), "application/json", "Map styles"),
        link(&format!("{root}/"), "related", "text/html", "The map"),
    ]);
    Ok(current.json(json!({"title": call.state.catalog.county.title.zh, "description": DESCRIPTION, "links": links})))
}
