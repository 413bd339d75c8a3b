//! Values: what a key takes, and how a raw value is read and judged.
//!
//! A duration without its unit is an error, as is a number out of range. Error texts quote
//! what was found, except for URLs, which may hold a password.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use mailfleet_model::Secret;

use super::key::Key;

/// A value as it stands in its source. No `Debug`: it may hold a password.
pub(super) enum Raw {
    /// A string; everything from the environment is one.
    Text(String),
    /// A whole number, in digits.
    Number(String),
    /// A number with a fraction, in digits.
    Fraction(String),
    /// An array; with the line of each item.
    List(Vec<(usize, Raw)>),
    /// A table; with the line of each value.
    Table(Vec<(String, usize, Raw)>),
    /// What no key takes, in words.
    Other(&'static str),
}

/// What values a key takes.
pub(crate) enum Kind {
    /// Address and port.
    Listen,
    /// A text that begins with one of these.
    Url(&'static [&'static str]),
    /// The name of a file.
    Path,
    /// A text without control characters, not empty.
    Text {
        /// What it is, for error texts.
        what: &'static str,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// Some of these words, one at least.
    Words(&'static [&'static str]),
    /// A whole number.
    Count {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A share: a number from 0 to 1.
    Share,
    /// A duration with its unit.
    Span {
        /// Shortest, in seconds.
        min_s: u64,
        /// Longest, in seconds.
        max_s: u64,
    },
    /// Networks in CIDR notation.
    Networks,
    /// IP addresses.
    Addresses,
    /// Names of files.
    Paths,
    /// Tables with these keys. Only a file can hold them.
    Tables(&'static [Key]),
}

/// A value that was read and judged.
pub(crate) enum Value {
    /// Address and port.
    Listen(SocketAddr),
    /// A URL, which may hold a password.
    Url(Secret),
    /// The name of a file.
    Path(PathBuf),
    /// A text or one of a choice of words.
    Text(String),
    /// A whole number.
    Count(u64),
    /// A share.
    Share(f64),
    /// A duration.
    Span(Duration),
    /// Networks.
    Networks(Vec<IpNet>),
    /// IP addresses.
    Addresses(Vec<IpAddr>),
    /// Names of files.
    Paths(Vec<PathBuf>),
    /// Some of a choice of words.
    Words(Vec<String>),
    /// Rows of named values.
    Tables(Vec<BTreeMap<&'static str, Value>>),
}

/// Why a raw value is not a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Which part of the key: empty, or such as `[2].name`.
    pub(super) at: String,
    /// The line of that part, where it is not the line of the key.
    pub(super) line: Option<usize>,
    /// What is wrong and what is expected.
    pub(super) description: String,
}

impl From<String> for Wrong {
    fn from(description: String) -> Self {
        Self { at: String::new(), line: None, description }
    }
}

impl Kind {
    /// Reads a raw value; all that is wrong with it at once.
    pub(super) fn read(&self, raw: &Raw) -> Result<Value, Vec<Wrong>> {
        match (self, raw) {
            (Self::Tables(keys), Raw::List(rows)) => tables(keys, rows),
            (Self::Tables(_), Raw::Text(_)) => {
                Err(vec!["can only be set in a file".to_owned().into()])
            }
            (Self::Networks | Self::Addresses | Self::Paths | Self::Words(_), Raw::List(items)) => {
                self.list(items)
            }
            (Self::Count { .. } | Self::Share, Raw::Number(digits))
            | (Self::Share, Raw::Fraction(digits)) => self.scalar(digits),
            (Self::Span { .. }, Raw::Number(digits)) => {
                let text = format!("found {digits} without a unit; {}", self.expected());
                Err(vec![text.into()])
            }
            // A count may stand in quotes only in the environment, which has nothing else;
            // taking it from a file as well harms nobody.
            (_, Raw::Text(text)) => self.read_text(text),
            (_, other) => {
                let text = format!("found {}; {}", other.what(), self.expected());
                Err(vec![text.into()])
            }
        }
    }

    /// Reads a text: what the environment has, and how defaults are written.
    pub(super) fn read_text(&self, text: &str) -> Result<Value, Vec<Wrong>> {
        match self {
            Self::Networks | Self::Addresses | Self::Paths | Self::Words(_) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                self.list(&items.map(|i| (0, Raw::Text(i.to_owned()))).collect::<Vec<_>>())
            }
            Self::Tables(_) => Ok(Value::Tables(Vec::new())),
            _ => self.scalar(text),
        }
    }

    fn scalar(&self, text: &str) -> Result<Value, Vec<Wrong>> {
        let value = match self {
            Self::Listen => text.parse().ok().map(Value::Listen),
            Self::Url(starts) => starts
                .iter()
                .any(|start| text.starts_with(start) && !has_control(text))
                .then(|| Value::Url(Secret::new(text.as_bytes().to_vec()))),
            Self::Path => (!text.is_empty()).then(|| Value::Path(text.into())),
            Self::Text { .. } => {
                let good = !text.trim().is_empty() && !has_control(text);
                good.then(|| Value::Text(text.to_owned()))
            }
            Self::Word(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Self::Count { min, max } => {
                let number = text.parse().ok();
                number.filter(|n| (*min..=*max).contains(n)).map(Value::Count)
            }
            Self::Share => {
                let number = text.parse().ok();
                number.filter(|n| (0.0..=1.0).contains(n)).map(Value::Share)
            }
            Self::Span { min_s, max_s } => {
                let range = Duration::from_secs(*min_s)..=Duration::from_secs(*max_s);
                crate::span::parse(text).ok().filter(|s| range.contains(s)).map(Value::Span)
            }
            Self::Networks | Self::Addresses | Self::Paths | Self::Words(_) | Self::Tables(_) => {
                None
            }
        };
        let found = match self {
            Self::Url(_) => String::new(),
            _ => format!("found {text:?}; "),
        };
        value.ok_or_else(|| vec![format!("{found}{}", self.expected()).into()])
    }

    fn list(&self, items: &[(usize, Raw)]) -> Result<Value, Vec<Wrong>> {
        match self {
            Self::Networks => self.each(items, network).map(Value::Networks),
            Self::Addresses => self.each(items, |text| text.parse().ok()).map(Value::Addresses),
            Self::Words(words) => {
                let word = |text: &str| words.contains(&text).then(|| text.to_owned());
                let found = self.each(items, word)?;
                let none = || vec![format!("is empty; {}", self.expected()).into()];
                if found.is_empty() { Err(none()) } else { Ok(Value::Words(found)) }
            }
            _ => self.each(items, |text| Some(PathBuf::from(text))).map(Value::Paths),
        }
    }

    /// Reads every item of a list; all bad ones at once.
    fn each<T>(
        &self,
        items: &[(usize, Raw)],
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let mut values = Vec::new();
        for (line, item) in items {
            let found = match item {
                Raw::Text(text) => match read(text) {
                    Some(value) => {
                        values.push(value);
                        continue;
                    }
                    None => format!("{text:?}"),
                },
                other => other.what(),
            };
            let description = format!("found {found}; {}", self.expected());
            // Line 0: a list from the environment has no lines.
            wrong.push(Wrong {
                at: String::new(),
                line: (*line > 0).then_some(*line),
                description,
            });
        }
        if wrong.is_empty() { Ok(values) } else { Err(wrong) }
    }

    /// What the key takes, for error texts.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Listen => "expected an address and a port, such as \"127.0.0.1:7443\"".to_owned(),
            Self::Url(starts) => format!("expected a text that begins with {}", any_of(starts)),
            Self::Path => "expected the name of a file".to_owned(),
            Self::Text { what } => format!("expected {what}"),
            Self::Word(words) => format!("expected {}", any_of(words)),
            Self::Words(words) => format!("expected some of {}", any_of(words)),
            Self::Count { min, max } => format!("expected a whole number from {min} to {max}"),
            Self::Share => "expected a number from 0 to 1, such as 0.1".to_owned(),
            Self::Span { min_s, max_s } => {
                format!(
                    "expected a duration with its unit, such as \"30s\", from {min_s}s to {max_s}s"
                )
            }
            Self::Networks => "expected networks such as \"10.0.0.0/8\"".to_owned(),
            Self::Addresses => "expected IP addresses".to_owned(),
            Self::Paths => "expected names of files".to_owned(),
            Self::Tables(keys) => {
                let names: Vec<&str> = keys.iter().map(|key| key.path).collect();
                format!("expected tables with {}", names.join(", "))
            }
        }
    }
}

