//! Failures of the store as problems of a request.

use crate::http::reply::problem::Problem;
use crate::store::{self, Remedy};

impl From<store::StoreError> for Problem {
    fn from(error: store::StoreError) -> Self {
        match error {
            store::StoreError::Edit { index, reason } => Self::EditRefused { edit: index, reason },
            store::StoreError::KeyReused { key } => Self::KeyReused { key },
            error @ (store::StoreError::Duplicate { .. } | store::StoreError::Import(_)) => {
                Self::ImportConflict { detail: error.to_string() }
            }
            store::StoreError::ReadOnlyLayer { layer } => Self::ReadOnlyLayer { layer },
            store::StoreError::OutcomeUnknown { .. } => {
                tracing::warn!(%error, "the outcome of a write is unknown");
                Self::OutcomeUnknown
            }
            error => match error.remedy() {
                Remedy::Wait => {
                    tracing::warn!(%error, "a write was refused: the store is unreachable");
                    Self::Unavailable
                }
                Remedy::Space => {
                    tracing::error!(%error, "a write failed: the disk of the store is full");
                    Self::NoSpace
                }
                Remedy::Permission => Self::WritesDisabled,
                Remedy::Repair => Self::internal(&error),
            },
        }
    }
}
