//! Bytes of the fuzzer as a connection: read in pieces, then closed; what is written is lost.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};

use crate::stream::MailStream;

/// A connection on which a server sends these bytes. The first one says in what pieces.
pub(crate) fn stream(bytes: &[u8]) -> MailStream {
    let (piece, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let piece = usize::from(*piece).saturating_mul(usize::from(*piece)).saturating_add(1);
    MailStream::tls(Box::new(Pieces { rest: bytes.to_vec().into(), piece }))
}

thread_local! {
    /// Made once: making one takes longer than most inputs do.
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

/// Runs a dialogue to its end; nothing in it waits, since the bytes are all there.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(work))
}

#[derive(Debug)]
struct Pieces {
    rest: bytes::Bytes,
    piece: usize,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.piece.min(buf.remaining()).min(self.rest.len());
        buf.put_slice(&self.rest.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
