//! Reads the header of a message as far as the arrival leg needs it.
//!
//! Finds the token, the sender, and whether the message is a bounce of ours. Apart from
//! any mail parser: a header is a stranger's text, and four fields of it are enough.
//! Unfolds lines (RFC 5322 section 2.2.3) and undoes encoded words (RFC 2047) only to
//! look for ASCII in them. Bounded; never panics, whatever the bytes.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Most bytes of a header that are looked at.
const MAX_HEADER: usize = 64 * 1024;
/// Most fields that are looked at.
const MAX_FIELDS: usize = 500;
/// Longest diagnosis of a bounce that is kept, in bytes.
const MAX_DIAGNOSIS: usize = 1_000;

/// Base64 as mail programs write it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The fields that are asked for.
pub(super) const FIELDS: &str = "X-MAILFLEET-TEST MESSAGE-ID SUBJECT FROM CONTENT-TYPE \
     AUTO-SUBMITTED RETURN-PATH X-FAILED-RECIPIENTS IN-REPLY-TO REFERENCES";

/// What a message is to the arrival leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The test mail itself, or a copy of it; with the sender's address, lower case.
    TestMail {
        /// The address in `From`, where there is one.
        from: Option<String>,
    },
    /// A notice from a mail system, perhaps about the test mail.
    Notice,
    /// Anything else.
    Other,
}

/// The header fields of a message: names in lower case, values unfolded.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, Vec<u8>)>);

impl Fields {
    /// Reads a header; it ends at the first empty line.
    pub(super) fn parse(header: &[u8]) -> Self {
        let header = header.get(..MAX_HEADER).unwrap_or(header);
        let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
        for line in header.split(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() || fields.len() > MAX_FIELDS {
                break;
            }
            if line.first().is_some_and(|b| b" \t".contains(b)) {
                if let Some((_, value)) = fields.last_mut() {
                    value.extend_from_slice(line);
                }
                continue;
            }
            let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
            let (name, value) = line.split_at_checked(colon).unwrap_or((line, b""));
            let name = String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase();
            fields.push((name, value.get(1..).unwrap_or_default().trim_ascii().to_vec()));
        }
        Self(fields)
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_slice())
    }

    /// What the message is. `token` is ASCII.
    pub(super) fn kind(&self, token: &str) -> Kind {
        let own = ["x-mailfleet-test", "message-id"];
        let has_token = own.iter().any(|name| self.values(name).any(|v| holds(v, token)))
            || self.values("subject").any(|v| holds(v, token) || holds(&decoded(v), token));
        // A bounce may quote our subject; it is a notice all the same.
        if self.is_notice() {
            Kind::Notice
        } else if has_token {
            Kind::TestMail { from: self.from() }
        } else {
            Kind::Other
        }
    }

    /// Whether a mail system wrote it (RFC 3464, RFC 3834, and older habits).
    fn is_notice(&self) -> bool {
        let says = |name, word| self.values(name).any(|v| holds(v, word));
        says("content-type", "multipart/report")
            || says("return-path", "<>") && says("from", "daemon")
            || says("from", "mailer-daemon@")
            || self.values("x-failed-recipients").next().is_some()
    }

    /// The address in `From`, lower case.
    fn from(&self) -> Option<String> {
        let value = String::from_utf8_lossy(self.values("from").next()?).into_owned();
        let address = match value.rsplit_once('<') {
            Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
            None => value.as_str(),
        };
        let address = address.trim().to_lowercase();
        address.contains('@').then_some(address)
    }
}

/// Whether `text` holds `word`, without regard to ASCII case.
pub(super) fn holds(text: &[u8], word: &str) -> bool {
    !word.is_empty() && text.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word.as_bytes()))
}

/// The bytes of all encoded words in a value, joined (RFC 2047 section 6.2).
fn decoded(value: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    let mut bytes = Vec::new();
    for word in text.split("=?").skip(1) {
        let mut parts = word.split('?');
        let (_, Some(encoding), Some(payload)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        match encoding {
            "B" | "b" => bytes.extend(LENIENT.decode(payload).unwrap_or_default()),
            "Q" | "q" => bytes.extend(unquoted(payload)),
            _ => {}
        }
    }
    bytes
}

/// Quoted-printable as encoded words write it.
fn unquoted(payload: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = payload.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let pair = behind.split_at_checked(2).filter(|_| *byte == b'=');
        let code = pair.and_then(|(code, after)| {
            let code = u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()?;
            Some((code, after))
        });
        match code {
            Some((code, after)) => {
                bytes.push(code);
                rest = after;
            }
            None => bytes.push(if *byte == b'_' { b' ' } else { *byte }),
        }
    }
    bytes
}

