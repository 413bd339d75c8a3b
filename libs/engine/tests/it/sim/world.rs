//! The simulated world: time, what is scheduled, and who it is for.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use mailfleet_engine::{Monotonic, Rules, Shares};
use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    BatchId, GroupId, GroupKey, GroupLimits, GroupSettings, JobState, Timestamp, ZoneName,
};
use uuid::Uuid;

use super::broker::Broker;
use super::event::{Client, ForBroker, ForGateway, ForWorker, Scheduled};
use super::feeding;
use super::gateway::Gateway;
use super::history::History;
use super::mail::Mail;
use super::mutation::Mutation;
use super::random::Random;
use super::store::Store;
use super::worker::{Worker, kinds_of};

/// K in the simulation: few, so that groups share shards.
pub(crate) const SHARDS: NonZeroU16 = NonZeroU16::new(4).expect("not zero");
/// Where the store's clock begins, in microseconds.
const EPOCH: u64 = 1_800_000_000_000_000;
/// How long a run may last beyond what its clock jumps and its sessions cost. Deadlines are two hours: what
/// ends only by its deadline was not done by whoever should have done it.
const LONGEST: Duration = Duration::from_secs(40 * 60);

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) history: History,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) rules: Rules,
    pub(crate) random: Random,
    pub(crate) now: Duration,
    serial: u64,
    queue: BTreeMap<(Duration, u64), Scheduled>,
    pub(crate) store: Store,
    pub(crate) clock_jump: i64,
    pub(crate) store_down: bool,
    pub(crate) lose_confirms: bool,
    pub(crate) lose_control: bool,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) broker: Broker,
    pub(crate) mail: Mail,
    /// For each planned job: the job that answers it, once that is known.
    pub(crate) answers: Vec<Option<Answer>>,
    pub(crate) faults_left: usize,
    /// When a worker hears the last word of another one that is under way.
    pub(crate) heard: BTreeMap<(usize, usize), Duration>,
    /// Which run of which worker begins when.
    pub(crate) restarts: BTreeMap<(Duration, usize), u64>,
    pub(crate) broken: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Job(JobId),
    Refused,
}

/// Runs a history to its end; the first broken promise ends it.
pub(crate) fn run(history: &History, mutation: Option<Mutation>) -> Result<World, String> {
    let mut world = World::new(history.clone(), mutation);
    world.begin();
    let longest = LONGEST + world.jumps_back() + world.sessions();
    while !world.is_over() {
        let Some(((at, _), event)) = world.queue.pop_first() else { break };
        world.now = at;
        world.store.now = world.store_time();
        world.restart_workers();
        world.dispatch(event);
        world.broken.append(&mut world.store.broken);
        world.broken.extend(world.store.check_batches());
        if let Some(broken) = world.broken.first() {
            return Err(format!("at {at:?}: {broken}"));
        }
        if longest < at {
            return Err(world.stuck());
        }
    }
    world.final_checks()?;
    Ok(world)
}

impl World {
    fn new(history: History, mutation: Option<Mutation>) -> Self {
        let jumps = |fault: &super::history::Fault| {
            matches!(fault.what, super::history::What::ClockJump(_))
        };
        let clock_jumps = history.faults.iter().any(jumps);
        let mut rules = Mutation::rules(mutation);
        if 1 < history.zones {
            let percent = 100 / u8::try_from(history.zones).expect("few");
            let zones = (0..history.zones).map(|zone| (zone_named(zone), percent));
            rules.dispatch.shares = Shares::new(zones);
        }
        let mut store = Store::default();
        store.clock_jumps = clock_jumps;
        let zones = 0..history.zones;
        let groups = zones.flat_map(|zone| {
            let limits = history.limits.iter().enumerate();
            limits.map(move |(index, limit)| (group_in(zone, index), limit))
        });
        for (group, limit) in groups {
            let settings = GroupSettings {
                group: group.clone(),
                limits: limits(*limit),
                paused: false,
                version: 1,
            };
            store.settings.insert(group, settings);
        }
        let zero = Monotonic(Duration::ZERO);
        Self {
            random: Random::new(history.seed),
            now: Duration::ZERO,
            serial: 0,
            queue: BTreeMap::new(),
            store,
            clock_jump: 0,
            store_down: false,
            lose_confirms: false,
            lose_control: false,
            gateways: (0..history.gateways).map(|_| Gateway::new(&rules.hold, zero)).collect(),
            workers: (0..history.workers)
                .map(|i| {
                    let kinds = kinds_of(i, &history);
                    Worker::new((i, zone_named(i % history.zones)), 0, kinds, &rules, zero)
                })
                .collect(),
            broker: Broker::new(usize::from(SHARDS.get()) * history.zones),
            mail: Mail::new(&history.limits),
            answers: vec![None; history.jobs.len()],
            faults_left: history.faults.len(),
            heard: BTreeMap::new(),
            restarts: BTreeMap::new(),
            broken: Vec::new(),
            rules,
            mutation,
            history,
        }
    }

