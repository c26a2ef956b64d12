//! The landing page.

use serde_json::json;

use crate::http::call::Call;
use crate::http::ogc::form_links;
use crate::http::openapi;
use crate::http::reply::Reply;
use crate::http::reply::html::{HtmlPage, escape};
use crate::http::reply::links::{REL, link, own_links};
use crate::http::reply::media::{HTML, JSON};
use crate::http::reply::problem::Problem;

const TITLE: &str = "闽清县应急管理一张图";
const DESCRIPTION: &str = "onemap: hazard sources, shelters, rescue teams and stockpiles of the county on one map";

/// `GET /ogc`.
pub(crate) fn landing_page(call: &Call<'_>) -> Result<Reply, Problem> {
    let (form, current) = (call.media_type()?, &call.current);
    let (base, root) = (call.ogc_base(), call.origin());
    if form == HTML {
        return Ok(page(&base).reply(current));
    }
    let mut links = own_links(&base, form, call.formats);
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

fn page(base: &str) -> HtmlPage {
    let address = escape(base);
    let body = format!(
        "<p>风险源、避灾点、救援队伍和物资储备，可按标准接口取用。 Hazard sources, shelters, rescue teams and stockpiles, \
         by open standards.</p>{forms}\
         <h2>数据 Data</h2><p><a href=\"{address}/collections\">图层 Collections</a> · \
         <a href=\"{address}/tiles\">矢量瓦片 Vector tiles</a> · <a href=\"{address}/tileMatrixSets\">瓦片格网 Grids</a> · \
         <a href=\"{address}/conformance\">符合的标准 Conformance</a> · <a href=\"/docs\">接口文档 API</a> · \
         <a href=\"/\">地图 Map</a></p>\
         <h2 id=\"qgis\">在 QGIS 中使用 In QGIS</h2><ol>\
         <li>图层 → 添加图层 → 添加 WFS / OGC API - Features 图层。 Layer → Add Layer → Add WFS / OGC API - Features Layer.</li>\
         <li>新建连接，网址填 <code>{address}</code>，版本选 OGC API - Features。 New connection with this URL, version OGC API - Features.</li>\
         <li>连接后选择图层；筛选、排序和坐标转换由服务器完成。 Connect and add a layer; the server filters, sorts and converts.</li>\
         <li>需要修改时，在连接的认证中添加请求头 <code>Authorization: Bearer 令牌</code>。 To edit, add this header with the token to the connection's authentication.</li>\
         <li>瓦片：浏览器面板 → 矢量瓦片 → 新建，网址 <code>{address}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}?f=mvt</code>。 Tiles: Browser → Vector Tiles → New, with this URL.</li></ol>\
         <h2>命令行 Command line</h2><pre>ogrinfo OAPIF:{address}\nogr2ogr shelters.gpkg OAPIF:{address} shelters</pre>",
        forms = form_links(base, &[JSON]),
    );
    HtmlPage { above: Vec::new(), title: TITLE.to_owned(), english: "OGC API".to_owned(), body, script: None }
}
