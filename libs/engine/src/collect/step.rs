//! What may happen to a leg in which state: the transition table of the collector.

use mailfleet_model::fleet::LegState;

/// What happened, as far as the table tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A report that nothing will make better.
    Conclusive,
    /// A report whose trouble may pass, with time left to try again.
    Temporary,
    /// It came back unrun.
    Returned,
    /// An owner asks whether it may start.
    MayStart,
    /// Nothing was heard for too long.
    Overdue,
    /// Dispatch must not release it: its login was refused for good meanwhile, or its zone may
    /// start nothing there.
    Refused,
    /// The job's deadline has passed.
    Deadline,
    /// The job was cancelled.
    Cancel,
}

/// Which release a message speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// The leg's last one.
    Current,
    /// One before it.
    Older,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it is late, or it repeats.
    Ignore,
    /// The leg ends with this report.
    Close,
    /// The leg waits for a time.
    Snooze,
    /// The leg waits for its turn again.
    Again,
    /// The leg ends without having run.
    Skip,
    /// The leg ends because its job does.
    Cancel,
    /// The start is counted and allowed.
    Count,
}

/// The table. A message of an older release counts only if it is conclusive: the work is
/// done then, whoever did it.
#[must_use]
pub fn step(state: LegState, age: Age, cause: Cause) -> Step {
    use Step::{Again, Cancel, Close, Count, Ignore, Skip, Snooze};
    let row = match state {
        // Conclusive, temporary, returned, may start, overdue, refused, deadline, cancel.
        LegState::Blocked => [Ignore, Ignore, Ignore, Ignore, Ignore, Ignore, Skip, Cancel],
        LegState::Ready => [Close, Ignore, Ignore, Ignore, Ignore, Skip, Close, Cancel],
        LegState::Snoozed => [Close, Ignore, Ignore, Ignore, Ignore, Ignore, Close, Cancel],
        LegState::Released | LegState::Published => match age {
            Age::Current => [Close, Snooze, Snooze, Count, Again, Ignore, Close, Cancel],
            Age::Older => [Close, Ignore, Ignore, Ignore, Ignore, Ignore, Close, Cancel],
        },
        LegState::Done | LegState::Cancelled | LegState::Skipped => [Ignore; 8],
    };
    let [conclusive, temporary, returned, may_start, overdue, refused, deadline, cancel] = row;
    match cause {
        Cause::Conclusive => conclusive,
        Cause::Temporary => temporary,
        Cause::Returned => returned,
        Cause::MayStart => may_start,
        Cause::Overdue => overdue,
        Cause::Refused => refused,
        Cause::Deadline => deadline,
        Cause::Cancel => cancel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [LegState; 8] = [
        LegState::Blocked,
        LegState::Ready,
        LegState::Released,
        LegState::Published,
        LegState::Snoozed,
        LegState::Done,
        LegState::Cancelled,
        LegState::Skipped,
    ];
    const CAUSES: [Cause; 8] = [
        Cause::Conclusive,
        Cause::Temporary,
        Cause::Returned,
        Cause::MayStart,
        Cause::Overdue,
        Cause::Refused,
        Cause::Deadline,
        Cause::Cancel,
    ];

    #[test]
    fn every_step_is_one_that_the_states_allow() {
        for (state, cause) in STATES.into_iter().flat_map(|s| CAUSES.map(|c| (s, c))) {
            for age in [Age::Current, Age::Older] {
                let next = match step(state, age, cause) {
                    Step::Ignore | Step::Count => continue,
                    Step::Close => LegState::Done,
                    Step::Snooze => LegState::Snoozed,
                    Step::Again => LegState::Ready,
                    Step::Skip => LegState::Skipped,
                    Step::Cancel => LegState::Cancelled,
                };
                assert!(state.may_become(next), "{state} {cause:?} -> {next}");
            }
        }
    }

    #[test]
    fn every_open_leg_ends_by_deadline_and_by_cancel() {
        for state in STATES {
            for cause in [Cause::Deadline, Cause::Cancel] {
                let ends = matches!(
                    step(state, Age::Current, cause),
                    Step::Close | Step::Skip | Step::Cancel
                );
                assert_eq!(ends, !state.is_final(), "{state} {cause:?}");
            }
        }
    }
}
