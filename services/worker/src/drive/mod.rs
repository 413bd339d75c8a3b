//! The drive: one task that owns the engine's worker, and carries out what it asks for.
//!
//! Everything that happens comes to this task, one thing after the other, with the time;
//! nothing in it waits for the broker or for a mail server, so that the fence is looked at
//! four times a second whatever else is going on. What takes time runs in tasks of its
//! own, which report back over a bounded channel and over what their task returns.

mod chores;
mod effects;
mod legs;
mod meter;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_engine::worker::Worker as Engine;
use mailfleet_engine::worker::{Claim, ClaimId, Event};
use mailfleet_model::fleet::{Control, Delivery, Outcome, ShardIndex, WorkerMessage, WorkerQueue};
use mailfleet_probe::companion::Reach;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock::{self, FenceLine};
use crate::config::Config;
use crate::error::Error;
use crate::health::{Health, State};
use crate::link::{self, Said, Voice, Words};
use crate::onlookers::Onlookers;
use crate::outbox::{self, Outbox};
use crate::runner::Runner;
use crate::switchboard::Switchboard;

use chores::Chores;
use effects::HeldClaim;
use legs::Legs;
use meter::Meter;

/// How often the engine looks at the time.
const TICK: Duration = Duration::from_millis(250);
/// Things that may have happened and not been looked at. Whoever reports waits beyond it.
const HAPPENINGS: usize = 4_096;
/// How often what is remembered for a while is looked through.
const TIDY: Duration = Duration::from_secs(5);

/// Something that happened outside.
#[derive(Debug)]
pub(crate) enum Happening {
    /// Something about the consuming connection of this number.
    OnConnection(u64, Event),
    /// A claim was answered.
    Claimed(ShardIndex, ClaimId, Claim),
    /// A leg was delivered, which would leave from this address.
    Delivered(ShardIndex, ClaimId, Box<Delivery>, Option<IpAddr>),
    /// The stream of a claim has ended.
    ClaimLost(ShardIndex, ClaimId),
    /// Something came over the control link.
    Heard(Control),
}

/// A worker, not yet running.
#[derive(Debug)]
pub struct Worker<Q> {
    config: Config,
    queue: Arc<Q>,
    runner: Arc<Runner>,
    state: watch::Sender<State>,
}

impl<Q: WorkerQueue> Worker<Q> {
    /// A worker on this queue, which was made with the id of `config`.
    #[must_use]
    pub fn new(config: Config, queue: Q, runner: Runner) -> Self {
        let state = watch::Sender::new(State::BEGINNING);
        Self { config, queue: Arc::new(queue), runner: Arc::new(runner), state }
    }

    /// A handle that tells how the worker is.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::new(self.state.subscribe(), Arc::clone(self.runner.unsealing()))
    }

    /// Runs until it has drained, which `shutdown` begins: no shard is claimed any more,
    /// legs that run come to their end (or are logged out when the drain takes too long),
    /// their results are confirmed, and the shards are given up.
    ///
    /// Dropping the future ends everything at once: sockets are closed, and what was not
    /// confirmed comes to the next owner.
    ///
    /// # Errors
    /// [`Error::Egress`] before anything is connected, if legs cannot leave through a member of a pool.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        self.runner.pools().prove().await?;
        let Self { config, queue, runner, state } = self;
        let (drive, words) = Drive::new(&config, queue, runner, state);
        tracing::info!(worker = %config.worker, zone = %config.zone, "worker started");
        Box::pin(drive.run(words, shutdown)).await;
        tracing::info!(worker = %config.worker, "worker ended");
        Ok(())
    }
}

/// The engine's worker with everything that it has in its hands.
struct Drive<Q> {
    config: Config,
    queue: Arc<Q>,
    runner: Arc<Runner>,
    engine: Engine,
    fence: FenceLine,
    switchboard: Arc<Switchboard>,
    onlookers: Arc<Onlookers>,
    voice: Voice,
    said: Said,
    /// The number of the consuming connection.
    epoch: u64,
    claims: HashMap<ClaimId, HeldClaim>,
    legs: Legs,
    outbox: Outbox<Q>,
    chores: Chores,
    report: mpsc::Sender<Happening>,
    happenings: mpsc::Receiver<Happening>,
    state: watch::Sender<State>,
    tidied: mailfleet_engine::Monotonic,
    meter: Meter,
}

