//! A store that could not be opened when the server started. Opening is retried with every full read.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use super::{AuditPart, AuditRow, Changes, LayerStatus, LogPosition, Sink, Store, StoreError};
use crate::model::{
    Applied, AuditEntry, Batch, Feature, ImportCounts, ImportSource, LayerIndex, LayerSchema, PastImport, Undo, Undone,
};

/// Opens the store.
pub type Opener = Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Store>, StoreError>> + Send + Sync>;

/// A store that may not be open yet; when it is open, every call is forwarded to it.
pub struct DeferredStore {
    location: String,
    /// The layers when the store was last open.
    schemas: Vec<LayerSchema>,
    open: Opener,
    opened: OnceCell<Arc<dyn Store>>,
}

impl DeferredStore {
    /// The store at `location`, whose layers were `schemas` when it was last open.
    #[must_use]
    pub fn new(location: String, schemas: Vec<LayerSchema>, open: Opener) -> Self {
        Self { location, schemas, open, opened: OnceCell::new() }
    }

    /// Only a full read opens the store, because layer indices are valid only after it.
    fn store(&self) -> Result<&dyn Store, StoreError> {
        let unopened = || StoreError::Unopened { location: self.location.clone() };
        self.opened.get().map(AsRef::as_ref).ok_or_else(unopened)
    }
}

impl Store for DeferredStore {
    fn location(&self) -> &str {
        &self.location
    }

    fn schemas(&self) -> &[LayerSchema] {
        self.opened.get().map_or(&self.schemas, |store| store.schemas())
    }

    fn read_all<'a>(&'a self, sink: Sink<'a>) -> BoxFuture<'a, Result<LogPosition, StoreError>> {
        Box::pin(async move { self.opened.get_or_try_init(|| (self.open)()).await?.read_all(sink).await })
    }

    fn changes_since<'a>(&'a self, position: &'a LogPosition) -> BoxFuture<'a, Result<Changes, StoreError>> {
        Box::pin(async move { self.store()?.changes_since(position).await })
    }

    fn layer_statuses(&self) -> Vec<LayerStatus> {
        self.store().map_or_else(|_| vec![LayerStatus::default(); self.schemas.len()], Store::layer_statuses)
    }

    fn has_unavailable_layers(&self) -> bool {
        self.store().is_ok_and(Store::has_unavailable_layers)
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.store().map_or_else(|_| Box::pin(std::future::pending()) as BoxFuture<'_, ()>, Store::changed)
    }

    fn append<'a>(
        &'a self,
        layer: LayerIndex,
        features: &'a mut (dyn Iterator<Item = Feature> + Send),
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(async move { self.store()?.append(layer, features).await })
    }

    fn import<'a>(
        &'a self,
        layer: LayerIndex,
        source: &'a mut dyn ImportSource,
    ) -> BoxFuture<'a, Result<Option<ImportCounts>, StoreError>> {
        Box::pin(async move { self.store()?.import(layer, source).await })
    }

    fn imports<'a>(&'a self, id: Option<&'a str>, limit: u32) -> BoxFuture<'a, Result<Vec<PastImport>, StoreError>> {
        Box::pin(async move { self.store()?.imports(id, limit).await })
    }

    fn undo_import<'a>(&'a self, undo: &'a Undo) -> BoxFuture<'a, Result<Undone, StoreError>> {
        Box::pin(async move { self.store()?.undo_import(undo).await })
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, StoreError>> {
        Box::pin(async move { self.store()?.apply(batch).await })
    }

    fn record<'a>(&'a self, entries: &'a [AuditEntry]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.store()?.record(entries).await })
    }

    fn audit_rows(&self, part: AuditPart, limit: u32) -> BoxFuture<'_, Result<Vec<AuditRow>, StoreError>> {
        Box::pin(async move { self.store()?.audit_rows(part, limit).await })
    }

    fn prune_audit<'a>(&'a self, through: i64, entry: &'a AuditEntry) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.store()?.prune_audit(through, entry).await })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Ok(store) = self.store() {
                store.close().await;
            }
        })
    }
}
