//! Runs a piece of work in one transaction, on a thread where blocking is allowed.
//!
//! The statements run there one after the other; only the decision is made elsewhere, by
//! the caller's own task (`remote`), while the thread waits. Whatever goes wrong, also a
//! caller that has gone away, the transaction is rolled back before the thread is done.

use std::future::{Future, ready};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool_sqlite::{Object, rusqlite};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use tokio::sync::mpsc::Receiver;

use crate::row::{Cell, Row};
use crate::sqlite::remote::{Remote, Table, meet};
use crate::sqlite::trouble::{from_interact, from_sqlite};
use crate::trouble::Trouble;
use crate::tx::{Access, Statement, Tx, Work, Writes};
use crate::value::Value;

/// Does the work on the connection's thread, and the decisions here.
pub(super) async fn perform<W: Work>(
    connection: &Object,
    work: W,
    decide: impl Fn(&W::View) -> W::Answer + Send + Sync,
    deadline: Duration,
) -> Result<W::Output, Trouble> {
    let (remote, table) = meet(deadline);
    let running = connection.interact(move |sqlite| run(sqlite, &work, &remote));
    tokio::pin!(running);
    let Table { mut views, answers }: Table<W::View, W::Answer> = table;
    loop {
        let view = tokio::select! {
            // A view that lies there is answered before anything else: the thread waits.
            biased;
            Some(view) = next(&mut views) => view,
            done = &mut running => {
                return done.unwrap_or_else(|error| Err(from_interact(&error)));
            }
        };
        let answer = decide(&view);
        // Nobody takes it if the thread has given up meanwhile; it says why itself.
        let _ = answers.try_send((view, answer));
    }
}

/// Waits for ever once no view can come.
async fn next<V>(views: &mut Receiver<V>) -> Option<V> {
    views.recv().await
}

/// The whole transaction, on this thread.
fn run<W: Work>(
    sqlite: &mut Connection,
    work: &W,
    remote: &Remote<W::View, W::Answer>,
) -> Result<W::Output, Trouble> {
    // What the statements await is there at once, so this never waits but for a decision.
    let done = begin::<W>(sqlite).and_then(|()| {
        let tx = Transaction(Mutex::new(sqlite));
        futures::executor::block_on(work.work(&tx, remote))
    });
    let done = done.and_then(|output| {
        if !sqlite.is_autocommit() {
            sqlite.execute_batch("COMMIT").map_err(from_sqlite)?;
        }
        Ok(output)
    });
    if done.is_err() && !sqlite.is_autocommit() {
        sqlite.execute_batch("ROLLBACK").map_err(from_sqlite)?;
    }
    done
}

fn begin<W: Work>(sqlite: &Connection) -> Result<(), Trouble> {
    let begin = match W::ACCESS {
        Access::Look | Access::Touch => return Ok(()),
        Access::Snapshot => "BEGIN DEFERRED",
        Access::Change | Access::Note => "BEGIN IMMEDIATE",
    };
    sqlite.execute_batch(begin).map_err(from_sqlite)
}

/// The connection while one thread uses it. The lock is never contended: it only makes
/// what holds it a thing that may be shared, as futures demand.
struct Transaction<'a>(Mutex<&'a mut Connection>);

impl Tx for Transaction<'_> {
    fn rows(
        &self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Vec<Row>, Trouble>> + Send {
        ready(self.answer(statement, values))
    }

    fn each(
        &self,
        statement: Statement,
        sets: &[Vec<Value<'_>>],
    ) -> impl Future<Output = Result<Vec<Vec<Row>>, Trouble>> + Send {
        ready(sets.iter().map(|values| self.answer(statement, values)).collect())
    }

    fn run(
        &self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, Trouble>> + Send {
        ready(self.touch(statement, values))
    }

    fn write(&self, writes: &Writes<'_>) -> impl Future<Output = Result<(), Trouble>> + Send {
        let runs = writes.iter().flat_map(|(statement, sets)| {
            sets.iter().map(|values| self.touch(*statement, values).map(|_| ()))
        });
        ready(runs.collect())
    }
}

impl Transaction<'_> {
    fn answer(&self, statement: Statement, values: &[Value<'_>]) -> Result<Vec<Row>, Trouble> {
        let sqlite = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let query = || {
            let mut statement = sqlite.prepare_cached(&translate(statement))?;
            let n_columns = statement.column_count();
            let mut rows = statement.query(params_from_iter(values))?;
            let mut answer = Vec::new();
            while let Some(row) = rows.next()? {
                let cells = (0..n_columns).map(|column| Ok(cell(row.get_ref(column)?)));
                answer.push(Row::from(cells.collect::<rusqlite::Result<Vec<Cell>>>()?));
            }
            Ok(answer)
        };
        query().map_err(from_sqlite)
    }

    fn touch(&self, statement: Statement, values: &[Value<'_>]) -> Result<u64, Trouble> {
        let sqlite = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let run =
            || sqlite.prepare_cached(&translate(statement))?.execute(params_from_iter(values));
        let touched = run().map_err(from_sqlite)?;
        Ok(u64::try_from(touched).unwrap_or(u64::MAX))
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        // No column holds one; as text it is refused where it is read.
        ValueRef::Real(number) => Cell::Text(number.to_string()),
        // SQLite does not check its encoding; what is wrong is refused by its alphabet.
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    }
}

/// A statement in SQLite's dialect: parameters by number, and no row locks.
fn translate(statement: Statement) -> String {
    let sql = statement.sqlite.unwrap_or(statement.postgres);
    let sql = sql.split(" FOR ").next().unwrap_or(sql);
    sql.replace('$', "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_left_out_and_parameters_numbered() {
        let statement = Statement::of("SELECT a FROM t WHERE b = $2 AND c = $1 FOR UPDATE");
        assert_eq!(translate(statement), "SELECT a FROM t WHERE b = ?2 AND c = ?1");
    }
}