/// Reads an array of tables.
fn tables(keys: &'static [Key], rows: &[(usize, Raw)]) -> Result<Value, Vec<Wrong>> {
    let mut wrong = Vec::new();
    let mut values = Vec::new();
    for (index, (line, row)) in rows.iter().enumerate() {
        let at = format!("[{index}]");
        match row {
            Raw::Table(entries) => values.push(table(keys, entries, (&at, *line), &mut wrong)),
            other => {
                let description =
                    format!("found {}; {}", other.what(), Kind::Tables(keys).expected());
                wrong.push(Wrong { at, line: Some(*line), description });
            }
        }
    }
    if wrong.is_empty() { Ok(Value::Tables(values)) } else { Err(wrong) }
}

/// Reads one table of an array, noting unknown, bad and missing keys.
fn table(
    keys: &'static [Key],
    entries: &[(String, usize, Raw)],
    (place, line): (&str, usize),
    wrong: &mut Vec<Wrong>,
) -> BTreeMap<&'static str, Value> {
    let mut row = BTreeMap::new();
    for (name, line, raw) in entries {
        let at = format!("{place}.{name}");
        let Some(key) = keys.iter().find(|key| key.path == name) else {
            let description = format!("is not a known key; {}", Kind::Tables(keys).expected());
            wrong.push(Wrong { at, line: Some(*line), description });
            continue;
        };
        match key.kind.read(raw) {
            Ok(value) => drop(row.insert(key.path, value)),
            Err(bad) => wrong.extend(bad.into_iter().map(|bad| Wrong {
                at: format!("{at}{}", bad.at),
                line: bad.line.or(Some(*line)),
                description: bad.description,
            })),
        }
    }
    for key in keys.iter().filter(|key| !entries.iter().any(|(name, ..)| name == key.path)) {
        match key.default_value() {
            Some(value) => drop(row.insert(key.path, value)),
            None if key.optional => {}
            None => wrong.push(Wrong {
                at: format!("{place}.{}", key.path),
                line: Some(line),
                description: format!("is missing; {}", key.kind.expected()),
            }),
        }
    }
    row
}

/// A network; a single address is one as well.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// `"a", "b" or "c"`.
fn any_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

impl Raw {
    /// What was found, for error texts. Scalars are quoted, the rest is only named.
    fn what(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Number(digits) => digits.clone(),
            Self::Fraction(_) => "a number with a fraction".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a table".to_owned(),
            Self::Other(what) => (*what).to_owned(),
        }
    }
}
