//! Puts everything together that was seen: samples of the generator, the judge's findings,
//! faults, batches.

use std::time::Duration;

use super::series::series;
use super::{Counts, FaultResult, LoadResult, PhaseResult, Series, ServerResult, SourceResult};
use crate::caller::Ending;
use crate::faults::Done;
use crate::fleet::sources;
use crate::generate::Sample;
use crate::history::{Judgement, Session};
use crate::scenario::{FaultKind, Manner, Population, Scenario};
use mailfleet_api::v1::report::Verdict;

/// How long after a fault waits are put down to it, if no other one follows.
const AFTER: Duration = Duration::from_secs(60);
/// Words about troubles that are kept.
const TROUBLES: usize = 20;

/// What was seen.
pub(crate) struct Gathered<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) samples: &'a [Sample],
    /// When each phase began, and how long it took; microseconds since 1970.
    pub(crate) phases: &'a [(u64, u64)],
    pub(crate) faults: &'a [Done],
    /// In order of time.
    pub(crate) sessions: &'a [Session],
    pub(crate) judgement: &'a Judgement,
    /// The fleet was there before the run, and its pool is not known.
    pub(crate) is_given: bool,
}

/// The parts of a result that follow from it.
pub(crate) struct Parts {
    pub(crate) counts: Counts,
    pub(crate) troubles: Vec<String>,
    pub(crate) phases: Vec<PhaseResult>,
    pub(crate) series: Series,
    pub(crate) faults: Vec<FaultResult>,
    pub(crate) servers: Vec<ServerResult>,
    pub(crate) sources: Vec<SourceResult>,
}

/// What a verdict is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worth {
    Right,
    Wrong,
    Unclear,
}

/// Puts it together.
pub(crate) fn gather(seen: &Gathered<'_>) -> Parts {
    let began = seen.phases.first().map_or(0, |(began, _)| *began);
    let seconds = |at: u64| Duration::from_micros(at.saturating_sub(began)).as_secs_f64();
    let mut troubles = Vec::new();
    let phases = seen.phases.iter().enumerate().filter_map(|(index, (start, length))| {
        let phase = seen.scenario.phases.get(index)?;
        let window = (*start, *start + *length);
        let all = load(seen, index, None, window);
        let asked = phase.loads.iter().map(|load| load.servers);
        let mut by_servers: Vec<usize> = asked.collect();
        by_servers.sort_unstable();
        by_servers.dedup();
        Some(PhaseResult {
            name: phase.name.clone(),
            step_of: phase.step_of.clone(),
            began: seconds(*start),
            seconds: Duration::from_micros(*length).as_secs_f64(),
            all,
            by_servers: by_servers.iter().map(|at| load(seen, index, Some(*at), window)).collect(),
        })
    });
    let phases: Vec<PhaseResult> = phases.collect();
    let counts = counts(seen, &phases, &mut troubles);
    let names: Vec<String> = seen.scenario.servers.iter().map(|it| it.name.clone()).collect();
    let end = seen.phases.last().map_or(began, |(start, length)| start + length);
    Parts {
        counts,
        troubles,
        phases,
        series: series(seen.samples, &names, began, end),
        faults: faults(seen, began),
        servers: servers(seen),
        sources: addresses(seen),
    }
}

fn population<'a>(seen: &Gathered<'a>, index: usize) -> Option<&'a Population> {
    seen.scenario.servers.get(index)
}

fn worth(seen: &Gathered<'_>, sample: &Sample, verdict: Verdict) -> Worth {
    let answers = population(seen, sample.servers).is_none_or(|it| it.manner == Manner::Prompt);
    match (answers, sample.is_right, verdict) {
        (true, true, Verdict::Healthy) | (true, false, Verdict::Faulty) => Worth::Right,
        // Nothing is known of a server that says nothing, but that it is not healthy.
        (false, _, Verdict::Faulty | Verdict::Inconclusive) => Worth::Right,
        (true, _, Verdict::Inconclusive) => Worth::Unclear,
        (_, _, Verdict::Healthy | Verdict::Faulty | Verdict::Unspecified) => Worth::Wrong,
    }
}

