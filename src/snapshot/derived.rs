//! A layer that is computed from the others, kept as long as the snapshot and the day are the same.

use std::sync::{Arc, Mutex, PoisonError};

use time::Date;

use super::{Layer, Version};

/// The newest state of a derived layer.
#[derive(Debug, Default)]
pub struct DerivedLayer(Mutex<Option<(Version, Date, Arc<Layer>)>>);

impl DerivedLayer {
    /// The layer of a version and a day, built if it is not kept. Callers who want it at once wait for one build.
    ///
    /// # Errors
    /// What the build answers.
    pub fn get_or_build<E>(
        &self,
        version: Version,
        today: Date,
        build: impl FnOnce() -> Result<Layer, E>,
    ) -> Result<Arc<Layer>, E> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((own_version, day, layer)) = &*kept
            && (*own_version, *day) == (version, today)
        {
            return Ok(layer.clone());
        }
        let layer = Arc::new(build()?);
        *kept = Some((version, today, layer.clone()));
        Ok(layer)
    }
}
