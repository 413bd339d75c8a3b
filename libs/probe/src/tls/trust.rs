//! What certificates are trusted, shared by all legs.
//!
//! The root store and the crypto provider are built once; a connection pays for a small
//! clone of the configuration and nothing else. Sessions are never resumed: a resumed
//! session would skip the look at the certificate, which is what a check is for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

/// Intermediate certificates that are remembered, at most; the oldest goes first.
/// A few dozen issue nearly all certificates of public mail servers.
const MAX_INTERMEDIATES: usize = 128;
/// Largest intermediate that is remembered, in bytes. Real ones have 1 to 2 KiB.
const MAX_INTERMEDIATE: usize = 4096;

/// Why there is nothing to trust.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system offers no usable root, and the caller named none.
    #[error("no trusted root certificate found")]
    NoRoots,
    /// A root that the caller named is no certificate.
    #[error("root certificate {position} cannot be read")]
    Root {
        /// Its place in the list, counted from 1.
        position: usize,
        /// What the parser says.
        #[source]
        source: rustls::Error,
    },
    /// The crypto provider does not support the TLS versions that we need.
    #[error("the crypto provider lacks TLS 1.2 or 1.3")]
    Provider(#[source] rustls::Error),
}

/// The roots that are trusted, the crypto provider, and the intermediates met so far.
///
/// Cloning is cheap and shares everything.
#[derive(Debug, Clone)]
pub struct Trust {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    roots: Arc<RootCertStore>,
    named: Vec<CertificateDer<'static>>,
    template: ClientConfig,
    algorithms: WebPkiSupportedAlgorithms,
    intermediates: Mutex<VecDeque<CertificateDer<'static>>>,
}

impl Trust {
    /// Trusts the system's roots and the given ones.
    ///
    /// Reads files, so it belongs to the start of a program.
    ///
    /// # Errors
    /// If a given root is no certificate, or there is no root at all.
    pub fn system(
        extra_roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        // Some system stores hold certificates that webpki cannot read; the others count.
        let (_, _) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let named = add_named(&mut roots, extra_roots)?;
        if roots.is_empty() {
            return Err(Error::NoRoots);
        }
        Self::build(roots, named)
    }

    /// Trusts the given roots and nothing else; none at all is allowed.
    ///
    /// # Errors
    /// If one of them is no certificate.
    pub fn only(roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Result<Self, Error> {
        let mut store = RootCertStore::empty();
        let named = add_named(&mut store, roots)?;
        Self::build(store, named)
    }

    fn build(roots: RootCertStore, named: Vec<CertificateDer<'static>>) -> Result<Self, Error> {
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let roots = Arc::new(roots);
        let mut template = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::Provider)?
            .with_root_certificates(Arc::clone(&roots))
            .with_no_client_auth();
        template.resumption = Resumption::disabled();
        let intermediates = Mutex::new(VecDeque::new());
        let shared = Shared { roots, named, template, algorithms, intermediates };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The trusted roots.
    pub(super) fn roots(&self) -> &RootCertStore {
        &self.shared.roots
    }

    /// The roots that the operator named beside the system's.
    pub(super) fn named(&self) -> &[CertificateDer<'static>] {
        &self.shared.named
    }

    /// A configuration to put the connection's own verifier into.
    pub(super) fn config(&self) -> ClientConfig {
        self.shared.template.clone()
    }

    /// The signatures that can be verified.
    pub(super) fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.shared.algorithms
    }

    /// The intermediates that verified chains have shown so far.
    pub(super) fn intermediates(&self) -> Vec<CertificateDer<'static>> {
        let known = self.shared.intermediates.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().cloned().collect()
    }

    /// Remembers the intermediates of a chain that leads to a shared root. They later prove
    /// that another server, which sends its own certificate alone, forgot one of them.
    pub(super) fn remember(&self, intermediates: &[CertificateDer<'_>]) {
        if intermediates.is_empty() {
            return;
        }
        let mut known = self.shared.intermediates.lock().unwrap_or_else(PoisonError::into_inner);
        for certificate in intermediates.iter().filter(|c| c.len() <= MAX_INTERMEDIATE) {
            if known.iter().any(|k| k == certificate) {
                continue;
            }
            if known.len() >= MAX_INTERMEDIATES {
                known.pop_front();
            }
            known.push_back(certificate.clone().into_owned());
        }
    }
}

fn add_named(
    store: &mut RootCertStore,
    roots: impl IntoIterator<Item = CertificateDer<'static>>,
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut named = Vec::new();
    for (index, root) in roots.into_iter().enumerate() {
        let position = index.saturating_add(1);
        store.add(root.clone()).map_err(|source| Error::Root { position, source })?;
        named.push(root);
    }
    Ok(named)
}
