//! Statements on a connection, prepared once and then kept with it.
//!
//! A statement costs far less than the way to the server and back. So what does not depend on
//! an answer is sent without waiting for it, the beginning and the end of a transaction
//! included; the server takes everything in the order in which it was sent.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::ClientWrapper;
use futures::future::try_join_all;
use futures::poll;
use tokio_postgres::Statement as Prepared;
use tokio_postgres::types::{FromSql, ToSql, Type};

use crate::postgres::trouble::from_postgres;
use crate::row::{Cell, Row};
use crate::trouble::Trouble;
use crate::tx::{Statement, Tx, Writes};
use crate::value::Value;

/// A connection, with or without a transaction on it.
pub(super) struct Session<'a> {
    client: &'a ClientWrapper,
    in_transaction: bool,
    has_ended: AtomicBool,
}

impl<'a> Session<'a> {
    pub(super) fn new(client: &'a ClientWrapper, in_transaction: bool) -> Self {
        Self { client, in_transaction, has_ended: AtomicBool::new(false) }
    }

    /// Whether the end of the transaction was sent.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    async fn prepare(&self, statement: Statement) -> Result<Prepared, Trouble> {
        if self.has_ended() {
            // It would be a transaction of its own.
            return Err(Trouble::corrupt("a statement comes after the end of its transaction"));
        }
        self.client.prepare_cached(statement.postgres).await.map_err(from_postgres)
    }

    /// Sends writes, and the end of the transaction where that is asked for.
    async fn send(&self, writes: &Writes<'_>, is_end: bool) -> Result<(), Trouble> {
        let mut prepared = Vec::new();
        for (statement, sets) in writes.iter().filter(|(_, sets)| !sets.is_empty()) {
            let statement = self.prepare(*statement).await?;
            prepared.extend(sets.iter().map(|values| (statement.clone(), parameters(values))));
        }
        let mut sent: Vec<Sent<'_>> = Vec::new();
        for (statement, parameters) in &prepared {
            sent.push(Box::pin(async move {
                self.client.execute(statement, parameters).await.map(|_| ())
            }));
        }
        if is_end {
            self.has_ended.store(true, Ordering::Relaxed);
            sent.push(Box::pin(self.client.batch_execute("COMMIT")));
        }
        in_order(sent).await.map_err(from_postgres)
    }
}

type Sent<'a> = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send + 'a>>;

/// Waits for requests that are sent by their first poll. The first error counts: those that
/// follow only say that there was one.
async fn in_order(mut requests: Vec<Sent<'_>>) -> Result<(), tokio_postgres::Error> {
    let mut answers = Vec::new();
    for request in &mut requests {
        answers.push(poll!(request.as_mut()));
    }
    for (answer, request) in answers.into_iter().zip(requests) {
        match answer {
            std::task::Poll::Ready(answer) => answer?,
            std::task::Poll::Pending => request.await?,
        }
    }
    Ok(())
}

impl Tx for Session<'_> {
    async fn rows(&self, statement: Statement, values: &[Value<'_>]) -> Result<Vec<Row>, Trouble> {
        let prepared = self.prepare(statement).await?;
        let answer = self.client.query(&prepared, &parameters(values)).await;
        answer.map_err(from_postgres)?.iter().map(row).collect()
    }

    async fn each(
        &self,
        statement: Statement,
        sets: &[Vec<Value<'_>>],
    ) -> Result<Vec<Vec<Row>>, Trouble> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        let prepared = self.prepare(statement).await?;
        let parameters: Vec<_> = sets.iter().map(|values| parameters(values)).collect();
        // All are sent before the first is answered; the server takes them in this order.
        let answers = parameters.iter().map(|parameters| self.client.query(&prepared, parameters));
        let answers = try_join_all(answers).await.map_err(from_postgres)?;
        answers.iter().map(|answer| answer.iter().map(row).collect()).collect()
    }

    async fn run(&self, statement: Statement, values: &[Value<'_>]) -> Result<u64, Trouble> {
        let prepared = self.prepare(statement).await?;
        self.client.execute(&prepared, &parameters(values)).await.map_err(from_postgres)
    }

    async fn write(&self, writes: &Writes<'_>) -> Result<(), Trouble> {
        self.send(writes, false).await
    }

    async fn finish(&self, writes: &Writes<'_>) -> Result<(), Trouble> {
        self.send(writes, self.in_transaction).await
    }
}

fn parameters<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn row(row: &tokio_postgres::Row) -> Result<Row, Trouble> {
    let cells = (0..row.len()).map(|column| row.try_get::<_, Cell>(column));
    let cells: Result<Vec<Cell>, _> = cells.collect();
    cells.map(Row::from).map_err(|_| Trouble::corrupt("a column has a type that is unknown"))
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(
        ty: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *ty {
            Type::INT8 => Cell::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Cell::Int(i32::from_sql(ty, raw)?.into()),
            Type::BOOL => Cell::Int(bool::from_sql(ty, raw)?.into()),
            Type::TEXT => Cell::Text(String::from_sql(ty, raw)?),
            // Both are the bare bytes.
            _ => Cell::Bytes(raw.to_vec()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Cell::Null)
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::BOOL, Type::TEXT, Type::BYTEA, Type::UUID].contains(ty)
    }
}
