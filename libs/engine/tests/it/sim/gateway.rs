//! A simulated gateway: the order of its steps, with a crash possible between any two.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mailfleet_engine::Monotonic;
use mailfleet_engine::collect::{Composer, Event as JobEvent, Unblocked, advance};
use mailfleet_engine::dispatch::release;
use mailfleet_engine::rules::HoldRules;
use mailfleet_engine::submit::{Gatekeeper, admit};
use mailfleet_engine::sweep::{Chore, Sweeper};
use mailfleet_engine::witness::Witness;
use mailfleet_model::fleet::{
    Admission, Control, Gate, GroupId, GroupSettings, JobClass, JobDraft, JobRecord, JobState,
    JobView, LegDraft, LegMessage, LegRecord, LegState, LoginTag, MailboxTag, Outcome, Payload,
    Quota, RequestKey, RequestTag, SettingsTag, StartAnswer, StartRule, Submitted, WorkerMessage,
    shard_of,
};
use mailfleet_model::{FaultCode, JobId, Verdict};
use uuid::Uuid;

use super::event::{Client, Epoch, ForBroker, ForGateway, ForWorker, Scheduled};
use super::history::{JobPlan, Password};
use super::mutation::Mutation;
use super::worker::KINDS;
use super::world::{Answer, SHARDS, World, batch, group, group_in, limits, millis};

#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) run: u64,
    pub(crate) alive: bool,
    /// Until when it is frozen.
    pub(crate) frozen: Option<Duration>,
    pub(crate) frozen_since: Option<Duration>,
    /// Numbers its connections for news.
    pub(crate) epoch: Epoch,
    sweeper: Sweeper,
    witness: Witness,
    /// Only for a mutation: what the job was when its news arrived.
    stale: BTreeMap<u64, JobView>,
}

impl Gateway {
    pub(crate) fn new(hold: &HoldRules, now: Monotonic) -> Self {
        Self {
            run: 0,
            alive: true,
            frozen: None,
            frozen_since: None,
            epoch: 0,
            sweeper: Sweeper::new(now),
            witness: Witness::new(hold.clone(), now),
            stale: BTreeMap::new(),
        }
    }
}

/// A mailbox with one of its passwords.
pub(super) fn login(plan: &JobPlan) -> LoginTag {
    let tag = match plan.password {
        Password::Right => 1,
        Password::Wrong => 2,
        Password::Poison => 3,
    };
    LoginTag([plan.mailbox * 4 + tag; 32])
}

/// Reports without content.
struct Plain;

impl Composer for Plain {
    fn unblock(&self, _leg: &LegRecord, _legs: &[LegRecord]) -> Unblocked {
        Unblocked::Ready(None)
    }

    fn runs_once(&self, _leg: &LegRecord) -> bool {
        false
    }

    fn spent(&self, leg: &LegRecord) -> Payload {
        leg.payload.clone()
    }

    fn closing(&self, _leg: &LegRecord, _code: FaultCode) -> Payload {
        Payload::default()
    }

    fn report(&self, _job: &JobRecord, legs: &[LegRecord]) -> (Verdict, Payload) {
        let sick = |leg: &LegRecord| leg.end.as_ref().is_none_or(|end| end.summary.code.is_some());
        let verdict = if legs.iter().any(sick) { Verdict::Faulty } else { Verdict::Healthy };
        (verdict, Payload::default())
    }
}

impl World {
    /// The client: asks any gateway that is there, and asks again until it has an answer.
    pub(crate) fn client(&mut self, client: &Client) {
        match client {
            Client::Submit(index) => {
                if self.answers[*index].is_some() {
                    return;
                }
                self.later(millis(5_000), Scheduled::Client(Client::Submit(*index)));
                let gateway = self.random.index(self.gateways.len());
                if self.gateways[gateway].alive {
                    let after = self.hop();
                    self.gateway_later(gateway, after, ForGateway::Submit(*index));
                }
            }
            Client::Upload(index) => self.upload(*index),
            Client::Nurse(index) => self.nurse(*index),
            Client::Steer(index, steer) => self.steer(*index, *steer),
            Client::Cancel(index) => {
                let gateway = self.random.index(self.gateways.len());
                let Some(Answer::Job(job)) = self.answers[*index] else { return };
                if self.state_of(job) == Some(JobState::Open) {
                    self.later(millis(5_000), Scheduled::Client(Client::Cancel(*index)));
                    let event = ForGateway::Advance(job, Box::new(JobEvent::Cancel));
                    self.gateway_later(gateway, millis(2), event);
                }
            }
        }
    }

