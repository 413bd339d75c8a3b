//! The port, method by method, over whatever database stands behind it.

use std::sync::Mutex;
use std::time::Duration;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Added, Admission, BatchChange, BatchDraft, BatchId, BatchOpened, BatchRecord, BatchReport,
    BatchView, CauseCount, Census, Dispatch, Erased, Fed, Forgotten, GroupId, GroupKey,
    GroupLimits, GroupOccupancy, GroupSettings, GroupView, ItemDraft, ItemFilter, ItemRecord,
    JobChange, JobDraft, JobFilter, JobPage, JobRecord, JobState, JobView, LegId, LegRecord,
    Notice, NoticeAges, NoticePage, NoticeTurn, Recent, Release, ShardIndex, Store, StoreError,
    SubmitView, Submitted, TenantId, Timestamp, Usage, ZoneName,
};

use crate::config::Defaults;
use crate::tx::{Backend, Work};
use crate::work::advance::Advance;
use crate::work::batches::{Batches, LiveBatches, Report};
use crate::work::causes::{Causes, Examples};
use crate::work::census::{Count, LookBack};
use crate::work::feed::FeedBatch;
use crate::work::group::{Group, Groups, SetGroup, SpreadGroups};
use crate::work::items::{Items, OpenItems};
use crate::work::job::{Job, Jobs, Now, Record, TenantUsage, Versions};
use crate::work::notices::{ForgetNotices, Notices, NoticesToPublish, PlaceNotices};
use crate::work::occupancy::{Occupancy, SetGroups};
use crate::work::published::MarkPublished;
use crate::work::redrive::Redrive;
use crate::work::release::{HasWaiting, ReleaseLegs};
use crate::work::retention::{EraseTenant, Purge};
use crate::work::submit::Submit;
use crate::work::sweep::{Expired, Overdue, RecallAll, Unpublished, Waiting, Wake};
use crate::work::upload::{AddItems, DiscardBatch, OpenBatch};

/// The store on a database: [`SqliteStore`](crate::SqliteStore),
/// [`PostgresStore`](crate::PostgresStore), or [`AnyStore`](crate::AnyStore).
///
/// All methods are cancel-safe as the port says: a dropped future leaves everything or
/// nothing behind. Each takes at most the configured deadline.
#[derive(Debug)]
pub struct SqlStore<B> {
    pub(crate) backend: B,
    pub(crate) defaults: Defaults,
}

/// Work in which nothing is decided.
async fn plain<B: Backend, W: Work<View = (), Answer = ()>>(
    store: &SqlStore<B>,
    work: W,
) -> Result<W::Output, StoreError> {
    store.backend.perform(work, |()| ()).await
}

impl<B: Backend> Store for SqlStore<B> {
    async fn now(&self) -> Result<Timestamp, StoreError> {
        plain(self, Now).await
    }

    async fn submit(
        &self,
        draft: &JobDraft,
        decide: impl Fn(&SubmitView) -> Admission + Send + Sync,
    ) -> Result<Submitted, StoreError> {
        let (draft, defaults) = (draft.clone(), self.defaults.clone());
        self.backend.perform(Submit { draft, defaults }, decide).await
    }

    async fn release(
        &self,
        group: &GroupId,
        decide: impl Fn(&GroupView) -> Release + Send + Sync,
    ) -> Result<(Vec<LegRecord>, Release), StoreError> {
        let (group, defaults) = (group.clone(), self.defaults.clone());
        self.backend.perform(ReleaseLegs { group, defaults }, decide).await
    }

    async fn has_waiting(&self, group: &GroupId) -> Result<bool, StoreError> {
        plain(self, HasWaiting { group: group.clone() }).await
    }

    async fn mark_published(&self, legs: &[(LegId, Dispatch)]) -> Result<(), StoreError> {
        plain(self, MarkPublished { legs: legs.iter().copied().collect() }).await
    }

