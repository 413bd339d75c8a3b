//! What happens in a run: who is there, which jobs come, which faults strike.

use std::fmt;

use mailfleet_model::fleet::JobClass;

use super::random::Random;

/// The jobs and faults of one run, and the seed of every delay in it.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) gateways: usize,
    /// Whether gateways pause for seconds between two steps now and then.
    pub(crate) hesitant: bool,
    pub(crate) workers: usize,
    /// The first so many workers do not run legs of the newer kind.
    pub(crate) older: usize,
    /// Zones that share every limit; workers and tenants go round them.
    pub(crate) zones: usize,
    /// The limit of each group.
    pub(crate) limits: Vec<u32>,
    pub(crate) jobs: Vec<JobPlan>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) batches: Vec<BatchPlan>,
}

/// A batch: its items, and what its client asks of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BatchPlan {
    pub(crate) at: u64,
    /// The domain of an item is that of its first server.
    pub(crate) items: Vec<JobPlan>,
    pub(crate) max_open: u32,
    pub(crate) canaries: u32,
    pub(crate) stop_when: Option<u32>,
    pub(crate) steers: Vec<(u64, Steer)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steer {
    Pause,
    Resume,
    Cancel,
    Redrive,
}

/// A job. Times in milliseconds since the beginning.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobPlan {
    pub(crate) at: u64,
    pub(crate) class: JobClass,
    pub(crate) tenant: u8,
    pub(crate) mailbox: u8,
    pub(crate) password: Password,
    /// The group of each leg.
    pub(crate) groups: Vec<usize>,
    /// How long a session takes.
    pub(crate) takes: u64,
    /// How many tries find temporary trouble first.
    pub(crate) flaky: u32,
    pub(crate) cancel_at: Option<u64>,
    /// Whether the job must be over after 20 s instead of two hours.
    pub(crate) tight: bool,
    /// Whether its legs are of the newer kind.
    pub(crate) newer: bool,
}

