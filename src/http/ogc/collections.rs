//! Collections: what they are, where they reach, what can be asked of them.

use actix_web::http::header;
use serde_json::{Value as Json, json};
use time::UtcDateTime;

use crate::geodesy::reference::{CRS84, CrsTransform};
use crate::http::call::Call;
use crate::http::ogc::form_links;
use crate::http::ogc::schemas::{Purpose, schema};
use crate::http::reply::Reply;
use crate::http::reply::html::{HtmlPage, escape};
use crate::http::reply::links::{REL, link, own_links};
use crate::http::reply::media::{CSV, FLATGEOBUF, GEOJSON, HTML, ITEM_FORMATS, JSON, MediaType, SCHEMA, SEQUENCE};
use crate::http::reply::problem::Problem;
use crate::model::{ValueRef, format_instant};
use crate::query::filter::FUNCTIONS;
use crate::snapshot::Layer;

/// `GET /ogc/collections`.
pub(crate) fn collections(call: &Call<'_>) -> Result<Reply, Problem> {
    let (form, current, base) = (call.media_type()?, &call.current, call.ogc_base());
    let layers = current.snapshot.layers();
    if form == HTML {
        let row = |layer: &Layer| {
            let own = layer.schema();
            format!(
                "<tr><td><a href=\"{base}/collections/{0}\">{1}</a></td><td>{2}</td><td><code>{0}</code></td>\
                 <td class=\"n\">{3}</td></tr>",
                own.id,
                escape(&own.title.zh),
                escape(&own.title.en),
                layer.len(),
                base = escape(&base),
            )
        };
        let rows: String = layers.iter().map(|layer| row(layer)).collect();
        let body = format!(
            "{}<div class=\"wide\"><table><tr><th>图层</th><th>Collection</th><th>Id</th><th class=\"n\">要素 Features</th></tr>{rows}</table></div>",
            form_links(&format!("{base}/collections"), &[JSON])
        );
        let above = vec![("OGC API".to_owned(), base)];
        let (title, english) = ("图层".to_owned(), "Collections".to_owned());
        return Ok(HtmlPage { above, title, english, body, script: None }.reply(current));
    }
    let collections: Vec<Json> = layers.iter().map(|layer| describe(layer, &base, JSON)).collect();
    let links = own_links(&format!("{base}/collections"), form, call.formats);
    Ok(current.json(
        json!({"links": links, "crs": CrsTransform::addresses().collect::<Vec<_>>(), "collections": collections}),
    ))
}

/// `GET /ogc/collections/{collectionId}`.
pub(crate) fn collection(call: &Call<'_>) -> Result<Reply, Problem> {
    let (form, layer, base) = (call.media_type()?, call.collection()?, call.ogc_base());
    if form == HTML {
        return Ok(page(layer, &base).reply(&call.current));
    }
    Ok(call.current.json(describe(layer, &base, form)))
}

/// `GET /ogc/collections/{collectionId}/queryables`.
pub(crate) fn queryables(call: &Call<'_>) -> Result<Reply, Problem> {
    schema_page(call, Purpose::Queryables)
}

/// `GET /ogc/collections/{collectionId}/sortables`.
pub(crate) fn sortables(call: &Call<'_>) -> Result<Reply, Problem> {
    schema_page(call, Purpose::Sortables)
}

/// `GET /ogc/collections/{collectionId}/schema`.
pub(crate) fn features_schema(call: &Call<'_>) -> Result<Reply, Problem> {
    schema_page(call, Purpose::Features)
}

