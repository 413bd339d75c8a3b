//! What a new owner has to assume about the one before it.
//!
//! | the predecessor | what it may still hold | what the new owner does |
//! | --- | --- | --- |
//! | handed over: its last announcement does not list the shard any more, nor calls it haunted | nothing | starts at once, and asks for what is redelivered |
//! | was announced within T, or was this worker itself, less than 2 T ago | sockets that it is closing | starts nothing for 2 s |
//! | has been silent for longer than T (frozen, cut off, dead), or nobody knows for how long, since this worker was frozen itself; was not heard since this worker lost its own connection, when the broker may have been away; or handed over a shard that such a one may haunt | sockets that nobody can close | the same; and each redelivered leg keeps a slot of its group for 60 s |
//! | is unknown: nobody was heard to list the shard | anything | as after a silent one, until a gateway tells what it has heard |
//!
//! A silent owner that is heard again without the shard has closed its sockets: what was kept
//! for it is given free. One that was heard a moment before and hands over a moment later is no
//! longer waited for.
//!
//! A worker that has listened for less than 90 s may have missed somebody silent: it lets wait
//! what is redelivered until a gateway has told what it knows, and believes it if that is worse.

use mailfleet_model::fleet::{LastOwner, ShardIndex};

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

impl Predecessor {
    /// What a new owner is told that has not heard of it.
    #[must_use]
    pub fn told(self) -> Option<LastOwner> {
        match self {
            Self::None => Some(LastOwner::HandedOver),
            Self::Heard => Some(LastOwner::Heard),
            Self::Silent => Some(LastOwner::Silent),
            Self::Unknown => None,
        }
    }
}

/// What a new owner keeps to because of its predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takeover {
    predecessor: Predecessor,
    /// Whether this worker has heard all that may matter. If not, a gateway may know of somebody
    /// silent whom it never heard.
    sure: bool,
    /// Whether a gateway has told what it knows.
    told: bool,
    settle: std::time::Duration,
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
        let predecessor = members.predecessor(shard, now, hold);
        let settle = match predecessor {
            Predecessor::None => std::time::Duration::ZERO,
            Predecessor::Heard | Predecessor::Silent | Predecessor::Unknown => hold.settle,
        };
        Self {
            predecessor,
            sure: members.has_heard_all(now, hold),
            told: false,
            settle: hold.settle,
            settled: now.plus(settle),
            grown: now.plus(own.young),
            ghost: hold.ghost,
        }
    }

    /// Learns what a gateway knows, which may have listened for longer; `None`: nothing. Says
    /// whether nothing has to be kept any more for what a predecessor may run.
    pub fn learn(&mut self, last: Option<LastOwner>, now: Monotonic) -> bool {
        self.told = true;
        let Some(last) = last else { return false };
        match (self.predecessor, last) {
            (Predecessor::Unknown, _) => {
                self.predecessor = match last {
                    LastOwner::HandedOver => Predecessor::None,
                    LastOwner::Heard => Predecessor::Heard,
                    LastOwner::Silent => Predecessor::Silent,
                };
                self.predecessor != Predecessor::Silent
            }
            (Predecessor::None | Predecessor::Heard, LastOwner::Silent) if !self.sure => {
                self.predecessor = Predecessor::Silent;
                self.settled = self.settled.max(now.plus(self.settle));
                false
            }
            (Predecessor::None | Predecessor::Heard | Predecessor::Silent, _) => false,
        }
    }

    /// Whether what is redelivered waits until it is known who had it.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        !self.told && (!self.sure || self.predecessor == Predecessor::Unknown)
    }

    /// The predecessor was heard again, and holds nothing. Says whether it was silent before.
    pub fn woke(&mut self, now: Monotonic) -> bool {
        let silent = self.is_silent();
        if silent {
            self.predecessor = Predecessor::None;
        } else if self.predecessor == Predecessor::Heard {
            // Its word came after its lock: its sockets are closed, and were before.
            self.predecessor = Predecessor::None;
            self.settled = self.settled.min(now);
        }
        silent
    }

    /// Whether the predecessor has handed over: nothing that it had is running.
    #[must_use]
    pub fn handed_over(&self) -> bool {
        self.predecessor == Predecessor::None
    }

    /// Whether the predecessor was silent.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.predecessor == Predecessor::Silent
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
        let keeps = match self.predecessor {
            Predecessor::Silent | Predecessor::Unknown => true,
            Predecessor::None | Predecessor::Heard => self.is_undecided(),
        };
        keeps.then(|| now.plus(self.ghost))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mailfleet_model::fleet::Announcement;

    use super::*;
    use crate::fixtures::announcement;
    use crate::ownership::Freshness;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn says(shards: &[u16]) -> Announcement {
        announcement("old", shards)
    }

    #[test]
    fn what_this_worker_lost_a_moment_ago_holds_no_slots() {
        let (hold, own) = (HoldRules::default(), OwnRules::default());
        let ghost = |members: &Members, seconds| {
            let begun = Takeover::begin(members, ShardIndex(7), at(seconds), &hold, &own);
            assert!(!begun.settled(at(seconds + 1)) && begun.settled(at(seconds + 2)));
            begun.ghost(at(seconds)).is_some()
        };
        let mut members = Members::new("z".parse().expect("a name"), &HoldRules::default());
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
            let mut members = Members::new("z".parse().expect("a name"), &HoldRules::default());
            members.hear(&says(&[7]), Freshness::Live, at(99));
            members.hear(&says(listed), Freshness::Live, at(100));
            let takeover = Takeover::begin(&members, ShardIndex(7), at(claimed), &hold, &own);
            assert!(takeover.settled(at(settled)), "{listed:?} {claimed}");
            assert!(settled == claimed || !takeover.settled(at(settled - 1)));
            assert_eq!(takeover.ghost(at(claimed)), ghost.map(at), "{listed:?} {claimed}");
            assert!(takeover.young(at(claimed + 59)) && !takeover.young(at(claimed + 60)));
        }
    }

    #[test]
    fn a_worker_that_came_too_late_learns_from_others_and_one_that_knows_does_not() {
        let (hold, own) = (HoldRules::default(), OwnRules::default());
        let begin =
            |members: &Members| Takeover::begin(members, ShardIndex(7), at(100), &hold, &own);
        let none = Members::new("z".parse().expect("a name"), &HoldRules::default());
        let table =
            [(LastOwner::HandedOver, false), (LastOwner::Heard, false), (LastOwner::Silent, true)];
        for (told, keeps) in table {
            let mut takeover = begin(&none);
            assert!(takeover.ghost(at(100)).is_some());
            assert_eq!(takeover.learn(Some(told), at(100)), !keeps);
            assert_eq!(takeover.ghost(at(100)).is_some(), keeps, "{told:?}");
            assert!(!takeover.settled(at(101)), "its sockets are being closed");
        }
        let mut members = Members::new("z".parse().expect("a name"), &HoldRules::default());
        members.hear(&says(&[7]), Freshness::Live, at(80));
        let mut takeover = begin(&members);
        assert!(
            !takeover.learn(Some(LastOwner::Heard), at(100)) && takeover.ghost(at(100)).is_some()
        );
        assert!(takeover.woke(at(100)) && takeover.ghost(at(100)).is_none());
        assert!(!takeover.woke(at(100)));
    }
}
