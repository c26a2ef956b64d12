//! Subscriptions of other services to what happens in an area: notices are derived from the snapshot, kept in a private
//! file, and delivered to webhooks.

pub mod delivery;
mod registry;
pub mod watching;
pub mod webhook;

pub use registry::{
    DeliveryCounts, LIMITS, MAX_SEEN, Notice, NoticeFigures, Registry, SubscriptionDocument, Views, WebhookTarget,
};
