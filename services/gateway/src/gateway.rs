//! The gateway: what all calls and loops share, and the loops themselves.
//!
//! The loops move jobs on; the calls only submit, read and wait. So a caller may hang up,
//! and any other gateway on the same store may do the rest.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailfleet_engine::collect::{Event, advance};
use mailfleet_engine::grouping::ChangeWatch;
use mailfleet_engine::witness::Witness;
use mailfleet_engine::{Monotonic, Rules};
use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Control, GatewayId, GatewayQueue, JobState, StartAnswer, Store, StoreError, ZoneName,
};
use mailfleet_probe::resolve::Resolver;
use mailfleet_probe::target::TargetPolicy;
use mailfleet_vault::PublicRing;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::batches::BatchWatchers;
use crate::compose::{Compose, trace_of};
use crate::config::Config;
use crate::control::{self, Link};
use crate::feed::{self, Feeds};
use crate::marks::{self, Marks};
use crate::members::Members;
use crate::notices::{self, Notices};
use crate::pace::Pace;
use crate::states::Questions;
use crate::summary::Pictures;
use crate::supervise::supervise;
use crate::tenants::Tenants;
use crate::told::{BatchTraces, ended, is_duplicate};
use crate::trouble::Trouble;
use crate::wakes::Wakes;
use crate::watch::{self, Change, Watchers};
use crate::{census, collect, dispatch, health, sweep};

/// Longest wait for the loops at the end: they only have to notice it.
const LAST: Duration = Duration::from_secs(5);

/// What a gateway is made of.
#[derive(Debug)]
pub struct Parts<S, Q> {
    /// This run's name; live steps are sent to it. The queue was made with the same.
    pub id: GatewayId,
    /// The store.
    pub store: Arc<S>,
    /// The gateway's side of the broker.
    pub queue: Arc<Q>,
    /// What makes tags, and seals credentials for zones without a ring of their own.
    pub ring: Arc<PublicRing>,
    /// What seals credentials for the workers of a zone that have keys of their own.
    pub zone_rings: BTreeMap<ZoneName, Arc<PublicRing>>,
    /// Finds the addresses that hosts are grouped by.
    pub resolver: Resolver,
    /// Hosts that it refuses are not grouped by address; their legs report the refusal.
    pub targets: TargetPolicy,
    /// Who may call.
    pub tenants: Tenants,
    /// The rules; deployments set the number of shards and the shares of the zones. The tenants'
    /// weights are added.
    pub rules: Rules,
}

/// What all calls and loops share.
pub struct Gateway<S, Q: GatewayQueue> {
    pub(crate) id: GatewayId,
    pub(crate) store: Arc<S>,
    pub(crate) queue: Arc<Q>,
    pub(crate) ring: Arc<PublicRing>,
    pub(crate) zone_rings: BTreeMap<ZoneName, Arc<PublicRing>>,
    pub(crate) resolver: Resolver,
    pub(crate) targets: TargetPolicy,
    pub(crate) tenants: Tenants,
    pub(crate) rules: Rules,
    pub(crate) config: Config,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) marks: Marks,
    pub(crate) feeds: Feeds,
    pub(crate) notices: Notices,
    pub(crate) link: Link<Q::Link>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) batch_watchers: BatchWatchers,
    pub(crate) members: Members,
    witness: Mutex<Witness>,
    pub(crate) questions: Questions,
    pub(crate) pictures: Pictures,
    pub(crate) pace: Pace,
    pub(crate) changes: Mutex<ChangeWatch>,
    pub(crate) batch_traces: BatchTraces,
    pub(crate) troubles: Troubles,
    /// Every open stream.
    pub(crate) streams: TaskTracker,
    /// Legs on their way to the broker that were released with their jobs.
    pub(crate) publishing: TaskTracker,
    /// Cancelled when no more submissions are taken.
    pub(crate) draining: CancellationToken,
    /// Cancelled when open streams must end.
    pub(crate) stop: CancellationToken,
    began: Instant,
}

/// What may fail for a while.
#[derive(Debug)]
pub(crate) struct Troubles {
    pub(crate) dispatch: Trouble,
    pub(crate) publish: Trouble,
    pub(crate) mark: Trouble,
    pub(crate) news: Trouble,
    pub(crate) collect: Trouble,
    pub(crate) sweep: Trouble,
    pub(crate) feed: Trouble,
    pub(crate) notices: Trouble,
    pub(crate) notices_out: Trouble,
    pub(crate) control: Trouble,
    pub(crate) watch: Trouble,
    pub(crate) health: Trouble,
    pub(crate) census: Trouble,
}

/// A gateway whose loops run. Dropping it ends them at once.
#[derive(Debug)]
#[must_use = "dropping it ends the loops"]
pub struct Running<S, Q: GatewayQueue> {
    gateway: Arc<Gateway<S, Q>>,
    loops: JoinSet<()>,
    end: CancellationToken,
}

