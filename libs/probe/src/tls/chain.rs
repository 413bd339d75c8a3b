//! Why a chain does not end in a trusted root: self-signed, unknown authority, or a
//! certificate left out.
//!
//! A server that sends its own certificate alone looks the same whether its authority is
//! unknown or an intermediate was forgotten. Nothing is fetched to find out: the address
//! in the certificate is under the server's control. What remains are signs that public
//! authorities leave, names, and the intermediates that other servers have shown.

use mailfleet_model::{Confidence, FaultCode};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use super::certificate::{self, common_name};
use super::problem::Problem;
use super::verifier::Anchors;

/// Certificates of a chain that are looked at, at most: the chain is the server's word.
pub(super) const MAX_CHAIN: usize = 10;

/// Access method "CA issuers". RFC 5280 section 4.2.2.1.
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";
/// Prefix of the policies of publicly trusted server certificates.
/// CA/Browser Forum Baseline Requirements section 7.1.6.1.
const PUBLIC_POLICY: &str = "2.23.140.1.2.";
/// Words that only an authority below another one has in its name.
const INTERMEDIATE_WORDS: [&str; 5] = ["intermediate", "issuing", "subordinate", "sub-ca", "subca"];
/// Words that say nothing about whose authority it is.
const COMMON_WORDS: [&str; 14] = [
    "ca",
    "root",
    "authority",
    "certificate",
    "certification",
    "certificates",
    "intermediate",
    "issuing",
    "subordinate",
    "tls",
    "ssl",
    "server",
    "rsa",
    "ecc",
];

/// A certificate that the server sent, with its place in the chain as sent.
pub(super) struct Link<'a> {
    /// Counted from the leaf, which is 0.
    pub(super) position: usize,
    /// The certificate.
    pub(super) certificate: &'a X509Certificate<'a>,
}

/// Whether subject and issuer are the same name.
pub(super) fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