    async fn unpublished(&self, age: Duration, limit: u32) -> Result<Vec<LegRecord>, StoreError> {
        plain(self, Unpublished { age, limit }).await
    }

    async fn overdue(
        &self,
        grace: Duration,
        limit: u32,
    ) -> Result<Vec<(LegId, Dispatch)>, StoreError> {
        plain(self, Overdue { grace, limit }).await
    }

    async fn wake(&self, limit: u32) -> Result<Vec<GroupId>, StoreError> {
        plain(self, Wake { limit }).await
    }

    async fn waiting(&self, age: Duration, limit: u32) -> Result<Vec<GroupId>, StoreError> {
        plain(self, Waiting { age, limit }).await
    }

    async fn expired(&self, limit: u32) -> Result<Vec<JobId>, StoreError> {
        plain(self, Expired { limit }).await
    }

    async fn advance<T: Send>(
        &self,
        job: JobId,
        decide: impl Fn(&JobView) -> (JobChange, T) + Send + Sync,
    ) -> Result<Option<(T, Vec<GroupId>)>, StoreError> {
        // What the decision says beside the change stays on this side; the last call counts.
        let said = Mutex::new(None);
        let keep = |value| {
            *said.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(value);
        };
        let decide = |view: &JobView| {
            let (change, value) = decide(view);
            keep(value);
            change
        };
        let wake = self.backend.perform(Advance { job }, decide).await?;
        let said = said.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(wake.and_then(|wake| said.map(|said| (said, wake))))
    }

    async fn job(&self, tenant: &TenantId, job: JobId) -> Result<Option<JobView>, StoreError> {
        plain(self, Job { tenant: tenant.clone(), job }).await
    }

    async fn record(&self, tenant: &TenantId, job: JobId) -> Result<Option<JobRecord>, StoreError> {
        plain(self, Record { tenant: tenant.clone(), job }).await
    }

    async fn jobs(
        &self,
        tenant: &TenantId,
        filter: &JobFilter,
        from: Option<JobId>,
        limit: u32,
    ) -> Result<JobPage, StoreError> {
        let (tenant, filter) = (tenant.clone(), filter.clone());
        plain(self, Jobs { tenant, filter, from, limit }).await
    }

    async fn versions(&self, jobs: &[JobId]) -> Result<Vec<(JobId, u64, JobState)>, StoreError> {
        plain(self, Versions { jobs: jobs.to_vec() }).await
    }

