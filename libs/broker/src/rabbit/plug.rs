//! The plug of a connection: pulls the socket out from under the client library.
//!
//! Apart because the library offers no way to end a connection that does not answer: a
//! polite close waits for the broker, and a lost lock must not wait. The library keeps its
//! socket; this is a second handle of the same one, and shutting it down ends both.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A handle on a socket that may not be there yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Plug(Arc<Mutex<Socket>>);

#[derive(Debug, Default)]
enum Socket {
    #[default]
    Unconnected,
    Connected(TcpStream),
    Pulled,
}

impl Plug {
    /// Remembers the socket. Fails if the plug was pulled while it was connecting.
    pub(super) fn hold(&self, socket: &impl AsFd) -> io::Result<()> {
        let twin = TcpStream::from(socket.as_fd().try_clone_to_owned()?);
        let mut held = self.socket();
        if matches!(*held, Socket::Pulled) {
            return Err(io::Error::from(io::ErrorKind::ConnectionAborted));
        }
        *held = Socket::Connected(twin);
        Ok(())
    }

    /// Ends the connection at once, or keeps it from being made.
    pub(super) fn pull(&self) {
        if let Socket::Connected(socket) = std::mem::replace(&mut *self.socket(), Socket::Pulled) {
            // It fails only where the socket has ended by itself.
            drop(socket.shutdown(Shutdown::Both));
        }
    }

    /// Pulls the plug when dropped, unless told that all went well.
    pub(super) fn guard(&self) -> Guard {
        Guard(Some(self.clone()))
    }

    fn socket(&self) -> MutexGuard<'_, Socket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pulls the plug if an attempt to connect is given up.
#[derive(Debug)]
pub(super) struct Guard(Option<Plug>);

impl Guard {
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(plug) = &self.0 {
            plug.pull();
        }
    }
}
