//! What a decision sees and what it answers: the values that pass between the store,
//! which holds the locks, and the engine, which decides.
//!
//! A store reads a view under its lock, calls the decision, writes the answer, commits.
//! A decision is a pure function of its view; a store may call it again if its
//! transaction has to be repeated, so nothing may happen inside it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::group::GroupSettings;
use super::id::{BatchId, GroupId, LegId, TenantId};
use super::job::{JobClass, JobRecord};
use super::leg::LegRecord;
use super::message::StoreWait;
use super::tag::{LoginTag, RequestTag};
use super::time::Timestamp;
use crate::id::JobId;

/// What is known about a login at a group: definitive refusals only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoginBudget {
    /// Definitive refusals of this secret so far.
    pub refusals: u32,
    /// When the last one was stored.
    pub last: Option<Timestamp>,
}

/// One definitive refusal, to be added to the attempt ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Whose login it was.
    pub tenant: TenantId,
    /// The login.
    pub login: LoginTag,
    /// Where it was refused.
    pub group: GroupId,
    /// The leg that was refused. An entry of the same leg is written once.
    pub leg: LegId,
}

/// How much a tenant uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Open jobs of the interactive class.
    pub interactive: u64,
    /// Open jobs of the other classes.
    pub bulk: u64,
}

/// How much a tenant may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Most open interactive jobs.
    pub interactive: u64,
    /// Most open jobs of the other classes.
    pub bulk: u64,
    /// What a refused caller is told to wait.
    pub retry_after: Duration,
}

/// What the admission of a job looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmitView {
    /// The store's clock.
    pub now: Timestamp,
    /// The job of the same tenant and request id, with what that request said.
    pub repeated: Option<(JobId, RequestTag)>,
    /// An open job of the same tenant with the same settings.
    pub running: Option<JobId>,
    /// What the tenant uses.
    pub usage: Usage,
    /// What is known about the draft's logins, in the order of its legs.
    pub budgets: Vec<LoginBudget>,
    /// The groups of its open legs in which nobody waits and which nobody else dispatches just
    /// now, each once. Held until the job is stored, so that what is decided of them holds.
    pub calm: Vec<GroupView>,
}

/// What becomes of a job that was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It is stored.
    Accept {
        /// Legs that are released with it, by their places in the draft: of calm groups only.
        at_once: Vec<u8>,
    },
    /// The request was accepted before: this is its job.
    Repeated(JobId),
    /// A validation with the same settings is running: its report serves both.
    Join(JobId),
    /// It is refused, and nothing is stored.
    Refuse(Refusal),
}

/// Why a job is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request id was used for another request.
    RequestIdReused,
    /// The target guard does not let this leg's host pass.
    TargetNotAllowed {
        /// The leg's place in the draft.
        leg: u8,
    },
    /// The tenant has as many open jobs as it may.
    OverQuota {
        /// When it makes sense to ask again.
        retry_after: Duration,
    },
    /// The server refused this secret for good a short while ago.
    AttemptBudget {
        /// The leg's place in the draft.
        leg: u8,
        /// When another try is allowed; `None`: not with this secret.
        retry_after: Option<Duration>,
    },
}

/// Legs that are out, by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutCount {
    /// Interactive ones.
    pub interactive: u32,
    /// All others.
    pub bulk: u32,
}

/// The waiting legs of one tenant and class in a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// The tenant.
    pub tenant: TenantId,
    /// The class.
    pub class: JobClass,
    /// How far it has been served, as the decision that served it last said; 0 if it never
    /// was. The lane that is due first has the smallest.
    pub served: u64,
    /// Its `READY` legs, the oldest first.
    pub legs: Vec<ReadyLeg>,
}

/// A leg that waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadyLeg {
    /// The leg.
    pub id: LegId,
    /// Since when it waits.
    pub since: Timestamp,
    /// What is known about its login.
    pub budget: LoginBudget,
}

