//! Membership and who should own what: a hint that keeps workers from trying in vain.
//!
//! The exclusive consumer is the lock. A wrong picture of the members costs refused
//! claims, never a second owner.
//!
//! Shards are spread evenly, whatever the versions of the workers: while a fleet is upgraded, one
//! new worker must not get everything. Only a shard in which an owner got a leg of a kind that it
//! does not run goes to those that run the most kinds, since no other could do its work.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mailfleet_model::fleet::{Announcement, LegKind, ShardIndex, WorkerId, ZoneName, rendezvous};

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

/// A worker as one that may own a shard.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its id.
    pub worker: &'a WorkerId,
    /// Kinds of legs that it runs.
    pub kinds: &'a BTreeSet<LegKind>,
    /// Shards in which it got legs of other kinds.
    pub outgrown: &'a BTreeSet<ShardIndex>,
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
    /// Since when it hears everything; `None`: for ever.
    since: Option<Monotonic>,
    /// When this worker last lost its connection. The broker itself may have been away, and then
    /// a lock is free before its holder can know.
    deaf: Option<Monotonic>,
}

impl Members {
    /// Nobody is known yet.
    #[must_use]
    pub fn new(zone: ZoneName, rules: &HoldRules) -> Self {
        let (known, handed_over, lost) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let heartbeat = rules.heartbeat;
        Self { zone, heartbeat, known, handed_over, lost, since: None, deaf: None }
    }

    /// Notes that it hears everything from now on.
    pub fn listen(&mut self, now: Monotonic) {
        self.since = Some(now);
    }

