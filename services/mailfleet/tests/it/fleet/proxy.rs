//! A TCP proxy between one process and the broker: a network that falls silent, in one
//! direction or both, for all of the process's connections or for one, and that breaks.
//!
//! A process says in its first bytes what each of its connections is for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::process::eventually;

/// What a connection to the broker is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Consume,
    Publish,
    Control,
}

/// The last word of a connection's name; with the space, since capabilities are named alike.
const PURPOSES: [(Purpose, &str); 3] = [
    (Purpose::Consume, " consume"),
    (Purpose::Publish, " publish"),
    (Purpose::Control, " control"),
];

/// A direction that may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    None,
    /// From the process to the broker.
    Up,
    /// From the broker to the process.
    Down,
    Both,
}

impl Cut {
    fn holds(self, way: Way) -> bool {
        match self {
            Self::None => false,
            Self::Both => true,
            Self::Up => way == Way::Up,
            Self::Down => way == Way::Down,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

#[derive(Debug, Clone, Copy)]
struct Weather {
    cut: Cut,
    /// What is cut; `None`: everything.
    of: Option<Purpose>,
    /// How often connections were broken: for consuming, publishing and control.
    breaks: [u64; 3],
}

impl Weather {
    fn passes(&self, way: Way, purpose: Option<Purpose>) -> bool {
        let meant = self.of.is_none() || self.of == purpose;
        !(meant && self.cut.holds(way))
    }
}

/// A proxy; ends when dropped.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    weather: watch::Sender<Weather>,
    /// Bytes that went to the broker, by purpose.
    sent: Arc<[AtomicU64; 3]>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// In front of an address.
    pub(crate) async fn before(address: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let calm = Weather { cut: Cut::None, of: None, breaks: [0; 3] };
        let (weather, watching) = watch::channel(calm);
        let sent = Arc::new([const { AtomicU64::new(0) }; 3]);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::from(address), watching, Arc::clone(&sent)));
        Self { port, weather, sent, _tasks: tasks }
    }

    /// Cuts what is for this purpose, or everything.
    pub(crate) fn cut(&self, cut: Cut, of: Option<Purpose>) {
        self.weather.send_modify(|weather| (weather.cut, weather.of) = (cut, of));
    }

    /// Lets everything through again.
    pub(crate) fn heal(&self) {
        self.cut(Cut::None, None);
    }

    /// Ends the connections for this purpose with a reset.
    pub(crate) fn reset(&self, of: Purpose) {
        self.weather.send_modify(|weather| weather.breaks[index(of)] += 1);
    }

    /// Waits until something more has reached the broker.
    pub(crate) async fn wait_for_more(&self, purpose: Purpose, bytes: u64, limit: Duration) {
        let count = &self.sent[index(purpose)];
        let wanted = count.load(Ordering::Relaxed) + bytes;
        let what = format!("{bytes} bytes for {purpose:?}");
        eventually(&what, limit, || async { count.load(Ordering::Relaxed) >= wanted }).await;
    }
}

fn index(purpose: Purpose) -> usize {
    PURPOSES.iter().position(|(other, _)| *other == purpose).expect("all stand there")
}

async fn accept(
    listener: TcpListener,
    address: Arc<str>,
    weather: watch::Receiver<Weather>,
    sent: Arc<[AtomicU64; 3]>,
) {
    let mut pairs = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (address, sent) = (Arc::clone(&address), Arc::clone(&sent));
        let mut weather = weather.clone();
        let breaks = weather.borrow().breaks;
        pairs.spawn(async move {
            let Ok(mut server) = TcpStream::connect(&*address).await else { return };
            let mut client = client;
            let purpose = OnceLock::new();
            let (mut client_in, mut client_out) = client.split();
            let (mut server_in, mut server_out) = server.split();
            let (above, below) = (weather.clone(), weather.clone());
            let up = pass(&mut client_in, &mut server_out, Way::Up, above, &purpose, &sent);
            let down = pass(&mut server_in, &mut client_out, Way::Down, below, &purpose, &sent);
            let ended = async { tokio::join!(up, down) };
            let broken = async {
                let is_meant = |now: &Weather| {
                    purpose.get().is_some_and(|of| now.breaks[index(*of)] != breaks[index(*of)])
                };
                drop(weather.wait_for(is_meant).await);
            };
            let is_broken = tokio::select! {
                _ = ended => false,
                () = broken => true,
            };
            if is_broken {
                // Sent as a reset when they are dropped.
                drop((client.set_zero_linger(), server.set_zero_linger()));
            }
        });
    }
}

async fn pass(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    way: Way,
    mut weather: watch::Receiver<Weather>,
    purpose: &OnceLock<Purpose>,
    sent: &[AtomicU64; 3],
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let n_read = from.read(&mut buffer).await.unwrap_or(0);
        let bytes = &buffer[..n_read];
        if way == Way::Up && purpose.get().is_none() {
            let says = |word: &str| bytes.windows(word.len()).any(|part| part == word.as_bytes());
            if says("mailfleet ")
                && let Some((found, _)) = PURPOSES.iter().find(|(_, word)| says(word))
            {
                let _ = purpose.set(*found);
            }
        }
        if weather.wait_for(|now| now.passes(way, purpose.get().copied())).await.is_err() {
            return;
        }
        if n_read == 0 || to.write_all(bytes).await.is_err() {
            // The other direction learns of it by its own end.
            drop(to.shutdown().await);
            return;
        }
        if let (Way::Up, Some(purpose)) = (way, purpose.get()) {
            sent[index(*purpose)].fetch_add(n_read as u64, Ordering::Relaxed);
        }
    }
}
