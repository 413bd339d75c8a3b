//! What the store holds as a whole, for operators: numbers only, over all tenants.

use std::time::Duration;

use super::batch::BatchState;
use super::item::ItemState;
use super::job::{JobClass, JobState};
use crate::fault::FaultCode;
use crate::report::Verdict;

/// How much waits where. Read in one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Open jobs by class; every class is there.
    pub open: Vec<(JobClass, u64)>,
    /// Items of batches that have not ended, by state; every state is there.
    pub items: Vec<(ItemState, u64)>,
    /// Batches that have not ended, by state; those without any are left out.
    pub batches: Vec<(BatchState, u64)>,
    /// Legs that are `READY`.
    pub ready: u64,
    /// Legs that are `RELEASED` and not confirmed by the broker yet.
    pub released: u64,
    /// How long the oldest of them has been so; zero without any.
    pub oldest: Duration,
}

/// What ended within the last while, and what is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recent {
    /// Jobs by how they ended; those without any are left out.
    pub jobs: Vec<(JobState, Option<Verdict>, u64)>,
    /// Legs of these jobs by what stood in their way, the most frequent first. `None`: nothing.
    pub codes: Vec<(Option<FaultCode>, u64)>,
    /// Jobs that are open, by the tenants' counters.
    pub open: u64,
}
