//! TLS facts and certificates on the wire.

use mailfleet_model::tls::{CertificateFacts, TlsFacts};

use crate::{leg, v1, when};

/// To the wire.
pub(crate) fn to_wire(facts: &TlsFacts) -> v1::TlsFacts {
    v1::TlsFacts {
        version: facts.version.clone().unwrap_or_default(),
        cipher: facts.cipher.clone().unwrap_or_default(),
        server_name: facts.server_name.clone().unwrap_or_default(),
        verified: Some(facts.verified),
        chain: facts.chain.iter().map(certificate_to_wire).collect(),
    }
}

/// From the wire. A certificate without readable dates is left out.
pub(crate) fn from_wire(facts: v1::TlsFacts) -> TlsFacts {
    TlsFacts {
        version: leg::some_text(facts.version),
        cipher: leg::some_text(facts.cipher),
        server_name: leg::some_text(facts.server_name),
        verified: facts.verified.unwrap_or(false),
        chain: facts.chain.into_iter().filter_map(certificate_from_wire).collect(),
    }
}

fn certificate_to_wire(certificate: &CertificateFacts) -> v1::Certificate {
    v1::Certificate {
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
        names: certificate.names.clone(),
        not_before: Some(when::timestamp(certificate.not_before)),
        not_after: Some(when::timestamp(certificate.not_after)),
        key: certificate.key.clone(),
        signature: certificate.signature.clone(),
        sha256: certificate.sha256.clone(),
        spki_sha256: certificate.spki_sha256.clone(),
    }
}

fn certificate_from_wire(certificate: v1::Certificate) -> Option<CertificateFacts> {
    Some(CertificateFacts {
        subject: certificate.subject,
        issuer: certificate.issuer,
        names: certificate.names,
        not_before: when::to_system_time(certificate.not_before?)?,
        not_after: when::to_system_time(certificate.not_after?)?,
        key: certificate.key,
        signature: certificate.signature,
        sha256: certificate.sha256,
        spki_sha256: certificate.spki_sha256,
    })
}
