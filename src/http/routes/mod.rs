//! The table of all endpoints: path, method, access, thread, parameters, bodies and replies.

mod dispatch;
mod duty;
mod imports;
mod ogc;
mod operation;
mod subscriptions;
mod tiles;

use std::sync::LazyLock;

use crate::http::endpoint::Endpoint;

/// All endpoints. Routes are tried in this order, so the most frequent paths come first.
pub(crate) static ENDPOINTS: LazyLock<Vec<&'static Endpoint>> = LazyLock::new(|| {
    [
        tiles::ENDPOINTS,
        dispatch::ENDPOINTS,
        duty::ENDPOINTS,
        imports::ENDPOINTS,
        subscriptions::ENDPOINTS,
        operation::ENDPOINTS,
        ogc::ENDPOINTS,
    ]
    .into_iter()
    .flatten()
    .collect()
});
