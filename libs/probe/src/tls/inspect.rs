//! Finds everything that is wrong with a certificate chain, at once.
//!
//! The TLS library stops at the first problem. Here each question is asked on its own:
//! dates, name, trust at a moment when the dates are right, structure, strength. Whether
//! a chain is good is not decided here: that is [`super::verifier`]'s, by the library's
//! own functions, and only what they refuse is inspected.

use std::time::{Duration, SystemTime};

use mailfleet_model::{Confidence, FaultCode, Host};
use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::X509Version;

use super::certificate::{self, common_name};
use super::chain::{self, Link, MAX_CHAIN};
use super::names::covers;
use super::problem::Problem;
use super::verifier::Anchors;

/// Smallest RSA key that is not weak, in bits. CA/Browser Forum Baseline Requirements
/// section 6.1.5; ring verifies nothing below.
pub(super) const MIN_RSA_BITS: usize = 2048;

/// What a server presented, and what it is held against.
pub(super) struct Presented<'a> {
    /// The server's own certificate.
    pub(super) leaf: &'a CertificateDer<'a>,
    /// The others, as sent.
    pub(super) intermediates: &'a [CertificateDer<'a>],
    /// The host as the user wrote it.
    pub(super) host: &'a Host,
    /// The same for the TLS library.
    pub(super) name: &'a ServerName<'static>,
    /// The time of the check.
    pub(super) now: SystemTime,
}

impl Presented<'_> {
    /// The leaf and the first intermediates, parsed.
    fn parsed(&self) -> Vec<Option<X509Certificate<'_>>> {
        let leaf = std::iter::once(self.leaf);
        leaf.chain(self.intermediates).take(MAX_CHAIN).map(certificate::parse).collect()
    }
}

/// A moment for the TLS library; before 1970 there were no certificates.
pub(super) fn unix_time(moment: SystemTime) -> UnixTime {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UnixTime::since_unix_epoch(since)
}

/// Lists what is wrong with a chain that was refused for `reason`, the weightiest first.
/// Never empty.
pub(super) fn inspect(
    anchors: &Anchors,
    presented: &Presented<'_>,
    reason: &Error,
) -> Vec<Problem> {
    let sent = presented.parsed();
    let Some(leaf) = sent.first().and_then(Option::as_ref) else {
        return vec![malformed(format!("It cannot be read: {}.", plain(reason)))];
    };
    let path = chain::walk(&sent);
    let mut problems: Vec<_> = dates(leaf, 0, presented.now).into_iter().collect();
    problems.extend(name(leaf, presented));
    problems.extend(weakness(&path));
    let structure = structure(leaf, presented);
    problems.extend(trust(anchors, presented, &path, structure.as_ref()));
    problems.extend(structure);
    if problems.is_empty() {
        problems.push(malformed(format!("The TLS library refuses it: {}.", plain(reason))));
    }
    problems.sort_by_key(|problem| weight(problem.code));
    problems
}

/// A certificate problem in the order of its weight: what makes the rest moot comes first.
fn weight(code: FaultCode) -> u8 {
    match code {
        FaultCode::TlsCertSelfSigned => 0,
        FaultCode::TlsCertExpired => 1,
        FaultCode::TlsCertNotYetValid => 2,
        FaultCode::TlsCertNameMismatch => 3,
        FaultCode::TlsCertCnOnly => 4,
        FaultCode::TlsCertUnknownCa => 5,
        FaultCode::TlsCertChainIncomplete => 6,
        FaultCode::TlsCertMalformed => 7,
        _ => 8,
    }
}

fn malformed(note: impl Into<String>) -> Problem {
    Problem::new(FaultCode::TlsCertMalformed).noting(note)
}

fn dates(certificate: &X509Certificate<'_>, position: usize, now: SystemTime) -> Option<Problem> {
    let validity = certificate.validity();
    let now = i64::try_from(unix_time(now).as_secs()).unwrap_or(i64::MAX);
    let which =
        |text: &str| (position > 0).then(|| format!("The intermediate certificate {text}."));
    let (code, note) = if validity.not_before.timestamp() > validity.not_after.timestamp() {
        (FaultCode::TlsCertMalformed, Some("Its validity ends before it begins.".to_owned()))
    } else if now > validity.not_after.timestamp() {
        (FaultCode::TlsCertExpired, which("has expired"))
    } else if now < validity.not_before.timestamp() {
        (FaultCode::TlsCertNotYetValid, which("is not valid yet"))
    } else {
        return None;
    };
    Some(Problem { note, ..Problem::new(code).of(position) })
}

fn name(leaf: &X509Certificate<'_>, presented: &Presented<'_>) -> Vec<Problem> {
    let has_names = matches!(leaf.subject_alternative_name(), Ok(Some(_)));
    let matches = match ParsedCertificate::try_from(presented.leaf) {
        Ok(parsed) => verify_server_name(&parsed, presented.name).is_ok(),
        // What the library cannot read (an unknown critical extension) may still be named well.
        Err(_) => certificate::alternative_names(leaf).iter().any(|n| covers(n, presented.host)),
    };
    let common = common_name(leaf.subject());
    match (matches, has_names, common) {
        (true, _, _) => Vec::new(),
        (false, false, Some(common)) => {
            let mut problems = vec![
                Problem::new(FaultCode::TlsCertCnOnly)
                    .noting(format!("The only name is the common name {common}.")),
            ];
            if !covers(&common, presented.host) {
                problems.push(Problem::new(FaultCode::TlsCertNameMismatch));
            }
            problems
        }
        (false, _, _) => vec![Problem::new(FaultCode::TlsCertNameMismatch)],
    }
}

