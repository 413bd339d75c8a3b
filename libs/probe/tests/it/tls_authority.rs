//! Certificates made on the spot, good and bad, and a TLS server that shows them once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The host that good certificates are for.
pub(crate) const HOST: &str = "imap.example.test";

/// An authority: a root, or one below it.
pub(crate) struct Authority {
    /// Its certificate.
    pub(crate) certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate is to look like; good by default.
pub(crate) struct Leaf {
    /// Names of the subjectAltName.
    pub(crate) names: Vec<&'static str>,
    /// Common name.
    pub(crate) common: &'static str,
    /// Validity in days from now.
    pub(crate) days: (i64, i64),
    /// Whether it is marked as an authority.
    pub(crate) is_ca: IsCa,
    /// Extended key usages.
    pub(crate) usages: Vec<ExtendedKeyUsagePurpose>,
    /// Further extensions.
    pub(crate) extensions: Vec<CustomExtension>,
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            names: vec![HOST],
            common: HOST,
            days: (-1, 60),
            is_ca: IsCa::ExplicitNoCa,
            usages: vec![ExtendedKeyUsagePurpose::ServerAuth],
            extensions: Vec::new(),
        }
    }
}

/// A certificate with its key and the certificates that a server sends behind it.
pub(crate) struct Identity {
    /// Leaf first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Identity {
    /// Sends these certificates behind the leaf.
    pub(crate) fn with(mut self, others: &[&Authority]) -> Self {
        self.chain.extend(others.iter().map(|authority| authority.certificate.clone()));
        self
    }

    /// The leaf as DER.
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.chain[0].clone()
    }
}

fn params(leaf: &Leaf) -> CertificateParams {
    let names: Vec<String> = leaf.names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("valid names");
    params.distinguished_name = named(leaf.common);
    params.not_before = in_days(leaf.days.0);
    params.not_after = in_days(leaf.days.1);
    params.is_ca = leaf.is_ca;
    params.extended_key_usages = leaf.usages.clone();
    params.custom_extensions = leaf.extensions.clone();
    params
}

fn named(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

fn in_days(days: i64) -> OffsetDateTime {
    OffsetDateTime::from(SystemTime::now()) + time::Duration::days(days)
}

fn authority_params(common: &str, days: (i64, i64)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(common);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = in_days(days.0);
    params.not_after = in_days(days.1);
    params
}

impl Authority {
    /// A root.
    pub(crate) fn root(common: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = authority_params(common, (-100, 400));
        let certificate = params.self_signed(&key).expect("signs itself").der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// An authority below this one, valid for the given days from now.
    pub(crate) fn below(&self, common: &str, days: (i64, i64)) -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = authority_params(common, days);
        let certificate = params.signed_by(&key, &self.issuer).expect("signs").der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A server's certificate, signed by this authority.
    pub(crate) fn issue(&self, leaf: &Leaf) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let signed: Certificate = params(leaf).signed_by(&key, &self.issuer).expect("signs");
        Identity { chain: vec![signed.der().clone()], key }
    }
}

/// A certificate that signed itself.
pub(crate) fn self_signed(leaf: &Leaf) -> Identity {
    let key = KeyPair::generate().expect("a key");
    let signed = params(leaf).self_signed(&key).expect("signs itself");
    Identity { chain: vec![signed.der().clone()], key }
}

/// A server's configuration with this identity, for TLS 1.2 and 1.3.
pub(crate) fn config(identity: &Identity) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shows(certified(identity))));
    Arc::new(config)
}

/// Shows one certificate whatever is wrong with it; the library's own resolver looks first.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn certified(identity: &Identity) -> Arc<CertifiedKey> {
    let der = PrivateKeyDer::try_from(identity.key.serialize_der()).expect("a key");
    let key = rustls::crypto::ring::sign::any_supported_type(&der).expect("a usable key");
    Arc::new(CertifiedKey::new(identity.chain.clone(), key))
}

/// Serves TLS on loopback: greets each peer, then waits for the end of the connection.
/// Lives as long as the test's runtime.
pub(crate) async fn serve(config: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = TlsAcceptor::from(config);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let greeted = stream.write_all(b"* OK ready\r\n").await;
                let mut rest = Vec::new();
                if greeted.is_ok() {
                    let _ = stream.read_to_end(&mut rest).await;
                }
            });
        }
    });
    address
}

/// A bound on every wait of these tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
