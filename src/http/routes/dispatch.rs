//! Endpoints for dispatchers and map viewers: nearest, allocation, surroundings, search, audits, layers, events.

use crate::http::api::{
    alerts, allocations, commitments, coordinates, coverage, events, health, isochrones, layers, nearest,
    nearest_params, routes, search, siting, surroundings,
};
use crate::http::endpoint::{Access, Body, Endpoint, Handler, Success, Thread, Verb, ok};
use crate::http::endpoint_kinds::{DISPATCH, GEOJSON_TYPE, JSON_TYPE, MAP, PAGE, TABLE};
use crate::http::params::lists::{
    ALERTS, ALLOCATION, COMMITMENTS, COORDINATES, COVERAGE, EVENTS, FORMAT_ONLY, ISOCHRONES, PRINTED, ROUTES, SEARCH,
    SITING, SURROUNDINGS, SURROUNDINGS_OF_BODY,
};
use crate::http::reply::media::{CSV, GEOJSON_NAMED, HTML, JSON, NDJSON};

pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        id: "getNearest",
        tag: DISPATCH,
        summary: "The nearest resources that meet a demand",
        thread: Thread::Interactive,
        handler: Handler::Budgeted(nearest::nearest),
        params: nearest_params::PARAMS,
        replies: &[ok(GEOJSON_TYPE, "nearest")],
        ..Endpoint::get("/api/nearest", nearest::nearest)
    },
    Endpoint {
        method: Verb::Post,
        id: "postNearest",
        is_long: nearest::is_long,
        tag: DISPATCH,
        summary: "The nearest resources for parameters in a JSON body; with up to 10,000 points, one reply per line",
        thread: Thread::Interactive,
        params: FORMAT_ONLY,
        formats: &[NDJSON, GEOJSON_NAMED],
        body: Some(Body { media_types: &[JSON_TYPE, GEOJSON_TYPE], schema: "nearestRequest", max_bytes: 1_000_000 }),
        replies: &[ok(GEOJSON_TYPE, "nearestOfBody"), ok(NDJSON.media_type, "")],
        ..Endpoint::get("/api/nearest", nearest::nearest_of_body)
    },
    Endpoint {
        method: Verb::Post,
        id: "allocate",
        tag: DISPATCH,
        summary: "Resources for several demands at once: as much as possible served, nothing given twice, least total distance",
        thread: Thread::Bulk,
        params: PRINTED,
        formats: &[GEOJSON_NAMED, CSV, HTML],
        body: Some(Body { media_types: &[JSON_TYPE], schema: "allocationRequest", max_bytes: 1_000_000 }),
        replies: &[ok(GEOJSON_TYPE, "allocation"), TABLE, PAGE],
        ..Endpoint::get("/api/allocations", allocations::allocations)
    },
    Endpoint {
        id: "getAllocation",
        tag: DISPATCH,
        summary: "The same with an address, to print it or to send it to a colleague",
        thread: Thread::Bulk,
        params: ALLOCATION,
        formats: &[GEOJSON_NAMED, CSV, HTML],
        replies: &[ok(GEOJSON_TYPE, "allocation"), TABLE, PAGE],
        ..Endpoint::get("/api/allocations", allocations::allocations)
    },
    Endpoint {
        id: "getCommitments",
        tag: DISPATCH,
        summary: "What is promised to incidents: the commitments that are open",
        thread: Thread::Interactive,
        params: COMMITMENTS,
        replies: &[ok(GEOJSON_TYPE, "commitments")],
        ..Endpoint::get("/api/commitments", commitments::list)
    },
    Endpoint {
        method: Verb::Post,
        id: "commit",
        tag: DISPATCH,
        summary: "Promise a resource to an incident: refused beyond what is free, unless a reason is given",
        access: Access::Dispatch,
        handler: Handler::Async(|call| Box::pin(commitments::create(call))),
        body: Some(Body { media_types: &[JSON_TYPE], schema: "commitmentRequest", max_bytes: 1_000_000 }),
        replies: &[Success { status: 201, media_type: GEOJSON_TYPE, schema: "commitment" }],
        ..Endpoint::get("/api/commitments", health::live)
    },
    Endpoint {
        method: Verb::Patch,
        id: "updateCommitment",
        tag: DISPATCH,
        summary: "The next state of a commitment, another end, or a remark; released returns what was promised",
        access: Access::Dispatch,
        handler: Handler::Async(|call| Box::pin(commitments::update(call))),
        body: Some(Body {
            media_types: &[JSON_TYPE, "application/merge-patch+json"],
            schema: "commitmentChange",
            max_bytes: 10_000,
        }),
        replies: &[ok(GEOJSON_TYPE, "commitment")],
        ..Endpoint::get("/api/commitments/{commitmentId}", health::live)
    },
    Endpoint {
        id: "getRoute",
        tag: DISPATCH,
        summary: "The quickest route on open roads between two positions, and what it crosses",
        thread: Thread::Interactive,
        params: ROUTES,
        replies: &[ok(GEOJSON_TYPE, "route")],
        ..Endpoint::get("/api/routes", routes::routes)
    },
    Endpoint {
        id: "getIsochrones",
        tag: DISPATCH,
        summary: "The areas that can be reached on open roads within some times, from a position or to it",
        thread: Thread::Bulk,
        params: ISOCHRONES,
        replies: &[ok(GEOJSON_TYPE, "isochrones")],
        ..Endpoint::get("/api/isochrones", isochrones::isochrones)
    },
    Endpoint {
        id: "getSurroundings",
        tag: DISPATCH,
        summary: "Surroundings of a point or a feature",
        thread: Thread::Bulk,
        params: SURROUNDINGS,
        formats: &[JSON, HTML, CSV],
        replies: &[ok(JSON_TYPE, "surroundings"), PAGE, TABLE],
        ..Endpoint::get("/api/surroundings", surroundings::surroundings)
    },
    Endpoint {
        method: Verb::Post,
        id: "postSurroundings",
        tag: DISPATCH,
        summary: "Contents of an area",
        thread: Thread::Bulk,
        params: SURROUNDINGS_OF_BODY,
        formats: &[JSON, HTML, CSV],
        body: Some(Body { media_types: &[GEOJSON_TYPE, JSON_TYPE], schema: "anything", max_bytes: 2_000_000 }),
        replies: &[ok(JSON_TYPE, "surroundings"), PAGE, TABLE],
        ..Endpoint::get("/api/surroundings", surroundings::surroundings_of_body)
    },
    Endpoint {
        id: "getAlert",
        tag: DISPATCH,
        summary: "From a warning to persons: people, responsible persons, loudspeakers, shelters and stations in its area",
        thread: Thread::Bulk,
        params: ALERTS,
        formats: &[JSON, HTML, CSV],
        replies: &[ok(JSON_TYPE, "alert"), PAGE, TABLE],
        ..Endpoint::get("/api/alerts/{warningId}", alerts::alerts)
    },
    Endpoint {
        id: "search",
        tag: DISPATCH,
        summary: "Features by name, pinyin, initials or code",
        thread: Thread::Interactive,
        params: SEARCH,
        replies: &[ok(GEOJSON_TYPE, "found")],
        ..Endpoint::get("/api/search", search::search)
    },
    Endpoint {
        id: "auditSiting",
        tag: DISPATCH,
        summary: "Places with people inside risk zones",
        thread: Thread::Bulk,
        params: SITING,
        formats: &[GEOJSON_NAMED, CSV],
        replies: &[ok(GEOJSON_TYPE, "found"), TABLE],
        ..Endpoint::get("/api/audits/siting", siting::siting)
    },
    Endpoint {
        id: "getCoordinates",
        tag: MAP,
        summary: "A position in the coordinate systems in use: easting and northing, GCJ-02, BD-09",
        params: COORDINATES,
        replies: &[ok(JSON_TYPE, "coordinates")],
        ..Endpoint::get("/api/coordinates", coordinates::coordinates)
    },
    Endpoint {
        id: "getCoverage",
        tag: DISPATCH,
        summary: "Distances from places with people to help",
        thread: Thread::Bulk,
        params: COVERAGE,
        formats: &[GEOJSON_NAMED, CSV],
        replies: &[ok(GEOJSON_TYPE, "found"), TABLE],
        ..Endpoint::get("/api/coverage", coverage::coverage)
    },
    Endpoint {
        id: "getLayers",
        tag: MAP,
        summary: "Layers, their fields, units and code lists",
        replies: &[ok(JSON_TYPE, "layers")],
        ..Endpoint::get("/api/layers", layers::layers)
    },
    Endpoint {
        id: "getEvents",
        tag: MAP,
        summary: "Changes as server-sent events; Last-Event-ID resumes a stream",
        handler: Handler::Async(|call| Box::pin(events::events(call))),
        params: EVENTS,
        replies: &[ok("text/event-stream", "")],
        ..Endpoint::get("/api/events", health::live)
    },
];
