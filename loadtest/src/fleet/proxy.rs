//! A TCP proxy between one process and the broker, which can fall silent.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use anyhow::Context;

/// A proxy; ends when dropped.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    is_cut: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// In front of an address.
    pub(crate) async fn before(address: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("a port for a proxy")?;
        let port = listener.local_addr().context("the proxy's port")?.port();
        let (is_cut, watching) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, address.to_owned(), watching));
        Ok(Self { port, is_cut, _tasks: tasks })
    }

    /// Lets nothing through any more, or everything again.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.send_replace(is_cut);
    }
}

async fn accept(listener: TcpListener, address: String, is_cut: watch::Receiver<bool>) {
    let mut pairs = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        while pairs.try_join_next().is_some() {}
        let (address, above, below) = (address.clone(), is_cut.clone(), is_cut.clone());
        pairs.spawn(async move {
            let Ok(mut server) = TcpStream::connect(address).await else { return };
            drop((client.set_nodelay(true), server.set_nodelay(true)));
            let (mut client_in, mut client_out) = client.split();
            let (mut server_in, mut server_out) = server.split();
            tokio::join!(
                pass(&mut client_in, &mut server_out, above),
                pass(&mut server_in, &mut client_out, below)
            );
        });
    }
}

async fn pass(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut is_cut: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n_read = from.read(&mut buffer).await.unwrap_or(0);
        if is_cut.wait_for(|is_cut| !is_cut).await.is_err() {
            return;
        }
        let bytes = buffer.get(..n_read).unwrap_or_default();
        if bytes.is_empty() || to.write_all(bytes).await.is_err() {
            drop(to.shutdown().await);
            return;
        }
    }
}
