//! The pen of a session: writes into the record of its server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::{Event, Recorder, What};
use crate::estate::lock;

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
    pub(super) fn new(recorder: Arc<Recorder>, session: u64, peer: SocketAddr) -> Self {
        let since = Instant::now();
        Self { recorder, session, peer, since, reason: None, received: 0, sent: 0 }
    }

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
