//! Jobs as the store keeps them.

use std::fmt;
use std::time::Duration;

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use super::id::{
    Attempt, BatchId, Dispatch, GatewayId, GroupId, LegId, LegKind, PoolName, TenantId,
};
use super::leg::{Gate, LegRecord, LegState};
use super::shard::ShardIndex;
use super::tag::{LoginTag, MailboxTag, RequestTag, SettingsTag};
use super::time::Timestamp;
use crate::id::JobId;
use crate::report::Verdict;

/// What a job is for; decides its turn. The smaller class goes first.
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
pub enum JobClass {
    /// Somebody waits for the answer.
    Interactive,
    /// A batch.
    Revalidation,
    /// Bringing messages over.
    Sync,
}

impl JobClass {
    /// Whether it may fill only what interactive jobs leave: everything but interactive.
    #[must_use]
    pub fn is_bulk(self) -> bool {
        match self {
            Self::Interactive => false,
            Self::Revalidation | Self::Sync => true,
        }
    }
}

/// Bytes that the store and the broker carry and never look into: a leg's order with its
/// sealed credential, or a report, encoded by the edge. At most 1 MiB. `Debug` shows
/// their number only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Payload(pub Vec<u8>);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

/// How a caller names a request that may be sent twice (AIP-155).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The caller's id, unique in the tenant for as long as the job is kept.
    pub id: String,
    /// What the request said. The same id with another body is refused.
    pub body: RequestTag,
}

/// Where a job is. Only `Open` moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumIter, EnumString, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// Legs are waiting or running. Left by the collector, by its deadline or by a cancel;
    /// after a crash the sweepers move it on.
    Open,
    /// All legs have ended, and the final report stands in the row.
    Done,
    /// The caller cancelled it; the final report says what was known by then. Results
    /// that come later change nothing.
    Cancelled,
}

impl JobState {
    /// Whether the final report stands.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Open => false,
            Self::Done | Self::Cancelled => true,
        }
    }
}

/// A job that is to be stored, with its legs.
#[derive(Debug, Clone)]
pub struct JobDraft {
    /// Its id, time-ordered.
    pub id: JobId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its turn.
    pub class: JobClass,
    /// The batch that it belongs to.
    pub batch: Option<BatchId>,
    /// How the caller names the request.
    pub request: Option<RequestKey>,
    /// What a second job must equal to join this one; `None` where joining is not wanted.
    pub settings: Option<SettingsTag>,
    /// Time from acceptance to the final report.
    pub deadline: Duration,
    /// The gateway whose caller watches live; `None` where nobody does.
    pub live_to: Option<GatewayId>,
    /// W3C `traceparent` of the request.
    pub traceparent: Option<String>,
    /// The request without secrets, for whoever reads the job later.
    pub payload: Payload,
    /// 1 to 16 legs.
    pub legs: Vec<LegDraft>,
}

/// A leg that is to be stored. Its place in [`JobDraft::legs`] becomes its index.
#[derive(Debug, Clone)]
pub struct LegDraft {
    /// What kind of work it is.
    pub kind: LegKind,
    /// What it waits for before it is `READY`.
    pub gate: Gate,
    /// The limit group, in its zone.
    pub group: GroupId,
    /// The shard of the group.
    pub shard: ShardIndex,
    /// The pool that it leaves from.
    pub pool: PoolName,
    /// The mailbox, for the cap on its connections.
    pub mailbox: MailboxTag,
    /// The login, for the attempt budget.
    pub login: LoginTag,
    /// Longest run, at most 10 minutes.
    pub cap: Duration,
    /// The order with its sealed credential.
    pub payload: Payload,
}

impl JobDraft {
    /// The row of one of its legs, stored at `now`: released already, or as its gate says.
    /// `None` for a place that it does not have.
    #[must_use]
    pub fn leg(&self, index: u8, now: Timestamp, is_released: bool) -> Option<LegRecord> {
        let leg = self.legs.get(usize::from(index))?;
        let state = match leg.gate {
            _ if is_released => LegState::Released,
            Gate::Open => LegState::Ready,
            Gate::AfterLeg(_) | Gate::AfterOthers => LegState::Blocked,
        };
        Some(LegRecord {
            id: LegId { job: self.id, index },
            tenant: self.tenant.clone(),
            class: self.class,
            kind: leg.kind.clone(),
            gate: leg.gate,
            group: leg.group.clone(),
            shard: leg.shard,
            pool: leg.pool.clone(),
            mailbox: leg.mailbox,
            login: leg.login,
            cap: leg.cap,
            state,
            dispatch: Dispatch(u32::from(is_released)),
            attempt: Attempt(0),
            starts: 0,
            started: Dispatch(0),
            since: now,
            returned: None,
            due: None,
            live_to: self.live_to.clone(),
            traceparent: self.traceparent.clone(),
            payload: leg.payload.clone(),
            end: None,
        })
    }
}

/// A job's row.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its turn.
    pub class: JobClass,
    /// The batch that it belongs to.
    pub batch: Option<BatchId>,
    /// Where it is.
    pub state: JobState,
    /// Grows with every change of the job or one of its legs: what watchers compare.
    /// Set by the store, whatever a decision says.
    pub version: u64,
    /// When it was accepted.
    pub created: Timestamp,
    /// By when the final report stands.
    pub deadline: Timestamp,
    /// When the final report was stored.
    pub finished: Option<Timestamp>,
    /// The verdict of the final report.
    pub verdict: Option<Verdict>,
    /// The final report. `Some` exactly when `state` is final.
    pub report: Option<Payload>,
    /// W3C `traceparent` of the request.
    pub traceparent: Option<String>,
    /// The request without secrets.
    pub payload: Payload,
}
