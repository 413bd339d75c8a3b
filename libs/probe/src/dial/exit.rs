//! The members of an egress pool, and which of them a mailbox leaves from.

use std::net::IpAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Socks5;

/// A member of an egress pool.
#[derive(Debug, Clone)]
pub enum Exit {
    /// A source address of this host.
    Address(IpAddr),
    /// A proxy elsewhere.
    Socks5(Arc<Socks5>),
}

impl Exit {
    /// The address that mail servers see.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        match self {
            Self::Address(ip) => *ip,
            Self::Socks5(proxy) => proxy.exit(),
        }
    }
}

impl From<IpAddr> for Exit {
    fn from(ip: IpAddr) -> Self {
        Self::Address(ip)
    }
}

/// The address that a mailbox's sockets are counted by, before its host is resolved
/// and the family is known: the IPv4 one where the pool has any, otherwise the IPv6 one.
///
/// It is the address that is really used wherever the pool has addresses of one family,
/// or the host has. Only a host with IPv6, reached from a pool of both families, is left
/// for from the mailbox's IPv6 address and counted by its IPv4 one.
#[must_use]
pub fn source_for(mailbox: &str, egress: &[Exit]) -> Option<IpAddr> {
    let choose = |v6| choose_egress(egress, mailbox, v6);
    choose(false).or_else(|| choose(true)).map(Exit::ip)
}

/// Chooses the way out of a mailbox: the highest rendezvous score of its family.
///
/// A proxy counts by the address that mail servers see, so that a mailbox keeps its
/// address when that address moves from this host to a proxy.
#[must_use]
pub fn choose_egress<'a>(egress: &'a [Exit], mailbox: &str, v6: bool) -> Option<&'a Exit> {
    let score = |exit: &&Exit| {
        let mut hash = Sha256::new();
        hash.update(mailbox.as_bytes());
        hash.update([0]);
        hash.update(exit.ip().to_string().as_bytes());
        hash.finalize()
    };
    egress.iter().filter(|exit| exit.ip().is_ipv6() == v6).max_by_key(score)
}
