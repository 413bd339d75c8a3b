//! A certificate verifier that lets the handshake finish and writes down what it saw.
//!
//! The verdict is the TLS library's own, from the same functions that its standard
//! verifier calls; what it refuses is then inspected for every problem at once. The
//! caller reads the record after the handshake and closes the connection if it has to.
//!
//! The handshake's signature, which proves that the server holds the key, is always
//! checked. Only where the key is too old for that (RSA below 2,048 bits, X.509 before
//! version 3) is it let pass, and then the connection counts as weak.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use mailfleet_model::tls::CertificateFacts;
use mailfleet_model::{FaultCode, Host};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::certificate;
use super::chain::MAX_CHAIN;
use super::inspect::{self, MIN_RSA_BITS, Presented, unix_time};
use super::problem::Problem;
use super::trust::Trust;

/// How long before its end a certificate is worth a warning. Renewal by robots happens
/// 30 days before, so 14 days mean that something is stuck.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// The roots of one connection: the shared ones and those of its own policy.
#[derive(Debug)]
pub(super) struct Anchors {
    trust: Trust,
    extra: RootCertStore,
    named: Vec<CertificateDer<'static>>,
}

impl Anchors {
    /// Joins the shared roots with roots for this connection only, given as DER. What is no
    /// certificate adds no trust.
    pub(super) fn new(trust: &Trust, extra_roots: &[Vec<u8>]) -> Self {
        let mut extra = RootCertStore::empty();
        let named: Vec<_> =
            extra_roots.iter().map(|der| CertificateDer::from(der.clone())).collect();
        let (_, _) = extra.add_parsable_certificates(named.iter().cloned());
        Self { trust: trust.clone(), extra, named }
    }

    /// Builds a path from a leaf to a root, as the library's standard verifier does.
    ///
    /// # Errors
    /// The library's reason why there is none.
    pub(super) fn path(
        &self,
        leaf: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let build = |roots: &RootCertStore| {
            let algorithms = self.trust.algorithms().all;
            verify_server_cert_signed_by_trust_anchor(leaf, roots, intermediates, now, algorithms)
        };
        // A path ends in one root, so two stores in turn are as good as their union.
        match build(self.trust.roots()) {
            Err(Error::InvalidCertificate(_)) if !self.extra.is_empty() => build(&self.extra),
            result => result,
        }
    }

    /// Whether the leaf itself was named as trusted.
    pub(super) fn pins(&self, leaf: &CertificateDer<'_>) -> bool {
        self.named_roots().any(|root| root == leaf)
    }

    /// The roots that the operator or the caller named.
    pub(super) fn named_roots(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.trust.named().iter().chain(&self.named)
    }

    /// The subjects of all roots, each as a DER sequence.
    pub(super) fn subjects(&self) -> impl Iterator<Item = Vec<u8>> {
        let all = self.trust.roots().subjects().into_iter().chain(self.extra.subjects());
        all.map(|subject| subject.as_ref().to_vec())
    }

    /// Intermediates that other servers have shown.
    pub(super) fn known_intermediates(&self) -> Vec<CertificateDer<'static>> {
        self.trust.intermediates()
    }

    /// Whether the library would accept the chain for the name at the time.
    fn verdict(&self, presented: &Presented<'_>) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(presented.leaf)?;
        let now = unix_time(presented.now);
        match self.path(&parsed, presented.intermediates, now) {
            Err(error) if self.pins(presented.leaf) => within_dates(presented).ok_or(error)?,
            result => result?,
        }
        verify_server_name(&parsed, presented.name)
    }
}

/// `Some` if the leaf is valid at the time; for a pin, which needs no path.
fn within_dates(presented: &Presented<'_>) -> Option<()> {
    let leaf = certificate::parse(presented.leaf)?;
    let now = i64::try_from(unix_time(presented.now).as_secs()).ok()?;
    let validity = leaf.validity();
    (validity.not_before.timestamp() <= now && now <= validity.not_after.timestamp()).then_some(())
}

/// What the verifier wrote down.
#[derive(Debug, Default, Clone)]
pub(super) struct Record {
    /// The chain as sent; empty if it never came.
    pub(super) chain: Vec<CertificateFacts>,
    /// Why the connection must not be used in strict mode.
    pub(super) problems: Vec<Problem>,
    /// The leaf's end is near.
    pub(super) expires_soon: bool,
}

/// One connection's verifier.
#[derive(Debug)]
pub(super) struct Recorder {
    anchors: Anchors,
    host: Host,
    now: SystemTime,
    record: Mutex<Record>,
}

impl Recorder {
    /// A verifier for one connection to `host`, which judges by the time `now`.
    pub(super) fn new(anchors: Anchors, host: Host, now: SystemTime) -> Arc<Self> {
        Arc::new(Self { anchors, host, now, record: Mutex::default() })
    }

