//! A simulated worker process: carries out what the engine's worker asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mailfleet_engine::own::{Action, Ending};
use mailfleet_engine::worker::{Effect, Event, Identity, Worker as Engine};
use mailfleet_engine::{Monotonic, Rules};
use mailfleet_model::fleet::{
    Announcement, Control, Dispatch, GroupSettings, LegId, Outcome, StartAnswer, WorkerId,
    WorkerMessage, ZoneName,
};
use mailfleet_model::leg::LoginOutcome;
use std::num::NonZeroU32;

use super::broker::CONNECTION;
use super::event::{Epoch, ForBroker, ForWorker, Scheduled};
use super::history::{History, Password};
use super::mutation::Mutation;
use super::world::{SHARDS, World, millis, zone_named};

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) run: u64,
    pub(crate) alive: bool,
    /// Since when and until when it is frozen.
    pub(crate) frozen: Option<(Duration, Duration)>,
    /// Its last long sleep, while sockets of before are still open.
    pub(crate) thawed: Option<(Duration, Duration)>,
    pub(crate) cut_to: bool,
    pub(crate) cut_from: bool,
    pub(crate) cut_since: Option<Duration>,
    /// The broker was away while nothing from it came through: what this worker says goes over
    /// connections that the broker does not know any more.
    pub(crate) unknown: bool,
    /// What the network holds back until the cut is healed.
    held_to: Vec<ForBroker>,
    pub(crate) held_from: Vec<(Epoch, Event)>,
    epoch: Epoch,
    connected: bool,
    engine: Engine,
    runs: BTreeMap<LegId, Run>,
    run_serial: u64,
    /// What it tries to publish until it is confirmed.
    pending: Vec<WorkerMessage>,
}

#[derive(Debug)]
struct Run {
    serial: u64,
    dispatch: Dispatch,
    session: Option<u64>,
}

impl Worker {
    pub(crate) fn new(
        (index, zone): (usize, ZoneName),
        run: u64,
        kinds: &[&str],
        rules: &Rules,
        now: Monotonic,
    ) -> Self {
        let id: WorkerId = format!("w{index}-{run}").parse().expect("a name");
        let identity = Identity {
            worker: id.clone(),
            zone,
            shards: SHARDS,
            capacity: 50,
            kinds: kinds.iter().map(|kind| kind.parse().expect("a name")).collect(),
            version: "1".to_owned(),
        };
        Self {
            id,
            run,
            alive: true,
            frozen: None,
            thawed: None,
            cut_to: false,
            cut_from: false,
            cut_since: None,
            unknown: false,
            held_to: Vec::new(),
            held_from: Vec::new(),
            epoch: 0,
            connected: false,
            engine: Engine::new(identity, rules.clone(), now),
            runs: BTreeMap::new(),
            run_serial: 0,
            pending: Vec::new(),
        }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether nothing that it says arrives.
    pub(crate) fn is_mute(&self) -> bool {
        self.cut_to || self.unknown
    }

    /// Since when the broker hears nothing of it.
    pub(crate) fn mute_since(&self) -> Option<Duration> {
        let cut = self.cut_since.filter(|_| self.cut_to);
        let frozen = self.frozen.map(|(since, _)| since);
        [cut, frozen].into_iter().flatten().min()
    }
}

/// Kinds of legs: one that every worker runs, and one that the older ones do not.
pub(crate) const KINDS: [&str; 2] = ["check", "newer-check"];

/// The kinds that a worker runs.
pub(crate) fn kinds_of(index: usize, history: &History) -> &'static [&'static str] {
    if index < history.older { &KINDS[..1] } else { &KINDS }
}

impl World {
    pub(crate) fn begin_worker(&mut self, index: usize) {
        let after = self.random.millis(0, 250);
        self.worker_later(index, after, ForWorker::Tick);
        self.connect(index);
    }

