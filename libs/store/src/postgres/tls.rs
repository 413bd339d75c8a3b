//! TLS to the database: rustls on ring, the system's roots and those that are configured.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Error;

/// A connector that verifies certificates, names included.
pub(super) fn connector(roots_pem: Option<&str>) -> Result<MakeRustlsConnect, Error> {
    let mut roots = RootCertStore::empty();
    // What the system has and cannot be read is its own matter: verification shows it.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in CertificateDer::pem_slice_iter(roots_pem.unwrap_or_default().as_bytes()) {
        let certificate = certificate.map_err(|error| Error::Roots { source: Box::new(error) })?;
        roots.add(certificate).map_err(|error| Error::Roots { source: Box::new(error) })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Roots { source: Box::new(error) })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
