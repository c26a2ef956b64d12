//! A layer computed from other layers, cached per snapshot version and date.

use std::sync::{Arc, Mutex, PoisonError};

use time::Date;

use super::{Layer, Version};

/// The cached state of a derived layer.
#[derive(Debug, Default)]
pub struct DerivedLayer(Mutex<Option<(Version, Date, Arc<Layer>)>>);

impl DerivedLayer {
    /// The layer for a version and a date, built if not cached. Concurrent requests wait for one build.
    ///
    /// # Errors
    /// The error of the build.
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
