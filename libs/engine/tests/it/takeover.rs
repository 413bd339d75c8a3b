//! Takeovers, one after the other: how long the mail servers of a lost worker wait.

use std::time::Duration;

use mailfleet_model::fleet::JobClass;

use crate::sim::history::{Fault, History, JobPlan, Password, What};
use crate::sim::mail::plan_index;
use crate::sim::world::run;

/// Until a lost worker is missed, its shards are claimed, and its sockets count as closed:
/// 2.5 s, some refused claims, 2 s, the ways over the network, and the sessions of 1.5 s that
/// wait for the same server. What is kept for a silent worker is kept for 60 s.
const TAKEOVER: Duration = Duration::from_secs(10);
/// After a sleep of 40 s ten sessions wait for each server, one after the other.
const BACKLOG: Duration = Duration::from_secs(25);
/// Mail servers, each with one session at once: what is kept for a lost leg keeps all others.
const GROUPS: usize = 12;

fn job(at: u64, group: usize, takes: u64) -> JobPlan {
    JobPlan {
        at,
        class: JobClass::Interactive,
        tenant: 0,
        // Another one each time: equal jobs would be one.
        mailbox: u8::try_from(at / 4_000).expect("few"),
        password: Password::Right,
        groups: vec![group],
        takes,
        flaky: 0,
        cancel_at: None,
        tight: false,
        newer: false,
    }
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
