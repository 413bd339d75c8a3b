//! The certificates of the simulated servers: one good case and every bad one.
//!
//! Keys are ECDSA P-256, because they are quick to make. RSA-1024 is missing on purpose: the
//! crypto provider of this workspace refuses to sign with it. Nothing is ever written to disk.
//! Sources: RFC 5280 §4.2 (extensions), RFC 9525 §6 (names live in the SAN).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

use crate::error::Error;
use crate::tls::{self, ConfigKey};

/// What is the matter with a server's certificate.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Default,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Certificate {
    /// Signed by the authority's root; right names, valid for 90 days.
    #[default]
    Good,
    /// Its validity ended yesterday.
    Expired,
    /// Its validity begins in 30 days.
    NotYetValid,
    /// Valid for 7 more days.
    ExpiringSoon,
    /// Names another host only.
    WrongName,
    /// Signed with its own key, CA:FALSE.
    SelfSigned,
    /// Signed with its own key, CA:TRUE, as `openssl req -x509` makes them.
    SelfSignedCa,
    /// Signed by a root that nobody trusts; the root is sent along.
    UnknownAuthority,
    /// Signed by an intermediate that the server does not send.
    MissingIntermediate,
    /// Signed by an intermediate that the server does send.
    WithIntermediate,
    /// The name stands in the subject's common name only; no SAN.
    CommonNameOnly,
    /// For TLS clients only (extended key usage).
    ClientAuthOnly,
    /// Expired, of another host and of an unknown root, all at once.
    EverythingWrong,
}

/// A certificate chain as a server sends it, leaf first, with the leaf's key.
pub(crate) struct Chain {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Chain {
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// The simulator's certificate authority: a trusted root, an intermediate below it, and a root
/// that nobody trusts.
pub struct Authority {
    root: Signer,
    intermediate: Signer,
    unknown: Signer,
    /// One TLS configuration per case, names and version: thousands of sessions share it.
    configs: Mutex<HashMap<ConfigKey, Arc<ServerConfig>>>,
}

struct Signer {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    /// Makes a new authority.
    ///
    /// # Errors
    /// [`Error::Certificate`] if the crypto provider fails.
    pub fn new() -> Result<Self, Error> {
        let root = Signer::root("Mailsim Root")?;
        let unknown = Signer::root("Mailsim Unknown Root")?;
        let key = KeyPair::generate()?;
        let params = authority_params("Mailsim Intermediate");
        let certificate = params.signed_by(&key, &root.issuer)?;
        let intermediate = Signer { issuer: Issuer::new(params, key), certificate };
        Ok(Self { root, intermediate, unknown, configs: Mutex::default() })
    }

    /// The authority of this process, made on the first call.
    ///
    /// # Errors
    /// [`Error::Certificate`] if the crypto provider fails.
    pub fn shared() -> Result<Arc<Self>, Error> {
        static SHARED: OnceLock<Arc<Authority>> = OnceLock::new();
        if let Some(authority) = SHARED.get() {
            return Ok(Arc::clone(authority));
        }
        let made = Arc::new(Self::new()?);
        Ok(Arc::clone(SHARED.get_or_init(|| made)))
    }

    /// The trusted root as PEM, for `--ca`.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.root.certificate.pem()
    }

    /// The trusted root as DER.
    #[must_use]
    pub fn root_der(&self) -> CertificateDer<'static> {
        self.root.certificate.der().clone()
    }

    /// The TLS configuration for a case, from the cache if it was asked for before.
    pub(crate) fn config(&self, key: ConfigKey) -> Result<Arc<ServerConfig>, Error> {
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = configs.get(&key) {
            return Ok(Arc::clone(config));
        }
        let chain = self.chain(key.certificate, &key.names)?;
        let config = Arc::new(tls::config(&key, &chain, self.root_der())?);
        configs.insert(key, Arc::clone(&config));
        Ok(config)
    }

