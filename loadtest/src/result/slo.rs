//! Whether a run holds what its scenario wants. Pure.
//!
//! What could not be measured is not met: a run without a single sample proves nothing.

use std::time::Duration;

use super::{Judged, LoadResult, PhaseResult, RunResult};
use crate::scenario::{Counted, Of, Scenario, Slo};
use crate::stats;

/// Judges every SLO of the scenario.
pub(crate) fn judge(scenario: &Scenario, run: &RunResult) -> Vec<Judged> {
    scenario.slos.iter().flat_map(|slo| one(slo, run)).collect()
}

fn one(slo: &Slo, run: &RunResult) -> Vec<Judged> {
    match slo {
        Slo::Count { what, most } => vec![count(*what, *most, run)],
        Slo::RepeatedLogins { most } => {
            let asked = run.counts.asked.max(1) as f64;
            let part = run.counts.repeated_logins as f64 / asked;
            let got = format!("{} ({:.3}%)", run.counts.repeated_logins, part * 100.0);
            let is_met = run.counts.is_watched && part <= *most;
            vec![judged(
                "logins beyond one for each leg",
                format!("≤ {}%", most * 100.0),
                got,
                is_met,
            )]
        }
        Slo::Latency { phase, servers, of, quantile, most } => {
            let is_meant = |it: &&PhaseResult| match phase {
                Some(name) => it.name == *name || it.step_of.as_ref() == Some(name),
                None => 0 < it.all.due,
            };
            let phases: Vec<&PhaseResult> = run.phases.iter().filter(is_meant).collect();
            let judge =
                |phase: &&PhaseResult| latency(phase, servers.as_deref(), *of, *quantile, *most);
            phases.iter().map(judge).collect()
        }
        Slo::Isolation { phase, against, servers, quantile, most } => {
            vec![isolation(run, (phase, against), servers, *quantile, *most)]
        }
        Slo::Knee { least, quantile, most } => {
            let knee = run.knee(*quantile, *most);
            let got = knee.map_or(0.0, |step| step.all.offered);
            let what = format!("knee ({} of the report ≤ {})", percent(*quantile), ms(*most));
            let told = knee.map_or("none of the steps was borne".to_owned(), |step| {
                format!("{:.0} a second", step.all.offered)
            });
            vec![judged(&what, format!("≥ {least} a second"), told, *least <= got)]
        }
        Slo::Takeover { what, most } => {
            let faults = run.faults.iter().filter(|fault| fault.what == what.name());
            let judge = |fault: &super::FaultResult| {
                let what = format!("longest wait after {} of {}", fault.what, fault.subject);
                let wait = fault.longest_wait.map(Duration::from_secs_f64);
                let is_met = wait.is_some_and(|wait| wait <= *most);
                judged(&what, format!("≤ {}", ms(*most)), told(wait), is_met)
            };
            faults.map(judge).collect()
        }
        Slo::Growth { process, most } => growth(run, process, *most),
        Slo::BatchRate { least } => {
            let judge = |batch: &crate::batches::BatchOutcome| {
                let rate = batch.rate();
                let got = rate.map_or("not known".to_owned(), |rate| format!("{rate:.1} a second"));
                let what = format!("items of the batch at {}", batch.servers);
                judged(
                    &what,
                    format!("≥ {least} a second"),
                    got,
                    rate.is_some_and(|it| *least <= it),
                )
            };
            run.batches.iter().map(judge).collect()
        }
    }
}

fn judged(what: &str, wanted: String, got: String, is_met: bool) -> Judged {
    Judged { what: what.to_owned(), wanted, got, is_met }
}

