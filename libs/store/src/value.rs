//! What goes into a statement: one type that both drivers take.

use std::error::Error;
use std::time::Duration;

use bytes::BytesMut;
use deadpool_sqlite::rusqlite;
use mailfleet_model::fleet::Timestamp;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

/// Greatest number that is stored: 73,000 years in microseconds. Sums of two such numbers
/// still fit the databases' integers.
const MOST: i64 = 1 << 61;

/// One parameter of a statement. `Debug` is not derived: values are people's data.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Flag(bool),
    Text(&'a str),
    /// Also ids: both databases order 16 bytes as [`Uuid`] does.
    Bytes(&'a [u8]),
}

impl Value<'_> {
    /// A number; greater ones than the databases hold become the greatest.
    pub(crate) fn number(number: impl Into<u64>) -> Self {
        Value::Int(i64::try_from(number.into()).map_or(MOST, |number| number.min(MOST)))
    }

    pub(crate) fn time(time: Timestamp) -> Self {
        Self::number(time.0)
    }

    /// A duration in microseconds.
    pub(crate) fn span(duration: Duration) -> Self {
        Self::number(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
}

impl<'a> Value<'a> {
    pub(crate) fn id(id: &'a Uuid) -> Self {
        Value::Bytes(id.as_bytes())
    }

    /// `NULL` for `None`.
    pub(crate) fn maybe<T>(value: Option<T>, some: impl FnOnce(T) -> Value<'a>) -> Self {
        value.map_or(Value::Null, some)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Flag(flag) => ValueRef::Integer((*flag).into()),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) => number.to_sql_checked(ty, out),
            Value::Flag(flag) => flag.to_sql_checked(ty, out),
            Value::Text(text) => text.to_sql_checked(ty, out),
            // `uuid` and `bytea` are the bare bytes in the binary format.
            Value::Bytes(bytes) => <&[u8] as ToSql>::to_sql(bytes, ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Hides what it holds: the driver wants parameters that can be printed.
impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_database_holds_become_the_greatest() {
        for (number, expect) in [(0, 0), (7, 7), (1 << 61, MOST), (u64::MAX, MOST)] {
            let Value::Int(stored) = Value::number(number) else { panic!("a number") };
            assert_eq!(stored, expect);
        }
        let Value::Int(stored) = Value::span(Duration::MAX) else { panic!("a number") };
        assert_eq!(stored, MOST);
    }

    #[test]
    fn values_are_not_printed() {
        assert_eq!(format!("{:?}", Value::Text("canary")), "Value");
    }
}
