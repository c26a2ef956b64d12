//! The layout shared by all HTML pages. A page loads files from its own host only.

use actix_web::http::header;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::http::reply::Reply;
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::media::HTML_UTF8;

/// Scripts, tiles and data come from the same host; the map runs its worker from a blob.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: blob:; base-uri 'none'; form-action 'self'";

const STYLE: &str = "\
*{box-sizing:border-box}body{font:15px/1.6 'Noto Sans CJK SC','Source Han Sans SC','PingFang SC','Microsoft YaHei',system-ui,sans-serif;\
color:#1d2530;background:#f6f7f9;margin:0}header,main,footer{max-width:1180px;margin:0 auto;padding:0 20px}\
header{padding-top:18px}nav{color:#5b6673;font-size:14px}nav a{color:#5b6673}h1{font-size:26px;margin:6px 0 2px}\
h1 small{font-size:15px;color:#5b6673;font-weight:400;margin-left:8px}h2{font-size:17px;margin:26px 0 8px;border-left:4px solid #b3261e;padding-left:10px}\
a{color:#0b57a4;text-decoration:none}a:hover{text-decoration:underline}p{margin:6px 0}\
table{border-collapse:collapse;width:100%;background:#fff;font-size:14px}th,td{border-bottom:1px solid #e3e7ec;padding:6px 10px;text-align:left;vertical-align:top}\
th{background:#eef1f4;font-weight:600;white-space:nowrap}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td:nth-child(2){min-width:13em}main>div>table th:only-of-type{width:17em}.wide{overflow-x:auto;border:1px solid #e3e7ec}\
form{display:flex;gap:8px;margin:10px 0}input[type=search]{flex:1;max-width:420px;padding:7px 10px;border:1px solid #b8c0ca;border-radius:4px;font:inherit}\
button,.button{padding:7px 14px;border:1px solid #b8c0ca;border-radius:4px;background:#fff;font:inherit;color:#1d2530;display:inline-block}\
#map{height:380px;border:1px solid #cfd6de;background:#fbfaf6;margin:10px 0}.forms a,.pages a{margin-right:14px}\
code,pre{font-family:ui-monospace,'Cascadia Mono',Consolas,monospace;font-size:13px;background:#eef1f4;border-radius:3px;padding:1px 5px}\
.stale{background:#fff1d6;border:1px solid #e0a100;padding:4px 10px}footer{color:#5b6673;font-size:13px;padding-top:24px;padding-bottom:30px}footer a{text-decoration:underline}";

/// One HTML page.
pub(crate) struct HtmlPage {
    /// Root URL of the server, without a trailing slash.
    pub(crate) root: String,
    /// Breadcrumbs, outermost first: title and URL.
    pub(crate) above: Vec<(String, String)>,
    /// Chinese title.
    pub(crate) title: String,
    /// English title.
    pub(crate) english: String,
    /// Content of the element `main` below the heading.
    pub(crate) body: Markup,
    /// File name of a script from the viewer's build.
    pub(crate) script: Option<&'static str>,
}

impl HtmlPage {
    /// The reply, with the content security policy of all pages.
    pub(crate) fn reply(&self, current: &RequestSnapshot) -> Reply {
        current
            .reply(HTML_UTF8)
            .header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
            .header((header::VARY, "Accept"))
            .body(self.render(current).into_string())
    }

    fn render(&self, current: &RequestSnapshot) -> Markup {
        let root = path_of(&self.root);
        html! {
            (DOCTYPE)
            html lang="zh-CN" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width";
                    title { (self.title) " " (self.english) }
                    link rel="icon" href={ (root) "/viewer/icon.svg" };
                    (style_sheet(STYLE))
                }
                body {
                    header {
                        nav { @for (title, url) in &self.above { a href=(url) { (title) } " › " } }
                        h1 { (self.title) small { (self.english) } }
                    }
                    main {
                        @if current.is_stale() {
                            p.stale {
                                "数据可能已过时：" (current.age_s()) " 秒前与数据库同步。 "
                                "The data may be out of date by " (current.age_s()) " s."
                            }
                        }
                        (self.body)
                    }
                    footer {
                        "onemap · 数据版本 Data version " (current.snapshot.version().to_string()) " · "
                        a href={ (root) "/" } { "地图 Map" } " · "
                        a href={ (root) "/docs" } { "接口文档 API" }
                    }
                    @if let Some(script) = self.script {
                        script type="module" src={ (root) "/viewer/" (script) } {}
                    }
                }
            }
        }
    }
}

/// A constant style sheet as an element, the only unescaped content of a page.
pub(crate) fn style_sheet(css: &'static str) -> Markup {
    html! { style { (PreEscaped(css)) } }
}

/// The path of an absolute URL; empty if the URL has none. Pages refer to files by path, so that they load from the
/// page's own host, as the content security policy requires.
pub(crate) fn path_of(url: &str) -> String {
    let without_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    without_scheme.split_once('/').map_or_else(String::new, |(_, path)| format!("/{path}"))
}
