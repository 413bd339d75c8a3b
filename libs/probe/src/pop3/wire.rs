//! One POP3 connection: commands out, status lines and listings in.
//!
//! Bounded: a listing may be as long as a large mailbox needs and no longer, and only
//! its end is kept. Nothing here judges or waits for a time. Grammar: RFC 1939 section 3;
//! challenges: RFC 5034.

use std::collections::VecDeque;

use crate::lines::{self, Lines};
use crate::stream::MailStream;

/// Most lines of one listing. A mailbox with more messages than that is refused.
const MAX_LISTING_LINES: usize = 500_000;

/// A status line, without its indicator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    /// `+OK`.
    Ok(Vec<u8>),
    /// `-ERR`, or the `+ERR` that some servers send.
    Err(Vec<u8>),
    /// `+ `: a challenge in base64, possibly empty.
    Challenge(Vec<u8>),
}

/// The lines of a multi-line reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The last lines, as many as were asked for, without the dots of the transfer.
    pub(crate) lines: Vec<Vec<u8>>,
    /// How many lines there were.
    pub(crate) total: usize,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The connection ended or broke a bound.
    #[error("the connection ended")]
    Wire(#[source] lines::Error),
    /// The line is no POP3 status.
    #[error("the server sent what is no POP3 reply")]
    Foreign(Vec<u8>),
    /// The listing has no end.
    #[error("the server sent a listing without an end")]
    Endless,
}

/// A connection that speaks POP3.
#[derive(Debug)]
pub(crate) struct Connection {
    lines: Lines,
}

impl Connection {
    /// Begins to speak on a stream.
    pub(crate) fn new(stream: MailStream) -> Self {
        Self { lines: Lines::new(stream) }
    }

    /// Reads one status line.
    ///
    /// # Errors
    /// If the connection ends, or the line is no status.
    pub(crate) async fn read(&mut self) -> Result<Status, Error> {
        let line = self.lines.read_line().await.map_err(Error::Wire)?;
        status(&line).ok_or(Error::Foreign(line))
    }

    /// Sends one command (without its CRLF) and reads the status.
    ///
    /// # Errors
    /// As [`Connection::read`], or if the command cannot be written.
    pub(crate) async fn command(&mut self, command: &[u8]) -> Result<Status, Error> {
        self.write(command).await?;
        self.read().await
    }

    /// Sends one command.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) async fn write(&mut self, command: &[u8]) -> Result<(), Error> {
        self.lines.write_line(command).await.map_err(Error::Wire)
    }

    /// Reads the lines behind a `+OK` up to the lone dot, and keeps the last `keep`.
    ///
    /// # Errors
    /// If the connection ends or the listing does not.
    pub(crate) async fn listing(&mut self, keep: usize) -> Result<Listing, Error> {
        let mut kept = VecDeque::new();
        let mut total = 0usize;
        loop {
            let line = self.lines.read_line().await.map_err(Error::Wire)?;
            // RFC 1939 section 3: a leading dot is doubled in the transfer.
            let line = match line.strip_prefix(b".") {
                Some([]) => return Ok(Listing { lines: kept.into(), total }),
                Some(rest) => rest.to_vec(),
                None => line,
            };
            total = total.saturating_add(1);
            if total > MAX_LISTING_LINES {
                return Err(Error::Endless);
            }
            if kept.len() >= keep {
                kept.pop_front();
            }
            if keep > 0 {
                kept.push_back(line);
            }
        }
    }

    /// What was received and not read.
    pub(crate) fn unread(&self) -> &[u8] {
        self.lines.buffered()
    }

    /// Gives access to the bare stream, to close it.
    pub(crate) fn stream_mut(&mut self) -> &mut MailStream {
        self.lines.stream_mut()
    }

    /// Gives the stream back, for TLS. Unread bytes are dropped: look at them before.
    pub(crate) fn into_stream(self) -> MailStream {
        self.lines.into_parts().0
    }
}

/// Reads a status indicator, in any case; `None` if there is none.
fn status(line: &[u8]) -> Option<Status> {
    let after = |indicator: &str| {
        let (start, rest) = line.split_at_checked(indicator.len())?;
        let ends = rest.first().is_none_or(|byte| !byte.is_ascii_alphanumeric());
        (start.eq_ignore_ascii_case(indicator.as_bytes()) && ends)
            .then(|| rest.trim_ascii().to_vec())
    };
    after("+OK")
        .map(Status::Ok)
        .or_else(|| after("-ERR").or_else(|| after("+ERR")).map(Status::Err))
        .or_else(|| match line {
            [b'+'] => Some(Status::Challenge(Vec::new())),
            [b'+', b' ', challenge @ ..] => {
                Some(Status::Challenge(challenge.trim_ascii().to_vec()))
            }
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[test]
    fn indicators_are_told_apart() {
        #[track_caller]
        fn check(line: &[u8], expect: Option<Status>) {
            assert_eq!(status(line), expect, "{line:?}");
        }
        check(b"+OK Logged in.", Some(Status::Ok(b"Logged in.".to_vec())));
        check(b"+ok", Some(Status::Ok(Vec::new())));
        check(b"-ERR [AUTH] no", Some(Status::Err(b"[AUTH] no".to_vec())));
        check(b"+ERR odd", Some(Status::Err(b"odd".to_vec())));
        check(b"+ eyJz", Some(Status::Challenge(b"eyJz".to_vec())));
        check(b"+", Some(Status::Challenge(Vec::new())));
        check(b"+OKAY", None);
        check(b"220 mail ESMTP", None);
        check(b"", None);
    }

    /// Reads one listing of which the last `keep` lines count.
    fn listing(bytes: Vec<u8>, keep: usize) -> Result<Listing, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            let writer = tokio::spawn(async move {
                // The reader may give up early; that is what some cases are about.
                let _ = theirs.write_all(&bytes).await;
            });
            let mut connection = Connection::new(MailStream::tls(Box::new(ours)));
            let result = connection.listing(keep).await;
            drop(connection);
            writer.await.expect("the writer ends");
            result
        })
    }

    #[test]
    fn only_the_end_of_a_long_listing_is_kept() {
        let mut bytes: Vec<u8> =
            (1..=50).flat_map(|n| format!("{n} u{n}\r\n").into_bytes()).collect();
        bytes.extend_from_slice(b".\r\n");
        let got = listing(bytes, 2).expect("a listing");
        assert_eq!((got.lines, got.total), (vec![b"49 u49".to_vec(), b"50 u50".to_vec()], 50));
    }

    #[test]
    fn a_listing_without_an_end_is_refused() {
        let endless = b"x\r\n".repeat(MAX_LISTING_LINES + 10);
        assert!(matches!(listing(endless, 1), Err(Error::Endless)));
        let cut = b"1 a\r\n".to_vec();
        assert!(matches!(listing(cut, 1), Err(Error::Wire(lines::Error::Closed { .. }))));
    }

    proptest! {
        #[test]
        fn dots_survive_the_transfer(texts in prop::collection::vec("[.a-z ]{0,20}", 0..20)) {
            let mut wire = Vec::new();
            for text in &texts {
                let dot = if text.starts_with('.') { "." } else { "" };
                wire.extend_from_slice(format!("{dot}{text}\r\n").as_bytes());
            }
            wire.extend_from_slice(b".\r\n");
            let got = listing(wire, 100).expect("a listing");
            let expect: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(got.lines, expect);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = status(&bytes);
            let kept = listing(bytes, 3).map_or(0, |listing| listing.lines.len());
            prop_assert!(kept <= 3);
        }
    }
}
