//! Commitments: what is promised of resources to incidents, until when and by whom.

mod commitment;
pub mod expiry;

pub use commitment::{
    Amount, Commitment, CommitmentError, CommitmentFields, CommitmentState, EndChange, NewCommitment, StateChange,
    create, list, update,
};
