//! The store port: the truth about jobs, legs, batches and settings.
//!
//! Every method is one transaction; it has happened wholly or not at all, also when the
//! process dies in the middle. Decisions come in as pure functions over a view that is
//! read under the named lock, so a store knows no rule of the engine. Locks are taken in
//! one order (job, then group, then legs by ascending id); a store repeats a transaction
//! that lost a deadlock or a serialisation conflict, and calls the decision again.
//!
//! All methods are cancel-safe in this sense: a dropped future leaves either everything or
//! nothing behind, and repeating the call is harmless unless its document says otherwise.

use std::future::Future;
use std::time::Duration;

use super::batch::{
    BatchChange, BatchDraft, BatchOpened, BatchRecord, BatchReport, BatchView, Fed,
};
use super::census::{Census, Recent};
use super::group::{GroupLimits, GroupOccupancy, GroupSettings};
use super::id::{BatchId, Dispatch, GroupId, GroupKey, LegId, TenantId, ZoneName};
use super::item::{Added, CauseCount, ItemDraft, ItemFilter, ItemRecord};
use super::job::{JobClass, JobDraft, JobRecord, JobState};
use super::leg::LegRecord;
use super::notice::{Forgotten, Notice, NoticeAges, NoticePage, NoticeTurn};
use super::shard::ShardIndex;
use super::time::Timestamp;
use super::view::{Admission, GroupView, JobChange, JobView, Release, SubmitView, Usage};
use crate::id::JobId;

/// Why the store could not do it. None of them says that nothing has happened: after a
/// lost connection a commit may stand.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or has no free connection; trying again may help.
    #[error("the store is unavailable while it should {operation}")]
    Unavailable {
        /// What was to be done, such as `submit a job`.
        operation: &'static str,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store is full or read-only; an operator must act.
    #[error("the store cannot write while it should {operation}")]
    NotWritable {
        /// What was to be done.
        operation: &'static str,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row or an answer makes no sense: a bug, or another program wrote to the tables.
    #[error("the store holds something impossible, found while it should {operation}: {what}")]
    Corrupt {
        /// What was to be done.
        operation: &'static str,
        /// What makes no sense. Holds no personal data.
        what: String,
    },
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// What was decided.
    pub admission: Admission,
    /// The legs that were released with it, to be published.
    pub released: Vec<LegRecord>,
    /// Groups that have a leg to release now; empty unless accepted.
    pub wake: Vec<GroupId>,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only these states; empty: all.
    pub states: Vec<JobState>,
    /// Only these classes; empty: all.
    pub classes: Vec<JobClass>,
    /// Only jobs of this batch.
    pub batch: Option<BatchId>,
}

/// A page of a list, the newest job first.
#[derive(Debug, Clone, PartialEq)]
pub struct JobPage {
    /// The jobs, without their reports.
    pub jobs: Vec<JobRecord>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<JobId>,
}

/// How far an erasure has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// Nothing is left.
    Wholly,
    /// As many jobs as were allowed are gone; call again.
    Partly,
}

