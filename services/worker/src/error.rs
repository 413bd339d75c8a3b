//! What keeps a worker from starting. While it runs it has no errors: trouble with the
//! broker is waited out, and trouble with a leg stands in its report.

use std::fmt;
use std::net::IpAddr;

use mailfleet_model::fleet::PoolName;
use mailfleet_probe::dial::ProxyTrouble;

/// What keeps a worker from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Members of egress pools that legs cannot leave through.
    #[error("{}", Listed(.0))]
    Egress(Vec<Missing>),
}

/// A member of a pool that legs cannot leave through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The pool that names it.
    pub pool: PoolName,
    /// The address that mail servers would see.
    pub address: IpAddr,
    /// The proxy and what is wrong with it; `None` for an address that this host lacks.
    pub proxy: Option<(String, ProxyTrouble)>,
}

struct Listed<'a>(&'a [Missing]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "this host does not have the egress addresses ";
        for Missing { pool, address, .. } in self.0.iter().filter(|one| one.proxy.is_none()) {
            write!(f, "{before}{address} (pool {pool})")?;
            before = ", ";
        }
        let mut before = if before == ", " { "; " } else { "" };
        for Missing { pool, address, proxy } in self.0 {
            let Some((proxy, trouble)) = proxy else { continue };
            write!(f, "{before}the SOCKS5 proxy {proxy} for {address} (pool {pool}) {trouble}")?;
            before = "; ";
        }
        Ok(())
    }
}
