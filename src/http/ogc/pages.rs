//! HTML pages of the OGC API except those of features: landing page, conformance, collections, schemas, functions.

use std::sync::Arc;

use maud::{Markup, html};
use serde_json::Value as Json;

use crate::http::ogc::schemas::Purpose;
use crate::http::reply::html::HtmlPage;
use crate::http::reply::links::with_format;
use crate::http::reply::media::{CSV, FLATGEOBUF, GEOJSON, JSON, MediaType, SCHEMA, SEQUENCE};
use crate::query::filter::FUNCTIONS;
use crate::snapshot::Layer;

/// The landing page, with how to connect QGIS and GDAL. `base` is the URL of the OGC API, here and below.
pub(crate) fn landing(title: &str, base: &str) -> HtmlPage {
    let root = root_of(base);
    let body = html! {
        p {
            "风险源、避灾点、救援队伍和物资储备，通过开放标准接口提供。 "
            "Hazard sources, shelters, rescue teams and stockpiles, served through open standards."
        }
        (form_links(base, &[JSON]))
        h2 { "数据 Data" }
        p {
            a href={ (base) "/collections" } { "图层 Collections" } " · "
            a href={ (base) "/tiles" } { "矢量瓦片 Vector tiles" } " · "
            a href={ (base) "/tileMatrixSets" } { "瓦片矩阵集 Tile matrix sets" } " · "
            a href={ (base) "/styles" } { "地图样式 Map styles" } " · "
            a href={ (base) "/conformance" } { "符合的标准 Conformance" } " · "
            a href={ (root) "/docs" } { "接口文档 API" } " · "
            a href={ (root) "/" } { "地图 Map" }
        }
        h2 #qgis { "在 QGIS 中使用 In QGIS" }
        ol {
            li {
                "图层 → 添加图层 → 添加 WFS / OGC API - Features 图层。 "
                "Layer → Add Layer → Add WFS / OGC API - Features Layer."
            }
            li {
                "新建连接，网址填 " code { (base) } "，版本选 OGC API - Features。 "
                "New connection with this URL, version OGC API - Features."
            }
            li {
                "连接后选择图层；筛选、排序和坐标转换由服务器完成。 "
                "Connect and add a layer; the server filters, sorts and transforms coordinates."
            }
            li {
                "需要修改时，在连接的认证中添加请求头 " code { "Authorization: Bearer 令牌" } "。 "
                "To edit, add this header with the token to the connection's authentication."
            }
            li {
                "瓦片：浏览器面板 → 矢量瓦片 → 新建，网址 "
                code { (base) "/tiles/WebMercatorQuad/{z}/{y}/{x}?f=mvt" } "。 "
                "Tiles: Browser → Vector Tiles → New, with this URL."
            }
        }
        h2 { "命令行 Command line" }
        pre { "ogrinfo OAPIF:" (base) "\nogr2ogr shelters.gpkg OAPIF:" (base) " shelters" }
    };
    page(base, Vec::new(), title, "OGC API", body)
}

/// The conformance classes, by their URIs.
pub(crate) fn conformance(classes: &[String], base: &str) -> HtmlPage {
    let body = html! { ul { @for class in classes { li { code { (class) } } } } };
    page(base, vec![api_link(base)], "符合的标准", "Conformance", body)
}

/// All collections with their numbers of features.
pub(crate) fn collections(layers: &[Arc<Layer>], base: &str) -> HtmlPage {
    let body = html! {
        (form_links(&format!("{base}/collections"), &[JSON]))
        div.wide {
            table {
                tr { th { "图层" } th { "Collection" } th { "Id" } th.n { "要素 Features" } }
                @for layer in layers {
                    @let schema = layer.schema();
                    tr {
                        td { a href=(collection_url(layer, base)) { (schema.title.zh) } }
                        td { (schema.title.en) }
                        td { code { (schema.id) } }
                        td.n { (layer.len()) }
                    }
                }
            }
        }
    };
    page(base, vec![api_link(base)], "图层", "Collections", body)
}

