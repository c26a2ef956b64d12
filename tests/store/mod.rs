//! Stores: the contract of both backends, and behaviour of each backend.

/// Tests of a property that both backends have.
macro_rules! held_by_both {
    ($($promise:ident),+ $(,)?) => {
        mod geopackage { $(#[tokio::test(flavor = "multi_thread")] async fn $promise() { super::$promise(super::Backend::geopackage().await).await; })+ }
        mod postgis { $(#[tokio::test(flavor = "multi_thread")] async fn $promise() { super::$promise(super::Backend::postgis().await).await; })+ }
    };
}

mod backup;
mod contract;
mod foreign;
mod geopackage;
mod geopackage_faults;
mod imports;
mod kills;
mod missing_tables;
mod owners;
mod pooler;
mod postgis;
mod shared_state;
mod unreadable;
mod upgrade;
mod writers;
