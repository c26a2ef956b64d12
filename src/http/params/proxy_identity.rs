//! Who a caller is by the headers of a proxy that has authenticated it. Only headers of trusted proxies are read.

use actix_web::http::header::{HeaderMap, HeaderName};

use crate::access::identity::{ExternalIdentity, GrantRules, plain_name};
use crate::access::proxy_identity::ProxyIdentityConfig;
use crate::http::params::invalid;
use crate::http::reply::identity_problem::IdentityProblem;
use crate::http::reply::problem::Problem;

/// Longest name of a caller.
const MAX_USER_CHARS: usize = 255;
/// States whether a request was made by a page of another site (Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The identity of a caller by the headers of a proxy.
///
/// # Errors
/// When a header has more than one line, because a caller may have written the first, or is not text, or gives no role.
pub(crate) fn of_headers(
    config: &ProxyIdentityConfig,
    headers: &HeaderMap,
) -> Result<Option<ExternalIdentity>, Problem> {
    let Some(user) = line(headers, &config.user_header)?.filter(|user| !user.is_empty()) else { return Ok(None) };
    let is_plain = user.chars().count() <= MAX_USER_CHARS && !user.chars().any(char::is_control);
    let name = plain_name(user).filter(|_| is_plain);
    let name = name.ok_or_else(|| unacceptable(&config.user_header, "it is no name", "up to 255 characters"))?;
    let GrantRules { role, region, layers, .. } = &config.rules;
    let mut values: Vec<(&str, Vec<String>)> = Vec::new();
    for header in [Some(role), region.as_ref(), layers.as_ref()].into_iter().flatten() {
        let elements = line(headers, header)?.unwrap_or_default().split(',').map(str::trim);
        values.push((header, elements.filter(|element| !element.is_empty()).map(str::to_owned).collect()));
    }
    let of = |header: &str| {
        let own = values.iter().find(|(name, _)| *name == header);
        own.map(|(_, values)| values.clone()).unwrap_or_default()
    };
    let grant = config.rules.grant(of).map_err(|refusal| Problem::Identity(IdentityProblem::NoGrant(refusal)))?;
    Ok(Some(ExternalIdentity { id: format!("proxy:{user}"), name, grant, expires_at: None }))
}

/// Whether a page of another site made the request: the browser sends what the proxy authenticates it by with it too.
pub(crate) fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "cross-site")
}

/// The only line of a header.
fn line<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut lines = headers.get_all(name);
    let (first, second) = (lines.next(), lines.next());
    if second.is_some() {
        return Err(unacceptable(name, "it is sent more than once", "one line, which the proxy sets"));
    }
    // Names of people need not be ASCII.
    let text = first.map(|value| str::from_utf8(value.as_bytes())).transpose();
    Ok(text.map_err(|_| unacceptable(name, "it is not UTF-8", "UTF-8"))?.map(str::trim))
}

fn unacceptable(header: &str, detail: &str, accepted: &str) -> Problem {
    invalid(header, "", detail, accepted)
}
