//! All instruments, by name.
//!
//! Names of the semantic conventions where there is one (messaging, RPC and database client;
//! research in 2026-11: messaging in development, RPC a release candidate); `mailfleet.` before
//! everything else.

use std::sync::LazyLock;

use opentelemetry::global;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};

use super::kind::{Make, Spec};

/// Who records.
const SCOPE: &str = "mailfleet";

/// Ends of buckets for calls, in seconds: those that the semantic conventions advise.
const CALLS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// The same for what may take as long as a job may (10 min).
const JOBS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0,
    60.0, 120.0, 300.0, 600.0,
];
/// For transactions, which take from a fraction of a millisecond to their deadline.
const TRANSACTIONS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// For takeovers; 5 s is the promise for a killed worker.
const TAKEOVERS: &[f64] =
    &[0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0];
/// For steps, of which there are many series.
const STEPS: &[f64] =
    &[0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// For tries of one leg.
const TRIES: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0];
/// No histogram.
const NONE: &[f64] = &[];

macro_rules! instruments {
    ($($field:ident: $of:ty = ($name:literal, $unit:literal, $buckets:expr) $about:literal;)*) => {
        /// One of each.
        #[derive(Debug)]
        pub struct Instruments {
            $(#[doc = $about] pub(super) $field: $of,)*
        }

        /// Every instrument that there is.
        pub const ALL: &[Spec] = &[$(Spec {
            name: $name,
            unit: $unit,
            about: $about,
            kind: <$of as Make>::KIND,
            buckets: $buckets,
        },)*];

        impl Instruments {
            /// Makes them all.
            fn new(meter: &Meter) -> Self {
                let mut specs = ALL.iter();
                let mut next = || specs.next().expect("one for each field");
                Self { $($field: <$of as Make>::make(meter, next()),)* }
            }
        }
    };
}

instruments! {
    rpc_duration: Histogram<f64> = ("rpc.server.call.duration", "s", JOBS)
        "Time of gRPC calls, from the request to the last byte of the answer.";
    rpc_active: UpDownCounter<i64> = ("mailfleet.rpc.active", "{call}", NONE)
        "gRPC calls that are open, streams included.";
    operation_duration: Histogram<f64> = ("messaging.client.operation.duration", "s", CALLS)
        "Time of operations on the broker, such as a publication with its confirmation.";
    sent: Counter<u64> = ("messaging.client.sent.messages", "{message}", NONE)
        "Messages that were published, those that failed included.";
    consumed: Counter<u64> = ("messaging.client.consumed.messages", "{message}", NONE)
        "Messages that the broker delivered.";
    process_duration: Histogram<f64> = ("messaging.process.duration", "s", JOBS)
        "Time in which a delivered message was worked on; for a leg, from its start to its end.";
    jobs: Counter<u64> = ("mailfleet.jobs", "{job}", NONE)
        "Jobs that ended.";
    job_duration: Histogram<f64> = ("mailfleet.job.duration", "s", JOBS)
        "Time from the acceptance of a job to its final report.";
    queue_duration: Histogram<f64> = ("mailfleet.job.queue.duration", "s", JOBS)
        "Time from the acceptance of a job to the start of its first leg, by what held it back for \
         half of that.";
    attempts: Histogram<f64> = ("mailfleet.job.attempts", "{attempt}", TRIES)
        "Tries of each leg of a job that ended.";
    jobs_active: Gauge<u64> = ("mailfleet.jobs.active", "{job}", NONE)
        "Open jobs in the store, as this gateway last saw them: the same number at every gateway.";
    duplicates: Counter<u64> = ("mailfleet.results.duplicate", "{result}", NONE)
        "Results of legs that changed nothing, since another one was there before.";
    outbox_depth: Gauge<u64> = ("mailfleet.outbox.depth", "{leg}", NONE)
        "Legs that were released and that the broker has not confirmed; the same at every gateway.";
    outbox_age: Gauge<f64> = ("mailfleet.outbox.age", "s", NONE)
        "Age of the oldest of them; 0 if there is none.";
    ready_depth: Gauge<u64> = ("mailfleet.ready.depth", "{leg}", NONE)
        "Legs that wait in the store for a place of their limit group; the same at every gateway.";
    batch_items: Gauge<u64> = ("mailfleet.batch.items", "{item}", NONE)
        "Items of batches that have not ended, by state; the same at every gateway.";
    census_time: Gauge<f64> = ("mailfleet.census.time", "s", NONE)
        "When this gateway last counted what is in the store, as a Unix time.";
    workers: Gauge<u64> = ("mailfleet.workers", "{worker}", NONE)
        "Workers that this gateway hears.";
    unowned: Gauge<u64> = ("mailfleet.shard.unowned", "{shard}", NONE)
        "Shards that no worker says it owns.";
    events: Counter<u64> = ("mailfleet.events.published", "{event}", NONE)
        "Completion events for other services.";
    events_lost: Counter<u64> = ("mailfleet.events.lost", "{event}", NONE)
        "Completion events that were deleted before the broker took them.";
    legs: Counter<u64> = ("mailfleet.legs", "{leg}", NONE)
        "Legs that ran to a report.";
    returned: Counter<u64> = ("mailfleet.legs.returned", "{leg}", NONE)
        "Legs that their owner gave back unrun.";
    running: Gauge<u64> = ("mailfleet.legs.running", "{leg}", NONE)
        "Legs that this worker runs.";
    bulk_places: Gauge<u64> = ("mailfleet.legs.bulk_places", "{leg}", NONE)
        "Legs of bulk work that this worker runs at once at most, so that others get the processor.";
    faults: Counter<u64> = ("mailfleet.faults", "{fault}", NONE)
        "Faults in reports of legs.";
    step_duration: Histogram<f64> = ("mailfleet.mail.step.duration", "s", STEPS)
        "Time of the steps of legs, as the mail server took it.";
    limiter_limit: Gauge<u64> = ("mailfleet.limiter.limit", "{slot}", NONE)
        "Slots that the limit groups of this worker's shards may use.";
    limiter_in_use: Gauge<u64> = ("mailfleet.limiter.in_use", "{slot}", NONE)
        "Slots in use.";
    limiter_waiting: Gauge<u64> = ("mailfleet.limiter.waiting", "{leg}", NONE)
        "Legs that wait for a slot at this worker.";
    limiter_sick: Gauge<u64> = ("mailfleet.limiter.sick", "{group}", NONE)
        "Limit groups that are held back: down, lowered or paused.";
    limiter_wait: Histogram<f64> = ("mailfleet.limiter.wait.duration", "s", JOBS)
        "Time from the delivery of a leg to its start, by what held it back for half of the time \
         since it was ready.";
    shards_owned: Gauge<u64> = ("mailfleet.shard.owned", "{shard}", NONE)
        "Shards that this worker holds.";
    takeover: Histogram<f64> = ("mailfleet.shard.takeover.duration", "s", TAKEOVERS)
        "Time from the first try to claim a shard until its legs may start.";
    fence_trips: Counter<u64> = ("mailfleet.fence.trips", "{event}", NONE)
        "Times that a worker lost its shards with the connection to the broker.";
    egress: UpDownCounter<i64> = ("mailfleet.egress.connections", "{connection}", NONE)
        "Legs that are under way from an address.";
    unseal_failures: Counter<u64> = ("mailfleet.unseal.failures", "{credential}", NONE)
        "Credentials that could not be opened.";
    blocked: Gauge<u64> = ("mailfleet.broker.blocked", "{connection}", NONE)
        "1 while the broker takes no publications because of an alarm, else 0.";
    blocked_duration: Counter<f64> = ("mailfleet.broker.blocked.duration", "s", NONE)
        "Time in which publications were refused because of an alarm of the broker.";
    dead_letters: Counter<u64> = ("mailfleet.dead_letters", "{message}", NONE)
        "Messages that could not be read and were set aside.";
    transactions: Histogram<f64> = ("mailfleet.store.transaction.duration", "s", TRANSACTIONS)
        "Time of transactions of the store, with the wait for a connection and all repetitions.";
    pool_count: Gauge<u64> = ("db.client.connection.count", "{connection}", NONE)
        "Connections to the database, by whether they are used.";
    pool_max: Gauge<u64> = ("db.client.connection.max", "{connection}", NONE)
        "Most connections to the database.";
    pool_pending: Gauge<u64> = ("db.client.connection.pending_requests", "{request}", NONE)
        "Calls that wait for a connection to the database.";
}

/// The instruments of the process. Whoever records before [`crate::init`] records nowhere, and
/// so does everybody after that: a server sets up first.
pub(super) fn of() -> &'static Instruments {
    static OF: LazyLock<Instruments> = LazyLock::new(|| Instruments::new(&global::meter(SCOPE)));
    &OF
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use opentelemetry::metrics::MeterProvider as _;

    use super::*;
    use crate::metrics::kind::Kind;
    use crate::metrics::scrape;

    #[test]
    fn names_are_given_once_and_histograms_have_buckets() {
        let names: BTreeSet<&str> = ALL.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), ALL.len());
        for spec in ALL {
            let is_histogram = spec.kind == Kind::Histogram;
            assert_eq!(is_histogram, !spec.buckets.is_empty(), "{}", spec.name);
            assert!(spec.buckets.is_sorted(), "{}", spec.name);
            assert!(spec.about.ends_with('.'), "{}", spec.name);
        }
    }

    #[test]
    fn prometheus_knows_them_by_the_names_that_we_say() {
        let (reader, scrape) = scrape::reader().expect("a reader");
        let provider =
            opentelemetry_sdk::metrics::SdkMeterProvider::builder().with_reader(reader).build();
        let all = Instruments::new(&provider.meter("test"));
        all.jobs.add(1, &[]);
        all.job_duration.record(1.0, &[]);
        all.attempts.record(1.0, &[]);
        all.outbox_age.record(1.0, &[]);
        all.outbox_depth.record(1, &[]);
        all.egress.add(1, &[]);
        all.blocked_duration.add(1.0, &[]);
        let text = scrape.text();
        for field in [
            "mailfleet.jobs",
            "mailfleet.job.duration",
            "mailfleet.job.attempts",
            "mailfleet.outbox.age",
            "mailfleet.outbox.depth",
            "mailfleet.egress.connections",
            "mailfleet.broker.blocked.duration",
        ] {
            let spec = ALL.iter().find(|spec| spec.name == field).expect("it is listed");
            let series = match spec.kind {
                Kind::Histogram => format!("\n{}_bucket{{", spec.prometheus_name()),
                Kind::Counter | Kind::UpDownCounter | Kind::Gauge => {
                    format!("\n{}", spec.prometheus_name())
                }
            };
            assert!(text.contains(&series), "{series:?} in {text}");
        }
    }
}