    pub(crate) fn on_worker(&mut self, index: usize, event: ForWorker) {
        match event {
            ForWorker::Tick => {
                self.worker_later(index, millis(250), ForWorker::Tick);
                // Of every eight seconds some are such in which the processor is scarce.
                let scarce = self.monotonic().0.as_secs() / 4 % 2 == 1;
                let late = if scarce { millis(100) } else { Duration::ZERO };
                self.engine(index, Event::Tick(late));
                if self.workers[index].engine.is_done() {
                    // Its last words are out before it ends.
                    self.worker_later(index, millis(100), ForWorker::End);
                }
            }
            ForWorker::OnConnection(epoch, event) => {
                if self.workers[index].epoch == epoch {
                    self.workers[index].connected |= *event == Event::Connected;
                    self.engine(index, *event);
                }
            }
            ForWorker::Engine(event) => self.engine(index, self.tampered(*event)),
            ForWorker::ConnectTimeout(epoch) => {
                let worker = &self.workers[index];
                if worker.epoch == epoch && !worker.connected {
                    self.engine(index, Event::ConnectionLost);
                }
            }
            ForWorker::Release(epoch, shard, id) => {
                if self.workers[index].epoch == epoch {
                    self.send_broker(index, ForBroker::Release(index, epoch, shard, id));
                }
            }
            ForWorker::Open(leg, serial) => self.open(index, leg, serial),
            ForWorker::End => self.kill_worker(index, millis(1_000)),
            ForWorker::Done(leg, serial) => self.done(index, leg, serial),
            ForWorker::Publish(message) => self.publish(index, message),
            ForWorker::PublishConfirmed(message) => {
                let pending = &mut self.workers[index].pending;
                let before = pending.len();
                pending.retain(|other| *other != *message);
                let asks = matches!(message.outcome, Outcome::MayStart { .. });
                if pending.len() != before && !asks {
                    self.engine(index, Event::Confirmed(message.leg, message.dispatch));
                }
            }
        }
    }

    /// What a mutation makes of an event.
    fn tampered(&self, event: Event) -> Event {
        let raised = |mut settings: GroupSettings| {
            let limit = settings.limits.concurrency.get() + 1;
            settings.limits.concurrency = NonZeroU32::new(limit).expect("not zero");
            settings
        };
        match (self.mutation, event) {
            (Some(Mutation::OneMore), Event::Heard(Control::Settings(groups))) => {
                Event::Heard(Control::Settings(groups.into_iter().map(raised).collect()))
            }
            (
                Some(Mutation::OneMore),
                Event::Heard(Control::Snapshot { zone, shard, default, groups, last_owner }),
            ) => {
                let groups = groups.into_iter().map(raised).collect();
                Event::Heard(Control::Snapshot { zone, shard, default, groups, last_owner })
            }
            (Some(Mutation::KindsUntold), Event::Heard(Control::Announce(news))) => {
                let news = Announcement { kinds: BTreeSet::new(), ..news };
                Event::Heard(Control::Announce(news))
            }
            (
                Some(Mutation::HauntUntold),
                Event::Heard(Control::Snapshot { zone, shard, default, groups, .. }),
            ) => Event::Heard(Control::Snapshot { zone, shard, default, groups, last_owner: None }),
            (Some(Mutation::HauntUntold), Event::Heard(Control::Announce(news))) => {
                let news = Announcement { haunted: Vec::new(), ..news };
                Event::Heard(Control::Announce(news))
            }
            (_, event) => event,
        }
    }

    fn engine(&mut self, index: usize, event: Event) {
        let now = self.monotonic();
        let effects = self.workers[index].engine.handle(event, now);
        for effect in effects {
            self.carry_out(index, effect);
        }
    }

    fn carry_out(&mut self, index: usize, effect: Effect) {
        let epoch = self.workers[index].epoch;
        match effect {
            Effect::Connect => self.connect(index),
            Effect::Disconnect => {
                self.workers[index].epoch += 1;
                self.send_broker(index, ForBroker::Closed(index, epoch));
            }
            Effect::Probe => self.send_broker(index, ForBroker::Probe(index, epoch)),
            Effect::Claim(shard, id) => {
                self.send_broker(index, ForBroker::Claim(index, epoch, shard, id));
            }
            Effect::Close(shard, id) => {
                // The word about it comes first, or too late.
                let after = self.random.millis(10, 30);
                self.worker_later(index, after, ForWorker::Release(epoch, shard, id));
            }
            Effect::Broadcast(control) => self.broadcast(Some(index), &control),
            Effect::Own(_, _, action) => self.act(index, action),
        }
    }

