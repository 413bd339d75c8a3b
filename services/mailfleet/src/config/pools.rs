//! The egress pools of the configuration, with their proxies.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use mailfleet_model::Host;
use mailfleet_model::fleet::{PoolName, ZoneName};

use super::settings::{KIND, Row, Values, column};
use super::value::Value;

/// The pool of whoever names no other.
pub(super) const DEFAULT_POOL: &str = "default";

/// An egress pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PoolSettings {
    /// The zone whose workers have its addresses.
    pub(crate) zone: ZoneName,
    /// Source addresses of this host.
    pub(crate) addresses: Vec<IpAddr>,
    /// Proxies.
    pub(crate) socks5: Vec<ProxySettings>,
    /// Connections at once from each address.
    pub(crate) per_address: Option<NonZeroU32>,
}

/// A SOCKS5 proxy of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxySettings {
    /// Where it is.
    pub(crate) host: Host,
    /// Its port.
    pub(crate) port: u16,
    /// The address that mail servers see.
    pub(crate) exit: IpAddr,
    /// The user name, and the file with the password.
    pub(crate) login: Option<(String, PathBuf)>,
}

impl PoolSettings {
    /// What mail servers see of the pool; none: the system chooses.
    pub(crate) fn seen(&self) -> Vec<IpAddr> {
        self.addresses.iter().copied().chain(self.socks5.iter().map(|proxy| proxy.exit)).collect()
    }
}

impl Values<'_> {
    pub(super) fn pools(&self) -> BTreeMap<PoolName, PoolSettings> {
        let pool = |row: &Row| {
            let addresses = match row.get("addresses") {
                Some(Value::Addresses(addresses)) => addresses.clone(),
                _ => Vec::new(),
            };
            let per_address = match row.get("per_address") {
                Some(Value::Count(most)) => u32::try_from(*most).ok().and_then(NonZeroU32::new),
                _ => None,
            };
            let zone = column(row, "zone").parse().expect(KIND);
            let pool = PoolSettings { zone, addresses, socks5: Vec::new(), per_address };
            (column(row, "name").parse().expect(KIND), pool)
        };
        let mut pools: BTreeMap<_, _> = self.rows("egress.pool").iter().map(pool).collect();
        if pools.is_empty() {
            let pool = PoolSettings {
                zone: self.worker_zone(),
                addresses: Vec::new(),
                socks5: Vec::new(),
                per_address: None,
            };
            pools.insert(DEFAULT_POOL.parse().expect("a name"), pool);
        }
        for row in self.rows("egress.socks5") {
            let pool: PoolName = column(row, "pool").parse().expect(KIND);
            let (host, port) = server(&column(row, "server")).expect(KIND);
            let login = match row.get("password_file") {
                Some(Value::Path(file)) => Some((column(row, "user"), file.clone())),
                _ => None,
            };
            let exit = column(row, "exit").parse().expect(KIND);
            let proxy = ProxySettings { host, port, exit, login };
            pools.get_mut(&pool).expect(KIND).socks5.push(proxy);
        }
        pools
    }
}

/// A host and a port, such as `socks5.example.com:1080`.
pub(super) fn server(text: &str) -> Option<(Host, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    Some((host.parse().ok()?, port))
}
