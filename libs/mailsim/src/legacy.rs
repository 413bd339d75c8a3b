//! Servers that speak only what nobody should speak any more: SSL 3, TLS 1.0, TLS 1.1, or TLS
//! 1.2 with old cipher suites.
//!
//! The TLS library cannot serve these. This is the first flight and no more: a client learns
//! from the alert or the ServerHello what the server has, which is all that a careful client
//! wants to know. No handshake is ever completed. Sources: RFC 5246 §7.2, §7.4.1 and App. E,
//! RFC 8446 §4.2.1 (supported_versions), RFC 6101 §5.6.1 (SSL 3).

use crate::server::OldTls;

/// Longest ClientHello that is read, record header included: one record (RFC 8446 §5.1).
pub(crate) const MAX_HELLO: usize = 5 + 16 * 1024;

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const SUPPORTED_VERSIONS: u16 = 43;
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;
const DECODE_ERROR: u8 = 50;

/// Suites that servers of that age had and that modern clients leave out: RC4, 3DES, and CBC
/// with RSA, DHE or ECDHE keys (IANA TLS cipher suite registry).
const OLD_SUITES: [u16; 14] = [
    0x0004, 0x0005, 0x000a, 0x0016, 0x002f, 0x0033, 0x0035, 0x0039, 0x003c, 0x003d, 0xc009, 0xc00a,
    0xc013, 0xc014,
];

/// How many bytes the whole first record has, once its header is there.
pub(crate) fn record_len(start: &[u8]) -> Option<usize> {
    let &[_, _, _, high, low] = start.get(..5)? else { return None };
    Some(5 + usize::from(u16::from_be_bytes([high, low])))
}

struct Hello {
    version: u16,
    suites: Vec<u16>,
    versions: Option<Vec<u16>>,
}

/// Answers a ClientHello record as a server of the given age would.
pub(crate) fn answer(old: OldTls, record: &[u8]) -> Vec<u8> {
    let ours = old.wire_version();
    let Some(hello) = read(record) else { return alert(ours, DECODE_ERROR) };
    let offered = match &hello.versions {
        Some(list) => list.contains(&ours),
        None => hello.version >= ours,
    };
    if !offered {
        return alert(ours, PROTOCOL_VERSION);
    }
    match hello.suites.iter().find(|s| OLD_SUITES.contains(s)) {
        Some(suite) => server_hello(ours, *suite),
        None => alert(ours, HANDSHAKE_FAILURE),
    }
}

fn alert(version: u16, description: u8) -> Vec<u8> {
    let [major, minor] = version.to_be_bytes();
    vec![ALERT, major, minor, 0, 2, 2, description]
}

/// A ServerHello without extensions: version, random, empty session id, suite, no compression.
fn server_hello(version: u16, suite: u16) -> Vec<u8> {
    let version = version.to_be_bytes();
    let mut body = version.to_vec();
    body.extend(rand::random::<[u8; 32]>());
    body.push(0);
    body.extend(suite.to_be_bytes());
    body.push(0);
    let mut record = vec![HANDSHAKE, version[0], version[1], 0];
    let len = u8::try_from(body.len()).expect("38 bytes fit in a byte");
    record.extend([len + 4, SERVER_HELLO, 0, 0, len]);
    record.extend(body);
    record
}

/// A cursor over remote bytes that cannot read past their end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    fn u8(&mut self) -> Option<usize> {
        self.take(1)?.first().map(|b| usize::from(*b))
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn block(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(self.u16()?);
        self.take(len)
    }
}

fn read(record: &[u8]) -> Option<Hello> {
    let mut r = Reader(record);
    if r.u8()? != usize::from(HANDSHAKE) {
        return None;
    }
    r.take(4)?;
    if r.u8()? != usize::from(CLIENT_HELLO) {
        return None;
    }
    r.take(3)?;
    let version = r.u16()?;
    r.take(32)?;
    let session = r.u8()?;
    r.take(session)?;
    let suites = numbers(r.block()?);
    let compressions = r.u8()?;
    r.take(compressions)?;
    let mut extensions = Reader(r.block().unwrap_or_default());
    let mut versions = None;
    while let (Some(kind), Some(body)) = (extensions.u16(), extensions.block()) {
        if kind == SUPPORTED_VERSIONS {
            versions = body.get(1..).map(numbers);
        }
    }
    Some(Hello { version, suites, versions })
}

fn numbers(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).filter_map(|c| c.try_into().ok().map(u16::from_be_bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version: u16, suites: &[u16], versions: &[u16]) -> Vec<u8> {
        let list = |v: &[u16]| v.iter().flat_map(|s| s.to_be_bytes()).collect::<Vec<u8>>();
        let mut body = version.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.push(0);
        body.extend((suites.len() as u16 * 2).to_be_bytes());
        body.extend(list(suites));
        body.extend([1, 0]);
        if !versions.is_empty() {
            let n = versions.len() as u16 * 2;
            body.extend((n + 5).to_be_bytes());
            body.extend([0, 43]);
            body.extend((n + 1).to_be_bytes());
            body.push(n as u8);
            body.extend(list(versions));
        }
        let mut record = vec![22, 3, 1];
        record.extend((body.len() as u16 + 4).to_be_bytes());
        record.extend([1, 0]);
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        record
    }

    #[test]
    fn a_modern_client_gets_protocol_version() {
        let modern = hello(0x0303, &[0x1301, 0xc02f, 0x002f], &[0x0304, 0x0303]);
        for (old, version) in [(OldTls::Tls11, 2), (OldTls::Tls10, 1), (OldTls::Ssl3, 0)] {
            assert_eq!(answer(old, &modern), [21, 3, version, 0, 2, 2, 70]);
        }
        let only_new = hello(0x0303, &[0x1301, 0xc02f], &[0x0304, 0x0303]);
        assert_eq!(answer(OldTls::Ciphers, &only_new), [21, 3, 3, 0, 2, 2, 40]);
    }

    #[test]
    fn a_prober_of_the_right_version_gets_a_server_hello() {
        let cases = [
            (OldTls::Tls11, 0x0302),
            (OldTls::Tls10, 0x0301),
            (OldTls::Ssl3, 0x0300),
            (OldTls::Ciphers, 0x0303),
        ];
        for (old, version) in cases {
            let reply = answer(old, &hello(version, &[0xc02f, 0x002f], &[]));
            assert_eq!(reply[..3], [22, 3, version as u8]);
            assert_eq!(record_len(&reply), Some(reply.len()));
            assert_eq!(reply[5..9], [2, 0, 0, 38]);
            assert_eq!(reply[9..11], version.to_be_bytes());
            assert_eq!(reply[44..46], [0x00, 0x2f]);
            let older = answer(old, &hello(version - 1, &[0x002f], &[]));
            assert_eq!(older.last(), Some(&70));
        }
    }

    #[test]
    fn broken_hellos_never_panic() {
        let whole = hello(0x0303, &[0x002f], &[0x0303]);
        for cut in 0..whole.len() {
            let reply = answer(OldTls::Tls10, &whole[..cut]);
            assert!(reply.len() == 7 || reply.first() == Some(&22), "{cut}");
        }
    }
}
