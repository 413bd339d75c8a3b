//! What a run found, as it is written to `result.json` and read again by `compare`.
//!
//! Times are seconds since the run began, unless a name says otherwise. Histograms are raw.

mod gather;
mod series;
mod slo;

pub(crate) use gather::{Gathered, gather};
pub(crate) use slo::judge;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::batches::BatchOutcome;
use crate::calibrate::Calibrated;
use crate::latency::Latencies;
use crate::scenario::Of;
use crate::watch::Watched;

/// The version of the form; another one is refused by `compare`.
pub(crate) const FORMAT: u32 = 1;

/// Everything about a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunResult {
    pub(crate) format: u32,
    /// The scenario's name.
    pub(crate) scenario: String,
    pub(crate) title: String,
    pub(crate) about: String,
    pub(crate) seed: u64,
    /// When it began, in microseconds since 1970.
    pub(crate) began_us: u64,
    /// How long all phases took.
    pub(crate) seconds: f64,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) calibration: Calibrated,
    /// How late validations were begun while the fleet ran beside; without what came after the
    /// first step of a ramp that was not borne, where the machine has nothing left by intent.
    pub(crate) lag: Latencies,
    /// Why the run means nothing, if so.
    pub(crate) void: Vec<String>,
    pub(crate) slos: Vec<Judged>,
    pub(crate) counts: Counts,
    /// Some of what went wrong, in words.
    pub(crate) troubles: Vec<String>,
    pub(crate) phases: Vec<PhaseResult>,
    pub(crate) series: Series,
    pub(crate) faults: Vec<FaultResult>,
    pub(crate) batches: Vec<BatchOutcome>,
    pub(crate) servers: Vec<ServerResult>,
    pub(crate) sources: Vec<SourceResult>,
    pub(crate) processes: Vec<Watched>,
    pub(crate) not_shown: Vec<String>,
}

/// What must hold, and whether it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) what: String,
    pub(crate) wanted: String,
    pub(crate) got: String,
    pub(crate) is_met: bool,
}

/// What is counted over the whole run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) due: u64,
    /// With a report.
    pub(crate) answered: u64,
    pub(crate) lost: u64,
    pub(crate) failed: u64,
    pub(crate) missed: u64,
    pub(crate) wrong_verdicts: u64,
    pub(crate) unclear: u64,
    /// Calls that were repeated.
    pub(crate) retries: u64,
    /// Validations, items of batches included, that mail servers could be asked for.
    pub(crate) asked: u64,
    pub(crate) sessions: u64,
    pub(crate) over_limit: u64,
    pub(crate) foreign_addresses: u64,
    pub(crate) repeated_logins: u64,
    /// Logins of mailboxes that nobody asked for.
    pub(crate) unasked_logins: u64,
    /// Whether simulated servers watched at all.
    pub(crate) is_watched: bool,
    /// Whether the fleet's source addresses are known: not those of a given fleet.
    #[serde(default)]
    pub(crate) is_pool_known: bool,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PhaseResult {
    pub(crate) name: String,
    /// The ramp that it is a step of.
    pub(crate) step_of: Option<String>,
    pub(crate) began: f64,
    pub(crate) seconds: f64,
    /// All loads together.
    pub(crate) all: LoadResult,
    /// Each population that was asked for.
    pub(crate) by_servers: Vec<LoadResult>,
}

/// What came of the load on some servers in a phase.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LoadResult {
    /// The population; empty for all.
    pub(crate) servers: String,
    pub(crate) due: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) missed: u64,
    pub(crate) lost: u64,
    pub(crate) wrong_verdicts: u64,
    pub(crate) unclear: u64,
    /// Validations a second that were due.
    pub(crate) offered: f64,
    /// Right answers a second that came within the phase.
    pub(crate) goodput: f64,
    /// From the intended time.
    pub(crate) accepted: Latencies,
    pub(crate) report: Latencies,
    /// From the job's start until its last leg began.
    pub(crate) queue: Latencies,
}

impl LoadResult {
    /// A quantile of a latency.
    pub(crate) fn quantile(&self, of: Of, quantile: f64) -> Option<Duration> {
        let latencies = match of {
            Of::Accepted => &self.accepted,
            Of::Report => &self.report,
            Of::Queue => &self.queue,
        };
        latencies.quantile(quantile)
    }
}

/// The run in pieces of equal length.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Seconds of one piece.
    pub(crate) width: f64,
    pub(crate) points: Vec<Point>,
    /// The 99th percentile of each population, piece by piece; empty if there is but one.
    #[serde(default)]
    pub(crate) p99: Vec<(String, Vec<Option<f64>>)>,
}

/// One piece: rates a second, latencies of what was due in it, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) at: f64,
    pub(crate) due: f64,
    pub(crate) answered: f64,
    /// Missed, failed and lost.
    pub(crate) without: f64,
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
    pub(crate) longest: Option<f64>,
}

/// Something that was done to the fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FaultResult {
    pub(crate) what: String,
    pub(crate) subject: String,
    pub(crate) at: f64,
    pub(crate) until: f64,
    pub(crate) takes_worker: bool,
    /// Mail servers of which sessions began afterwards, of those that the worker owned.
    pub(crate) served_again: u64,
    /// How long it took, at most, until a session began at one of them.
    pub(crate) takeover: Option<f64>,
    /// The longest wait of a caller from then until the next fault.
    pub(crate) longest_wait: Option<f64>,
}

/// One mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerResult {
    pub(crate) name: String,
    pub(crate) population: String,
    pub(crate) limit: u32,
    pub(crate) sessions: u64,
    /// At once, as the server counted.
    pub(crate) most: u64,
    /// The same without sessions whose end was perhaps noticed late.
    pub(crate) surely: u64,
}

/// One source address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceResult {
    pub(crate) address: String,
    /// Whether it belongs to the fleet's pool; `None`: nobody knows the pool of a given fleet.
    pub(crate) is_ours: Option<bool>,
    pub(crate) sessions: u64,
    /// At once, over all servers.
    pub(crate) most: u64,
}

impl PhaseResult {
    /// Whether nearly everything that was due was answered well within the time, and the quantile
    /// of the report kept below a latency.
    pub(crate) fn is_borne(&self, quantile: f64, most: Duration) -> bool {
        let latency = self.all.quantile(Of::Report, quantile);
        self.all.offered * 0.98 <= self.all.goodput
            && latency.is_some_and(|latency| latency <= most)
    }
}

impl RunResult {
    /// Whether it was a run, and everything held.
    pub(crate) fn is_met(&self) -> bool {
        self.void.is_empty() && self.slos.iter().all(|slo| slo.is_met)
    }

    /// Reads one.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let result: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a result of a run", path.display()))?;
        anyhow::ensure!(result.format == FORMAT, "{} has another form", path.display());
        Ok(result)
    }

    /// The steps of ramps.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &PhaseResult> {
        self.phases.iter().filter(|phase| phase.step_of.is_some())
    }

    /// The last step before the first that was not borne: nearly everything that was due was
    /// answered well within the time, and the quantile of the report kept below a latency.
    pub(crate) fn knee(&self, quantile: f64, most: Duration) -> Option<&PhaseResult> {
        self.steps().take_while(|step| step.is_borne(quantile, most)).last()
    }
}

#[cfg(test)]
pub(crate) mod tests;
