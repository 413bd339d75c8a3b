//! Legs whose host has moved to another limit group since they were released.
//!
//! Such a leg would run beside the limit of the server that it really goes to, so it goes
//! back and comes to that server's owner. It never goes round in circles: a host that
//! changes too often is left where it is, and so is a leg that was turned back twice.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mailfleet_engine::Monotonic;
use mailfleet_engine::grouping::{ChangeWatch, Steadiness, group_key};
use mailfleet_model::fleet::{GroupKey, LegId};
use mailfleet_model::{Host, Protocol};
use mailfleet_probe::resolve::Resolved;

/// How often one leg is turned back by this worker.
const TIMES: u8 = 2;
/// How long a leg that was turned back is remembered.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// Most legs remembered; beyond it none is turned back.
const MOST: usize = 10_000;

/// Watches the addresses of hosts.
#[derive(Debug, Default)]
pub(super) struct Regrouping(Mutex<Watched>);

#[derive(Debug, Default)]
struct Watched {
    changes: ChangeWatch,
    turned_back: HashMap<LegId, (u8, Monotonic)>,
}

impl Regrouping {
    /// The group that a leg belongs to by now, if it is another one and the leg is to go
    /// there.
    pub(super) fn check(
        &self,
        leg: LegId,
        group: &GroupKey,
        protocol: Protocol,
        host: &Host,
        found: &Resolved,
        now: Monotonic,
    ) -> Option<GroupKey> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.changes.note(host, &found.addresses, now) == Steadiness::Changeable {
            return None;
        }
        let key = group_key(protocol, host, &found.aliases, &found.addresses);
        (key != *group && watched.may_turn_back(leg, now)).then_some(key)
    }
}

impl Watched {
    fn may_turn_back(&mut self, leg: LegId, now: Monotonic) -> bool {
        if MOST <= self.turned_back.len() {
            self.turned_back.retain(|_, (_, noted)| now.since(*noted) < REMEMBERED);
        }
        let times = self.turned_back.get(&leg).map_or(0, |(times, _)| *times);
        let room = self.turned_back.len() < MOST || 0 < times;
        if TIMES <= times || !room {
            return false;
        }
        self.turned_back.insert(leg, (times + 1, now));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use mailfleet_model::JobId;
    use uuid::Uuid;

    use super::*;

    fn leg(number: u128) -> LegId {
        LegId { job: JobId(Uuid::from_u128(number)), index: 0 }
    }

    fn check(regrouping: &Regrouping, leg_number: u128, last: u8) -> Option<String> {
        let group = GroupKey::new("imap:203.0.113.1").expect("a key");
        let host: Host = "mail.example.test".parse().expect("a host");
        let found = Resolved::from(vec![IpAddr::from([203, 0, 113, last])]);
        let (leg, now) = (leg(leg_number), Monotonic::default());
        let key = regrouping.check(leg, &group, Protocol::Imap, &host, &found, now);
        key.map(|key| key.to_string())
    }

    #[test]
    fn a_leg_of_a_host_that_moved_is_turned_back_twice_at_most() {
        let regrouping = Regrouping::default();
        assert_eq!(check(&regrouping, 1, 1), None);
        for _ in 0..TIMES {
            assert_eq!(check(&regrouping, 1, 2).as_deref(), Some("imap:203.0.113.2"));
        }
        assert_eq!(check(&regrouping, 1, 2), None);
        assert!(check(&regrouping, 2, 2).is_some(), "another leg");
    }

    #[test]
    fn a_host_that_changes_all_the_time_is_left_where_it_is() {
        let regrouping = Regrouping::default();
        let groups: Vec<bool> =
            [1, 2, 3, 4, 5].map(|last| check(&regrouping, last.into(), last).is_some()).into();
        assert_eq!(groups, [false, true, true, false, false]);
    }
}
