//! Who watches which job, in this process: told at once by what happens here and by the
//! other gateways, and by a look at the versions once a second, in one query for all.
//!
//! Also hands out the live steps, best effort: a watcher that does not keep up misses some.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailfleet_model::fleet::{Control, GatewayQueue, JobRecord, JobState, Live, Store};
use mailfleet_model::{JobId, LegEvent};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use crate::gateway::Gateway;

/// Live steps that wait for one watcher. A validation has about sixty.
const LIVE: usize = 64;
/// How often workers are told again whose steps are wanted here.
const WANTED: Duration = Duration::from_secs(10);
/// How often versions are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Versions in one query (the store's own bound).
const QUERY: usize = 1_000;

/// The watchers of all jobs.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    jobs: Mutex<HashMap<JobId, Watched>>,
    /// Somebody wants steps of which no worker knows yet.
    wanted: Notify,
}

#[derive(Debug)]
struct Watched {
    /// Sends at every change how many there were after which the job may be over.
    changed: watch::Sender<u64>,
    /// The version at the last look.
    seen: Option<u64>,
    /// The job as it ended, where that happened here.
    ended: Option<Arc<JobRecord>>,
    live: Vec<mpsc::Sender<LegEvent>>,
    watchers: usize,
    /// Those of them who want steps that are not sent here by themselves.
    joined: usize,
    /// Whether workers were told so.
    is_told: bool,
}

/// One watcher of one job; over when dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    table: Arc<Watchers>,
    pub(crate) job: JobId,
    changed: watch::Receiver<u64>,
    /// The changes that were heard after which the job may be over.
    may_be_over: u64,
    live: mpsc::Receiver<LegEvent>,
    joined: bool,
}

/// What a watcher hears.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The job may have changed.
    Changed(Change),
    /// A step of one of its legs.
    Step(LegEvent),
}

/// What is known of a job that has changed; the later one says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// It is still open: nothing for those who only wait for the end.
    Open,
    /// It is over, or nobody says.
    MayBeOver,
}

/// Of whose steps workers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    New,
}

impl Watch {
    /// Waits until there is something to hear. Cancel-safe. Senders live as long as their
    /// watchers are counted, so neither of the two ends.
    pub(crate) async fn next(&mut self) -> Heard {
        tokio::select! {
            // In the order in which they happened, as far as possible: steps first.
            biased;
            Some(event) = self.live.recv() => Heard::Step(event),
            Ok(()) = self.changed.changed() => {
                let seen = *self.changed.borrow_and_update();
                let is_new = std::mem::replace(&mut self.may_be_over, seen) != seen;
                Heard::Changed(if is_new { Change::MayBeOver } else { Change::Open })
            }
            else => std::future::pending().await,
        }
    }

    /// Has the steps of this job sent here from now on, though another gateway made it.
    pub(crate) fn want_steps(&mut self) {
        if std::mem::replace(&mut self.joined, true) {
            return;
        }
        if let Some(watched) = self.table.jobs().get_mut(&self.job) {
            watched.joined += 1;
        }
        self.table.wanted.notify_one();
    }

    /// A step that was heard already.
    pub(crate) fn try_step(&mut self) -> Option<LegEvent> {
        self.live.try_recv().ok()
    }

    /// The job with its report, if it has ended here.
    pub(crate) fn ended(&self) -> Option<Arc<JobRecord>> {
        self.table.jobs().get(&self.job)?.ended.clone()
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
            watched.joined -= usize::from(self.joined);
            watched.is_told &= 0 < watched.joined;
            watched.live.retain(|sender| !sender.is_closed());
            if watched.watchers == 0 {
                jobs.remove(&self.job);
            }
        }
    }
}

impl Watched {
    fn notify(&self, change: Change) {
        self.changed.send_modify(|may_be_over| {
            *may_be_over += u64::from(change == Change::MayBeOver);
        });
    }
}

