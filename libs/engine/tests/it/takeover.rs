//! Takeovers, one after the other: how long the mail servers of a lost worker wait.

use std::time::Duration;

use crate::sim::history::{Fault, History, JobPlan, What};
use crate::sim::mail::plan_index;
use crate::sim::world::run;

/// Until a lost worker is missed, its shards are claimed, and its sockets count as closed: at most
/// 2.5 s, a claim, 2 s, and the ways over the network. What is kept for a silent worker is kept
/// for 60 s.
const TAKEOVER: Duration = Duration::from_secs(5);
/// After a sleep of 40 s ten sessions wait for each server, one after the other.
const BACKLOG: Duration = Duration::from_secs(25);
/// What a shard costs that is handed over, beyond what runs in it: a word, a tick, a claim, its
/// settings, and the ways over the network.
const HAND_OVER: Duration = Duration::from_millis(500);
/// Mail servers, each with one session at once: what is kept for a lost leg keeps all others.
const GROUPS: usize = 12;

fn job(at: u64, group: usize, takes: u64) -> JobPlan {
    // Another one each time: equal jobs would be one.
    let mailbox = u8::try_from(at / 4_000).expect("few");
    JobPlan { takes, ..JobPlan::plain(at, mailbox, group) }
}

/// A job for every server every four seconds, which runs when a fault strikes a second later, and the longest time that one submitted from
/// `from` to `until` waited for its session. In seconds.
fn longest_wait(workers: usize, faults: &[(u64, u64, What)], from: u64, until: u64) -> Duration {
    let fault = |(at, lasts, what): &(u64, u64, What)| Fault {
        at: at * 1_000,
        lasts: lasts * 1_000,
        what: *what,
    };
    let busy = (10..until).step_by(4).flat_map(|at| (0..GROUPS).map(move |group| (at, group)));
    let jobs: Vec<JobPlan> = busy.map(|(at, group)| job(at * 1_000, group, 1_500)).collect();
    let history = History {
        batches: Vec::new(),
        seed: 7,
        gateways: 2,
        hesitant: false,
        workers,
        older: 0,
        zones: 1,
        limits: vec![1; GROUPS],
        jobs: jobs.clone(),
        faults: faults.iter().map(fault).collect(),
    };
    let world = run(&history, None).expect("no promise is broken");
    let asked = |job: &JobPlan| (from * 1_000..until * 1_000).contains(&job.at);
    let waits = world.mail.first_session.iter();
    let waits = waits.filter(|(job, _)| asked(&jobs[plan_index(**job)])).map(|(_, wait)| *wait);
    waits.max().expect("jobs ran")
}

/// The longest wait for a session at servers with room for ten, while a worker drains and, a
/// second after it is gone, joins anew. A job every 25 ms, with sessions of so many milliseconds.
fn hand_over_wait(seed: u64, takes: u64) -> Duration {
    let jobs: Vec<JobPlan> = (0..1_000_u64)
        .map(|n| JobPlan {
            mailbox: u8::try_from(n % 60).expect("few"),
            tenant: u8::try_from(n / 60).expect("few"),
            ..job(20_000 + n * 25, usize::try_from(n).expect("few") % GROUPS, takes)
        })
        .collect();
    let drain = Fault { at: 30_010, lasts: 1_000, what: What::DrainWorker(0) };
    let history = History {
        batches: Vec::new(),
        seed,
        gateways: 2,
        hesitant: false,
        workers: 3,
        older: 0,
        zones: 1,
        limits: vec![10; GROUPS],
        jobs,
        faults: vec![drain],
    };
    let world = run(&history, None).expect("no promise is broken");
    *world.mail.first_session.values().max().expect("jobs ran")
}

#[test]
fn a_worker_that_drains_and_one_that_joins_cost_half_a_second_beyond_what_runs() {
    for (seed, takes) in (0..20).flat_map(|seed| [(seed, 100), (seed, 1_000)]) {
        let wait = hand_over_wait(seed, takes);
        let most = HAND_OVER + Duration::from_millis(takes);
        assert!(wait < most, "seed {seed}: somebody waited {wait:?} beside legs of {takes} ms");
    }
}

#[test]
fn a_second_worker_that_dies_soon_after_the_first_is_replaced_as_fast() {
    // One of the orders has a shard go from one to the other.
    for (first, second) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        let faults = [(31, 600, What::KillWorker(first)), (59, 600, What::KillWorker(second))];
        let wait = longest_wait(3, &faults, 20, 90);
        assert!(wait < TAKEOVER, "{first}, {second}: somebody waited {wait:?}");
    }
}

#[test]
fn a_worker_that_starts_right_after_the_only_one_died_keeps_no_slots_for_it() {
    let faults = [(31, 1, What::KillWorker(0))];
    let wait = longest_wait(1, &faults, 20, 60);
    assert!(wait < TAKEOVER, "somebody waited {wait:?}");
}

#[test]
fn what_was_kept_for_a_frozen_worker_is_free_when_it_wakes() {
    let faults = [(31, 40, What::FreezeWorker(0))];
    // While it sleeps nobody can close its sockets: slots are kept beyond the 30 s after which
    // its locks are free.
    assert!(Duration::from_secs(35) < longest_wait(3, &faults, 20, 80));
    let wait = longest_wait(3, &faults, 75, 110);
    assert!(wait < BACKLOG, "somebody waited {wait:?}");
}

#[test]
fn a_worker_that_drains_just_after_another_woke_hands_over_at_once() {
    let faults = [(31, 40, What::FreezeWorker(0)), (73, 600, What::DrainWorker(1))];
    let wait = longest_wait(3, &faults, 76, 110);
    assert!(wait < BACKLOG, "somebody waited {wait:?}");
}

#[test]
fn a_worker_that_hears_nothing_does_not_speak_for_the_owners_of_what_it_claims() {
    // Worker 2 claims all shards and hears no answer; worker 3 is frozen with a session open.
    let fault = |at, lasts, what| Fault { at, lasts, what };
    let faults = vec![
        fault(18_427, 36_905, What::CutFromBroker(2)),
        fault(31_680, 27_635, What::FreezeWorker(3)),
    ];
    let jobs = vec![JobPlan { groups: vec![0, 0], ..job(20_802, 0, 42_050) }];
    let history = History {
        batches: Vec::new(),
        seed: 101_699,
        gateways: 1,
        hesitant: false,
        workers: 4,
        older: 0,
        zones: 1,
        limits: vec![1],
        jobs,
        faults,
    };
    let broken = run(&history, None).err();
    assert_eq!(broken, None);
}
