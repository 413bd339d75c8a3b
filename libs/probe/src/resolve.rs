//! Host names to addresses: once per leg, and only the addresses found then are used.
//!
//! One resolution a leg, pinned: an answer that changes between the check of the
//! target guard and the connection cannot be used (DNS rebinding).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use mailfleet_model::Host;

/// Most addresses of a host that are looked at.
const MAX_ADDRESSES: usize = 16;
/// Most aliases of a host that are looked at, one after the other.
const MAX_ALIASES: usize = 8;

/// What a host name stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Its addresses, in the resolver's order, at most 16. Never empty.
    pub addresses: Vec<IpAddr>,
    /// The names that it is an alias of (CNAME, RFC 1034 section 3.6.2), in the order in which
    /// one leads to the next: lower-case, without the final dot, at most 8.
    pub aliases: Vec<String>,
}

impl From<Vec<IpAddr>> for Resolved {
    fn from(addresses: Vec<IpAddr>) -> Self {
        Self { addresses, aliases: Vec::new() }
    }
}

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
        Self::built(TokioResolver::builder_tokio().map_err(Error::Configuration)?)
    }

    fn built(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<Self, Error> {
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // A search list would send `imap` to `imap.our-own-domain`.
        options.ndots = 0;
        options.preserve_intermediates = true;
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
        self.look_up(host).await.map(|found| found.addresses)
    }

    /// Returns the addresses of a host, and the names that it is an alias of.
    ///
    /// Cancel-safe. The caller bounds the time.
    ///
    /// # Errors
    /// If the name does not exist or the name servers fail.
    pub async fn look_up(&self, host: &Host) -> Result<Resolved, Unresolved> {
        let name = match host {
            Host::Ip(ip) => return Ok(vec![*ip].into()),
            Host::Name(name) => name,
        };
        if let Some(addresses) = self.fixed.get(name) {
            return Ok(addresses.clone().into());
        }
        // RFC 6761 section 6.3: never asked of a name server.
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].into());
        }
        let Some(system) = &self.system else { return Err(Unresolved::NotFound) };
        let found =
            system.lookup_ip(format!("{name}.")).await.map_err(|error| unresolved(&error))?;
        let addresses: Vec<IpAddr> = found.iter().take(MAX_ADDRESSES).collect();
        if addresses.is_empty() {
            return Err(Unresolved::NotFound);
        }
        let aliases = aliases(name, found.as_lookup().answers());
        Ok(Resolved { addresses, aliases })
    }
}

/// Follows the aliases of a name through an answer, whatever the order of its records; a circle,
/// and what nothing leads to, ends it.
fn aliases(name: &str, answers: &[Record]) -> Vec<String> {
    let mut targets: HashMap<String, String> = HashMap::new();
    for record in answers {
        if let RData::CNAME(target) = &record.data {
            targets.insert(plain(&record.name), plain(&target.0));
        }
    }
    let mut chain: Vec<String> = Vec::new();
    let mut next = targets.remove(&name.to_ascii_lowercase());
    while let Some(target) = next.filter(|_| chain.len() < MAX_ALIASES) {
        next = targets.remove(&target);
        chain.push(target);
    }
    chain
}

/// A name as hosts are written: lower-case, without the final dot.
fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::str::FromStr;

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::proto::op::Message;
    use hickory_resolver::proto::rr::RecordType;
    use hickory_resolver::proto::rr::rdata::{A, CNAME};
    use tokio::net::UdpSocket;
    use tokio::task::JoinSet;

    use super::*;

    fn alias(name: &str, target: &str) -> Record {
        Record::from_rdata(dns(name), 60, RData::CNAME(CNAME(dns(target))))
    }

    fn dns(name: &str) -> Name {
        Name::from_str(&format!("{name}.")).expect("a name")
    }

    /// A name server on loopback that gives the same records to whoever asks for addresses.
    async fn name_server(records: Vec<Record>) -> (SocketAddr, JoinSet<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let asked = Message::from_vec(&buffer[..length]).expect("a question");
                let wants_v4 =
                    asked.queries.first().is_some_and(|query| query.query_type() == RecordType::A);
                let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
                answer.add_queries(asked.queries);
                let is_told = |record: &&Record| wants_v4 || record.record_type() != RecordType::A;
                answer.add_answers(records.iter().filter(is_told).cloned());
                let bytes = answer.to_vec().expect("an answer");
                socket.send_to(&bytes, from).await.expect("somebody listens");
            }
        });
        (address, tasks)
    }

    fn asking(server: SocketAddr) -> Resolver {
        let mut connection = ConnectionConfig::udp();
        connection.port = server.port();
        let server = NameServerConfig::new(server.ip(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let provider = TokioRuntimeProvider::default();
        Resolver::built(TokioResolver::builder_with_config(config, provider)).expect("a resolver")
    }

    #[tokio::test]
    async fn a_host_tells_whose_alias_it_is() {
        let address = Ipv4Addr::new(203, 0, 113, 9);
        let (server, _tasks) = name_server(vec![
            alias("mail.customer.test", "mx.Customer.test"),
            alias("mx.customer.test", "outlook.office365.com"),
            Record::from_rdata(dns("outlook.office365.com"), 60, RData::A(A(address))),
        ])
        .await;
        let host: Host = "mail.customer.test".parse().expect("a host");
        let found = asking(server).look_up(&host).await.expect("an answer");
        assert_eq!(found.addresses, [IpAddr::from(address)]);
        assert_eq!(found.aliases, ["mx.customer.test", "outlook.office365.com"]);
    }

    #[test]
    fn aliases_are_followed_in_any_order_never_in_circles_and_not_for_ever() {
        let answers =
            [alias("b.test", "c.test"), alias("A.test", "b.test"), alias("x.test", "y.test")];
        assert_eq!(aliases("a.test", &answers), ["b.test", "c.test"]);
        let circle = [alias("a.test", "b.test"), alias("b.test", "a.test")];
        assert_eq!(aliases("a.test", &circle), ["b.test", "a.test"]);
        let long: Vec<Record> =
            (0..100).map(|n| alias(&format!("h{n}.test"), &format!("h{}.test", n + 1))).collect();
        assert_eq!(aliases("h0.test", &long).len(), MAX_ALIASES);
        assert!(aliases("none.test", &long).is_empty());
    }
}