/// `GET /ogc/functions`: the functions that filters may call (OGC 19-079r2, section 9).
pub(crate) fn functions(call: &Call<'_>) -> Result<Reply, Problem> {
    let (form, current) = (call.media_type()?, &call.current);
    if form == HTML {
        let row = |function: &(&str, &str, &[&str], &str)| {
            let (name, says, arguments, returns) = function;
            format!(
                "<tr><td><code>{name}({})</code></td><td>{returns}</td><td>{}</td></tr>",
                arguments.join(", "),
                escape(says)
            )
        };
        let body =
            format!("<div class=\"wide\"><table>{}</table></div>", FUNCTIONS.iter().map(row).collect::<String>());
        let above = vec![("OGC API".to_owned(), call.ogc_base())];
        let (title, english) = ("筛选函数".to_owned(), "Functions of filters".to_owned());
        return Ok(HtmlPage { above, title, english, body, script: None }.reply(current));
    }
    let function = |(name, says, arguments, returns): &(&str, &str, &[&str], &str)| {
        let arguments: Vec<Json> = arguments.iter().map(|kind| json!({"type": [kind]})).collect();
        json!({"name": name, "description": says, "arguments": arguments, "returns": [returns]})
    };
    Ok(current.json(json!({"functions": FUNCTIONS.iter().map(function).collect::<Vec<_>>()})))
}

fn schema_page(call: &Call<'_>, purpose: Purpose) -> Result<Reply, Problem> {
    let (form, current, base) = (call.media_type()?, &call.current, call.ogc_base());
    let layer = call.collection()?;
    let name = &layer.schema().id;
    let (end, zh, en) = match purpose {
        Purpose::Features => ("schema", "字段", "Schema"),
        Purpose::Queryables => ("queryables", "可筛选字段", "Queryables"),
        Purpose::Sortables => ("sortables", "可排序字段", "Sortables"),
    };
    let address = format!("{base}/collections/{name}/{end}");
    let schema = schema(&call.state.catalog, &call.caller.view(layer.schema()), purpose, &address);
    if form != HTML {
        return Ok(current.reply(SCHEMA.media_type).header((header::VARY, "Accept")).body(schema.to_string()));
    }
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |(name, property): (&String, &Json)| {
        let kind = property.get("format").or_else(|| property.get("type")).map(text).unwrap_or_default();
        let unit = property.get("x-ogc-unit").map(text).unwrap_or_default();
        let title = property.get("title").map(text).unwrap_or_default();
        let codes = property.get("enum").or_else(|| property.get("items").and_then(|items| items.get("enum")));
        let codes = codes.and_then(Json::as_array).map(|codes| codes.iter().map(text).collect::<Vec<_>>().join(", "));
        let cells = [name.clone(), title, kind, unit, codes.unwrap_or_default()];
        format!("<tr>{}</tr>", cells.map(|cell| format!("<td>{}</td>", escape(&cell))).concat())
    };
    let rows: String = schema["properties"].as_object().into_iter().flatten().map(row).collect();
    let body = format!(
        "{}<div class=\"wide\"><table><tr><th>字段 Property</th><th>名称 Title</th><th>类型 Type</th><th>单位 Unit</th><th>代码 Codes</th></tr>{rows}</table></div>",
        form_links(&address, &[SCHEMA])
    );
    let title = &layer.schema().title;
    let above = above(&base, Some(layer));
    Ok(HtmlPage {
        above,
        title: format!("{}：{zh}", title.zh),
        english: format!("{} {en}", title.en),
        body,
        script: None,
    }
    .reply(current))
}

/// Steps from the landing page down.
pub(crate) fn above(base: &str, layer: Option<&Layer>) -> Vec<(String, String)> {
    let mut steps =
        vec![("OGC API".to_owned(), base.to_owned()), ("图层 Collections".to_owned(), format!("{base}/collections"))];
    if let Some(layer) = layer {
        let own = layer.schema();
        steps.push((own.title.zh.clone(), format!("{base}/collections/{}", own.id)));
    }
    steps
}

