//! A store that can be taken away: SQLite with a switch in front.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mailfleet_gateway::Config;
use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Added, Admission, BatchChange, BatchDraft, BatchId, BatchOpened, BatchRecord, BatchReport,
    BatchView, CauseCount, Census, Dispatch, Erased, Fed, Forgotten, GroupId, GroupKey,
    GroupLimits, GroupOccupancy, GroupSettings, GroupView, ItemDraft, ItemFilter, ItemRecord,
    JobChange, JobDraft, JobFilter, JobPage, JobRecord, JobState, JobView, LegId, LegRecord,
    Notice, NoticeAges, NoticePage, NoticeTurn, Recent, Release, ShardIndex, Store, StoreError,
    SubmitView, Submitted, TenantId, Timestamp, Usage, ZoneName,
};
use mailfleet_store::{Config as StoreConfig, Defaults, SqliteStore};

/// The store of a test.
#[derive(Debug)]
pub(crate) struct TestStore {
    inner: SqliteStore,
    away: AtomicBool,
    batch_looks: AtomicU64,
    items_added: AtomicU64,
    dispatches: AtomicU64,
}

impl TestStore {
    pub(crate) async fn open(path: impl AsRef<std::path::Path>, config: &Config) -> Self {
        let (usual, named) = (config.limits, config.group_limits.clone());
        let defaults = Defaults::new(move |group| *named.get(&group.key).unwrap_or(&usual));
        let inner = SqliteStore::open(path, StoreConfig::new(defaults)).await.expect("it opens");
        Self {
            inner,
            away: AtomicBool::new(false),
            batch_looks: AtomicU64::new(0),
            items_added: AtomicU64::new(0),
            dispatches: AtomicU64::new(0),
        }
    }

    /// Takes the store away, or brings it back.
    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// How often a batch was read.
    pub(crate) fn batch_looks(&self) -> u64 {
        self.batch_looks.load(Ordering::SeqCst)
    }

    /// How many items of batches were stored.
    pub(crate) fn items_added(&self) -> u64 {
        self.items_added.load(Ordering::SeqCst)
    }

    /// How often a group was dispatched.
    pub(crate) fn dispatches(&self) -> u64 {
        self.dispatches.load(Ordering::SeqCst)
    }

    fn there(&self) -> Result<&SqliteStore, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            let source = Box::new(std::io::Error::other("taken away by the test"));
            return Err(StoreError::Unavailable { operation: "do anything", source });
        }
        Ok(&self.inner)
    }
}

