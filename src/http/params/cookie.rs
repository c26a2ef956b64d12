//! The cookie by which a browser is signed in: it holds the secret of an account, and scripts cannot read it.
//!
//! `SameSite=Strict` keeps other sites from sending it, and replies allow no credentials of other origins.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{self, HeaderMap};

const NAME: &str = "onemap_session";
/// How long a browser stays signed in: one shift.
const MAX_AGE: Duration = Duration::hours(12);

/// The secret in the cookie of a request.
pub(crate) fn secret_of(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|part| Cookie::parse(part.trim()).ok());
    cookies.find(|cookie| cookie.name() == NAME).map(|cookie| cookie.value().to_owned())
}

/// The header that signs a browser in; `base_url` limits the cookie to the path and the scheme of the server. `left` is the
/// time until the secret expires, if it does.
pub(crate) fn signing_in(secret: &str, base_url: &str, left: Option<Duration>) -> String {
    cookie(secret, base_url, left.map_or(MAX_AGE, |left| left.clamp(Duration::ZERO, MAX_AGE)))
}

/// The header that signs a browser out.
pub(crate) fn signing_out(base_url: &str) -> String {
    cookie("", base_url, Duration::ZERO)
}

fn cookie(value: &str, base_url: &str, max_age: Duration) -> String {
    let (scheme, rest) = base_url.split_once("://").unwrap_or(("http", base_url));
    let path = rest.split_once('/').map_or_else(|| "/".to_owned(), |(_, path)| format!("/{path}/"));
    let cookie = Cookie::build(NAME, value.to_owned())
        .path(path)
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(scheme == "https")
        .max_age(max_age);
    cookie.finish().to_string()
}
