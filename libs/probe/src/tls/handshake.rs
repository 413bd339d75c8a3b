//! The handshake of one connection, and what it told.
//!
//! Certificate problems never end the handshake: it is completed, so that version, cipher
//! and the whole chain are known, and in strict mode the connection is closed before a
//! byte of the dialogue is sent. Time is the caller's to bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use mailfleet_model::tls::{CertificatePolicy, TlsFacts, TlsPolicy};
use mailfleet_model::{Fault, FaultCode, Host, Leg};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ClientConnection, SignatureScheme};
use rustls_pki_types::ServerName;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::TlsStream;
use super::failure::{Cause, Failure};
use super::problem::Problem;
use super::tap::Tapped;
use super::trust::Trust;
use super::verifier::{Anchors, Record, Recorder};

/// What the connection must satisfy.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The host as the user gave it: what the certificate must be for.
    pub host: &'a Host,
    /// What is demanded of the certificate.
    pub policy: &'a TlsPolicy,
    /// The leg that faults are reported for.
    pub leg: Leg,
    /// The time that certificates are judged by.
    pub now: SystemTime,
}

/// How a handshake ended.
#[derive(Debug)]
pub enum Handshake {
    /// A session that may be used.
    Established {
        /// The session; nothing was read from it or written to it yet.
        stream: Box<TlsStream>,
        /// What the handshake told.
        facts: TlsFacts,
        /// Certificate problems that the policy allows, and a certificate about to expire.
        warnings: Vec<Fault>,
    },
    /// The handshake succeeded, the certificate is bad and the policy strict: closed.
    Rejected {
        /// What the handshake told.
        facts: TlsFacts,
        /// Every certificate problem, the weightiest first; never empty.
        faults: Vec<Fault>,
    },
    /// No usable connection came about; [`super::explain`] knows more.
    Failed(Failure),
}

/// Performs the TLS handshake on a connected stream.
///
/// The stream is closed unless a session is established. Not bounded in time. Dropping
/// the future closes the connection.
pub async fn handshake(trust: &Trust, wanted: &Wanted<'_>, stream: TcpStream) -> Handshake {
    let facts =
        TlsFacts { server_name: wanted.host.name().map(str::to_owned), ..TlsFacts::default() };
    let Some(name) = server_name(wanted.host) else {
        let cause = Cause::Other("the host name cannot be sent in a handshake".to_owned());
        return Handshake::Failed(Failure { cause, facts, client_certificate_asked: false });
    };
    let anchors = Anchors::new(trust, &wanted.policy.extra_roots);
    let recorder = Recorder::new(anchors, wanted.host.clone(), wanted.now);
    let asked = Arc::new(ClientCertificate::default());
    let mut config = trust.config();
    config.dangerous().set_certificate_verifier(Arc::clone(&recorder) as _);
    config.client_auth_cert_resolver = Arc::clone(&asked) as _;
    let connect = TlsConnector::from(Arc::new(config)).connect(name, Tapped::new(stream));
    match connect.into_fallible().await {
        Ok(mut stream) => {
            stream.get_mut().0.forget();
            conclude(wanted, stream, recorder.take(), facts).await
        }
        Err((error, tapped)) => {
            let facts = TlsFacts { chain: recorder.take().chain, ..facts };
            let cause = Cause::of(&error, tapped.into_first());
            let client_certificate_asked = asked.was_asked();
            Handshake::Failed(Failure { cause, facts, client_certificate_asked })
        }
    }
}

/// Judges a completed handshake by the policy.
async fn conclude(
    wanted: &Wanted<'_>,
    mut stream: TlsStream,
    record: Record,
    facts: TlsFacts,
) -> Handshake {
    let facts = with_session(facts, stream.get_ref().1, &record);
    let policy = wanted.policy.certificates;
    let mut faults: Vec<_> =
        record.problems.iter().map(|p| p.fault(wanted.leg, &facts, policy)).collect();
    let is_rejected = policy == CertificatePolicy::Strict && !faults.is_empty();
    if record.expires_soon {
        let soon = Problem::new(FaultCode::TlsCertExpiresSoon);
        faults.push(soon.fault(wanted.leg, &facts, CertificatePolicy::AllowInsecure));
    }
    if is_rejected {
        // A server that does not take the farewell is none of our concern any more; what
        // fits the socket's buffer is sent, and nothing is waited for.
        let _ = futures::poll!(std::pin::pin!(stream.shutdown()));
        return Handshake::Rejected { facts, faults };
    }
    Handshake::Established { stream: Box::new(stream), facts, warnings: faults }
}

fn with_session(facts: TlsFacts, session: &ClientConnection, record: &Record) -> TlsFacts {
    let version = session.protocol_version().map(|version| match version {
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
        other => format!("{other:?}"),
    });
    let cipher = session.negotiated_cipher_suite().map(|suite| cipher_name(suite.suite()));
    let verified = record.problems.is_empty();
    TlsFacts { version, cipher, verified, chain: record.chain.clone(), ..facts }
}

/// IANA's name; the library spells the suites of TLS 1.3 in its own way.
fn cipher_name(suite: CipherSuite) -> String {
    let name = format!("{suite:?}");
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name,
    }
}

/// The host for the TLS library: a name is sent as SNI, an address is not (RFC 6066
/// section 3).
fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Name(name) => ServerName::try_from(name.clone()).ok(),
        Host::Ip(ip) => Some(ServerName::IpAddress((*ip).into())),
    }
}

/// Notices that the server asked for a certificate of ours; we have none to give.
#[derive(Debug, Default)]
struct ClientCertificate {
    asked: AtomicBool,
}

impl ClientCertificate {
    fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
