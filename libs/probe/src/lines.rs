//! Lines in, bytes out: the transport under SMTP, POP3 and the first words of IMAP.
//!
//! Bounded: a line longer than its limit is an error and is never stored. It neither
//! parses nor judges; bytes stay bytes, since servers answer in GBK too.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

use crate::stream::{MailStream, TooManyBytes};

/// Longest line taken from a server, in bytes with CRLF. RFC 5321 section 4.5.3.1.5 asks
/// for 512 and RFC 9051 for about 8,000; capability lines of real servers stay below 2,000.
pub const MAX_LINE: usize = 64 * 1024;

/// How much is read at once.
const CHUNK: usize = 4096;

/// A connection read by lines.
#[derive(Debug)]
pub struct Lines {
    stream: MailStream,
    buffer: BytesMut,
    max_line: usize,
}

/// Why reading or writing ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server closed the connection; `partial` holds what came after the last line end.
    #[error("the server closed the connection")]
    Closed {
        /// Bytes of a line that was never finished.
        partial: Vec<u8>,
    },
    /// A line is longer than allowed; `start` holds its first bytes.
    #[error("the server sent a line that is too long")]
    LineTooLong {
        /// The first 512 bytes of the line.
        start: Vec<u8>,
    },
    /// The session's byte budget is used up.
    #[error("the server sent too much")]
    TooManyBytes,
    /// A command of ours holds CR, LF or NUL, which would end it early; nothing was sent.
    #[error("a command holds a control character")]
    Control,
    /// The operating system or TLS reports an error.
    #[error("the connection failed")]
    Io(#[source] io::Error),
}

impl Lines {
    /// Reads lines of at most [`MAX_LINE`] bytes.
    #[must_use]
    pub fn new(stream: MailStream) -> Self {
        Self { stream, buffer: BytesMut::new(), max_line: MAX_LINE }
    }

    /// Reads the next line, without its CRLF or LF.
    ///
    /// Cancel-safe: bytes already read stay in the buffer.
    ///
    /// # Errors
    /// If the connection ends or a bound is passed.
    pub async fn read_line(&mut self) -> Result<Vec<u8>, Error> {
        let mut searched = 0;
        loop {
            let fresh = self.buffer.get(searched..).unwrap_or_default();
            if let Some(offset) = fresh.iter().position(|byte| *byte == b'\n') {
                let mut line = self.buffer.split_to(searched.saturating_add(offset)).to_vec();
                self.buffer.advance(1);
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            searched = self.buffer.len();
            if searched > self.max_line {
                return Err(Error::LineTooLong { start: self.start() });
            }
            self.buffer.reserve(CHUNK);
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(Error::Closed { partial: self.buffer.to_vec() }),
                Ok(_) => {}
                Err(error) => return Err(Error::from(error)),
            }
        }
    }

    /// Writes all bytes and flushes them.
    ///
    /// Not cancel-safe: a part may have been written.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Writes one command and its CRLF. The last wall against smuggled commands: input is
    /// checked where it is parsed, and once more here.
    ///
    /// Not cancel-safe: a part may have been written.
    ///
    /// # Errors
    /// [`Error::Control`] if the command holds CR, LF or NUL; else if the connection fails.
    pub async fn write_line(&mut self, command: &[u8]) -> Result<(), Error> {
        self.write_lines(&[command]).await
    }

    /// Writes several commands at once; see [`Lines::write_line`].
    ///
    /// # Errors
    /// Likewise.
    pub async fn write_lines(&mut self, commands: &[&[u8]]) -> Result<(), Error> {
        if commands
            .iter()
            .flat_map(|command| command.iter())
            .any(|byte| matches!(byte, b'\r' | b'\n' | 0))
        {
            return Err(Error::Control);
        }
        // One write, one packet; commands hold credentials, so the buffer is wiped.
        let length = commands.iter().map(|command| command.len().saturating_add(2)).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        for command in commands {
            bytes.extend_from_slice(command);
            bytes.extend_from_slice(b"\r\n");
        }
        self.write(&bytes).await
    }

    /// What was received and not yet read as a line.
    #[must_use]
    pub fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    /// Whether the bytes are protected by TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }

    /// The first bytes of what stands in the buffer, for evidence.
    fn start(&self) -> Vec<u8> {
        self.buffer.iter().take(512).copied().collect()
    }

    /// Gives the stream back together with what was received and not read.
    #[must_use]
    pub fn into_parts(self) -> (MailStream, BytesMut) {
        (self.stream, self.buffer)
    }

    /// Gives access to the stream, for a library that drives it itself. The caller sees
    /// to it that nothing is buffered.
    pub fn stream_mut(&mut self) -> &mut MailStream {
        &mut self.stream
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.get_ref().is_some_and(|inner| inner.is::<TooManyBytes>()) {
            return Self::TooManyBytes;
        }
        // TLS peers that just close are as common as those that say close_notify.
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Closed { partial: Vec::new() };
        }
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// What a reader makes of these bytes followed by the end of the connection.
    async fn read_all(bytes: Vec<u8>) -> (Vec<Vec<u8>>, Error) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let writer = tokio::spawn(async move {
            // The reader may give up early; that is what some cases are about.
            let _ = theirs.write_all(&bytes).await;
        });
        let mut lines = Lines::new(MailStream::tls(Box::new(ours)));
        let mut read = Vec::new();
        let end = loop {
            match lines.read_line().await {
                Ok(line) => read.push(line),
                Err(error) => break error,
            }
        };
        drop(lines);
        writer.await.expect("the writer ends");
        (read, end)
    }

    #[tokio::test]
    async fn lines_end_with_crlf_or_lf_and_keep_every_other_byte() {
        let (lines, end) = read_all(b"* OK a\r\n\xb5\xc7\n\r\nrest".to_vec()).await;
        assert_eq!(lines, [b"* OK a".to_vec(), b"\xb5\xc7".to_vec(), b"".to_vec()]);
        assert!(matches!(end, Error::Closed { partial } if partial == b"rest"));
    }

    #[tokio::test]
    async fn a_command_with_a_line_break_is_never_sent() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let mut lines = Lines::new(MailStream::tls(Box::new(ours)));
        for command in [&b"NOOP\r\nQUIT"[..], b"a\nb", b"a\rb", b"a\0b"] {
            let result = lines.write_lines(&[b"NOOP", command]).await;
            assert!(matches!(result, Err(Error::Control)));
        }
        lines.write_line(b"NOOP").await.expect("written");
        drop(lines);
        let mut sent = Vec::new();
        theirs.read_to_end(&mut sent).await.expect("read");
        assert_eq!(sent, b"NOOP\r\n");
    }

    #[tokio::test]
    async fn an_endless_line_is_refused_before_it_is_stored() {
        let (lines, end) = read_all(vec![b'A'; MAX_LINE * 4]).await;
        assert!(lines.is_empty());
        assert!(matches!(end, Error::LineTooLong { start } if start.len() == 512));
    }
}
