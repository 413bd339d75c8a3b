//! Recognises what speaks on a port by its first plaintext bytes.

use mailfleet_model::Protocol;

use super::certificate::clean;

/// Longest text that is kept for the evidence, in characters.
const MAX_TEXT: usize = 512;

/// What speaks on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// A mail protocol.
    Mail(Protocol),
    /// Another protocol, by its usual name.
    Other(&'static str),
    /// Something that cannot be told.
    Unknown,
}

impl Speaks {
    /// The name of the protocol, for people.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Mail(Protocol::Imap) => Some("IMAP"),
            Self::Mail(Protocol::Pop3) => Some("POP3"),
            Self::Mail(Protocol::Smtp) => Some("SMTP"),
            Self::Other(name) => Some(name),
            Self::Unknown => None,
        }
    }
}

/// Tells what speaks by its first bytes. Grammar of the greetings: RFC 9051 section 7.1,
/// RFC 1939 section 4, RFC 5321 section 4.2.
pub(super) fn recognise(first: &[u8]) -> Speaks {
    let text = String::from_utf8_lossy(first).to_ascii_uppercase();
    let text = text.trim_start();
    let starts = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
    if starts(&["* OK", "* PREAUTH", "* BYE", "* BAD", "* NO"]) {
        Speaks::Mail(Protocol::Imap)
    } else if starts(&["+OK", "-ERR"]) {
        Speaks::Mail(Protocol::Pop3)
    } else if starts(&["HTTP/", "<HTML", "<!DOCTYPE"]) {
        Speaks::Other("HTTP")
    } else if starts(&["SSH-"]) {
        Speaks::Other("SSH")
    } else if is_reply_code(text.as_bytes()) {
        // FTP has the same form (RFC 959 section 4.2); its greetings say so.
        if text.contains("FTP") && !text.contains("SMTP") {
            Speaks::Other("FTP")
        } else {
            Speaks::Mail(Protocol::Smtp)
        }
    } else {
        Speaks::Unknown
    }
}

/// The first bytes as evidence; `None` if they are no text.
pub(super) fn text(first: &[u8]) -> Option<String> {
    let text = clean(&String::from_utf8_lossy(first).replace(['\r', '\n'], " "), MAX_TEXT);
    let is_text = first.iter().all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace());
    let text = text.trim();
    (is_text && !text.is_empty()).then(|| text.to_owned())
}

fn is_reply_code(text: &[u8]) -> bool {
    matches!(text, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(first: &[u8], expect: Speaks) {
        assert_eq!(recognise(first), expect, "{}", String::from_utf8_lossy(first));
    }

    #[test]
    fn protocols_are_recognised_by_their_first_words() {
        check(b"* OK [CAPABILITY IMAP4rev1] ready\r\n", Speaks::Mail(Protocol::Imap));
        check(b"* BYE too busy\r\n", Speaks::Mail(Protocol::Imap));
        check(b"+OK POP3 ready\r\n", Speaks::Mail(Protocol::Pop3));
        check(b"220 mail.example.test ESMTP\r\n", Speaks::Mail(Protocol::Smtp));
        check(b"220-mail.example.test ESMTP\r\n220 ", Speaks::Mail(Protocol::Smtp));
        check(b"554 5.7.1 go away\r\n", Speaks::Mail(Protocol::Smtp));
        check(b"220 ProFTPD Server\r\n", Speaks::Other("FTP"));
        check(b"HTTP/1.1 400 Bad Request\r\n", Speaks::Other("HTTP"));
        check(b"SSH-2.0-OpenSSH_9.2\r\n", Speaks::Other("SSH"));
        check(b"\xff\xfe\x00", Speaks::Unknown);
        check(b"", Speaks::Unknown);
    }

    #[test]
    fn only_text_becomes_evidence() {
        assert_eq!(text(b"* OK hi\r\n").as_deref(), Some("* OK hi"));
        assert_eq!(text(b"\x00\x01binary"), None);
        assert_eq!(text(b"\r\n"), None);
    }
}
