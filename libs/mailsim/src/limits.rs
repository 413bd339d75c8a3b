//! How many sessions a server bears, and who is in at the moment.
//!
//! Apart from `recorder`, which only watches: these counts decide.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The limits of a server. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Sessions in all; the next one gets a refusal as its greeting.
    pub sessions: Option<u32>,
    /// Sessions of one client address; the next one is refused at the greeting, by Courier with
    /// no word at all.
    pub per_address: Option<u32>,
    /// Logged-in sessions of one user from one address; the next login is refused.
    pub per_user_and_address: Option<u32>,
}

type Key = (Arc<str>, IpAddr);

/// Counts the logged-in sessions of each user and address.
#[derive(Debug, Default)]
pub(crate) struct Presence(Mutex<HashMap<Key, u32>>);

/// One logged-in session; leaves the count when dropped.
#[derive(Debug)]
pub(crate) struct Present {
    presence: Arc<Presence>,
    key: Key,
}

impl Presence {
    /// Enters a user, or gives the number of sessions that are in the way.
    pub(crate) fn enter(
        self: &Arc<Self>,
        user: Arc<str>,
        address: IpAddr,
        limit: Option<u32>,
    ) -> Result<Present, u32> {
        let key = (user, address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if limit.is_some_and(|limit| *count >= limit) {
            return Err(*count);
        }
        *count += 1;
        Ok(Present { presence: Arc::clone(self), key })
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut counts = self.presence.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_session_ends() {
        let presence = Arc::new(Presence::default());
        let here: IpAddr = [127, 0, 0, 1].into();
        let enter = |ip| presence.enter("a".into(), ip, Some(1));
        let first = enter(here).unwrap();
        assert_eq!(enter(here).unwrap_err(), 1);
        let elsewhere = enter([127, 0, 0, 2].into()).unwrap();
        drop(first);
        let again = enter(here).unwrap();
        drop((again, elsewhere));
        assert!(presence.0.lock().unwrap().is_empty());
    }
}