fn page(layer: &Layer, base: &str) -> HtmlPage {
    let schema = layer.schema();
    let own = escape(&format!("{base}/collections/{}", schema.id));
    let reach = layer.envelope().map_or_else(String::new, |bounds| {
        let [west, south, east, north] = bounds.to_array();
        format!("<p>范围 Extent: {west:.4}, {south:.4}, {east:.4}, {north:.4}</p>")
    });
    let body = format!(
        "<p>{count} 个要素 features</p>{reach}<p><a class=\"button\" href=\"{own}/items\">浏览要素 Browse features</a></p>\
         <h2>下载 Download</h2>{downloads}\
         <h2>说明 About</h2><p><a href=\"{own}/schema\">字段 Schema</a> · <a href=\"{own}/queryables\">可筛选字段 Queryables</a> · \
         <a href=\"{own}/sortables\">可排序字段 Sortables</a> · <a href=\"{own}/tiles\">矢量瓦片 Vector tiles</a> · \
         <a href=\"{base}#qgis\">在 QGIS 中使用 In QGIS</a></p>{forms}",
        count = layer.len(),
        downloads = form_links(&format!("{own}/items"), &[FLATGEOBUF, CSV, SEQUENCE, GEOJSON]),
        forms = form_links(&own, &[JSON]),
        base = escape(base),
    );
    let (title, english) = (schema.title.zh.clone(), schema.title.en.clone());
    HtmlPage { above: above(base, None), title, english, body, script: None }
}

fn describe(layer: &Layer, base: &str, form: MediaType) -> Json {
    let schema = layer.schema();
    let own = format!("{base}/collections/{}", schema.id);
    let mut links = own_links(&own, form, &[JSON, HTML]);
    let of_items = |form: &MediaType| {
        let href = if *form == GEOJSON { format!("{own}/items") } else { format!("{own}/items?f={}", form.name) };
        link(&href, "items", form.media_type, &format!("Features as {}", form.title))
    };
    links.extend(ITEM_FORMATS.iter().map(of_items));
    let media_type = SCHEMA.media_type;
    links.extend([
        link(&format!("{own}/schema"), &format!("{REL}schema"), media_type, "Schema"),
        link(&format!("{own}/queryables"), &format!("{REL}queryables"), media_type, "Queryables"),
        link(&format!("{own}/sortables"), &format!("{REL}sortables"), media_type, "Sortables"),
        link(&format!("{own}/tiles"), &format!("{REL}tilesets-vector"), "application/json", "Vector tiles"),
    ]);
    let mut json = json!({
        "id": schema.id,
        "title": schema.title.zh,
        "description": schema.title.en,
        "itemType": "feature",
        "crs": CrsTransform::addresses().collect::<Vec<_>>(),
        "storageCrs": CRS84,
        "links": links,
    });
    let mut extent = json!({});
    if let Some(bounds) = layer.envelope() {
        extent["spatial"] = json!({"bbox": [bounds.to_array()], "crs": CRS84});
    }
    if let Some((start, end)) = time_extent(layer) {
        let trs = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian";
        let end = end.map(format_instant);
        extent["temporal"] = json!({"interval": [[format_instant(start), end]], "trs": trs});
    }
    if extent.as_object().is_some_and(|extent| !extent.is_empty()) {
        json["extent"] = extent;
    }
    json
}

/// The first and the last moment of a layer; no last one when something goes on without end.
fn time_extent(layer: &Layer) -> Option<(UtcDateTime, Option<UtcDateTime>)> {
    let when = layer.schema().roles.time.as_ref()?;
    let start = layer.schema().position(&when.start)?;
    let end = when.end.as_ref().and_then(|end| layer.schema().position(end));
    let mut reach: Option<(UtcDateTime, Option<UtcDateTime>)> = None;
    for row in layer.chunks().iter().flat_map(|chunk| chunk.rows_after(None)) {
        let ValueRef::DateTime(from) = row.cell(start) else { continue };
        let to = match end.map(|end| row.cell(end)) {
            None => Some(from),
            Some(ValueRef::DateTime(to)) => Some(to),
            Some(_) => None,
        };
        let before = reach.unwrap_or((from, to));
        reach = Some((before.0.min(from), before.1.zip(to).map(|(a, b)| a.max(b))));
    }
    reach
}
