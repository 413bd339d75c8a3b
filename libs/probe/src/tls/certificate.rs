//! Certificates as facts: DER in, names, dates, key and digests out.
//!
//! Judges nothing. Everything that a certificate says is remote text: control characters
//! are stripped and lengths bounded here, once. Grammar: RFC 5280 section 4.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use mailfleet_model::tls::CertificateFacts;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

/// Longest distinguished name that is kept, in characters.
const MAX_NAME: usize = 256;
/// Names of the subjectAltName that are kept, at most.
const MAX_NAMES: usize = 50;
/// Longest DNS name with a trailing dot, in characters. RFC 1035 section 2.3.4.
const MAX_DNS_NAME: usize = 254;

/// Reads a certificate; `None` if it is not one, or has bytes behind its end.
pub(super) fn parse<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    match X509Certificate::from_der(der.as_ref()) {
        Ok(([], certificate)) => Some(certificate),
        Ok(_) | Err(_) => None,
    }
}

/// What a certificate says, for the report.
pub(super) fn facts(
    der: &CertificateDer<'_>,
    certificate: &X509Certificate<'_>,
) -> CertificateFacts {
    CertificateFacts {
        subject: distinguished_name(certificate.subject()),
        issuer: distinguished_name(certificate.issuer()),
        names: alternative_names(certificate),
        not_before: system_time(certificate.validity().not_before),
        not_after: system_time(certificate.validity().not_after),
        key: key(certificate.public_key()),
        signature: signature(certificate).to_owned(),
        sha256: hex(&Sha256::digest(der.as_ref())),
        spki_sha256: hex(&Sha256::digest(certificate.public_key().raw)),
    }
}

/// What can be told of a certificate that cannot be read: its digest.
pub(super) fn unreadable(der: &CertificateDer<'_>) -> CertificateFacts {
    CertificateFacts {
        subject: String::new(),
        issuer: String::new(),
        names: Vec::new(),
        not_before: SystemTime::UNIX_EPOCH,
        not_after: SystemTime::UNIX_EPOCH,
        key: String::new(),
        signature: String::new(),
        sha256: hex(&Sha256::digest(der.as_ref())),
        spki_sha256: String::new(),
    }
}

/// Remote text made fit to be shown: no control characters, at most `limit` characters.
pub(super) fn clean(text: &str, limit: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(limit).collect()
}

/// A moment as RFC 3339 in UTC, to the second.
pub(super) fn rfc3339(moment: SystemTime) -> String {
    let seconds = match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX).saturating_neg()
        }
    };
    // Outside the years that RFC 3339 can write, the number of seconds must do.
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{seconds} s after 1970-01-01T00:00:00Z"))
}

/// The bits of an RSA key, or `None` for another kind of key.
pub(super) fn rsa_bits(key: &SubjectPublicKeyInfo<'_>) -> Option<usize> {
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => Some(bit_length(rsa.modulus)),
        Ok(_) | Err(_) => None,
    }
}

/// Whether a certificate is signed with MD5 or SHA-1, which forgers can collide.
pub(super) fn is_weakly_signed(certificate: &X509Certificate<'_>) -> bool {
    let name = signature(certificate);
    ["md2", "md5", "sha1", "SHA1"].iter().any(|weak| name.contains(weak))
}

/// The subject's common name, where there is one.
pub(super) fn common_name(name: &X509Name<'_>) -> Option<String> {
    let first = name.iter_common_name().next()?;
    first.as_str().ok().map(|text| clean(text, MAX_NAME))
}

fn distinguished_name(name: &X509Name<'_>) -> String {
    clean(&name.to_string(), MAX_NAME)
}

/// The DNS names and addresses of the subjectAltName.
pub(super) fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    extension.value.general_names.iter().filter_map(alternative_name).take(MAX_NAMES).collect()
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(clean(name, MAX_DNS_NAME)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4.or(v6).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn system_time(time: ASN1Time) -> SystemTime {
    let seconds = Duration::from_secs(time.timestamp().unsigned_abs());
    let moment = if time.timestamp() < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(seconds)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(seconds)
    };
    moment.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn key(key: &SubjectPublicKeyInfo<'_>) -> String {
    if let Some(bits) = rsa_bits(key) {
        return format!("RSA {bits}");
    }
    let parameters = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    let curve = parameters.map(|oid| oid.to_id_string()).unwrap_or_default();
    let algorithm = key.algorithm.algorithm.to_id_string();
    match (algorithm.as_str(), curve.as_str()) {
        // RFC 5480 section 2.1.1.1.
        ("1.2.840.10045.2.1", "1.2.840.10045.3.1.7") => "EC P-256".to_owned(),
        ("1.2.840.10045.2.1", "1.3.132.0.34") => "EC P-384".to_owned(),
        ("1.2.840.10045.2.1", "1.3.132.0.35") => "EC P-521".to_owned(),
        ("1.2.840.10045.2.1", curve) => format!("EC {curve}"),
        // RFC 8410 section 3.
        ("1.3.101.112", _) => "Ed25519".to_owned(),
        ("1.3.101.113", _) => "Ed448".to_owned(),
        ("1.2.840.10040.4.1", _) => "DSA".to_owned(),
        (other, _) => other.to_owned(),
    }
}

/// The signature algorithm by the name that OpenSSL prints.
fn signature(certificate: &X509Certificate<'_>) -> &'static str {
    match certificate.signature_algorithm.algorithm.to_id_string().as_str() {
        // RFC 8017 appendix C, RFC 3279 section 2.2.1.
        "1.2.840.113549.1.1.2" => "md2WithRSAEncryption",
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "rsassaPss",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        // RFC 5758 section 3.2, RFC 3279 section 2.2.3.
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.2.840.10040.4.3" => "dsa-with-SHA1",
        // RFC 8410 section 3.
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        _ => "unknown",
    }
}

fn bit_length(number: &[u8]) -> usize {
    let significant: &[u8] = match number.iter().position(|byte| *byte != 0) {
        Some(start) => number.get(start..).unwrap_or_default(),
        None => return 0,
    };
    let zeros = significant.first().map_or(0, |byte| byte.leading_zeros() as usize);
    significant.len().saturating_mul(8).saturating_sub(zeros)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
