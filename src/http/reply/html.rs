//! Pages for people: one frame for all of them, without anything from another host.

use std::fmt::Write;

use actix_web::http::header;

use crate::http::reply::Reply;
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::media::HTML_UTF8;

/// The map on a page is a script of ours that draws tiles of ours.
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
.stale{background:#fff1d6;border:1px solid #e0a100;padding:4px 10px}footer{color:#5b6673;font-size:13px;padding-top:24px;padding-bottom:30px}";

/// One page: where it stands, what it is called, what it says.
pub(crate) struct HtmlPage {
    /// Steps above it, outermost first: title and address.
    pub(crate) above: Vec<(String, String)>,
    /// Chinese title.
    pub(crate) title: String,
    /// English title.
    pub(crate) english: String,
    /// HTML of the body.
    pub(crate) body: String,
    /// A script of the viewer's build, by its name.
    pub(crate) script: Option<&'static str>,
}

impl HtmlPage {
    /// The reply.
    pub(crate) fn reply(&self, current: &RequestSnapshot) -> Reply {
        current
            .reply(HTML_UTF8)
            .header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
            .header((header::VARY, "Accept"))
            .body(self.render(current))
    }

    fn render(&self, current: &RequestSnapshot) -> String {
        let mut html = format!(
            "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>{} {}</title><link rel=\"icon\" href=\"/viewer/icon.svg\">\
             <style>{STYLE}</style></head><body><header><nav>",
            escape(&self.title),
            escape(&self.english)
        );
        for (title, address) in &self.above {
            let _ = write!(html, "<a href=\"{}\">{}</a> › ", escape(address), escape(title));
        }
        let _ = write!(
            html,
            "</nav><h1>{}<small>{}</small></h1></header><main>",
            escape(&self.title),
            escape(&self.english)
        );
        if current.is_stale() {
            let _ = write!(
                html,
                "<p class=\"stale\">数据可能已过时：{0} 秒前与数据库一致。 The data may be out of date by {0} s.</p>",
                current.age_s()
            );
        }
        let _ = write!(
            html,
            "{}</main><footer>onemap · 数据版本 Data version {} · <a href=\"/\">地图 Map</a> · \
             <a href=\"/docs\">接口文档 API</a></footer>",
            self.body,
            current.snapshot.version()
        );
        if let Some(script) = self.script {
            let _ = write!(html, "<script type=\"module\" src=\"/viewer/{script}\"></script>");
        }
        html.push_str("</body></html>");
        html
    }
}

/// Text as HTML.
pub(crate) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut html, c| {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
        html
    })
}
