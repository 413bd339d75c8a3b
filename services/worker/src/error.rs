//! What keeps a worker from starting. While it runs it has no errors: trouble with the
//! broker is waited out, and trouble with a leg stands in its report.

use std::fmt;
use std::net::IpAddr;

use mailfleet_model::fleet::PoolName;

/// What keeps a worker from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Addresses of egress pools that this host cannot leave from.
    #[error("this host does not have the egress addresses {}", Listed(.0))]
    Egress(Vec<Missing>),
}

/// An address that this host cannot leave from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The pool that names it.
    pub pool: PoolName,
    /// The address.
    pub address: IpAddr,
}

struct Listed<'a>(&'a [Missing]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Missing { pool, address }) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{address} (pool {pool})")?;
        }
        Ok(())
    }
}
