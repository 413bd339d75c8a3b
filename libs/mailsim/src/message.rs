//! A stored message, and the few things that a server must know about its inside.
//!
//! No MIME: a body is bytes. Sources: RFC 5322 §2.2 (folded header fields), RFC 3464 (bounces).

use std::fmt::Write as _;
use std::sync::Arc;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// A message in a folder.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its UID in its folder.
    pub uid: u32,
    /// Its flags as IMAP writes them, `\Seen` and the like.
    pub flags: Vec<String>,
    /// When it arrived.
    pub arrived: OffsetDateTime,
    /// All of it, with CRLF line ends.
    pub raw: Arc<[u8]>,
}

impl Message {
    /// Tells whether a flag is set; flags have no case.
    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f.eq_ignore_ascii_case(flag))
    }

    /// The value of the first header field with this name, unfolded.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        header(&self.raw, name)
    }
}

/// Splits a message behind the empty line that ends its header.
pub(crate) fn split(raw: &[u8]) -> (&[u8], &[u8]) {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n").map_or(raw.len(), |at| at + 4);
    raw.split_at_checked(end).unwrap_or((raw, &[]))
}

/// Goes over the header fields: name, and the whole field with its line end.
pub(crate) fn fields(raw: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = split(raw).0;
    std::iter::from_fn(move || {
        let mut end = 0;
        loop {
            let line = rest.get(end..)?.iter().position(|b| *b == b'\n')? + 1;
            end += line;
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, after) = rest.split_at_checked(end)?;
        rest = after;
        let colon = field.iter().position(|b| *b == b':')?;
        Some((field.get(..colon)?, field))
    })
}

/// The value of the first header field with this name, unfolded.
pub(crate) fn header(raw: &[u8], name: &str) -> Option<String> {
    let wanted = name.as_bytes();
    let (key, field) = fields(raw).find(|(key, _)| key.eq_ignore_ascii_case(wanted))?;
    let value = String::from_utf8_lossy(field.get(key.len() + 1..)?);
    Some(value.replace("\r\n", "").trim().to_owned())
}

/// Copies a message with its `From` replaced.
pub(crate) fn with_from(raw: &[u8], from: &str) -> Vec<u8> {
    let (head, body) = split(raw);
    let mut out = Vec::with_capacity(raw.len() + from.len());
    for (key, field) in fields(head) {
        if key.eq_ignore_ascii_case(b"from") {
            out.extend_from_slice(format!("From: <{from}>\r\n").as_bytes());
        } else {
            out.extend_from_slice(field);
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

/// The date of now, as headers write it.
pub(crate) fn date_now() -> String {
    OffsetDateTime::now_utc().format(&Rfc2822).expect("years of four digits can be written")
}

/// A small message for a mailbox that should not be empty.
pub(crate) fn sample(address: &str, number: u32) -> Vec<u8> {
    let date = date_now();
    format!(
        "From: <colleague@mailsim.test>\r\nTo: <{address}>\r\nSubject: Message {number}\r\n\
         Date: {date}\r\nMessage-ID: <sample-{number}@mailsim.test>\r\n\r\n\
         This is message {number}.\r\n"
    )
    .into_bytes()
}

/// A delivery status notification about a message that could not be delivered.
pub(crate) fn bounce(original: &[u8], sender: &str, recipient: &str) -> Vec<u8> {
    let (head, _) = split(original);
    let date = date_now();
    let mut text = String::new();
    let _ = write!(
        text,
        "From: Mail Delivery System <MAILER-DAEMON@mailsim.test>\r\nTo: <{sender}>\r\n\
         Subject: Undelivered Mail Returned to Sender\r\nDate: {date}\r\n\
         Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"=b\"\r\n\r\n\
         --=b\r\nContent-Type: text/plain\r\n\r\n\
         <{recipient}>: host mail.mailsim.test said: 550 5.1.1 User unknown\r\n\r\n\
         --=b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mail.mailsim.test\r\n\r\n\
         Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n\
         --=b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    );
    let mut out = text.into_bytes();
    out.extend_from_slice(head);
    out.extend_from_slice(b"--=b--\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &[u8] = b"From: <a@x>\r\nSubject: one\r\n two\r\nX: y\r\n\r\nbody\r\n\r\nmore";

    #[test]
    fn headers_are_found_and_unfolded() {
        assert_eq!(header(RAW, "subject").as_deref(), Some("one two"));
        assert_eq!(header(RAW, "x").as_deref(), Some("y"));
        assert_eq!(header(RAW, "body"), None);
        assert_eq!(split(RAW).1, b"body\r\n\r\nmore");
        assert_eq!(fields(b"no header at all").count(), 0);
    }

    #[test]
    fn the_sender_is_rewritten_and_nothing_else() {
        let out = with_from(RAW, "b@y");
        assert_eq!(header(&out, "from").as_deref(), Some("<b@y>"));
        assert!(out.ends_with(b"Subject: one\r\n two\r\nX: y\r\n\r\nbody\r\n\r\nmore"));
    }

    #[test]
    fn a_bounce_carries_the_headers_of_what_it_is_about() {
        let dsn = String::from_utf8(bounce(RAW, "a@x", "c@z")).unwrap();
        assert!(dsn.contains("Status: 5.1.1\r\n") && dsn.contains("Subject: one\r\n two"));
        assert!(!dsn.contains("more"));
    }
}
