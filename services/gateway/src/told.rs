//! What operators are told of jobs that end: counts, times, and the span of a batch's item.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mailfleet_api::order;
use mailfleet_engine::collect::Event;
use mailfleet_model::fleet::{
    BatchId, GatewayQueue, Hold, JobChange, JobRecord, JobView, LegRecord, Payload, ReturnCause,
    Store, Timestamp,
};
use mailfleet_telemetry::metrics::{self, JobEnd};
use mailfleet_telemetry::spans;
use mailfleet_telemetry::trace::Context;

use crate::gateway::Gateway;

/// Batches whose traces are remembered: more than run at once.
const BATCHES: usize = 64;

/// The calls that made batches, as their items' traces link to them.
#[derive(Debug, Default)]
pub(crate) struct BatchTraces(Mutex<VecDeque<(BatchId, Option<String>)>>);

impl BatchTraces {
    fn get(&self, batch: BatchId) -> Option<Option<String>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(id, _)| *id == batch).map(|(_, trace)| trace.clone())
    }

    fn put(&self, batch: BatchId, trace: Option<String>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if BATCHES <= known.len() {
            known.pop_front();
        }
        known.push_back((batch, trace));
    }
}

/// A job that ends with a change.
pub(crate) struct Ended {
    pub(crate) job: JobRecord,
    counts: JobEnd,
    /// The legs whose first try is their last.
    legs: Vec<Ran>,
}

/// A leg that was tried once.
struct Ran {
    report: Payload,
    returned: Option<ReturnCause>,
}

/// The job that a change ends, if it does.
pub(crate) fn ended(view: &JobView, change: &JobChange) -> Option<Ended> {
    let job = change.job.as_ref().filter(|job| job.state.is_final())?;
    let created = job.created;
    let legs = view.legs.iter().map(|row| {
        let changed = change.legs.iter().find(|leg| leg.id == row.leg.id);
        changed.unwrap_or(&row.leg)
    });
    // Of a leg that was tried again nobody knows any more when it started first.
    let once = legs.clone().filter(|leg| leg.attempt.0 == 0);
    let counts = JobEnd {
        class: job.class,
        state: job.state,
        verdict: job.verdict,
        took: job.finished.unwrap_or(view.now).since(created),
        queued: None,
        held_by: None,
        attempts: legs.filter(|leg| leg.dispatch.0 > 0).map(|leg| leg.attempt.0 + 1).collect(),
    };
    let legs = once.filter_map(Ran::of).collect();
    Some(Ended { job: JobRecord { report: None, ..job.clone() }, counts, legs })
}

impl Ran {
    fn of(leg: &LegRecord) -> Option<Self> {
        Some(Self { report: leg.end.as_ref()?.report.clone(), returned: leg.returned })
    }

    /// What of the mail server's own it mostly waited for in the time that its job was `queued`:
    /// its owner says for how long it did, and its row why an owner gave it back before.
    ///
    /// The owner knows nothing of the time before the leg was ready, nor of that on the broker:
    /// a wait that it was told of is the mail server's only if it was half of all.
    fn held_by(&self, queued: Duration) -> Option<Hold> {
        let is_half = |took: Duration| queued <= took.saturating_mul(2);
        let said = order::held_by(&self.report);
        let said = said.filter(|(_, took)| took.is_none_or(is_half)).map(|(by, _)| by);
        said.or_else(|| self.returned.and_then(held_before))
    }
}

/// What of the mail server's own an owner gave a leg back for.
fn held_before(returned: ReturnCause) -> Option<Hold> {
    match returned {
        ReturnCause::Busy => Some(Hold::Sessions),
        ReturnCause::Rate => Some(Hold::Rate),
        ReturnCause::Breaker => Some(Hold::Breaker),
        ReturnCause::Paused => Some(Hold::Paused),
        ReturnCause::Redelivered
        | ReturnCause::Refused
        | ReturnCause::Unanswered
        | ReturnCause::UnknownKind
        | ReturnCause::Draining
        | ReturnCause::Regroup => None,
    }
}

