//! The configuration: defaults, then a TOML file, then the environment.
//!
//! Read in one go and judged as a whole: every error is reported, with the key, where its
//! value came from and what was expected. Apart from the commands, which see only [`Settings`].
//! Never reads the environment by itself: it is handed in, so that tests bring their own.

pub(crate) mod command;
mod key;
mod pools;
mod reference;
mod settings;
mod show;
mod source;
mod together;
mod value;
mod zones;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use key::{KEYS, Key};
pub(crate) use pools::PoolSettings;
use reference::reference;
pub(crate) use settings::{LogForm, Settings};
use show::show;
use source::Found;
use value::Value;

pub(crate) use value::network;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Built in.
    Default,
    /// The file, with the line, counted from 1.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line of the value.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// One error of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The key, such as `gateway.listen`; empty where the file cannot be read at all.
    pub(crate) key: String,
    /// Where the value came from.
    pub(crate) origin: Origin,
    /// What is wrong and what is expected. Never holds a value that may be secret.
    pub(crate) description: String,
}

/// All errors of the configuration, in the order of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        writeln!(f, "the configuration has {count} error{}:", if count == 1 { "" } else { "s" })?;
        for Problem { key, origin, description } in &self.0 {
            let place =
                if key.is_empty() { origin.to_string() } else { format!("{key} ({origin})") };
            writeln!(f, "  {place}: {description}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A checked value with its origin.
pub(crate) struct Effective {
    pub(crate) value: Option<Value>,
    pub(crate) origin: Origin,
}

/// Every key with the value that holds.
pub(crate) struct Configuration(BTreeMap<&'static str, Effective>);

impl Configuration {
    /// Reads and judges the whole configuration. `environment` is what `std::env::vars_os`
    /// gives; only names of the form `MAILFLEET_SECTION__KEY` are looked at.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    ) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut found = match file {
            Some(path) => source::file(path, &mut problems),
            None => BTreeMap::new(),
        };
        found.extend(source::environment(environment, &mut problems));
        let mut values = BTreeMap::new();
        for key in KEYS {
            values.insert(key.path, effective(key, found.remove(key.path), &mut problems));
        }
        let configuration = Self(values);
        if problems.is_empty() {
            together::check(&configuration, &mut problems);
        }
        if problems.is_empty() { Ok(configuration) } else { Err(Problems(problems)) }
    }

    /// The value of a key of the table; `None` where it is unset and has no default.
    pub(crate) fn get(&self, path: &str) -> Option<&Value> {
        self.effective(path).value.as_ref()
    }

    pub(crate) fn effective(&self, path: &str) -> &Effective {
        self.0.get(path).expect("every key of the table is filled, and only those are asked for")
    }
}

/// The value that holds: the found one, or the default where nothing was found.
fn effective(key: &Key, found: Option<Found>, problems: &mut Vec<Problem>) -> Effective {
    let Some(Found { raw, origin }) = found else {
        return Effective { value: key.default_value(), origin: Origin::Default };
    };
    match key.kind.read(&raw) {
        Ok(value) => Effective { value: Some(value), origin },
        Err(wrong) => {
            problems.extend(wrong.into_iter().map(|wrong| Problem {
                key: format!("{}{}", key.path, wrong.at),
                origin: wrong.line.map_or(origin.clone(), |line| origin.at_line(line)),
                description: wrong.description,
            }));
            Effective { value: None, origin }
        }
    }
}

impl Origin {
    /// The same file, at another line.
    fn at_line(&self, line: usize) -> Self {
        match self {
            Self::File { path, .. } => Self::File { path: path.clone(), line },
            Self::Default | Self::Environment(_) => self.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