impl<Q: WorkerQueue> Drive<Q> {
    fn new(
        config: &Config,
        queue: Arc<Q>,
        runner: Arc<Runner>,
        state: watch::Sender<State>,
    ) -> (Self, Words) {
        let now = clock::now();
        let (voice, words, said) = link::voice();
        let (report, happenings) = mpsc::channel(HAPPENINGS);
        let reach = if config.alone { Reach::ThisProcess } else { Reach::Fleet };
        let drive = Self {
            engine: Engine::new(config.identity(), config.rules(), now),
            fence: FenceLine::default(),
            switchboard: Arc::new(Switchboard::new(reach, voice.clone())),
            onlookers: Arc::default(),
            voice,
            said,
            epoch: 0,
            claims: HashMap::new(),
            legs: Legs::default(),
            outbox: Outbox::new(Arc::clone(&queue)),
            chores: Chores::default(),
            report,
            happenings,
            state,
            tidied: now,
            meter: Meter::default(),
            config: config.clone(),
            queue,
            runner,
        };
        (drive, words)
    }

    async fn run(mut self, words: Words, shutdown: CancellationToken) {
        let speaking = link::run(Arc::clone(&self.queue), words, self.report.clone());
        self.chores.link(speaking);
        self.connect();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut drains = false;
        while !self.engine.is_done() {
            tokio::select! {
                // The time first: no flood of deliveries may hide that the lock is lost.
                biased;
                due = ticks.tick() => self.tick(due.elapsed()).await,
                // Then the wish to end, which is met once.
                () = shutdown.cancelled(), if !drains => {
                    drains = true;
                    tracing::info!("worker drains");
                    self.tell(Event::Drain).await;
                }
                // Then what frees slots, before what asks for them.
                Some(ended) = self.legs.next() => self.leg_ended(ended).await,
                Some(ended) = self.outbox.next() => self.published(ended).await,
                Some(happening) = self.happenings.recv() => self.happened(happening).await,
                // Last: the end of a task comes after all that the task has reported.
                Some(ended) = self.chores.next() => self.chore_ended(ended).await,
            }
        }
        self.close().await;
    }

    /// Tells the engine, and does what it asks for.
    async fn tell(&mut self, event: Event) {
        let effects = self.engine.handle(event, clock::now());
        self.fence.set(self.engine.abort_at());
        for effect in effects {
            self.carry_out(effect).await;
        }
    }

    async fn tick(&mut self, late: Duration) {
        self.tell(Event::Tick(late)).await;
        let now = clock::now();
        let state = State { standing: self.engine.standing(now), load: self.engine.load() };
        self.state.send_if_modified(|known| {
            let changed = *known != state;
            *known = state;
            changed
        });
        self.meter.look(&self.engine, now);
        if TIDY <= now.since(self.tidied) {
            self.tidied = now;
            self.switchboard.tidy(now);
            self.onlookers.tidy(now);
        }
    }

    async fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::OnConnection(epoch, event) => {
                // What an earlier connection has to say is of no interest any more.
                if epoch == self.epoch {
                    self.tell(event).await;
                }
            }
            Happening::Claimed(shard, id, claim) => {
                if claim == Claim::Refused {
                    self.claims.remove(&id);
                }
                self.tell(Event::Claimed(shard, id, claim)).await;
            }
            Happening::Delivered(shard, id, delivery, source) => {
                self.delivered(shard, id, *delivery, source).await;
            }
            Happening::ClaimLost(shard, id) => self.tell(Event::ClaimLost(shard, id)).await,
            Happening::Heard(control) => self.heard(control).await,
        }
    }

    async fn heard(&mut self, control: Control) {
        match control {
            Control::Peer { job, side, word } => {
                self.switchboard.hear(job, side, word, clock::now());
            }
            Control::StepsWanted { gateway, jobs } => {
                self.onlookers.note(&gateway, &jobs, clock::now());
            }
            Control::StateWanted { request, group, job } => {
                let groups = self.engine.states(group.as_ref(), clock::now());
                if !groups.is_empty() || group.is_some_and(|group| self.engine.has(&group)) {
                    let worker = self.config.worker.clone();
                    let held = job.map(|job| self.engine.held(job));
                    self.voice.say(Control::State { request, worker, groups, held });
                }
            }
            other => self.tell(Event::Heard(other)).await,
        }
    }

    /// A publication ended: what the broker has may be acked.
    async fn published(&mut self, ended: outbox::Ended) {
        let engine = &self.engine;
        let held =
            |message: &WorkerMessage| engine.dispatch_of(message.leg) == Some(message.dispatch);
        if let Some(message) = self.outbox.settle(ended, held)
            && !matches!(message.outcome, Outcome::MayStart { .. })
        {
            self.tell(Event::Confirmed(message.leg, message.dispatch)).await;
        }
    }
}