    async fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        plain(self, TenantUsage { tenant: tenant.clone() }).await
    }

    async fn group(&self, group: &GroupId) -> Result<GroupSettings, StoreError> {
        plain(self, Group { group: group.clone(), defaults: self.defaults.clone() }).await
    }

    async fn groups(
        &self,
        zone: &ZoneName,
        shard: ShardIndex,
    ) -> Result<Vec<GroupSettings>, StoreError> {
        let (zone, defaults) = (zone.clone(), self.defaults.clone());
        plain(self, Groups { zone, shard, defaults }).await
    }

    async fn set_groups(&self) -> Result<Vec<GroupSettings>, StoreError> {
        plain(self, SetGroups { defaults: self.defaults.clone() }).await
    }

    async fn occupancy(&self, groups: &[GroupId]) -> Result<Vec<GroupOccupancy>, StoreError> {
        plain(self, Occupancy { groups: groups.to_vec(), defaults: self.defaults.clone() }).await
    }

    async fn set_group(
        &self,
        zones: &[ZoneName],
        key: &GroupKey,
        shard: ShardIndex,
        limits: GroupLimits,
        paused: bool,
    ) -> Result<Vec<GroupSettings>, StoreError> {
        let groups = zones.iter().map(|zone| GroupId { zone: zone.clone(), key: key.clone() });
        plain(self, SetGroup { groups: groups.collect(), shard, limits, paused }).await
    }

    async fn spread_groups(&self, zones: &[ZoneName]) -> Result<(), StoreError> {
        plain(self, SpreadGroups { zones: zones.to_vec() }).await
    }

    async fn open_batch(&self, draft: &BatchDraft) -> Result<BatchOpened, StoreError> {
        plain(self, OpenBatch { draft: draft.clone() }).await
    }

    async fn add_items(
        &self,
        batch: BatchId,
        items: &[ItemDraft],
    ) -> Result<Option<Added>, StoreError> {
        plain(self, AddItems { batch, items: items.to_vec() }).await
    }

    async fn discard_batch(&self, batch: BatchId) -> Result<(), StoreError> {
        plain(self, DiscardBatch { batch }).await
    }

    async fn feed_batch(
        &self,
        batch: BatchId,
        decide: impl Fn(&BatchView) -> BatchChange + Send + Sync,
    ) -> Result<Option<Fed>, StoreError> {
        self.backend.perform(FeedBatch { batch }, decide).await
    }

    async fn live_batches(&self, limit: u32) -> Result<Vec<BatchId>, StoreError> {
        plain(self, LiveBatches { limit }).await
    }

    async fn open_items(&self, batch: BatchId, limit: u32) -> Result<Vec<JobId>, StoreError> {
        plain(self, OpenItems { batch, limit }).await
    }

    async fn batch_report(
        &self,
        tenant: &TenantId,
        batch: BatchId,
    ) -> Result<Option<BatchReport>, StoreError> {
        plain(self, Report { tenant: tenant.clone(), batch }).await
    }

    async fn batches(
        &self,
        tenant: &TenantId,
        from: Option<BatchId>,
        limit: u32,
    ) -> Result<Vec<BatchRecord>, StoreError> {
        plain(self, Batches { tenant: tenant.clone(), from, limit }).await
    }

    async fn items(
        &self,
        batch: BatchId,
        filter: &ItemFilter,
        from: u64,
        limit: u32,
    ) -> Result<Vec<ItemRecord>, StoreError> {
        plain(self, Items { batch, filter: filter.clone(), from, limit }).await
    }

    async fn causes(&self, batch: BatchId) -> Result<Vec<CauseCount>, StoreError> {
        plain(self, Causes { batch }).await
    }

    async fn examples(
        &self,
        batch: BatchId,
        cause: &CauseCount,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        plain(self, Examples { batch, cause: cause.clone(), limit }).await
    }

    async fn redrive(
        &self,
        batch: BatchId,
        filter: &ItemFilter,
        until: Timestamp,
        limit: u32,
    ) -> Result<Option<u64>, StoreError> {
        plain(self, Redrive { batch, filter: filter.clone(), until, limit }).await
    }

    async fn place_notices(&self, limit: u32) -> Result<Option<(u64, bool)>, StoreError> {
        plain(self, PlaceNotices { limit }).await
    }

    async fn notices_to_publish(&self, turn: &NoticeTurn) -> Result<Vec<Notice>, StoreError> {
        plain(self, NoticesToPublish { turn: turn.clone() }).await
    }

    async fn notices(
        &self,
        tenant: &TenantId,
        after: u64,
        limit: u32,
    ) -> Result<NoticePage, StoreError> {
        plain(self, Notices { tenant: tenant.clone(), after, limit }).await
    }

    async fn forget_notices(&self, ages: NoticeAges, limit: u32) -> Result<Forgotten, StoreError> {
        plain(self, ForgetNotices { ages, limit }).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        plain(self, Count).await
    }

    async fn recent(&self, window: Duration) -> Result<Recent, StoreError> {
        plain(self, LookBack { window }).await
    }

    async fn purge(&self, age: Duration, limit: u32) -> Result<u64, StoreError> {
        plain(self, Purge { age, limit }).await
    }

    async fn erase_tenant(&self, tenant: &TenantId, limit: u32) -> Result<Erased, StoreError> {
        plain(self, EraseTenant { tenant: tenant.clone(), limit }).await
    }

    async fn recall_all(&self) -> Result<u64, StoreError> {
        plain(self, RecallAll).await
    }
}
