//! The JSON API for dispatchers, viewers and other services: `/api` and `/health`.

mod alert_facts;
mod alert_report;
pub(crate) mod alerts;
pub(crate) mod allocations;
pub(crate) mod allocations_params;
pub(crate) mod audit;
pub(crate) mod by_road;
pub(crate) mod change_events;
pub(crate) mod clusters;
pub(crate) mod commitments;
pub(crate) mod coordinates;
pub(crate) mod coverage;
pub(crate) mod events;
pub(crate) mod exclusion;
pub(crate) mod health;
pub(crate) mod labels;
pub(crate) mod layers;
pub(crate) mod nearest;
pub(crate) mod nearest_params;
pub(crate) mod routes;
pub(crate) mod search;
pub(crate) mod session;
pub(crate) mod siting;
pub(crate) mod surroundings;
mod surroundings_map;
pub(crate) mod surroundings_params;
pub(crate) mod surroundings_report;
