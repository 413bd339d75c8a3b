//! What a server saw: who came, how many at once, what they said.
//!
//! Watches and never decides. Credentials are counted and never kept; command lines arrive here
//! already masked. Bounded: the history is a ring, its losses are counted. Each event can be
//! written as one line of JSON, so that a judge can put the histories of many servers together
//! afterwards.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde::{Serialize, Serializer};
use tokio::sync::Notify;

use crate::estate::lock;

/// Client addresses that are counted one by one; sessions of further ones only count in all.
const MAX_ADDRESSES: usize = 65_536;

/// Sessions open now, most at once, and in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Gauge {
    /// Open at this moment.
    pub current: u64,
    /// The most that were open at the same time.
    pub maximum: u64,
    /// All that were ever opened.
    pub total: u64,
}

impl Gauge {
    fn enter(&mut self) {
        self.current += 1;
        self.total += 1;
        self.maximum = self.maximum.max(self.current);
    }

    fn leave(&mut self) {
        self.current = self.current.saturating_sub(1);
    }
}

/// Something that happened in a session.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// The server, as `protocol address:port`.
    #[serde(serialize_with = "as_text")]
    pub server: Arc<str>,
    /// The session's number at its server, from 1.
    pub session: u64,
    /// The client.
    pub peer: SocketAddr,
    /// Microseconds since 1970.
    pub at_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// Kinds of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A connection was accepted.
    Opened {
        /// Sessions at this server, this one included.
        concurrent: u64,
    },
    /// A TLS handshake succeeded.
    Secured {
        /// The version, as the TLS library names it.
        version: String,
    },
    /// A command arrived.
    Command {
        /// Its line without tag and without secrets, cut at 200 characters.
        line: String,
    },
    /// A credential was submitted.
    Credential {
        /// The mechanism, or the command that carried it.
        mechanism: String,
        /// The user name.
        user: String,
        /// Whether it was right.
        right: bool,
    },
    /// A scripted fault was performed.
    Fault {
        /// The step and the fault, as the script writes them.
        rule: String,
    },
    /// A mail was taken.
    Mail {
        /// The envelope's sender.
        from: String,
        /// How many recipients.
        recipients: usize,
        /// Its size in bytes.
        bytes: usize,
    },
    /// The session ended.
    Closed {
        /// Why.
        reason: String,
        /// Bytes received, after decryption.
        received: u64,
        /// Bytes sent, before encryption.
        sent: u64,
        /// How long it lasted, in microseconds.
        lasted_us: u64,
    },
}

fn as_text<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

impl Event {
    /// The event as one line of JSON, without a line end.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("plain fields with string keys always become JSON")
    }
}

#[derive(Debug, Default)]
struct State {
    all: Gauge,
    by_address: HashMap<IpAddr, Gauge>,
    credentials: u64,
    right_credentials: u64,
    mails: u64,
    received: u64,
    sent: u64,
    history: VecDeque<Event>,
    dropped: u64,
}

/// Is told every event as it happens, by the session that it happens in: it must be quick.
pub type Tap = Arc<dyn Fn(&Event) + Send + Sync>;

/// The record of one server; cheap to share.
pub struct Recorder {
    server: Arc<str>,
    capacity: usize,
    state: Mutex<State>,
    changed: Notify,
    tap: Option<Tap>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Recorder {
    pub(crate) fn new(server: Arc<str>, capacity: usize, tap: Option<Tap>) -> Self {
        Self { server, capacity, state: Mutex::default(), changed: Notify::new(), tap }
    }

    /// Sessions of all clients.
    #[must_use]
    pub fn sessions(&self) -> Gauge {
        lock(&self.state).all
    }

    /// Sessions of one client address.
    #[must_use]
    pub fn sessions_from(&self, address: IpAddr) -> Gauge {
        lock(&self.state).by_address.get(&address).copied().unwrap_or_default()
    }

    /// Sessions by client address, in the order of the addresses.
    #[must_use]
    pub fn by_address(&self) -> Vec<(IpAddr, Gauge)> {
        let mut all: Vec<_> = lock(&self.state).by_address.iter().map(|(a, g)| (*a, *g)).collect();
        all.sort_unstable_by_key(|(address, _)| *address);
        all
    }

    /// How many credentials were submitted, right or wrong.
    #[must_use]
    pub fn credentials(&self) -> u64 {
        lock(&self.state).credentials
    }

    /// How many of them were right.
    #[must_use]
    pub fn right_credentials(&self) -> u64 {
        lock(&self.state).right_credentials
    }

    /// How many mails were taken.
    #[must_use]
    pub fn mails(&self) -> u64 {
        lock(&self.state).mails
    }

    /// Bytes received and sent in all sessions that have ended.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        let state = lock(&self.state);
        (state.received, state.sent)
    }

    /// The events that are still kept, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        lock(&self.state).history.iter().cloned().collect()
    }

    /// Takes the events out of the history, oldest first, so that a long test can write them
    /// down before the ring overwrites them.
    #[must_use]
    pub fn drain(&self) -> Vec<Event> {
        lock(&self.state).history.drain(..).collect()
    }

    /// How many events the history could not keep.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        lock(&self.state).dropped
    }

    /// The command lines that are still kept, masked, oldest first.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        let command = |e: &Event| match &e.what {
            What::Command { line } => Some(line.clone()),
            _ => None,
        };
        lock(&self.state).history.iter().filter_map(command).collect()
    }

    /// The history as lines of JSON.
    #[must_use]
    pub fn lines(&self) -> String {
        self.events().iter().fold(String::new(), |text, e| text + &e.line() + "\n")
    }

    /// Waits until `holds` is true of this record, looking again at every event. Gives false
    /// when `limit` has passed. Cancel-safe.
    pub async fn wait_until(&self, limit: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if holds(self) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(limit, wait).await.is_ok()
    }

    /// Enters a session into the record.
    pub(crate) fn open(self: &Arc<Self>, peer: SocketAddr) -> Log {
        let (session, concurrent) = {
            let mut state = lock(&self.state);
            state.all.enter();
            let room = state.by_address.len() < MAX_ADDRESSES;
            if room || state.by_address.contains_key(&peer.ip()) {
                state.by_address.entry(peer.ip()).or_default().enter();
            }
            (state.all.total, state.all.current)
        };
        let log = Log {
            recorder: Arc::clone(self),
            session,
            peer,
            since: Instant::now(),
            reason: None,
            received: 0,
            sent: 0,
        };
        log.event(What::Opened { concurrent });
        log
    }
}

