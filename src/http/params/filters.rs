//! Parameters that choose features: `filter`, `datetime`, `ids`, `q` and properties by their names.

use crate::http::params::crs::crs_by_uri;
use crate::http::params::{QueryParams, invalid, spec};
use crate::http::reply::problem::Problem;
use crate::model::View;
use crate::query::filter::{Filter, Language};

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
