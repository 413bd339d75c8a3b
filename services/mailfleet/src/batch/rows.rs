//! Rows of a file become items, every wrong one told with its line, all at once.
//!
//! An item goes through the same door as at the gateway, so that nothing is sent that it would
//! refuse. No value of a row is ever part of an error: it may be a password.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use anyhow::Context as _;
use mailfleet_api::request::batch::Template;
use mailfleet_api::v1;
use mailfleet_model::{Endpoint, Protocol};

use super::args::SubmitArgs;
use crate::check::request::endpoint;
use crate::exit::Error;

/// Wrong rows that are told one by one.
const TOLD: usize = 100;
/// What a row may hold beside its password.
const COLUMNS: [&str; 9] = [
    "address",
    "username",
    "imap",
    "pop3",
    "smtp",
    "smtp_username",
    "smtp_password",
    "token",
    "key",
];

/// A row: its line and what its columns hold.
type Row = (u64, HashMap<String, String>);

/// Reads and judges every row of the file.
///
/// # Errors
/// Wrong usage with every wrong row; our own if the file cannot be read.
pub(super) fn read(args: &SubmitArgs, template: &Template) -> Result<Vec<v1::BatchItem>, Error> {
    let text = text(&args.file)?;
    let is_json = args.file.extension().is_some_and(|ending| ending == "jsonl" || ending == "json")
        || text.trim_start().starts_with('{');
    // Headings are read in lower case; keys of objects are not.
    let column = args.password_column.as_str();
    let lower = column.to_lowercase();
    let password = if is_json { column } else { lower.as_str() };
    let mut wrong = Wrong::default();
    let rows = if is_json { json(&text, &mut wrong) } else { csv(&text, password, &mut wrong)? };
    let mut keys: HashMap<String, u64> = HashMap::new();
    let mut items = Vec::new();
    for (line, mut row) in rows {
        if is_json {
            for name in row.keys().filter(|name| !is_known(name, password)) {
                wrong.add(line, name, "is not a key of a row; --help lists them");
            }
        }
        let item = item(line, &mut row, password, &mut wrong);
        match template.item(item.clone()) {
            Ok(checked) => match keys.get(&checked.key) {
                Some(first) => wrong.add(line, "key", &format!("stands in line {first} too")),
                None => drop(keys.insert(checked.key, line)),
            },
            Err(bad) => {
                for violation in bad.as_slice() {
                    wrong.add(line, &violation.field, &violation.description);
                }
            }
        }
        items.push(item);
    }
    if items.is_empty() && wrong.rows.is_empty() {
        return Err(Error::Request(format!("{}: holds no rows", args.file.display())));
    }
    wrong.into_result(&args.file).map(|()| items)
}

fn text(file: &Path) -> Result<String, Error> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    } else {
        let cannot = |error| Error::Request(format!("{}: cannot be read: {error}", file.display()));
        text = std::fs::read_to_string(file).map_err(cannot)?;
    }
    // What spreadsheets put in front.
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

fn is_known(name: &str, password: &str) -> bool {
    name == password || COLUMNS.contains(&name)
}

fn csv(text: &str, password: &str, wrong: &mut Wrong) -> Result<Vec<Row>, Error> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let heading = reader.headers().map_err(|_| Error::Request("line 1: is no heading".into()))?;
    let heading: Vec<String> = heading.iter().map(|name| name.trim().to_lowercase()).collect();
    let is_named = |name: &str| heading.iter().any(|column| column == name);
    if !is_named("address") {
        return Err(Error::Request("line 1: the heading has no column address".to_owned()));
    }
    for name in heading.iter().filter(|name| !is_known(name, password)) {
        wrong.add(1, &crate::render::wrap::clean(name), "is not a column; --help lists them");
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                wrong.add(line, "row", "is no CSV");
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != heading.len() {
            let problem = format!("has {} fields, the heading {}", record.len(), heading.len());
            wrong.add(line, "row", &problem);
            continue;
        }
        let cells = heading.iter().cloned().zip(record.iter().map(ToOwned::to_owned));
        rows.push((line, cells.filter(|(_, text)| !text.is_empty()).collect()));
    }
    Ok(rows)
}

fn json(text: &str, wrong: &mut Wrong) -> Vec<Row> {
    let mut rows = Vec::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        // The parser's own words may quote the line.
        let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) else {
            wrong.add(line, "row", "is no JSON object");
            continue;
        };
        let mut row = HashMap::new();
        for (name, value) in object {
            match value {
                serde_json::Value::String(text) => drop(row.insert(name, text)),
                serde_json::Value::Null => {}
                _ => wrong.add(line, &name, "is not a text"),
            }
        }
        rows.push((line, row));
    }
    rows
}

fn item(
    line: u64,
    row: &mut HashMap<String, String>,
    password: &str,
    wrong: &mut Wrong,
) -> v1::BatchItem {
    use v1::login::Credential;
    let password_of = |text: String| Credential::Password(text.into_bytes());
    let token = row.remove("token").map(Credential::AccessToken);
    let own = row.remove(password).map(password_of);
    if token.is_some() && own.is_some() {
        wrong.add(line, "token", "stands beside a password");
    }
    let login = v1::Login {
        username: row.remove("username").unwrap_or_default(),
        credential: token.or(own),
    };
    let mut server = |name: &str, protocol| {
        let text = row.remove(name)?;
        match Endpoint::parse(protocol, text.trim()) {
            Ok(at) => Some(v1::LegSettings { endpoint: Some(endpoint(&at)), login: None }),
            Err(error) => {
                wrong.add(line, name, &error.to_string());
                None
            }
        }
    };
    let incoming = [server("imap", Protocol::Imap), server("pop3", Protocol::Pop3)];
    let outgoing = server("smtp", Protocol::Smtp);
    let smtp = v1::Login {
        username: row.remove("smtp_username").unwrap_or_default(),
        credential: row.remove("smtp_password").map(password_of),
    };
    let has_own = !smtp.username.is_empty() || smtp.credential.is_some();
    if has_own && outgoing.is_none() {
        wrong.add(line, "smtp_username", "and smtp_password need a column smtp in their row");
    }
    v1::BatchItem {
        key: row.remove("key").unwrap_or_default(),
        address: row.remove("address").unwrap_or_default().trim().to_owned(),
        incoming: incoming.into_iter().flatten().collect(),
        outgoing: outgoing.map(|leg| v1::LegSettings { login: has_own.then_some(smtp), ..leg }),
        login: Some(login),
    }
}

/// Rows that are wrong.
#[derive(Default)]
struct Wrong {
    rows: Vec<(u64, String)>,
}

impl Wrong {
    fn add(&mut self, line: u64, column: &str, problem: &str) {
        self.rows.push((line, format!("line {line}: {column} {problem}")));
    }

    fn into_result(mut self, file: &Path) -> Result<(), Error> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.rows.sort_by_key(|(line, _)| *line);
        let mut told = format!("{}: nothing was submitted:\n", file.display());
        for (_, row) in self.rows.iter().take(TOLD) {
            told.push_str(&format!("  {row}\n"));
        }
        if TOLD < self.rows.len() {
            told.push_str(&format!("  and {} more\n", self.rows.len() - TOLD));
        }
        Err(Error::Request(told.trim_end().to_owned()))
    }
}