impl JobPlan {
    /// Somebody waits for one leg, which goes well in half a second.
    pub(crate) fn plain(at: u64, mailbox: u8, group: usize) -> Self {
        Self {
            at,
            class: JobClass::Interactive,
            tenant: 0,
            mailbox,
            password: Password::Right,
            groups: vec![group],
            takes: 500,
            flaky: 0,
            cancel_at: None,
            tight: false,
            newer: false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Password {
    Right,
    Wrong,
    /// The answer of the server kills the worker.
    Poison,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fault {
    pub(crate) at: u64,
    /// How long it lasts, where it lasts.
    pub(crate) lasts: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    KillWorker(usize),
    FreezeWorker(usize),
    DrainWorker(usize),
    /// Nothing from the worker reaches the broker.
    CutToBroker(usize),
    /// Nothing from the broker reaches the worker.
    CutFromBroker(usize),
    CutBoth(usize),
    DropConnection(usize),
    KillGateway(usize),
    FreezeGateway(usize),
    RestartBroker,
    /// Publishers are blocked; what they sent arrives afterwards.
    Alarm,
    DeleteQueue(u16),
    LoseConfirms,
    LoseControl,
    StoreDown,
    /// The store's clock jumps by so many seconds.
    ClockJump(i64),
    ServerDown(usize),
    /// A group's limit changes for good.
    Limit(usize, u32),
    /// Every leg on the broker is there twice.
    Duplicate,
}

/// When the last fault has struck, at the latest.
pub(crate) const FAULTS_END: u64 = 90_000;

impl History {
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x006d_6169_6c66_6c65);
        let random = &mut random;
        let gateways = 1 + random.index(3);
        let workers = 1 + random.index(4);
        let n_groups = 1 + random.index(3);
        let limits: Vec<u32> = (0..n_groups).map(|_| [1, 1, 2, 3, 5, 9][random.index(6)]).collect();
        let n_jobs = 1 + random.index(40);
        let mailboxes = [1, 3, 8][random.index(3)];
        let focus = [Focus::Any, Focus::Any, Focus::Passwords, Focus::Cuts];
        let focus = focus[usize::try_from(seed % 4).expect("small")];
        let jobs = (0..n_jobs).map(|_| focus.job(job(random, n_groups, mailboxes))).collect();
        let n_faults = random.index(9);
        let faults = (0..n_faults).map(|_| {
            let fault = fault(random, gateways, workers, n_groups);
            let worker = random.index(workers);
            focus.fault(fault, worker, random)
        });
        let faults = faults.collect();
        // From chances of their own, so that every third kind of history has some.
        let mut random = Random::new(seed ^ 0x6261_7463_6865_7300);
        let n_batches = if (seed / 4).is_multiple_of(3) { 1 + random.index(2) } else { 0 };
        let batches = (0..n_batches).map(|_| batch(&mut random, n_groups)).collect();
        let history = Self {
            seed,
            gateways,
            hesitant: 0 < n_faults,
            workers,
            older: 0,
            zones: 1,
            limits,
            jobs,
            faults,
            batches,
        };
        // Every eighth one has two zones, and another eighth two versions, in histories of any
        // kind.
        match seed % 8 {
            5 => history.in_two_zones(),
            3 => history.in_two_versions(),
            _ => history,
        }
    }

    /// The same while the fleet is upgraded: a third of the jobs is for newer workers only, of
    /// which there is one at least.
    fn in_two_versions(self) -> Self {
        let mut random = Random::new(self.seed ^ 0x7570_6772_6164_6500);
        let workers = self.workers.max(2);
        let older = 1 + random.index(workers - 1);
        let jobs = self.jobs.into_iter();
        let jobs = jobs.map(|job| JobPlan { newer: !job.tight && random.chance(33), ..job });
        Self { workers, older, jobs: jobs.collect(), ..self }
    }

    /// The same with the limits split in two. Tenants are distributed anew, so that every
    /// second job is of the other zone, and a mailbox is of one tenant: what it may have open
    /// is counted in its zone.
    fn in_two_zones(self) -> Self {
        let jobs = self.jobs.into_iter().enumerate().map(|(index, job)| {
            let tenant = u8::from(index % 2 == 1);
            JobPlan { tenant, mailbox: job.mailbox + 16 * tenant, ..job }
        });
        Self { zones: 2, workers: self.workers.max(2), jobs: jobs.collect(), ..self }
    }
}

fn batch(random: &mut Random, n_groups: usize) -> BatchPlan {
    let at = random.between(3_000, 30_000);
    // Of a domain whose passwords were all changed, hardly any is right.
    let wrong = [10, 50, 95][random.index(3)];
    let n_items = 1 + random.index(14);
    let item = |random: &mut Random| JobPlan {
        class: JobClass::Revalidation,
        tenant: 0,
        // The other batch and the jobs have some of the same mailboxes.
        mailbox: u8::try_from(random.index(12)).expect("small"),
        password: if random.chance(wrong) { Password::Wrong } else { Password::Right },
        takes: random.between(100, 3_000),
        cancel_at: None,
        tight: false,
        ..job(random, n_groups, 1)
    };
    let items = (0..n_items).map(|_| item(random)).collect();
    let some = [Steer::Pause, Steer::Pause, Steer::Resume, Steer::Redrive, Steer::Cancel];
    let steers = (0..random.index(4))
        .map(|_| (at + random.between(500, 90_000), some[random.index(some.len())]))
        .collect();
    BatchPlan {
        at,
        items,
        max_open: [1, 3, 100][random.index(3)],
        canaries: [1, 2, 3][random.index(3)],
        stop_when: [None, Some(2), Some(4)][random.index(3)],
        steers,
    }
}

/// Histories of one kind, since pure chance seldom brings together what belongs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Focus {
    Any,
    /// One wrong password in many jobs, and results that come late.
    Passwords,
    /// Long sessions, and cuts that are longer than anybody waits.
    Cuts,
}

impl Focus {
    fn job(self, job: JobPlan) -> JobPlan {
        let class = JobClass::Revalidation;
        match self {
            Self::Any => job,
            Self::Passwords => JobPlan {
                class,
                mailbox: 0,
                password: Password::Wrong,
                takes: job.takes.min(4_000),
                ..job
            },
            Self::Cuts => {
                let takes = 20_000 + job.takes * 7 % 30_000;
                JobPlan { takes, password: Password::Right, cancel_at: None, ..job }
            }
        }
    }

