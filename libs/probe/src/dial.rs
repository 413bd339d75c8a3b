//! Connecting: every address of the host in turn, from the right source address.
//!
//! One socket at a time. The source address is chosen by rendezvous hash, so that a
//! mailbox always leaves from the same one as long as the pool keeps it. A member of a
//! pool may be a SOCKS5 proxy: then its address takes the place of the source address.

mod exit;
mod socks5;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mailfleet_model::evidence::AddressAttempt;
use mailfleet_model::{Evidence, Fault, FaultCode, Leg};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};

pub use exit::{Exit, choose_egress, source_for};
pub use socks5::{ProxyTrouble, Socks5, UnfitLogin};

/// Time for one address while others remain to be tried.
const TIME_WHILE_OTHERS_REMAIN: Duration = Duration::from_secs(5);

/// The way a connection took: what a second socket to the same place needs.
#[derive(Debug, Clone)]
pub struct Route {
    /// The server's address and port.
    pub address: SocketAddr,
    /// The way out; `None` where the system chose.
    pub egress: Option<Exit>,
}

impl Route {
    /// The way to another port or address from the same way out.
    #[must_use]
    pub fn to(&self, address: SocketAddr) -> Self {
        Self { address, egress: self.egress.clone() }
    }

    /// Opens another socket to the same place by the same way out.
    ///
    /// # Errors
    /// An error of the kind that the failure is: `TimedOut` after `limit`.
    pub async fn redial(&self, limit: Duration) -> io::Result<TcpStream> {
        self.connect(limit).await.map_err(|failure| failure.kind().into())
    }

    async fn connect(&self, limit: Duration) -> Result<TcpStream, Failure> {
        let source = match &self.egress {
            Some(Exit::Socks5(proxy)) => return proxy.connect(self.address, limit).await,
            Some(Exit::Address(source)) => Some(*source),
            None => None,
        };
        match timeout(limit, connect(self.address, source)).await {
            Ok(result) => result.map_err(|error| Failure::of(&error)),
            Err(_) => Err(Failure::TimedOut),
        }
    }

    /// The address that the server sees of a socket that took this way, if it is known.
    #[must_use]
    pub fn seen_as(&self, stream: &TcpStream) -> Option<IpAddr> {
        match &self.egress {
            Some(Exit::Socks5(proxy)) => Some(proxy.exit()),
            Some(Exit::Address(_)) | None => local_ip(stream),
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
/// `egress` lists the members of the pool; with none the system chooses. Families
/// without an egress address are skipped. The caller bounds the time as a whole;
/// `last` bounds the last address.
///
/// # Errors
/// A fault that tells refused, silent and unreachable apart, with all attempts as evidence.
pub async fn dial(
    leg: Leg,
    addresses: &[IpAddr],
    port: u16,
    egress: &[Exit],
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
        let failure = match route.connect(limit).await {
            Ok(stream) => {
                let warnings = ipv6_warning(leg, attempts, &failures, route);
                return Ok(Dialled { stream, route: route.clone(), warnings });
            }
            Err(failure) => failure,
        };
        attempts.push(AddressAttempt {
            address: route.address,
            outcome: failure.to_string(),
            elapsed: began.elapsed(),
        });
        failures.push(failure);
    }
    let evidence = Evidence { attempts, ..Evidence::default() };
    Err(Box::new(Fault::new(judge(&failures), leg).with_evidence(evidence)))
}

/// How one attempt failed. `Display` is what the report says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Failure {
    #[error("refused")]
    Refused,
    #[error("timed out")]
    TimedOut,
    #[error("unreachable")]
    Unreachable,
    #[error("our source address is not on this host")]
    SourceMissing,
    /// The proxy did not get as far as the server. Its name is nobody else's business.
    #[error("our proxy {0}")]
    Exit(ProxyTrouble),
    #[error("failed")]
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

    fn kind(self) -> io::ErrorKind {
        match self {
            Self::Refused => io::ErrorKind::ConnectionRefused,
            Self::TimedOut => io::ErrorKind::TimedOut,
            Self::Unreachable => io::ErrorKind::NetworkUnreachable,
            Self::SourceMissing => io::ErrorKind::AddrNotAvailable,
            Self::Exit(_) | Self::Other => io::ErrorKind::Other,
        }
    }

    /// Whether it is our own trouble, and says nothing about the server.
    fn is_ours(self) -> bool {
        matches!(self, Self::SourceMissing | Self::Exit(_))
    }
}

/// The code for a host all of whose addresses failed: the one that says most.
fn judge(failures: &[Failure]) -> FaultCode {
    let has = |failure| failures.contains(&failure);
    if has(Failure::TimedOut) {
        FaultCode::ConnectTimeout
    } else if has(Failure::Refused) {
        FaultCode::ConnectRefused
    } else if failures.iter().any(|failure| failure.is_ours()) {
        FaultCode::EgressPoolEmpty
    } else {
        FaultCode::NetworkUnreachable
    }
}

fn no_way(leg: Leg, egress: &[Exit]) -> Box<Fault> {
    let code =
        if egress.is_empty() { FaultCode::NetworkUnreachable } else { FaultCode::EgressPoolEmpty };
    Box::new(Fault::new(code, leg))
}

/// Tells that IPv6 does not work, once IPv4 does; a host we have no way to is our affair.
fn ipv6_warning(
    leg: Leg,
    attempts: Vec<AddressAttempt>,
    failures: &[Failure],
    connected: &Route,
) -> Vec<Fault> {
    let broken = attempts.iter().zip(failures).any(|(attempt, failure)| {
        attempt.address.is_ipv6() && !failure.is_ours() && *failure != Failure::Unreachable
    });
    if !broken || connected.address.is_ipv6() {
        return Vec::new();
    }
    let evidence = Evidence { attempts, ..Evidence::default() };
    vec![Fault::new(FaultCode::Ipv6Broken, leg).with_evidence(evidence)]
}

/// The ways to try: IPv6 first where the system has a route or the pool an address.
async fn routes(addresses: &[IpAddr], port: u16, egress: &[Exit], mailbox: &str) -> Vec<Route> {
    let mut routes = Vec::new();
    for v6 in [true, false] {
        for &ip in addresses.iter().filter(|ip| ip.is_ipv6() == v6) {
            let address = SocketAddr::new(ip, port);
            if !egress.is_empty() {
                if let Some(exit) = choose_egress(egress, mailbox, v6) {
                    routes.push(Route { address, egress: Some(exit.clone()) });
                }
            } else if !v6 || has_route(address).await {
                routes.push(Route { address, egress: None });
            }
        }
    }
    routes
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
