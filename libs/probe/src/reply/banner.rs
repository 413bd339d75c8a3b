//! Tells from a server's first line which protocol really answers.
//!
//! Apart from the sessions, which only know their own protocol. Looks at the shape of
//! one line and never at the port. Shapes: RFC 9051 §7.1, RFC 1939 §4, RFC 5321 §4.2,
//! RFC 9112 §4 (HTTP), RFC 4253 §4.2 (SSH), RFC 959 §5.4 (FTP), RFC 5804 (ManageSieve).

use mailfleet_model::Protocol;

/// The protocol that a first line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Banner {
    /// A mail protocol that we speak.
    Mail(Protocol),
    /// A web server.
    Http,
    /// A secure shell.
    Ssh,
    /// File transfer.
    Ftp,
    /// Mail filter scripts.
    ManageSieve,
    /// News.
    Nntp,
    /// A TLS record: the server, or somebody before it, expects TLS here.
    Tls,
}

impl Banner {
    /// The protocol's name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mail(Protocol::Imap) => "IMAP",
            Self::Mail(Protocol::Pop3) => "POP3",
            Self::Mail(Protocol::Smtp) => "SMTP",
            Self::Http => "HTTP",
            Self::Ssh => "SSH",
            Self::Ftp => "FTP",
            Self::ManageSieve => "ManageSieve",
            Self::Nntp => "NNTP",
            Self::Tls => "TLS",
        }
    }
}

/// Recognises the protocol by its first line, or `None` where the line says nothing.
///
/// `220` is SMTP unless the words are those of a file server; other three-digit codes
/// of class 4 and 5 are SMTP refusals.
#[must_use]
pub fn banner(line: &[u8]) -> Option<Banner> {
    let start: Vec<u8> = line.iter().take(200).map(u8::to_ascii_uppercase).collect();
    let begins = |prefix: &[u8]| start.starts_with(prefix);
    if begins(b"* OK")
        || begins(b"* BYE")
        || begins(b"* PREAUTH")
        || begins(b"* NO")
        || begins(b"* BAD")
    {
        Some(Banner::Mail(Protocol::Imap))
    } else if begins(b"+OK") || begins(b"-ERR") || begins(b"+ERR") {
        Some(Banner::Mail(Protocol::Pop3))
    } else if begins(b"HTTP/") || begins(b"<!DOCTYPE") || begins(b"<HTML") {
        Some(Banner::Http)
    } else if begins(b"SSH-") {
        Some(Banner::Ssh)
    } else if begins(b"\"IMPLEMENTATION\"") || begins(b"\"SIEVE\"") {
        Some(Banner::ManageSieve)
    } else if start.first().is_some_and(|b| (0x14..=0x17).contains(b)) && start.get(1) == Some(&3) {
        Some(Banner::Tls)
    } else {
        numbered(&start)
    }
}

/// The protocols whose first line begins with a three-digit code.
fn numbered(start: &[u8]) -> Option<Banner> {
    let line = super::smtp_line(start)?;
    let says = |word: &[u8]| start.windows(word.len()).any(|window| window == word);
    let is_ftp = says(b"FTP") && !says(b"SMTP");
    let is_news = says(b"NNTP") || says(b"INN") || says(b"NEWS");
    match line.code {
        200 | 201 if is_news => Some(Banner::Nntp),
        220 if is_ftp => Some(Banner::Ftp),
        220 | 400..=599 => Some(Banner::Mail(Protocol::Smtp)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], expect: Option<&str>) {
        assert_eq!(banner(line).map(Banner::name), expect, "{line:?}");
    }

    #[test]
    fn first_lines_tell_their_protocol() {
        check(b"* OK [CAPABILITY IMAP4rev1] ready\r\n", Some("IMAP"));
        check(b"* bye Autologout", Some("IMAP"));
        check(b"+OK Dovecot ready.", Some("POP3"));
        check(b"220 mail ESMTP Postfix", Some("SMTP"));
        check(b"554 No SMTP service here", Some("SMTP"));
        check(b"220 (vsFTPd 3.0.3)", Some("FTP"));
        check(b"220 ftp.example ESMTP ready", Some("SMTP"));
        check(b"HTTP/1.1 400 Bad Request", Some("HTTP"));
        check(b"SSH-2.0-OpenSSH_9.2", Some("SSH"));
        check(b"200 news.example InterNetNews NNRP server", Some("NNTP"));
        check(b"\x15\x03\x01\x00\x02\x02\x16", Some("TLS"));
        check(b"hello", None);
        check(b"", None);
    }
}
