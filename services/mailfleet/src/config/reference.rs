//! The reference of the configuration: every key with its meaning and default, as TOML.
//!
//! Made from the table of keys, so it cannot drift; `deploy/config/mailfleet.toml` is its
//! output, held equal by a test.

use std::fmt::Write as _;

use super::key::{KEYS, Key};
use super::show::literal;
use super::value::Kind;

const HEADER: &str = "\
# The configuration of mailfleet, with every key at its default.
#
# Order: defaults, then this file (--config), then the environment: MAILFLEET_GATEWAY__LISTEN
# sets [gateway] listen; lists are separated by commas there. Durations carry their unit.
# `mailfleet config check` reports every error at once, `mailfleet config show` prints the
# values that hold and where each one comes from.
";

/// Renders the reference.
pub(crate) fn reference() -> String {
    let mut text = HEADER.to_owned();
    let mut section = "";
    let (tables, plain): (Vec<_>, Vec<_>) =
        KEYS.iter().partition(|key| matches!(key.kind, Kind::Tables(_)));
    for key in plain {
        if key.section() != section {
            section = key.section();
            line(&mut text, format_args!("\n[{section}]"));
        }
        meaning(&mut text, key);
        match key.default_value() {
            Some(value) => line(&mut text, format_args!("{} = {}", key.name(), literal(&value))),
            None => line(&mut text, format_args!("# {} =", key.name())),
        }
    }
    for key in tables {
        table(&mut text, key);
    }
    text
}

/// An array of tables, commented out: the default is to have none.
fn table(text: &mut String, key: &Key) {
    let Kind::Tables(columns) = key.kind else { return };
    text.push('\n');
    meaning(text, key);
    line(text, format_args!("# [[{}]]", key.path));
    for column in columns {
        if let [meaning, example] = column.doc {
            line(text, format_args!("# {} = {example}  # {meaning}", column.path));
        }
    }
}

fn meaning(text: &mut String, key: &Key) {
    for doc in key.doc {
        line(text, format_args!("# {doc}"));
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a String cannot fail");
}