    pub(crate) fn on_gateway(&mut self, index: usize, event: ForGateway) {
        let needs_store =
            !matches!(event, ForGateway::Tick | ForGateway::Heard(_) | ForGateway::Publish(..));
        if self.store_down && needs_store {
            // What the sweeps or the client repeat may be lost; news must not be.
            if matches!(event, ForGateway::News(..)) {
                self.gateway_later(index, millis(500), event);
            }
            return;
        }
        match event {
            ForGateway::Tick => {
                self.gateway_later(index, millis(250), ForGateway::Tick);
                let now = self.monotonic();
                self.gateways[index].witness.tick(now);
                for chore in self.gateways[index].sweeper.due(now) {
                    self.chore(index, chore);
                }
            }
            ForGateway::Submit(plan) => self.submit(index, plan),
            ForGateway::News(id, epoch, message) => self.news(index, id, epoch, &message),
            ForGateway::Advance(job, event) => {
                self.advance_job(index, job, &event, None);
            }
            ForGateway::Dispatch(group) => self.dispatch_group(index, &group),
            ForGateway::Upload(batch, part) => self.take_items(index, batch, part),
            ForGateway::Ask(batch, ask) => self.ask_batch(index, batch, &ask),
            ForGateway::Redrive(batch) => self.redrive(index, batch),
            ForGateway::Publish(leg, rule, committed) => {
                // A gateway that was held up leaves it to the sweep: a copy that may start
                // unasked must not come late.
                if self.now - committed < self.rules.sweep.publish_within {
                    let message = Box::new(LegMessage::of(&leg, rule));
                    let run = self.gateways[index].run;
                    self.broker_later(ForBroker::PublishLeg(index, run, message));
                }
            }
            ForGateway::Confirmed(leg, dispatch) => self.store.mark_published(leg, dispatch),
            ForGateway::Heard(control) => match *control {
                Control::Announce(news) => {
                    let now = self.monotonic();
                    self.gateways[index].witness.hear(&news, now);
                }
                Control::SettingsWanted { shard, zone, worker } => {
                    let ours = |s: &&GroupSettings| {
                        s.group.zone == zone && shard_of(&s.group.key, SHARDS) == shard
                    };
                    let groups = self.store.settings.values().filter(ours).cloned();
                    let groups = groups.map(|settings| self.part(settings)).collect();
                    let default = limits(1);
                    let witness = &self.gateways[index].witness;
                    let last_owner = witness.last_owner(&zone, shard, &worker);
                    let snapshot = Control::Snapshot { zone, shard, default, groups, last_owner };
                    self.tell(&worker, &snapshot);
                }
                _ => {}
            },
        }
    }

    fn submit(&mut self, index: usize, plan: usize) {
        let draft = self.draft(plan);
        let quota = Quota { interactive: 1_000, bulk: 1_000, retry_after: millis(1_000) };
        let rules = self.rules.dispatch.clone();
        let gate = Gatekeeper { quota, blocked: None, publishes: true, rules: &rules };
        let Submitted { admission, released, wake } =
            self.store.submit(&draft, |view| admit(view, &draft, &gate));
        for leg in released {
            self.publish_released(index, leg);
        }
        self.wake_groups(index, wake);
        let answer = match admission {
            Admission::Accept { .. } => Answer::Job(draft.id),
            Admission::Repeated(job) | Admission::Join(job) => Answer::Job(job),
            Admission::Refuse(_) => Answer::Refused,
        };
        // One answer in twenty is lost on its way: the client asks again.
        if !self.random.chance(5) {
            self.answers[plan] = Some(answer);
        }
    }

    fn draft(&mut self, index: usize) -> JobDraft {
        let plan = self.history.jobs[index].clone();
        let request = Some(RequestKey { id: index.to_string(), body: RequestTag([0; 32]) });
        let id = u128::try_from(index).expect("few");
        let zone = self.zone_of_job(index);
        JobDraft { request, ..self.draft_of(&plan, id, zone) }
    }

