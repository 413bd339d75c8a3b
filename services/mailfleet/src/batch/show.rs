//! A batch, its causes and its items as people read them.

use std::fmt::Write as _;
use std::time::SystemTime;

use anstyle::Style;
use mailfleet_api::v1;
use mailfleet_api::v1::batch::State;

use super::id_of;
use crate::render::columns::{self, Cell, cell};
use crate::render::{BOLD, CODE, DIM, WARN, paint, width, wrap};

const NEVER: &str = "writing to a String cannot fail";

/// Renders a batch. Ends in a line break.
pub(super) fn batch(batch: &v1::Batch) -> String {
    let id = id_of(batch);
    let name = wrap::clean(&batch.display_name);
    let state = paint(BOLD, word(batch.state().as_str_name()));
    let mut text = format!("{}  {state}  {name}\n", paint(CODE, wrap::clean(&id)));
    let counts = batch.counts.unwrap_or_default();
    let all = [
        ("healthy", counts.healthy),
        ("faulty", counts.faulty),
        ("inconclusive", counts.inconclusive),
        ("cancelled", counts.cancelled),
        ("open", counts.open),
        ("held", counts.held),
    ];
    let all: Vec<String> =
        all.iter().filter(|(_, n)| 0 < *n).map(|(what, n)| format!("{n} {what}")).collect();
    writeln!(text, "{} mailboxes: {}", counts.total, all.join(", ")).expect(NEVER);
    for code in &batch.codes {
        writeln!(text, "  {:>7}  {}", code.items, paint(CODE, code.code().as_str_name()))
            .expect(NEVER);
    }
    if let Some(pause) = &batch.pause {
        let reason = wrap::clean(&pause.reason);
        writeln!(text, "\n{}", paint(WARN, format!("paused: {reason}"))).expect(NEVER);
        for item in &pause.evidence {
            let (address, code) = (wrap::clean(&item.address), item.code().as_str_name());
            let job = wrap::clean(item.job.trim_start_matches("jobs/"));
            writeln!(text, "  {address}  {code}  mailfleet job show {job}").expect(NEVER);
        }
        let hint = format!("mailfleet batch resume {id} [--lift-guard]  goes on");
        writeln!(text, "{}", paint(DIM, wrap::clean(&hint))).expect(NEVER);
    }
    if counts.faulty + counts.inconclusive > 0 {
        let hint = format!("mailfleet batch summary {id}  says what to do");
        writeln!(text, "\n{}", paint(DIM, wrap::clean(&hint))).expect(NEVER);
    }
    text
}

/// A list of batches.
pub(super) fn list(batches: &[v1::Batch]) -> String {
    let heading = ["BATCH", "STATE", "MAILBOXES", "LEFT", "FAULTY", "CREATED", "NAME"];
    let plain = Style::new();
    let row = |batch: &v1::Batch| {
        let counts = batch.counts.unwrap_or_default();
        vec![
            cell(CODE, wrap::clean(&id_of(batch))),
            cell(plain, word(batch.state().as_str_name())),
            cell(plain, counts.total),
            cell(plain, counts.held + counts.open),
            cell(plain, counts.faulty),
            cell(DIM, moment(batch.create_time)),
            cell(plain, wrap::clean(&batch.display_name)),
        ]
    };
    columns::table(&heading, batches.iter().map(row).collect())
}

/// Rows of results; the heading comes once.
pub(super) fn items(items: &[v1::BatchItemResult]) -> String {
    let heading = ["ADDRESS", "STATE", "VERDICT", "CODE", "MAIL SERVER"];
    columns::table(&heading, items.iter().map(item).collect())
}

fn item(item: &v1::BatchItemResult) -> Vec<Cell> {
    let plain = Style::new();
    vec![
        cell(plain, wrap::clean(&item.address)),
        cell(plain, word(item.state().as_str_name())),
        crate::job::verdict_cell(item.verdict()),
        cell(CODE, code_name(item)),
        cell(DIM, wrap::clean(&item.limit_group)),
    ]
}

/// The code's name; empty without one.
pub(super) fn code_name(item: &v1::BatchItemResult) -> &'static str {
    if item.code == 0 { "" } else { item.code().as_str_name() }
}

/// A moment as RFC 3339; empty without one.
pub(super) fn moment(time: Option<prost_types::Timestamp>) -> String {
    let time = time.and_then(|time| SystemTime::try_from(time).ok());
    time.map(|time| humantime::format_rfc3339_seconds(time).to_string()).unwrap_or_default()
}

/// The mails that an operator would write, one a domain and mail server.
pub(super) fn summary(summary: &v1::SummarizeBatchResponse) -> String {
    let mut text = String::new();
    for cause in &summary.causes {
        let at = if cause.limit_group.is_empty() {
            String::new()
        } else {
            format!(" at {}", wrap::clean(&cause.limit_group))
        };
        let heading = format!("{}{at}", wrap::clean(&cause.domain));
        let count = format!("{} of {} mailboxes in trouble", cause.mailboxes, cause.troubled);
        let code = paint(CODE, cause.code().as_str_name());
        writeln!(text, "{}\n{count}: {code}", paint(BOLD, heading)).expect(NEVER);
        for remedy in &cause.remedies {
            writeln!(text, "{}", wrap::clean(&remedy.title)).expect(NEVER);
            let parts = [&remedy.what_happened, &remedy.who_can_fix_it, &remedy.what_to_do];
            for sentence in parts.into_iter().flatten() {
                text.push_str(&wrap::paragraph("  ", &wrap::clean(sentence), width()));
            }
        }
        let examples: Vec<String> = cause.examples.iter().map(|a| wrap::clean(a)).collect();
        writeln!(text, "  {}", paint(DIM, format!("e.g. {}", examples.join(", ")))).expect(NEVER);
        for other in &cause.others {
            writeln!(text, "  {} others: {}", other.items, other.code().as_str_name())
                .expect(NEVER);
        }
        text.push('\n');
    }
    if summary.causes.is_empty() {
        text.push_str("nothing is wrong with the mailboxes that have ended\n");
    }
    if summary.left_out > 0 {
        writeln!(text, "and {} more domains and mail servers", summary.left_out).expect(NEVER);
    }
    text
}

/// What happened to a batch that was told something.
pub(super) fn told(batch: &v1::Batch) -> String {
    let state = match batch.state() {
        State::Running => "goes on",
        State::Paused => "is paused",
        State::Cancelling => "is being cancelled",
        State::Cancelled => "is cancelled",
        State::Done => "has ended",
        State::Uploading | State::Unspecified => "is uploading",
    };
    format!("batch {} {state}\n", wrap::clean(&id_of(batch)))
}

fn word(name: &str) -> String {
    name.to_ascii_lowercase()
}