/// One phase, of one population or all.
fn load(
    seen: &Gathered<'_>,
    phase: usize,
    servers: Option<usize>,
    (start, end): (u64, u64),
) -> LoadResult {
    let name = servers.and_then(|servers| population(seen, servers));
    let name = name.map(|population| population.name.clone()).unwrap_or_default();
    let mut load = LoadResult { servers: name, ..Default::default() };
    let mut good = 0_u32;
    for sample in seen.samples {
        if servers.is_some_and(|servers| servers != sample.servers) {
            continue;
        }
        let ending = sample.outcome.as_ref().map(|outcome| &outcome.ending);
        if let Some(Ending::Report { at, verdict, .. }) = ending {
            let at = sample.due + at;
            // Whatever phase it was due in: at a steady load as many come in as go out.
            let is_good = worth(seen, sample, *verdict) == Worth::Right;
            good += u32::from(is_good && (start..end).contains(&at));
        }
        if sample.phase != phase {
            continue;
        }
        load.due += 1;
        let Some(outcome) = &sample.outcome else {
            load.missed += 1;
            continue;
        };
        if let Some(accepted) = outcome.accepted {
            load.accepted.record(accepted);
        }
        match &outcome.ending {
            Ending::Report { at, verdict, queue } => {
                load.answered += 1;
                load.report.record(*at);
                if let Some(queue) = queue {
                    load.queue.record(*queue);
                }
                match worth(seen, sample, *verdict) {
                    Worth::Right => {}
                    Worth::Wrong => load.wrong_verdicts += 1,
                    Worth::Unclear => load.unclear += 1,
                }
            }
            Ending::Lost(_) => load.lost += 1,
            Ending::Failed(_) => load.failed += 1,
        }
    }
    let seconds = Duration::from_micros(end - start).as_secs_f64().max(0.001);
    load.offered = f64::from(u32::try_from(load.due).unwrap_or(u32::MAX)) / seconds;
    load.goodput = f64::from(good) / seconds;
    load
}

fn counts(seen: &Gathered<'_>, phases: &[PhaseResult], troubles: &mut Vec<String>) -> Counts {
    let sum = |of: fn(&LoadResult) -> u64| phases.iter().map(|phase| of(&phase.all)).sum::<u64>();
    for sample in seen.samples {
        let trouble = match sample.outcome.as_ref().map(|outcome| &outcome.ending) {
            Some(Ending::Lost(why)) => format!("lost: {why}"),
            Some(Ending::Failed(why)) => format!("failed: {why}"),
            Some(Ending::Report { verdict, .. }) => match worth(seen, sample, *verdict) {
                Worth::Right => continue,
                Worth::Wrong | Worth::Unclear => {
                    let password = if sample.is_right { "the right" } else { "a wrong" };
                    format!(
                        "{}: {} with {password} password",
                        sample.mailbox,
                        verdict.as_str_name()
                    )
                }
            },
            None => continue,
        };
        if troubles.len() < TROUBLES && !troubles.contains(&trouble) {
            troubles.push(trouble);
        }
    }
    troubles.extend(seen.judgement.first_over.clone());
    let judged = seen.judgement;
    let retries = seen.samples.iter().filter_map(|sample| sample.outcome.as_ref());
    Counts {
        due: sum(|all| all.due),
        answered: sum(|all| all.answered),
        lost: sum(|all| all.lost),
        failed: sum(|all| all.failed),
        missed: sum(|all| all.missed),
        wrong_verdicts: sum(|all| all.wrong_verdicts),
        unclear: sum(|all| all.unclear),
        retries: retries.map(|outcome| u64::from(outcome.retries)).sum(),
        asked: sum(|all| all.due - all.missed),
        sessions: judged.servers.values().map(|peak| peak.total).sum(),
        over_limit: judged.over_limit,
        foreign_addresses: judged.foreign,
        repeated_logins: judged.repeated,
        unasked_logins: judged.unasked,
        is_watched: !judged.servers.is_empty(),
        is_pool_known: !seen.is_given,
    }
}

