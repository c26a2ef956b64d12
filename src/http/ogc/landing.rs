//! The landing page.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use crate::http::AppState;
use crate::http::ogc::pages;
use crate::http::ogc::{FORM, REL, base, link, own_links};
use crate::http::openapi;
use crate::http::params::{QueryParams, origin};
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::media::{HTML, JSON, negotiate};
use crate::http::reply::problem::Problem;

const TITLE: &str = "闽清县应急管理一张图";
const DESCRIPTION: &str = "onemap: hazard sources, shelters, rescue teams and stockpiles of the county on one map";

pub(crate) async fn landing_page(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let form = negotiate(&request, &QueryParams::read(&request, &FORM)?, &[JSON, HTML])?;
    let current = RequestSnapshot::now(&state);
    let base = base(&request, &state);
    let root = origin(&request, state.public_url.as_deref());
    if form == HTML {
        return Ok(pages::landing(TITLE, &base).respond(&current));
    }
    let mut links = own_links(&base, form, &[JSON, HTML]);
    links.extend([
        link(&format!("{root}/openapi.json"), "service-desc", openapi::MEDIA_TYPE, "The API, for programs"),
        link(&format!("{root}/docs"), "service-doc", "text/html", "The API, for people"),
        link(&format!("{base}/conformance"), "conformance", "application/json", "Conformance classes"),
        link(&format!("{base}/collections"), "data", "application/json", "Collections"),
        link(&format!("{base}/functions"), &format!("{REL}functions"), "application/json", "Functions of filters"),
        link(&format!("{base}/tiles"), &format!("{REL}tilesets-vector"), "application/json", "Vector tiles"),
        link(&format!("{base}/tileMatrixSets"), &format!("{REL}tiling-schemes"), "application/json", "Grids of tiles"),
        link(&format!("{root}/"), "related", "text/html", "The map"),
    ]);
    Ok(current.json(json!({"title": TITLE, "description": DESCRIPTION, "links": links})))
}
