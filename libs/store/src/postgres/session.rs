//! Statements on a connection, prepared once and then kept with it.

use deadpool_postgres::GenericClient;
use futures::future::try_join_all;
use tokio_postgres::types::{FromSql, ToSql, Type};

use crate::postgres::trouble::from_postgres;
use crate::row::{Cell, Row};
use crate::trouble::Trouble;
use crate::tx::{Statement, Tx};
use crate::value::Value;

/// A connection or a transaction on it.
pub(super) struct Session<'a, C>(pub(super) &'a C);

impl<C: GenericClient> Tx for Session<'_, C> {
    async fn rows(&self, statement: Statement, values: &[Value<'_>]) -> Result<Vec<Row>, Trouble> {
        let prepared = self.0.prepare_cached(statement.postgres).await.map_err(from_postgres)?;
        let answer = self.0.query(&prepared, &parameters(values)).await.map_err(from_postgres)?;
        answer.iter().map(row).collect()
    }

    async fn each(
        &self,
        statement: Statement,
        sets: &[Vec<Value<'_>>],
    ) -> Result<Vec<Vec<Row>>, Trouble> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        let prepared = self.0.prepare_cached(statement.postgres).await.map_err(from_postgres)?;
        let parameters: Vec<_> = sets.iter().map(|values| parameters(values)).collect();
        // All are sent before the first is answered; the server takes them in this order.
        let answers = parameters.iter().map(|parameters| self.0.query(&prepared, parameters));
        let answers = try_join_all(answers).await.map_err(from_postgres)?;
        answers.iter().map(|answer| answer.iter().map(row).collect()).collect()
    }

    async fn run(&self, statement: Statement, values: &[Value<'_>]) -> Result<u64, Trouble> {
        let prepared = self.0.prepare_cached(statement.postgres).await.map_err(from_postgres)?;
        self.0.execute(&prepared, &parameters(values)).await.map_err(from_postgres)
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
