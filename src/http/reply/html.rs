//! The layout shared by all HTML pages. A page loads files from its own host only.

use actix_web::http::header;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::http::reply::Reply;
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::media::HTML_UTF8;

/// Scripts, tiles and data come from the same host; the map runs its worker from a blob.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; worker-src 'self' blob:; img-src 'self' data: blob:; base-uri 'none'; form-action 'self'";

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
                    link rel="stylesheet" href={ (root) "/viewer/page.css" };
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