impl Store for TestStore {
    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.there()?.now().await
    }

    async fn submit(
        &self,
        draft: &JobDraft,
        decide: impl Fn(&SubmitView) -> Admission + Send + Sync,
    ) -> Result<Submitted, StoreError> {
        self.there()?.submit(draft, decide).await
    }

    async fn release(
        &self,
        group: &GroupId,
        decide: impl Fn(&GroupView) -> Release + Send + Sync,
    ) -> Result<(Vec<LegRecord>, Release), StoreError> {
        self.dispatches.fetch_add(1, Ordering::SeqCst);
        self.there()?.release(group, decide).await
    }

    async fn has_waiting(&self, group: &GroupId) -> Result<bool, StoreError> {
        self.there()?.has_waiting(group).await
    }

    async fn mark_published(&self, legs: &[(LegId, Dispatch)]) -> Result<(), StoreError> {
        self.there()?.mark_published(legs).await
    }

    async fn unpublished(&self, age: Duration, limit: u32) -> Result<Vec<LegRecord>, StoreError> {
        self.there()?.unpublished(age, limit).await
    }

    async fn overdue(
        &self,
        grace: Duration,
        limit: u32,
    ) -> Result<Vec<(LegId, Dispatch)>, StoreError> {
        self.there()?.overdue(grace, limit).await
    }

    async fn wake(&self, limit: u32) -> Result<Vec<GroupId>, StoreError> {
        self.there()?.wake(limit).await
    }

    async fn waiting(&self, age: Duration, limit: u32) -> Result<Vec<GroupId>, StoreError> {
        self.there()?.waiting(age, limit).await
    }

    async fn expired(&self, limit: u32) -> Result<Vec<JobId>, StoreError> {
        self.there()?.expired(limit).await
    }

    async fn advance<T: Send>(
        &self,
        job: JobId,
        decide: impl Fn(&JobView) -> (JobChange, T) + Send + Sync,
    ) -> Result<Option<(T, Vec<GroupId>)>, StoreError> {
        self.there()?.advance(job, decide).await
    }

    async fn job(&self, tenant: &TenantId, job: JobId) -> Result<Option<JobView>, StoreError> {
        self.there()?.job(tenant, job).await
    }

    async fn record(&self, tenant: &TenantId, job: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.there()?.record(tenant, job).await
    }

    async fn jobs(
        &self,
        tenant: &TenantId,
        filter: &JobFilter,
        from: Option<JobId>,
        limit: u32,
    ) -> Result<JobPage, StoreError> {
        self.there()?.jobs(tenant, filter, from, limit).await
    }

    async fn versions(&self, jobs: &[JobId]) -> Result<Vec<(JobId, u64, JobState)>, StoreError> {
        self.there()?.versions(jobs).await
    }

    async fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        self.there()?.usage(tenant).await
    }

    async fn group(&self, group: &GroupId) -> Result<GroupSettings, StoreError> {
        self.there()?.group(group).await
    }

    async fn groups(
        &self,
        zone: &ZoneName,
        shard: ShardIndex,
    ) -> Result<Vec<GroupSettings>, StoreError> {
        self.there()?.groups(zone, shard).await
    }

    async fn set_groups(&self) -> Result<Vec<GroupSettings>, StoreError> {
        self.there()?.set_groups().await
    }

    async fn occupancy(&self, groups: &[GroupId]) -> Result<Vec<GroupOccupancy>, StoreError> {
        self.there()?.occupancy(groups).await
    }

    async fn set_group(
        &self,
        zones: &[ZoneName],
        key: &GroupKey,
        shard: ShardIndex,
        limits: GroupLimits,
        paused: bool,
    ) -> Result<Vec<GroupSettings>, StoreError> {
        self.there()?.set_group(zones, key, shard, limits, paused).await
    }

    async fn spread_groups(&self, zones: &[ZoneName]) -> Result<(), StoreError> {
        self.there()?.spread_groups(zones).await
    }

    async fn open_batch(&self, draft: &BatchDraft) -> Result<BatchOpened, StoreError> {
        self.there()?.open_batch(draft).await
    }

    async fn add_items(
        &self,
        batch: BatchId,
        items: &[ItemDraft],
    ) -> Result<Option<Added>, StoreError> {
        let added = self.there()?.add_items(batch, items).await;
        self.items_added.fetch_add(items.len() as u64, Ordering::SeqCst);
        added
    }

    async fn discard_batch(&self, batch: BatchId) -> Result<(), StoreError> {
        self.there()?.discard_batch(batch).await
    }

    async fn feed_batch(
        &self,
        batch: BatchId,
        decide: impl Fn(&BatchView) -> BatchChange + Send + Sync,
    ) -> Result<Option<Fed>, StoreError> {
        self.there()?.feed_batch(batch, decide).await
    }

    async fn live_batches(&self, limit: u32) -> Result<Vec<BatchId>, StoreError> {
        self.there()?.live_batches(limit).await
    }

    async fn open_items(&self, batch: BatchId, limit: u32) -> Result<Vec<JobId>, StoreError> {
        self.there()?.open_items(batch, limit).await
    }

    async fn batch_report(
        &self,
        tenant: &TenantId,
        batch: BatchId,
    ) -> Result<Option<BatchReport>, StoreError> {
        self.batch_looks.fetch_add(1, Ordering::SeqCst);
        self.there()?.batch_report(tenant, batch).await
    }

    async fn batches(
        &self,
        tenant: &TenantId,
        from: Option<BatchId>,
        limit: u32,
    ) -> Result<Vec<BatchRecord>, StoreError> {
        self.there()?.batches(tenant, from, limit).await
    }

    async fn items(
        &self,
        batch: BatchId,
        filter: &ItemFilter,
        from: u64,
        limit: u32,
    ) -> Result<Vec<ItemRecord>, StoreError> {
        self.there()?.items(batch, filter, from, limit).await
    }

    async fn causes(&self, batch: BatchId) -> Result<Vec<CauseCount>, StoreError> {
        self.there()?.causes(batch).await
    }

    async fn examples(
        &self,
        batch: BatchId,
        cause: &CauseCount,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.there()?.examples(batch, cause, limit).await
    }

    async fn redrive(
        &self,
        batch: BatchId,
        filter: &ItemFilter,
        until: Timestamp,
        limit: u32,
    ) -> Result<Option<u64>, StoreError> {
        self.there()?.redrive(batch, filter, until, limit).await
    }

    async fn place_notices(&self, limit: u32) -> Result<Option<(u64, bool)>, StoreError> {
        self.there()?.place_notices(limit).await
    }

    async fn notices_to_publish(&self, turn: &NoticeTurn) -> Result<Vec<Notice>, StoreError> {
        self.there()?.notices_to_publish(turn).await
    }

    async fn notices(
        &self,
        tenant: &TenantId,
        after: u64,
        limit: u32,
    ) -> Result<NoticePage, StoreError> {
        self.there()?.notices(tenant, after, limit).await
    }

    async fn forget_notices(&self, ages: NoticeAges, limit: u32) -> Result<Forgotten, StoreError> {
        self.there()?.forget_notices(ages, limit).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.there()?.census().await
    }

    async fn recent(&self, window: Duration) -> Result<Recent, StoreError> {
        self.there()?.recent(window).await
    }

    async fn purge(&self, age: Duration, limit: u32) -> Result<u64, StoreError> {
        self.there()?.purge(age, limit).await
    }

    async fn erase_tenant(&self, tenant: &TenantId, limit: u32) -> Result<Erased, StoreError> {
        self.there()?.erase_tenant(tenant, limit).await
    }

    async fn recall_all(&self) -> Result<u64, StoreError> {
        self.there()?.recall_all().await
    }
}