    fn act(&mut self, index: usize, action: Action) {
        let epoch = self.workers[index].epoch;
        let message = |world: &Self, leg, dispatch, outcome| WorkerMessage {
            worker: world.workers[index].id.clone(),
            leg,
            dispatch,
            outcome,
            traceparent: None,
        };
        match action {
            Action::Start(leg, ..) => self.dial(index, leg),
            Action::Ask { leg, dispatch, .. } if self.mutation == Some(Mutation::NeverAsk) => {
                let answer = StartAnswer::Go;
                self.engine(index, Event::Heard(Control::Start { leg, dispatch, answer }));
            }
            Action::Ask { leg, dispatch, redelivered } => {
                self.say(index, message(self, leg, dispatch, Outcome::MayStart { redelivered }));
            }
            Action::Return(leg, dispatch, returned) => {
                self.say(index, message(self, leg, dispatch, Outcome::Returned(returned)));
            }
            Action::Ack(tag) => self.send_broker(index, ForBroker::Ack(index, epoch, tag)),
            Action::Abort(leg) => self.abort(index, leg),
        }
    }

    fn dial(&mut self, index: usize, leg: LegId) {
        let dispatch = self.workers[index].engine.dispatch_of(leg).expect("a leg that it holds");
        let decided = self.store.now;
        self.mail.decided.entry((leg, dispatch)).or_insert(decided);
        let worker = &mut self.workers[index];
        worker.run_serial += 1;
        let serial = worker.run_serial;
        worker.runs.insert(leg, Run { serial, dispatch, session: None });
        // Longer than any socket takes to close: a server sees the end of one session
        // before the beginning of the next one that this owner lets in.
        let after = self.random.millis(25, 60);
        self.worker_later(index, after, ForWorker::Open(leg, serial));
    }

    fn open(&mut self, index: usize, leg: LegId, serial: u64) {
        let Some(dispatch) = self.still_runs(index, leg, serial) else { return };
        if self.is_fenced(index) {
            return;
        }
        let session = self.open_session(index, leg, dispatch);
        let run = self.workers[index].runs.get_mut(&leg).expect("it runs");
        run.session = Some(session);
        let takes = millis(self.plan_of(leg).takes);
        self.worker_later(index, takes, ForWorker::Done(leg, serial));
    }

    fn done(&mut self, index: usize, leg: LegId, serial: u64) {
        let Some(dispatch) = self.still_runs(index, leg, serial) else { return };
        if self.is_fenced(index) {
            return;
        }
        if self.plan_of(leg).password == Password::Poison {
            return self.kill_worker(index, millis(1_000));
        }
        let run = self.workers[index].runs.remove(&leg).expect("it runs");
        if let Some(session) = run.session {
            self.mail.close(session);
        }
        let (end, ending) = self.answer(leg);
        self.engine(index, Event::Ended(leg, ending));
        let worker = self.workers[index].id.clone();
        self.say(
            index,
            WorkerMessage {
                worker,
                leg,
                dispatch,
                outcome: Outcome::Ended(end),
                traceparent: None,
            },
        );
    }

    fn still_runs(&self, index: usize, leg: LegId, serial: u64) -> Option<Dispatch> {
        let run = self.workers[index].runs.get(&leg);
        run.filter(|run| run.serial == serial).map(|run| run.dispatch)
    }

    /// The runner's own look at the clock before it says anything to a server. If the time
    /// is over the engine is told of it by its next event, and aborts everything.
    fn is_fenced(&mut self, index: usize) -> bool {
        let now = self.monotonic();
        let fenced = self.workers[index].engine.abort_at().is_none_or(|at| at <= now);
        if fenced {
            self.engine(index, Event::Tick(Duration::ZERO));
        }
        fenced
    }