fn faults(seen: &Gathered<'_>, began: u64) -> Vec<FaultResult> {
    let seconds = |span: u64| Duration::from_micros(span).as_secs_f64();
    let after = u64::try_from(AFTER.as_micros()).unwrap_or(u64::MAX);
    let result = |(index, done): (usize, &Done)| {
        let next = seen.faults.get(index + 1).map(|next| next.at);
        let end = next.unwrap_or(u64::MAX).min(done.until.max(done.at) + after);
        let gaps: Vec<u64> = done
            .servers
            .iter()
            .filter_map(|server| gap(seen.sessions, server, done, end))
            .collect();
        // Whoever was waiting when it happened counts too; what comes after the next fault is put
        // down to that one.
        let waits =
            seen.samples.iter().filter_map(|sample| match sample.outcome.as_ref()?.ending {
                Ending::Report { at, .. } => {
                    let reported = sample.due + at;
                    let is_meant = sample.due < end && done.at < reported;
                    is_meant.then(|| reported.min(end) - sample.due)
                }
                Ending::Lost(_) | Ending::Failed(_) => None,
            });
        FaultResult {
            what: done.what.name().to_owned(),
            subject: done.subject.clone(),
            at: seconds(done.at.saturating_sub(began)),
            until: seconds(done.until.saturating_sub(began)),
            takes_worker: done.what.takes_worker(),
            served_again: u64::try_from(gaps.len()).unwrap_or_default(),
            takeover: gaps.iter().max().copied().map(seconds),
            longest_wait: waits.max().map(seconds),
        }
    };
    seen.faults.iter().enumerate().map(result).collect()
}

/// How long no session began at a server after a worker went. A worker that was cut off goes on
/// for a while: there the longest pause counts.
fn gap(sessions: &[Session], server: &str, done: &Done, end: u64) -> Option<u64> {
    let starts = sessions.iter().filter(|session| *session.server == *server);
    let starts = starts.map(|session| session.opened);
    let mut starts = starts.filter(|opened| (done.at..end).contains(opened));
    match done.what {
        FaultKind::CutWorker => {
            let (mut last, mut longest) = (done.at, None);
            for start in starts {
                longest = longest.max(Some(start - last));
                last = start;
            }
            longest
        }
        FaultKind::KillWorker
        | FaultKind::DrainWorker
        | FaultKind::FreezeWorker
        | FaultKind::KillGateway
        | FaultKind::RestartBroker => starts.next().map(|start| start - done.at),
    }
}

fn servers(seen: &Gathered<'_>) -> Vec<ServerResult> {
    let result = |(name, peak): (&String, &crate::history::Peak)| {
        let second = name.split(['.', ':']).nth(2).and_then(|number| number.parse().ok());
        let index = second.and_then(|number: usize| number.checked_sub(10));
        let population = index.and_then(|index| population(seen, index));
        ServerResult {
            name: name.clone(),
            population: population.map(|it| it.name.clone()).unwrap_or_default(),
            limit: population.map_or(0, |it| seen.scenario.limit(it)),
            sessions: peak.total,
            most: peak.most,
            surely: peak.surely,
        }
    };
    seen.judgement.servers.iter().map(result).collect()
}

fn addresses(seen: &Gathered<'_>) -> Vec<SourceResult> {
    let ours = sources(seen.scenario);
    let mut all: Vec<SourceResult> = Vec::new();
    for (address, peak) in &seen.judgement.sources {
        all.push(SourceResult {
            address: address.to_string(),
            is_ours: (!seen.is_given).then(|| ours.contains(address)),
            sessions: peak.total,
            most: peak.most,
        });
    }
    all
}
