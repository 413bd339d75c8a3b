//! Server-side TLS: the configuration of each certificate case.
//!
//! Apart from `certificate`, which makes the chains: here they meet versions and client
//! certificates. Versions older than 1.2 are `legacy`'s.

use std::sync::Arc;

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use rustls_pki_types::CertificateDer;

use crate::certificate::{Certificate, Chain};
use crate::error::Error;
use crate::server::{ClientCertificate, Versions};

/// What makes two TLS configurations equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ConfigKey {
    pub(crate) certificate: Certificate,
    pub(crate) names: Vec<String>,
    pub(crate) versions: Versions,
    pub(crate) client: ClientCertificate,
}

const TLS12: &[&SupportedProtocolVersion] = &[&version::TLS12];
const MODERN: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

/// Builds the configuration. No session storage and no tickets: every session is a full
/// handshake, and 10,000 sessions leave nothing behind.
pub(crate) fn config(
    key: &ConfigKey,
    chain: &Chain,
    root: CertificateDer<'static>,
) -> Result<ServerConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = match key.versions {
        Versions::Tls12 => TLS12,
        Versions::Modern | Versions::Legacy(_) => MODERN,
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)?;
    let builder = match key.client {
        ClientCertificate::NotAsked => builder.with_no_client_auth(),
        ClientCertificate::Required => {
            let mut roots = RootCertStore::empty();
            roots.add(root)?;
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain.certificates.clone(), chain.key())?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