/// What a bounce says: the receiving server's words and the status code (RFC 3464
/// sections 2.3.4 and 2.3.6).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Diagnosis {
    /// The words as bytes.
    pub(super) words: Vec<u8>,
    /// The enhanced status code, such as `5.1.1`.
    pub(super) status: Option<String>,
}

/// Reads the start of a bounce.
pub(super) fn diagnosis(message: &[u8]) -> Diagnosis {
    let mut found = Diagnosis::default();
    let mut lines = message.split(|b| *b == b'\n').peekable();
    while let Some(line) = lines.next() {
        if let Some(value) = field(line, "diagnostic-code:")
            && found.words.is_empty()
        {
            found.words = value.to_vec();
            while let Some(next) =
                lines.next_if(|next| next.starts_with(b" ") || next.starts_with(b"\t"))
            {
                found.words.push(b' ');
                found.words.extend_from_slice(next.trim_ascii());
            }
        } else if let Some(value) = field(line, "status:") {
            let status = String::from_utf8_lossy(value.get(..12).unwrap_or(value)).into_owned();
            let is_code = status.split('.').count() == 3;
            found.status = found.status.or(is_code.then_some(status));
        }
    }
    found.words.truncate(MAX_DIAGNOSIS);
    found
}

fn field<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "abcdefgh12345678";

    #[track_caller]
    fn check(header: &str, expect: Kind) {
        assert_eq!(Fields::parse(header.as_bytes()).kind(TOKEN), expect, "{header}");
    }

    fn mail(from: &str) -> Kind {
        Kind::TestMail { from: Some(from.to_owned()) }
    }

    #[test]
    fn the_token_is_found_wherever_it_survived() {
        check(
            "From: A <User@B.test>\r\nX-Mailfleet-Test: abcdefgh12345678\r\n",
            mail("user@b.test"),
        );
        check("from: u@b.test\r\nMessage-ID:\r\n <abcdefgh12345678@b.test>\r\n", mail("u@b.test"));
        check("From: u@b.test\nSubject: [EXTERNAL] x [ABCDEFGH12345678]\n", mail("u@b.test"));
        let encoded =
            "From: u@b.test\r\nSubject: =?utf-8?B?W2FiY2RlZmdo?=\r\n =?utf-8?Q?12345=36_78?=\r\n";
        check(encoded, Kind::Other);
        let encoded =
            "From: u@b.test\r\nSubject: =?utf-8?B?W2FiY2RlZmdo?=\r\n =?utf-8?Q?12345=3678]?=\r\n";
        check(encoded, mail("u@b.test"));
        check("From: u@b.test\r\n\r\nX-Mailfleet-Test: abcdefgh12345678\r\n", Kind::Other);
        check("Subject: abcdefgh1234567\r\n", Kind::Other);
    }

    #[test]
    fn notices_of_mail_systems_are_told_from_mail() {
        check("From: MAILER-DAEMON@mx.test\r\nSubject: failed\r\n", Kind::Notice);
        check("Content-Type: multipart/report;\r\n report-type=delivery-status\r\n", Kind::Notice);
        check("X-Failed-Recipients: a@b.test\r\nSubject: abcdefgh12345678\r\n", Kind::Notice);
    }

    #[test]
    fn the_receiving_servers_words_are_taken_out_of_a_bounce() {
        let bounce = b"x\r\nFinal-Recipient: rfc822; a@b\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp;\r\n 550 5.1.1 no\r\n such user\r\nX: y\r\n";
        let found = diagnosis(bounce);
        assert_eq!(found.words, b"smtp; 550 5.1.1 no such user");
        assert_eq!(found.status.as_deref(), Some("5.1.1"));
        assert_eq!(diagnosis(b"Status: fine\r\n"), Diagnosis::default());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            let _ = Fields::parse(&bytes).kind(TOKEN);
            prop_assert!(diagnosis(&bytes).words.len() <= bytes.len() + 1);
        }

        #[test]
        fn no_subject_makes_it_panic(subject in "(=\\?|\\?|[A-Za-z=_ ]|é){0,60}") {
            let _ = Fields::parse(format!("Subject: {subject}\r\n").as_bytes()).kind(TOKEN);
        }
    }
}
