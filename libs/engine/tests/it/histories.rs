//! Random histories: whatever happens, the promises hold.

use std::collections::BTreeSet;
use std::thread;

use crate::sim::history::History;
use crate::sim::shrink::shrink;
use crate::sim::world::run;

/// Histories of an ordinary run of the tests.
const HISTORIES: u64 = 2_000;

/// `MAILFLEET_HISTORIES=100000` runs more of them, `MAILFLEET_SEED=123` begins elsewhere;
/// with both, `MAILFLEET_HISTORIES=1 MAILFLEET_SEED=123` repeats one.
fn seeds() -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let first = number("MAILFLEET_SEED").unwrap_or(0);
    first..first + number("MAILFLEET_HISTORIES").unwrap_or(HISTORIES)
}

#[test]
fn the_promises_hold_over_random_histories() {
    let seeds = seeds();
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = u64::try_from(threads).expect("few");
    let failing = |first: u64| {
        let mut mine =
            (seeds.start + first..seeds.end).step_by(usize::try_from(threads).expect("few"));
        mine.find(|seed| run(&History::of(*seed), None).is_err())
    };
    let failed: BTreeSet<u64> = thread::scope(|scope| {
        let handles: Vec<_> =
            (0..threads).map(|first| scope.spawn(move || failing(first))).collect();
        handles.into_iter().filter_map(|handle| handle.join().expect("no panic")).collect()
    });
    if let Some(seed) = failed.first() {
        let (history, broken) = shrink(&History::of(*seed), None);
        panic!("seed {seed} breaks a promise, {broken}\nwith what is left of it:\n{history}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let end =
        |seed| run(&History::of(seed), None).map(|world| (world.now, world.random.clone().next()));
    for seed in 0..20 {
        assert_eq!(end(seed), end(seed));
    }
}
