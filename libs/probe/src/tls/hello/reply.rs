//! Reads a server's first answer to a ClientHello: its choice, an alert, or neither.
//!
//! The bytes are hostile. Records and messages are taken apart by checked reads only, a
//! byte is looked at a bounded number of times, and 64 KiB are enough for everybody.

use super::Version;
use super::suites::{self, Kind};

/// Bytes that are read, at most. A chain of ten certificates has some 20 KiB.
const MAX_BYTES: usize = 64 * 1024;
/// Longest record. RFC 5246 section 6.2.3: 2^14 + 2048.
const MAX_RECORD: usize = 16_384 + 2_048;
/// Header of a record, in bytes.
const RECORD_HEADER: usize = 5;
/// Header of a handshake message, in bytes.
const MESSAGE_HEADER: usize = 4;

/// A server's first answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tls) enum Reply {
    /// It would go on with this.
    Chosen(Choice),
    /// It refuses.
    Alert(u8),
    /// It does not speak TLS, or too much of it.
    NotTls,
}

/// What a server chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tls) struct Choice {
    /// The version.
    pub(in crate::tls) version: Version,
    /// The cipher suite.
    pub(in crate::tls) suite: u16,
    /// The size of its Diffie-Hellman group in bits, where that is seen.
    pub(in crate::tls) group_bits: Option<usize>,
}

/// Takes bytes as they come, until they make a reply.
#[derive(Debug, Default)]
pub(in crate::tls) struct Reader {
    /// Bytes of a record that is not whole yet.
    record: Vec<u8>,
    /// Bytes of handshake messages that are not whole yet.
    messages: Vec<u8>,
    /// All bytes so far.
    total: usize,
    /// A choice whose key exchange is still awaited.
    choice: Option<Choice>,
}

impl Reader {
    /// Takes the next bytes; `None` asks for more.
    pub(in crate::tls) fn push(&mut self, bytes: &[u8]) -> Option<Reply> {
        self.total = self.total.saturating_add(bytes.len());
        if self.total > MAX_BYTES {
            return self.finish().or(Some(Reply::NotTls));
        }
        self.record.extend_from_slice(bytes);
        while let Some(step) = self.next_record() {
            match step {
                Ok(record) => {
                    if let Some(reply) = self.take_record(&record) {
                        return Some(reply);
                    }
                }
                Err(NotTls) => return self.finish().or(Some(Reply::NotTls)),
            }
        }
        None
    }

    /// What is known when no more bytes come.
    pub(in crate::tls) fn finish(&self) -> Option<Reply> {
        self.choice.map(Reply::Chosen)
    }

    fn next_record(&mut self) -> Option<Result<Record, NotTls>> {
        let header = self.record.first_chunk::<RECORD_HEADER>();
        let Some([kind, major, _, high, low]) = header.copied() else {
            let is_possible = matches!(self.record.as_slice(), [] | [20..=23] | [20..=23, 3, ..]);
            return (!is_possible).then_some(Err(NotTls));
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !(20..=23).contains(&kind) || major != 3 || length > MAX_RECORD {
            return Some(Err(NotTls));
        }
        let end = RECORD_HEADER.saturating_add(length);
        if self.record.len() < end {
            return None;
        }
        let rest = self.record.split_off(end);
        let whole = std::mem::replace(&mut self.record, rest);
        let body = whole.get(RECORD_HEADER..).unwrap_or_default().to_vec();
        Some(Ok(Record { kind, body }))
    }

    fn take_record(&mut self, record: &Record) -> Option<Reply> {
        match (record.kind, record.body.as_slice()) {
            // RFC 5246 section 7.2: level, description. Level 1 is a warning, which
            // unrecognized_name may be.
            (21, [1, _]) => None,
            (21, [_, description]) => self.finish().or(Some(Reply::Alert(*description))),
            (22, body) => {
                self.messages.extend_from_slice(body);
                self.take_messages()
            }
            _ => self.finish().or(Some(Reply::NotTls)),
        }
    }

    fn take_messages(&mut self) -> Option<Reply> {
        loop {
            let [kind, a, b, c] = self.messages.first_chunk::<MESSAGE_HEADER>().copied()?;
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            if length > MAX_BYTES {
                return self.finish().or(Some(Reply::NotTls));
            }
            let end = MESSAGE_HEADER.saturating_add(length);
            if self.messages.len() < end {
                return None;
            }
            let rest = self.messages.split_off(end);
            let whole = std::mem::replace(&mut self.messages, rest);
            let body = whole.get(MESSAGE_HEADER..).unwrap_or_default();
            if let Some(reply) = self.take_message(kind, body) {
                return Some(reply);
            }
        }
    }

    fn take_message(&mut self, kind: u8, body: &[u8]) -> Option<Reply> {
        match (kind, self.choice) {
            (2, None) => {
                let Some(choice) = server_hello(body) else { return Some(Reply::NotTls) };
                // Only a finite-field group is worth waiting for.
                if suites::kind(choice.suite) != Some(Kind::FiniteField) {
                    return Some(Reply::Chosen(choice));
                }
                self.choice = Some(choice);
                None
            }
            // server_key_exchange begins with the prime. RFC 5246 section 7.4.3.
            (12, Some(choice)) => {
                let mut fields = Fields(body);
                let group_bits = fields.prefixed16().map(bits);
                Some(Reply::Chosen(Choice { group_bits, ..choice }))
            }
            // Certificate and certificate_status lie between.
            (11 | 22, Some(_)) => None,
            (_, Some(choice)) => Some(Reply::Chosen(choice)),
            (_, None) => Some(Reply::NotTls),
        }
    }
}

/// Not the bytes of a TLS server.
#[derive(Debug)]
struct NotTls;

#[derive(Debug)]
struct Record {
    kind: u8,
    body: Vec<u8>,
}

/// RFC 5246 section 7.4.1.3.
fn server_hello(body: &[u8]) -> Option<Choice> {
    let mut fields = Fields(body);
    let version = Version::of(fields.array()?)?;
    let _random: [u8; 32] = fields.array()?;
    let [session_id_length] = fields.array()?;
    fields.take(usize::from(session_id_length))?;
    let suite = u16::from_be_bytes(fields.array()?);
    Some(Choice { version, suite, group_bits: None })
}

/// The size of a number in bits.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let first = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    number.len().saturating_sub(zeros).saturating_mul(8).saturating_sub(first)
}