    fn begin(&mut self) {
        for (index, job) in self.history.jobs.clone().into_iter().enumerate() {
            self.at(millis(job.at), Scheduled::Client(Client::Submit(index)));
            if let Some(cancel) = job.cancel_at {
                self.at(millis(cancel), Scheduled::Client(Client::Cancel(index)));
            }
        }
        self.begin_batches();
        for (index, fault) in self.history.faults.clone().into_iter().enumerate() {
            self.at(millis(fault.at), Scheduled::Fault(index));
        }
        for index in 0..self.history.gateways {
            let after = self.random.millis(0, 250);
            self.gateway_later(index, after, ForGateway::Tick);
        }
        for index in 0..self.history.workers {
            self.begin_worker(index);
        }
    }

    pub(crate) fn monotonic(&self) -> Monotonic {
        Monotonic(self.now)
    }

    pub(crate) fn store_time(&self) -> Timestamp {
        let micros = u64::try_from(self.now.as_micros()).expect("a short run");
        Timestamp((EPOCH + micros).saturating_add_signed(self.clock_jump * 1_000_000))
    }

    pub(crate) fn at(&mut self, time: Duration, event: Scheduled) {
        self.serial += 1;
        self.queue.insert((time.max(self.now), self.serial), event);
    }

    pub(crate) fn later(&mut self, after: Duration, event: Scheduled) {
        self.at(self.now + after, event);
    }

    /// A way over the network, there or back.
    pub(crate) fn hop(&mut self) -> Duration {
        self.random.millis(1, 6)
    }

    pub(crate) fn gateway_later(&mut self, index: usize, after: Duration, event: ForGateway) {
        let run = self.gateways[index].run;
        self.later(after, Scheduled::Gateway(index, run, event));
    }

    pub(crate) fn worker_later(&mut self, index: usize, after: Duration, event: ForWorker) {
        let run = self.workers[index].run;
        self.later(after, Scheduled::Worker(index, run, event));
    }

    pub(crate) fn broker_later(&mut self, event: ForBroker) {
        let after = self.hop();
        self.later(after, Scheduled::Broker(event));
    }

    fn dispatch(&mut self, event: Scheduled) {
        match event {
            Scheduled::Fault(index) => self.strike(index),
            Scheduled::Heal(index) => self.heal(index),
            Scheduled::Client(client) => self.client(&client),
            Scheduled::Gateway(index, run, event) => {
                let gateway = &self.gateways[index];
                if gateway.run != run || !gateway.alive {
                    return;
                }
                match gateway.frozen {
                    Some(thaw) => self.at(thaw, Scheduled::Gateway(index, run, event)),
                    None => self.on_gateway(index, event),
                }
            }
            Scheduled::Worker(index, run, event) => {
                let worker = &self.workers[index];
                if worker.run != run || !worker.alive {
                    return;
                }
                match worker.frozen {
                    Some((_, thaw)) => self.at(thaw, Scheduled::Worker(index, run, event)),
                    None => self.on_worker(index, event),
                }
            }
            Scheduled::Broker(event) => self.on_broker(event),
            Scheduled::SessionClosed(session) => self.mail.close(session),
        }
    }

    fn is_over(&self) -> bool {
        self.faults_left == 0
            && self.answers.iter().all(Option::is_some)
            && self.store.rows.values().all(|row| row.job.state.is_final())
            && self.store.item_batches.values().all(|row| row.record.state.is_final())
    }

    fn stuck(&self) -> String {
        let open = self.store.rows.values().filter(|row| !row.job.state.is_final());
        let legs: Vec<String> = open
            .flat_map(|row| &row.legs)
            .filter(|leg| !leg.state.is_final())
            .map(|leg| format!("{} {} {:?}", leg.id, leg.state, leg.dispatch))
            .collect();
        let unanswered = self.answers.iter().filter(|answer| answer.is_none()).count();
        let batches: Vec<String> = self
            .store
            .item_batches
            .values()
            .filter(|row| !row.record.state.is_final())
            .map(|row| {
                format!("batch {} {} {:?}", row.record.id, row.record.state, row.record.counts)
            })
            .collect();
        let open = format!("still open: {legs:?}, {batches:?}; {unanswered} unanswered");
        format!("I7: after {:?} {open}", self.now)
    }