/// The pen of one session. Dropping it records the session's end.
#[derive(Debug)]
pub(crate) struct Log {
    recorder: Arc<Recorder>,
    session: u64,
    peer: SocketAddr,
    since: Instant,
    reason: Option<String>,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Log {
    /// Open sessions of this client, this one included.
    pub(crate) fn concurrent_of_peer(&self) -> u64 {
        self.recorder.sessions_from(self.peer.ip()).current
    }

    /// Open sessions of all clients, this one included.
    pub(crate) fn concurrent(&self) -> u64 {
        self.recorder.sessions().current
    }

    pub(crate) fn event(&self, what: What) {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let at_us = since_epoch.map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX));
        let server = Arc::clone(&self.recorder.server);
        let event = Event { server, session: self.session, peer: self.peer, at_us, what };
        if let Some(tap) = &self.recorder.tap {
            tap(&event);
        }
        let mut state = lock(&self.recorder.state);
        match &event.what {
            What::Credential { right, .. } => {
                state.credentials += 1;
                state.right_credentials += u64::from(*right);
            }
            What::Mail { .. } => state.mails += 1,
            What::Opened { .. }
            | What::Secured { .. }
            | What::Command { .. }
            | What::Fault { .. }
            | What::Closed { .. } => {}
        }
        if state.history.len() >= self.recorder.capacity {
            state.dropped += 1;
            state.history.pop_front();
        }
        if self.recorder.capacity > 0 {
            state.history.push_back(event);
        }
        drop(state);
        self.recorder.changed.notify_waiters();
    }

    /// Records a command; `line` must not contain secrets.
    pub(crate) fn command(&self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let line = text.chars().take(200).map(|c| if c.is_control() { '?' } else { c }).collect();
        self.event(What::Command { line });
    }

    /// Says why the session ends, for the record of its end.
    pub(crate) fn because(&mut self, reason: String) {
        self.reason = Some(reason);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        {
            let mut state = lock(&self.recorder.state);
            state.all.leave();
            if let Some(gauge) = state.by_address.get_mut(&self.peer.ip()) {
                gauge.leave();
            }
            state.received += self.received;
            state.sent += self.sent;
        }
        let reason = self.reason.take();
        self.event(What::Closed {
            reason: reason.unwrap_or_else(|| "the server was stopped".to_owned()),
            received: self.received,
            sent: self.sent,
            lasted_us: u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(capacity: usize) -> Arc<Recorder> {
        Arc::new(Recorder::new("imap 127.0.0.1:1".into(), capacity, None))
    }

    #[test]
    fn concurrency_is_counted_in_all_and_by_address() {
        let recorder = recorder(100);
        let (here, there) = (([127, 0, 0, 1], 1).into(), ([127, 0, 0, 2], 1).into());
        let first = recorder.open(here);
        let second = recorder.open(here);
        drop(first);
        let third = recorder.open(there);
        assert_eq!(recorder.sessions(), Gauge { current: 2, maximum: 2, total: 3 });
        assert_eq!(recorder.sessions_from(here.ip()), Gauge { current: 1, maximum: 2, total: 2 });
        drop((second, third));
        assert_eq!(recorder.sessions().current, 0);
        assert_eq!(recorder.by_address().len(), 2);
    }

    #[test]
    fn the_history_is_a_ring_and_its_lines_are_json() {
        let recorder = recorder(2);
        let log = recorder.open(([127, 0, 0, 1], 9).into());
        log.command(b"NOOP\x07");
        drop(log);
        assert_eq!((recorder.events().len(), recorder.dropped()), (2, 1));
        let text = recorder.lines();
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!((&first["event"], &first["line"]), (&"command".into(), &"NOOP?".into()));
    }

    #[test]
    fn a_tap_is_told_what_the_history_does_not_keep() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tap: Tap = {
            let told = Arc::clone(&told);
            Arc::new(move |event| lock(&told).push(event.what.clone()))
        };
        let recorder = Arc::new(Recorder::new("imap 127.0.0.1:1".into(), 0, Some(tap)));
        drop(recorder.open(([127, 0, 0, 1], 9).into()));
        assert!(recorder.events().is_empty());
        let told = lock(&told);
        assert!(matches!(told[..], [What::Opened { concurrent: 1 }, What::Closed { .. }]));
    }

    #[tokio::test]
    async fn a_waiter_sees_what_happens_before_and_after() {
        let recorder = recorder(2);
        let waiter = {
            let recorder = Arc::clone(&recorder);
            tokio::spawn(async move {
                recorder.wait_until(Duration::from_secs(5), |r| r.sessions().total == 1).await
            })
        };
        drop(recorder.open(([127, 0, 0, 1], 9).into()));
        assert!(waiter.await.unwrap());
        assert!(!recorder.wait_until(Duration::ZERO, |r| r.mails() == 1).await);
    }
}