fn structure(leaf: &X509Certificate<'_>, presented: &Presented<'_>) -> Option<Problem> {
    let mut notes = Vec::new();
    if leaf.version() != X509Version::V3 {
        notes.push(format!(
            "It is an X.509 certificate of version {}, not 3.",
            leaf.version().0.saturating_add(1)
        ));
    } else if let Err(error) = ParsedCertificate::try_from(presented.leaf) {
        notes.push(format!("It cannot be read: {}.", plain(&error)));
    }
    // OpenSSL marks what it signs itself as an authority; that it is self-signed says enough.
    if leaf.is_ca() && !chain::is_self_issued(leaf) {
        notes.push("It is the certificate of an authority, not of a server.".to_owned());
    }
    match leaf.extended_key_usage() {
        Ok(Some(usage)) if !usage.value.server_auth => {
            notes.push("Its extended key usage does not allow a server.".to_owned());
        }
        Ok(_) => {}
        Err(_) => notes.push("Its extended key usage cannot be read.".to_owned()),
    }
    (!notes.is_empty()).then(|| malformed(notes.join(" ")))
}

fn weakness(path: &[Link<'_>]) -> Option<Problem> {
    path.iter().find_map(|link| {
        let is_root = link.position > 0 && chain::is_self_issued(link.certificate);
        let weak_key = certificate::rsa_bits(link.certificate.public_key())
            .filter(|bits| *bits < MIN_RSA_BITS && !is_root)
            .map(|bits| format!("The key is RSA with {bits} bits."));
        // Nobody relies on the signature of a certificate that signed itself.
        let weak_signature = (certificate::is_weakly_signed(link.certificate)
            && !chain::is_self_issued(link.certificate))
        .then(|| "It is signed with MD5 or SHA-1.".to_owned());
        let note = weak_key.or(weak_signature)?;
        Some(Problem::new(FaultCode::TlsCipherOrKeyWeak).of(link.position).noting(note))
    })
}

/// Whether the chain leads to a trusted root, dates aside.
fn trust(
    anchors: &Anchors,
    presented: &Presented<'_>,
    path: &[Link<'_>],
    structure: Option<&Problem>,
) -> Vec<Problem> {
    if anchors.pins(presented.leaf) {
        return Vec::new();
    }
    let Ok(parsed) = ParsedCertificate::try_from(presented.leaf) else {
        return by_name(anchors, path);
    };
    let build = |more: &[CertificateDer<'static>], moment: SystemTime| {
        let all: Vec<_> =
            presented.intermediates.iter().cloned().chain(more.iter().cloned()).collect();
        anchors.path(&parsed, &all, unix_time(moment))
    };
    let leaf = path.get(..1).unwrap_or_default();
    let moment = common_moment(leaf, presented.now).unwrap_or(presented.now);
    let mut problems = Vec::new();
    let mut built = build(&[], moment);
    let mut judged_at = moment;
    if is_about_dates(&built) {
        let others = path.iter().skip(1).filter(|link| !chain::is_self_issued(link.certificate));
        problems.extend(others.filter_map(|l| dates(l.certificate, l.position, presented.now)));
        match common_moment(path, presented.now) {
            Some(moment) => {
                judged_at = moment;
                built = build(&[], moment);
            }
            // The certificates were never valid together.
            None => {
                problems.extend(by_name(anchors, path));
                return problems;
            }
        }
    }
    let completes = |known: &[CertificateDer<'static>]| build(known, judged_at).is_ok();
    problems.extend(match built {
        Ok(()) => Vec::new(),
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            vec![chain::unanchored(anchors, path, completes)]
        }
        Err(error) => unusual(anchors, path, structure, &error),
    });
    problems
}

/// Path building failed for a reason other than an unknown issuer.
fn unusual(
    anchors: &Anchors,
    path: &[Link<'_>],
    structure: Option<&Problem>,
    error: &Error,
) -> Vec<Problem> {
    let is_self_signed = path.first().is_some_and(|leaf| chain::is_self_issued(leaf.certificate));
    if structure.is_some() || is_self_signed {
        return by_name(anchors, path);
    }
    let is_weak = weakness(path).is_some();
    match error {
        Error::InvalidCertificate(CertificateError::BadSignature) if !is_weak => {
            let problem = malformed("A signature in the chain does not fit the issuer's key.");
            vec![problem.but_maybe(Confidence::Likely, FaultCode::TlsCertUnknownCa)]
        }
        Error::InvalidCertificate(
            CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        ) if is_weak => by_name(anchors, path),
        other => vec![malformed(format!("The TLS library refuses the chain: {}.", plain(other)))],
    }
}

/// Trust by names alone, where path building gives up before it looks at issuers.
fn by_name(anchors: &Anchors, path: &[Link<'_>]) -> Vec<Problem> {
    if chain::is_anchored_by_name(anchors, path) {
        Vec::new()
    } else {
        vec![chain::unanchored(anchors, path, |_| false)]
    }
}

fn is_about_dates(built: &Result<(), Error>) -> bool {
    matches!(
        built,
        Err(Error::InvalidCertificate(
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        ))
    )
}

/// The moment closest to now at which all certificates of the path are valid.
fn common_moment(path: &[Link<'_>], now: SystemTime) -> Option<SystemTime> {
    let validities = || path.iter().map(|link| link.certificate.validity());
    let start = validities().map(|v| v.not_before.timestamp()).max()?;
    let end = validities().map(|v| v.not_after.timestamp()).min()?;
    if start > end {
        return None;
    }
    let now = i64::try_from(unix_time(now).as_secs()).unwrap_or(i64::MAX);
    let seconds = u64::try_from(now.clamp(start, end)).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// The library's words, which speak of this certificate only.
fn plain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(reason) => reason.to_string(),
        other => other.to_string(),
    }
}
