//! Batches on the wire: rows of the store become messages, and requests become filters.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use mailfleet_model::fleet::{
    BatchId, BatchRecord, BatchReport, BatchState, CauseCount, ItemCounts, ItemFilter, ItemRecord,
    ItemState, PauseCause, Timestamp,
};
use mailfleet_model::{FaultCode, Host, Verdict, Violations};
use uuid::Uuid;

use crate::enums::{self, mirror};
use crate::job::{self, timestamp};
use crate::{code, v1, when};

/// Begins the name of every batch.
const COLLECTION: &str = "batches/";
/// Items on a page if the caller says nothing, and at most.
const PAGE: (u32, u32) = (200, 1_000);
/// The time that the rate is measured over.
const WINDOW: Duration = Duration::from_secs(10);

mirror!(BatchState, v1::batch::State { Uploading, Running, Paused, Cancelling, Cancelled, Done });
mirror!(ItemState, v1::batch_item_result::State { Held, Open, Done, Cancelled });
mirror!(PauseCause, v1::batch_pause::Cause { Operator, Guard });

/// The name of a batch: `batches/` and its id.
#[must_use]
pub fn name(batch: BatchId) -> String {
    format!("{COLLECTION}{batch}")
}

/// Reads the name of a batch.
///
/// # Errors
/// One violation of the field `name`.
pub fn parse_name(name: &str) -> Result<BatchId, Violations> {
    let mut bad = Violations::default();
    read_name(name, &mut bad).ok_or(bad)
}

fn read_name(name: &str, bad: &mut Violations) -> Option<BatchId> {
    let id = name.strip_prefix(COLLECTION).and_then(|id| Uuid::try_parse(id).ok());
    bad.check("name", id.map(BatchId).ok_or("is not batches/ and a UUID"))
}

/// A batch as a list shows it.
#[must_use]
pub fn listed(batch: &BatchRecord) -> v1::Batch {
    let counts = &batch.counts;
    v1::Batch {
        name: name(batch.id),
        display_name: batch.display_name.clone(),
        state: enums::number(batch.state),
        counts: Some(counts_message(counts)),
        pause: batch.pause.as_ref().map(|pause| v1::BatchPause {
            cause: enums::number(pause.cause),
            reason: pause.reason.clone(),
            pause_time: Some(timestamp(pause.since)),
            evidence: Vec::new(),
        }),
        create_time: Some(timestamp(batch.created)),
        start_time: batch.started.map(timestamp),
        end_time: batch.finished.map(timestamp),
        deadline_time: batch.deadline.map(timestamp),
        watch_token: watch_token(batch),
        ..v1::Batch::default()
    }
}

/// A batch with everything.
#[must_use]
pub fn message(report: &BatchReport) -> v1::Batch {
    let BatchReport { now, batch, codes, recent, evidence } = report;
    let mut message = listed(batch);
    message.codes = code_counts(codes.iter().copied());
    if let Some(pause) = &mut message.pause {
        pause.evidence = evidence.iter().map(item).collect();
    }
    let rate = rate(batch, *now, *recent);
    message.items_per_second = rate;
    let left = batch.counts.left();
    if batch.state == BatchState::Running && rate > 0.0 && left > 0 {
        // Far below what a float counts exactly, and of no use beyond a year.
        let seconds = (left as f64 / rate).min(31_536_000.0);
        message.time_left = Some(when::duration(Duration::from_secs_f64(seconds.round())));
    }
    message
}

fn rate(batch: &BatchRecord, now: Timestamp, recent: u64) -> f64 {
    let began = batch.started.map_or(Duration::ZERO, |started| now.since(started));
    let window = began.clamp(Duration::from_secs(1), WINDOW);
    (recent as f64 / window.as_secs_f64() * 10.0).round() / 10.0
}

fn counts_message(counts: &ItemCounts) -> v1::BatchCounts {
    let ItemCounts { held, open, healthy, faulty, inconclusive, cancelled } = *counts;
    let total = counts.total();
    v1::BatchCounts { total, held, open, healthy, faulty, inconclusive, cancelled }
}

fn code_counts(codes: impl Iterator<Item = (FaultCode, u64)>) -> Vec<v1::CodeCount> {
    codes.map(|(code, items)| v1::CodeCount { code: enums::number(code), items }).collect()
}

/// Names a state of a batch by everything in it that changes.
#[must_use]
pub fn watch_token(batch: &BatchRecord) -> String {
    let mut hasher = DefaultHasher::new();
    let ItemCounts { held, open, healthy, faulty, inconclusive, cancelled } = batch.counts;
    let counts = [held, open, healthy, faulty, inconclusive, cancelled];
    let since = batch.pause.as_ref().map(|pause| pause.since);
    (batch.state, counts, since, batch.settings.stop_when).hash(&mut hasher);
    job::watch_token(hasher.finish())
}

/// An item as it is shown.
#[must_use]
pub fn item(item: &ItemRecord) -> v1::BatchItemResult {
    v1::BatchItemResult {
        key: item.key.clone(),
        position: item.position,
        address: item.address.clone(),
        state: enums::number(item.state),
        job: item.job.map(job::name).unwrap_or_default(),
        verdict: item.verdict.map(enums::number).unwrap_or_default(),
        code: item.code.map(enums::number).unwrap_or_default(),
        limit_group: item.group.clone().unwrap_or_default(),
        end_time: item.finished.map(timestamp),
        redrives: item.redrives,
    }
}

