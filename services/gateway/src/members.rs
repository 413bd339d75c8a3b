//! Who works: the workers that were heard lately. A picture, never a decision.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mailfleet_engine::Monotonic;
use mailfleet_model::fleet::{Announcement, ShardIndex, WorkerId, ZoneName};

/// How long a silent worker is still shown.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How long a silent worker still counts as an owner: some announcements may be lost.
const LIVE: Duration = Duration::from_secs(5);
/// Most workers that are remembered.
const MOST: usize = 10_000;

/// The workers.
#[derive(Debug, Default)]
pub(crate) struct Members(Mutex<BTreeMap<WorkerId, Member>>);

/// A worker as it was heard last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) news: Announcement,
    pub(crate) heard: Monotonic,
}

impl Members {
    pub(crate) fn heard(&self, news: Announcement, now: Monotonic) {
        let mut members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|_, member| now.since(member.heard) < REMEMBERED);
        if members.len() < MOST || members.contains_key(&news.worker) {
            members.insert(news.worker.clone(), Member { news, heard: now });
        }
    }

    /// Who says that he owns a shard, or is giving it up.
    pub(crate) fn owners(
        &self,
        zone: &ZoneName,
        shard: ShardIndex,
        now: Monotonic,
    ) -> Vec<WorkerId> {
        let owns = |news: &Announcement| news.zone == *zone && news.shards.contains(&shard);
        let members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let live = members.values().filter(|member| now.since(member.heard) < LIVE);
        live.filter(|member| owns(&member.news)).map(|member| member.news.worker.clone()).collect()
    }

    /// All that are remembered, by name.
    pub(crate) fn all(&self, now: Monotonic) -> Vec<Member> {
        let members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.values().filter(|member| now.since(member.heard) < REMEMBERED).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_owner_counts_while_it_speaks_and_is_shown_for_a_while_longer() {
        let members = Members::default();
        let news = Announcement {
            worker: "w1".parse().expect("a name"),
            zone: "default".parse().expect("a name"),
            shards: vec![ShardIndex(3)],
            haunted: Vec::new(),
            capacity: 10,
            running: 1,
            draining: false,
            listening: false,
            kinds: BTreeSet::new(),
            outgrown: BTreeSet::new(),
            version: "1".to_owned(),
        };
        let at = |seconds| Monotonic(Duration::from_secs(seconds));
        members.heard(news.clone(), at(0));
        let owners = |shard, now| members.owners(&news.zone, ShardIndex(shard), at(now)).len();
        assert_eq!([owners(3, 4), owners(4, 4), owners(3, 5)], [1, 0, 0]);
        assert_eq!([members.all(at(59)).len(), members.all(at(60)).len()], [1, 0]);
    }
}
