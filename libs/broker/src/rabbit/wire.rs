//! One connection to RabbitMQ, from its handshake to its end: an epoch.
//!
//! Whatever was got from a wire (a channel, a delivery, a claim) is worth as much as the
//! wire: it never recovers, and a new one starts from nothing. A call that is not answered
//! in time ends the wire, since nobody knows what the broker made of it.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::tcp::{AsyncTcpStream, OwnedTLSConfig};
use lapin::types::FieldTable;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Channel, Connection, ConnectionProperties};
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::plug::Plug;
use super::trouble::Trouble;

/// A connection.
pub(super) struct Wire {
    connection: Connection,
    plug: Plug,
    ended: CancellationToken,
    /// Longest wait for one answer.
    patience: Duration,
    /// Opened by the first probe, and anew after a refused one.
    prober: tokio::sync::Mutex<Option<Channel>>,
    /// The queues that are consumed exclusively over this connection.
    held: Mutex<BTreeSet<String>>,
}

impl Wire {
    /// Connects and logs in. Gives up within `patience`, or when dropped.
    pub(super) async fn open(settings: &Settings, name: String) -> Result<Arc<Self>, Trouble> {
        let plug = Plug::default();
        let guard = plug.guard();
        let connecting = connect(settings, name, plug.clone());
        let connected = tokio::time::timeout(settings.patience(), connecting).await;
        let connection = connected.map_err(|_| Trouble::Deadline)??;
        guard.disarm();
        Ok(Arc::new(Self {
            connection,
            plug,
            ended: CancellationToken::new(),
            patience: settings.patience(),
            prober: tokio::sync::Mutex::default(),
            held: Mutex::default(),
        }))
    }

    /// Whether it may still be used.
    pub(super) fn is_live(&self) -> bool {
        !self.ended.is_cancelled() && self.connection.status().connected()
    }

    /// Whether the broker takes no publications because of an alarm.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Ends it at once, and with it whatever was got from it.
    pub(super) fn kill(&self) {
        self.ended.cancel();
        self.plug.pull();
    }

    /// Waits until it was killed. Cancel-safe.
    pub(super) async fn killed(&self) {
        self.ended.cancelled().await;
    }

    /// Opens a channel.
    pub(super) async fn channel(&self) -> Result<Channel, Trouble> {
        self.within(self.connection.create_channel()).await
    }

    /// Waits for the answer to one call.
    pub(super) async fn within<T>(
        &self,
        call: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, Trouble> {
        tokio::select! {
            // First: what an ended connection says is worth nothing.
            biased;
            () = self.ended.cancelled() => Err(Trouble::Ended),
            answer = tokio::time::timeout(self.patience, call) => match answer {
                Ok(answer) => Ok(answer?),
                // An alarm is an answer of a kind: the same connection goes on after it, and
                // another one would be blocked as well.
                Err(_) if self.is_blocked() => Err(Trouble::Deadline),
                Err(_) => {
                    self.kill();
                    Err(Trouble::Deadline)
                }
            },
        }
    }

    /// A round trip that touches one of the queues that are held, or else `otherwise`.
    pub(super) async fn probe(&self, otherwise: &str) -> Result<(), Trouble> {
        let mut prober = self.prober.lock().await;
        let channel = match prober.take() {
            Some(channel) => channel,
            None => self.channel().await?,
        };
        let held = self.held().first().cloned();
        let queue = held.unwrap_or_else(|| otherwise.to_owned());
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
        let asked = channel.queue_declare(queue.into(), passive, FieldTable::default());
        // A refusal ends the channel: then it is not put back.
        self.within(asked).await?;
        *prober = Some(channel);
        Ok(())
    }

    /// The queues that are held over this connection.
    pub(super) fn held(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(settings: &Settings, name: String, plug: Plug) -> lapin::Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let tls = OwnedTLSConfig { identity: None, cert_chain: settings.roots_pem.clone() };
    let patience = settings.patience();
    let runtime = lapin::runtime::default_runtime()?;
    let reactor = runtime.clone();
    // The library runs this on a thread of its own, which must come to an end as well.
    let dial = async move |uri: AMQPUri, _| {
        let dialled = async {
            let host = uri.authority.host.as_str();
            let address = reactor.to_socket_addrs((host.to_owned(), uri.authority.port));
            let stream = AsyncTcpStream::connect(&reactor, address).await?;
            if let AsyncTcpStream::Plain(plain) = &stream {
                plug.hold(plain.get_ref())?;
            }
            match uri.scheme {
                AMQPScheme::AMQP => Ok(stream),
                AMQPScheme::AMQPS => stream.into_tls(host, tls.as_ref()).await,
            }
        };
        let dialled = tokio::time::timeout(patience, dialled).await;
        let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut));
        dialled.unwrap_or_else(late).map_err(lapin::Error::from)
    };
    Connection::connector(settings.uri.clone(), runtime, dial, properties).await
}
