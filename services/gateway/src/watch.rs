//! Who watches which job, in this process: told at once by what happens here and by the
//! other gateways, and by a look at the versions once a second, in one query for all.
//!
//! Also hands out the live steps, best effort: a watcher that does not keep up misses some.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailfleet_model::fleet::{GatewayQueue, Live, Store};
use mailfleet_model::{JobId, LegEvent};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use crate::gateway::Gateway;

/// Live steps that wait for one watcher. A validation has about sixty.
const LIVE: usize = 64;
/// How often versions are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Versions in one query (the store's own bound).
const QUERY: usize = 1_000;

/// The watchers of all jobs.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<HashMap<JobId, Watched>>);

#[derive(Debug)]
struct Watched {
    changed: watch::Sender<()>,
    /// The version at the last look.
    seen: Option<u64>,
    live: Vec<mpsc::Sender<LegEvent>>,
    watchers: usize,
}

/// One watcher of one job; over when dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    table: Arc<Watchers>,
    pub(crate) job: JobId,
    changed: watch::Receiver<()>,
    live: mpsc::Receiver<LegEvent>,
}

/// What a watcher hears.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The job may have changed.
    Changed,
    /// A step of one of its legs.
    Step(LegEvent),
}

impl Watch {
    /// Waits until there is something to hear. Cancel-safe. Senders live as long as their
    /// watchers are counted, so neither of the two ends.
    pub(crate) async fn next(&mut self) -> Heard {
        tokio::select! {
            // In the order in which they happened, as far as possible: steps first.
            biased;
            Some(event) = self.live.recv() => Heard::Step(event),
            Ok(()) = self.changed.changed() => Heard::Changed,
            else => std::future::pending().await,
        }
    }

    /// A step that was heard already.
    pub(crate) fn try_step(&mut self) -> Option<LegEvent> {
        self.live.try_recv().ok()
    }

    /// Whether nobody else watches this job here.
    pub(crate) fn is_alone(&self) -> bool {
        self.table.jobs().get(&self.job).is_none_or(|watched| watched.watchers <= 1)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.live.close();
        let mut jobs = self.table.jobs();
        if let Some(watched) = jobs.get_mut(&self.job) {
            watched.watchers -= 1;
            watched.live.retain(|sender| !sender.is_closed());
            if watched.watchers == 0 {
                jobs.remove(&self.job);
            }
        }
    }
}

impl Watchers {
    /// Watches a job from now on.
    pub(crate) fn watch(self: &Arc<Self>, job: JobId) -> Watch {
        let (sender, live) = mpsc::channel(LIVE);
        let mut jobs = self.jobs();
        let watched = jobs.entry(job).or_insert_with(|| Watched {
            changed: watch::Sender::new(()),
            seen: None,
            live: Vec::new(),
            watchers: 0,
        });
        watched.live.push(sender);
        watched.watchers += 1;
        let changed = watched.changed.subscribe();
        drop(jobs);
        Watch { table: Arc::clone(self), job, changed, live }
    }

    /// Tells the watchers of a job that it may have changed.
    pub(crate) fn notify(&self, job: JobId) {
        if let Some(watched) = self.jobs().get(&job) {
            watched.changed.send_replace(());
        }
    }

    /// Hands out a live step.
    pub(crate) fn step(&self, live: &Live) {
        if let Some(watched) = self.jobs().get(&live.leg.job) {
            for sender in &watched.live {
                // Full: this watcher misses it. The report holds every step.
                drop(sender.try_send(live.event.clone()));
            }
        }
    }

    fn all(&self) -> Vec<JobId> {
        self.jobs().keys().copied().collect()
    }

    /// Compares with what a look found; `None` for a job that is gone.
    fn look(&self, job: JobId, version: Option<u64>) {
        if let Some(watched) = self.jobs().get_mut(&job) {
            if version.is_none() || watched.seen != version {
                watched.changed.send_replace(());
            }
            watched.seen = version;
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the versions of all watched jobs for ever.
pub(crate) async fn look<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for jobs in gateway.watchers.all().chunks(QUERY) {
            match gateway.store.versions(jobs).await {
                Ok(versions) => {
                    gateway.troubles.watch.is_over();
                    let found: HashMap<JobId, u64> =
                        versions.into_iter().map(|(job, version, _)| (job, version)).collect();
                    for job in jobs {
                        gateway.watchers.look(*job, found.get(job).copied());
                    }
                }
                Err(error) => gateway.troubles.watch.begins(&error),
            }
        }
    }
}

/// Hands out live steps for ever.
pub(crate) async fn live<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    loop {
        let live = gateway.queue.next_live().await;
        gateway.watchers.step(&live);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use mailfleet_model::fleet::LegId;
    use mailfleet_model::{Leg, StepKind};
    use uuid::Uuid;

    use super::*;

    const JOB: JobId = JobId(Uuid::from_u128(7));

    #[tokio::test]
    async fn changes_come_as_one_and_only_to_the_jobs_watchers() {
        let table = Arc::new(Watchers::default());
        let mut watch = table.watch(JOB);
        table.notify(JobId(Uuid::from_u128(8)));
        assert_eq!(watch.next().now_or_never(), None);
        table.notify(JOB);
        table.notify(JOB);
        assert_eq!(watch.next().now_or_never(), Some(Heard::Changed));
        assert_eq!(watch.next().now_or_never(), None, "both came as one");
        table.look(JOB, Some(1));
        assert_eq!(watch.next().now_or_never(), Some(Heard::Changed));
        table.look(JOB, Some(1));
        assert_eq!(watch.next().now_or_never(), None, "nothing new");
        drop(watch);
        assert!(table.all().is_empty());
    }

    #[tokio::test]
    async fn a_slow_watcher_misses_steps_and_holds_nobody_up() {
        let table = Arc::new(Watchers::default());
        let mut watch = table.watch(JOB);
        let event = LegEvent::StepStarted { leg: Leg::Imap, kind: StepKind::Login };
        let live = Live { leg: LegId { job: JOB, index: 0 }, event };
        for _ in 0..1_000 {
            table.step(&live);
        }
        let mut got = 0;
        while watch.try_step().is_some() {
            got += 1;
        }
        assert_eq!(got, LIVE);
    }
}
