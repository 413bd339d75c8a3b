//! The byte stream of a leg: plain or TLS, with a bound on what it may deliver.
//!
//! Every byte of a mail server passes here, so the bound on the whole session holds
//! for every protocol. Lines, literals and nesting are bounded by who reads them.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Most bytes that a server may send in one leg. A long LIST of a large account is
/// about 1 MiB; the rest is room.
pub const MAX_SESSION_BYTES: u64 = 16 * 1024 * 1024;

/// Anything that can carry a dialogue.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Io for T {}

/// A plain or TLS connection with a byte budget.
#[derive(Debug)]
pub struct MailStream {
    io: Inner,
    left: u64,
}

#[derive(Debug)]
enum Inner {
    Plain(TcpStream),
    Tls(Box<dyn Io>),
}

/// The server sent more than a session may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server sent more than {MAX_SESSION_BYTES} bytes")]
pub struct TooManyBytes;

impl MailStream {
    /// A connection before any TLS.
    #[must_use]
    pub fn plain(stream: TcpStream) -> Self {
        Self { io: Inner::Plain(stream), left: MAX_SESSION_BYTES }
    }

    /// A connection inside TLS.
    #[must_use]
    pub fn tls(stream: Box<dyn Io>) -> Self {
        Self { io: Inner::Tls(stream), left: MAX_SESSION_BYTES }
    }

    /// Whether the bytes are protected.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self.io, Inner::Tls(_))
    }

    /// Gives back the socket for a TLS upgrade; `None` if it already carries TLS.
    #[must_use]
    pub fn into_plain(self) -> Option<TcpStream> {
        match self.io {
            Inner::Plain(stream) => Some(stream),
            Inner::Tls(_) => None,
        }
    }

    fn pinned(&mut self) -> Pin<&mut dyn Io> {
        match &mut self.io {
            Inner::Plain(stream) => Pin::new(stream),
            Inner::Tls(stream) => Pin::new(stream),
        }
    }
}

impl AsyncRead for MailStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = self.pinned().poll_read(cx, buf);
        let read = buf.filled().len().saturating_sub(before) as u64;
        match self.left.checked_sub(read) {
            Some(left) => {
                self.left = left;
                result
            }
            None => Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, TooManyBytes))),
        }
    }
}

impl AsyncWrite for MailStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pinned().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned().poll_shutdown(cx)
    }
}
