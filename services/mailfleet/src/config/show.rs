//! `config show`: every value that holds, as TOML, with its origin beside it.
//!
//! The output can be used as a file again, except for passwords: they are shown as `***`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Configuration;
use super::key::{KEYS, Key};
use super::value::Value;

/// Renders the configuration.
pub(crate) fn show(configuration: &Configuration) -> String {
    let mut text = String::new();
    let mut section = "";
    // A bare `[section]` after an array of tables would be inside it, so those come last.
    let (tables, plain): (Vec<_>, Vec<_>) = KEYS.iter().partition(|key| is_table(key));
    for key in plain {
        if key.section() != section {
            section = key.section();
            let gap = if text.is_empty() { "" } else { "\n" };
            line(&mut text, format_args!("{gap}[{section}]"));
        }
        let found = configuration.effective(key.path);
        let origin = &found.origin;
        match &found.value {
            Some(value) => {
                line(&mut text, format_args!("{} = {}  # {origin}", key.name(), literal(value)));
            }
            None => line(&mut text, format_args!("# {} is not set", key.name())),
        }
    }
    for key in tables {
        let found = configuration.effective(key.path);
        if let Some(Value::Tables(rows)) = &found.value {
            for row in rows {
                line(&mut text, format_args!("\n[[{}]]  # {}", key.path, found.origin));
                entries(&mut text, row);
            }
        }
    }
    text
}

fn is_table(key: &Key) -> bool {
    matches!(key.kind, super::value::Kind::Tables(_))
}

fn entries(text: &mut String, row: &BTreeMap<&'static str, Value>) {
    for (name, value) in row {
        line(text, format_args!("{name} = {}", literal(value)));
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a String cannot fail");
}

/// The value as TOML writes it.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Listen(address) => quoted(&address.to_string()),
        Value::Url(url) => quoted(&without_password(&String::from_utf8_lossy(url.expose()))),
        Value::Path(path) => quoted(&path.to_string_lossy()),
        Value::Text(text) => quoted(text),
        Value::Count(number) => number.to_string(),
        Value::Share(share) => share.to_string(),
        Value::Span(span) => quoted(&crate::span::write(*span)),
        Value::Networks(networks) => list(networks.iter().map(ToString::to_string)),
        Value::Addresses(addresses) => list(addresses.iter().map(ToString::to_string)),
        Value::Words(words) => list(words.iter().cloned()),
        Value::Paths(paths) => list(paths.iter().map(|path| path.to_string_lossy().into_owned())),
        Value::Tables(rows) => format!("[]  # {} tables", rows.len()),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.map(|item| quoted(&item)).collect();
    format!("[{}]", items.join(", "))
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A URL with `***` in place of what may be secret: the password, and the whole query.
///
/// Hides too much rather than too little: a password may hold `@`, `/` and `?` itself.
fn without_password(url: &str) -> String {
    let (start, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (login, host) = rest.rsplit_once('@').map_or(("", rest), |(login, host)| (login, host));
    let login = match login.split_once(':') {
        Some((user, _)) => format!("{user}:***@"),
        None if login.is_empty() => String::new(),
        None => format!("{login}@"),
    };
    let host = match host.split_once('?') {
        Some((host, _)) => format!("{host}?***"),
        None => host.to_owned(),
    };
    format!("{start}{login}{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_hidden() {
        let check = |url, expect| assert_eq!(without_password(url), expect, "{url}");
        check("postgres://app:hunter2@db:5432/x", "postgres://app:***@db:5432/x");
        check("postgres://app:p@ss/w?rd@db/x", "postgres://app:***@db/x");
        check("postgres://app@db/x?password=hunter2", "postgres://app@db/x?***");
        check("sqlite:mailfleet.db", "sqlite:mailfleet.db");
        check("in-process", "in-process");
    }
}
