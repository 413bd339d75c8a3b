//! Live events of a leg, for whoever watches.

use crate::leg::Leg;
use crate::step::{Step, StepKind};

/// Something that just happened in a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegEvent {
    /// A step began.
    StepStarted {
        /// The leg.
        leg: Leg,
        /// What is being done.
        kind: StepKind,
    },
    /// A step ended.
    StepFinished {
        /// The leg.
        leg: Leg,
        /// What was done, and how it ended.
        step: Step,
    },
}

/// Takes the live events of legs.
///
/// Called from the leg's own task: must return at once and must not panic. An event
/// may be dropped; the report holds everything.
pub trait LegObserver: Send + Sync {
    /// Takes one event.
    fn observe(&self, event: LegEvent);
}

/// Watches nothing.
impl LegObserver for () {
    fn observe(&self, _event: LegEvent) {}
}