impl<S, Q: GatewayQueue> fmt::Debug for Gateway<S, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// Starts the loops. Jobs are collected and released from here on, also without any
    /// [`Server`](crate::Server). Must be called within a runtime.
    pub fn start(parts: Parts<S, Q>, config: Config) -> Running<S, Q> {
        let gateway = Arc::new(Self::new(parts, config));
        let (mut loops, end) = (JoinSet::new(), CancellationToken::new());
        macro_rules! start {
            ($name:literal, $loop:path) => {
                let shared = Arc::clone(&gateway);
                supervise(&mut loops, &end, $name, move || $loop(Arc::clone(&shared)));
            };
        }
        start!("dispatch", dispatch::run);
        start!("marks", marks::run);
        start!("feed", feed::run);
        start!("collect", collect::run);
        start!("notices", notices::place);
        start!("events", notices::publish);
        start!("sweep", sweep::run);
        start!("control", control::run);
        start!("changes", control::tell_changes);
        start!("watch", watch::look);
        start!("live", watch::live);
        start!("steps", watch::want);
        start!("health", health::run);
        start!("census", census::run);
        Running { gateway, loops, end }
    }

    fn new(parts: Parts<S, Q>, config: Config) -> Self {
        let Parts { id, store, queue, ring, zone_rings, resolver, targets, tenants, mut rules } =
            parts;
        rules.dispatch.weights = tenants.weights();
        let witness = Witness::new(rules.hold.clone(), Monotonic::default());
        Self {
            id,
            store,
            queue,
            ring,
            zone_rings,
            resolver,
            targets,
            tenants,
            rules,
            config,
            wakes: Arc::default(),
            marks: Marks::default(),
            feeds: Feeds::default(),
            notices: Notices::default(),
            link: Link::default(),
            watchers: Arc::default(),
            batch_watchers: BatchWatchers::default(),
            members: Members::default(),
            witness: Mutex::new(witness),
            questions: Questions::default(),
            pictures: Pictures::default(),
            pace: Pace::default(),
            changes: Mutex::default(),
            batch_traces: BatchTraces::default(),
            troubles: Troubles {
                dispatch: Trouble::with("releasing legs"),
                publish: Trouble::with("publishing legs"),
                mark: Trouble::with("marking legs as published"),
                news: Trouble::with("consuming workers' news"),
                collect: Trouble::with("collecting results"),
                sweep: Trouble::with("sweeping"),
                feed: Trouble::with("feeding batches"),
                notices: Trouble::with("placing events"),
                notices_out: Trouble::with("publishing events"),
                control: Trouble::with("the control exchange"),
                watch: Trouble::with("watching jobs"),
                health: Trouble::with("the store"),
                census: Trouble::with("counting what waits"),
            },
            streams: TaskTracker::new(),
            publishing: TaskTracker::new(),
            draining: CancellationToken::new(),
            stop: CancellationToken::new(),
            began: Instant::now(),
        }
    }

    /// Who has heard of the owners of shards.
    pub(crate) fn witness(&self) -> MutexGuard<'_, Witness> {
        self.witness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process's own clock.
    pub(crate) fn now(&self) -> Monotonic {
        Monotonic(self.began.elapsed())
    }

    /// Works an event into a job, and tells whoever wants to know. The answer is meant for
    /// who asked whether a leg may start; `None` if there is no such job.
    pub(crate) async fn advance(
        &self,
        job: JobId,
        event: &Event,
    ) -> Result<Option<StartAnswer>, StoreError> {
        let decide = |view: &mailfleet_model::fleet::JobView| {
            let composer = Compose::on(view, &self.rules.dispatch);
            let event = collect::readable(event, view, &composer);
            let (change, answer) = advance(view, &event, &composer, &self.rules);
            let ended = ended(view, &change);
            let changed = !change.is_empty();
            let last = ended.as_ref().and(change.job.clone());
            let last = last.filter(|_| self.watchers.watches(job));
            (change, (answer, changed, ended, last, view.job.class))
        };
        let advanced = self.store.advance(job, decide).await?;
        let Some(((answer, changed, ended, last, class), wake)) = advanced else {
            return Ok(None);
        };
        if is_duplicate(event, changed) {
            mailfleet_telemetry::metrics::duplicate_result();
        }
        if let Some(ended) = &ended {
            let state = ended.job.state;
            self.feeds.wake(ended.job.batch);
            let batch = ended.job.batch;
            batch.inspect(|batch| self.batch_watchers.happened_to(*batch));
            self.notices.written();
            let verdict = ended.job.verdict.map_or("", Into::into);
            let trace_id = trace_of(&ended.job);
            tracing::info!(job.id = %job, %trace_id, %state, verdict, "job ended");
            // Nobody needs what its legs would still find, and each login costs a slot.
            let cut_off = state == JobState::Cancelled || matches!(event, Event::Deadline);
            if cut_off {
                self.link.broadcast(&Control::Cancel(job)).await;
            }
        }
        if changed {
            let change = if ended.is_some() { Change::MayBeOver } else { Change::Open };
            match &last {
                Some(last) => self.watchers.ended(last),
                None => self.watchers.notify(job, change),
            }
            // That a start was counted is nothing to look at: a second is soon enough.
            if ended.is_some() || !matches!(event, Event::MayStart { .. }) {
                self.link.changed(job, change);
            }
        }
        // Mostly it is a place that has become free, and nobody wants it.
        self.wakes.wake_to_look(class, wake);
        if let Some(ended) = &ended {
            self.tell_end(ended).await;
        }
        Ok(Some(answer))
    }
}

impl<S: Store, Q: GatewayQueue> Running<S, Q> {
    /// What the server and the loops share.
    #[must_use]
    pub fn gateway(&self) -> &Arc<Gateway<S, Q>> {
        &self.gateway
    }

    /// Ends the loops. What they were about to do is found by another gateway, or by this
    /// one after its restart. The last part of a shutdown: after the server, whose callers
    /// wait for what the loops collect, and after the worker of the same process.
    pub async fn stop(mut self) {
        self.end.cancel();
        let ended = async { while self.loops.join_next().await.is_some() {} };
        if timeout(LAST, ended).await.is_err() {
            tracing::warn!("the gateway's loops did not end in time");
        }
        // Otherwise another gateway publishes these legs again.
        let rest = async {
            self.gateway.publishing.close();
            self.gateway.publishing.wait().await;
            self.gateway.mark_the_rest().await;
        };
        if timeout(LAST, rest).await.is_err() {
            tracing::warn!("legs that the broker has were not marked in time");
        }
    }
}
