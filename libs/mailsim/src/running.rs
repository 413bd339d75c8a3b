//! A started server: its socket, its tasks, its end.
//!
//! One task accepts, one task per session serves; all of them are owned here and end with the
//! [`Running`]. A panic in a session is a bug of the simulator and comes out of `shutdown`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::certificate::Authority;
use crate::error::Error;
use crate::estate::Estate;
use crate::limits::Presence;
use crate::mailstore::Shape;
use crate::personality::Voice;
use crate::recorder::Recorder;
use crate::rules::RuleBook;
use crate::sasl::Logins;
use crate::server::{Extras, Protocol, Spec, Tls};
use crate::session::{Ended, Session};
use crate::step::Step;
use crate::tls::ConfigKey;
use crate::{imap, pop3, smtp};

/// Connections that may wait to be accepted. Load tests open thousands at once; the kernel caps
/// it at `net.core.somaxconn`.
const BACKLOG: u32 = 8192;

/// Pause after a failed accept, which is nearly always a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all sessions of a server share.
pub(crate) struct Host {
    pub(crate) spec: Spec,
    /// The host name in banners.
    pub(crate) name: String,
    pub(crate) voice: Voice,
    pub(crate) rules: RuleBook,
    pub(crate) tls: Arc<rustls::ServerConfig>,
    pub(crate) logins: Logins,
    pub(crate) estate: Arc<Estate>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) recorder: Arc<Recorder>,
}

/// A running server. Dropping it stops it at once.
#[derive(Debug)]
pub struct Running {
    protocol: Protocol,
    address: SocketAddr,
    host: String,
    recorder: Arc<Recorder>,
    estate: Arc<Estate>,
    stop: CancellationToken,
    accepting: Option<JoinHandle<Panics>>,
}

/// What went wrong in session tasks.
#[derive(Debug, Default)]
struct Panics {
    count: usize,
    first: String,
}

pub(crate) async fn start(
    spec: Spec,
    authority: &Authority,
    estate: Arc<Estate>,
    extras: Extras,
) -> Result<Running, Error> {
    let wanted = SocketAddr::new(spec.address, spec.port);
    let listener = listen(wanted).map_err(|source| Error::Listen { address: wanted, source })?;
    let address =
        listener.local_addr().map_err(|source| Error::Listen { address: wanted, source })?;
    let server: Arc<str> = format!("{} {address}", spec.protocol).into();
    let recorder = Arc::new(Recorder::new(server, spec.history, extras.tap));
    let folders = spec.folders();
    // Folders are a matter of IMAP; a server of another protocol only needs them to be there.
    let shape = if spec.protocol == Protocol::Imap || spec.layout.is_some() {
        Shape::Final
    } else {
        Shape::Provisional
    };
    for mailbox in &spec.mailboxes {
        let address = mailbox.address.to_ascii_lowercase().into();
        estate.open(&address, folders, shape, mailbox.messages);
    }
    let host = Host {
        name: spec.host.clone().unwrap_or_else(|| "mail.mailsim.test".to_owned()),
        voice: Voice::of(spec.personality),
        rules: RuleBook::new(&spec.rules),
        tls: authority.config(config_key(&spec))?,
        logins: Logins::new(&spec.mailboxes, extras.anybody),
        estate: Arc::clone(&estate),
        presence: Arc::default(),
        recorder: Arc::clone(&recorder),
        spec,
    };
    let name = host.spec.host();
    let protocol = host.spec.protocol;
    let stop = CancellationToken::new();
    let accepting = tokio::spawn(accept(listener, Arc::new(host), stop.clone()));
    Ok(Running {
        protocol,
        address,
        host: name,
        recorder,
        estate,
        stop,
        accepting: Some(accepting),
    })
}

fn config_key(spec: &Spec) -> ConfigKey {
    let mut names = vec!["localhost".to_owned(), spec.address.to_string()];
    names.extend(spec.host.clone());
    ConfigKey {
        certificate: spec.certificate,
        names,
        versions: spec.versions,
        client: spec.client_certificate,
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address.ip() {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A given port must be free again right after the last server on it has stopped.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, host: Arc<Host>, stop: CancellationToken) -> Panics {
    let mut sessions = JoinSet::new();
    let mut panics = Panics::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = sessions.join_next() => panics.note(ended),
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => {
                    sessions.spawn(serve(Arc::clone(&host), tcp, peer));
                }
                Err(error) => {
                    tracing::warn!(%error, "mailsim cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    sessions.abort_all();
    while let Some(ended) = sessions.join_next().await {
        panics.note(ended);
    }
    panics
}

impl Panics {
    fn note(&mut self, ended: Result<(), JoinError>) {
        let Err(error) = ended else { return };
        let Ok(payload) = error.try_into_panic() else { return };
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        if self.count == 0 {
            self.first = text.unwrap_or_else(|| "a panic without a message".to_owned());
        }
        self.count += 1;
    }
}

async fn serve(host: Arc<Host>, tcp: TcpStream, peer: SocketAddr) {
    // Answers are short and must not wait for an acknowledgement.
    let _ = tcp.set_nodelay(true);
    let log = host.recorder.open(peer);
    let mut session = Session::new(host, tcp, peer, log);
    let ended = match talk(&mut session).await {
        Ok(()) => Ended::Goodbye,
        Err(ended) => ended,
    };
    // Last words, such as the answer to LOGOUT or the reason of a refusal.
    let _ = session.flush().await;
    session.close(&ended).await;
}

async fn talk(session: &mut Session) -> Result<(), Ended> {
    let course = session.at(Step::Connect).await?;
    if matches!(course, crate::session::Course::Answered) {
        session.flush().await?;
    }
    if session.host.spec.tls == Tls::Implicit {
        session.secure().await?;
    }
    // On the heap, so that each session is as large as its own protocol and not as the largest.
    match session.host.spec.protocol {
        Protocol::Imap => Box::pin(imap::serve(session)).await,
        Protocol::Pop3 => Box::pin(pop3::serve(session)).await,
        Protocol::Smtp => Box::pin(smtp::serve(session)).await,
    }
}

impl Running {
    /// What it speaks.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The address and port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The name that a good certificate is made out to; resolves to [`Running::addr`] unless the
    /// server was given a host name of its own.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What the server saw.
    #[must_use]
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// The accounts behind the server.
    #[must_use]
    pub fn estate(&self) -> &Arc<Estate> {
        &self.estate
    }

    /// Stops the server and all its sessions, and waits until they are gone.
    ///
    /// # Errors
    /// [`Error::Panicked`] if a session of the simulator panicked.
    pub async fn shutdown(mut self) -> Result<(), Error> {
        self.stop.cancel();
        let Some(accepting) = self.accepting.take() else { return Ok(()) };
        let panics = accepting.await.unwrap_or_else(|error| {
            let mut panics = Panics::default();
            panics.note(Err(error));
            panics
        });
        match panics.count {
            0 => Ok(()),
            count => Err(Error::Panicked { count, first: panics.first }),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Aborting the task drops its sessions and its socket with it.
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panics_are_counted_and_the_first_is_kept() {
        let mut panics = Panics::default();
        let panic = tokio::spawn(async { panic!("session {}", 7) }).await;
        panics.note(panic);
        panics.note(tokio::spawn(async { panic!("another") }).await);
        panics.note(Ok(()));
        let aborted = tokio::spawn(std::future::pending::<()>());
        aborted.abort();
        panics.note(aborted.await);
        assert_eq!((panics.count, panics.first.as_str()), (2, "session 7"));
    }
}
