//! Membership and who should own what: a hint that keeps workers from trying in vain.
//!
//! The exclusive consumer is the lock. A wrong picture of the members costs refused
//! claims, never a second owner.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mailfleet_model::fleet::{Announcement, ShardIndex, WorkerId, ZoneName, rendezvous};

use crate::rules::HoldRules;
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
    /// Listed shards that somebody else began to list within T: whoever that is found it
    /// alive, and how long it is silent afterwards is of no matter.
    succeeded: BTreeSet<ShardIndex>,
}

/// The other workers of a zone, as their announcements tell.
#[derive(Debug, Clone)]
pub struct Members {
    zone: ZoneName,
    /// T.
    heartbeat: Duration,
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
    pub fn new(zone: ZoneName, rules: &HoldRules) -> Self {
        let (known, handed_over, lost) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { zone, heartbeat: rules.heartbeat, known, handed_over, lost }
    }

    /// Notes an announcement; those of other zones are none of ours.
    pub fn hear(&mut self, announcement: &Announcement, freshness: Freshness, now: Monotonic) {
        if announcement.zone == self.zone {
            if freshness == Freshness::Live {
                self.succeed(announcement, now);
            }
            if let Some(before) = self.known.get(&announcement.worker) {
                self.handed_over.extend(&before.said.shards);
            }
            for shard in &announcement.shards {
                self.handed_over.remove(shard);
                self.lost.remove(shard);
            }
            let (said, succeeded) = (announcement.clone(), BTreeSet::new());
            let heard = Heard { said, at: now, freshness, succeeded };
            self.known.insert(announcement.worker.clone(), heard);
        }
        self.known.retain(|_, heard| now.since(heard.at) < REMEMBERED);
    }

    /// Who begins to list a shard has just got its lock. The owner before was alive then if it
    /// was heard within T, as the new one has found too.
    fn succeed(&mut self, announcement: &Announcement, now: Monotonic) {
        let new: Vec<ShardIndex> = self.newly_listed(announcement).collect();
        for (_, heard) in self.known.iter_mut().filter(|(other, _)| **other != announcement.worker)
        {
            let alive = heard.freshness == Freshness::Live && now.since(heard.at) <= self.heartbeat;
            let theirs = new.iter().filter(|shard| heard.said.shards.contains(shard));
            if alive {
                heard.succeeded.extend(theirs);
            }
        }
    }

    /// Shards that a worker lists and did not list before.
    pub fn newly_listed(&self, announcement: &Announcement) -> impl Iterator<Item = ShardIndex> {
        let before = self.known.get(&announcement.worker);
        let known = move |shard: &ShardIndex| before.is_some_and(|h| h.said.shards.contains(shard));
        announcement.shards.iter().copied().filter(move |shard| !known(shard))
    }

    /// Shards that a worker listed and does not list any more.
    #[must_use]
    pub fn dropped(&self, announcement: &Announcement) -> Vec<ShardIndex> {
        let before = self.known.get(&announcement.worker);
        let before = before.map(|heard| heard.said.shards.as_slice()).unwrap_or_default();
        before.iter().copied().filter(|shard| !announcement.shards.contains(shard)).collect()
    }

    /// Notes that this worker has lost a shard, with whatever ran in it.
    pub fn lose(&mut self, shard: ShardIndex, now: Monotonic) {
        self.lost.insert(shard, now);
    }

    /// What is known about who held a shard before now.
    #[must_use]
    pub fn predecessor(&self, shard: ShardIndex, now: Monotonic, rules: &HoldRules) -> Predecessor {
        let heartbeat = rules.heartbeat;
        // How long a silent holder may still have sockets open.
        let suspect = heartbeat * 3 + rules.ghost;
        let recent = |heard: &&Heard| now.since(heard.at) <= suspect;
        let haunted = |heard: &Heard| heard.said.haunted.contains(&shard);
        if self.known.values().filter(recent).any(haunted) {
            return Predecessor::Silent;
        }
        let holds = |heard: &&Heard| {
            heard.said.shards.contains(&shard) && !heard.succeeded.contains(&shard)
        };
        let holders: Vec<&Heard> = self.known.values().filter(recent).filter(holds).collect();
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
            haunted: Vec::new(),
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
        let mut members = Members::new("z".parse().expect("a name"), &HoldRules::default());
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
        let mut members = Members::new("z".parse().expect("a name"), &HoldRules::default());
        let before = |members: &Members, shard, now| {
            members.predecessor(ShardIndex(shard), at(now), &HoldRules::default())
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

    fn before(members: &Members, now: u64) -> Predecessor {
        members.predecessor(ShardIndex(3), at(now), &HoldRules::default())
    }

    #[test]
    fn who_was_succeeded_while_it_was_heard_is_missed_by_nobody() {
        let mut members = Members::new("z".parse().expect("a name"), &HoldRules::default());
        let live = Freshness::Live;
        members.hear(&says("b", "z", false), live, at(0));
        members.hear(&says("c", "z", false), live, at(4));
        members.hear(&says("c", "z", false), live, at(30));
        assert_eq!(before(&members, 31), Predecessor::Heard, "b died, and c has found it so");
        // One that lists the shard again is alive, and may fall silent again.
        members.hear(&says("b", "z", false), live, at(32));
        members.hear(&says("c", "z", false), live, at(44));
        assert_eq!(before(&members, 45), Predecessor::Silent);
    }

    #[test]
    fn a_haunted_shard_stays_haunted_when_it_is_handed_over() {
        let mut members = Members::new("z".parse().expect("a name"), &HoldRules::default());
        let haunted = Announcement { haunted: vec![ShardIndex(3)], ..says("b", "z", false) };
        members.hear(&haunted, Freshness::Live, at(0));
        assert_eq!(before(&members, 1), Predecessor::Silent, "b is not, but another one is");
        let left = Announcement { shards: Vec::new(), ..haunted };
        assert_eq!(members.dropped(&left), [ShardIndex(3)]);
        members.hear(&left, Freshness::Live, at(2));
        assert_eq!(before(&members, 3), Predecessor::Silent);
        members.hear(&Announcement { haunted: Vec::new(), ..left }, Freshness::Live, at(4));
        assert_eq!(before(&members, 5), Predecessor::None);
    }
}
