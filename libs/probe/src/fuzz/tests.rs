//! Feeds every target without a fuzzer: seeds, and seeded mutations of them.
//!
//! Deterministic and quick, so that every test run has it; deploy/fuzz.sh looks further,
//! guided by coverage. A failing input is printed as it must be written into a test.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::{TARGETS, Target, seeds};

/// Mutations of each target. All of them together take some seconds in a debug build.
const ROUNDS: usize = 1_000;
/// Longest input, in bytes: long enough for every bound that a fuzzer can reach quickly.
const MAX_INPUT: usize = 16 * 1024;
/// What parsers trip over, put in anywhere.
const SPICES: [&[u8]; 20] = [
    b"\r\n",
    b"\n",
    b"\0",
    b"\xff",
    "é".as_bytes(),
    "日".as_bytes(),
    b"{99999999}\r\n",
    b"{0}\r\n",
    b"((((((((((((((((",
    b"))))))))))))))))",
    b"\"",
    b"\\",
    b"NIL",
    b"4294967296",
    b"-1",
    b"* ",
    b"+ ",
    b"&AAA-",
    b"[ALERT]",
    b"=?utf-8?q?",
];

#[test]
fn no_target_panics_on_its_seeds_and_their_mutations() {
    for (number, (name, target)) in (0..).zip(TARGETS) {
        let seeds = seeds(name);
        for seed in &seeds {
            feed(name, target, seed);
        }
        let mut random = StdRng::seed_from_u64(number);
        for _ in 0..ROUNDS {
            feed(name, target, &mutated(&seeds, &mut random));
        }
    }
}

#[track_caller]
fn feed(name: &str, target: Target, input: &[u8]) {
    let result = catch_unwind(AssertUnwindSafe(|| target(input)));
    assert!(result.is_ok(), "{name} panics on b\"{}\"", input.escape_ascii());
}

/// A seed with some bytes changed, taken out, doubled, or joined with another seed.
fn mutated(seeds: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = seeds.choose(random).expect("a seed").clone();
    // A window of long recordings, so that mutations are not lost in them.
    if bytes.len() > 512 {
        let from = random.random_range(0..bytes.len() - 256);
        let until = (from + random.random_range(16..2048)).min(bytes.len());
        bytes = bytes.get(from..until).unwrap_or_default().to_vec();
    }
    for _ in 0..random.random_range(1..8) {
        let at = random.random_range(0..=bytes.len());
        let until = (at + random.random_range(0..16)).min(bytes.len());
        match random.random_range(0..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = random.random(),
            2 => drop(bytes.drain(at..until)),
            3 => {
                let part = bytes.get(at..until).unwrap_or_default().to_vec();
                bytes.splice(at..at, part);
            }
            4 => {
                let other = seeds.choose(random).expect("a seed");
                let from = random.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(other.get(from..).unwrap_or_default());
            }
            _ => {
                let spice = SPICES.choose(random).expect("a spice");
                bytes.splice(at..at, spice.iter().copied());
            }
        }
    }
    bytes.truncate(MAX_INPUT);
    bytes
}
