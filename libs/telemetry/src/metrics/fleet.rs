//! What gateways see: jobs that end, results, the store's queues.

use std::time::Duration;

use mailfleet_model::Verdict;
use mailfleet_model::fleet::{Census, Hold, JobClass, JobState, ReturnReason};
use opentelemetry::KeyValue;

use super::instruments::of;
use super::leg::{held, number};

/// A job that has just ended.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEnd {
    /// Its turn.
    pub class: JobClass,
    /// How it ended.
    pub state: JobState,
    /// What its report says.
    pub verdict: Option<Verdict>,
    /// From its acceptance to its final report.
    pub took: Duration,
    /// From its acceptance to the start of its first leg; `None` if none started.
    pub queued: Option<Duration>,
    /// What of the mail server's own that leg mostly waited for.
    pub held_by: Option<Hold>,
    /// Tries of each of its legs.
    pub attempts: Vec<u32>,
}

/// Counts a job that has ended.
pub fn job_ended(end: &JobEnd) {
    let class = KeyValue::new("mailfleet.job.class", name(end.class));
    let state = KeyValue::new("mailfleet.job.state", name(end.state));
    let verdict = KeyValue::new("mailfleet.verdict", end.verdict.map_or("NONE", Into::into));
    of().jobs.add(1, &[class.clone(), state.clone(), verdict]);
    of().job_duration.record(end.took.as_secs_f64(), &[class.clone(), state]);
    if let Some(queued) = end.queued {
        of().queue_duration.record(queued.as_secs_f64(), &[class.clone(), held(end.held_by)]);
    }
    for attempts in &end.attempts {
        of().attempts.record(f64::from(*attempts), std::slice::from_ref(&class));
    }
}

/// A result came that changed nothing.
pub fn duplicate_result() {
    of().duplicates.add(1, &[]);
}

/// A leg came back unrun.
pub fn leg_returned(reason: &ReturnReason) {
    let reason: &'static str = reason.into();
    of().returned.add(1, &[KeyValue::new("mailfleet.reason", reason)]);
}

/// What a gateway counted in the store, and whom it hears: workers, and shards without owner.
pub fn census(census: &Census, workers: usize, unowned: usize) {
    let instruments = of();
    for (class, open) in &census.open {
        let class = KeyValue::new("mailfleet.job.class", name(*class));
        instruments.jobs_active.record(*open, &[class]);
    }
    for (state, items) in &census.items {
        let state: &'static str = (*state).into();
        instruments
            .batch_items
            .record(*items, &[KeyValue::new("mailfleet.batch.item.state", state)]);
    }
    instruments.outbox_depth.record(census.released, &[]);
    instruments.outbox_age.record(census.oldest.as_secs_f64(), &[]);
    instruments.ready_depth.record(census.ready, &[]);
    instruments.workers.record(number(workers), &[]);
    instruments.unowned.record(number(unowned), &[]);
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    instruments.census_time.record(now.as_secs_f64(), &[]);
}

fn name(name: impl Into<&'static str>) -> &'static str {
    name.into()
}