    /// The job of a plan, with these bits at the end of its id.
    pub(super) fn draft_of(&mut self, plan: &JobPlan, low: u128, zone: usize) -> JobDraft {
        let login = login(plan);
        let legs = plan.groups.iter().enumerate().map(|(place, index)| LegDraft {
            kind: KINDS[usize::from(plan.newer)].parse().expect("a name"),
            gate: if plan.class.is_bulk() && place == 1 { Gate::AfterLeg(0) } else { Gate::Open },
            group: group_in(zone, *index),
            shard: shard_of(&group(*index).key, SHARDS),
            pool: "default".parse().expect("a name"),
            mailbox: MailboxTag([plan.mailbox; 32]),
            login,
            cap: millis(60_000),
            payload: Payload::default(),
        });
        let mut settings = [u8::try_from(plan.groups.len()).expect("few"); 32];
        settings[0] = login.0[0];
        settings[1..=plan.groups.len()]
            .iter_mut()
            .zip(&plan.groups)
            .for_each(|(byte, group)| *byte = u8::try_from(*group).expect("few"));
        let interactive = plan.class == JobClass::Interactive;
        let (legs, tenant, class, tight) = (legs.collect(), plan.tenant, plan.class, plan.tight);
        let serial = u128::from(self.random.next()) << 64;
        JobDraft {
            id: JobId(Uuid::from_u128(serial | low)),
            tenant: format!("t{tenant}").parse().expect("a name"),
            class,
            batch: (!interactive).then(batch),
            request: None,
            settings: interactive.then_some(SettingsTag(settings)),
            deadline: millis(if tight { 20_000 } else { 7_200_000 }),
            live_to: None,
            traceparent: None,
            payload: Payload::default(),
            legs,
        }
    }

    fn news(&mut self, index: usize, id: u64, epoch: Epoch, message: &WorkerMessage) {
        let (leg, dispatch) = (message.leg, message.dispatch);
        let event = match &message.outcome {
            Outcome::Ended(end) => JobEvent::Ended(leg, dispatch, end.clone()),
            Outcome::Returned(returned) => JobEvent::Returned(leg, dispatch, returned.clone()),
            Outcome::MayStart { redelivered } => {
                JobEvent::MayStart { leg, dispatch, redelivered: *redelivered }
            }
        };
        let answer = self.advance_job(index, leg.job, &event, Some(id));
        if let Outcome::MayStart { .. } = message.outcome {
            if answer == StartAnswer::Go {
                self.mail.decided.insert((leg, dispatch), self.store.now);
            }
            let control = Control::Start { leg, dispatch, answer };
            self.tell(&message.worker.clone(), &control);
        }
        // Only now: a crash before brings the news to another gateway.
        self.broker_later(ForBroker::AckNews(index, epoch, id));
    }

    fn advance_job(
        &mut self,
        index: usize,
        job: JobId,
        event: &JobEvent,
        news: Option<u64>,
    ) -> StartAnswer {
        let stale = news.and_then(|id| self.gateways[index].stale.remove(&id));
        let Some(mut view) = stale.or_else(|| self.store.view(job)) else {
            return StartAnswer::Drop;
        };
        if self.mutation == Some(Mutation::CloseAgain) {
            reopen(&mut view);
        }
        let (change, mut answer) = advance(&view, event, &Plain, &self.rules);
        let changed = !change.is_empty();
        let ended = change.job.as_ref().is_some_and(|job| job.state.is_final());
        let wake = self.store.apply(&view, change, self.mutation);
        self.wake_groups(index, wake);
        if ended {
            self.fed_by(index, job);
        }
        if changed && *event == JobEvent::Cancel {
            self.broadcast(None, &Control::Cancel(job));
        }
        if self.mutation == Some(Mutation::AlwaysGo) && matches!(event, JobEvent::MayStart { .. }) {
            answer = StartAnswer::Go;
        }
        answer
    }

    /// For a mutation: the view that a collector without a lock would have read.
    pub(crate) fn note_stale_view(&mut self, news: u64, job: JobId) {
        if self.mutation == Some(Mutation::NoJobLock)
            && let Some(view) = self.store.view(job)
        {
            for gateway in &mut self.gateways {
                gateway.stale.insert(news, view.clone());
            }
        }
    }

    /// The time between two steps of a gateway: now and then so long that a crash or an
    /// outage finds something between them.
    pub(super) fn step(&mut self) -> Duration {
        let slow = self.history.hesitant && self.random.chance(20);
        self.random.millis(0, if slow { 5_000 } else { 3 })
    }

    pub(super) fn wake_groups(&mut self, index: usize, groups: impl IntoIterator<Item = GroupId>) {
        for group in groups.into_iter().collect::<BTreeSet<_>>() {
            let after = self.step();
            self.gateway_later(index, after, ForGateway::Dispatch(group));
        }
    }

    fn publish_released(&mut self, index: usize, leg: LegRecord) {
        let (after, committed) = (self.step(), self.now);
        let rule = if leg.dispatch.0 == 1 { StartRule::Free } else { StartRule::Ask };
        self.gateway_later(index, after, ForGateway::Publish(Box::new(leg), rule, committed));
    }

