//! The control exchange: what is said to everybody, and what everybody says.
//!
//! Nothing here must arrive. Jobs that changed are told once, however often they changed
//! while the broker was slow.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Control, ControlLink, GatewayQueue, ShardIndex, Store, WorkerId, ZoneName,
};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::gateway::Gateway;
use crate::states::Answer;
use crate::watch::Change;

/// Pause before the exchange is joined again.
const PAUSE: Duration = Duration::from_millis(500);
/// How often it is noted that the gateway is awake.
const TICK: Duration = Duration::from_millis(250);
/// Snapshots that are read from the store at once, and that wait for it at most: a worker
/// that starts asks for each of its shards at the same moment.
const SNAPSHOTS: (usize, usize) = (4, 4_096);
/// Most changed jobs that wait to be told; watchers look once a second anyway.
const MOST_CHANGES: usize = 10_000;
/// How long jobs that changed and are still open wait for the next one that is over: too short
/// for anyone who looks at a job's progress.
const COMPANY: Duration = Duration::from_millis(50);
/// Messages about changed jobs that wait for the broker's word at most.
const UNDER_WAY: usize = 64;

/// The link, as long as there is one.
#[derive(Debug)]
pub(crate) struct Link<L> {
    current: Mutex<Option<Arc<L>>>,
    changes: Mutex<HashMap<JobId, Change>>,
    changed: Notify,
    /// Among the changes is one that somebody may wait for.
    over: Notify,
}

impl<L> Default for Link<L> {
    fn default() -> Self {
        Self {
            current: Mutex::default(),
            changes: Mutex::default(),
            changed: Notify::new(),
            over: Notify::new(),
        }
    }
}

impl<L: ControlLink> Link<L> {
    /// Says something to everybody, if there is a link.
    pub(crate) async fn broadcast(&self, control: &Control) {
        if let Some(link) = self.get()
            && let Err(error) = link.broadcast(control).await
        {
            tracing::debug!(error = %mailfleet_telemetry::chain(&error), "a broadcast is lost");
        }
    }

    /// Says something to one worker, if there is a link.
    pub(crate) async fn tell(&self, worker: &WorkerId, control: &Control) {
        if let Some(link) = self.get()
            && let Err(error) = link.tell(worker, control).await
        {
            tracing::debug!(error = %mailfleet_telemetry::chain(&error), "a message is lost");
        }
    }

    /// Has everybody told that a job changed, soon.
    pub(crate) fn changed(&self, job: JobId, change: Change) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.len() < MOST_CHANGES || changes.contains_key(&job) {
            let known = changes.entry(job).or_insert(change);
            *known = change.max(*known);
        }
        drop(changes);
        self.changed.notify_one();
        if change == Change::MayBeOver {
            self.over.notify_one();
        }
    }

    /// What is to be told.
    fn take_changes(&self) -> Vec<Control> {
        let changes =
            std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner));
        let changes: Vec<(JobId, Change)> = changes.into_iter().collect();
        let told = |changes: &[(JobId, Change)]| {
            let jobs = changes.iter().map(|(job, _)| *job).collect();
            let open = changes.iter().filter(|(_, change)| *change == Change::Open);
            Control::JobsChanged { jobs, open: open.map(|(job, _)| *job).collect() }
        };
        changes.chunks(Control::MOST_CHANGED).map(told).collect()
    }

    /// Whether there is a link.
    pub(crate) fn is_up(&self) -> bool {
        self.get().is_some()
    }

    fn get(&self) -> Option<Arc<L>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, link: Option<Arc<L>>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }
}

/// Tells everybody about changed jobs for ever.
pub(crate) async fn tell_changes<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    let link = &gateway.link;
    // Nobody's report waits for the broker's word on another one.
    let mut under_way = FuturesUnordered::new();
    let mut due: Option<Instant> = None;
    loop {
        let is_free = under_way.len() < UNDER_WAY;
        let company = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => pending().await,
            }
        };
        tokio::select! {
            Some(()) = under_way.next() => continue,
            () = link.over.notified(), if is_free => {}
            () = company, if is_free => {}
            () = link.changed.notified(), if due.is_none() => {
                due = Some(Instant::now() + COMPANY);
                continue;
            }
        }
        due = None;
        for changed in link.take_changes() {
            under_way.push(async move { link.broadcast(&changed).await });
        }
    }
}

/// Joins the exchange, and listens; again after it has ended.
pub(crate) async fn run<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    loop {
        match gateway.queue.control().await {
            Ok(link) => {
                gateway.troubles.control.is_over();
                let link = Arc::new(link);
                gateway.link.set(Some(Arc::clone(&link)));
                listen(&gateway, &link).await;
                gateway.link.set(None);
                tracing::warn!("the control exchange was left, joining it again");
            }
            Err(error) => gateway.troubles.control.begins(&error),
        }
        sleep(PAUSE).await;
    }
}

async fn listen<S: Store, Q: GatewayQueue>(gateway: &Arc<Gateway<S, Q>>, link: &Q::Link) {
    let mut snapshots = JoinSet::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let slots = Arc::new(Semaphore::new(SNAPSHOTS.0));
    loop {
        let heard = tokio::select! {
            heard = link.next() => heard,
            Some(_) = snapshots.join_next() => continue,
            _ = ticks.tick() => {
                gateway.witness().tick(gateway.now());
                continue;
            }
        };
        let Some(control) = heard else { return };
        match control {
            Control::SettingsWanted { worker, zone, shard } if gateway.zones().contains(&zone) => {
                // A worker that gets no answer asks again.
                if snapshots.len() < SNAPSHOTS.1 {
                    let (gateway, slots) = (Arc::clone(gateway), Arc::clone(&slots));
                    snapshots.spawn(async move {
                        let _slot = slots.acquire().await;
                        gateway.snapshot(&worker, zone, shard).await;
                    });
                }
            }
            Control::JobsChanged { jobs, open } => {
                if open.len() < jobs.len() {
                    gateway.notices.written_elsewhere();
                }
                let open: HashSet<JobId> = open.into_iter().collect();
                for job in jobs {
                    let is_open = open.contains(&job);
                    let change = if is_open { Change::Open } else { Change::MayBeOver };
                    gateway.watchers.notify(job, change);
                }
                gateway.batch_watchers.happened();
            }
            Control::Announce(news) => {
                gateway.witness().hear(&news, gateway.now());
                gateway.members.heard(news, gateway.now());
            }
            Control::State { request, worker, groups, held } => {
                gateway.questions.heard(request, Answer { worker, groups, held });
            }
            // What workers are told or tell each other, and our own words.
            Control::SettingsWanted { .. }
            | Control::Settings(_)
            | Control::Snapshot { .. }
            | Control::Start { .. }
            | Control::Cancel(_)
            | Control::Drain(_)
            | Control::Peer { .. }
            | Control::StepsWanted { .. }
            | Control::StateWanted { .. } => {}
        }
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// Tells a worker the settings of a shard's groups.
    async fn snapshot(&self, worker: &WorkerId, zone: ZoneName, shard: ShardIndex) {
        let Some(default) = self.part(&self.config.limits, &zone) else {
            // The configuration is refused that would say so.
            return tracing::error!(%zone, "a zone has no part in the default limit");
        };
        match self.settings(&zone, shard).await {
            Ok(groups) => {
                let groups = self.parts(groups);
                let last_owner = self.witness().last_owner(&zone, shard, worker);
                let snapshot = Control::Snapshot { zone, shard, default, groups, last_owner };
                self.link.tell(worker, &snapshot).await;
            }
            Err(error) => self.troubles.control.begins(&error),
        }
    }
}
