//! The HTTP API: parse the request, call a function, render the reply. `routes` is the table of all endpoints.

mod api;
mod assets;
mod call;
mod cors;
mod dash_styles;
mod default_style;
mod endpoint;
mod endpoint_kinds;
mod fair_queue;
mod fonts;
mod forwarded;
mod map_style;
mod map_theme;
mod metrics;
mod ogc;
mod openapi;
mod params;
mod peer;
mod rate_limits;
mod reply;
mod request_log;
mod response_head;
mod routes;
mod service;
mod state;
mod store_time;
mod tiles;
mod tls;
mod workers;

pub use actix_web::dev::Server;
pub use cors::AllowedOrigins;
pub use forwarded::Reachability;
pub use params::auth::{AccessControl, BearerToken};
pub use service::{Listener, serve};
pub use state::{Limits, Service};
pub use tls::{Tls, TlsError, TlsFiles};
