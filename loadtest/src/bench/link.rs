//! A link with a fixed delay: a TCP proxy that holds every chunk back for the same time.
//!
//! The handshake of TCP itself is not delayed, since the proxy answers it at once: figures
//! are told as round trips after TCP.

use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Chunks on the way at a time; enough for a dialogue.
const CHUNKS: usize = 1024;

/// A running link; it ends when dropped.
pub(crate) struct Link {
    /// Where to connect instead of the server.
    pub(crate) port: u16,
    task: JoinHandle<()>,
}

impl Link {
    /// Delays each direction by `delay`.
    pub(crate) async fn start(server: u16, delay: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("binding the link")?;
        let port = listener.local_addr().context("reading the link's port")?.port();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, delay));
            }
        });
        Ok(Self { port, task })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries one connection until both directions have ended.
async fn carry(client: TcpStream, server: u16, delay: Duration) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::join!(pump(client_read, server_write, delay), pump(server_read, client_write, delay));
}

/// Carries one direction: reads at once, writes each chunk after the delay.
async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    delay: Duration,
) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS);
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count) = from.read(&mut buffer).await {
            let chunk = buffer.get(..count).unwrap_or_default().to_vec();
            let ended = chunk.is_empty();
            if sender.send((Instant::now() + delay, chunk)).await.is_err() || ended {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, chunk)) = receiver.recv().await {
            sleep_until(due).await;
            if chunk.is_empty() || to.write_all(&chunk).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}
