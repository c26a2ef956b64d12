//! HTML pages of tile matrix sets, tile sets and map styles, from their JSON documents.

use maud::{Markup, html};
use serde_json::Value as Json;

use crate::http::ogc::pages::{form_links, page, text_of};
use crate::http::reply::html::HtmlPage;
use crate::http::reply::media::JSON;

/// The members of a document that are lists of documents with links.
const LISTS: [&str; 3] = ["tilesets", "tileMatrixSets", "styles"];
/// The members that are shown without conversion.
const FACTS: [&str; 5] = ["id", "tileMatrixSetId", "crs", "uri", "wellKnownScaleSet"];

/// The page of one document, whose URL is `address`. `base` is the URL of the OGC API.
pub(crate) fn document(address: &str, document: &Json, title: (&str, &str), base: &str) -> HtmlPage {
    let members = |list: &'static str| document[list].as_array().into_iter().flatten();
    let body = html! {
        (form_links(address, &[JSON]))
        (facts(document))
        @for member in LISTS.into_iter().flat_map(members) {
            h2 { (text_of(member.get("title"))) }
            (facts(member))
        }
        @if let Some(layers) = document["layers"].as_array() {
            h2 { "图层 Layers" }
            ul {
                @for layer in layers {
                    li { (text_of(layer.get("title"))) " " code { (text_of(layer.get("id"))) } }
                }
            }
        }
        @if let Some(matrices) = document["tileMatrices"].as_array() {
            h2 { "瓦片矩阵 Tile matrices" }
            div.wide {
                table {
                    tr { th { "Id" } th.n { "比例尺分母 Scale denominator" } th.n { "列 Columns" } th.n { "行 Rows" } }
                    @for matrix in matrices {
                        tr {
                            td { (text_of(matrix.get("id"))) }
                            td.n { (text_of(matrix.get("scaleDenominator"))) }
                            td.n { (text_of(matrix.get("matrixWidth"))) }
                            td.n { (text_of(matrix.get("matrixHeight"))) }
                        }
                    }
                }
            }
        }
    };
    page(base, vec![("OGC API".to_owned(), base.to_owned())], title.0, title.1, body)
}

/// The members of a document, and its links. The link to tiles is a URL template and is shown as text.
fn facts(document: &Json) -> Markup {
    let links = document["links"].as_array().into_iter().flatten();
    html! {
        ul {
            @for name in FACTS {
                @if let Some(fact) = document.get(name) { li { (name) ": " code { (text_of(Some(fact))) } } }
            }
            @for link in links {
                @let (href, rel) = (text_of(link.get("href")), text_of(link.get("rel")));
                li {
                    @if link["templated"] == true { code { (href) } } @else { a href=(href) { (rel) } }
                }
            }
        }
    }
}
