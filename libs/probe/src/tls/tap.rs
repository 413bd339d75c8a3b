//! A TCP stream that remembers the first bytes that came.
//!
//! When a server answers a handshake with plaintext, the TLS library reports that the
//! record is invalid and keeps the bytes to itself. They are what tells an IMAP greeting
//! from a web server's error page. Nothing is remembered once the handshake is over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes that are kept, at most. Greetings are shorter (RFC 5321 section 4.5.3.1.5: 512).
const KEPT: usize = 512;

/// A TCP stream that remembers the first 512 bytes that came, until told to forget.
#[derive(Debug)]
pub struct Tapped {
    stream: TcpStream,
    first: Memory,
}

#[derive(Debug)]
enum Memory {
    Keeping(Vec<u8>),
    Forgotten,
}

impl Tapped {
    /// Begins to remember.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, first: Memory::Keeping(Vec::new()) }
    }

    /// The socket underneath, to ask it for its addresses.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Frees what was kept and keeps nothing from here on.
    pub(super) fn forget(&mut self) {
        self.first = Memory::Forgotten;
    }

    /// Closes the socket and returns the first bytes that came.
    pub(super) fn into_first(self) -> Vec<u8> {
        match self.first {
            Memory::Keeping(first) => first,
            Memory::Forgotten => Vec::new(),
        }
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        if let Memory::Keeping(first) = &mut this.first {
            let room = KEPT.saturating_sub(first.len());
            let new = buf.filled().get(before..).unwrap_or_default();
            first.extend(new.iter().take(room));
        }
        polled
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
