//! Connecting: every address of the host in turn, from the right source address.
//!
//! One socket at a time. The source address is chosen by rendezvous hash, so that a
//! mailbox always leaves from the same one as long as the pool keeps it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mailfleet_model::evidence::AddressAttempt;
use mailfleet_model::{Evidence, Fault, FaultCode, Leg};
use nix::sys::socket::{setsockopt, sockopt};
use sha2::{Digest, Sha256};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};

/// Time for one address while others remain to be tried.
const TIME_WHILE_OTHERS_REMAIN: Duration = Duration::from_secs(5);

/// The way a connection took: what a second socket to the same place needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The server's address and port.
    pub address: SocketAddr,
    /// The source address that was bound; `None` where the system chose.
    pub egress: Option<IpAddr>,
}

impl Route {
    /// Opens another socket to the same place from the same source address.
    ///
    /// # Errors
    /// The operating system's error, or `TimedOut` after `limit`.
    pub async fn redial(&self, limit: Duration) -> io::Result<TcpStream> {
        match timeout(limit, connect(self.address, self.egress)).await {
            Ok(result) => result,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// A connected socket, with what was met on the way.
#[derive(Debug)]
pub struct Dialled {
    /// The socket.
    pub stream: TcpStream,
    /// Where it goes, and from where.
    pub route: Route,
    /// Faults that did not prevent the connection (broken IPv6).
    pub warnings: Vec<Fault>,
}

/// Connects to the first address that answers, IPv6 first where there is a way.
///
/// `egress` lists the pool's source addresses; with none the system chooses. Families
/// without an egress address are skipped. The caller bounds the time as a whole;
/// `last` bounds the last address.
///
/// # Errors
/// A fault that tells refused, silent and unreachable apart, with all attempts as evidence.
pub async fn dial(
    leg: Leg,
    addresses: &[IpAddr],
    port: u16,
    egress: &[IpAddr],
    mailbox: &str,
    last: Duration,
) -> Result<Dialled, Box<Fault>> {
    let routes = routes(addresses, port, egress, mailbox).await;
    if routes.is_empty() {
        return Err(no_way(leg, egress));
    }
    let mut attempts = Vec::new();
    let mut failures = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        let others_remain = routes.get(index.saturating_add(1)).is_some();
        let limit = if others_remain { TIME_WHILE_OTHERS_REMAIN.min(last) } else { last };
        let began = Instant::now();
        let result = route.redial(limit).await;
        let failure = match result {
            Ok(stream) => {
                let warnings = ipv6_warning(leg, &attempts, *route);
                return Ok(Dialled { stream, route: *route, warnings });
            }
            Err(error) => Failure::of(&error),
        };
        attempts.push(AddressAttempt {
            address: route.address,
            outcome: failure.words().to_owned(),
            elapsed: began.elapsed(),
        });
        failures.push(failure);
    }
    let evidence = Evidence { attempts, ..Evidence::default() };
    Err(Box::new(Fault::new(judge(&failures), leg).with_evidence(evidence)))
}

/// How one attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    Refused,
    TimedOut,
    Unreachable,
    SourceMissing,
    Other,
}

impl Failure {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Self::Refused,
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Self::Unreachable,
            io::ErrorKind::AddrNotAvailable => Self::SourceMissing,
            _ => Self::Other,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::TimedOut => "timed out",
            Self::Unreachable => "unreachable",
            Self::SourceMissing => "our source address is not on this host",
            Self::Other => "failed",
        }
    }
}

/// The code for a host all of whose addresses failed: the one that says most.
fn judge(failures: &[Failure]) -> FaultCode {
    let has = |failure| failures.contains(&failure);
    if has(Failure::TimedOut) {
        FaultCode::ConnectTimeout
    } else if has(Failure::Refused) {
        FaultCode::ConnectRefused
    } else if has(Failure::SourceMissing) {
        FaultCode::EgressPoolEmpty
    } else {
        FaultCode::NetworkUnreachable
    }
}

fn no_way(leg: Leg, egress: &[IpAddr]) -> Box<Fault> {
    let code =
        if egress.is_empty() { FaultCode::NetworkUnreachable } else { FaultCode::EgressPoolEmpty };
    Box::new(Fault::new(code, leg))
}

/// Tells that IPv6 does not work, once IPv4 does; a host we have no way to is our affair.
fn ipv6_warning(leg: Leg, attempts: &[AddressAttempt], connected: Route) -> Vec<Fault> {
    let unreachable = Failure::Unreachable.words();
    let broken = attempts.iter().any(|a| a.address.is_ipv6() && a.outcome != unreachable);
    if !broken || connected.address.is_ipv6() {
        return Vec::new();
    }
    let evidence = Evidence { attempts: attempts.to_vec(), ..Evidence::default() };
    vec![Fault::new(FaultCode::Ipv6Broken, leg).with_evidence(evidence)]
}

/// The ways to try: IPv6 first where the system has a route or the pool an address.
async fn routes(addresses: &[IpAddr], port: u16, egress: &[IpAddr], mailbox: &str) -> Vec<Route> {
    let mut routes = Vec::new();
    for v6 in [true, false] {
        for &ip in addresses.iter().filter(|ip| ip.is_ipv6() == v6) {
            let address = SocketAddr::new(ip, port);
            if !egress.is_empty() {
                if let Some(source) = choose_egress(egress, mailbox, v6) {
                    routes.push(Route { address, egress: Some(source) });
                }
            } else if !v6 || has_route(address).await {
                routes.push(Route { address, egress: None });
            }
        }
    }
    routes
}

/// The source address that a mailbox's sockets are counted by, before its host is resolved
/// and the family is known: the IPv4 one where the pool has any, otherwise the IPv6 one.
///
/// It is the address that is really used wherever the pool has addresses of one family,
/// or the host has. Only a host with IPv6, reached from a pool of both families, is left
/// for from the mailbox's IPv6 address and counted by its IPv4 one.
#[must_use]
pub fn source_for(mailbox: &str, addresses: &[IpAddr]) -> Option<IpAddr> {
    let choose = |v6| choose_egress(addresses, mailbox, v6);
    choose(false).or_else(|| choose(true))
}

/// Chooses the source address of a mailbox: highest rendezvous score of its family.
#[must_use]
pub fn choose_egress(egress: &[IpAddr], mailbox: &str, v6: bool) -> Option<IpAddr> {
    let score = |ip: &IpAddr| {
        let mut hash = Sha256::new();
        hash.update(mailbox.as_bytes());
        hash.update([0]);
        hash.update(ip.to_string().as_bytes());
        hash.finalize()
    };
    egress.iter().copied().filter(|ip| ip.is_ipv6() == v6).max_by_key(score)
}

/// Whether the system knows a way; connecting a UDP socket sends nothing.
async fn has_route(address: SocketAddr) -> bool {
    let Ok(socket) = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await else { return false };
    socket.connect(address).await.is_ok()
}

async fn connect(address: SocketAddr, egress: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = egress {
        // Without it a source address serves one ephemeral range for all destinations.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind(SocketAddr::new(source, 0))?;
    }
    socket.set_nodelay(true)?;
    let stream = socket.connect(address).await?;
    if stream.peer_addr()?.ip().to_canonical() != address.ip().to_canonical() {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    Ok(stream)
}

/// The source address of a connected socket, if it is a real one.
#[must_use]
pub fn local_ip(stream: &TcpStream) -> Option<IpAddr> {
    let ip = stream.local_addr().ok()?.ip();
    let unspecified = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    (!unspecified.contains(&ip)).then_some(ip)
}

#[cfg(test)]
mod tests;
