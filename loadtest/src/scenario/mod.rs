//! What a load test is: the fleet, the mail servers, the phases with their loads and faults, and
//! what must hold in the end.
//!
//! Read from TOML by `parse`, strictly: everything wrong is told at once. Nothing is run here.

mod parse;
mod read;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

/// A whole scenario.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scenario {
    /// The name of its file, without the ending.
    pub(crate) name: String,
    /// One line for people.
    pub(crate) title: String,
    /// What it is about.
    pub(crate) about: String,
    /// Where its chance comes from.
    pub(crate) seed: u64,
    /// What a run of it cannot show, for the page.
    pub(crate) not_shown: Vec<String>,
    pub(crate) calibration: Calibration,
    pub(crate) fleet: FleetSize,
    pub(crate) servers: Vec<Population>,
    pub(crate) phases: Vec<Phase>,
    pub(crate) slos: Vec<Slo>,
}

/// How good the generator must be before anything counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Calibration {
    /// What it can do idle, as a multiple of the scenario's highest rate.
    pub(crate) capacity: f64,
    /// How late it may begin, at the 99th percentile, with nothing else to do.
    pub(crate) lag: Duration,
    /// The same while the fleet runs beside it.
    pub(crate) lag_under_load: Duration,
}

/// The fleet that is started where none is given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FleetSize {
    pub(crate) gateways: u32,
    pub(crate) workers: u32,
    pub(crate) shards: u32,
    /// Sessions at once at a mail server, unless its population says otherwise.
    pub(crate) limit: u32,
    /// Source addresses.
    pub(crate) sources: u32,
    /// Legs at once of a worker.
    pub(crate) slots: u32,
    /// The collector that its processes export to; none: they do not.
    pub(crate) otlp: Option<String>,
    /// Which part of the traces is exported.
    pub(crate) sampling: f64,
}

/// Mail servers of one kind. A pair is an IMAP and an SMTP server at one address.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Population {
    pub(crate) name: String,
    pub(crate) pairs: u32,
    /// Sessions at once at each; none: the fleet's.
    pub(crate) limit: Option<u32>,
    /// How long a login takes.
    pub(crate) login: Duration,
    pub(crate) manner: Manner,
    /// The exponent of Zipf's law, by which some servers are asked for more often; 0: evenly.
    pub(crate) zipf: f64,
    /// Which part of the validations comes with a wrong password.
    pub(crate) wrong: f64,
    /// What a validation may take.
    pub(crate) budget: Duration,
    /// A pair that exists already, in place of simulated ones.
    pub(crate) given: Option<Given>,
}

/// A real or foreign pair of mail servers. The user's password is in an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// `host:port`, with TLS from the first byte.
    pub(crate) imap: String,
    /// `host:port`, with TLS from the first byte.
    pub(crate) smtp: String,
    /// The user; `{n}` in it is replaced by a number that no two validations share.
    pub(crate) user: String,
    pub(crate) password_env: String,
}

impl Given {
    /// The password of its users.
    pub(crate) fn password(&self) -> anyhow::Result<String> {
        let name = &self.password_env;
        std::env::var(name).with_context(|| format!("the environment has no {name}"))
    }
}

/// How simulated servers behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As they should.
    Prompt,
    /// Accept connections, and never say a word.
    BlackHole,
}

/// A time with constant loads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Phase {
    pub(crate) name: String,
    /// The ramp that it is a step of.
    pub(crate) step_of: Option<String>,
    pub(crate) time: Duration,
    pub(crate) loads: Vec<Load>,
    pub(crate) batches: Vec<Batch>,
    pub(crate) faults: Vec<Fault>,
}

/// Validations at a rate, whatever comes of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Load {
    /// Which population, by its place.
    pub(crate) servers: usize,
    /// Validations a second.
    pub(crate) rate: f64,
    pub(crate) arrivals: Arrivals,
}

/// How validations follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrivals {
    /// Independently, as people do.
    Poisson,
    /// At equal distances.
    Fixed,
}

/// A batch that is uploaded when its phase begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) servers: usize,
    pub(crate) items: u32,
    pub(crate) wait: Wait,
}

/// Until when a phase goes on because of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It does not: the batch is cancelled at the end of the run.
    No,
    /// Until the upload is complete; then as before.
    Upload,
    /// Until the batch has ended.
    End,
}

/// Something that is done to the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// When, from the beginning of the phase.
    pub(crate) at: Duration,
    pub(crate) what: FaultKind,
    /// How long it lasts, for those that end.
    pub(crate) lasts: Duration,
}

/// What can be done to a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// SIGKILL to the worker with the most shards; another one starts.
    KillWorker,
    /// SIGTERM to it; another one starts.
    DrainWorker,
    /// SIGSTOP, and SIGCONT after a while.
    FreezeWorker,
    /// Nothing passes between it and the broker, in either direction, for a while.
    CutWorker,
    /// SIGKILL to a gateway; it starts again at its place.
    KillGateway,
    /// The broker ends and starts again.
    RestartBroker,
}

