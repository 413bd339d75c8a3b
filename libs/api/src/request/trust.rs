//! The authorities that a request brings: PEM to DER, within bounds.
//!
//! Whether they are usable as authorities is found out where TLS is spoken.

use mailfleet_model::Violations;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Most certificates in one request. A whole system store has about 150.
const MAX_CERTIFICATES: usize = 100;
/// Most PEM text in one request, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

pub(super) fn parse(texts: &[String], bad: &mut Violations) -> Vec<Vec<u8>> {
    if texts.iter().map(String::len).sum::<usize>() > MAX_BYTES {
        bad.add("trusted_certificates", "are longer than 1 MiB together");
        return Vec::new();
    }
    let mut roots: Vec<Vec<u8>> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let field = format!("trusted_certificates[{index}]");
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
            match certificate {
                Ok(certificate) => roots.push(certificate.to_vec()),
                Err(_) => {
                    bad.add(field.as_str(), "is not well-formed PEM");
                    break;
                }
            }
        }
        if roots.len() == before && bad.as_slice().last().is_none_or(|v| v.field != field) {
            bad.add(field, "holds no certificate");
        }
    }
    if roots.len() > MAX_CERTIFICATES {
        bad.add("trusted_certificates", "hold more than 100 certificates");
    }
    roots
}
