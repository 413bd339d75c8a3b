//! Without faults: nobody waits for what is none of theirs.
//!
//! A batch fills one server with long legs, a tarpit holds another server of the same
//! shard's owner, and somebody asks for an answer every few seconds.

use std::time::Duration;

use mailfleet_model::fleet::{JobClass, shard_of};

use crate::sim::feeding::item_of;
use crate::sim::history::{BatchPlan, History, JobPlan};
use crate::sim::mail::plan_index;
use crate::sim::mutation::Mutation;
use crate::sim::world::{SHARDS, group, run};

/// How long an interactive leg may wait for its session: the ways over the network, not
/// the end of somebody else's leg.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

fn job(at: u64, class: JobClass, mailbox: u8, group: usize, takes: u64) -> JobPlan {
    JobPlan { class, takes, ..JobPlan::plain(at, mailbox, group) }
}

/// The longest wait of an interactive job from its submission to its first session.
pub(crate) fn longest_wait(mutation: Option<Mutation>) -> Duration {
    let batch =
        (0..60).map(|n| job(5_000, JobClass::Revalidation, n % 50, 0, 20_000 + u64::from(n)));
    let sick = same_shard_as(0);
    let tarpit = (0..20).map(|n| job(5_000, JobClass::Interactive, 60 + n % 3, sick, 30_000));
    let asked = (0..12_u8)
        .map(|n| job(10_000 + u64::from(n) * 4_000, JobClass::Interactive, 50 + n % 5, 0, 900));
    let asked_from = 60 + 20;
    let jobs: Vec<JobPlan> = batch.chain(tarpit).chain(asked).collect();
    let limits = vec![5; sick + 1];
    let history = History {
        seed: 7,
        gateways: 2,
        hesitant: false,
        workers: 2,
        older: 0,
        zones: 1,
        limits,
        jobs,
        faults: Vec::new(),
        batches: Vec::new(),
    };
    let world = run(&history, mutation).expect("no promise is broken");
    let waits = world.mail.first_session.iter();
    let waits = waits.filter(|(job, _)| asked_from <= plan_index(**job)).map(|(_, wait)| *wait);
    waits.max().expect("interactive jobs ran")
}

/// Another group that the same owner has in the same shard.
fn same_shard_as(index: usize) -> usize {
    let shard = |index| shard_of(&group(index).key, SHARDS);
    (index + 1..100).find(|other| shard(*other) == shard(index)).expect("one of a hundred")
}

#[test]
fn interactive_jobs_are_held_up_neither_by_a_batch_nor_by_a_sick_server() {
    let wait = longest_wait(None);
    assert!(wait <= PATIENCE, "somebody waited {wait:?}");
}

#[test]
fn a_batch_on_a_slow_server_delays_neither_another_tenants_nor_anybody_who_waits() {
    let quick = same_shard_as(0);
    let plan = |tenant, items: Vec<JobPlan>| BatchPlan {
        at: 5_000,
        items: items.into_iter().map(|item| JobPlan { tenant, ..item }).collect(),
        max_open: 1_000,
        canaries: 3,
        stop_when: Some(20),
        steers: Vec::new(),
    };
    let item = |mailbox, group, takes| job(0, JobClass::Revalidation, mailbox, group, takes);
    // No mailbox is in both: one login is tried by one of them at a time.
    let slow = (0..200).map(|n| item(n % 40, 0, 5_000)).collect();
    let other = (0..60).map(|n| item(40 + n % 20, quick, 300)).collect();
    let asked = (0..8_u8)
        .map(|n| job(7_000 + u64::from(n) * 700, JobClass::Interactive, 60 + n % 3, quick, 300))
        .collect();
    let mut limits = vec![5; quick + 1];
    limits[0] = 1;
    let history = History {
        seed: 11,
        gateways: 2,
        hesitant: false,
        workers: 2,
        older: 0,
        zones: 1,
        limits,
        jobs: asked,
        faults: Vec::new(),
        batches: vec![plan(0, slow), plan(1, other)],
    };
    let world = run(&history, None).expect("no promise is broken");
    let mut ends: Vec<_> = world
        .store
        .rows
        .values()
        .filter_map(|row| Some((row.job.finished?, item_of(row.job.id)?.0)))
        .collect();
    ends.sort_unstable();
    let last = ends.iter().rposition(|(_, batch)| *batch == 1).expect("it ended");
    let before = ends[..last].iter().filter(|(_, batch)| *batch == 0).count();
    assert!(before <= 10, "{before} of the slow batch's 200 items ended before the quick batch");
    let wait = world.mail.first_session.iter();
    let wait = wait.filter(|(job, _)| item_of(**job).is_none()).map(|(_, wait)| *wait);
    let wait = wait.max().expect("interactive jobs ran");
    assert!(wait <= PATIENCE, "somebody waited {wait:?}");
}