    fn fault(self, fault: Fault, worker: usize, random: &mut Random) -> Fault {
        let struck = |what, low, high, random: &mut Random| Fault {
            what,
            lasts: random.between(low, high),
            ..fault
        };
        match (self, random.index(3)) {
            (Self::Passwords, 0) => struck(What::StoreDown, 2_000, 30_000, random),
            (Self::Passwords, 1) => struck(What::DropConnection(worker), 0, 0, random),
            (Self::Cuts, 0) => struck(What::CutBoth(worker), 60_000, 180_000, random),
            _ => fault,
        }
    }
}

fn job(random: &mut Random, n_groups: usize, mailboxes: usize) -> JobPlan {
    let at = random.between(3_000, 60_000);
    let legs = 1 + random.index(2);
    let long = random.chance(15);
    JobPlan {
        at,
        class: [JobClass::Interactive, JobClass::Revalidation, JobClass::Sync][random.index(3)],
        tenant: u8::from(random.chance(30)),
        mailbox: u8::try_from(random.index(mailboxes)).expect("small"),
        password: match random.between(0, 99) {
            0..=1 => Password::Poison,
            2..=24 => Password::Wrong,
            _ => Password::Right,
        },
        groups: (0..legs).map(|_| random.index(n_groups)).collect(),
        takes: if long { random.between(5_000, 50_000) } else { random.between(100, 4_000) },
        flaky: if random.chance(10) { 1 } else { 0 },
        cancel_at: random.chance(10).then(|| at + random.between(10, 20_000)),
        tight: random.chance(5),
        newer: false,
    }
}

fn fault(random: &mut Random, gateways: usize, workers: usize, groups: usize) -> Fault {
    let (gateway, worker) = (random.index(gateways), random.index(workers));
    let group = random.index(groups);
    let what = match random.between(0, 21) {
        0 | 1 => What::KillWorker(worker),
        2 | 3 => What::FreezeWorker(worker),
        4 | 5 => What::DrainWorker(worker),
        6 => What::CutToBroker(worker),
        7 => What::CutFromBroker(worker),
        8 => What::CutBoth(worker),
        9 => What::DropConnection(worker),
        10 | 11 => What::KillGateway(gateway),
        12 => What::FreezeGateway(gateway),
        13 => What::RestartBroker,
        14 => What::Alarm,
        15 => What::DeleteQueue(u16::try_from(random.index(4)).expect("small")),
        16 => What::LoseConfirms,
        17 => What::LoseControl,
        18 => What::StoreDown,
        19 => What::ClockJump([-3_600, -30, 30, 3_600][random.index(4)]),
        20 => {
            if random.chance(50) {
                What::ServerDown(group)
            } else {
                What::Duplicate
            }
        }
        _ => What::Limit(group, u32::try_from(random.between(1, 5)).expect("small")),
    };
    let lasts = match what {
        What::FreezeWorker(_) => random.between(1_000, 90_000),
        What::CutToBroker(_) | What::CutFromBroker(_) | What::CutBoth(_) => {
            if random.chance(30) {
                random.between(60_000, 180_000)
            } else {
                random.between(1_000, 45_000)
            }
        }
        What::FreezeGateway(_) | What::Alarm | What::ServerDown(_) => random.between(500, 40_000),
        What::RestartBroker | What::StoreDown => random.between(200, 15_000),
        What::LoseConfirms | What::LoseControl => random.between(500, 8_000),
        What::KillWorker(_) | What::DrainWorker(_) | What::KillGateway(_) => {
            random.between(300, 10_000)
        }
        What::DropConnection(_)
        | What::DeleteQueue(_)
        | What::ClockJump(_)
        | What::Limit(..)
        | What::Duplicate => 0,
    };
    Fault { at: random.between(2_000, FAULTS_END), lasts, what }
}

impl Fault {
    /// Whether whom it strikes is there.
    pub(crate) fn fits(&self, gateways: usize, workers: usize) -> bool {
        match self.what {
            What::KillWorker(worker)
            | What::FreezeWorker(worker)
            | What::DrainWorker(worker)
            | What::CutToBroker(worker)
            | What::CutFromBroker(worker)
            | What::CutBoth(worker)
            | What::DropConnection(worker) => worker < workers,
            What::KillGateway(gateway) | What::FreezeGateway(gateway) => gateway < gateways,
            What::RestartBroker
            | What::Alarm
            | What::DeleteQueue(_)
            | What::LoseConfirms
            | What::LoseControl
            | What::StoreDown
            | What::ClockJump(_)
            | What::ServerDown(_)
            | What::Limit(..)
            | What::Duplicate => true,
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, gateways, workers, zones, limits, .. } = self;
        let fleet = format!("{gateways} gateways, {workers} workers, {zones} zones");
        writeln!(f, "seed {seed}: {fleet}, limits {limits:?}")?;
        for (index, job) in self.jobs.iter().enumerate() {
            writeln!(f, "  job {index}: {job:?}")?;
        }
        for (index, BatchPlan { items, .. }) in self.batches.iter().enumerate() {
            let batch = BatchPlan { items: Vec::new(), ..self.batches[index].clone() };
            writeln!(f, "  batch {index}: {batch:?}")?;
            for (place, item) in items.iter().enumerate() {
                writeln!(f, "    item {place}: {item:?}")?;
            }
        }
        self.faults.iter().try_for_each(|fault| writeln!(f, "  {fault:?}"))
    }
}
