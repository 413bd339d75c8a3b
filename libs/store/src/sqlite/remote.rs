//! Decisions across threads: the transaction's thread lays its view on a table, the
//! caller's task lays the answer beside it.
//!
//! A decision borrows what the caller has, so it cannot move to the other thread; and a
//! caller that has gone away must not leave a transaction open.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::trouble::Trouble;
use crate::tx::Decide;

/// The transaction's side.
pub(super) struct Remote<V, A> {
    views: mpsc::Sender<V>,
    answers: Mutex<Receiver<(V, A)>>,
    patience: Duration,
}

/// The caller's side.
pub(super) struct Table<V, A> {
    pub(super) views: mpsc::Receiver<V>,
    pub(super) answers: SyncSender<(V, A)>,
}

/// A new table. The transaction waits for an answer for as long as `patience`: a caller
/// that is never polled again must not hold the writer for ever.
pub(super) fn meet<V, A>(patience: Duration) -> (Remote<V, A>, Table<V, A>) {
    let (views, to_decide) = mpsc::channel(1);
    let (decided, answers) = sync_channel(1);
    let remote = Remote { views, answers: Mutex::new(answers), patience };
    (remote, Table { views: to_decide, answers: decided })
}

impl<V: Send, A: Send> Decide<V, A> for Remote<V, A> {
    fn decide(&self, view: V) -> Result<(V, A), Trouble> {
        let gone = || Trouble::unavailable("the caller has gone away");
        self.views.try_send(view).map_err(|_| gone())?;
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.recv_timeout(self.patience).map_err(|error| match error {
            RecvTimeoutError::Disconnected => gone(),
            RecvTimeoutError::Timeout => Trouble::unavailable("the caller did not decide in time"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_has_gone_away_ends_the_wait() {
        let (remote, table) = meet::<u8, u8>(Duration::from_secs(60));
        drop(table);
        assert!(matches!(remote.decide(1), Err(Trouble::Unavailable(_))));
        let (remote, Table { views, answers }) = meet::<u8, u8>(Duration::from_secs(60));
        drop(answers);
        assert!(matches!(remote.decide(1), Err(Trouble::Unavailable(_))));
        drop(views);
    }

    #[test]
    fn a_caller_that_is_not_polled_does_not_hold_the_writer() {
        let (remote, _table) = meet::<u8, u8>(Duration::from_millis(1));
        assert!(matches!(remote.decide(1), Err(Trouble::Unavailable(_))));
    }
}
