//! Which shard a limit group belongs to, and which worker should own a shard.
//!
//! Both are computed by processes of different versions that must agree, so the hash is
//! written down here rather than taken from a library whose next release may differ:
//! FNV-1a with 64 bits, finished by the mixer of SplitMix64 so that low bits are as good
//! as high ones. It spreads load; it protects nothing.
//! Sources: Fowler, Noll and Vo, draft-eastlake-fnv; Steele, Lea and Flood, "Fast
//! splittable pseudorandom number generators", 2014; Thaler and Ravishankar, "Using
//! name-based mappings to increase hit rates", 1998 (rendezvous).

use std::fmt;
use std::num::NonZeroU16;

use super::id::{GroupKey, WorkerId, ZoneName};

/// Shards in a zone by default. A deployment never changes it while legs are out.
pub const DEFAULT_SHARDS: NonZeroU16 = NonZeroU16::new(64).expect("64 is not zero");

/// A shard of a zone, from 0 to K − 1: one queue on the broker, with one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardIndex(pub u16);

impl fmt::Display for ShardIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The shard of a group: `hash(group) mod shards`.
#[must_use]
pub fn shard_of(group: &GroupKey, shards: NonZeroU16) -> ShardIndex {
    let index = hash(&[group.as_str().as_bytes()]) % u64::from(shards.get());
    ShardIndex(u16::try_from(index).expect("the remainder is less than a u16"))
}

/// The weight of a worker for a shard: the live worker with the greatest one should own
/// it (ties go to the greater id). A worker that comes or goes moves only its own shards.
#[must_use]
pub fn rendezvous(worker: &WorkerId, zone: &ZoneName, shard: ShardIndex) -> u64 {
    hash(&[worker.as_str().as_bytes(), zone.as_str().as_bytes(), &shard.0.to_be_bytes()])
}

/// Hashes parts, each closed by its length so that ("ab", "c") differs from ("a", "bc").
fn hash(parts: &[&[u8]]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let step = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(PRIME);
    let sum = parts.iter().fold(OFFSET, |state, part| {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes();
        length.iter().chain(part.iter()).fold(state, |state, byte| step(state, *byte))
    });
    mix(sum)
}

fn mix(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn key(index: u32) -> GroupKey {
        GroupKey::new(format!("imap:192.0.2.{index}")).expect("a key")
    }

    #[test]
    fn the_hash_never_changes() {
        let shards: Vec<u16> = (0..8).map(|i| shard_of(&key(i), DEFAULT_SHARDS).0).collect();
        assert_eq!(shards, GOLDEN);
    }

    /// Computed by another program from the description above.
    const GOLDEN: [u16; 8] = [35, 13, 36, 57, 7, 31, 2, 56];

    #[test]
    fn groups_spread_over_all_shards() {
        let mut count = BTreeMap::new();
        for index in 0..6_400 {
            *count.entry(shard_of(&key(index), DEFAULT_SHARDS)).or_insert(0_u32) += 1;
        }
        assert_eq!(count.len(), 64);
        assert!(count.values().all(|n| (50..200).contains(n)), "{count:?}");
    }

    #[test]
    fn a_worker_that_leaves_moves_only_its_own_shards() {
        let zone: ZoneName = "default".parse().expect("a name");
        let workers: Vec<WorkerId> =
            (0..4).map(|i| format!("w{i}").parse().expect("a name")).collect();
        let owner = |live: &[WorkerId], shard| {
            live.iter().max_by_key(|w| (rendezvous(w, &zone, shard), (*w).clone())).cloned()
        };
        for shard in (0..64).map(ShardIndex) {
            let before = owner(&workers, shard).expect("an owner");
            let after = owner(&workers[1..], shard).expect("an owner");
            assert!(before == after || before == workers[0], "{shard} moved needlessly");
        }
    }
}
