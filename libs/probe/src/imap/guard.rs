//! The guard between a mail server and the IMAP parser.
//!
//! async-imap and imap-proto can be crashed, filled or stopped by a server: a status text
//! that begins with a non-ASCII character panics, deep parentheses overflow the stack, an
//! announced literal is allocated at once, an unknown response ends the stream for good.
//! So the parser only sees what was framed within bounds ([`super::frame`]), tried out
//! beforehand, and replaced by a harmless line where it could do harm. It is handed
//! exactly one response at a time; what the server really wrote is kept beside it, so
//! that a diagnosis speaks with the server's own words and bytes. It never writes
//! anything by itself, and never interprets.

use std::fmt;
use std::io;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_imap::imap_proto::Response;
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame::{Frame, Framer, Violation, trimmed};
use super::shape::{self, Shape};

/// Most responses to one command: a LIST of 10,000 folders, and room.
pub(crate) const MAX_RESPONSES: u32 = 20_000;
/// How much is read from the connection at once.
const CHUNK: usize = 4096;
/// async-imap reads into a buffer that grows by this many bytes.
const PARSER_BLOCK: usize = 4096;
/// What the parser sees in place of a response that it must not see.
const HARMLESS: &[u8] = b"* OK\r\n";
/// Data responses that are of use; all others are kept from the parser.
const KNOWN_DATA: [&str; 12] = [
    "CAPABILITY",
    "ENABLED",
    "EXISTS",
    "EXPUNGE",
    "FETCH",
    "FLAGS",
    "ID",
    "LIST",
    "RECENT",
    "SEARCH",
    "STATUS",
    "VANISHED",
];

/// A connection of which an IMAP parser may read.
pub(crate) struct Guarded<S> {
    stream: S,
    input: BytesMut,
    framer: Framer,
    /// What the parser has yet to read of the current response.
    pending: Bytes,
    current: Option<Current>,
    responses: u32,
}

/// The response that the parser was handed last.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    /// What the server wrote.
    pub(crate) raw: Bytes,
    /// What kind of response it is.
    pub(crate) shape: Shape,
    /// Whether the parser saw the response itself, or a harmless line in its place.
    pub(crate) seen: Seen,
}

/// What the parser saw of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The response, its status text perhaps reduced to ASCII.
    Itself,
    /// A harmless line.
    Substitute,
}

impl<S> Guarded<S> {
    /// Guards a stream from which nothing was read yet.
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            framer: Framer::default(),
            pending: Bytes::new(),
            current: None,
            responses: 0,
        }
    }

    /// Begins a new command: the bound on responses counts from here.
    pub(crate) fn begin_command(&mut self) {
        self.responses = 0;
    }

    /// The response that the parser was handed last.
    pub(crate) fn take_current(&mut self) -> Option<Current> {
        self.current.take()
    }

    /// Bytes that were received and belong to no finished response.
    pub(crate) fn buffered(&self) -> &[u8] {
        &self.input
    }

    /// Gives the stream back; what was received and not used is dropped.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    /// Takes the next response out of the buffer and prepares it for the parser.
    fn advance(&mut self) -> Result<bool, Violation> {
        let Some(frame) = self.framer.next(&mut self.input)? else { return Ok(false) };
        self.responses = self.responses.saturating_add(1);
        if self.responses > MAX_RESPONSES {
            return Err(Violation::TooManyResponses);
        }
        let (bytes, seen) = for_parser(&frame);
        self.pending = bytes;
        self.current = Some(Current { raw: frame.raw, shape: frame.shape, seen });
        Ok(true)
    }
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Looks whether the server has sent anything that was not asked for, without waiting.
    ///
    /// # Errors
    /// If the connection fails.
    pub(crate) fn poll_stray(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.input.is_empty() {
            ready!(self.poll_fill(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once into the buffer; the number of bytes read.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut chunk = [0; CHUNK];
        let mut buffer = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        self.input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.pending.is_empty() {
            let advanced = this.advance();
            match advanced.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e)) {
                Ok(true) => {}
                Ok(false) => {
                    if ready!(this.poll_fill(cx))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                Err(violation) => return Poll::Ready(Err(violation)),
            }
        }
        let length = this.pending.len().min(buf.remaining());
        buf.put_slice(this.pending.get(..length).unwrap_or_default());
        this.pending.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: fmt::Debug> fmt::Debug for Guarded<S> {
    /// Without what was received: a server may echo a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// The bytes that the parser gets to see for a response.
fn for_parser(frame: &Frame) -> (Bytes, Seen) {
    let bytes = match frame.shape {
        Shape::Untagged(_) | Shape::Tagged(_) | Shape::Continue => ascii_line(&frame.raw),
        Shape::Data => data_line(frame),
        Shape::Foreign => None,
    };
    match bytes.filter(|bytes| parses_in_blocks(bytes)) {
        Some(bytes) => (bytes, Seen::Itself),
        None => (Bytes::from_static(HARMLESS), Seen::Substitute),
    }
}

/// A status line with every byte that is not plain ASCII replaced by `?`.
fn ascii_line(raw: &[u8]) -> Option<Bytes> {
    let plain = |b: &u8| if (0x20..0x7f).contains(b) || *b == b'\t' { *b } else { b'?' };
    let line: Vec<u8> = trimmed(raw).iter().map(plain).chain(*b"\r\n").collect();
    Some(Bytes::from(line))
}

/// A data response that the parser knows, with a proper line end.
fn data_line(frame: &Frame) -> Option<Bytes> {
    let first_line = frame.raw.split(|b| *b == b'\n').next().unwrap_or_default();
    let (word, _) = shape::data_word(trimmed(first_line))?;
    if frame.hazard.is_some() || !KNOWN_DATA.contains(&word.as_str()) {
        return None;
    }
    if frame.raw.ends_with(b"\r\n") {
        return Some(frame.raw.clone());
    }
    Some(Bytes::from([trimmed(&frame.raw), b"\r\n"].concat()))
}

/// Whether the parser takes these bytes as exactly one response, also when it sees them
/// in the growing blocks in which async-imap reads. Some of its rules fail on a response
/// that is cut short where they should ask for more.
fn parses_in_blocks(bytes: &[u8]) -> bool {
    let mut end = 0_usize;
    loop {
        end = end.saturating_add(PARSER_BLOCK).min(bytes.len());
        match try_parse(bytes.get(..end).unwrap_or(bytes)) {
            Tried::Whole => return end == bytes.len(),
            Tried::Short if end < bytes.len() => {}
            Tried::Short | Tried::Unknown => return false,
        }
    }
}

/// What the parser makes of some bytes.
enum Tried {
    /// Exactly one response.
    Whole,
    /// It wants more bytes.
    Short,
    /// It cannot read them.
    Unknown,
}

fn try_parse(bytes: &[u8]) -> Tried {
    // The known ways to make the parser panic never come this far; an unknown one must
    // cost one response and not the leg.
    let parsed = catch_unwind(|| match Response::parse(bytes) {
        Ok(([], _)) => Tried::Whole,
        Ok(_) => Tried::Unknown,
        Err(error) if error.is_incomplete() => Tried::Short,
        Err(_) => Tried::Unknown,
    });
    parsed.unwrap_or(Tried::Unknown)
}

#[cfg(test)]
mod tests;