/// The truth.
///
/// Where a method takes `limit`, it touches at most so many rows and does not block on
/// rows that another transaction holds (`SKIP LOCKED` where there is such a thing): every
/// gateway runs every sweep.
pub trait Store: Send + Sync + 'static {
    /// The store's clock.
    fn now(&self) -> impl Future<Output = Result<Timestamp, StoreError>> + Send;

    /// Admits a job and stores it with its legs, or finds the job that it repeats.
    ///
    /// Two submissions of one tenant with the same request id, or with the same settings
    /// while the first is open, never both become jobs: unique indexes hold that, and the
    /// loser decides again and sees the winner. `usage` is read without a lock, so a quota
    /// may be passed by as many jobs as are submitted at the same moment. Legs without a
    /// gate are `READY`, the others `BLOCKED`. Repeating it after a lost answer is
    /// harmless with a request id, and makes a second job without.
    ///
    /// Legs that the decision lets go at once are stored as [`Store::release`] would leave them,
    /// which spares most jobs a transaction for each leg. It never waits for a group's lock: a
    /// group that somebody else dispatches is none of the calm ones.
    fn submit(
        &self,
        draft: &JobDraft,
        decide: impl Fn(&SubmitView) -> Admission + Send + Sync,
    ) -> impl Future<Output = Result<Submitted, StoreError>> + Send;

    /// Releases waiting legs of one group, under its row lock.
    ///
    /// Writes `RELEASED`, the next dispatch and the time for each chosen leg that is still
    /// `READY` (it may have been cancelled since the view was read), notes how far lanes were
    /// served, and returns the rows, in the order chosen. A crash afterwards leaves them
    /// `RELEASED`: [`Store::unpublished`] finds them.
    fn release(
        &self,
        group: &GroupId,
        decide: impl Fn(&GroupView) -> Release + Send + Sync,
    ) -> impl Future<Output = Result<(Vec<LegRecord>, Release), StoreError>> + Send;

    /// Whether a leg of the group waits, in one statement: after a leg has ended, mostly none does.
    ///
    /// Sees every leg that was committed before the call. So nobody is overlooked who asks after
    /// the commit that freed a place: whoever makes a leg wait releases the group after that.
    fn has_waiting(&self, group: &GroupId)
    -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Notes that the broker has confirmed releases. Changes nothing of a leg that is not
    /// `RELEASED` with this dispatch: a result may have been quicker. A crash of the
    /// database's machine may undo it: such a leg is found by [`Store::unpublished`].
    fn mark_published(
        &self,
        legs: &[(LegId, Dispatch)],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Legs that have been `RELEASED` for longer than `age`, to be published again with
    /// the same dispatch. Sets their time to now, so that one gateway at a time has them.
    fn unpublished(
        &self,
        age: Duration,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<LegRecord>, StoreError>> + Send;

    /// Legs that have been `PUBLISHED` for longer than their cap and `grace` together, with
    /// the dispatch seen. The caller advances each; two callers that do are harmless.
    fn overdue(
        &self,
        grace: Duration,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<(LegId, Dispatch)>, StoreError>> + Send;

    /// Makes `READY` what is `SNOOZED` and due; returns the groups to dispatch, each once.
    fn wake(&self, limit: u32) -> impl Future<Output = Result<Vec<GroupId>, StoreError>> + Send;

    /// Groups that have `READY` legs and were not dispatched for longer than `age`, those
    /// dispatched longest ago first. Finds what a crash between two transactions left
    /// waiting, and what the shard's cap held back.
    fn waiting(
        &self,
        age: Duration,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<GroupId>, StoreError>> + Send;

    /// Open jobs whose deadline has passed.
    fn expired(&self, limit: u32) -> impl Future<Output = Result<Vec<JobId>, StoreError>> + Send;

    /// Changes a job and its legs, under the job's row lock: results, returns, starts,
    /// cancels, deadlines and sweeps all come through here.
    ///
    /// Writes the whole rows of the change, the ledger and the counters of the batch in
    /// the same transaction, and increments the job's version if anything changed. Returns
    /// what the decision answered, and the groups that gained a place or a `READY` leg, to
    /// be dispatched. `None` if there is no such job. Repeating it is harmless as
    /// far as the decision is (those of the engine are).
    fn advance<T: Send>(
        &self,
        job: JobId,
        decide: impl Fn(&JobView) -> (JobChange, T) + Send + Sync,
    ) -> impl Future<Output = Result<Option<(T, Vec<GroupId>)>, StoreError>> + Send;

    /// A job with its legs. `None` for an unknown job, and for another tenant's.
    fn job(
        &self,
        tenant: &TenantId,
        job: JobId,
    ) -> impl Future<Output = Result<Option<JobView>, StoreError>> + Send;

    /// One job of the tenant's without its legs, with its report if it has one: what a caller
    /// who only waits for the end reads. One statement.
    fn record(
        &self,
        tenant: &TenantId,
        job: JobId,
    ) -> impl Future<Output = Result<Option<JobRecord>, StoreError>> + Send;

    /// Jobs of a tenant, the newest first, beginning after `from`.
    fn jobs(
        &self,
        tenant: &TenantId,
        filter: &JobFilter,
        from: Option<JobId>,
        limit: u32,
    ) -> impl Future<Output = Result<JobPage, StoreError>> + Send;

    /// Versions and states of jobs, for watchers that look once a second. Unknown jobs are
    /// left out. At most 1,000 at once.
    fn versions(
        &self,
        jobs: &[JobId],
    ) -> impl Future<Output = Result<Vec<(JobId, u64, JobState)>, StoreError>> + Send;

    /// What a tenant uses.
    fn usage(&self, tenant: &TenantId) -> impl Future<Output = Result<Usage, StoreError>> + Send;

    /// The settings of a group; the defaults, with version 0, if it has none of its own.
    fn group(
        &self,
        group: &GroupId,
    ) -> impl Future<Output = Result<GroupSettings, StoreError>> + Send;

    /// All groups of a shard that have settings of their own.
    fn groups(
        &self,
        zone: &ZoneName,
        shard: ShardIndex,
    ) -> impl Future<Output = Result<Vec<GroupSettings>, StoreError>> + Send;

    /// All groups of all zones and shards that have settings of their own, by zone and name.
    fn set_groups(&self) -> impl Future<Output = Result<Vec<GroupSettings>, StoreError>> + Send;

    /// How full these groups are, by zone and name; groups that nobody named before as well.
    /// Costs as much as there are groups and legs in them, and one trip for all.
    fn occupancy(
        &self,
        groups: &[GroupId],
    ) -> impl Future<Output = Result<Vec<GroupOccupancy>, StoreError>> + Send;

    /// Sets what a group allows as a whole and whether it is paused, in all these zones at
    /// once, and gives them one version that is greater than any that they had. Returns the
    /// new settings, in the order of the zones, to be broadcast.
    fn set_group(
        &self,
        zones: &[ZoneName],
        key: &GroupKey,
        shard: ShardIndex,
        limits: GroupLimits,
        paused: bool,
    ) -> impl Future<Output = Result<Vec<GroupSettings>, StoreError>> + Send;

    /// Gives these zones the settings that groups have in any zone, the newest of each: a
    /// zone that is new keeps to what operators have set before.
    fn spread_groups(
        &self,
        zones: &[ZoneName],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes a batch that takes items, or finds the one that the request made before. Repeating
    /// it is harmless with a request id.
    fn open_batch(
        &self,
        draft: &BatchDraft,
    ) -> impl Future<Output = Result<BatchOpened, StoreError>> + Send;

    /// Stores items of a batch that is `UPLOADING`, at most 500; those whose key is there are
    /// left as they are. `None` if the batch is in another state, or gone. Harmless to repeat.
    fn add_items(
        &self,
        batch: BatchId,
        items: &[ItemDraft],
    ) -> impl Future<Output = Result<Option<Added>, StoreError>> + Send;

    /// Deletes a batch that is `UPLOADING`, with its items.
    fn discard_batch(&self, batch: BatchId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Changes a batch under its row lock, and begins items: a job with its legs is made for
    /// each. `None` if there is no such batch.
    ///
    /// The counters move in the same transaction. No two open items have the same login, over
    /// all batches: a unique index holds that, and the loser decides again. While a batch is
    /// `PAUSED` its legs are not released and its jobs do not expire; what it was paused for is
    /// added to their deadlines when it goes on.
    fn feed_batch(
        &self,
        batch: BatchId,
        decide: impl Fn(&BatchView) -> BatchChange + Send + Sync,
    ) -> impl Future<Output = Result<Option<Fed>, StoreError>> + Send;

    /// Batches that are `RUNNING`, `PAUSED` or `CANCELLING`, to be fed.
    fn live_batches(
        &self,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<BatchId>, StoreError>> + Send;

    /// Open jobs of a batch, to be cancelled with it.
    fn open_items(
        &self,
        batch: BatchId,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<JobId>, StoreError>> + Send;

    /// A batch with everything that callers see. `None` for an unknown batch, and for another
    /// tenant's.
    fn batch_report(
        &self,
        tenant: &TenantId,
        batch: BatchId,
    ) -> impl Future<Output = Result<Option<BatchReport>, StoreError>> + Send;

    /// Batches of a tenant, the newest first, beginning after `from`.
    fn batches(
        &self,
        tenant: &TenantId,
        from: Option<BatchId>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<BatchRecord>, StoreError>> + Send;

    /// Items of a batch in their order, beginning after `from`.
    fn items(
        &self,
        batch: BatchId,
        filter: &ItemFilter,
        from: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<ItemRecord>, StoreError>> + Send;

    /// How many items ended with which code, by domain and limit group.
    fn causes(
        &self,
        batch: BatchId,
    ) -> impl Future<Output = Result<Vec<CauseCount>, StoreError>> + Send;

    /// Addresses of items that ended with a cause, the first ones, at most `limit`.
    fn examples(
        &self,
        batch: BatchId,
        cause: &CauseCount,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Makes `HELD` what ended with trouble by `until`, at most `limit` items, and a batch that
    /// was `DONE` `RUNNING`. Leaves out healthy items and those whose login was refused for
    /// good. Returns how many; `None` if the batch is neither `RUNNING`, `PAUSED` nor `DONE`.
    fn redrive(
        &self,
        batch: BatchId,
        filter: &ItemFilter,
        until: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// Gives places to notices that have none yet, in the order of their time, at most `limit`
    /// at once; returns the last place of all and whether there may be more. `None` while another
    /// gateway is at it.
    ///
    /// A notice is written by whatever ends a job or turns a batch, in the same transaction.
    /// Its place comes later and under one lock, so that places are seen in their order: a
    /// reader that has seen one has seen all before it.
    fn place_notices(
        &self,
        limit: u32,
    ) -> impl Future<Output = Result<Option<(u64, bool)>, StoreError>> + Send;

    /// Notes what a gateway has published, and hands out what comes next, in its order: empty if
    /// nothing does, or while another gateway holds the turn. A gateway that dies with some in
    /// its hands loses the turn when `hold` has passed; they are then handed out again.
    fn notices_to_publish(
        &self,
        turn: &NoticeTurn,
    ) -> impl Future<Output = Result<Vec<Notice>, StoreError>> + Send;

    /// A tenant's notices behind a place, at most `limit`.
    fn notices(
        &self,
        tenant: &TenantId,
        after: u64,
        limit: u32,
    ) -> impl Future<Output = Result<NoticePage, StoreError>> + Send;

    /// Deletes notices that are as old as `ages` says, at most `limit`.
    fn forget_notices(
        &self,
        ages: NoticeAges,
        limit: u32,
    ) -> impl Future<Output = Result<Forgotten, StoreError>> + Send;

    /// Counts what the store holds, over all tenants. Costs as much as there are open jobs.
    fn census(&self) -> impl Future<Output = Result<Census, StoreError>> + Send;

    /// Counts the jobs of all tenants that ended within `window`, and those that are open.
    /// Costs as much as there are such jobs and tenants; open jobs cost nothing.
    fn recent(&self, window: Duration) -> impl Future<Output = Result<Recent, StoreError>> + Send;

    /// Deletes jobs that have been final for longer than `age`, and entries of the attempt
    /// ledger that are as old. Returns how many jobs are gone.
    fn purge(
        &self,
        age: Duration,
        limit: u32,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Deletes everything of a tenant, open jobs included: rows, reports, ledger, batches.
    /// What still runs comes to its end; its results find no job and are dropped.
    fn erase_tenant(
        &self,
        tenant: &TenantId,
        limit: u32,
    ) -> impl Future<Output = Result<Erased, StoreError>> + Send;

    /// Embedded mode, at start: the broker was this process, so nothing is out. Makes
    /// `READY` what is `RELEASED` or `PUBLISHED`. Never called beside a running worker.
    fn recall_all(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;
}
