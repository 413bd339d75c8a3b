//! Egress pools: what legs leave through, source addresses and SOCKS5 proxies.
//!
//! Customers allow-list these addresses, so a worker that lacks one of them does not
//! start, and a pool that nobody knows is never replaced by another way out.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, UdpSocket};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use mailfleet_model::fleet::PoolName;
use mailfleet_probe::dial::{self, Exit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Missing};

/// Longest time that a proxy may take to let us in when a worker starts.
const PROOF: Duration = Duration::from_secs(10);

/// A named set of ways out.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Its name.
    pub name: PoolName,
    /// The ways out, of either family. With none the system chooses.
    pub exits: Vec<Exit>,
    /// Connections at once from each address, over all mail servers; `None`: any number.
    pub per_address: Option<NonZeroU32>,
}

/// The pools of a zone.
#[derive(Debug, Clone, Default)]
pub struct Pools {
    pools: BTreeMap<PoolName, Pool>,
    /// Of an address in several pools, the smallest cap holds.
    places: HashMap<IpAddr, Arc<Semaphore>>,
}

impl Pools {
    /// The pools of a zone; of two with one name the last one counts.
    #[must_use]
    pub fn new(pools: impl IntoIterator<Item = Pool>) -> Self {
        let pools: BTreeMap<PoolName, Pool> =
            pools.into_iter().map(|pool| (pool.name.clone(), pool)).collect();
        let mut caps: HashMap<IpAddr, NonZeroU32> = HashMap::new();
        for pool in pools.values() {
            let Some(cap) = pool.per_address else { continue };
            for exit in &pool.exits {
                let known = caps.entry(exit.ip()).or_insert(cap);
                *known = cap.min(*known);
            }
        }
        let places = |cap: NonZeroU32| {
            let cap = usize::try_from(cap.get()).unwrap_or(Semaphore::MAX_PERMITS);
            Arc::new(Semaphore::new(cap.min(Semaphore::MAX_PERMITS)))
        };
        let places = caps.into_iter().map(|(address, cap)| (address, places(cap))).collect();
        Self { pools, places }
    }

    /// Shows that legs can leave through every member: that this host has the addresses, by
    /// binding a port of the system's choice, and that the proxies let us in, all at once.
    ///
    /// # Errors
    /// Names every member that failed.
    pub async fn prove(&self) -> Result<(), Error> {
        let members = self
            .pools
            .values()
            .flat_map(|pool| pool.exits.iter().map(|exit| (pool.name.clone(), exit)));
        let proofs = members.map(|(pool, exit)| async move {
            let proxy = match exit {
                Exit::Address(ip) if UdpSocket::bind((*ip, 0)).is_ok() => return None,
                Exit::Address(_) => None,
                Exit::Socks5(proxy) => {
                    let trouble = proxy.prove(PROOF).await.err()?;
                    Some((proxy.to_string(), trouble))
                }
            };
            Some(Missing { pool, address: exit.ip(), proxy })
        });
        let missing: Vec<Missing> = join_all(proofs).await.into_iter().flatten().collect();
        if missing.is_empty() { Ok(()) } else { Err(Error::Egress(missing)) }
    }

    /// A pool by its name.
    pub(crate) fn get(&self, name: &PoolName) -> Option<&Pool> {
        self.pools.get(name)
    }

    /// The address that a mailbox's sockets are counted by; `None` where the system
    /// chooses, or the pool is unknown.
    pub(crate) fn source(&self, name: &PoolName, mailbox: &str) -> Option<IpAddr> {
        dial::source_for(mailbox, &self.get(name)?.exits)
    }

    /// Waits for a place at an address, if it has a cap.
    pub(crate) async fn place(&self, address: Option<IpAddr>) -> Option<OwnedSemaphorePermit> {
        let places = self.places.get(&address?)?;
        Some(Arc::clone(places).acquire_owned().await.expect("it is never closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(name: &str, addresses: &[&str], cap: Option<u32>) -> Pool {
        Pool {
            name: name.parse().expect("a name"),
            exits: addresses.iter().map(|ip| Exit::Address(ip.parse().expect("an IP"))).collect(),
            per_address: cap.map(|cap| cap.try_into().expect("not zero")),
        }
    }

    #[tokio::test]
    async fn every_address_that_is_not_here_is_named() {
        let pools = Pools::new([
            pool("a", &["127.0.0.7", "203.0.113.5"], None),
            pool("b", &["2001:db8::5"], None),
            pool("c", &[], None),
        ]);
        let error = pools.prove().await.expect_err("two are not here").to_string();
        let expect = "this host does not have the egress addresses \
                      203.0.113.5 (pool a), 2001:db8::5 (pool b)";
        assert_eq!(error, expect);
        assert!(Pools::new([pool("a", &["127.0.0.7"], None)]).prove().await.is_ok());
    }

    #[tokio::test]
    async fn an_address_in_two_pools_has_the_smaller_cap() {
        let pools = Pools::new([
            pool("a", &["127.0.0.7"], Some(2)),
            pool("b", &["127.0.0.7", "127.0.0.8"], Some(1)),
        ]);
        let [first, second] = ["127.0.0.7", "127.0.0.9"].map(|ip| ip.parse().ok());
        let held = pools.place(first).await;
        assert!(held.is_some());
        assert_eq!(pools.places[&first.expect("an address")].available_permits(), 0);
        assert!(pools.place(second).await.is_none(), "no cap");
        assert!(pools.place(None).await.is_none());
    }
}
