//! OGC API Styles (draft OGC 20-009): the list of map styles, and each as a MapLibre style.

use serde_json::{Value as Json, json};

use crate::http::assets::{NamedStyle, style_as, styles};
use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::reply::links::{link, own_links};
use crate::http::reply::media::{HTML, MAPBOX_STYLE};
use crate::http::reply::problem::Problem;
use crate::http::tiles::pages;

/// The style of the viewer.
const DEFAULT: &str = "onemap";

/// `GET /ogc/styles`.
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let (form, base) = (call.media_type()?, call.ogc_base());
    let address = format!("{base}/styles");
    let styles = styles().map_err(|error| Problem::internal(&error))?;
    let style = |own: &NamedStyle| {
        let name = &own.name;
        let links = [link(&format!("{address}/{name}"), "stylesheet", MAPBOX_STYLE.media_type, MAPBOX_STYLE.title)];
        let theme = own.theme.as_ref().map(|theme| format!(" {}", theme.title().zh)).unwrap_or_default();
        json!({"id": name, "title": format!("{}{theme} {name}", call.state.catalog.county.title.zh), "links": links})
    };
    let styles: Vec<Json> = styles.iter().map(style).collect();
    let document = json!({"styles": styles, "default": DEFAULT, "links": own_links(&address, form, call.formats)});
    if form == HTML {
        return Ok(pages::document(&address, &document, ("地图样式", "Map styles"), &base).reply(&call.current));
    }
    Ok(call.current.json(document))
}

/// `GET /ogc/styles/{styleId}`.
pub(crate) fn style(call: &Call<'_>) -> Result<Reply, Problem> {
    style_as(call, call.format()?.media_type)
}
