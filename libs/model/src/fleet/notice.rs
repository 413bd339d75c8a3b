//! Notices: what other services are told when a job has ended or a batch goes on.
//!
//! A notice is written in the transaction that it speaks of, gets its place in the order
//! afterwards, and is published or watched from there. It holds no secret, no address and no
//! word of a mail server: whoever wants more asks for the job.

use std::time::Duration;

use uuid::Uuid;

use super::batch::{BatchState, PauseCause};
use super::id::{BatchId, GatewayId, TenantId};
use super::job::{JobClass, JobState};
use super::time::Timestamp;
use crate::fault::FaultCode;
use crate::id::JobId;
use crate::report::Verdict;

/// Identifies a notice: by it a receiver knows what came twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NoticeId(pub Uuid);

/// What other services are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Stays the same however often it is published.
    pub id: NoticeId,
    /// Its place among all notices of the deployment, from 1. Places are given after the
    /// commit, so that nothing comes in behind a place that was read.
    pub serial: u64,
    /// When it happened.
    pub at: Timestamp,
    /// Whose it is.
    pub tenant: TenantId,
    /// W3C `traceparent` of the request that led to it.
    pub traceparent: Option<String>,
    /// What happened.
    pub subject: Subject,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A job has ended.
    Job(JobEnded),
    /// A batch went to another state.
    Batch(BatchTurned),
}

/// A job has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobEnded {
    /// The job.
    pub job: JobId,
    /// What it was for.
    pub class: JobClass,
    /// `DONE` or `CANCELLED`.
    pub state: JobState,
    /// The verdict of its report; `None` if it was cancelled.
    pub verdict: Option<Verdict>,
    /// Its weightiest fault, as items of a batch have it; `None` if nothing is in the way.
    pub code: Option<FaultCode>,
    /// The batch that it belongs to.
    pub batch: Option<BatchId>,
    /// When it was accepted.
    pub created: Timestamp,
}

/// A batch went to another state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchTurned {
    /// The batch.
    pub batch: BatchId,
    /// Where it is now; never `UPLOADING`.
    pub state: BatchState,
    /// Who paused it, in `PAUSED`.
    pub pause: Option<PauseCause>,
}

/// One gateway's wish to publish notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeTurn {
    /// The gateway.
    pub holder: GatewayId,
    /// The place up to which the broker has confirmed everything; 0: nothing new.
    pub published: u64,
    /// How long nobody else is handed any. Longer than publishing takes; where it passes, some
    /// are published twice.
    pub hold: Duration,
    /// Most notices to hand out.
    pub limit: u32,
}

/// How old notices are that are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticeAges {
    /// Those that the broker has confirmed.
    pub published: Duration,
    /// Those that wait to be published. Not younger; the same where nobody publishes.
    pub unpublished: Duration,
}

/// Notices that were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// All of them.
    pub gone: u64,
    /// Those among them that were not published.
    pub unpublished: u64,
}

/// Some of a tenant's notices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticePage {
    /// They, in their order.
    pub notices: Vec<Notice>,
    /// Where the next page begins: the place of the last one here, or of the last one of
    /// anybody where none of this tenant's is left. Before where this page began only if that
    /// was a place that this store has never given.
    pub next: u64,
    /// The greatest place that was forgotten. Whoever stands before it may have missed some.
    pub forgotten: u64,
}