    fn dispatch_group(&mut self, index: usize, group: &GroupId) {
        let rules = self.rules.dispatch.clone();
        let (legs, decided) = self.store.release(group, |view| release(view, &rules));
        for leg in legs {
            self.publish_released(index, leg);
        }
        let refused = decided.refused.into_iter().map(|leg| (leg, JobEvent::Refused(leg)));
        let shut_out = decided.shut_out.into_iter().map(|leg| (leg, JobEvent::ShutOut(leg)));
        for (leg, event) in refused.chain(shut_out) {
            self.gateway_later(index, millis(1), ForGateway::Advance(leg.job, Box::new(event)));
        }
        if decided.more {
            self.gateway_later(index, millis(1), ForGateway::Dispatch(group.clone()));
        }
    }

    fn chore(&mut self, index: usize, chore: Chore) {
        if self.store_down {
            return;
        }
        let rules = self.rules.sweep.clone();
        match chore {
            Chore::Wake if self.mutation == Some(Mutation::NoWaking) => {}
            Chore::Waiting if self.mutation == Some(Mutation::NoWaitingSweep) => {}
            Chore::Unpublished if self.mutation == Some(Mutation::NoRepublishing) => {}
            Chore::Overdue if self.mutation == Some(Mutation::NoOverdueSweep) => {}
            Chore::Expired if self.mutation == Some(Mutation::NoDeadline) => {}
            Chore::Wake => {
                let groups = self.store.wake();
                self.wake_groups(index, groups);
            }
            Chore::Waiting => {
                let groups = self.store.waiting(rules.waiting);
                self.wake_groups(index, groups);
            }
            Chore::Unpublished => {
                for leg in self.store.unpublished(rules.released) {
                    let publish = ForGateway::Publish(Box::new(leg), StartRule::Ask, self.now);
                    self.gateway_later(index, millis(2), publish);
                }
            }
            Chore::Overdue => {
                for (leg, dispatch) in self.store.overdue(rules.published) {
                    let event = Box::new(JobEvent::Overdue(leg, dispatch));
                    self.gateway_later(index, millis(2), ForGateway::Advance(leg.job, event));
                }
            }
            Chore::Expired => {
                for job in self.store.expired() {
                    let event = Box::new(JobEvent::Deadline);
                    self.gateway_later(index, millis(2), ForGateway::Advance(job, event));
                }
            }
            Chore::Settings => {
                let groups = self.store.settings.values().cloned();
                let groups = groups.map(|settings| self.part(settings)).collect();
                self.broadcast(None, &Control::Settings(groups));
            }
            Chore::Batches => self.feed_all(index),
            Chore::Purge => {}
        }
    }

    /// Sends to everybody; from a worker if one is named.
    pub(crate) fn broadcast(&mut self, from: Option<usize>, control: &Control) {
        if self.broker.down || from.is_some_and(|worker| self.workers[worker].is_mute()) {
            return;
        }
        for index in 0..self.workers.len() {
            self.control_to(from, index, control);
        }
        if matches!(control, Control::Announce(_)) && !self.lose_control {
            for index in 0..self.gateways.len() {
                let heard = ForGateway::Heard(Box::new(control.clone()));
                self.gateway_later(index, millis(3), heard);
            }
        }
        if matches!(control, Control::SettingsWanted { .. }) {
            for index in 0..self.gateways.len() {
                // Behind what the worker has announced.
                let after = self.hop().max(millis(3));
                self.gateway_later(index, after, ForGateway::Heard(Box::new(control.clone())));
            }
        }
    }

    fn tell(&mut self, worker: &mailfleet_model::fleet::WorkerId, control: &Control) {
        let found = self.workers.iter().position(|w| w.id == *worker);
        if let Some(index) = found.filter(|_| !self.broker.down) {
            self.control_to(None, index, control);
        }
    }

    fn control_to(&mut self, from: Option<usize>, worker: usize, control: &Control) {
        let lost = self.workers[worker].cut_from || (self.lose_control && self.random.chance(70));
        let ignored =
            self.mutation == Some(Mutation::OldLimit) && matches!(control, Control::Settings(_));
        if lost || ignored {
            return;
        }
        let mut at = self.now + self.random.millis(1, 20);
        if let Some(from) = from {
            // The broker keeps the order of what one worker says.
            let last = self.heard.entry((from, worker)).or_default();
            at = at.max(*last + Duration::from_micros(1));
            *last = at;
        }
        let event = mailfleet_engine::worker::Event::Heard(control.clone());
        self.worker_later(worker, at - self.now, ForWorker::Engine(Box::new(event)));
    }
}

/// For a mutation: a collector that does not look whether a job is closed.
fn reopen(view: &mut JobView) {
    view.job.state = JobState::Open;
    for row in &mut view.legs {
        if matches!(row.leg.state, LegState::Done | LegState::Cancelled | LegState::Skipped) {
            row.leg.state = LegState::Published;
        }
    }
}
