//! Takes values out of TOML, and notes what is wrong instead of stopping.
//!
//! A table is read key by key; what nobody asked for is an error in the end. A value that cannot
//! be read is noted, and a stand-in is used, so that the rest is looked at too.

use std::cell::RefCell;
use std::time::Duration;

use toml::{Table, Value};

/// What was found wrong so far, each with its place.
pub(super) type Wrong = RefCell<Vec<String>>;

/// A table while it is read.
pub(super) struct Reader<'a> {
    wrong: &'a Wrong,
    path: String,
    left: Table,
    known: Vec<String>,
}

/// What a value can be.
pub(super) trait Field: Sized {
    /// Reads it, or says what it should be.
    fn read(value: &Value) -> Result<Self, String>;
}

impl<'a> Reader<'a> {
    pub(super) fn new(wrong: &'a Wrong, path: &str, table: Table) -> Self {
        Self { wrong, path: path.to_owned(), left: table, known: Vec::new() }
    }

    /// The place of a key.
    fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes something about a key.
    pub(super) fn note(&self, key: &str, what: &str) {
        self.wrong.borrow_mut().push(format!("{}: {what}", self.at(key)));
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.known.push(key.to_owned());
        self.left.remove(key)
    }

    /// A value that may be left out.
    pub(super) fn optional<T: Field>(&mut self, key: &str) -> Option<T> {
        let value = self.take(key)?;
        T::read(&value).map_err(|what| self.note(key, &what)).ok()
    }

    /// A value with a default.
    pub(super) fn or<T: Field>(&mut self, key: &str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// A value that must be there; the stand-in goes on where it is not.
    pub(super) fn required<T: Field>(&mut self, key: &str, stand_in: T) -> T {
        if !self.left.contains_key(key) {
            self.known.push(key.to_owned());
            self.note(key, "is missing");
            return stand_in;
        }
        self.or(key, stand_in)
    }

    /// One of several words.
    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(T, &str)], default: T) -> T {
        let Some(word) = self.optional::<String>(key) else { return default };
        let found = words.iter().find(|(_, name)| *name == word);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(_, name)| *name).collect();
            self.note(key, &format!("{word:?} is not one of {}", names.join(", ")));
        }
        found.map_or(default, |(value, _)| *value)
    }

    /// A table, empty if it is not there.
    pub(super) fn table(&mut self, key: &str) -> Reader<'a> {
        let table = match self.take(key) {
            Some(Value::Table(table)) => table,
            None => Table::new(),
            Some(_) => {
                self.note(key, "is not a table");
                Table::new()
            }
        };
        Reader::new(self.wrong, &self.at(key), table)
    }

    /// The tables of an array of tables.
    pub(super) fn tables(&mut self, key: &str) -> Vec<Reader<'a>> {
        let rows = match self.take(key) {
            Some(Value::Array(rows)) => rows,
            None => Vec::new(),
            Some(_) => {
                self.note(key, "is not an array of tables: write [[…]]");
                Vec::new()
            }
        };
        let row = |(index, row): (usize, Value)| {
            let place = format!("{}[{}]", self.at(key), index + 1);
            match row {
                Value::Table(table) => Some(Reader::new(self.wrong, &place, table)),
                _ => {
                    self.wrong.borrow_mut().push(format!("{place}: is not a table"));
                    None
                }
            }
        };
        rows.into_iter().enumerate().filter_map(row).collect()
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.left.contains_key(key)
    }
}

/// What is left was not asked for.
impl Drop for Reader<'_> {
    fn drop(&mut self) {
        for key in self.left.keys() {
            let known = self.known.join(", ");
            self.note(key, &format!("unknown key (known here: {known})"));
        }
    }
}

impl Field for String {
    fn read(value: &Value) -> Result<Self, String> {
        value.as_str().map(str::to_owned).ok_or_else(|| "is not a text".to_owned())
    }
}

impl Field for bool {
    fn read(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| "is neither true nor false".to_owned())
    }
}

impl Field for u64 {
    fn read(value: &Value) -> Result<Self, String> {
        let number = value.as_integer().and_then(|number| Self::try_from(number).ok());
        number.ok_or_else(|| "is not a whole number from 0".to_owned())
    }
}

impl Field for u32 {
    fn read(value: &Value) -> Result<Self, String> {
        let number = value.as_integer().and_then(|number| Self::try_from(number).ok());
        number.ok_or_else(|| "is not a whole number from 0 to 4294967295".to_owned())
    }
}

impl Field for f64 {
    fn read(value: &Value) -> Result<Self, String> {
        let whole = value.as_integer().and_then(|number| u32::try_from(number).ok());
        let number = value.as_float().or(whole.map(Self::from));
        number
            .filter(|number| number.is_finite() && 0.0 <= *number)
            .ok_or_else(|| "is not a number from 0".to_owned())
    }
}

impl Field for Duration {
    fn read(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or("is not a span of time such as \"250ms\" or \"5m\"")?;
        humantime::parse_duration(text)
            .map_err(|error| format!("{text:?} is not a span of time such as \"5m\": {error}"))
    }
}

impl Field for Vec<String> {
    fn read(value: &Value) -> Result<Self, String> {
        let texts = value.as_array().and_then(|all| all.iter().map(Value::as_str).collect());
        let texts: Vec<&str> = texts.ok_or("is not a list of texts")?;
        Ok(texts.into_iter().map(str::to_owned).collect())
    }
}

impl Field for Vec<f64> {
    fn read(value: &Value) -> Result<Self, String> {
        let all = value.as_array().ok_or("is not a list of numbers")?;
        all.iter().map(f64::read).collect()
    }
}

/// A part of a whole, written as `"0.1%"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share(pub(super) f64);

impl Field for Share {
    fn read(value: &Value) -> Result<Self, String> {
        let number = value.as_str().and_then(|text| text.strip_suffix('%')?.trim().parse().ok());
        let number = number.filter(|number: &f64| (0.0..=100.0).contains(number));
        number
            .map(|number| Self(number / 100.0))
            .ok_or_else(|| "is not a part such as \"0.1%\"".to_owned())
    }
}

/// A number of bytes, written as `"64MiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) u64);

impl Field for Bytes {
    fn read(value: &Value) -> Result<Self, String> {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
        let read = |text: &str| {
            let (unit, shift) = units.iter().find(|(unit, _)| text.ends_with(unit))?;
            let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
            number.checked_mul(1 << shift)
        };
        let bytes = value.as_str().and_then(read);
        bytes.map(Self).ok_or_else(|| "is not a size such as \"64MiB\"".to_owned())
    }
}
