//! The registered layers of a database. A configured table may be missing at start; when it appears, a new generation
//! of layers replaces the previous one, with the same ids and indices.

use std::sync::{Arc, OnceLock};

use super::source::Source;
use crate::model::LayerSchema;

/// Layers, and the generation that followed. Generations are kept, so that borrowed schemas stay valid; there is at most
/// one for each configured table.
pub(super) struct Generation {
    pub(super) schemas: Vec<LayerSchema>,
    /// One for each schema.
    pub(super) sources: Vec<Arc<Source>>,
    next: OnceLock<Box<Generation>>,
}

impl Generation {
    pub(super) fn new(sources: Vec<Arc<Source>>) -> Self {
        let schemas = sources.iter().map(|source| source.schema.clone()).collect();
        Self { schemas, sources, next: OnceLock::new() }
    }

    /// The current generation.
    pub(super) fn newest(&self) -> &Self {
        let mut generation = self;
        while let Some(next) = generation.next.get() {
            generation = next;
        }
        generation
    }

    /// Starts a generation with another source at an index.
    pub(super) fn replace(&self, at: usize, source: Source) {
        let newest = self.newest();
        let mut sources = newest.sources.clone();
        if let Some(place) = sources.get_mut(at) {
            *place = Arc::new(source);
        }
        // Only the follower replaces sources; if the cell is already set, the next check finds the table again.
        let _ = newest.next.set(Box::new(Self::new(sources)));
    }
}