impl FaultKind {
    /// Every kind with its name in files.
    pub(crate) const ALL: [(Self, &'static str); 6] = [
        (Self::KillWorker, "kill-worker"),
        (Self::DrainWorker, "drain-worker"),
        (Self::FreezeWorker, "freeze-worker"),
        (Self::CutWorker, "cut-worker"),
        (Self::KillGateway, "kill-gateway"),
        (Self::RestartBroker, "restart-broker"),
    ];

    /// The name in files.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// Whether it takes a worker away, so that others take over.
    pub(crate) fn takes_worker(self) -> bool {
        match self {
            Self::KillWorker | Self::DrainWorker | Self::FreezeWorker | Self::CutWorker => true,
            Self::KillGateway | Self::RestartBroker => false,
        }
    }
}

/// Which latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// From the intended time until the job is stored.
    Accepted,
    /// From the intended time until the report is there.
    Report,
    /// From the store until the last leg began, as the report tells.
    Queue,
}

impl Of {
    /// Every kind with its name in files.
    pub(crate) const ALL: [(Self, &'static str); 3] =
        [(Self::Accepted, "accepted"), (Self::Report, "report"), (Self::Queue, "queue")];
}

/// What must hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Slo {
    /// At most so many of these.
    Count { what: Counted, most: u64 },
    /// Logins beyond one for each validation and server, as a part of the validations.
    RepeatedLogins { most: f64 },
    /// A quantile of a latency; of one phase, or of each.
    Latency {
        phase: Option<String>,
        servers: Option<String>,
        of: Of,
        quantile: f64,
        most: Duration,
    },
    /// A quantile of the report's latency at some servers, as a multiple of the same in another
    /// phase.
    Isolation { phase: String, against: String, servers: String, quantile: f64, most: f64 },
    /// The knee of the ramp, in validations a second; the latency is that of the report.
    Knee { least: f64, quantile: f64, most: Duration },
    /// Longest wait of a caller after this was done to a worker.
    Takeover { what: FaultKind, most: Duration },
    /// By how much a process may grow over the run, as a line through its memory says.
    Growth { process: String, most: u64 },
    /// Items of batches a second, from the first to the last result.
    BatchRate { least: f64 },
}

/// What is counted over the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Accepted jobs without a report.
    Lost,
    /// Calls that no gateway accepted.
    Failed,
    /// Validations that were due and not sent, since too many were open.
    Missed,
    /// Right passwords that were called faulty, wrong ones that were not.
    WrongVerdicts,
    /// Verdicts that say neither, of servers that do answer.
    Unclear,
    /// Sessions that began beyond a server's limit.
    OverLimit,
    /// Sessions from addresses that are not in the pool.
    ForeignAddresses,
}

impl Counted {
    /// Every kind with its key, and what it says to people.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Lost, "lost", "accepted jobs without a report"),
        (Self::Failed, "failed", "validations that no gateway accepted"),
        (Self::Missed, "missed", "validations that could not be sent"),
        (Self::WrongVerdicts, "wrong_verdicts", "wrong verdicts"),
        (Self::Unclear, "unclear", "inconclusive verdicts at servers that answer"),
        (Self::OverLimit, "over_limit", "sessions beyond a server's limit"),
        (Self::ForeignAddresses, "foreign_addresses", "sessions from outside the pool"),
    ];

    /// What it says to people.
    pub(crate) fn words(self) -> &'static str {
        Self::ALL.iter().find(|(what, ..)| *what == self).map_or("", |(.., words)| words)
    }
}

impl Scenario {
    /// Reads a file; an error names everything that is wrong with it.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("reading the scenario {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&name, &text).map_err(|wrong| {
            let lines: String = wrong.iter().map(|line| format!("\n  {line}")).collect();
            anyhow::anyhow!("{} cannot be run:{lines}", path.display())
        })
    }

    /// The time of all phases.
    pub(crate) fn time(&self) -> Duration {
        self.phases.iter().map(|phase| phase.time).sum()
    }

    /// The most validations a second that are ever offered.
    pub(crate) fn highest_rate(&self) -> f64 {
        let rate = |phase: &Phase| phase.loads.iter().map(|load| load.rate).sum::<f64>();
        self.phases.iter().map(rate).fold(0.0, f64::max)
    }

    /// Whether something of this kind is done to the fleet.
    pub(crate) fn does(&self, is_meant: impl Fn(FaultKind) -> bool) -> bool {
        self.phases.iter().flat_map(|phase| &phase.faults).any(|fault| is_meant(fault.what))
    }

    /// The limit of a population's servers.
    pub(crate) fn limit(&self, population: &Population) -> u32 {
        population.limit.unwrap_or(self.fleet.limit)
    }
}
