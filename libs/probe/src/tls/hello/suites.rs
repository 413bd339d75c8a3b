//! Cipher suites up to TLS 1.2, in the order in which they are offered: what we would use
//! first, then ever worse, so that the server's choice names the best that it has.
//!
//! Numbers and names: the IANA registry "TLS Cipher Suites".

/// What is wrong with a suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tls) enum Kind {
    /// Nothing: the TLS library offers it too.
    Modern,
    /// Ephemeral elliptic curves, but a cipher of the past (CBC, RC4, 3DES).
    OldCipher,
    /// Diffie-Hellman over integers, whose group the client cannot choose.
    FiniteField,
    /// The key goes encrypted to the server: no forward secrecy.
    RsaKeyExchange,
    /// No certificate at all.
    Anonymous,
}

/// All suites that are offered.
pub(super) fn all() -> impl Iterator<Item = u16> {
    TABLE.iter().map(|(number, _, _)| *number)
}

/// A suite's name; its number where we did not offer it.
pub(in crate::tls) fn name(suite: u16) -> String {
    match TABLE.iter().find(|(number, _, _)| *number == suite) {
        Some((_, _, name)) => (*name).to_owned(),
        None => format!("0x{suite:04X}"),
    }
}

/// What is wrong with a suite; `None` where we did not offer it.
pub(in crate::tls) fn kind(suite: u16) -> Option<Kind> {
    TABLE.iter().find(|(number, _, _)| *number == suite).map(|(_, kind, _)| *kind)
}

use Kind::{Anonymous, FiniteField, Modern, OldCipher, RsaKeyExchange};

#[rustfmt::skip] // One row a line: the point of a table.
const TABLE: &[(u16, Kind, &str)] = &[
    (0xC02C, Modern, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    (0xC02B, Modern, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (0xCCA9, Modern, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xC030, Modern, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xC02F, Modern, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xCCA8, Modern, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xC024, OldCipher, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    (0xC023, OldCipher, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    (0xC00A, OldCipher, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0xC009, OldCipher, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xC028, OldCipher, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    (0xC027, OldCipher, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0xC014, OldCipher, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0xC013, OldCipher, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0xC008, OldCipher, "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"),
    (0xC012, OldCipher, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0xC007, OldCipher, "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"),
    (0xC011, OldCipher, "TLS_ECDHE_RSA_WITH_RC4_128_SHA"),
    (0x009F, FiniteField, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0x009E, FiniteField, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xCCAA, FiniteField, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0x006B, FiniteField, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"),
    (0x0067, FiniteField, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0x0039, FiniteField, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
    (0x0033, FiniteField, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x0088, FiniteField, "TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA"),
    (0x0045, FiniteField, "TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA"),
    (0x0016, FiniteField, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x0038, FiniteField, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA"),
    (0x0032, FiniteField, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA"),
    (0x0013, FiniteField, "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA"),
    (0x009D, RsaKeyExchange, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    (0x009C, RsaKeyExchange, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    (0x003D, RsaKeyExchange, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
    (0x003C, RsaKeyExchange, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    (0x0035, RsaKeyExchange, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    (0x002F, RsaKeyExchange, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    (0x0084, RsaKeyExchange, "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA"),
    (0x0041, RsaKeyExchange, "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA"),
    (0x0096, RsaKeyExchange, "TLS_RSA_WITH_SEED_CBC_SHA"),
    (0x000A, RsaKeyExchange, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x0005, RsaKeyExchange, "TLS_RSA_WITH_RC4_128_SHA"),
    (0x0004, RsaKeyExchange, "TLS_RSA_WITH_RC4_128_MD5"),
    (0x0015, FiniteField, "TLS_DHE_RSA_WITH_DES_CBC_SHA"),
    (0x0009, RsaKeyExchange, "TLS_RSA_WITH_DES_CBC_SHA"),
    (0x0014, FiniteField, "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA"),
    (0x0008, RsaKeyExchange, "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA"),
    (0x0003, RsaKeyExchange, "TLS_RSA_EXPORT_WITH_RC4_40_MD5"),
    (0x00A7, Anonymous, "TLS_DH_anon_WITH_AES_256_GCM_SHA384"),
    (0x00A6, Anonymous, "TLS_DH_anon_WITH_AES_128_GCM_SHA256"),
    (0x006D, Anonymous, "TLS_DH_anon_WITH_AES_256_CBC_SHA256"),
    (0x006C, Anonymous, "TLS_DH_anon_WITH_AES_128_CBC_SHA256"),
    (0x003A, Anonymous, "TLS_DH_anon_WITH_AES_256_CBC_SHA"),
    (0x0034, Anonymous, "TLS_DH_anon_WITH_AES_128_CBC_SHA"),
    (0xC019, Anonymous, "TLS_ECDH_anon_WITH_AES_256_CBC_SHA"),
    (0xC018, Anonymous, "TLS_ECDH_anon_WITH_AES_128_CBC_SHA"),
    (0x001B, Anonymous, "TLS_DH_anon_WITH_3DES_EDE_CBC_SHA"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modern_suites_are_those_of_the_tls_library() {
        use rustls::crypto::ring::cipher_suite;
        let ours: Vec<_> = all().filter(|suite| kind(*suite) == Some(Modern)).collect();
        let theirs: Vec<u16> = rustls::crypto::ring::default_provider()
            .cipher_suites
            .iter()
            .filter(|suite| suite.tls13().is_none())
            .map(|suite| u16::from(suite.suite()))
            .collect();
        assert!(
            theirs
                .contains(&u16::from(cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256.suite()))
        );
        assert_eq!(ours.len(), theirs.len());
        assert!(theirs.iter().all(|suite| ours.contains(suite)));
    }

    #[test]
    fn names_agree_with_the_tls_library_and_numbers_are_unique() {
        for (index, (number, _, name)) in TABLE.iter().enumerate() {
            assert!(TABLE.iter().skip(index + 1).all(|(other, _, _)| other != number), "{name}");
            let theirs = format!("{:?}", rustls::CipherSuite::from(*number));
            if theirs.starts_with("TLS_") {
                assert_eq!(theirs, *name);
            }
        }
    }
}