fn count(what: Counted, most: u64, run: &RunResult) -> Judged {
    let counts = &run.counts;
    let (got, is_known) = match what {
        Counted::Lost => (counts.lost, 0 < counts.asked),
        Counted::Failed => (counts.failed, 0 < counts.asked),
        Counted::Missed => (counts.missed, 0 < counts.due || !run.batches.is_empty()),
        Counted::WrongVerdicts => (counts.wrong_verdicts, 0 < counts.asked),
        Counted::Unclear => (counts.unclear, 0 < counts.asked),
        Counted::OverLimit => (counts.over_limit, counts.is_watched),
        Counted::ForeignAddresses => {
            (counts.foreign_addresses, counts.is_watched && counts.is_pool_known)
        }
    };
    let told = match (is_known, what) {
        (true, _) => got.to_string(),
        (false, Counted::ForeignAddresses) if counts.is_watched => {
            "the pool of a given fleet is not known".to_owned()
        }
        (false, _) => "nothing was watched".to_owned(),
    };
    let wanted = if most == 0 { "none".to_owned() } else { format!("≤ {most}") };
    judged(what.words(), wanted, told, is_known && got <= most)
}

fn latency(
    phase: &PhaseResult,
    servers: Option<&str>,
    of: Of,
    quantile: f64,
    most: Duration,
) -> Judged {
    let load = part(phase, servers);
    let got = load.and_then(|load| load.quantile(of, quantile));
    let of = match of {
        Of::Accepted => "time to acceptance",
        Of::Report => "time to the report",
        Of::Queue => "time in the queue",
    };
    let at = servers.map(|servers| format!(" at {servers}")).unwrap_or_default();
    let what = format!("{of}, {}{at} ({})", percent(quantile), phase.name);
    judged(&what, format!("≤ {}", ms(most)), told(got), got.is_some_and(|got| got <= most))
}

/// The part of a phase that is about some servers; all of it without a name.
fn part<'a>(phase: &'a PhaseResult, servers: Option<&str>) -> Option<&'a LoadResult> {
    match servers {
        None => Some(&phase.all),
        Some(name) => phase.by_servers.iter().find(|load| load.servers == name),
    }
}

fn isolation(
    run: &RunResult,
    (phase, against): (&str, &str),
    servers: &str,
    quantile: f64,
    most: f64,
) -> Judged {
    let of = |name: &str| {
        let phase = run.phases.iter().find(|phase| phase.name == name)?;
        part(phase, Some(servers))?.quantile(Of::Report, quantile)
    };
    let (with, without) = (of(phase), of(against));
    let ratio = with.zip(without).map(|(with, without)| with.as_secs_f64() / without.as_secs_f64());
    let got = ratio.map_or("not known".to_owned(), |ratio| {
        format!("{ratio:.2} ({} against {})", told(with), told(without))
    });
    let what =
        format!("{} of the report at {servers}: {phase} against {against}", percent(quantile));
    judged(&what, format!("≤ {most} times"), got, ratio.is_some_and(|ratio| ratio <= most))
}

/// What a process grows by over the run, by the line through its memory after the first fifth.
fn growth(run: &RunResult, name: &str, most: u64) -> Vec<Judged> {
    let watched = run.processes.iter().filter(|process| process.name.starts_with(name));
    let judge = |process: &crate::watch::Watched| {
        let points: Vec<(f64, f64)> = process
            .looks
            .iter()
            .filter(|look| run.seconds / 5.0 <= look.at)
            .map(|look| (look.at, look.memory as f64))
            .collect();
        let mib = f64::from(1 << 20);
        let line = stats::line(&points);
        let grown = line.map(|line| line.slope * run.seconds / mib);
        let got = line.zip(grown).map_or("not known".to_owned(), |(line, grown)| {
            format!("{grown:+.1} MiB (± {:.1})", line.doubt * run.seconds / mib)
        });
        let is_met = grown.is_some_and(|grown| grown <= most as f64 / mib);
        let what = format!("growth of {} over the run", process.name);
        judged(&what, format!("≤ {} MiB", most >> 20), got, is_met)
    };
    let all: Vec<Judged> = watched.map(judge).collect();
    if all.is_empty() {
        let what = format!("growth of {name} over the run");
        return vec![judged(
            &what,
            format!("≤ {} MiB", most >> 20),
            "not watched".to_owned(),
            false,
        )];
    }
    all
}

/// A quantile as people say it.
fn percent(quantile: f64) -> String {
    format!("p{}", (quantile * 100_000.0).round() / 1_000.0)
}

fn ms(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.1} s") }
}

fn told(span: Option<Duration>) -> String {
    span.map_or("nothing was measured".to_owned(), ms)
}
