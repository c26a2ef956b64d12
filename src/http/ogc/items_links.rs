//! Addresses of pages of features: this one, the next, the previous.

use serde_json::Value as Json;

use crate::http::ogc::items_file::formats_of;
use crate::http::ogc::items_params::ItemsQuery;
use crate::http::params::spec;
use crate::http::reply::links::{encode, link, own_links, with_format};
use crate::http::reply::media::{GEOJSON, MediaType};
use crate::query::items::Page;
use crate::snapshot::Row;

/// The address of the items of a collection.
pub(crate) struct ItemsAddress {
    pub(crate) own: String,
}

impl ItemsAddress {
    /// The URL with the parameters of a query and another cursor.
    pub(crate) fn of(&self, query: &ItemsQuery<'_>, start: Option<(&str, &str)>) -> String {
        let kept = query.parameters.pairs().filter(|(name, _)| !["f", "after", "before"].contains(name));
        let query: Vec<String> =
            kept.chain(start).map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        if query.is_empty() { self.own.clone() } else { format!("{}?{}", self.own, query.join("&")) }
    }

    /// The URL of the page itself.
    pub(crate) fn of_this(&self, query: &ItemsQuery<'_>) -> String {
        let start = [&spec::AFTER, &spec::BEFORE]
            .into_iter()
            .find_map(|param| Some((param.name, query.parameters.get(param)?)));
        self.of(query, start)
    }

    /// The URLs of the previous and the next page.
    pub(crate) fn beside(&self, query: &ItemsQuery<'_>, answer: &Page<'_>) -> (Option<String>, Option<String>) {
        let cursor = |row: &Row<'_>| query.page_request.order.cursor(row).to_string();
        let previous = answer.rows.first().filter(|_| answer.has_previous).map(cursor);
        let next = answer.rows.last().filter(|_| answer.has_next).map(cursor);
        (
            previous.map(|before| self.of(query, Some(("before", &before)))),
            next.map(|after| self.of(query, Some(("after", &after)))),
        )
    }

    /// The URL of the collection.
    pub(crate) fn collection(&self) -> &str {
        self.own.trim_end_matches("/items")
    }
}

/// Links of a page of features.
pub(crate) fn page_links(
    query: &ItemsQuery<'_>,
    answer: &Page<'_>,
    address: &ItemsAddress,
    form: MediaType,
) -> Vec<Json> {
    let mut links = own_links(&address.of_this(query), form, &formats_of(query.view.schema()));
    links.push(link(address.collection(), "collection", "application/json", "The collection"));
    let (previous, next) = address.beside(query, answer);
    let page = |address: String, rel: &str, title: &str| {
        let address = if form == GEOJSON { address } else { with_format(&address, form.name) };
        link(&address, rel, form.media_type, title)
    };
    links.extend(previous.map(|address| page(address, "prev", "The previous page")));
    links.extend(next.map(|address| page(address, "next", "The next page")));
    links
}
