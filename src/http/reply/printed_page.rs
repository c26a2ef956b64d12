//! The layout shared by all printable pages: A4, without scripts.

use actix_web::http::header;
use maud::{DOCTYPE, Markup, html};
use time::UtcDateTime;

use crate::clock;
use crate::http::reply::Reply;
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::html::style_sheet;
use crate::http::reply::media::HTML_UTF8;
use crate::http::reply::page_language::PageLanguage;
use crate::model::format_date;

/// The page loads no other file and runs no script.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The style of printable pages.
const STYLE: &str = "\
@page{size:A4;margin:14mm}*{box-sizing:border-box}\
body{font:10.5pt/1.5 'Noto Sans CJK SC','Source Han Sans SC','Microsoft YaHei',sans-serif;color:#1d2530;max-width:186mm;margin:8mm auto;background:#fff}\
h1{font-size:20pt;margin:0 0 1mm}h2{font-size:12.5pt;margin:6mm 0 2mm;border-left:3px solid #b3261e;padding-left:2.5mm}\
header{display:flex;justify-content:space-between;align-items:flex-end;border-bottom:2px solid #b3261e;padding-bottom:2mm;margin-bottom:4mm}\
header p{margin:0;color:#5b6673;font-size:9.5pt;text-align:right}.stale{background:#fff1d6;border:1px solid #e0a100;padding:1.5mm 3mm}\
table{border-collapse:collapse;width:100%;font-size:9.5pt;break-inside:auto}th,td{border-bottom:1px solid #dfe4ea;padding:1mm 2mm;text-align:left;vertical-align:top}\
th{background:#f4f6f8;font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}tr{break-inside:avoid}\
svg{width:100%;height:auto;border:1px solid #cfd6de;background:#fbfaf6;display:block}.chips{display:flex;gap:4mm;margin:0 0 4mm}\
.chip{flex:1;border:1px solid #dfe4ea;border-radius:2mm;padding:2mm 3mm}.chip b{display:block;font-size:15pt}.chip span{color:#5b6673;font-size:9pt}\
footer{margin-top:6mm;color:#5b6673;font-size:8.5pt;border-top:1px solid #dfe4ea;padding-top:1.5mm}\
h2{break-after:avoid}svg,.chips,.facts{break-inside:avoid}thead{display:table-header-group}\
.facts{display:flex;flex-wrap:wrap;gap:0 6mm;margin:0 0 4mm;color:#5b6673}.facts b{color:#1d2530}\
.legend span{margin-right:4mm;white-space:nowrap}.legend i{display:inline-block;width:2.6mm;height:2.6mm;margin-right:1mm}";

/// A printable page.
pub(crate) struct PrintedPage {
    pub(crate) language: PageLanguage,
    pub(crate) heading: &'static str,
    /// What it is about, under its heading.
    pub(crate) subject: String,
    pub(crate) body: Markup,
    /// How the figures are to be read, at the end.
    pub(crate) remark: &'static str,
}

impl PrintedPage {
    /// The page as a reply, with the version of its data, and its age if it may be out of date.
    pub(crate) fn reply(&self, current: &RequestSnapshot) -> Reply {
        let language = self.language;
        let page = html! {
            (DOCTYPE)
            html lang=(language.say("zh-CN", "en")) {
                head {
                    meta charset="utf-8";
                    title { (self.heading) " " (self.subject) }
                    (style_sheet(STYLE))
                }
                body {
                    header {
                        h1 { (self.heading) }
                        p { (self.subject) br; (beijing_time(language, clock::now())) (language.say("　数据版本 ", ", data version ")) (current.snapshot.version().to_string()) }
                    }
                    main {
                        @if current.is_stale() {
                            p.stale {
                                (language.say("数据可能已过时：", "The data may be out of date: it was compared with the database "))
                                (current.age_s()) (language.say(" 秒前与数据库同步。", " s ago."))
                            }
                        }
                        (self.body)
                    }
                    footer {
                        (self.remark) (language.say("本页由 onemap 于 ", " Made by onemap on ")) (format_date(clock::today()))
                        (language.say(" 生成。", "."))
                    }
                }
            }
        };
        current
            .reply(HTML_UTF8)
            .header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
            .body(page.into_string().into_bytes())
    }
}

/// An instant in Beijing time, to the minute.
pub(crate) fn beijing_time(language: PageLanguage, instant: UtcDateTime) -> String {
    let local = instant.to_offset(time::macros::offset!(+8));
    let text = match language {
        PageLanguage::Chinese => {
            local.format(time::macros::format_description!("[year]年[month]月[day]日 [hour]:[minute]"))
        }
        PageLanguage::English => {
            local.format(time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]"))
        }
    };
    text.unwrap_or_default()
}
