//! Facts about a TLS connection and the certificates behind it.

use std::time::SystemTime;

/// What a handshake told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`; `None` if the handshake failed.
    pub version: Option<String>,
    /// The cipher suite, in IANA's name; `None` if the handshake failed.
    pub cipher: Option<String>,
    /// The name sent as SNI and verified; `None` for an IP literal (no SNI is sent).
    pub server_name: Option<String>,
    /// Whether the certificate was found good in every respect.
    pub verified: bool,
    /// The chain as sent, leaf first; at most 10 certificates are kept.
    pub chain: Vec<CertificateFacts>,
}

/// One certificate of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Subject as a distinguished name, control characters stripped, at most 256 characters.
    pub subject: String,
    /// Issuer, likewise.
    pub issuer: String,
    /// DNS names and addresses of the subjectAltName; at most 50.
    pub names: Vec<String>,
    /// Start of validity.
    pub not_before: SystemTime,
    /// End of validity.
    pub not_after: SystemTime,
    /// Key algorithm and size, such as `RSA 2048` or `EC P-256`.
    pub key: String,
    /// Signature algorithm, such as `ecdsa-with-SHA256`.
    pub signature: String,
    /// SHA-256 of the certificate, lower-case hex.
    pub sha256: String,
    /// SHA-256 of the subject public key info, lower-case hex: what a pin compares.
    pub spki_sha256: String,
}

/// What a leg demands of the server's certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsPolicy {
    /// Whether certificate problems are warnings instead of blocking faults.
    pub certificates: CertificatePolicy,
    /// Authorities trusted beside the system's, as DER.
    pub extra_roots: Vec<Vec<u8>>,
}

/// How certificate problems are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum CertificatePolicy {
    /// Every problem is a blocking fault.
    #[default]
    Strict,
    /// The caller accepts bad certificates: problems are named as warnings.
    AllowInsecure,
}
