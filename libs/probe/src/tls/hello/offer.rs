//! Writes a ClientHello that offers everything there ever was up to a version.

use mailfleet_model::Host;

use super::{Version, suites};

/// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV`, RFC 5746 section 3.3: some servers refuse without.
const RENEGOTIATION_INFO: u16 = 0x00FF;
/// x25519, P-256, P-384, P-521. RFC 8422 section 5.1.1.
const GROUPS: [u16; 4] = [29, 23, 24, 25];
/// ECDSA, RSA-PSS and RSA with SHA-2, then all with SHA-1, then RSA with MD5.
/// RFC 8446 section 4.2.3, RFC 5246 section 7.4.1.4.1.
const SIGNATURES: [u16; 16] = [
    0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0303, 0x0301,
    0x0203, 0x0201, 0x0202, 0x0101,
];

/// A whole record with a ClientHello. The host goes as SNI if it is a name and the version
/// knows extensions.
pub(in crate::tls) fn client_hello(version: Version, host: &Host, random: [u8; 32]) -> Vec<u8> {
    let mut body = Vec::with_capacity(512);
    body.extend(version.wire());
    body.extend(random);
    body.push(0); // No session to resume.
    body.extend(prefixed(&numbers(suites::all().chain([RENEGOTIATION_INFO]))));
    body.extend([1, 0]); // One compression method: none.
    // SSL 3 servers may choke on extensions (RFC 6101 has none).
    if version > Version::Ssl3 {
        body.extend(prefixed(&extensions(version, host)));
    }
    let mut message = vec![1]; // client_hello
    message.push(0); // The length has three bytes; a hello never needs the first.
    message.extend(prefixed(&body));
    let mut record = vec![22]; // handshake
    // RFC 5246 appendix E.1: the record of a first hello says at most TLS 1.0.
    record.extend(version.min(Version::Tls10).wire());
    record.extend(prefixed(&message));
    record
}

fn extensions(version: Version, host: &Host) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(name) = host.name() {
        // RFC 6066 section 3: a list of one entry, of type host_name.
        let mut entry = vec![0];
        entry.extend(prefixed(name.as_bytes()));
        all.extend(extension(0, &prefixed(&entry)));
    }
    all.extend(extension(10, &prefixed(&numbers(GROUPS))));
    all.extend(extension(11, &[1, 0])); // Uncompressed points.
    if version >= Version::Tls12 {
        all.extend(extension(13, &prefixed(&numbers(SIGNATURES))));
    }
    all
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_be_bytes().to_vec();
    bytes.extend(prefixed(body));
    bytes
}

fn numbers(values: impl IntoIterator<Item = u16>) -> Vec<u8> {
    values.into_iter().flat_map(u16::to_be_bytes).collect()
}

/// The bytes behind their length in two bytes.
fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a host name has at most 253 characters");
    let mut prefixed = length.to_be_bytes().to_vec();
    prefixed.extend(bytes);
    prefixed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        text.parse().expect("a host")
    }

    #[test]
    fn the_tls_library_reads_our_hello() {
        let hello = client_hello(Version::Tls12, &host("imap.example.test"), [7; 32]);
        let mut acceptor = rustls::server::Acceptor::default();
        acceptor.read_tls(&mut hello.as_slice()).expect("reads");
        let accepted = acceptor.accept().expect("a hello").expect("a whole one");
        let read = accepted.client_hello();
        assert_eq!(read.server_name(), Some("imap.example.test"));
        assert_eq!(read.cipher_suites().len(), suites::all().count() + 1);
        assert_eq!(read.signature_schemes().len(), SIGNATURES.len());
    }

    #[test]
    fn addresses_send_no_name_and_ssl3_no_extensions() {
        let with_name = client_hello(Version::Tls11, &host("imap.example.test"), [0; 32]);
        let without = client_hello(Version::Tls11, &host("192.0.2.1"), [0; 32]);
        assert_eq!(with_name.len() - without.len(), 4 + 2 + 3 + "imap.example.test".len());
        let ssl3 = client_hello(Version::Ssl3, &host("imap.example.test"), [0; 32]);
        assert_eq!(ssl3.len(), 5 + 4 + 2 + 32 + 1 + 2 + 2 * (suites::all().count() + 1) + 2);
        assert_eq!(ssl3.get(..3), Some([22, 3, 0].as_slice()));
    }
}