impl Watchers {
    /// Watches a job from now on.
    pub(crate) fn watch(self: &Arc<Self>, job: JobId) -> Watch {
        let (sender, live) = mpsc::channel(LIVE);
        let mut jobs = self.jobs();
        let watched = jobs.entry(job).or_insert_with(|| Watched {
            changed: watch::Sender::new(0),
            seen: None,
            ended: None,
            live: Vec::new(),
            watchers: 0,
            joined: 0,
            is_told: false,
        });
        watched.live.push(sender);
        watched.watchers += 1;
        let changed = watched.changed.subscribe();
        drop(jobs);
        let may_be_over = *changed.borrow();
        Watch { table: Arc::clone(self), job, changed, may_be_over, live, joined: false }
    }

    /// Tells the watchers of a job that it may have changed.
    pub(crate) fn notify(&self, job: JobId, change: Change) {
        if let Some(watched) = self.jobs().get(&job) {
            watched.notify(change);
        }
    }

    /// Whether somebody watches a job here.
    pub(crate) fn watches(&self, job: JobId) -> bool {
        self.jobs().contains_key(&job)
    }

    /// Tells the watchers of a job how it has ended, once that is stored.
    pub(crate) fn ended(&self, job: &JobRecord) {
        if let Some(watched) = self.jobs().get_mut(&job.id) {
            watched.ended = Some(Arc::new(job.clone()));
            watched.notify(Change::MayBeOver);
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

    /// Jobs whose steps are wanted here: all of them, or those that no worker was told.
    fn take_wanted(&self, which: Wanted) -> Vec<JobId> {
        let mut jobs = self.jobs();
        let wanted = jobs.iter_mut().filter(|(_, watched)| 0 < watched.joined);
        let wanted = wanted.filter(|(_, watched)| which == Wanted::All || !watched.is_told);
        wanted
            .map(|(job, watched)| {
                watched.is_told = true;
                *job
            })
            .collect()
    }

    fn all(&self) -> Vec<JobId> {
        self.jobs().keys().copied().collect()
    }

    /// Compares with what a look found; `None` for a job that is gone.
    fn look(&self, job: JobId, found: Option<(u64, JobState)>) {
        if let Some(watched) = self.jobs().get_mut(&job) {
            let version = found.map(|(version, _)| version);
            if version.is_none() || watched.seen != version {
                let is_open = found.is_some_and(|(_, state)| !state.is_final());
                watched.notify(if is_open { Change::Open } else { Change::MayBeOver });
            }
            watched.seen = version;
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Watched>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
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
                    let found = versions.into_iter();
                    let found: HashMap<JobId, (u64, JobState)> =
                        found.map(|(job, version, state)| (job, (version, state))).collect();
                    for job in jobs {
                        gateway.watchers.look(*job, found.get(job).copied());
                    }
                }
                Err(error) => gateway.troubles.watch.begins(&error),
            }
        }
    }
}

