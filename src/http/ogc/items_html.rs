//! HTML pages of features: a table with a search field and a map, and one feature by itself.

use maud::{Markup, html};

use crate::exchange::csv::cell_text;
use crate::http::api::labels::label;
use crate::http::ogc::items_links::ItemsAddress;
use crate::http::ogc::items_params::ItemsQuery;
use crate::http::ogc::pages::{breadcrumbs, form_links, root_of};
use crate::http::params::spec;
use crate::http::reply::html::{HtmlPage, path_of};
use crate::http::reply::links::{encode, with_format};
use crate::http::reply::media::{CSV, FLATGEOBUF, GEOJSON, JSON, SEQUENCE};
use crate::model::{Catalog, Field, FieldType, ValueRef, View, format_beijing};
use crate::query::items::Page;
use crate::snapshot::{Layer, Row};

/// The viewer's script that draws the map of a page.
const SCRIPT: &str = "page.js";

/// A page of features.
pub(crate) fn items_page(
    catalog: &Catalog,
    layer: &Layer,
    query: &ItemsQuery<'_>,
    answer: &Page<'_>,
    address: &ItemsAddress,
) -> HtmlPage {
    let title = &layer.schema().title;
    let this = address.of_this(query);
    let (previous, next) = address.beside(query, answer);
    let body = html! {
        form role="search" {
            input type="search" name="q" value=(query.parameters.get(&spec::Q).unwrap_or_default()) maxlength="100"
                aria-label="查找 Search" placeholder="在所有文字字段中查找 Search all text fields";
            button { "查找 Search" }
        }
        p { (answer.matched) " 个要素 features match" }
        (map(&this, &layer.schema().id))
        div.wide {
            table {
                tr {
                    th { "编号 Id" }
                    @for (_, field) in query.view.fields() {
                        th class=[class_of(field)] title=(field.title.en) {
                            (field.title.zh) @if let Some(unit) = &field.unit { " (" (unit) ")" }
                        }
                    }
                }
                @for row in &answer.rows {
                    @let id = row.id().as_str();
                    tr {
                        td { a href={ (address.collection()) "/items/" (encode(id)) } { (id) } }
                        @for (field, value) in row.visible(&query.view).values() {
                            td class=[class_of(field)] { (shown(catalog, field, value)) }
                        }
                    }
                }
            }
        }
        p.pages {
            @if let Some(url) = previous { a.button href=(url) { "← 上一页 Previous" } }
            @if let Some(url) = next { a.button href=(url) { "下一页 Next →" } }
        }
        h2 { "下载 Download" }
        (form_links(&address.of(query, None), &[CSV, FLATGEOBUF, SEQUENCE]))
        (form_links(&this, &[GEOJSON]))
    };
    let base = address.collection().rsplit_once("/collections/").map_or("", |(base, _)| base);
    HtmlPage {
        root: root_of(base).to_owned(),
        above: breadcrumbs(base, Some(layer)),
        title: format!("{}：要素", title.zh),
        english: format!("{}: features", title.en),
        body,
        script: Some(SCRIPT),
    }
}

/// The page of one feature.
pub(crate) fn feature_page(catalog: &Catalog, view: &View<'_>, layer: &Layer, row: &Row<'_>, base: &str) -> HtmlPage {
    let schema = layer.schema();
    let id = row.id().as_str();
    let own = format!("{base}/collections/{}/items/{}", schema.id, encode(id));
    let body = html! {
        (map(&own, &schema.id))
        div.wide {
            table {
                tr { th { "编号 Id" } td { (id) } }
                @for (field, value) in row.visible(view).values() {
                    tr {
                        th { (field.title.zh) " " (field.title.en) }
                        td {
                            @match value {
                                ValueRef::Unknown => "未知 unknown",
                                known => {
                                    (shown(catalog, field, known))
                                    @if let Some(unit) = &field.unit { " " (unit) }
                                }
                            }
                        }
                    }
                }
            }
        }
        (form_links(&own, &[GEOJSON]))
    };
    HtmlPage {
        root: root_of(base).to_owned(),
        above: breadcrumbs(base, Some(layer)),
        title: layer.text(row, "name").unwrap_or(id).to_owned(),
        english: schema.title.en.clone(),
        body,
        script: Some(SCRIPT),
    }
}

/// The element in which the script draws the features of a URL over the base map.
fn map(url: &str, layer: &str) -> Markup {
    html! { div #map data-features=(path_of(&with_format(url, JSON.name))) data-layer=(layer) {} }
}

/// The class of a column of numbers.
fn class_of(field: &Field) -> Option<&'static str> {
    let is_number = matches!(field.field_type, FieldType::Integer | FieldType::Real) && field.codes.is_none();
    is_number.then_some("n")
}

/// A value as text: a code is replaced by its Chinese label.
fn shown(catalog: &Catalog, field: &Field, cell: ValueRef<'_>) -> String {
    let list = field.codes.as_ref();
    match cell {
        ValueRef::Text(code) if list.is_some() => label(catalog, list, code).zh,
        ValueRef::Integer(code) if list.is_some() => label(catalog, list, &code.to_string()).zh,
        ValueRef::TextList(codes) => {
            codes.iter().map(|code| label(catalog, list, code).zh).collect::<Vec<_>>().join("、")
        }
        ValueRef::DateTime(instant) => format_beijing(instant),
        other => cell_text(other),
    }
}
