//! Legs as the store keeps them, and the states they go through.

use std::time::Duration;

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use super::id::{Attempt, Dispatch, GatewayId, GroupId, LegId, LegKind, PoolName, TenantId};
use super::job::{JobClass, Payload};
use super::message::ReturnCause;
use super::shard::ShardIndex;
use super::tag::{LoginTag, MailboxTag};
use super::time::Timestamp;
use crate::fault::{FaultCode, Retry};
use crate::leg::{LoginOutcome, Submission};

/// Where a leg is.
///
/// ```text
/// BLOCKED ─> READY ─> RELEASED ─> PUBLISHED ─> DONE
///              ^          └───────────┤
///              └── SNOOZED <──────────┘        from every open state: CANCELLED, SKIPPED
/// ```
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum LegState {
    /// Waits for another leg of its job. The collector of that leg moves it on.
    Blocked,
    /// Waits for its turn. Dispatch moves it on, at the latest by the sweep for groups
    /// that have waiting legs.
    Ready,
    /// Dispatch has committed it; it may or may not be on the broker. After a crash it is
    /// published again, same dispatch, once it is 10 s old.
    Released,
    /// The broker has confirmed it. A result or a return moves it on; if neither comes,
    /// the sweeper releases it afresh.
    Published,
    /// Waits for a time. A sweep makes it `READY` then.
    Snoozed,
    /// Ended with a report of its own.
    Done,
    /// Ended because its job was cancelled.
    Cancelled,
    /// Ended without having run, with the reason in its report.
    Skipped,
}

impl LegState {
    /// Whether the leg has ended. Nothing moves it again.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Done | Self::Cancelled | Self::Skipped => true,
            Self::Blocked | Self::Ready | Self::Released | Self::Published | Self::Snoozed => false,
        }
    }

    /// Whether it counts as out: it takes a place of its group's window.
    #[must_use]
    pub fn is_out(self) -> bool {
        matches!(self, Self::Released | Self::Published)
    }

    /// Whether one step may lead from `self` to `next`. A change within one state is none.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use LegState as S;
        match self {
            S::Blocked => matches!(next, S::Ready | S::Cancelled | S::Skipped),
            // An older dispatch may still answer while a leg waits: hence DONE.
            S::Ready => matches!(next, S::Released | S::Done | S::Cancelled | S::Skipped),
            S::Snoozed => matches!(next, S::Ready | S::Done | S::Cancelled | S::Skipped),
            S::Released => next == S::Published || S::Published.may_become(next),
            S::Published => {
                matches!(next, S::Ready | S::Snoozed | S::Done | S::Cancelled | S::Skipped)
            }
            S::Done | S::Cancelled | S::Skipped => false,
        }
    }
}

/// What a leg waits for before it is `READY`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Gate {
    /// Nothing.
    #[default]
    Open,
    /// The end of one other leg: the outgoing leg of a batch, which learns from the
    /// incoming leg's answer whether the password is worth another try.
    AfterLeg(u8),
    /// The end of all other legs: the arrival leg.
    AfterOthers,
}

/// What the collector needs to know of a leg's report without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegSummary {
    /// The weightiest blocking fault; `None` if nothing is in the way.
    pub code: Option<FaultCode>,
    /// When trying again can help: the retry class of `code`, or `None` without one.
    pub retry: Option<Retry>,
    /// What came of the login.
    pub login: LoginOutcome,
    /// What came of a test mail: one that may have been taken is never sent again.
    pub submission: Submission,
}

/// How a leg ended.
#[derive(Debug, Clone, PartialEq)]
pub struct LegEnd {
    /// What the collector needs to know.
    pub summary: LegSummary,
    /// The leg's report.
    pub report: Payload,
}

/// A leg's row.
#[derive(Debug, Clone, PartialEq)]
pub struct LegRecord {
    /// Its id.
    pub id: LegId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its turn.
    pub class: JobClass,
    /// What kind of work it is.
    pub kind: LegKind,
    /// What it waits for while `BLOCKED`.
    pub gate: Gate,
    /// The limit group. Changes when its owner found that the host belongs to another.
    pub group: GroupId,
    /// The shard of the group.
    pub shard: ShardIndex,
    /// The pool that it leaves from.
    pub pool: PoolName,
    /// The mailbox.
    pub mailbox: MailboxTag,
    /// The login.
    pub login: LoginTag,
    /// Longest run.
    pub cap: Duration,
    /// Where it is.
    pub state: LegState,
    /// The last release; 0 before the first.
    pub dispatch: Dispatch,
    /// Failures so far.
    pub attempt: Attempt,
    /// Starts that were asked for and allowed since the last result.
    pub starts: u32,
    /// The dispatch of the last start that was allowed: asking again counts once.
    pub started: Dispatch,
    /// Since when it is in its state.
    pub since: Timestamp,
    /// Why a worker gave it back last, if one did since its last run.
    pub returned: Option<ReturnCause>,
    /// When a `SNOOZED` leg becomes `READY`.
    pub due: Option<Timestamp>,
    /// The gateway whose caller watches live.
    pub live_to: Option<GatewayId>,
    /// W3C `traceparent` of the job.
    pub traceparent: Option<String>,
    /// The order with its sealed credential; without it once the leg has ended.
    pub payload: Payload,
    /// How it ended, when `state` is final; before that, how its last try ended, if there
    /// was one. Always `Some` when `state` is final.
    pub end: Option<LegEnd>,
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn the_states_follow_the_table() {
        // To:      BLOCKED READY RELEASED PUBLISHED SNOOZED DONE CANCELLED SKIPPED
        #[rustfmt::skip] // One row a line: the point of a table.
        let table = [
            (LegState::Blocked,   [0, 1, 0, 0, 0, 0, 1, 1]),
            (LegState::Ready,     [0, 0, 1, 0, 0, 1, 1, 1]),
            (LegState::Released,  [0, 1, 0, 1, 1, 1, 1, 1]),
            (LegState::Published, [0, 1, 0, 0, 1, 1, 1, 1]),
            (LegState::Snoozed,   [0, 1, 0, 0, 0, 1, 1, 1]),
            (LegState::Done,      [0, 0, 0, 0, 0, 0, 0, 0]),
            (LegState::Cancelled, [0, 0, 0, 0, 0, 0, 0, 0]),
            (LegState::Skipped,   [0, 0, 0, 0, 0, 0, 0, 0]),
        ];
        assert_eq!(table.len(), LegState::iter().count());
        for (from, row) in table {
            for (next, allowed) in LegState::iter().zip(row) {
                assert_eq!(from.may_become(next), allowed == 1, "{from} -> {next}");
            }
            assert_eq!(from.is_final(), row.iter().sum::<u8>() == 0, "{from}");
        }
    }
}