/// Fields of a message, from front to back; every read is checked.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn prefixed16(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, 0];
        bytes.extend(u16::try_from(body.len()).expect("short").to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, 3, 1];
        bytes.extend(u16::try_from(body.len()).expect("short").to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn hello(version: [u8; 2], suite: u16) -> Vec<u8> {
        let mut body = version.to_vec();
        body.extend([9; 32]);
        body.push(0);
        body.extend(suite.to_be_bytes());
        body.push(0);
        message(2, &body)
    }

    #[track_caller]
    fn check(bytes: &[u8], expect: Option<Reply>) {
        assert_eq!(Reader::default().push(bytes), expect);
        // However the bytes are cut, the reply is the same.
        let mut reader = Reader::default();
        assert_eq!(bytes.iter().find_map(|byte| reader.push(&[*byte])), expect);
    }

    fn chosen(version: Version, suite: u16, group_bits: Option<usize>) -> Option<Reply> {
        Some(Reply::Chosen(Choice { version, suite, group_bits }))
    }

    #[test]
    fn choices_alerts_and_plaintext_are_told_apart() {
        check(&record(22, &hello([3, 2], 0x002F)), chosen(Version::Tls11, 0x002F, None));
        check(&record(22, &hello([3, 0], 0x0005)), chosen(Version::Ssl3, 0x0005, None));
        check(&record(21, &[2, 70]), Some(Reply::Alert(70)));
        check(b"* OK ready\r\n", Some(Reply::NotTls));
        check(b"220 ", Some(Reply::NotTls));
        check(&record(22, &hello([3, 4], 0x1301)), Some(Reply::NotTls));
        check(&[22, 3, 1, 0xFF, 0xFF], Some(Reply::NotTls));
    }

    #[test]
    fn the_group_is_read_from_messages_cut_over_records() {
        let mut prime = vec![0x00, 0x80];
        prime.extend([0; 127]);
        let mut exchange = u16::try_from(prime.len()).expect("short").to_be_bytes().to_vec();
        exchange.extend(&prime);
        let mut messages = hello([3, 3], 0x0033);
        messages.extend(message(11, &[0; 300]));
        messages.extend(message(12, &exchange));
        let bytes: Vec<u8> = messages.chunks(100).flat_map(|part| record(22, part)).collect();
        check(&bytes, chosen(Version::Tls12, 0x0033, Some(1024)));
    }

    #[test]
    fn a_warning_is_passed_over_and_a_cut_off_choice_counts() {
        let mut bytes = record(21, &[1, 112]);
        bytes.extend(record(22, &hello([3, 1], 0x0033)));
        let mut reader = Reader::default();
        assert_eq!(reader.push(&bytes), None);
        assert_eq!(reader.finish(), chosen(Version::Tls10, 0x0033, None));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_end(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..40)) {
            let mut reader = Reader::default();
            let _ = parts.iter().find_map(|part| reader.push(part));
        }

        #[test]
        fn arbitrary_handshake_messages_never_panic(kind in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..400), after in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = record(22, &hello([3, 3], 0x0033));
            bytes.extend(record(22, &message(kind, &body)));
            bytes.extend(&after);
            let _ = Reader::default().push(&bytes);
            let _ = Reader::default().push(&record(22, &message(2, &body)));
        }

        #[test]
        fn endless_bytes_come_to_an_end(byte in any::<u8>()) {
            let mut reader = Reader::default();
            let ended = (0..=MAX_BYTES).any(|_| reader.push(&[byte]).is_some());
            prop_assert!(ended);
        }
    }
}
