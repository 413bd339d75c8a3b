//! Many simulated mail servers in a process of their own, and the history that they write.
//!
//! Standard input brings one line of JSON, the order; standard output answers with one line, the
//! ports. The servers run until standard input ends, which happens by itself when the parent
//! dies. Each session becomes one line of the history when it ends. Judges nothing.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use mailfleet_mailsim::{Authority, Event, Fault, Mechanism, Running, Server, Step, Tap, What};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::history::Session;

/// What is to run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Where the history goes.
    pub(crate) history: PathBuf,
    /// The password of everybody.
    pub(crate) password: String,
    pub(crate) pairs: Vec<PairOrder>,
}

/// An IMAP and an SMTP server at one address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PairOrder {
    pub(crate) address: Ipv4Addr,
    /// How long a login takes, in milliseconds.
    pub(crate) login_ms: u64,
    /// Whether they accept connections and never say a word.
    pub(crate) is_silent: bool,
}

/// Where everything is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The authority that signed the certificates, in PEM.
    pub(crate) root: String,
    /// The ports of IMAP and SMTP, in the order of the pairs.
    pub(crate) ports: Vec<(u16, u16)>,
}

/// Runs the servers until standard input ends.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut stdin = BufReader::new(tokio::io::stdin());
    let mut line = String::new();
    stdin.read_line(&mut line).await.context("reading what to run")?;
    let order: Order = serde_json::from_str(&line).context("understanding what to run")?;
    let file = File::create(&order.history)
        .with_context(|| format!("writing {}", order.history.display()))?;
    let writer = Arc::new(Mutex::new(BufWriter::new(file)));
    let authority = Authority::shared().context("making the simulator's CA")?;
    let mut running: Vec<Running> = Vec::new();
    let mut ports = Vec::new();
    for pair in &order.pairs {
        let mut both = Vec::new();
        for (server, protocol) in [(Server::imap(), "imap"), (Server::smtp(), "smtp")] {
            let server = behave(server, pair)
                .listen(pair.address)
                .authority(authority.clone())
                .anybody(order.password.as_str())
                .tap(tap(format!("{protocol}:{}", pair.address), Arc::clone(&writer)));
            let server = server.start().await.context("starting a mail server")?;
            both.push(server.port());
            running.push(server);
        }
        ports.extend(both.first().copied().zip(both.last().copied()));
    }
    announce(&serde_json::to_string(&Answer { root: authority.root_pem(), ports })?);
    let mut ignored = Vec::new();
    stdin.read_to_end(&mut ignored).await.context("waiting for the end")?;
    for server in running {
        server.shutdown().await.context("stopping a mail server")?;
    }
    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    writer.flush().context("writing the history")
}

fn behave(server: Server, pair: &PairOrder) -> Server {
    let server = server.with(|spec| {
        spec.history = 0;
        // Others would cost the simulator as much as the rest together.
        spec.mechanisms = Some(vec![Mechanism::Plain]);
    });
    let server = if pair.is_silent { server.at(Step::Connect, Fault::Silent) } else { server };
    match Duration::from_millis(pair.login_ms) {
        Duration::ZERO => server,
        login => server.latency(Step::Login, login),
    }
}

/// Puts the events of sessions together, and writes each down when it ends.
fn tap(server: String, writer: Arc<Mutex<BufWriter<File>>>) -> Tap {
    let server: Arc<str> = server.into();
    let open: Mutex<HashMap<u64, Session>> = Mutex::default();
    Arc::new(move |event: &Event| {
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.what {
            What::Opened { .. } => {
                let session = Session {
                    server: Arc::clone(&server),
                    from: event.peer.ip(),
                    opened: event.at_us,
                    closed: event.at_us,
                    login: None,
                };
                open.insert(event.session, session);
            }
            What::Credential { user, right, .. } => {
                if let Some(session) = open.get_mut(&event.session) {
                    session.login = Some((user.clone(), *right));
                }
            }
            What::Closed { .. } => {
                let Some(mut session) = open.remove(&event.session) else { return };
                session.closed = event.at_us;
                let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                // A full disk shows when the history is flushed, and fails the process.
                let _ = writeln!(writer, "{}", session.line());
            }
            What::Secured { .. }
            | What::Command { .. }
            | What::Fault { .. }
            | What::Mail { .. } => {}
        }
    })
}

#[expect(clippy::print_stdout, reason = "standard output is how the parent learns the ports")]
fn announce(line: &str) {
    println!("{line}");
}
