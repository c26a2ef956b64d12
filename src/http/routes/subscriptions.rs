//! Endpoints of subscriptions: notices of what happens in an area, for other services.

use crate::http::api::{health, subscription_events, subscriptions};
use crate::http::endpoint::{Access, Body, Endpoint, Handler, Success, Verb, empty, ok};
use crate::http::endpoint_kinds::{DISPATCH, JSON_TYPE};
use crate::http::params::lists::SUBSCRIPTION_EVENTS;

pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        id: "getSubscriptions",
        tag: DISPATCH,
        summary: "Own subscriptions to what happens in an area; an administrator sees all",
        access: Access::Dispatch,
        handler: Handler::Async(|call| Box::pin(subscriptions::list(call))),
        replies: &[ok(JSON_TYPE, "subscriptions")],
        ..Endpoint::get("/api/subscriptions", health::live)
    },
    Endpoint {
        method: Verb::Post,
        id: "subscribe",
        tag: DISPATCH,
        summary: "Subscribe to features that enter or leave an area, or change in it: by a signed webhook or a stream",
        access: Access::Dispatch,
        handler: Handler::Async(|call| Box::pin(subscriptions::create(call))),
        body: Some(Body { media_types: &[JSON_TYPE], schema: "subscriptionRequest", max_bytes: 500_000 }),
        replies: &[Success { status: 201, media_type: JSON_TYPE, schema: "subscription" }],
        ..Endpoint::get("/api/subscriptions", health::live)
    },
    Endpoint {
        id: "getSubscription",
        tag: DISPATCH,
        summary: "A subscription",
        access: Access::Dispatch,
        handler: Handler::Async(|call| Box::pin(subscriptions::one(call))),
        replies: &[ok(JSON_TYPE, "subscription")],
        ..Endpoint::get("/api/subscriptions/{subscriptionId}", health::live)
    },
    Endpoint {
        method: Verb::Delete,
        id: "unsubscribe",
        tag: DISPATCH,
        summary: "End a subscription; notices that were not delivered are dropped",
        access: Access::Dispatch,
        handler: Handler::Async(|call| Box::pin(subscriptions::delete(call))),
        replies: &[empty(204)],
        ..Endpoint::get("/api/subscriptions/{subscriptionId}", health::live)
    },
    Endpoint {
        id: "getSubscriptionEvents",
        tag: DISPATCH,
        summary: "Notices of a subscription as server-sent events; Last-Event-ID resumes a stream",
        access: Access::Dispatch,
        handler: Handler::Async(|call| Box::pin(subscription_events::events(call))),
        params: SUBSCRIPTION_EVENTS,
        replies: &[ok("text/event-stream", "")],
        ..Endpoint::get("/api/subscriptions/{subscriptionId}/events", health::live)
    },
    Endpoint {
        id: "getDeadNotices",
        tag: DISPATCH,
        summary: "Notices that could not be delivered and were given up",
        access: Access::Dispatch,
        handler: Handler::Async(|call| Box::pin(subscriptions::dead(call))),
        replies: &[ok(JSON_TYPE, "deadNotices")],
        ..Endpoint::get("/api/subscriptions/{subscriptionId}/dead", health::live)
    },
    Endpoint {
        method: Verb::Post,
        id: "resendNotices",
        tag: DISPATCH,
        summary: "Deliver notices again that were given up",
        access: Access::Dispatch,
        handler: Handler::Async(|call| Box::pin(subscriptions::resend(call))),
        replies: &[ok(JSON_TYPE, "resent")],
        ..Endpoint::get("/api/subscriptions/{subscriptionId}/resend", health::live)
    },
];
