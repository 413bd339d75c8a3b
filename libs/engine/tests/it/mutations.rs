//! Shows that the simulation can find faults: each broken rule breaks a promise.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::calm;
use crate::sim::history::History;
use crate::sim::mutation::Mutation;
use crate::sim::world::run;

/// Rules whose breaking must break a promise in some history.
const MUTATIONS: [Mutation; 30] = [
    Mutation::NoFence,
    Mutation::NoSettling,
    Mutation::NoGhosts,
    Mutation::ReleaseByCancel,
    Mutation::OneMore,
    Mutation::OldLimit,
    Mutation::HauntUntold,
    Mutation::KindsUntold,
    Mutation::WholeLimit,
    Mutation::MailboxUncapped,
    Mutation::RunRedelivered,
    Mutation::NeverAsk,
    Mutation::AlwaysGo,
    Mutation::NoYouth,
    Mutation::NoBudget,
    Mutation::NoLostLimit,
    Mutation::NoRepublishing,
    Mutation::NoOverdueSweep,
    Mutation::NoWaitingSweep,
    Mutation::NoWaking,
    Mutation::NoDeadline,
    Mutation::CloseAgain,
    Mutation::NoJobLock,
    Mutation::NoCanaries,
    Mutation::NoGuard,
    Mutation::SharedLogins,
    Mutation::OutgoingFirst,
    Mutation::LeakyCounters,
    Mutation::NoFeeding,
    Mutation::RedriveRefused,
];

/// Histories after which a mutation counts as overlooked.
const PATIENCE: u64 = 1_000;

/// The kind of histories in which it shows soonest: every fourth seed is of one kind.
fn focus(mutation: Mutation) -> u64 {
    match mutation {
        Mutation::AlwaysGo | Mutation::NoYouth | Mutation::NoBudget => 2,
        Mutation::WholeLimit => 1,
        Mutation::NoFence | Mutation::NoGhosts | Mutation::KindsUntold => 3,
        _ => 0,
    }
}

/// The first seed that catches a mutation, and what it says.
fn caught(mutation: Mutation) -> Option<(u64, String)> {
    (0..PATIENCE).map(|n| n * 4 + focus(mutation)).find_map(|seed| {
        let broken = run(&History::of(seed), Some(mutation)).err()?;
        Some((seed, broken))
    })
}

#[test]
fn every_broken_rule_is_noticed() {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut overlooked = Vec::new();
        while let Some(mutation) = MUTATIONS.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = caught(*mutation);
            println!("{mutation:?}: {found:?}");
            if found.is_none() {
                overlooked.push(*mutation);
            }
        }
        overlooked
    };
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let overlooked: Vec<Mutation> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles.into_iter().flat_map(|handle| handle.join().expect("no panic")).collect()
    });
    assert!(overlooked.is_empty(), "not noticed: {overlooked:?}");
}

#[test]
fn without_reserved_places_interactive_jobs_wait() {
    assert!(calm::longest_wait(Some(Mutation::NoReserve)) > calm::PATIENCE);
}
