//! Who works: the workers that were heard lately. A picture, never a decision.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mailfleet_engine::Monotonic;
use mailfleet_model::fleet::{Announcement, WorkerId};

/// How long a silent worker is still shown.
const REMEMBERED: Duration = Duration::from_secs(60);
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

    /// All that are remembered, by name.
    pub(crate) fn all(&self, now: Monotonic) -> Vec<Member> {
        let members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.values().filter(|member| now.since(member.heard) < REMEMBERED).cloned().collect()
    }
}
