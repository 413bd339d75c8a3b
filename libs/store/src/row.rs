//! What comes out of a statement: the cells of a row, read one after the other and checked.
//!
//! Another program may have written to the tables, so nothing is taken on trust: a name
//! that is none, a number out of range or a missing cell is `Corrupt`, named by its
//! column. Texts of the cells stay out of the error.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;
use std::vec::IntoIter;

use mailfleet_model::fleet::Timestamp;
use uuid::Uuid;

use crate::trouble::Trouble;

/// One cell.
pub(crate) enum Cell {
    Null,
    /// Also a flag: 0 or 1.
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// One row, while it is read from its first cell to its last.
pub(crate) struct Row(IntoIter<Cell>);

impl From<Vec<Cell>> for Row {
    fn from(cells: Vec<Cell>) -> Self {
        Self(cells.into_iter())
    }
}

impl Row {
    fn next(&mut self, column: &'static str) -> Result<Cell, Trouble> {
        self.0.next().ok_or_else(|| Trouble::corrupt(format_args!("{column} was not read")))
    }

    pub(crate) fn maybe_int(&mut self, column: &'static str) -> Result<Option<i64>, Trouble> {
        match self.next(column)? {
            Cell::Null => Ok(None),
            Cell::Int(number) => Ok(Some(number)),
            Cell::Text(_) | Cell::Bytes(_) => Err(wrong(column, "no number")),
        }
    }

    pub(crate) fn maybe_text(&mut self, column: &'static str) -> Result<Option<String>, Trouble> {
        match self.next(column)? {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            Cell::Int(_) | Cell::Bytes(_) => Err(wrong(column, "no text")),
        }
    }

    pub(crate) fn maybe_bytes(&mut self, column: &'static str) -> Result<Option<Vec<u8>>, Trouble> {
        match self.next(column)? {
            Cell::Null => Ok(None),
            Cell::Bytes(bytes) => Ok(Some(bytes)),
            Cell::Int(_) | Cell::Text(_) => Err(wrong(column, "no bytes")),
        }
    }

    pub(crate) fn bytes(&mut self, column: &'static str) -> Result<Vec<u8>, Trouble> {
        some(self.maybe_bytes(column)?, column)
    }

    /// A number of whatever type; out of its range is corrupt.
    pub(crate) fn number<T: TryFrom<i64>>(&mut self, column: &'static str) -> Result<T, Trouble> {
        some(self.maybe_number(column)?, column)
    }

    pub(crate) fn maybe_number<T: TryFrom<i64>>(
        &mut self,
        column: &'static str,
    ) -> Result<Option<T>, Trouble> {
        let number = self.maybe_int(column)?;
        let number = number.map(|number| T::try_from(number)).transpose();
        number.map_err(|_| wrong(column, "a number out of range"))
    }

    pub(crate) fn time(&mut self, column: &'static str) -> Result<Timestamp, Trouble> {
        self.number(column).map(Timestamp)
    }

    pub(crate) fn maybe_time(
        &mut self,
        column: &'static str,
    ) -> Result<Option<Timestamp>, Trouble> {
        Ok(self.maybe_number(column)?.map(Timestamp))
    }

    pub(crate) fn span(&mut self, column: &'static str) -> Result<Duration, Trouble> {
        self.number(column).map(Duration::from_micros)
    }

    pub(crate) fn maybe_span(&mut self, column: &'static str) -> Result<Option<Duration>, Trouble> {
        Ok(self.maybe_number(column)?.map(Duration::from_micros))
    }

    /// A text of whatever alphabet its type has.
    pub(crate) fn name<T: FromStr<Err: Display>>(
        &mut self,
        column: &'static str,
    ) -> Result<T, Trouble> {
        some(self.maybe_name(column)?, column)
    }

    pub(crate) fn maybe_name<T: FromStr<Err: Display>>(
        &mut self,
        column: &'static str,
    ) -> Result<Option<T>, Trouble> {
        let text = self.maybe_text(column)?;
        text.map(|text| text.parse()).transpose().map_err(|_| wrong(column, "an unknown name"))
    }

    pub(crate) fn flag(&mut self, column: &'static str) -> Result<bool, Trouble> {
        Ok(self.number::<u8>(column)? != 0)
    }

    /// An id, or another value of a certain length.
    pub(crate) fn array<const N: usize>(
        &mut self,
        column: &'static str,
    ) -> Result<[u8; N], Trouble> {
        some(self.maybe_array(column)?, column)
    }

    pub(crate) fn maybe_array<const N: usize>(
        &mut self,
        column: &'static str,
    ) -> Result<Option<[u8; N]>, Trouble> {
        let bytes = self.maybe_bytes(column)?.map(<[u8; N]>::try_from).transpose();
        bytes.map_err(|_| wrong(column, "bytes of another length"))
    }

    pub(crate) fn id(&mut self, column: &'static str) -> Result<Uuid, Trouble> {
        self.array(column).map(Uuid::from_bytes)
    }

    pub(crate) fn maybe_id(&mut self, column: &'static str) -> Result<Option<Uuid>, Trouble> {
        Ok(self.maybe_array(column)?.map(Uuid::from_bytes))
    }
}

fn some<T>(value: Option<T>, column: &'static str) -> Result<T, Trouble> {
    value.ok_or_else(|| wrong(column, "nothing"))
}

fn wrong(column: &'static str, what: &'static str) -> Trouble {
    Trouble::corrupt(format_args!("{column} holds {what}"))
}

#[cfg(test)]
mod tests {
    use mailfleet_model::fleet::TenantId;

    use super::*;

    fn row(cell: Cell) -> Row {
        Row::from(vec![cell])
    }

    #[track_caller]
    fn check<T>(read: Result<T, Trouble>, expect: &str) {
        match read {
            Err(Trouble::Corrupt(what)) => assert_eq!(what, expect),
            Err(_) | Ok(_) => panic!("not corrupt"),
        }
    }

    #[test]
    fn what_makes_no_sense_is_named_by_its_column_only() {
        check(row(Cell::Text("Ä".into())).name::<TenantId>("c"), "c holds an unknown name");
        check(row(Cell::Int(-1)).time("c"), "c holds a number out of range");
        check(row(Cell::Int(300)).number::<u8>("c"), "c holds a number out of range");
        check(row(Cell::Bytes(vec![1; 15])).id("c"), "c holds bytes of another length");
        check(row(Cell::Null).bytes("c"), "c holds nothing");
        check(row(Cell::Text("7".into())).number::<u8>("c"), "c holds no number");
        check(Row::from(Vec::new()).maybe_int("c"), "c was not read");
    }
}
