//! Runs a piece of work in one transaction, and again if that lost a conflict.

use std::pin::pin;
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object, Pool};
use futures::{join, poll};
use tokio::time::timeout;

use crate::postgres::session::Session;
use crate::postgres::trouble::{from_pool, from_postgres};
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Work};

/// Times that work is tried. Conflicts end by themselves: somebody always wins. More than
/// the pool has connections that may have been lost at once.
const TRIES: u32 = 12;

/// Does the work; the decisions are made here, in the caller's own task.
pub(super) async fn perform<W: Work>(
    pool: &Pool,
    work: &W,
    decide: impl Fn(&W::View) -> W::Answer + Send + Sync,
    deadline: Duration,
) -> Result<W::Output, Trouble> {
    let done = timeout(deadline, repeat(pool, work, &Here(decide))).await;
    done.unwrap_or_else(|_| Err(Trouble::unavailable("the database did not answer in time")))
}

async fn repeat<W: Work>(
    pool: &Pool,
    work: &W,
    decide: &impl Decide<W::View, W::Answer>,
) -> Result<W::Output, Trouble> {
    let mut tries = 1;
    loop {
        match once(pool, work, decide).await {
            Err(Trouble::Conflict(_) | Trouble::Duplicate(_)) if tries < TRIES => tries += 1,
            done => return done,
        }
    }
}

async fn once<W: Work>(
    pool: &Pool,
    work: &W,
    decide: &impl Decide<W::View, W::Answer>,
) -> Result<W::Output, Trouble> {
    let mut lease = Lease(Some(pool.get().await.map_err(from_pool)?));
    let Some(client) = lease.0.as_deref() else {
        return Err(Trouble::unavailable("no connection"));
    };
    let begin = match W::ACCESS {
        Access::Look | Access::Touch => None,
        Access::Snapshot => Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        Access::Change => Some("BEGIN"),
        Access::Note => Some("BEGIN; SET LOCAL synchronous_commit = off"),
    };
    let done = match begin {
        None => work.work(&Session::new(client, false), decide).await,
        Some(begin) => within(client, begin, work, decide).await,
    };
    lease.give_back();
    done
}

/// Does the work between a beginning, which is sent with the work's first statements, and an
/// end, which the work may have sent with its last ones.
async fn within<W: Work>(
    client: &ClientWrapper,
    begin: &str,
    work: &W,
    decide: &impl Decide<W::View, W::Answer>,
) -> Result<W::Output, Trouble> {
    let session = Session::new(client, true);
    let (begun, done) = join!(client.batch_execute(begin), work.work(&session, decide));
    if let Err(error) = begun {
        return Err(if session.has_ended() { from_postgres(error) } else { elsewhere(error) });
    }
    match done {
        Ok(output) if session.has_ended() => Ok(output),
        Ok(output) => {
            let commit = client.batch_execute("COMMIT");
            if W::ACCESS == Access::Snapshot {
                // Nothing depends on it, and the next statement on this connection is sent after it.
                let _sent = poll!(pin!(commit));
            } else {
                commit.await.map_err(from_postgres)?;
            }
            Ok(output)
        }
        Err(trouble) => {
            // Where this fails too the connection is gone, and the transaction with it.
            let _ = client.batch_execute("ROLLBACK").await;
            Err(trouble)
        }
    }
}

/// A transaction could not even begin, so nothing has happened. Where the server has been
/// away, this connection may not know it yet, and the next one is better.
fn elsewhere(error: tokio_postgres::Error) -> Trouble {
    match from_postgres(error) {
        Trouble::Unavailable(source) => Trouble::Conflict(source),
        trouble => trouble,
    }
}

/// A connection that goes back to the pool only if its work came to an end: after a caller
/// that gave up, it may wait for a lock or for a network that is gone, and the next caller
/// with it.
struct Lease(Option<Object>);

impl Lease {
    fn give_back(&mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

/// Decisions on the caller's own task.
struct Here<F>(F);

impl<V, A, F: Fn(&V) -> A + Sync> Decide<V, A> for Here<F> {
    fn decide(&self, view: V) -> Result<(V, A), Trouble> {
        let answer = (self.0)(&view);
        Ok((view, answer))
    }
}