/// One collection: extent, downloads, links to what describes it.
pub(crate) fn collection(layer: &Layer, base: &str) -> HtmlPage {
    let own = collection_url(layer, base);
    let body = html! {
        p { (layer.len()) " 个要素 features" }
        @if let Some(bounds) = layer.envelope() {
            @let [west, south, east, north] = bounds.to_array();
            p { "范围 Extent: " (format_args!("{west:.4}, {south:.4}, {east:.4}, {north:.4}")) }
        }
        p { a.button href={ (own) "/items" } { "浏览要素 Browse features" } }
        h2 { "下载 Download" }
        (form_links(&format!("{own}/items"), &[FLATGEOBUF, CSV, SEQUENCE, GEOJSON]))
        h2 { "说明 About" }
        p {
            a href={ (own) "/schema" } { "字段 Schema" } " · "
            a href={ (own) "/queryables" } { "可筛选字段 Queryables" } " · "
            a href={ (own) "/sortables" } { "可排序字段 Sortables" } " · "
            a href={ (own) "/tiles" } { "矢量瓦片 Vector tiles" } " · "
            a href={ (base) "#qgis" } { "在 QGIS 中使用 In QGIS" }
        }
        (form_links(&own, &[JSON]))
    };
    let title = &layer.schema().title;
    page(base, breadcrumbs(base, None), &title.zh, &title.en, body)
}

/// One of a collection's JSON schemas as a table of its properties.
pub(crate) fn schema(layer: &Layer, purpose: Purpose, schema: &Json, base: &str) -> HtmlPage {
    let (zh, en) = match purpose {
        Purpose::Features => ("字段", "Schema"),
        Purpose::Queryables => ("可筛选字段", "Queryables"),
        Purpose::Sortables => ("可排序字段", "Sortables"),
    };
    let body = html! {
        (form_links(&format!("{}/{}", collection_url(layer, base), purpose.path()), &[SCHEMA]))
        div.wide {
            table {
                tr {
                    th { "字段 Property" } th { "名称 Title" } th { "类型 Type" } th { "单位 Unit" } th { "代码 Codes" }
                }
                @for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                    tr {
                        td { (name) }
                        td { (text_of(property.get("title"))) }
                        td { (text_of(property.get("format").or_else(|| property.get("type")))) }
                        td { (text_of(property.get("x-ogc-unit"))) }
                        td { (codes_of(property)) }
                    }
                }
            }
        }
    };
    let title = &layer.schema().title;
    let (zh, en) = (format!("{}：{zh}", title.zh), format!("{} {en}", title.en));
    page(base, breadcrumbs(base, Some(layer)), &zh, &en, body)
}

/// The functions that filters may call.
pub(crate) fn functions(base: &str) -> HtmlPage {
    let body = html! {
        div.wide {
            table {
                @for (name, description, arguments, result) in FUNCTIONS {
                    tr {
                        td { code { (name) "(" (arguments.join(", ")) ")" } }
                        td { (result) }
                        td { (description) }
                    }
                }
            }
        }
    };
    page(base, vec![api_link(base)], "筛选函数", "Filter functions", body)
}

/// Breadcrumbs from the landing page to the list of collections, or to one collection.
pub(crate) fn breadcrumbs(base: &str, layer: Option<&Layer>) -> Vec<(String, String)> {
    let mut steps = vec![api_link(base), ("图层 Collections".to_owned(), format!("{base}/collections"))];
    steps.extend(layer.map(|layer| (layer.schema().title.zh.clone(), collection_url(layer, base))));
    steps
}

fn api_link(base: &str) -> (String, String) {
    ("OGC API".to_owned(), base.to_owned())
}

fn collection_url(layer: &Layer, base: &str) -> String {
    format!("{base}/collections/{}", layer.schema().id)
}

/// A page without a script.
pub(crate) fn page(base: &str, above: Vec<(String, String)>, title: &str, english: &str, body: Markup) -> HtmlPage {
    let (title, english) = (title.to_owned(), english.to_owned());
    HtmlPage { root: root_of(base).to_owned(), above, title, english, body, script: None }
}

/// A JSON value as text: a string without its quotes, nothing if there is no value.
pub(crate) fn text_of(value: Option<&Json>) -> String {
    value.map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// The codes that a property may have, or that the items of a list may have.
fn codes_of(property: &Json) -> String {
    let codes = property.get("enum").or_else(|| property.get("items").and_then(|items| items.get("enum")));
    let codes = codes.and_then(Json::as_array).into_iter().flatten();
    codes.map(|code| text_of(Some(code))).collect::<Vec<_>>().join(", ")
}

/// The root URL of the server, from the address of the API.
pub(crate) fn root_of(base: &str) -> &str {
    base.strip_suffix("/ogc").unwrap_or(base)
}

/// A paragraph of links to the other media types of an address.
pub(crate) fn form_links(address: &str, formats: &[MediaType]) -> Markup {
    html! {
        p.forms { @for format in formats { a href=(with_format(address, format.name)) { (format.title) } } }
    }
}
