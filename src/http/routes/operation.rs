//! Endpoints of operation: health, sessions, audit log, the API description and the viewer.

use crate::http::api::{audit, health, session};
use crate::http::assets;
use crate::http::call::Call;
use crate::http::endpoint::{Access, Body, Endpoint, Handler, Success, Thread, Verb, empty, ok};
use crate::http::endpoint_kinds::{JSON_TYPE, OPENAPI, OPERATION};
use crate::http::openapi;
use crate::http::params::lists::{AUDIT, FORMAT_ONLY, VIEWER_FILE};
use crate::http::params::viewer::VIEWER;
use crate::http::reply::Reply;
use crate::http::reply::problem::Problem;

/// `GET /openapi.json`: the whole API.
fn api_document(call: &Call<'_>) -> Result<Reply, Problem> {
    call.format()?;
    Ok(openapi::document(call, &super::ENDPOINTS, "", "onemap"))
}

pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        id: "getLive",
        tag: OPERATION,
        summary: "Whether the process handles requests",
        replies: &[ok(JSON_TYPE, "anything")],
        access: Access::Open,
        ..Endpoint::get("/health/live", health::live)
    },
    Endpoint {
        id: "getReady",
        tag: OPERATION,
        summary: "Whether the snapshot follows the store",
        replies: &[ok(JSON_TYPE, "health"), Success { status: 503, media_type: JSON_TYPE, schema: "health" }],
        access: Access::Open,
        ..Endpoint::get("/health/ready", health::ready)
    },
    Endpoint {
        id: "getMetrics",
        tag: OPERATION,
        summary: "Metrics in the text format of Prometheus",
        replies: &[ok("text/plain", "")],
        access: Access::Operate,
        ..Endpoint::get("/metrics", health::metrics)
    },
    Endpoint {
        id: "getSession",
        tag: OPERATION,
        summary: "Who the caller is, and what it may do",
        replies: &[ok(JSON_TYPE, "session")],
        ..Endpoint::get("/api/session", session::session)
    },
    Endpoint {
        method: Verb::Post,
        id: "signIn",
        tag: OPERATION,
        summary: "Sign a browser in: a cookie with the secret of an account, or a token of the identity provider",
        access: Access::Open,
        body: Some(Body { media_types: &[JSON_TYPE], schema: "signIn", max_bytes: 10_000 }),
        handler: Handler::Async(|call| Box::pin(session::sign_in(call))),
        replies: &[ok(JSON_TYPE, "signedIn")],
        ..Endpoint::get("/api/session", session::session)
    },
    Endpoint {
        method: Verb::Delete,
        id: "signOut",
        tag: OPERATION,
        summary: "Sign a browser out",
        access: Access::Open,
        replies: &[empty(204)],
        ..Endpoint::get("/api/session", session::sign_out)
    },
    Endpoint {
        id: "getAudit",
        tag: OPERATION,
        summary: "The audit log: who did what, when and from where",
        access: Access::Admin,
        params: AUDIT,
        handler: Handler::Async(|call| Box::pin(audit::entries(call))),
        replies: &[ok(JSON_TYPE, "audit")],
        ..Endpoint::get("/api/audit", health::live)
    },
    Endpoint {
        method: Verb::Post,
        id: "reveal",
        tag: OPERATION,
        summary: "Names and phones of one feature, unmasked; the reason is recorded",
        access: Access::Reveal,
        thread: Thread::Interactive,
        body: Some(Body { media_types: &[JSON_TYPE], schema: "revealRequest", max_bytes: 10_000 }),
        replies: &[ok(JSON_TYPE, "revealed")],
        ..Endpoint::get("/api/reveal", audit::reveal)
    },
    Endpoint {
        id: "getApi",
        tag: OPERATION,
        summary: "This description",
        params: FORMAT_ONLY,
        formats: &[OPENAPI],
        replies: &[ok(openapi::MEDIA_TYPE, "anything"), empty(304)],
        ..Endpoint::get("/openapi.json", api_document)
    },
    Endpoint { params: VIEWER, ignores_unknown: true, access: Access::Open, ..Endpoint::get("/", assets::viewer) },
    Endpoint { access: Access::Open, ..Endpoint::get("/service-worker.js", assets::service_worker) },
    Endpoint { access: Access::Open, ..Endpoint::get("/docs", assets::docs) },
    Endpoint { params: VIEWER_FILE, access: Access::Open, ..Endpoint::get("/viewer/{file:.*}", assets::viewer_file) },
];
