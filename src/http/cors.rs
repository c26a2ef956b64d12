//! Web pages of other origins that may read replies (CORS, Fetch standard).
//!
//! Without a list all may, as long as callers without credentials see public data only. A server that shows everything to
//! everybody who reaches it, as on one machine without accounts, would let any web page that is open there read it: then only
//! pages of the same machine may.

use actix_web::http::header::HeaderValue;
use url::{Host, Url};

/// The origins that may read replies; `None` without a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins(pub Option<Vec<String>>);

impl AllowedOrigins {
    /// The value of `Access-Control-Allow-Origin` for a request of a page; `None` if it may not read the reply.
    pub(crate) fn header(&self, origin: Option<&HeaderValue>, shows_everything: bool) -> Option<HeaderValue> {
        let own = || origin.and_then(|origin| origin.to_str().ok());
        let is_allowed = match &self.0 {
            Some(listed) if listed.iter().any(|listed| listed == "*") => return Some(HeaderValue::from_static("*")),
            Some(listed) => own().is_some_and(|own| listed.iter().any(|listed| listed == own)),
            None if !shows_everything => return Some(HeaderValue::from_static("*")),
            None => own().is_some_and(is_on_this_machine),
        };
        origin.filter(|_| is_allowed).cloned()
    }
}

/// Whether an origin is that of a page on the machine of the browser.
fn is_on_this_machine(origin: &str) -> bool {
    match Url::parse(origin).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_elsewhere_read_only_what_is_public_or_if_they_are_listed() {
        let header = |listed: Option<&[&str]>, origin: &'static str, shows_everything| {
            let listed = AllowedOrigins(listed.map(|listed| listed.iter().map(|own| (*own).to_owned()).collect()));
            let header = listed.header(Some(&HeaderValue::from_static(origin)), shows_everything)?;
            header.to_str().ok().map(str::to_owned)
        };
        assert_eq!(header(None, "https://evil.example", true), None);
        assert_eq!(header(None, "http://127.0.0.1.evil.example", true), None);
        assert_eq!(header(None, "null", true), None);
        for local in ["http://localhost:3000", "http://127.0.0.1:9", "http://[::1]:8080"] {
            assert_eq!(header(None, local, true).as_deref(), Some(local));
        }
        assert_eq!(header(None, "https://any.example", false).as_deref(), Some("*"));
        let listed: &[&str] = &["https://board.example"];
        assert_eq!(header(Some(listed), "https://board.example", true).as_deref(), Some("https://board.example"));
        assert_eq!(header(Some(listed), "https://board.example:444", false), None);
        assert_eq!(header(Some(&[]), "http://localhost", true), None);
        assert_eq!(header(Some(&["*"]), "https://any.example", true).as_deref(), Some("*"));
    }
}
