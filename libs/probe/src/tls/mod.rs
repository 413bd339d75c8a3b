//! TLS (signatures; the implementation follows in this folder).

use std::time::{Duration, SystemTime};

use mailfleet_model::tls::{TlsFacts, TlsPolicy};
use mailfleet_model::{Endpoint, Fault, FaultCode, Host, Leg, Suggestion};
use tokio::net::TcpStream;

use crate::dial::Route;
use crate::resolve::Resolver;
use crate::stream::Io;

/// Trusted roots.
#[derive(Debug)]
pub struct Trust;

/// What is wanted of the server.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Host asked for.
    pub host: &'a Host,
    /// Demands on certificates.
    pub policy: &'a TlsPolicy,
    /// The leg.
    pub leg: Leg,
    /// The time to judge certificates at.
    pub now: SystemTime,
}

/// How a handshake ended.
pub enum Handshake {
    /// Usable.
    Established {
        /// The stream.
        stream: Box<dyn Io>,
        /// Facts.
        facts: TlsFacts,
        /// Warnings.
        warnings: Vec<Fault>,
    },
    /// Certificate problems.
    Rejected {
        /// Facts.
        facts: TlsFacts,
        /// Faults.
        faults: Vec<Fault>,
    },
    /// No connection.
    Failed(Failure),
}

/// Why.
#[derive(Debug)]
pub struct Failure;

/// What a failed handshake means.
#[derive(Debug)]
pub struct Explanation {
    /// Facts.
    pub facts: Option<TlsFacts>,
    /// Faults, not empty.
    pub faults: Vec<Fault>,
    /// Suggestions.
    pub suggestions: Vec<Suggestion>,
}

/// Shakes hands.
pub async fn handshake(_trust: &Trust, _wanted: &Wanted<'_>, _stream: TcpStream) -> Handshake {
    Handshake::Failed(Failure)
}

/// Explains a failed handshake by further connections.
pub async fn explain(
    _failure: Failure,
    _asked: &Endpoint,
    leg: Leg,
    _route: Route,
    _budget: Duration,
) -> Explanation {
    Explanation {
        facts: None,
        faults: vec![Fault::new(FaultCode::TlsHandshakeFailed, leg)],
        suggestions: Vec::new(),
    }
}

/// Explains silence on a port that should greet in plaintext: does it expect TLS?
pub async fn explain_silence(
    _asked: &Endpoint,
    _leg: Leg,
    _route: Route,
    _budget: Duration,
) -> Option<Explanation> {
    None
}

/// A client certificate that is demanded after a TLS 1.3 handshake shows at the first read.
#[must_use]
pub fn fault_of_read_error(_error: &std::io::Error, _leg: Leg) -> Option<Fault> {
    None
}

/// Names of the certificate that resolve to the connected address.
pub async fn name_suggestions(
    _resolver: &Resolver,
    _facts: &TlsFacts,
    _asked: &Endpoint,
    _leg: Leg,
    _route: Route,
) -> Vec<Suggestion> {
    Vec::new()
}
