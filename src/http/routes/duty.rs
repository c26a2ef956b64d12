//! Endpoints for the duty office: statistics of situation reports, needs of evacuees.

use crate::http::api::{needs, statistics};
use crate::http::endpoint::{Endpoint, Thread, ok};
use crate::http::endpoint_kinds::{DISPATCH, JSON_TYPE, TABLE};
use crate::http::params::duty::{NEEDS, STATISTICS};
use crate::http::reply::media::{CSV, JSON};

pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        id: "getStatistics",
        tag: DISPATCH,
        summary: "Figures of situation reports by day and township, with the townships that have not reported",
        thread: Thread::Bulk,
        params: STATISTICS,
        formats: &[JSON, CSV],
        replies: &[ok(JSON_TYPE, "statistics"), TABLE],
        ..Endpoint::get("/api/statistics", statistics::statistics)
    },
    Endpoint {
        id: "getNeeds",
        tag: DISPATCH,
        summary: "What evacuees need at least, beside the free stock",
        thread: Thread::Interactive,
        params: NEEDS,
        replies: &[ok(JSON_TYPE, "needs")],
        ..Endpoint::get("/api/needs", needs::needs)
    },
];
