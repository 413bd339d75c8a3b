//! A fleet that is being upgraded: legs of a kind that only the newer workers run.

use std::time::Duration;

use crate::sim::history::{Fault, History, JobPlan, What};
use crate::sim::mail::plan_index;
use crate::sim::world::run;

/// An older owner gives a leg back for 5 s; meanwhile its shard goes to a newer worker.
const HANDED_ON: Duration = Duration::from_secs(8);
/// Without a newer worker a leg comes again every 30 s; by then the one that has come has the shard,
/// where all that waited runs three at a time.
const AGAIN: Duration = Duration::from_secs(35);
/// Mail servers, so that every shard has some.
const GROUPS: usize = 12;

fn job(at: u64, group: usize, newer: bool) -> JobPlan {
    let mailbox = u8::try_from(at / 1_000 + u64::from(newer)).expect("few");
    JobPlan { newer, ..JobPlan::plain(at, mailbox, group) }
}

/// The longest waits for a session: of legs that every worker runs, and of newer ones.
fn longest_waits(workers: usize, faults: Vec<Fault>) -> (Duration, Duration) {
    let times = [10_000, 14_000, 40_000];
    let jobs: Vec<JobPlan> = times
        .into_iter()
        .flat_map(|at| {
            (0..GROUPS)
                .flat_map(move |group| [(group, false), (group, true)].map(|(g, n)| job(at, g, n)))
        })
        .collect();
    let history = History {
        batches: Vec::new(),
        seed: 11,
        gateways: 2,
        hesitant: false,
        workers,
        older: 2,
        zones: 1,
        limits: vec![3; GROUPS],
        jobs: jobs.clone(),
        faults,
    };
    let world = run(&history, None).expect("no promise is broken");
    let longest = |newer| {
        let waits = world.mail.first_session.iter();
        let waits = waits.filter(|(job, _)| jobs[plan_index(**job)].newer == newer);
        waits.map(|(_, wait)| *wait).max().expect("jobs ran")
    };
    (longest(false), longest(true))
}

#[test]
fn a_leg_that_an_older_owner_does_not_run_goes_to_a_newer_worker_in_seconds() {
    let (usual, newer) = longest_waits(3, Vec::new());
    assert!(newer < HANDED_ON, "a newer leg waited {newer:?}");
    assert!(usual < HANDED_ON, "a leg waited {usual:?}");
}

#[test]
fn a_newer_worker_that_comes_later_gets_the_shards_that_wait_for_it() {
    // It is there from the beginning, and away until second 20.
    let away = Fault { at: 1_000, lasts: 19_000, what: What::KillWorker(2) };
    let (usual, newer) = longest_waits(3, vec![away]);
    assert!(newer < AGAIN, "a newer leg waited {newer:?}");
    assert!(usual < HANDED_ON, "a leg waited {usual:?}");
}
