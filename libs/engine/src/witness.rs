//! What gateways know of the owners of shards: enough to tell a new owner what it came too
//! late to hear.
//!
//! A witness hears all announcements and judges at the moment at which a worker begins to list
//! a shard, by the rules that a worker would have judged by which had listened for as long.

use std::collections::BTreeMap;

use mailfleet_model::fleet::{Announcement, LastOwner, ShardIndex, WorkerId, ZoneName};

use crate::ownership::{Freshness, Members};
use crate::rules::HoldRules;
use crate::time::Monotonic;

/// Somebody who listens.
#[derive(Debug, Clone)]
pub struct Witness {
    rules: HoldRules,
    zones: BTreeMap<ZoneName, Members>,
    /// Who began to list a shard last, and what was known of its owner before.
    found: BTreeMap<(ZoneName, ShardIndex), (WorkerId, Option<LastOwner>)>,
    awake: Monotonic,
    backlog_until: Option<Monotonic>,
}

impl Witness {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(rules: HoldRules, now: Monotonic) -> Self {
        let (zones, found) = (BTreeMap::new(), BTreeMap::new());
        Self { rules, zones, found, awake: now, backlog_until: None }
    }

    /// Notes that it is awake; to be called four times a second. What is heard just after a
    /// long sleep may be as old as the sleep.
    pub fn tick(&mut self, now: Monotonic) {
        if self.rules.announce < now.since(self.awake) {
            self.backlog_until = Some(now.plus(self.rules.announce));
        }
        self.awake = now;
    }

    /// Hears an announcement.
    pub fn hear(&mut self, announcement: &Announcement, now: Monotonic) {
        self.tick(now);
        let backlog = self.backlog_until.is_some_and(|until| now < until);
        let freshness = if backlog { Freshness::Backlog } else { Freshness::Live };
        let Announcement { zone, worker, .. } = announcement;
        let rules = &self.rules;
        let members =
            self.zones.entry(zone.clone()).or_insert_with(|| Members::new(zone.clone(), rules));
        for shard in members.newly_listed(announcement) {
            let before = members.predecessor(shard, now, rules).told();
            self.found.insert((zone.clone(), shard), (worker.clone(), before));
        }
        members.hear(announcement, freshness, now);
    }

    /// What is known of the owner of a shard before this worker; `None`: nothing.
    #[must_use]
    pub fn last_owner(
        &self,
        zone: &ZoneName,
        shard: ShardIndex,
        worker: &WorkerId,
    ) -> Option<LastOwner> {
        let (found, before) = self.found.get(&(zone.clone(), shard))?;
        before.filter(|_| found == worker)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fixtures::announcement as says;

    /// What a worker is told that begins to list shard 7 then, after `old` was heard to list
    /// it at second 100 for the last time.
    fn told(second: u64) -> Option<LastOwner> {
        let at = |second| Monotonic(Duration::from_millis(second));
        let mut witness = Witness::new(HoldRules::default(), at(99_000));
        witness.hear(&says("old", &[7]), at(100_000));
        for quarter in 401..=second * 4 {
            witness.tick(at(quarter * 250));
        }
        witness.hear(&says("new", &[7]), at(second * 1_000));
        // It goes on to list it: what was found stays.
        witness.hear(&says("new", &[7, 8]), at(second * 1_000 + 500));
        let (zone, new, old) = ("z".parse(), "new".parse(), "old".parse());
        let (zone, new) = (zone.expect("a name"), new.expect("a name"));
        assert_eq!(witness.last_owner(&zone, ShardIndex(8), &new), None);
        assert_eq!(witness.last_owner(&zone, ShardIndex(7), &old.expect("a name")), None);
        witness.last_owner(&zone, ShardIndex(7), &new)
    }

    #[test]
    fn it_tells_whether_the_owner_before_was_heard_within_a_heartbeat() {
        let told = [101, 110, 111, 190, 191].map(told);
        let (heard, silent) = (Some(LastOwner::Heard), Some(LastOwner::Silent));
        assert_eq!(told, [heard, heard, silent, silent, None]);
    }

    #[test]
    fn what_waited_while_it_slept_is_no_sign_of_life() {
        let at = |second| Monotonic(Duration::from_secs(second));
        let mut witness = Witness::new(HoldRules::default(), at(0));
        witness.hear(&says("old", &[7]), at(30));
        witness.hear(&says("new", &[7]), at(30));
        let last = witness.last_owner(
            &"z".parse().expect("a name"),
            ShardIndex(7),
            &"new".parse().expect("a name"),
        );
        assert_eq!(last, Some(LastOwner::Silent));
    }
}
