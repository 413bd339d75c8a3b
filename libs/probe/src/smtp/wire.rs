//! One SMTP connection: commands out, replies in.
//!
//! Reads whole replies, however many lines they have, within bounds, and keeps their
//! bytes as evidence. mail-send's own reader is not used: it cannot tell a closed
//! connection from garbage, it drops what follows the first reply, and it keeps only
//! 4 KiB of a capability list. Nothing here judges or waits for a time.
//! Grammar: RFC 5321 section 4.2; PIPELINING: RFC 2920.

use crate::lines::{self, Lines};
use crate::reply::{self, More};
use crate::stream::MailStream;

/// Most lines of one reply. EHLO of real servers has up to 30, a greeting up to 10.
const MAX_REPLY_LINES: usize = 200;
/// Most bytes of one reply that are kept, line ends not counted.
const MAX_REPLY_BYTES: usize = 32 * 1024;

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// The code of its last line.
    pub(super) code: u16,
    /// What stands behind the code in each line, as it came. Never empty.
    pub(super) lines: Vec<Vec<u8>>,
}

impl Reply {
    /// Whether the command was done (2xx).
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// What stands in the last line: the challenge of a `334`.
    pub(super) fn last_line(&self) -> &[u8] {
        self.lines.last().map(Vec::as_slice).unwrap_or_default()
    }
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The connection ended or broke a bound; `said` are the lines that came before.
    #[error("the connection ended")]
    Wire {
        /// What ended it.
        #[source]
        error: lines::Error,
        /// The lines of an unfinished reply.
        said: Vec<Vec<u8>>,
    },
    /// The line is no SMTP.
    #[error("the server sent what is no SMTP reply")]
    Foreign(Vec<u8>),
    /// The reply has no end.
    #[error("the server sent a reply without an end")]
    Endless(Vec<u8>),
}

/// A connection that speaks SMTP.
#[derive(Debug)]
pub(super) struct Connection {
    lines: Lines,
}

impl Connection {
    /// Begins to speak on a stream.
    pub(super) fn new(stream: MailStream) -> Self {
        Self { lines: Lines::new(stream) }
    }

    /// Reads one reply.
    ///
    /// # Errors
    /// If the connection ends, or what comes is no reply or has no end.
    pub(super) async fn read(&mut self) -> Result<Reply, Error> {
        let mut said: Vec<Vec<u8>> = Vec::new();
        let mut size = 0usize;
        loop {
            let line = match self.lines.read_line().await {
                Ok(line) => line,
                Err(error) => return Err(Error::Wire { error, said }),
            };
            let Some(parsed) = reply::smtp_line(&line) else { return Err(Error::Foreign(line)) };
            size = size.saturating_add(parsed.text.len());
            if said.len() >= MAX_REPLY_LINES || size > MAX_REPLY_BYTES {
                return Err(Error::Endless(said.into_iter().next().unwrap_or_default()));
            }
            let (code, more) = (parsed.code, parsed.more);
            said.push(parsed.text.to_vec());
            if more == More::Ends {
                return Ok(Reply { code, lines: said });
            }
        }
    }

    /// Sends one command (without its CRLF) and reads the reply.
    ///
    /// # Errors
    /// As [`Connection::read`], or if the command cannot be written.
    pub(super) async fn command(&mut self, command: &[u8]) -> Result<Reply, Error> {
        self.write(&[command]).await?;
        self.read().await
    }

    /// Sends several commands at once; the caller reads as many replies.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(super) async fn write(&mut self, commands: &[&[u8]]) -> Result<(), Error> {
        let written = self.lines.write_lines(commands).await;
        written.map_err(|error| Error::Wire { error, said: Vec::new() })
    }

    /// Gives access to the bare stream, for content. Replies go on being read here.
    pub(super) fn stream_mut(&mut self) -> &mut MailStream {
        self.lines.stream_mut()
    }

    /// What was received and not read.
    pub(super) fn unread(&self) -> &[u8] {
        self.lines.buffered()
    }

    /// Gives the stream back, for TLS. Unread bytes are dropped: look at them before.
    pub(super) fn into_stream(self) -> MailStream {
        self.lines.into_parts().0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn read_all(bytes: Vec<u8>) -> (Vec<Reply>, Error) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            let writer = tokio::spawn(async move {
                // The reader may give up early; that is what some cases are about.
                let _ = theirs.write_all(&bytes).await;
            });
            let mut connection = Connection::new(MailStream::tls(Box::new(ours)));
            let mut replies = Vec::new();
            let end = loop {
                match connection.read().await {
                    Ok(reply) => replies.push(reply),
                    Err(error) => break error,
                }
            };
            drop(connection);
            writer.await.expect("the writer ends");
            (replies, end)
        })
    }

    #[test]
    fn replies_keep_all_their_lines() {
        let (replies, end) = read_all(b"220-a\r\n220 b\r\n250\r\n334 \r\n535-5.7.8 \xb5".to_vec());
        let codes: Vec<_> = replies.iter().map(|r| (r.code, r.lines.len())).collect();
        assert_eq!(codes, [(220, 2), (250, 1), (334, 1)]);
        assert_eq!(replies[2].last_line(), b"");
        assert!(matches!(end, Error::Wire { error: lines::Error::Closed { .. }, .. }));
    }

    #[test]
    fn an_endless_reply_is_refused() {
        let (replies, end) = read_all(b"220-more\r\n".repeat(5000));
        assert!(replies.is_empty());
        assert!(matches!(end, Error::Endless(start) if start == b"more"));
        let (_, end) = read_all([b"250-".to_vec(), vec![b'x'; 40_000], b"\r\n".to_vec()].concat());
        assert!(matches!(end, Error::Endless(_)));
    }

    #[test]
    fn another_protocol_is_handed_back_as_it_came() {
        let (_, end) = read_all(b"+OK POP3 ready\r\n".to_vec());
        assert!(matches!(end, Error::Foreign(line) if line == b"+OK POP3 ready"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_bounds_hold(
            bytes in prop::collection::vec(any::<u8>(), 0..2000),
        ) {
            let (replies, _) = read_all(bytes);
            prop_assert!(replies.iter().all(|reply| !reply.lines.is_empty()));
        }

        #[test]
        fn framing_gives_back_what_was_sent(
            code in 200u16..600,
            texts in prop::collection::vec("[ -~]{0,60}", 1..10),
        ) {
            let mut wire = Vec::new();
            let last = texts.len() - 1;
            for (index, text) in texts.iter().enumerate() {
                let separator = if index == last { ' ' } else { '-' };
                wire.extend_from_slice(format!("{code}{separator}{text}\r\n").as_bytes());
            }
            let (replies, _) = read_all(wire);
            let lines: Vec<Vec<u8>> = texts.iter().map(|text| text.clone().into_bytes()).collect();
            prop_assert_eq!(replies, vec![Reply { code, lines }]);
        }
    }
}
