//! Notices hosts whose addresses change too often to group them by.
//!
//! A host that answers another set every few minutes (a load balancer in the name server)
//! would be another group each time, with a limit of its own each time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use mailfleet_model::fleet::GroupKey;
use mailfleet_model::{Host, Protocol};

use super::group_key;
use crate::time::Monotonic;

/// Changes within [`WITHIN`] that make a host changeable.
const CHANGES: usize = 3;
/// The time in which changes count.
const WITHIN: Duration = Duration::from_secs(60 * 60);
/// How long a host stays changeable after it was found to be: a group that came and went
/// would have two limits each time.
const STAYS: Duration = Duration::from_secs(24 * 60 * 60);
/// Most hosts watched. Beyond it, what is new is taken for steady until others are
/// forgotten.
const MOST: usize = 50_000;
/// How often room is made once there is none.
const TIDY: Duration = Duration::from_secs(60);

/// Whether a host's addresses say who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steadiness {
    /// They do.
    Steady,
    /// They change too often: the name is what stays.
    Changeable,
}

/// What hosts have resolved to, for about a day.
#[derive(Debug, Clone, Default)]
pub struct ChangeWatch {
    hosts: BTreeMap<Host, Watched>,
    tidied: Option<Monotonic>,
}

#[derive(Debug, Clone, Default)]
struct Watched {
    set: BTreeSet<IpAddr>,
    noted: Monotonic,
    /// When the last few changes were.
    changes: VecDeque<Monotonic>,
    changeable_until: Option<Monotonic>,
}

impl ChangeWatch {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes what a host resolves to now. The order of the addresses does not matter; a
    /// failed resolution is no change, and is not to be noted.
    pub fn note(&mut self, host: &Host, addresses: &[IpAddr], now: Monotonic) -> Steadiness {
        if !self.hosts.contains_key(host) && !self.has_room(now) {
            return Steadiness::Steady;
        }
        let set: BTreeSet<IpAddr> = addresses.iter().map(IpAddr::to_canonical).collect();
        let known = self.hosts.contains_key(host);
        let watched = self.hosts.entry(host.clone()).or_default();
        watched.noted = now;
        if watched.set != set {
            watched.set = set;
            if known {
                watched.changed(now);
            }
        }
        watched.steadiness(now)
    }

    /// Notes what a host resolves to now, and says which group its legs belong to.
    pub fn group(
        &mut self,
        protocol: Protocol,
        host: &Host,
        aliases: &[String],
        addresses: &[IpAddr],
        now: Monotonic,
    ) -> GroupKey {
        match self.note(host, addresses, now) {
            Steadiness::Steady => group_key(protocol, host, aliases, addresses),
            Steadiness::Changeable => group_key(protocol, host, aliases, &[]),
        }
    }

    fn has_room(&mut self, now: Monotonic) -> bool {
        let due = self.tidied.is_none_or(|last| TIDY <= now.since(last));
        if MOST <= self.hosts.len() && due {
            self.tidied = Some(now);
            self.hosts.retain(|_, watched| {
                now.since(watched.noted) < WITHIN
                    || watched.steadiness(now) == Steadiness::Changeable
            });
        }
        self.hosts.len() < MOST
    }
}

impl Watched {
    fn changed(&mut self, now: Monotonic) {
        self.changes.push_back(now);
        if CHANGES < self.changes.len() {
            self.changes.pop_front();
        }
        let counted = self.changes.iter().filter(|at| now.since(**at) < WITHIN).count();
        if CHANGES <= counted {
            self.changeable_until = Some(now.plus(STAYS));
        }
    }

    fn steadiness(&self, now: Monotonic) -> Steadiness {
        match self.changeable_until {
            Some(until) if now < until => Steadiness::Changeable,
            Some(_) | None => Steadiness::Steady,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Monotonic {
        Monotonic(Duration::from_secs(minutes * 60))
    }

    fn host(name: &str) -> Host {
        name.parse().expect("a host")
    }

    fn set(last: &[u8]) -> Vec<IpAddr> {
        last.iter().map(|n| IpAddr::from([203, 0, 113, *n])).collect()
    }

    #[test]
    fn three_changes_within_an_hour_make_a_host_changeable_for_a_day() {
        let mut watch = ChangeWatch::new();
        let host = host("mail.example.test");
        let mut note = |last: &[u8], minute| watch.note(&host, &set(last), at(minute));
        assert_eq!(note(&[1, 2], 0), Steadiness::Steady);
        assert_eq!(note(&[2, 1], 1), Steadiness::Steady, "only another order");
        assert_eq!(note(&[1], 2), Steadiness::Steady);
        assert_eq!(note(&[2], 3), Steadiness::Steady);
        assert_eq!(note(&[3], 50), Steadiness::Changeable);
        assert_eq!(note(&[3], 50 + 24 * 60 - 1), Steadiness::Changeable);
        assert_eq!(note(&[3], 50 + 24 * 60), Steadiness::Steady);
    }

    #[test]
    fn a_host_that_moves_now_and_then_is_steady() {
        let mut watch = ChangeWatch::new();
        let host = host("mail.example.test");
        for step in 0..20_u8 {
            let steadiness = watch.note(&host, &set(&[step]), at(u64::from(step) * 31));
            assert_eq!(steadiness, Steadiness::Steady, "two changes within an hour at most");
        }
    }

    #[test]
    fn a_changeable_host_is_grouped_by_its_name() {
        let mut watch = ChangeWatch::new();
        let host = host("mail.example.test");
        let mut group =
            |last| watch.group(Protocol::Imap, &host, &[], &set(&[last]), at(1)).to_string();
        let groups: Vec<String> = (1..=4).map(&mut group).collect();
        let expect = ["imap:203.0.113.1", "imap:203.0.113.2", "imap:203.0.113.3"];
        assert_eq!(groups[..3], expect);
        assert_eq!(groups[3], "imap:name:mail.example.test");
    }

    #[test]
    fn its_memory_is_bounded_and_room_is_made_by_age() {
        let mut watch = ChangeWatch::new();
        for index in 0..MOST + 10 {
            watch.note(&host(&format!("h{index}.test")), &set(&[1]), at(0));
        }
        assert_eq!(watch.hosts.len(), MOST);
        watch.note(&host("late.test"), &set(&[1]), at(61));
        assert_eq!(watch.hosts.len(), 1);
    }
}
