//! A TCP proxy that can fall silent: in front of the broker, as a network that is cut.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A proxy; ends when dropped.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    flow: watch::Sender<Flow>,
    _tasks: JoinSet<()>,
}

/// What the proxy does with what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Passes it on.
    Open,
    /// Passes on what goes to the broker, and keeps what the broker says.
    Deaf,
    /// Keeps it, and says nothing to either side.
    Silent,
}

impl Flow {
    fn passes(self, way: Way) -> bool {
        match self {
            Self::Open => true,
            Self::Deaf => way == Way::Up,
            Self::Silent => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl Proxy {
    /// In front of an address.
    pub(crate) async fn before(address: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (flow, watching) = watch::channel(Flow::Open);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::from(address), watching));
        Self { port, flow, _tasks: tasks }
    }

    pub(crate) fn set(&self, flow: Flow) {
        self.flow.send_replace(flow);
    }
}

async fn accept(listener: TcpListener, address: Arc<str>, flow: watch::Receiver<Flow>) {
    let mut pairs = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (address, flow) = (Arc::clone(&address), flow.clone());
        pairs.spawn(async move {
            let Ok(server) = TcpStream::connect(&*address).await else { return };
            let (client_in, client_out) = client.into_split();
            let (server_in, server_out) = server.into_split();
            tokio::join!(
                pass(client_in, server_out, Way::Up, flow.clone()),
                pass(server_in, client_out, Way::Down, flow)
            );
        });
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    way: Way,
    mut flow: watch::Receiver<Flow>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let n_read = from.read(&mut buffer).await.unwrap_or(0);
        if flow.wait_for(|flow| flow.passes(way)).await.is_err() {
            return;
        }
        if n_read == 0 || to.write_all(&buffer[..n_read]).await.is_err() {
            // The other direction learns of it by its own end.
            drop(to.shutdown().await);
            return;
        }
    }
}