/// Tells workers for ever whose steps are wanted here: at once, and again for those that have
/// begun meanwhile, or did not hear it. Says nothing where nobody has joined a job.
pub(crate) async fn want<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    let mut again = interval(WANTED);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let which = tokio::select! {
            _ = again.tick() => Wanted::All,
            () = gateway.watchers.wanted.notified() => Wanted::New,
        };
        for jobs in gateway.watchers.take_wanted(which).chunks(Control::MOST_CHANGED) {
            let (gateway_id, jobs) = (gateway.id.clone(), jobs.to_vec());
            let wanted = Control::StepsWanted { gateway: gateway_id, jobs };
            gateway.link.broadcast(&wanted).await;
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
    use mailfleet_model::fleet::{JobClass, LegId, Payload, Timestamp};
    use mailfleet_model::{Leg, StepKind};
    use uuid::Uuid;

    use super::*;

    const JOB: JobId = JobId(Uuid::from_u128(7));

    #[tokio::test]
    async fn changes_come_as_one_and_only_to_the_jobs_watchers() {
        let table = Arc::new(Watchers::default());
        let mut watch = table.watch(JOB);
        table.notify(JobId(Uuid::from_u128(8)), Change::Open);
        assert_eq!(watch.next().now_or_never(), None);
        table.notify(JOB, Change::Open);
        table.notify(JOB, Change::Open);
        assert_eq!(watch.next().now_or_never(), Some(Heard::Changed(Change::Open)));
        assert_eq!(watch.next().now_or_never(), None, "both came as one");
        table.look(JOB, Some((1, JobState::Open)));
        assert_eq!(watch.next().now_or_never(), Some(Heard::Changed(Change::Open)));
        table.look(JOB, Some((1, JobState::Open)));
        assert_eq!(watch.next().now_or_never(), None, "nothing new");
        table.look(JOB, Some((2, JobState::Done)));
        assert_eq!(watch.next().now_or_never(), Some(Heard::Changed(Change::MayBeOver)));
        table.look(JOB, None);
        assert_eq!(watch.next().now_or_never(), Some(Heard::Changed(Change::MayBeOver)));
        drop(watch);
        assert!(table.all().is_empty());
    }

    #[tokio::test]
    async fn that_a_job_may_be_over_is_heard_whatever_is_told_after_it() {
        let table = Arc::new(Watchers::default());
        let mut watch = table.watch(JOB);
        table.notify(JOB, Change::MayBeOver);
        table.notify(JOB, Change::Open);
        let mut later = table.watch(JOB);
        assert_eq!(watch.next().now_or_never(), Some(Heard::Changed(Change::MayBeOver)));
        assert_eq!(later.next().now_or_never(), None, "it was told before");
        table.notify(JOB, Change::Open);
        assert_eq!(watch.next().now_or_never(), Some(Heard::Changed(Change::Open)));
        assert_eq!(later.next().now_or_never(), Some(Heard::Changed(Change::Open)));
    }

    #[tokio::test]
    async fn a_job_that_ended_here_is_handed_to_whoever_watches_it() {
        let table = Arc::new(Watchers::default());
        let record = |report| JobRecord {
            id: JOB,
            tenant: "crm".parse().expect("a name"),
            class: JobClass::Interactive,
            batch: None,
            state: JobState::Done,
            version: 1,
            created: Timestamp(0),
            deadline: Timestamp(1),
            finished: None,
            verdict: None,
            traceparent: None,
            payload: Payload::default(),
            report: Some(Payload(vec![report])),
        };
        table.ended(&record(1));
        assert!(!table.watches(JOB), "nobody watched it");
        let mut watch = table.watch(JOB);
        assert_eq!(watch.ended(), None);
        table.ended(&record(2));
        assert_eq!(watch.next().now_or_never(), Some(Heard::Changed(Change::MayBeOver)));
        assert_eq!(watch.ended().as_deref(), Some(&record(2)));
    }

    #[tokio::test]
    async fn workers_are_told_of_a_joined_job_once_and_then_again_for_as_long_as_it_is_watched() {
        let table = Arc::new(Watchers::default());
        let (_alone, mut first, mut second) =
            (table.watch(JOB), table.watch(JOB), table.watch(JOB));
        assert!(table.take_wanted(Wanted::All).is_empty(), "nobody has joined it");
        first.want_steps();
        first.want_steps();
        assert!(table.wanted.notified().now_or_never().is_some());
        assert_eq!(table.take_wanted(Wanted::New), [JOB]);
        second.want_steps();
        assert!(table.take_wanted(Wanted::New).is_empty(), "they were told");
        assert_eq!(table.take_wanted(Wanted::All), [JOB]);
        drop(first);
        assert_eq!(table.take_wanted(Wanted::All), [JOB]);
        drop(second);
        assert!(table.take_wanted(Wanted::All).is_empty(), "those who want steps have gone");
        table.watch(JOB).want_steps();
        assert!(table.take_wanted(Wanted::New).is_empty(), "gone at once");
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