/// When a leg that ran began. Read by the worker's clock: it may differ from the store's.
fn started(report: &Payload) -> Option<Timestamp> {
    let report = order::leg_result(report).ok()?;
    (!report.steps.is_empty()).then(|| report.started.into())
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// Tells of a job that has ended.
    pub(crate) async fn tell_end(&self, ended: &Ended) {
        let job = &ended.job;
        let started = ended.legs.iter().filter_map(|leg| Some((started(&leg.report)?, leg)));
        let first = started.min_by_key(|(started, _)| *started);
        let queued = first.map(|(started, _)| started.since(job.created));
        let held_by = first.and_then(|(_, leg)| leg.held_by(queued.unwrap_or_default()));
        metrics::job_ended(&JobEnd { queued, held_by, ..ended.counts.clone() });
        let Some(batch) = job.batch else { return };
        let context = job.traceparent.as_deref().and_then(|text| text.parse::<Context>().ok());
        if context.is_some_and(Context::is_sampled) {
            let of = self.trace_of_batch(job, batch).await;
            spans::item_ended(job, batch, of.as_deref());
        }
    }

    async fn trace_of_batch(&self, job: &JobRecord, batch: BatchId) -> Option<String> {
        if let Some(known) = self.batch_traces.get(batch) {
            return known;
        }
        // A store that is away costs the link, and nothing else.
        let report = self.store.batch_report(&job.tenant, batch).await.ok()??;
        let trace = report.batch.traceparent;
        self.batch_traces.put(batch, trace.clone());
        trace
    }
}

/// Whether a result changed nothing, since another one was there before.
pub(crate) fn is_duplicate(event: &Event, changed: bool) -> bool {
    matches!(event, Event::Ended(..)) && !changed
}

#[cfg(test)]
mod tests {
    use mailfleet_model::fleet::Delay;

    use super::*;

    #[test]
    fn its_owner_says_what_a_leg_waited_for_and_else_its_row_does() {
        let table = [
            (None, None, None),
            (Some(Hold::Sessions), None, Some(Hold::Sessions)),
            (None, Some(ReturnCause::Draining), None),
            (None, Some(ReturnCause::Busy), Some(Hold::Sessions)),
            (None, Some(ReturnCause::Paused), Some(Hold::Paused)),
            (Some(Hold::Rate), Some(ReturnCause::Redelivered), Some(Hold::Rate)),
            (Some(Hold::Sessions), Some(ReturnCause::Breaker), Some(Hold::Sessions)),
        ];
        for (said, returned, expect) in table {
            let took = Duration::from_secs(1);
            let ran = ran(said.map(|by| Delay { by, took }), returned);
            assert_eq!(ran.held_by(took), expect, "{said:?} {returned:?}");
        }
    }

    #[test]
    fn a_hold_of_less_than_half_of_the_whole_wait_is_none() {
        let held_by = |held, whole, returned| {
            let delay = Delay { by: Hold::Sessions, took: Duration::from_secs(held) };
            ran(Some(delay), returned).held_by(Duration::from_secs(whole))
        };
        assert_eq!(held_by(5, 10, None), Some(Hold::Sessions));
        // The rest may have passed on the broker, where nobody counted it.
        assert_eq!(held_by(5, 11, None), None);
        // Its owner had given it back before, which its last wait does not tell.
        assert_eq!(held_by(5, 150, Some(ReturnCause::Rate)), Some(Hold::Rate));
    }

    #[test]
    fn a_worker_that_does_not_say_for_how_long_is_believed() {
        // Field 6 alone, as the version before wrote it.
        let ran = Ran { report: Payload(vec![0x30, 4]), returned: None };
        assert_eq!(ran.held_by(Duration::from_secs(1_000)), Some(Hold::Paused));
    }

    fn ran(delay: Option<Delay>, returned: Option<ReturnCause>) -> Ran {
        let mut report = Payload::default();
        if let Some(delay) = delay {
            order::note_delay(&mut report, delay);
        }
        Ran { report, returned }
    }
}