    /// Takes what was written down.
    pub(super) fn take(&self) -> Record {
        std::mem::take(&mut *self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, write: impl FnOnce(&mut Record)) {
        write(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Lets a bad signature pass if the key is too old to be checked at all.
    fn despite_age(
        &self,
        certificate: &CertificateDer<'_>,
        result: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Err(error) = result else { return result };
        let Some(leaf) = certificate::parse(certificate) else { return Err(error) };
        let bits = certificate::rsa_bits(leaf.public_key()).filter(|bits| *bits < MIN_RSA_BITS);
        let is_unreadable = ParsedCertificate::try_from(certificate).is_err();
        match (bits, is_unreadable) {
            (Some(bits), _) => {
                let note = format!("The key is RSA with {bits} bits.");
                let weak = Problem::new(FaultCode::TlsCipherOrKeyWeak).noting(note);
                self.write(|record| {
                    if record.problems.iter().all(|p| p.code != weak.code || p.position != 0) {
                        record.problems.push(weak);
                    }
                });
            }
            // Already recorded as malformed.
            (None, true) => {}
            (None, false) => return Err(error),
        }
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let name = name.to_owned();
        let presented =
            Presented { leaf, intermediates, host: &self.host, name: &name, now: self.now };
        let problems = match self.anchors.verdict(&presented) {
            Ok(()) => {
                if self.anchors.named.is_empty() {
                    self.anchors.trust.remember(intermediates);
                }
                Vec::new()
            }
            Err(reason) => inspect::inspect(&self.anchors, &presented, &reason),
        };
        let chain: Vec<_> =
            std::iter::once(leaf).chain(intermediates).take(MAX_CHAIN).map(describe).collect();
        let left = chain.first().and_then(|leaf| leaf.not_after.duration_since(self.now).ok());
        let expires_soon = left.is_some_and(|left| left < SOON);
        self.write(|record| *record = Record { chain, problems, expires_soon });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = self.anchors.trust.algorithms();
        let result = verify_tls12_signature(message, certificate, signature, algorithms);
        self.despite_age(certificate, result)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = self.anchors.trust.algorithms();
        let result = verify_tls13_signature(message, certificate, signature, algorithms);
        self.despite_age(certificate, result)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.anchors.trust.algorithms().supported_schemes()
    }
}

fn describe(der: &CertificateDer<'_>) -> CertificateFacts {
    match certificate::parse(der) {
        Some(certificate) => certificate::facts(der, &certificate),
        None => certificate::unreadable(der),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use rustls::client::WebPkiServerVerifier;

    use super::*;

    const HOST: &str = "imap.example.test";

    struct Chain {
        root: CertificateDer<'static>,
        middle: CertificateDer<'static>,
        leaf: CertificateDer<'static>,
    }

    /// A good chain, made once: signing takes longer than checking.
    fn chain() -> &'static Chain {
        static CHAIN: OnceLock<Chain> = OnceLock::new();
        CHAIN.get_or_init(|| {
            let authority = |common: &str| {
                let mut params = CertificateParams::default();
                params.distinguished_name.push(rcgen::DnType::CommonName, common);
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                (params, KeyPair::generate().expect("a key"))
            };
            let (params, key) = authority("Root");
            let root = params.self_signed(&key).expect("signs itself").der().clone();
            let issuer = Issuer::new(params, key);
            let (params, key) = authority("Middle");
            let middle = params.signed_by(&key, &issuer).expect("signs").der().clone();
            let issuer = Issuer::new(params, key);
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new([HOST.to_owned()]).expect("a name");
            let leaf = params.signed_by(&key, &issuer).expect("signs").der().clone();
            Chain { root, middle, leaf }
        })
    }

    /// Shows a chain to the recorder and to the library's own verifier.
    fn both(leaf: Vec<u8>, middle: Vec<u8>) -> (bool, Record) {
        let (leaf, middle) = (CertificateDer::from(leaf), [CertificateDer::from(middle)]);
        let name = ServerName::try_from(HOST).expect("a name");
        let now = UnixTime::now();
        let mut roots = RootCertStore::empty();
        roots.add(chain().root.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let library = WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
        let library = library.build().expect("a verifier");
        let accepts = library.verify_server_cert(&leaf, &middle, &name, &[], now).is_ok();
        let trust = Trust::only([chain().root.clone()]).expect("a root");
        let host = HOST.parse().expect("a host");
        let recorder = Recorder::new(Anchors::new(&trust, &[]), host, SystemTime::now());
        recorder.verify_server_cert(&leaf, &middle, &name, &[], now).expect("only records");
        (accepts, recorder.take())
    }

    fn changed(der: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
        let mut bytes = der.to_vec();
        for (index, byte) in changes {
            let place = index.index(bytes.len());
            bytes[place] = *byte;
        }
        bytes
    }

    #[test]
    fn the_unchanged_chain_is_good() {
        let (accepts, record) = both(chain().leaf.to_vec(), chain().middle.to_vec());
        assert!(accepts);
        assert_eq!(record.problems, []);
        assert_eq!(record.chain.len(), 2);
    }

    proptest! {
        #[test]
        fn the_verdict_is_the_library_s_whatever_the_bytes(
            leaf in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            middle in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            let (accepts, record) =
                both(changed(&chain().leaf, &leaf), changed(&chain().middle, &middle));
            prop_assert_eq!(accepts, record.problems.is_empty(), "{:?}", record.problems);
        }

        #[test]
        fn arbitrary_bytes_for_certificates_never_panic(
            leaf in prop::collection::vec(any::<u8>(), 0..600),
            middle in prop::collection::vec(any::<u8>(), 0..600),
            cut in any::<prop::sample::Index>(),
        ) {
            let (accepts, record) = both(leaf, middle);
            prop_assert!(!accepts && !record.problems.is_empty());
            let whole = &chain().leaf;
            let (accepts, record) =
                both(whole[..cut.index(whole.len())].to_vec(), chain().middle.to_vec());
            prop_assert!(!accepts && !record.problems.is_empty());
        }
    }
}