    fn abort(&mut self, index: usize, leg: LegId) {
        let Some(run) = self.workers[index].runs.remove(&leg) else { return };
        if let Some(session) = run.session {
            // A server may see the end late when the network is in trouble.
            let lost = self.workers[index].engine.dispatch_of(leg).is_none();
            let after = self.random.millis(1, if lost { 1_500 } else { 20 });
            self.later(after, Scheduled::SessionClosed(session));
        }
        let ending = Ending { code: None, login: LoginOutcome::NotTried };
        let ended = Box::new(Event::Ended(leg, ending));
        self.worker_later(index, millis(1), ForWorker::Engine(ended));
    }

    fn say(&mut self, index: usize, message: WorkerMessage) {
        self.workers[index].pending.push(message.clone());
        self.publish(index, Box::new(message));
    }

    fn publish(&mut self, index: usize, message: Box<WorkerMessage>) {
        if !self.workers[index].pending.contains(&message) {
            return;
        }
        self.worker_later(index, millis(10_000), ForWorker::Publish(message.clone()));
        if !self.workers[index].is_mute() {
            let run = self.workers[index].run;
            self.broker_later(ForBroker::PublishNews(index, run, message));
        }
    }

    fn connect(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        worker.epoch += 1;
        worker.connected = false;
        let (epoch, run) = (worker.epoch, worker.run);
        self.worker_later(index, millis(3_000), ForWorker::ConnectTimeout(epoch));
        let after = self.random.millis(20, 200);
        self.later(after, Scheduled::Broker(ForBroker::Connect(index, run, epoch)));
    }

    /// Sends over the consuming connection, in order, if that carries anything.
    fn send_broker(&mut self, index: usize, event: ForBroker) {
        if self.workers[index].cut_to {
            self.workers[index].held_to.push(event);
        } else {
            // One connection keeps its order.
            self.later(CONNECTION, Scheduled::Broker(event));
        }
    }

    pub(crate) fn cut_heals(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        (worker.cut_to, worker.cut_from, worker.cut_since) = (false, false, None);
        worker.unknown = false;
        let (to, from) =
            (std::mem::take(&mut worker.held_to), std::mem::take(&mut worker.held_from));
        for event in to {
            self.send_broker(index, event);
        }
        for (epoch, event) in from {
            self.send_worker(index, epoch, event);
        }
    }

    /// kill -9: the kernel closes its sockets, also the one to the broker.
    pub(crate) fn kill_worker(&mut self, index: usize, restart: Duration) {
        let worker = &mut self.workers[index];
        if !worker.alive {
            return;
        }
        worker.alive = false;
        let run = worker.run;
        (worker.frozen, worker.cut_since) = (None, None);
        let cut = worker.cut_to;
        (worker.cut_to, worker.cut_from) = (false, false);
        worker.held_to.clear();
        worker.held_from.clear();
        for session in self.mail.of_run(index, run) {
            let after = self.random.millis(1, 1_500);
            self.later(after, Scheduled::SessionClosed(session));
        }
        // Behind a cut nobody hears the connection end.
        let after = if cut { self.random.millis(20_000, 30_000) } else { millis(5) };
        for epoch in self.broker.connections_of(index) {
            self.later(after, Scheduled::Broker(ForBroker::Closed(index, epoch)));
        }
        self.restart_worker_later(index, run, restart);
    }

    fn restart_worker_later(&mut self, index: usize, run: u64, after: Duration) {
        self.restarts.insert((self.now + after, index), run + 1);
    }

    /// Starts the processes whose time has come; called with every event.
    pub(crate) fn restart_workers(&mut self) {
        while let Some(entry) = self.restarts.first_entry() {
            let ((at, index), run) = (*entry.key(), *entry.get());
            if self.now < at {
                return;
            }
            entry.remove();
            let epoch = self.workers[index].epoch;
            let (now, zone) = (self.monotonic(), zone_named(self.zone_of_worker(index)));
            let kinds = kinds_of(index, &self.history);
            self.workers[index] = Worker::new((index, zone), run, kinds, &self.rules, now);
            self.workers[index].epoch = epoch;
            self.begin_worker(index);
        }
    }

    pub(crate) fn drain_worker(&mut self, index: usize) {
        if self.mutation == Some(Mutation::ReleaseByCancel) {
            return self.cancel_consumers(index);
        }
        self.worker_later(index, millis(1), ForWorker::Engine(Box::new(Event::Drain)));
    }
}
