//! What a new owner has to assume about the one before it.
//!
//! | the predecessor | what it may still hold | what the new owner does |
//! | --- | --- | --- |
//! | handed over: its last announcement does not list the shard any more | nothing | starts at once |
//! | was announced within T, or was this worker itself, less than 2 T ago | sockets that it is closing | starts nothing for 2 s |
//! | has been silent for longer than T (frozen, cut off, dead), or nobody knows for how long, since this worker was frozen itself | sockets that nobody can close | the same; and each redelivered leg keeps a slot of its group for 60 s |
//! | is unknown: nobody was heard to list the shard | anything | as after a silent one |

use mailfleet_model::fleet::ShardIndex;

use crate::ownership::Members;
use crate::rules::{HoldRules, OwnRules};
use crate::time::Monotonic;

/// What is known about the last owner of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predecessor {
    /// Whoever held it has handed it over.
    None,
    /// Somebody said so within T.
    Heard,
    /// Somebody said so, longer than T ago.
    Silent,
    /// Nobody was heard to hold it: this worker may have come too late to hear.
    Unknown,
}

/// What a new owner keeps to because of its predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takeover {
    predecessor: Predecessor,
    settled: Monotonic,
    grown: Monotonic,
    ghost: std::time::Duration,
}

impl Takeover {
    /// The shard's lock is ours since now.
    #[must_use]
    pub fn begin(
        members: &Members,
        shard: ShardIndex,
        now: Monotonic,
        hold: &HoldRules,
        own: &OwnRules,
    ) -> Self {
        let suspect = hold.heartbeat * 3 + hold.ghost;
        let predecessor = members.predecessor(shard, now, hold.heartbeat, suspect);
        let settle = match predecessor {
            Predecessor::None => std::time::Duration::ZERO,
            Predecessor::Heard | Predecessor::Silent | Predecessor::Unknown => hold.settle,
        };
        Self {
            predecessor,
            settled: now.plus(settle),
            grown: now.plus(own.young),
            ghost: hold.ghost,
        }
    }

    /// Whether legs may start as far as the predecessor is concerned.
    #[must_use]
    pub fn settled(&self, now: Monotonic) -> bool {
        self.settled <= now
    }

    /// Whether a copy of a leg that the predecessor ran may still be on its way: then every
    /// leg is asked for.
    #[must_use]
    pub fn young(&self, now: Monotonic) -> bool {
        now < self.grown
    }

    /// Until when a redelivered leg keeps a slot; `None`: it keeps none.
    #[must_use]
    pub fn ghost(&self, now: Monotonic) -> Option<Monotonic> {
        match self.predecessor {
            Predecessor::Silent | Predecessor::Unknown => Some(now.plus(self.ghost)),
            Predecessor::None | Predecessor::Heard => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mailfleet_model::fleet::Announcement;

    use super::*;
    use crate::ownership::Freshness;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn says(shards: &[u16]) -> Announcement {
        Announcement {
            worker: "old".parse().expect("a name"),
            zone: "z".parse().expect("a name"),
            shards: shards.iter().copied().map(ShardIndex).collect(),
            capacity: 10,
            running: 0,
            draining: false,
            version: "1".to_owned(),
        }
    }

    #[test]
    fn what_this_worker_lost_a_moment_ago_holds_no_slots() {
        let (hold, own) = (HoldRules::default(), OwnRules::default());
        let ghost = |members: &Members, seconds| {
            let begun = Takeover::begin(members, ShardIndex(7), at(seconds), &hold, &own);
            assert!(!begun.settled(at(seconds + 1)) && begun.settled(at(seconds + 2)));
            begun.ghost(at(seconds)).is_some()
        };
        let mut members = Members::new("z".parse().expect("a name"));
        assert!(ghost(&members, 100), "nobody knows who held it");
        members.lose(ShardIndex(7), at(100));
        assert!(!ghost(&members, 119), "a broker that restarts takes some seconds");
        assert!(ghost(&members, 120), "another one may have come and gone meanwhile");
        members.lose(ShardIndex(7), at(200));
        members.hear(&says(&[7]), Freshness::Live, at(201));
        assert!(ghost(&members, 212), "another one held it after us, and is silent");
    }

    #[test]
    fn the_longer_the_silence_the_more_care() {
        let (hold, own) = (HoldRules::default(), OwnRules::default());
        // The last announcement at second 100, the claim at, then: settled and ghost.
        let table = [
            (&[][..], 101, 101, None),
            (&[7][..], 101, 103, None),
            (&[7][..], 110, 112, None),
            (&[7][..], 111, 113, Some(171)),
        ];
        for (listed, claimed, settled, ghost) in table {
            let mut members = Members::new("z".parse().expect("a name"));
            members.hear(&says(&[7]), Freshness::Live, at(99));
            members.hear(&says(listed), Freshness::Live, at(100));
            let takeover = Takeover::begin(&members, ShardIndex(7), at(claimed), &hold, &own);
            assert!(takeover.settled(at(settled)), "{listed:?} {claimed}");
            assert!(settled == claimed || !takeover.settled(at(settled - 1)));
            assert_eq!(takeover.ghost(at(claimed)), ghost.map(at), "{listed:?} {claimed}");
            assert!(takeover.young(at(claimed + 59)) && !takeover.young(at(claimed + 60)));
        }
    }
}
