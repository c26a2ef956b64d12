//! Endpoints of imports by upload.

use crate::http::api::{health, imports};
use crate::http::endpoint::{Access, Body, Endpoint, Handler, Success, Verb, empty, ok};
use crate::http::endpoint_kinds::{JSON_TYPE, OPERATION, TABLE};
use crate::http::params::lists::{FORMAT_ONLY, UPLOAD};
use crate::http::reply::media::{CSV, JSON, XLSX};

const OPTIONS: Body = Body { media_types: &[JSON_TYPE], schema: "importOptions", max_bytes: 100_000 };

pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        id: "getImports",
        tag: OPERATION,
        summary: "The last imports: who imported which file, and what it changed",
        access: Access::Write,
        handler: Handler::Async(|call| Box::pin(imports::list(call))),
        replies: &[ok(JSON_TYPE, "imports")],
        ..Endpoint::get("/api/imports", health::live)
    },
    Endpoint {
        method: Verb::Post,
        id: "uploadImport",
        tag: OPERATION,
        summary: "Send a file and see what it would change; nothing is stored yet",
        access: Access::Write,
        handler: Handler::Async(|call| Box::pin(imports::upload(call))),
        params: UPLOAD,
        body: Some(Body {
            media_types: &["application/octet-stream"],
            schema: "anything",
            max_bytes: imports::MAX_FILE_BYTES,
        }),
        replies: &[Success { status: 201, media_type: JSON_TYPE, schema: "importPreview" }],
        ..Endpoint::get("/api/imports", health::live)
    },
    Endpoint {
        method: Verb::Post,
        id: "previewImport",
        tag: OPERATION,
        summary: "What a sent file would change with other options, or its report as a table",
        access: Access::Write,
        handler: Handler::Async(|call| Box::pin(imports::look(call))),
        params: FORMAT_ONLY,
        formats: &[JSON, CSV, XLSX],
        body: Some(OPTIONS),
        replies: &[ok(JSON_TYPE, "importPreview"), TABLE, ok(XLSX.media_type, "")],
        ..Endpoint::get("/api/imports/{importId}/preview", health::live)
    },
    Endpoint {
        method: Verb::Post,
        id: "confirmImport",
        tag: OPERATION,
        summary: "Import a sent file: all rows, or the valid ones with skip_bad",
        access: Access::Write,
        handler: Handler::Async(|call| Box::pin(imports::confirm(call))),
        body: Some(OPTIONS),
        replies: &[ok(JSON_TYPE, "importResult")],
        ..Endpoint::get("/api/imports/{importId}", health::live)
    },
    Endpoint {
        method: Verb::Delete,
        id: "discardImport",
        tag: OPERATION,
        summary: "Discard a sent file",
        access: Access::Write,
        replies: &[empty(204)],
        ..Endpoint::get("/api/imports/{importId}", imports::discard)
    },
    Endpoint {
        method: Verb::Post,
        id: "undoImport",
        tag: OPERATION,
        summary: "Undo an import: its features have their earlier values again",
        access: Access::Write,
        handler: Handler::Async(|call| Box::pin(imports::undo(call))),
        body: Some(Body { media_types: &[JSON_TYPE], schema: "importUndo", max_bytes: 1_000 }),
        replies: &[ok(JSON_TYPE, "importUndone")],
        ..Endpoint::get("/api/imports/{importId}/undo", health::live)
    },
];