/// A domain at a mail server with its causes, the most frequent first.
#[must_use]
pub fn cause(
    causes: &[CauseCount],
    remedies: Vec<v1::Remedy>,
    examples: Vec<String>,
) -> Option<v1::BatchCause> {
    let (first, others) = causes.split_first()?;
    let others = others.iter().map(|cause| (cause.code, cause.items));
    Some(v1::BatchCause {
        domain: first.domain.clone(),
        limit_group: first.group.clone().unwrap_or_default(),
        code: enums::number(first.code),
        mailboxes: first.items,
        troubled: causes.iter().map(|cause| cause.items).sum(),
        actor: enums::number(first.code.actor()),
        remedies,
        examples,
        others: code_counts(others),
    })
}

/// Which items a caller wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Of which batch.
    pub batch: BatchId,
    /// Items on a page, from 1 to 1,000.
    pub page_size: u32,
    /// Where the page begins: after this position.
    pub from: u64,
    /// Which ones.
    pub filter: ItemFilter,
}

/// Reads the request for a list of items.
///
/// # Errors
/// All bad fields at once.
pub fn listing(request: &v1::ListBatchItemsRequest) -> Result<Listing, Violations> {
    let mut bad = Violations::default();
    let batch = read_name(&request.name, &mut bad);
    let page_size = page_size(request.page_size, PAGE, &mut bad);
    let token = request.page_token.as_str();
    let from = if token.is_empty() { Ok(0) } else { token.parse() };
    let from = bad.check("page_token", from.map_err(|_| "is not a token of this service"));
    let state = known_if_set::<ItemState>("state", request.state, &mut bad);
    let verdict = known_if_set::<Verdict>("verdict", request.verdict, &mut bad);
    let code = code::from_wire_if_set(request.code);
    let filter = ItemFilter { state, verdict, code, domain: domain(&request.domain, &mut bad) };
    match batch.filter(|_| bad.is_empty()) {
        Some(batch) => Ok(Listing { batch, page_size, from: from.unwrap_or(0), filter }),
        None => Err(bad),
    }
}

/// Reads the request to begin items anew.
///
/// # Errors
/// All bad fields at once.
pub fn redrive(request: &v1::RedriveBatchRequest) -> Result<(BatchId, ItemFilter), Violations> {
    let mut bad = Violations::default();
    let batch = read_name(&request.name, &mut bad);
    let verdict = known_if_set::<Verdict>("verdict", request.verdict, &mut bad);
    if verdict == Some(Verdict::Healthy) {
        bad.add("verdict", "is not one of FAULTY, INCONCLUSIVE");
    }
    let code = code::from_wire_if_set(request.code);
    let domain = domain(&request.domain, &mut bad);
    match batch.filter(|_| bad.is_empty()) {
        Some(batch) => Ok((batch, ItemFilter { state: None, verdict, code, domain })),
        None => Err(bad),
    }
}

/// Reads the size and the beginning of a page of batches.
///
/// # Errors
/// All bad fields at once.
pub fn batch_page(request: &v1::ListBatchesRequest) -> Result<(u32, Option<BatchId>), Violations> {
    let mut bad = Violations::default();
    let size = page_size(request.page_size, (50, 200), &mut bad);
    let token = Some(request.page_token.as_str()).filter(|token| !token.is_empty());
    let from = token.and_then(|token| {
        bad.check("page_token", token.parse().map_err(|_| "is not a token of this service"))
    });
    if bad.is_empty() { Ok((size, from)) } else { Err(bad) }
}

/// Reads a number of things to show.
pub fn page_size(asked: i32, (usual, most): (u32, u32), bad: &mut Violations) -> u32 {
    match u32::try_from(asked) {
        Ok(0) => usual,
        Ok(size) => size.min(most),
        Err(_) => {
            bad.add("page_size", "is less than 0");
            usual
        }
    }
}

fn known_if_set<M: enums::Mirror>(field: &str, number: i32, bad: &mut Violations) -> Option<M> {
    if number == 0 {
        return None;
    }
    bad.check(field, enums::known(number).ok_or("is not known"))
}

/// A domain in the form that addresses are kept in.
fn domain(text: &str, bad: &mut Violations) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let host = bad.check("domain", text.parse::<Host>())?;
    Some(host.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let batch = BatchId(Uuid::from_u128(9));
        assert_eq!(parse_name(&name(batch)).ok(), Some(batch));
        for wrong in ["", "batches/", "batches/1", "jobs/x", &batch.to_string()] {
            assert!(parse_name(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_bad_list_request_names_every_field() {
        let bad = v1::ListBatchItemsRequest {
            page_size: -1,
            page_token: "x".to_owned(),
            state: 77,
            verdict: 77,
            domain: "a b".to_owned(),
            ..v1::ListBatchItemsRequest::default()
        };
        let bad = listing(&bad).expect_err("everything is wrong");
        let fields: Vec<&str> = bad.as_slice().iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["name", "page_size", "page_token", "state", "verdict", "domain"]);
    }
}
