//! Where values come from: a TOML file and the environment.
//!
//! Finds raw values by key and notes keys that nobody knows; what a value means is `value`'s.
//! Error texts never quote the file: a line may hold a password.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read as _;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::KEYS;
use super::value::Raw;
use super::{Origin, Problem};

/// Largest file that is read, in bytes. Ours are a few kilobytes.
const MAX_FILE: u64 = 1024 * 1024;

/// What the names of environment variables begin with.
const PREFIX: &str = "MAILFLEET_";

/// A raw value and where it was found.
pub(super) struct Found {
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// Reads a TOML file: raw values by key.
pub(super) fn file(path: &Path, problems: &mut Vec<Problem>) -> BTreeMap<&'static str, Found> {
    let mut found = BTreeMap::new();
    let at = |line| Origin::File { path: path.to_owned(), line };
    let text = match read_bounded(path) {
        Ok(text) => text,
        Err(error) => {
            let description = format!("cannot be read: {error}");
            problems.push(Problem { key: String::new(), origin: at(1), description });
            return found;
        }
    };
    let lines = Lines(&text);
    let (table, errors) = DeTable::parse_recoverable(&text);
    for error in errors {
        let line = lines.of(error.span().map_or(0, |span| span.start));
        let description = format!("is not TOML: {}", error.message());
        problems.push(Problem { key: String::new(), origin: at(line), description });
    }
    for (name, value) in flat(table.get_ref()) {
        let line = lines.of(value.span().start);
        match KEYS.iter().find(|key| key.path == name) {
            Some(key) => {
                found.insert(key.path, Found { raw: raw(value, &lines), origin: at(line) });
            }
            None => problems.push(unknown(name, at(line))),
        }
    }
    found
}

/// The values of a file under their full names. A table whose name is not a key is a section.
fn flat<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(String, &'a Spanned<DeValue<'i>>)> {
    let mut all = Vec::new();
    for (name, value) in table.iter() {
        let name = name.get_ref();
        match value.get_ref() {
            DeValue::Table(section) => {
                all.extend(section.iter().map(|(key, v)| (format!("{name}.{}", key.get_ref()), v)));
            }
            _ => all.push((name.to_string(), value)),
        }
    }
    // Tables come sorted by name; people look for errors from top to bottom.
    all.sort_by_key(|(_, value)| value.span().start);
    all
}

/// Copies a value out of the file.
fn raw(value: &Spanned<DeValue<'_>>, lines: &Lines<'_>) -> Raw {
    match value.get_ref() {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => Raw::Number(number.to_string()),
        DeValue::Array(items) => {
            let item =
                |item: &Spanned<DeValue<'_>>| (lines.of(item.span().start), raw(item, lines));
            Raw::List(items.iter().map(item).collect())
        }
        DeValue::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(name, _)| name.span().start);
            let entry = |(name, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
                (name.get_ref().to_string(), lines.of(value.span().start), raw(value, lines))
            };
            Raw::Table(entries.into_iter().map(entry).collect())
        }
        DeValue::Float(float) => Raw::Fraction(float.as_str().to_owned()),
        DeValue::Boolean(_) => Raw::Other("true or false"),
        DeValue::Datetime(_) => Raw::Other("a date"),
    }
}

/// Reads the environment: raw values by key. A name without a section is not ours to judge.
pub(super) fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<&'static str, Found> {
    let mut found = BTreeMap::new();
    for (variable, value) in variables {
        let Some(variable) = variable.to_str() else { continue };
        let Some(name) = variable.strip_prefix(PREFIX) else { continue };
        // `MAILFLEET_TENANT` names a key without a section; other bare names are not ours.
        let path = name.to_ascii_lowercase().replacen("__", ".", 1);
        let origin = Origin::Environment(variable.to_owned());
        match KEYS.iter().find(|key| key.path == path) {
            Some(key) => {
                let raw = value.into_string().map_or(Raw::Other("not UTF-8"), Raw::Text);
                found.insert(key.path, Found { raw, origin });
            }
            None if path.contains('.') => problems.push(unknown(path, origin)),
            None => {}
        }
    }
    found
}

/// The problem of a key that nobody knows, with the known one that is closest.
fn unknown(key: String, origin: Origin) -> Problem {
    let names = KEYS.iter().map(|known| known.path);
    let description = match crate::nearest::nearest(&key, names).first() {
        Some(close) => format!("is not a known key; did you mean {close}?"),
        None => "is not a known key; `mailfleet config reference` lists them all".to_owned(),
    };
    Problem { key, origin, description }
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read > MAX_FILE) {
        return Err(std::io::Error::other("is larger than 1 MiB"));
    }
    Ok(text)
}

/// Finds the line of a byte.
struct Lines<'a>(&'a str);

impl Lines<'_> {
    /// The line, counted from 1.
    fn of(&self, byte: usize) -> usize {
        self.0.bytes().take(byte).filter(|b| *b == b'\n').count() + 1
    }
}
