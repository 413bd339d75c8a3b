//! Batches: many validations under one name, held back so that nobody is locked out.

use std::time::Duration;

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use super::id::{BatchId, GroupId, TenantId};
use super::item::{ItemCounts, ItemRecord};
use super::job::{JobClass, RequestKey};
use super::tag::LoginTag;
use super::time::Timestamp;
use crate::fault::FaultCode;

/// Where a batch is.
///
/// ```text
/// UPLOADING ─> RUNNING <─> PAUSED        from RUNNING and PAUSED: CANCELLING ─> CANCELLED
///                 └──> DONE <──┘ ──redrive──> RUNNING
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumIter, EnumString, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum BatchState {
    /// Items are coming in. Left by the end of the upload, or deleted when it is old.
    Uploading,
    /// Items are begun as others end. Feeding moves it on, at the latest by its sweep.
    Running,
    /// Nothing more is begun or released until somebody resumes or cancels it.
    Paused,
    /// What is left ends now. Feeding moves it on.
    Cancelling,
    /// Ended early.
    Cancelled,
    /// All items have ended.
    Done,
}

impl BatchState {
    /// Whether nothing happens by itself any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Cancelled | Self::Done => true,
            Self::Uploading | Self::Running | Self::Paused | Self::Cancelling => false,
        }
    }
}

/// How a batch goes about its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSettings {
    /// The class of its jobs.
    pub class: JobClass,
    /// Items that are open at once at most.
    pub max_open: u32,
    /// Items of a domain that go ahead; the others wait until one of them was answered with
    /// something else than a definitive refusal.
    pub canaries: u32,
    /// Definitive refusals in a row, over all domains, that pause the batch; `None`: never.
    pub stop_when: Option<u32>,
    /// Time of an item from its beginning to its final report.
    pub item_deadline: Duration,
    /// Time of the batch from the end of its upload.
    pub deadline: Duration,
}

/// A batch that is to be made.
#[derive(Debug, Clone)]
pub struct BatchDraft {
    /// Its id, time-ordered.
    pub id: BatchId,
    /// Whose it is.
    pub tenant: TenantId,
    /// How the caller names the request.
    pub request: Option<RequestKey>,
    /// What people call it; empty: nothing.
    pub display_name: String,
    /// How it goes about its items.
    pub settings: BatchSettings,
    /// W3C `traceparent` of the request. Every item has a trace of its own, which links to it.
    pub traceparent: Option<String>,
}

/// What became of the beginning of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchOpened {
    /// The batch is there, new or from an earlier call, and in this state.
    There(BatchId, BatchState),
    /// The request id belongs to another request.
    RequestIdReused,
}

/// Who paused a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumIter, EnumString, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum PauseCause {
    /// Somebody.
    Operator,
    /// The guard, because of a run of refusals.
    Guard,
}

/// Why a batch is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPause {
    /// Who paused it.
    pub cause: PauseCause,
    /// Why, for people.
    pub reason: String,
    /// When.
    pub since: Timestamp,
}

/// A batch's row.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRecord {
    /// Its id.
    pub id: BatchId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What people call it.
    pub display_name: String,
    /// Where it is.
    pub state: BatchState,
    /// How it goes about its items.
    pub settings: BatchSettings,
    /// When the upload began.
    pub created: Timestamp,
    /// When the upload was complete.
    pub started: Option<Timestamp>,
    /// When what is left is given up.
    pub deadline: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Why it is paused. `Some` exactly when it is.
    pub pause: Option<BatchPause>,
    /// Refusals before this moment do not count for the guard.
    pub guard_since: Timestamp,
    /// W3C `traceparent` of the call that made it; what its items' traces link to.
    pub traceparent: Option<String>,
    /// Its items.
    pub counts: ItemCounts,
}

/// A batch as callers see it.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchReport {
    /// The store's clock.
    pub now: Timestamp,
    /// The row.
    pub batch: BatchRecord,
    /// Ended items by code, the most frequent first.
    pub codes: Vec<(FaultCode, u64)>,
    /// Items that ended within the last ten seconds.
    pub recent: u64,
    /// The refusals that the guard paused for, the last one first, at most five.
    pub evidence: Vec<ItemRecord>,
}

/// What feeding a batch looks at. What it costs does not grow with the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchView {
    /// The store's clock.
    pub now: Timestamp,
    /// The batch with its counters, under its row lock.
    pub batch: BatchRecord,
    /// How many logins were refused for good in a row, up to now and since the guard began to
    /// count; never more than `stop_when`.
    pub refusals: u32,
    /// Domains with held items, beginning after the one that was looked at last; at most
    /// [`BatchView::DOMAINS`].
    pub domains: Vec<DomainView>,
    /// Whether there are domains behind these.
    pub more: bool,
}

impl BatchView {
    /// Most domains in a view.
    pub const DOMAINS: usize = 64;
    /// Most open items of a domain, and most held ones of it in a view. Keeps a slow server
    /// from taking all places of a batch; twice what fills the window of a group.
    pub const OPEN: u32 = 64;
}

/// A domain of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainView {
    /// Its open items.
    pub open: u32,
    /// Its items whose login was refused for good; never more than there are canaries.
    pub refused: u32,
    /// Whether one of its items was answered with something else.
    pub proven: bool,
    /// Its held items whose login no open item has, of whatever batch, the first ones first.
    pub held: Vec<HeldItem>,
}

/// An item that could begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldItem {
    /// Its place.
    pub position: u64,
    /// Its login.
    pub login: LoginTag,
}

/// What feeding decides. The default changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchChange {
    /// Where the batch goes.
    pub state: Option<BatchState>,
    /// Why, if it goes to `PAUSED`.
    pub pause: Option<(PauseCause, String)>,
    /// The held items that begin, no two with one login.
    pub begin: Vec<u64>,
    /// Whether held items are cancelled, as many as one transaction may.
    pub cancel_held: bool,
    /// Whether the guard counts anew from now on.
    pub guard_anew: bool,
    /// Whether the guard is lifted.
    pub lift_guard: bool,
}

/// What came of feeding.
#[derive(Debug, Clone, PartialEq)]
pub struct Fed {
    /// Where the batch was.
    pub was: BatchState,
    /// The batch afterwards.
    pub batch: BatchRecord,
    /// Groups with a leg to release now.
    pub wake: Vec<GroupId>,
    /// How many items began or were cancelled.
    pub moved: u64,
    /// Whether there were domains behind those that were looked at.
    pub more: bool,
}
