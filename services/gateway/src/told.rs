//! What operators are told of jobs that end: counts, times, and the span of a batch's item.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use mailfleet_api::order;
use mailfleet_engine::collect::Event;
use mailfleet_model::fleet::{
    BatchId, GatewayQueue, JobChange, JobRecord, JobView, Payload, Store, Timestamp,
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
    /// The reports of its legs.
    reports: Vec<Payload>,
}

/// The job that a change ends, if it does.
pub(crate) fn ended(view: &JobView, change: &JobChange) -> Option<Ended> {
    let job = change.job.as_ref().filter(|job| job.state.is_final())?;
    let created = job.created;
    let legs = view.legs.iter().map(|row| {
        let changed = change.legs.iter().find(|leg| leg.id == row.leg.id);
        changed.unwrap_or(&row.leg)
    });
    let reports = legs.clone().filter_map(|leg| Some(leg.end.as_ref()?.report.clone())).collect();
    let counts = JobEnd {
        class: job.class,
        state: job.state,
        verdict: job.verdict,
        took: job.finished.unwrap_or(view.now).since(created),
        queued: None,
        attempts: legs.filter(|leg| leg.dispatch.0 > 0).map(|leg| leg.attempt.0 + 1).collect(),
    };
    Some(Ended { job: JobRecord { report: None, ..job.clone() }, counts, reports })
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
        let started = ended.reports.iter().filter_map(started).min();
        let queued = started.map(|started| started.since(job.created));
        metrics::job_ended(&JobEnd { queued, ..ended.counts.clone() });
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