    fn final_checks(&self) -> Result<(), String> {
        let slack = self.deadline_slack();
        for row in self.store.rows.values() {
            let (deadline, finished) = (row.job.deadline, row.job.finished);
            if finished.is_some_and(|at| deadline.plus(slack) < at) {
                return Err(format!("I7: job {} outlived its deadline", row.job.id));
            }
            if row.job.report.is_none() {
                return Err(format!("I2: job {} has no report", row.job.id));
            }
        }
        for answer in self.answers.iter().flatten() {
            if let Answer::Job(job) = answer
                && !self.store.rows.contains_key(job)
            {
                return Err(format!("I1: job {job} was accepted and is gone"));
            }
        }
        feeding::final_check(&self.store, &self.history.batches)
    }

    /// How much longer a run lasts because the store's clock was set back.
    /// How long the busiest mail server needs if each session is there once and none beside
    /// another.
    fn sessions(&self) -> Duration {
        let items = self.history.batches.iter().flat_map(|batch| &batch.items);
        let plans = || self.history.jobs.iter().chain(items.clone());
        let of = |group: usize| {
            let takes = |plan: &super::history::JobPlan| {
                let legs = plan.groups.iter().filter(|other| **other == group).count();
                millis(plan.takes) * u32::try_from(legs).expect("few")
            };
            plans().map(takes).sum()
        };
        (0..self.history.limits.len()).map(of).max().unwrap_or_default()
    }

    fn jumps_back(&self) -> Duration {
        use super::history::What;
        let back = |fault: &super::history::Fault| match fault.what {
            What::ClockJump(seconds) => u64::try_from(-seconds).unwrap_or(0),
            _ => 0,
        };
        Duration::from_secs(self.history.faults.iter().map(back).sum())
    }

    /// How late a deadline may be noticed: as long as faults may keep everybody from looking.
    fn deadline_slack(&self) -> Duration {
        use super::history::What;
        let of = |fault: &super::history::Fault| match fault.what {
            What::ClockJump(seconds) => seconds.unsigned_abs() * 1_000,
            _ => fault.lasts,
        };
        millis(10_000 + self.history.faults.iter().map(of).sum::<u64>())
    }

    /// Workers go round the zones.
    pub(crate) fn zone_of_worker(&self, index: usize) -> usize {
        index % self.history.zones
    }

    /// So do tenants.
    pub(crate) fn zone_of_job(&self, index: usize) -> usize {
        usize::from(self.history.jobs[index].tenant) % self.history.zones
    }

    /// What an owner is told of a group: the part of its zone.
    pub(crate) fn part(&self, settings: GroupSettings) -> GroupSettings {
        let shares = &self.rules.dispatch.shares;
        match shares.part(&settings.limits, &settings.group.zone) {
            _ if self.mutation == Some(Mutation::WholeLimit) => settings,
            Some(limits) => GroupSettings { limits, ..settings },
            None => GroupSettings { paused: true, limits: limits(1), ..settings },
        }
    }

    pub(crate) fn state_of(&self, job: JobId) -> Option<JobState> {
        self.store.rows.get(&job).map(|row| row.job.state)
    }
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The names of the zones.
const ZONES: [&str; 2] = ["default", "other"];

pub(crate) fn zone_named(index: usize) -> ZoneName {
    ZONES[index].parse().expect("a name")
}

pub(crate) fn zone_index(zone: &ZoneName) -> usize {
    ZONES.iter().position(|name| *name == zone.as_str()).expect("a simulated zone")
}

pub(crate) fn group_in(zone: usize, index: usize) -> GroupId {
    let key = GroupKey::new(format!("imap:192.0.2.{index}")).expect("a key");
    GroupId { zone: zone_named(zone), key }
}

/// A group in the first zone.
pub(crate) fn group(index: usize) -> GroupId {
    group_in(0, index)
}

pub(crate) fn limits(concurrency: u32) -> GroupLimits {
    let concurrency = NonZeroU32::new(concurrency).expect("a limit is not zero");
    GroupLimits { concurrency, per_source: None, rate: None }
}

pub(crate) fn batch() -> BatchId {
    BatchId(Uuid::from_u128(77))
}