    /// Makes the chain of a case for a server with these DNS names and addresses.
    pub(crate) fn chain(&self, case: Certificate, names: &[String]) -> Result<Chain, Error> {
        let key = KeyPair::generate()?;
        let params = leaf_params(case, names)?;
        let by = |signer: &Signer| params.signed_by(&key, &signer.issuer);
        let (leaf, extra) = match case {
            Certificate::SelfSigned | Certificate::SelfSignedCa => {
                (params.self_signed(&key)?, None)
            }
            Certificate::UnknownAuthority | Certificate::EverythingWrong => {
                (by(&self.unknown)?, Some(&self.unknown))
            }
            Certificate::MissingIntermediate => (by(&self.intermediate)?, None),
            Certificate::WithIntermediate => (by(&self.intermediate)?, Some(&self.intermediate)),
            Certificate::Good
            | Certificate::Expired
            | Certificate::NotYetValid
            | Certificate::ExpiringSoon
            | Certificate::WrongName
            | Certificate::CommonNameOnly
            | Certificate::ClientAuthOnly => (by(&self.root)?, None),
        };
        let mut certificates = vec![leaf.der().clone()];
        certificates.extend(extra.map(|signer| signer.certificate.der().clone()));
        Ok(Chain { certificates, key })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Signer {
    fn root(name: &str) -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let params = authority_params(name);
        let certificate = params.self_signed(&key)?;
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let now = OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = (now - Duration::days(400), now + Duration::days(400));
    params
}

fn leaf_params(case: Certificate, names: &[String]) -> Result<CertificateParams, Error> {
    let wrong = matches!(case, Certificate::WrongName | Certificate::EverythingWrong);
    let names = match case {
        Certificate::CommonNameOnly => Vec::new(),
        _ if wrong => vec!["mail.elsewhere.test".to_owned()],
        _ => names.to_vec(),
    };
    let mut params = CertificateParams::new(names.clone())?;
    let subject = names.iter().find(|n| n.parse::<IpAddr>().is_err());
    params.distinguished_name = named(subject.map_or("localhost", String::as_str));
    params.is_ca = match case {
        Certificate::SelfSignedCa => IsCa::Ca(BasicConstraints::Unconstrained),
        _ => IsCa::ExplicitNoCa,
    };
    params.extended_key_usages = vec![match case {
        Certificate::ClientAuthOnly => ExtendedKeyUsagePurpose::ClientAuth,
        _ => ExtendedKeyUsagePurpose::ServerAuth,
    }];
    params.use_authority_key_identifier_extension = true;
    let now = OffsetDateTime::now_utc();
    let (from, to) = match case {
        Certificate::Expired | Certificate::EverythingWrong => (-100, -1),
        Certificate::NotYetValid => (30, 120),
        Certificate::ExpiringSoon => (-83, 7),
        _ => (-1, 90),
    };
    (params.not_before, params.not_after) = (now + Duration::days(from), now + Duration::days(to));
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator as _;
    use x509_parser::prelude::{FromDer as _, X509Certificate};

    #[test]
    fn every_case_shows_its_own_trouble_and_no_other() {
        let authority = Authority::new().unwrap();
        for case in Certificate::iter() {
            let chain = authority.chain(case, &["localhost".into(), "127.0.0.1".into()]).unwrap();
            let der = &chain.certificates[0];
            let (_, leaf) = X509Certificate::from_der(der).unwrap();
            let valid = leaf.validity().is_valid();
            let timely = !matches!(
                case,
                Certificate::Expired | Certificate::NotYetValid | Certificate::EverythingWrong
            );
            assert_eq!(valid, timely, "{case}");
            let has_san = leaf.subject_alternative_name().unwrap().is_some();
            assert_eq!(has_san, case != Certificate::CommonNameOnly, "{case}");
            let own = matches!(case, Certificate::SelfSigned | Certificate::SelfSignedCa);
            assert_eq!(leaf.issuer() == leaf.subject(), own, "{case}");
            assert_eq!(leaf.is_ca(), case == Certificate::SelfSignedCa, "{case}");
            let left = leaf.validity().time_to_expiration();
            let soon = left.is_some_and(|d| d < Duration::days(14));
            assert_eq!(soon, case == Certificate::ExpiringSoon, "{case}");
        }
    }
}
