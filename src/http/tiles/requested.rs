//! Tiles by the request for them: a request that was answered before is not read again.
//!
//! Reading a tile request (layers, filter, format, content encoding) takes longer than finding the tile in the cache. What
//! it means depends only on its address and two headers, because layers and roles are fixed while the server runs.

use std::hash::Hash;
use std::sync::{Arc, Weak};

use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::snapshot::Version;
use crate::tile::TileFormat;
use crate::tile::cache::CachedTile;

/// Requests that are remembered.
const CAPACITY: usize = 20_000;
/// A longer request is not remembered, so that the memory is bounded.
const MAX_BYTES: usize = 1_000;

#[derive(PartialEq, Eq, Hash)]
struct TileRequestText<T> {
    path: T,
    query: T,
    accept: T,
    accept_encoding: T,
}

impl<'a> TileRequestText<&'a str> {
    /// `None` if the request has one of the headers twice, or is long.
    fn of(uri: &'a Uri, headers: &'a HeaderMap) -> Option<Self> {
        let header = |name: HeaderName| {
            let mut values = headers.get_all(name);
            let only = values.next().map_or(Some(""), |value| value.to_str().ok())?;
            values.next().is_none().then_some(only)
        };
        let (path, query) = (uri.path(), uri.query().unwrap_or_default());
        let (accept, accept_encoding) = (header(header::ACCEPT)?, header(header::ACCEPT_ENCODING)?);
        let is_short = path.len() + query.len() + accept.len() + accept_encoding.len() <= MAX_BYTES;
        is_short.then_some(Self { path, query, accept, accept_encoding })
    }

    fn to_owned(&self) -> TileRequestText<Box<str>> {
        let Self { path, query, accept, accept_encoding } = *self;
        TileRequestText {
            path: path.into(),
            query: query.into(),
            accept: accept.into(),
            accept_encoding: accept_encoding.into(),
        }
    }
}

impl Equivalent<TileRequestText<Box<str>>> for TileRequestText<&str> {
    fn equivalent(&self, own: &TileRequestText<Box<str>>) -> bool {
        let TileRequestText { path, query, accept, accept_encoding } = own;
        (self.path, self.query, self.accept, self.accept_encoding) == (path, query, accept, accept_encoding)
    }
}

/// The tiles that the latest requests asked for. It keeps no tile alive: that is what the tile cache does.
pub(crate) struct RequestedTiles(Cache<TileRequestText<Box<str>>, (TileFormat, Weak<CachedTile>)>);

impl Default for RequestedTiles {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl RequestedTiles {
    /// The tile of a request, if it is cached and known to be valid for a version of the data.
    pub(crate) fn find(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        version: Version,
    ) -> Option<(TileFormat, Arc<CachedTile>)> {
        let (format, tile) = self.0.get(&TileRequestText::of(uri, headers)?)?;
        let tile = tile.upgrade().filter(|tile| tile.is_known_for(version))?;
        Some((format, tile))
    }

    /// Remembers the tile of a request.
    pub(crate) fn remember(&self, uri: &Uri, headers: &HeaderMap, format: TileFormat, tile: &Arc<CachedTile>) {
        if let Some(request) = TileRequestText::of(uri, headers) {
            self.0.insert(request.to_owned(), (format, Arc::downgrade(tile)));
        }
    }
}