/// What keeps a group's legs in the store, and since when: as each of its dispatches has found it
/// since, one soon after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupHolds {
    /// An operator has paused it.
    pub paused: Option<Timestamp>,
    /// Its window has no place for anybody.
    pub window: Option<Timestamp>,
    /// Its window has no place for bulk work.
    pub bulk_window: Option<Timestamp>,
}

/// What the dispatch of a group looks at.
///
/// For each class at most [`GroupView::LANES`] lanes, those that are due first, and at
/// most [`GroupView::LEGS`] legs of each: what dispatch costs does not grow with what
/// waits. Legs of paused batches are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupView {
    /// The store's clock.
    pub now: Timestamp,
    /// The settings of the group.
    pub settings: GroupSettings,
    /// Legs of the group that are out. Counted rows, never a counter.
    pub out: OutCount,
    /// Legs of the group's shard that are out. Read without a lock on other groups: it
    /// may be passed by as many legs as dispatchers release at the same moment.
    pub shard_out: OutCount,
    /// When it was dispatched last while a leg waited; 0 if it never was.
    pub dispatched: Timestamp,
    /// What kept legs in the store after that.
    pub holds: GroupHolds,
    /// What waits.
    pub lanes: Vec<Lane>,
}

impl GroupView {
    /// Most lanes of a class in a view.
    pub const LANES: usize = 16;
    /// Most legs of a lane in a view.
    pub const LEGS: usize = 64;
}

/// What dispatch decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// Legs to release, in this order.
    pub legs: Vec<LegId>,
    /// Legs that must not run: their login was refused for good meanwhile. They stay
    /// `READY`; the caller closes each with [`Store::advance`](super::Store::advance).
    pub refused: Vec<LegId>,
    /// Legs that must not run, since their zone has no part in what the mail server allows.
    /// They stay `READY`, and are closed in the same way.
    pub shut_out: Vec<LegId>,
    /// How far lanes have been served now: those that a leg was taken from.
    pub turns: Vec<Served>,
    /// How each of the legs to release has waited.
    pub waits: BTreeMap<LegId, StoreWait>,
    /// What [`GroupView::holds`] is from now on.
    pub holds: GroupHolds,
    /// Whether a further pass could release more: the view's bounds, not the window, were
    /// what ended this one.
    pub more: bool,
}

/// How far a lane has been served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The lane's class.
    pub class: JobClass,
    /// The lane's tenant.
    pub tenant: TenantId,
    /// What [`Lane::served`] is from now on.
    pub served: u64,
}

/// A leg with what is known about its login.
#[derive(Debug, Clone, PartialEq)]
pub struct LegView {
    /// The row.
    pub leg: LegRecord,
    /// What is known about its login at its group.
    pub budget: LoginBudget,
}

/// What a decision about a job looks at: the job and all of its legs in their order, read
/// under the job's row lock.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// The store's clock.
    pub now: Timestamp,
    /// The job.
    pub job: JobRecord,
    /// Its legs; `legs[i].leg.id.index == i`.
    pub legs: Vec<LegView>,
}

/// What a decision about a job changes. The default changes nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobChange {
    /// The new rows of the legs that change, whole. Each step of a state is one that
    /// [`LegState::may_become`](super::LegState::may_become) allows.
    pub legs: Vec<LegRecord>,
    /// The new row of the job, if it changes. The store sets its `version`, and moves the
    /// counters of its batch when the state changes.
    pub job: Option<JobRecord>,
    /// Definitive refusals, for the attempt ledger.
    pub ledger: Vec<LedgerEntry>,
}

impl JobChange {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.legs.is_empty() && self.job.is_none() && self.ledger.is_empty()
    }

    /// The batch whose counters may change.
    #[must_use]
    pub fn batch(&self) -> Option<BatchId> {
        self.job.as_ref().and_then(|job| job.batch)
    }
}
