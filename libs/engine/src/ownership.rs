//! Membership and who should own what: a hint that keeps workers from trying in vain.
//!
//! The exclusive consumer is the lock. A wrong picture of the members costs refused
//! claims, never a second owner.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mailfleet_model::fleet::{Announcement, ShardIndex, WorkerId, ZoneName, rendezvous};

use crate::takeover::Predecessor;
use crate::time::Monotonic;

/// How long a silent worker is remembered: longer than any of its sockets can live.
const REMEMBERED: Duration = Duration::from_secs(30 * 60);

/// Whether an announcement was made a moment ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It was.
    Live,
    /// It may have waited for this worker to wake up: nobody knows how old it is.
    Backlog,
}

#[derive(Debug, Clone)]
struct Heard {
    said: Announcement,
    at: Monotonic,
    freshness: Freshness,
}

/// The other workers of a zone, as their announcements tell.
#[derive(Debug, Clone)]
pub struct Members {
    zone: ZoneName,
    known: BTreeMap<WorkerId, Heard>,
    /// Shards that somebody listed and then listed no more.
    handed_over: BTreeSet<ShardIndex>,
    /// Shards that this worker itself lost, and when. Its sockets are closed before it
    /// claims again.
    lost: BTreeMap<ShardIndex, Monotonic>,
}

impl Members {
    /// Nobody is known yet.
    #[must_use]
    pub fn new(zone: ZoneName) -> Self {
        Self { zone, known: BTreeMap::new(), handed_over: BTreeSet::new(), lost: BTreeMap::new() }
    }

    /// Notes an announcement; those of other zones are none of ours.
    pub fn hear(&mut self, announcement: &Announcement, freshness: Freshness, now: Monotonic) {
        if announcement.zone == self.zone {
            if let Some(before) = self.known.get(&announcement.worker) {
                self.handed_over.extend(&before.said.shards);
            }
            for shard in &announcement.shards {
                self.handed_over.remove(shard);
                self.lost.remove(shard);
            }
            let heard = Heard { said: announcement.clone(), at: now, freshness };
            self.known.insert(announcement.worker.clone(), heard);
        }
        self.known.retain(|_, heard| now.since(heard.at) < REMEMBERED);
    }

    /// Notes that this worker has lost a shard, with whatever ran in it.
    pub fn lose(&mut self, shard: ShardIndex, now: Monotonic) {
        self.lost.insert(shard, now);
    }

    /// What is known about who held a shard before now. `suspect` is how long a silent
    /// holder may still have sockets open.
    #[must_use]
    pub fn predecessor(
        &self,
        shard: ShardIndex,
        now: Monotonic,
        heartbeat: Duration,
        suspect: Duration,
    ) -> Predecessor {
        let recent =
            |heard: &&Heard| heard.said.shards.contains(&shard) && now.since(heard.at) <= suspect;
        let holders: Vec<&Heard> = self.known.values().filter(recent).collect();
        let silent = |heard: &&Heard| {
            heartbeat < now.since(heard.at) || heard.freshness == Freshness::Backlog
        };
        if holders.iter().any(silent) {
            Predecessor::Silent
        } else if !holders.is_empty() || self.was_ours(shard, now, heartbeat) {
            Predecessor::Heard
        } else if self.handed_over.contains(&shard) {
            Predecessor::None
        } else {
            Predecessor::Unknown
        }
    }

    /// Whether the last owner was this worker: nobody can have claimed the shard since,
    /// fallen silent, and lost it again, which takes the broker two heartbeats.
    fn was_ours(&self, shard: ShardIndex, now: Monotonic, heartbeat: Duration) -> bool {
        self.lost.get(&shard).is_some_and(|at| now.since(*at) < heartbeat * 2)
    }

    /// Whether this worker should own a shard, among those that were heard of within
    /// `live` and do not drain, itself included.
    #[must_use]
    pub fn should_own(
        &self,
        worker: &WorkerId,
        shard: ShardIndex,
        now: Monotonic,
        live: Duration,
    ) -> bool {
        let ours = (rendezvous(worker, &self.zone, shard), worker);
        self.known
            .iter()
            .filter(|(other, _)| *other != worker)
            .filter(|(_, heard)| heard.freshness == Freshness::Live && !heard.said.draining)
            .filter(|(_, heard)| now.since(heard.at) <= live)
            .all(|(other, _)| (rendezvous(other, &self.zone, shard), other) < ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn name(worker: &str) -> WorkerId {
        worker.parse().expect("a name")
    }

    fn says(worker: &str, zone: &str, draining: bool) -> Announcement {
        Announcement {
            worker: name(worker),
            zone: zone.parse().expect("a name"),
            shards: vec![ShardIndex(3)],
            capacity: 1,
            running: 0,
            draining,
            version: "1".to_owned(),
        }
    }

    fn share(members: &Members, worker: &str, now: u64) -> usize {
        let live = Duration::from_secs(3);
        let owns = |shard| members.should_own(&name(worker), ShardIndex(shard), at(now), live);
        (0..64).filter(|shard| owns(*shard)).count()
    }

    #[test]
    fn live_members_share_the_shards_and_the_others_have_none() {
        let mut members = Members::new("z".parse().expect("a name"));
        assert_eq!(share(&members, "a", 0), 64);
        for worker in ["a", "b", "c"] {
            members.hear(&says(worker, "z", false), Freshness::Live, at(0));
        }
        members.hear(&says("d", "elsewhere", false), Freshness::Live, at(0));
        let shares = ["a", "b", "c"].map(|worker| share(&members, worker, 0));
        assert_eq!(shares.iter().sum::<usize>(), 64);
        assert!(shares.iter().all(|share| (10..35).contains(share)), "{shares:?}");
        members.hear(&says("b", "z", true), Freshness::Live, at(1));
        assert_eq!(share(&members, "a", 1) + share(&members, "c", 1), 64);
        assert_eq!(share(&members, "a", 9), 64, "the others fell silent");
    }

    #[test]
    fn a_listing_stands_until_it_is_taken_back_or_forgotten() {
        let mut members = Members::new("z".parse().expect("a name"));
        let before = |members: &Members, shard, now| {
            let (heartbeat, suspect) = (Duration::from_secs(10), Duration::from_secs(90));
            members.predecessor(ShardIndex(shard), at(now), heartbeat, suspect)
        };
        assert_eq!(before(&members, 3, 5), Predecessor::Unknown);
        members.hear(&says("b", "z", false), Freshness::Live, at(5));
        assert_eq!(before(&members, 3, 15), Predecessor::Heard);
        assert_eq!(before(&members, 3, 16), Predecessor::Silent);
        assert_eq!(before(&members, 3, 96), Predecessor::Unknown);
        assert_eq!(before(&members, 4, 5), Predecessor::Unknown);
        // Another holder does not hide the silent one.
        members.hear(&says("c", "z", false), Freshness::Live, at(20));
        assert_eq!(before(&members, 3, 21), Predecessor::Silent);
        members.hear(&says("b", "z", false), Freshness::Live, at(21));
        assert_eq!(before(&members, 3, 21), Predecessor::Heard);
        members.hear(&says("b", "z", false), Freshness::Backlog, at(21));
        assert_eq!(before(&members, 3, 21), Predecessor::Silent, "it may be old");
        for worker in ["b", "c"] {
            let gone = Announcement { shards: Vec::new(), ..says(worker, "z", false) };
            members.hear(&gone, Freshness::Live, at(22));
        }
        assert_eq!(before(&members, 3, 23), Predecessor::None);
    }
}