    /// Whether it has listened for so long that it has heard whoever may still have sockets open.
    #[must_use]
    pub fn has_heard_all(&self, now: Monotonic, rules: &HoldRules) -> bool {
        self.since.is_none_or(|since| suspect(rules) < now.since(since))
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

    /// Notes that this worker has lost its connection.
    pub fn deaf(&mut self, now: Monotonic) {
        self.deaf = Some(now);
    }

    /// Whether it has ever lost its connection.
    #[must_use]
    pub fn was_deaf(&self) -> bool {
        self.deaf.is_some()
    }

    /// What is known about who held a shard before now.
    #[must_use]
    pub fn predecessor(&self, shard: ShardIndex, now: Monotonic, rules: &HoldRules) -> Predecessor {
        let (heartbeat, suspect) = (rules.heartbeat, suspect(rules));
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
            heartbeat < now.since(heard.at)
                || heard.freshness == Freshness::Backlog
                || self.deaf.is_some_and(|deaf| heard.at <= deaf)
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
    /// `live` and neither drain nor listen yet, itself included. In a shard that somebody alive has outgrown,
    /// who runs more kinds goes first.
    #[must_use]
    pub fn should_own(
        &self,
        candidate: Candidate<'_>,
        shard: ShardIndex,
        now: Monotonic,
        live: Duration,
    ) -> bool {
        let outgrown = candidate.outgrown.contains(&shard)
            || self.live(now, live).any(|said| said.outgrown.contains(&shard));
        let weight = |worker, kinds: &BTreeSet<LegKind>| {
            let n_kinds = if outgrown { kinds.len() } else { 0 };
            (n_kinds, rendezvous(worker, &self.zone, shard), worker.clone())
        };
        let ours = weight(candidate.worker, candidate.kinds);
        self.live(now, live)
            .filter(|said| said.worker != *candidate.worker && !said.draining && !said.listening)
            .all(|said| weight(&said.worker, &said.kinds) < ours)
    }

    /// Whether the last word about a shard was that its owner has handed it over.
    #[must_use]
    pub fn is_handed_over(&self, shard: ShardIndex) -> bool {
        self.handed_over.contains(&shard)
    }

    /// Whether a live worker that does not drain runs legs of a kind.
    #[must_use]
    pub fn run(&self, kind: &LegKind, now: Monotonic, live: Duration) -> bool {
        self.live(now, live).any(|said| !said.draining && said.kinds.contains(kind))
    }

    /// What those said who were heard of within `live`.
    fn live(&self, now: Monotonic, live: Duration) -> impl Iterator<Item = &Announcement> {
        let heard = self.known.values().filter(|heard| heard.freshness == Freshness::Live);
        heard.filter(move |heard| now.since(heard.at) <= live).map(|heard| &heard.said)
    }
}

/// How long a silent holder may still have sockets open.
fn suspect(rules: &HoldRules) -> Duration {
    rules.heartbeat * 3 + rules.ghost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::announcement;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn name(worker: &str) -> WorkerId {
        worker.parse().expect("a name")
    }

    fn says(worker: &str, zone: &str, draining: bool) -> Announcement {
        let zone = zone.parse().expect("a name");
        Announcement { zone, draining, ..announcement(worker, &[3]) }
    }

    fn share(members: &Members, worker: &str, now: u64) -> usize {
        let live = Duration::from_secs(3);
        let (worker, kinds, outgrown) = (name(worker), BTreeSet::new(), BTreeSet::new());
        let candidate = Candidate { worker: &worker, kinds: &kinds, outgrown: &outgrown };
        let owns = |shard| members.should_own(candidate, ShardIndex(shard), at(now), live);
        (0..64).filter(|shard| owns(*shard)).count()
    }

    /// Who of `workers` thinks that it should own the shard: each hears all others.
    fn owners(workers: &[Announcement], shard: u16) -> Vec<&str> {
        let owns = |own: &&Announcement| {
            let mut members = Members::new("z".parse().expect("a name"), &HoldRules::default());
            for other in workers.iter().filter(|other| other.worker != own.worker) {
                members.hear(other, Freshness::Live, at(0));
            }
            let Announcement { worker, kinds, outgrown, .. } = own;
            let candidate = Candidate { worker, kinds, outgrown };
            !own.draining
                && members.should_own(candidate, ShardIndex(shard), at(1), Duration::from_secs(3))
        };
        workers.iter().filter(owns).map(|own| own.worker.as_str()).collect()
    }

    #[test]
    fn a_shard_with_legs_of_a_kind_that_its_owner_does_not_run_goes_to_who_runs_more() {
        let kinds =
            |kinds: &[&str]| kinds.iter().map(|kind| kind.parse().expect("a name")).collect();
        let old = |worker| Announcement { kinds: kinds(&["a"]), ..says(worker, "z", false) };
        let new = |worker| Announcement { kinds: kinds(&["a", "b"]), ..says(worker, "z", false) };
        let told = |worker, outgrown: &[u16]| {
            let outgrown = outgrown.iter().copied().map(ShardIndex).collect();
            Announcement { outgrown, ..old(worker) }
        };
        let by = |workers: &[Announcement]| -> Vec<String> {
            (0..64).map(|shard| owners(workers, shard).join(" and ")).collect()
        };
        let before = by(&[old("o1"), old("o2"), new("n1")]);
        let count = |by: &[String], worker| by.iter().filter(|owner| *owner == worker).count();
        assert!((10..35).contains(&count(&before, "n1")), "an even share: {before:?}");
        // All agree about the one shard, and about nothing else is anything changed.
        let theirs = before.iter().position(|owner| owner == "o1").expect("it has some");
        let shard = u16::try_from(theirs).expect("small");
        let mut expect = before;
        expect[theirs] = "n1".to_owned();
        assert_eq!(by(&[told("o1", &[shard]), old("o2"), new("n1")]), expect);
        let draining = Announcement { draining: true, ..told("o1", &[shard]) };
        assert_eq!(owners(&[draining, old("o2"), new("n1")], shard), ["n1"]);
        let two = by(&[told("o1", &(0..64).collect::<Vec<_>>()), new("n1"), new("n2")]);
        assert_eq!(count(&two, "n1") + count(&two, "n2"), 64);
        // Nobody runs more: it stays where it would be.
        let alone = by(&[old("o1"), old("o2")]);
        assert_eq!(by(&[told("o1", &(0..64).collect::<Vec<_>>()), old("o2")]), alone);
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

    #[test]
    fn who_was_not_heard_since_the_broker_was_away_may_not_know_that_its_lock_is_gone() {
        let mut members = Members::new("z".parse().expect("a name"), &HoldRules::default());
        members.hear(&says("b", "z", false), Freshness::Live, at(10));
        assert_eq!(before(&members, 14), Predecessor::Heard);
        members.deaf(at(13));
        assert_eq!(before(&members, 14), Predecessor::Silent);
        members.hear(&says("b", "z", false), Freshness::Live, at(15));
        assert_eq!(before(&members, 16), Predecessor::Heard);
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