/// Follows the issuers from the leaf as far as the sent certificates go.
///
/// `sent` holds the leaf first; what cannot be read is `None`. No certificate is taken
/// twice, so a loop ends.
pub(super) fn walk<'a>(sent: &'a [Option<X509Certificate<'a>>]) -> Vec<Link<'a>> {
    let mut path: Vec<Link<'a>> = Vec::new();
    let mut next = sent.first().and_then(Option::as_ref).map(|leaf| (0, leaf));
    while let Some((position, certificate)) = next {
        path.push(Link { position, certificate });
        next = if is_self_issued(certificate) {
            None
        } else {
            sent.iter().enumerate().take(MAX_CHAIN).find_map(|(position, candidate)| {
                let candidate = candidate.as_ref()?;
                let issues = candidate.subject().as_raw() == certificate.issuer().as_raw();
                let is_new = path.iter().all(|link| link.position != position);
                (issues && is_new).then_some((position, candidate))
            })
        };
    }
    path
}

/// Whether the path ends at a root that is trusted, as far as names tell.
///
/// For leaves that path building rejects before it looks at their issuers.
pub(super) fn is_anchored_by_name(anchors: &Anchors, path: &[Link<'_>]) -> bool {
    let Some(top) = path.last() else { return false };
    // A leaf that signed itself may share its name with a root (`CN=localhost` is common);
    // that makes it no child of the root.
    if top.position == 0 && is_self_issued(top.certificate) {
        return false;
    }
    let issuer = top.certificate.issuer().as_raw();
    anchors.subjects().any(|subject| subject.as_slice() == issuer)
}

/// Names the reason why the path does not end in a trusted root.
///
/// `completes` tells whether path building succeeds with certificates added to those sent.
pub(super) fn unanchored(
    anchors: &Anchors,
    path: &[Link<'_>],
    completes: impl Fn(&[CertificateDer<'static>]) -> bool,
) -> Problem {
    let (Some(leaf), Some(top)) = (path.first(), path.last()) else {
        return Problem::new(FaultCode::TlsCertUnknownCa);
    };
    if is_self_issued(leaf.certificate) {
        return Problem::new(FaultCode::TlsCertSelfSigned);
    }
    if is_self_issued(top.certificate) {
        let root = certificate::clean(&top.certificate.subject().to_string(), 200);
        return Problem::new(FaultCode::TlsCertUnknownCa)
            .noting(format!("The chain is complete and ends in the root {root}."));
    }
    let issuer = certificate::clean(&top.certificate.issuer().to_string(), 200);
    let known = anchors.known_intermediates();
    if !known.is_empty() && completes(&known) {
        return Problem::new(FaultCode::TlsCertChainIncomplete)
            .noting(format!("With the certificate of {issuer}, which the server does not send, the chain would be complete."));
    }
    if let Some(sign) = sign_of_a_missing_intermediate(anchors, top.certificate) {
        return Problem::new(FaultCode::TlsCertChainIncomplete)
            .but_maybe(Confidence::Likely, FaultCode::TlsCertUnknownCa)
            .noting(format!("The certificate of {issuer} was not sent; {sign}."));
    }
    let confidence = if path.len() > 1 { Confidence::Likely } else { Confidence::Ambiguous };
    Problem::new(FaultCode::TlsCertUnknownCa)
        .but_maybe(confidence, FaultCode::TlsCertChainIncomplete)
        .noting(format!("The certificate of {issuer} is neither trusted nor was it sent."))
}

/// What speaks for an issuer that is itself issued by a trusted root.
fn sign_of_a_missing_intermediate(
    anchors: &Anchors,
    top: &X509Certificate<'_>,
) -> Option<&'static str> {
    if names_its_issuer_or_is_public(top) {
        return Some("the certificate has the marks of a public authority");
    }
    if is_of_a_trusted_organisation(anchors, top.issuer()) {
        return Some("a trusted root belongs to the same organisation");
    }
    let issuer = common_name(top.issuer())?.to_lowercase();
    if INTERMEDIATE_WORDS.iter().any(|word| issuer.contains(word)) {
        return Some("by its name that is an intermediate authority");
    }
    let resembles = anchors
        .named_roots()
        .filter_map(|root| certificate::parse(root).and_then(|r| common_name(r.subject())))
        .any(|root| shares_a_telling_word(&root.to_lowercase(), &issuer));
    resembles.then_some("its name resembles that of a trusted root")
}

fn names_its_issuer_or_is_public(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => {
            access.accessdescs.iter().any(|a| a.access_method.to_id_string() == CA_ISSUERS)
        }
        ParsedExtension::CertificatePolicies(policies) => {
            policies.iter().any(|p| p.policy_id.to_id_string().starts_with(PUBLIC_POLICY))
        }
        // Certificate transparency, RFC 6962 section 3.3: only public authorities log.
        ParsedExtension::SCT(_) => true,
        _ => false,
    })
}

fn is_of_a_trusted_organisation(anchors: &Anchors, issuer: &X509Name<'_>) -> bool {
    let Some(organisation) = organisation(issuer) else { return false };
    anchors.subjects().any(|subject| {
        X509Name::from_der(&subject).is_ok_and(|(_, name)| {
            self::organisation(&name).is_some_and(|o| o.eq_ignore_ascii_case(&organisation))
        })
    })
}

fn organisation(name: &X509Name<'_>) -> Option<String> {
    let first = name.iter_organization().next()?;
    first.as_str().ok().map(str::to_owned)
}

fn shares_a_telling_word(one: &str, other: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.chars().count() > 2 && !COMMON_WORDS.contains(word))
            .map(str::to_owned)
            .collect()
    };
    let others = words(other);
    words(one).iter().any(|word| others.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_name_an_owner_make_names_alike() {
        assert!(shares_a_telling_word("example corp root ca", "example corp issuing ca"));
        assert!(!shares_a_telling_word("contract ca", "unknown ca"));
        assert!(!shares_a_telling_word("some root authority", "other root authority"));
    }
}
