//! Parameters that several queries share: the condition `filter` and the instant `at`.

use time::UtcDateTime;

use crate::clock;
use crate::http::params::crs::crs_by_uri;
use crate::http::params::{QueryParams, invalid, spec};
use crate::http::reply::problem::Problem;
use crate::model::{View, parse_zoned_instant};
use crate::query::filter::{Filter, Language};

/// The instant of the parameter `at`; now without it.
///
/// # Errors
/// When it is not an instant with a zone.
pub(crate) fn instant(params: &QueryParams) -> Result<UtcDateTime, Problem> {
    let Some(text) = params.get(&spec::AT) else { return Ok(clock::now()) };
    let accepted = "an instant with a zone, such as 2026-08-14T20:00:00+08:00";
    parse_zoned_instant(text).ok_or_else(|| {
        invalid(spec::AT.name, text, "it is not an instant with a zone in the years 0000 to 9999", accepted)
    })
}

/// The filter of the parameter `filter` on the properties that the caller may see; coordinates are longitude,
/// latitude, or those of `filter-crs`.
///
/// # Errors
/// When it is not valid CQL2, or names a property that is not in the view.
pub(crate) fn filter(params: &QueryParams, view: &View<'_>) -> Result<Option<Filter>, Problem> {
    let crs = crs_by_uri(params, &spec::FILTER_CRS)?;
    let language = match params.choice(&spec::FILTER_LANG)? {
        "cql2-json" => Language::Json,
        _ => Language::Text,
    };
    let Some(text) = params.get(&spec::FILTER) else { return Ok(None) };
    let accepted = "a CQL2 expression on the properties of the collection, such as status='open' AND capacity>=100";
    let filter = Filter::read_in(&crs, text, language, view);
    filter.map(Some).map_err(|error| invalid(spec::FILTER.name, text, &error.to_string(), accepted))
}
