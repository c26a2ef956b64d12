//! Features as pages for people: a table with a search field and a map, and one feature by itself.

use std::fmt::Write;

use crate::exchange::csv::cell_text;
use crate::http::api::labels::label;
use crate::http::ogc::collections::above;
use crate::http::ogc::form_links;
use crate::http::ogc::items_links::ItemsAddress;
use crate::http::ogc::items_params::ItemsQuery;
use crate::http::params::spec;
use crate::http::reply::html::{HtmlPage, escape};
use crate::http::reply::links::encode;
use crate::http::reply::media::{CSV, FLATGEOBUF, GEOJSON, SEQUENCE};
use crate::model::{Catalog, Field, FieldType, ValueRef, View, format_beijing};
use crate::query::items::Page;
use crate::snapshot::{Layer, Row};

/// The script that draws the map of a page.
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
    let mut body = format!(
        "<form role=\"search\"><input type=\"search\" name=\"q\" value=\"{}\" maxlength=\"100\" aria-label=\"查找 Search\" \
         placeholder=\"在所有文字字段中查找 Search in all texts\"><button>查找 Search</button></form>\
         <p>{} 个要素 features match</p>",
        escape(query.parameters.get(&spec::Q).unwrap_or_default()),
        answer.matched
    );
    let (previous, next) = address.beside(query, answer);
    let mut pages = String::new();
    for (address, words) in [(previous, "← 上一页 Previous"), (next, "下一页 Next →")] {
        if let Some(address) = address {
            let _ = write!(pages, "<a class=\"button\" href=\"{}\">{words}</a>", escape(&address));
        }
    }
    let _ = write!(body, "{}<div class=\"wide\"><table><tr><th>编号 Id</th>", map(&this, &layer.schema().id));
    for (_, field) in query.view.fields() {
        let class = if is_number(field) { " class=\"n\"" } else { "" };
        let unit = field.unit.as_ref().map(|unit| format!(" ({unit})")).unwrap_or_default();
        let name = format!("{}{unit}", field.title.zh);
        let _ = write!(body, "<th{class} title=\"{}\">{}</th>", escape(&field.title.en), escape(&name));
    }
    body.push_str("</tr>");
    for row in &answer.rows {
        let own = format!("{}/items/{}", address.collection(), encode(row.id().as_str()));
        let _ = write!(body, "<tr><td><a href=\"{}\">{}</a></td>", escape(&own), escape(row.id().as_str()));
        for (at, field) in query.view.fields() {
            let class = if is_number(field) { " class=\"n\"" } else { "" };
            let _ = write!(body, "<td{class}>{}</td>", escape(&shown(catalog, field, row.cell(at))));
        }
        body.push_str("</tr>");
    }
    let forms = form_links(&address.of(query, None), &[CSV, FLATGEOBUF, SEQUENCE]);
    let _ = write!(
        body,
        "</table></div><p class=\"pages\">{pages}</p><h2>下载 Download</h2>{forms}{}",
        form_links(&this, &[GEOJSON])
    );
    let base = address.collection().rsplit_once("/collections/").map_or("", |(base, _)| base);
    HtmlPage {
        above: above(base, Some(layer)),
        title: format!("{}：要素", title.zh),
        english: format!("{}: features", title.en),
        body,
        script: Some(SCRIPT),
    }
}

/// One feature.
pub(crate) fn feature_page(catalog: &Catalog, view: &View<'_>, layer: &Layer, row: &Row<'_>, base: &str) -> HtmlPage {
    let schema = layer.schema();
    let own = format!("{base}/collections/{}/items/{}", schema.id, encode(row.id().as_str()));
    let mut rows = format!("<tr><th>编号 Id</th><td>{}</td></tr>", escape(row.id().as_str()));
    for (at, field) in view.fields() {
        let unit = field.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
        let value = match row.cell(at) {
            ValueRef::Unknown => "未知 unknown".to_owned(),
            known => format!("{}{unit}", shown(catalog, field, known)),
        };
        let name = format!("{} {}", field.title.zh, field.title.en);
        let _ = write!(rows, "<tr><th>{}</th><td>{}</td></tr>", escape(&name), escape(&value));
    }
    let name = layer.text(row, "name").unwrap_or(row.id().as_str()).to_owned();
    HtmlPage {
        above: above(base, Some(layer)),
        title: name,
        english: schema.title.en.clone(),
        body: format!(
            "{}<div class=\"wide\"><table>{rows}</table></div>{}",
            map(&own, &schema.id),
            form_links(&own, &[GEOJSON])
        ),
        script: Some(SCRIPT),
    }
}

/// Where the map is drawn: the features of an address, over the tiles of their layer.
fn map(address: &str, layer: &str) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!(
        "<div id=\"map\" data-features=\"{}\" data-layer=\"{layer}\"></div>",
        escape(&format!("{address}{joint}f=json"))
    )
}

fn is_number(field: &Field) -> bool {
    matches!(field.field_type, FieldType::Integer | FieldType::Real) && field.codes.is_none()
}

/// A value as people read it: codes by their names.
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
