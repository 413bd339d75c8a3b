//! The seam between what is done and the database that does it.

use std::future::Future;

use mailfleet_model::fleet::Timestamp;

use crate::row::Row;
use crate::trouble::Trouble;
use crate::value::Value;

/// A statement, in PostgreSQL's dialect: parameters are `$1`, `$2`, …; row locks are
/// written out, and SQLite, which has one writer, goes without them.
#[derive(Clone, Copy)]
pub(crate) struct Statement {
    pub(crate) postgres: &'static str,
    /// Where SQLite must be told in other words.
    pub(crate) sqlite: Option<&'static str>,
}

impl Statement {
    /// One text for both.
    pub(crate) const fn of(sql: &'static str) -> Self {
        Self { postgres: sql, sqlite: None }
    }
}

/// Statements that write, to be run in their order; nobody waits for what one answers.
#[derive(Default)]
pub(crate) struct Writes<'a>(Vec<(Statement, Vec<Vec<Value<'a>>>)>);

impl<'a> Writes<'a> {
    /// Runs a statement once for each set of values, after what is there already.
    pub(crate) fn each(&mut self, statement: Statement, sets: Vec<Vec<Value<'a>>>) {
        self.0.push((statement, sets));
    }

    /// Runs a statement once, after what is there already.
    pub(crate) fn once(&mut self, statement: Statement, values: Vec<Value<'a>>) {
        self.each(statement, vec![values]);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Statement, Vec<Vec<Value<'a>>>)> {
        self.0.iter()
    }
}

/// A transaction, or a connection for one statement.
///
/// Statements that are awaited together (`try_join!`) go to the server together.
pub(crate) trait Tx: Sync {
    /// The rows that a statement answers with.
    fn rows(
        &self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Vec<Row>, Trouble>> + Send;

    /// Runs a statement once for each set of values, in their order; the rows of each.
    fn each(
        &self,
        statement: Statement,
        sets: &[Vec<Value<'_>>],
    ) -> impl Future<Output = Result<Vec<Vec<Row>>, Trouble>> + Send;

    /// Runs a statement; how many rows it touched.
    fn run(
        &self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, Trouble>> + Send;

    /// Runs writes, all of which go to the server together.
    fn write(&self, writes: &Writes<'_>) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Runs writes as the last thing of a transaction: what ends it goes with them.
    fn finish(&self, writes: &Writes<'_>) -> impl Future<Output = Result<(), Trouble>> + Send {
        self.write(writes)
    }

    /// The first row, if there is one.
    fn row(
        &self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Option<Row>, Trouble>> + Send {
        let rows = self.rows(statement, values);
        async { Ok(rows.await?.into_iter().next()) }
    }

    /// The database's clock.
    fn now(&self) -> impl Future<Output = Result<Timestamp, Trouble>> + Send {
        const NOW: Statement = Statement::of("SELECT mailfleet_now()");
        let row = self.row(NOW, &[]);
        async { row.await?.ok_or_else(|| Trouble::corrupt("no clock"))?.time("now") }
    }
}

/// How a piece of work uses the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// One statement that reads: needs no transaction of its own.
    Look,
    /// Several statements that must see the same moment.
    Snapshot,
    /// One statement that writes.
    Touch,
    /// Several statements, at least one of which writes.
    Change,
    /// The same, where it does no harm if a crash of the database's machine undoes it.
    Note,
}

/// One method of the port. Owns what it works with: SQLite runs it on another thread.
pub(crate) trait Work: Send + Sync + 'static {
    /// What is decided about; `()` where nothing is.
    type View: Send + 'static;
    /// What is decided.
    type Answer: Send + 'static;
    /// What comes of it.
    type Output: Send + 'static;
    /// What errors call it.
    const OPERATION: &'static str;
    /// What it needs.
    const ACCESS: Access;

    /// Does it. May be called again after a conflict.
    fn work(
        &self,
        tx: &impl Tx,
        decide: &impl Decide<Self::View, Self::Answer>,
    ) -> impl Future<Output = Result<Self::Output, Trouble>> + Send;
}

/// Where decisions are made: on the caller's own task, wherever the transaction runs.
pub(crate) trait Decide<V, A>: Sync {
    /// Asks for a decision; gives the view back with it.
    fn decide(&self, view: V) -> Result<(V, A), Trouble>;
}

/// A database.
pub(crate) trait Backend: Send + Sync + 'static {
    /// Does a piece of work in one transaction, and again if that lost a conflict.
    fn perform<W: Work>(
        &self,
        work: W,
        decide: impl Fn(&W::View) -> W::Answer + Send + Sync,
    ) -> impl Future<Output = Result<W::Output, mailfleet_model::fleet::StoreError>> + Send;
}
