//! Host names to addresses: once per leg, and only the addresses found then are used.
//!
//! One resolution a leg, pinned: an answer that changes between the check of the
//! target guard and the connection cannot be used (DNS rebinding).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use mailfleet_model::Host;

/// Most addresses of a host that are looked at.
const MAX_ADDRESSES: usize = 16;

/// Finds the addresses of hosts. Cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    fixed: HashMap<String, Vec<IpAddr>>,
    system: Option<TokioResolver>,
}

/// Our own trouble with the resolver's set-up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system's resolver configuration cannot be used.
    #[error("cannot use the system's resolver configuration")]
    Configuration(#[source] NetError),
}

/// Why a host has no addresses: the mailbox's trouble, in the resolver's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// The name does not exist, or has neither A nor AAAA.
    NotFound,
    /// The name servers did not answer properly; the text says how.
    Failure(String),
}

impl Resolver {
    /// Uses the system's name servers and hosts file.
    ///
    /// # Errors
    /// If the system's configuration cannot be read.
    pub fn system() -> Result<Self, Error> {
        let mut builder = TokioResolver::builder_tokio().map_err(Error::Configuration)?;
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // A search list would send `imap` to `imap.our-own-domain`.
        options.ndots = 0;
        let system = builder.build().map_err(Error::Configuration)?;
        Ok(Self { fixed: HashMap::new(), system: Some(system) })
    }

    /// Knows only these names: for tests and demonstrations without a network.
    #[must_use]
    pub fn fixed(names: impl IntoIterator<Item = (String, Vec<IpAddr>)>) -> Self {
        Self { fixed: names.into_iter().collect(), system: None }
    }

    /// Answers these names itself, before it asks anybody.
    #[must_use]
    pub fn with_fixed(mut self, names: impl IntoIterator<Item = (String, Vec<IpAddr>)>) -> Self {
        self.fixed.extend(names);
        self
    }

    /// Returns the addresses of a host, in the resolver's order, at most 16.
    ///
    /// Cancel-safe. The caller bounds the time.
    ///
    /// # Errors
    /// If the name does not exist or the name servers fail.
    pub async fn resolve(&self, host: &Host) -> Result<Vec<IpAddr>, Unresolved> {
        let name = match host {
            Host::Ip(ip) => return Ok(vec![*ip]),
            Host::Name(name) => name,
        };
        if let Some(addresses) = self.fixed.get(name) {
            return Ok(addresses.clone());
        }
        // RFC 6761 section 6.3: never asked of a name server.
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let Some(system) = &self.system else { return Err(Unresolved::NotFound) };
        match system.lookup_ip(format!("{name}.")).await {
            Ok(found) => {
                let addresses: Vec<IpAddr> = found.iter().take(MAX_ADDRESSES).collect();
                if addresses.is_empty() { Err(Unresolved::NotFound) } else { Ok(addresses) }
            }
            Err(error) => Err(unresolved(&error)),
        }
    }
}

/// Tells "no such name" from "no proper answer".
fn unresolved(error: &NetError) -> Unresolved {
    if let NetError::Dns(DnsError::NoRecordsFound(none)) = error
        && matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError)
    {
        return Unresolved::NotFound;
    }
    Unresolved::Failure(error.to_string())
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let system = if self.system.is_some() { "system" } else { "none" };
        f.debug_struct("Resolver").field("fixed", &self.fixed).field("servers", &system).finish()
    }
}
