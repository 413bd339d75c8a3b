//! Samples for the tests of several modules.

use std::collections::BTreeSet;

use mailfleet_model::fleet::{Announcement, ShardIndex};

/// What a worker of the zone `z` tells that owns these shards and runs nothing.
pub(crate) fn announcement(worker: &str, shards: &[u16]) -> Announcement {
    Announcement {
        worker: worker.parse().expect("a name"),
        zone: "z".parse().expect("a name"),
        shards: shards.iter().copied().map(ShardIndex).collect(),
        haunted: Vec::new(),
        capacity: 10,
        running: 0,
        draining: false,
        listening: false,
        kinds: BTreeSet::new(),
        outgrown: BTreeSet::new(),
        version: "1".to_owned(),
    }
}
