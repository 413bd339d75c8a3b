//! What can go wrong on our own side: certificates, sockets, scripts.
//!
//! The troubles that a simulated server shows on purpose are `Fault`s, never errors.

use std::io;

use crate::script::ScriptError;

/// Why a simulated server could not start, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A certificate or key could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused a configuration.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The client certificate verifier could not be built.
    #[error("cannot set up the check of client certificates")]
    ClientVerifier(#[from] rustls::server::VerifierBuilderError),
    /// The listening socket could not be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where it should have listened.
        address: std::net::SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A rule that its protocol or step does not allow.
    #[error("{fault} cannot happen at {step} of {protocol}")]
    Rule {
        /// The fault, as the script writes it.
        fault: String,
        /// The step.
        step: crate::Step,
        /// The server's protocol.
        protocol: crate::Protocol,
    },
    /// A script that could not be read.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A session of the simulator panicked: a bug of the simulator, never of the client.
    #[error("{count} sessions panicked, the first with: {first}")]
    Panicked {
        /// How many.
        count: usize,
        /// The first panic's message.
        first: String,
    },
}
