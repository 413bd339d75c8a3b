//! Makes a failing history small: what is left is what it takes.

use super::history::History;
use super::mutation::Mutation;
use super::world::run;

/// Most runs that shrinking may cost.
const RUNS: usize = 400;

/// Takes away whatever can go while the same promise stays broken.
pub(crate) fn shrink(history: &History, mutation: Option<Mutation>) -> (History, String) {
    let mut best = history.clone();
    let mut broken = run(&best, mutation).expect_err("a failing history");
    let promise = name(&broken).to_owned();
    let mut left = RUNS;
    loop {
        let smaller = candidates(&best).into_iter().take(left).find_map(|candidate| {
            left = left.saturating_sub(1);
            let result = run(&candidate, mutation);
            result.err().filter(|why| name(why) == promise).map(|why| (candidate, why))
        });
        match smaller {
            Some((candidate, why)) => (best, broken) = (candidate, why),
            None => return (best, broken),
        }
    }
}

/// The name of the promise, such as `I3`.
fn name(broken: &str) -> &str {
    let text = broken.split(": ").find(|part| part.starts_with('I') && part.len() < 4);
    text.unwrap_or(broken)
}

/// Smaller histories, the much smaller ones first.
fn candidates(history: &History) -> Vec<History> {
    let mut smaller = Vec::new();
    let (jobs, faults) = (history.jobs.len(), history.faults.len());
    for chunk in [jobs / 2, jobs / 4, 1] {
        for from in (0..jobs).step_by(chunk.max(1)).filter(|_| 0 < chunk && chunk < jobs) {
            let mut candidate = history.clone();
            candidate.jobs.drain(from..(from + chunk).min(jobs));
            smaller.push(candidate);
        }
    }
    for index in 0..history.batches.len() {
        let mut candidate = history.clone();
        candidate.batches.remove(index);
        smaller.push(candidate);
        for item in 0..history.batches[index].items.len() {
            let mut candidate = history.clone();
            candidate.batches[index].items.remove(item);
            if !candidate.batches[index].items.is_empty() {
                smaller.push(candidate);
            }
        }
        for steer in 0..history.batches[index].steers.len() {
            let mut candidate = history.clone();
            candidate.batches[index].steers.remove(steer);
            smaller.push(candidate);
        }
    }
    for index in 0..faults {
        let mut candidate = history.clone();
        candidate.faults.remove(index);
        smaller.push(candidate);
    }
    if history.hesitant {
        smaller.push(History { hesitant: false, ..history.clone() });
    }
    for (gateways, workers) in [(1, history.workers), (history.gateways, history.workers - 1)] {
        let names = |history: &History| history.faults.iter().all(|f| f.fits(gateways, workers));
        if history.zones <= workers
            && history.older < workers
            && (gateways, workers) != (history.gateways, history.workers)
            && names(history)
        {
            smaller.push(History { gateways, workers, ..history.clone() });
        }
    }
    smaller
}
