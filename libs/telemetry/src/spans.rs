//! The spans of the fleet, by the semantic conventions for RPC and messaging (as of 2026-11).
//!
//! ```text
//! interactive:  Service/Method ─> publish shard ─> process shard ─┬─> imap login, …
//!                                                                 └─> publish news ─> process news
//! batch:        batch item (links to the batch's call) ─> publish shard ─> …
//! ```
//! A processing span begins when the leg starts, never while it waits for its slot. A leg that
//! runs again has a new one. What follows an earlier try hangs on the job's own context, which
//! stands in its rows; so a gateway's restart or a redelivery loses nothing.

use std::time::{Duration, SystemTime};

use mailfleet_model::fleet::{BatchId, JobRecord, LegMessage, Outcome, WorkerMessage};
use mailfleet_model::{JobId, LegReport, Step, StepOutcome};

use crate::messaging::system;
use crate::metrics::{Queue, provider};
use crate::trace::{Context, Facts, Kind, Span};

/// A call, and the trace that it is a part of. `name` is `package.Service/Method`.
pub fn call(name: &str, parent: Option<Context>) -> Span {
    Span::root_or(parent, || {
        Facts::new(name.to_owned(), Kind::Server)
            .with("rpc.system.name", "grpc")
            .with("rpc.method", name.to_owned())
    })
}

/// A leg's publication, a part of its job.
pub fn publish(message: &LegMessage) -> Option<Span> {
    let parent = message.traceparent.as_deref()?.parse().ok()?;
    Some(Span::child(parent, || {
        let name = format!("publish {}", shard(message));
        leg(Facts::new(name, Kind::Producer), "publish", "send", message)
    }))
}

/// A leg's run at its owner. Begins now.
pub fn process(message: &LegMessage) -> Option<Span> {
    let parent = message.traceparent.as_deref()?.parse().ok()?;
    Some(Span::child(parent, || {
        let name = format!("process {}", shard(message));
        leg(Facts::new(name, Kind::Consumer), "process", "process", message)
    }))
}

/// What a leg found, told to the span of its run, and one span for each of its steps.
pub fn ran(span: &mut Span, report: &LegReport) {
    if !span.is_recorded() {
        return;
    }
    span.set("server.address", report.endpoint.host.to_string());
    span.set("server.port", i64::from(report.endpoint.port));
    if let Some(ip) = report.remote_ip {
        span.set("network.peer.address", ip.to_string());
    }
    if let Some(ip) = report.egress_ip {
        span.set("network.local.address", ip.to_string());
    }
    let codes: Vec<&'static str> = report.faults.iter().map(|fault| fault.code.name()).collect();
    span.set("mailfleet.fault.codes", codes.join(","));
    for step in &report.steps {
        self::step(span.context(), report, step);
    }
}

/// A step, at the time that was recorded.
fn step(parent: Context, report: &LegReport, step: &Step) {
    let (kind, outcome): (&'static str, &'static str) = (step.kind.into(), step.outcome.into());
    let protocol: &'static str = report.endpoint.protocol.into();
    let start = report.started.checked_add(step.started).unwrap_or(report.started);
    let end = start.checked_add(step.elapsed).unwrap_or(start);
    let mut span = Span::child(parent, || {
        let name = format!("{protocol} {kind}").to_ascii_lowercase();
        let facts = Facts { start: Some(start), ..Facts::new(name, Kind::Client) };
        facts
            .with("mailfleet.protocol", protocol)
            .with("mailfleet.step", kind)
            .with("mailfleet.outcome", outcome)
            .with("mailfleet.elapsed", step.elapsed.as_secs_f64())
    });
    if let Some(code) = step.fault {
        span.set("mailfleet.fault.code", code.name());
    }
    if step.outcome == StepOutcome::Failed {
        span.fail(step.fault.map_or("UNKNOWN", |code| code.name()));
    }
    span.end_at(end);
}

/// The publication of what became of a leg, a part of its run.
pub fn publish_news(message: &WorkerMessage) -> Option<Span> {
    news(message, "publish", "send", Kind::Producer)
}

/// What a gateway makes of it, a part of its publication.
pub fn process_news(message: &WorkerMessage) -> Option<Span> {
    news(message, "process", "process", Kind::Consumer)
}

fn news(
    message: &WorkerMessage,
    name: &'static str,
    operation: &'static str,
    kind: Kind,
) -> Option<Span> {
    let parent = message.traceparent.as_deref()?.parse().ok()?;
    Some(Span::child(parent, || {
        let what = match &message.outcome {
            Outcome::Ended(_) => "ENDED",
            Outcome::Returned(returned) => (&returned.reason).into(),
            Outcome::MayStart { .. } => "MAY_START",
        };
        Facts::new(format!("{name} news"), kind)
            .with("messaging.system", system())
            .with("messaging.operation.name", name)
            .with("messaging.operation.type", operation)
            .with("messaging.destination.name", Queue::News.template())
            .with("messaging.destination.template", Queue::News.template())
            .with("messaging.message.id", format!("{}/{}", message.leg, message.dispatch.0))
            .with("messaging.message.conversation_id", message.leg.job.to_string())
            .with("mailfleet.job.id", message.leg.job.to_string())
            .with("mailfleet.leg.index", i64::from(message.leg.index))
            .with("mailfleet.worker", message.worker.to_string())
            .with("mailfleet.outcome", what)
    }))
}

/// The item of a batch that has ended: the first span of its trace, whose id stands in its job's
/// row. It links to the call that made the batch.
pub fn item_ended(job: &JobRecord, batch: BatchId, of: Option<&str>) {
    let context = job.traceparent.as_deref().and_then(|text| text.parse::<Context>().ok());
    let Some(context) = context else { return };
    let (start, took) = (SystemTime::from(job.created), took(job));
    let span = Span::promised(context, || {
        let links = of.and_then(|of| of.parse().ok()).into_iter().collect();
        let facts = Facts { start: Some(start), links, ..Facts::new("batch item", Kind::Internal) };
        let (state, verdict): (&'static str, &'static str) =
            (job.state.into(), job.verdict.map_or("NONE", Into::into));
        facts
            .with("mailfleet.job.id", job.id.to_string())
            .with("mailfleet.batch.id", batch.to_string())
            .with("mailfleet.job.state", state)
            .with("mailfleet.verdict", verdict)
    });
    span.end_at(start.checked_add(took).unwrap_or(start));
}

/// How long a job took that has ended.
fn took(job: &JobRecord) -> Duration {
    job.finished.map_or(Duration::ZERO, |finished| finished.since(job.created))
}

/// Says which job a span is about.
pub fn set_job(span: &mut Span, job: JobId) {
    span.set("mailfleet.job.id", job.to_string());
}

/// The queue of a leg's shard as traces name it.
fn shard(message: &LegMessage) -> String {
    format!("shard.{}.{}", message.group.zone, message.shard.0)
}

fn leg(facts: Facts, name: &'static str, operation: &'static str, message: &LegMessage) -> Facts {
    let class: &'static str = message.class.into();
    let shard = shard(message);
    facts
        .with("messaging.system", system())
        .with("messaging.operation.name", name)
        .with("messaging.operation.type", operation)
        .with("messaging.destination.name", shard.clone())
        .with("messaging.destination.template", Queue::Shard.template())
        .with("messaging.rabbitmq.destination.routing_key", shard)
        .with("messaging.message.id", format!("{}/{}", message.leg, message.dispatch.0))
        .with("messaging.message.conversation_id", message.leg.job.to_string())
        .with("mailfleet.job.id", message.leg.job.to_string())
        .with("mailfleet.leg.index", i64::from(message.leg.index))
        .with("mailfleet.leg.kind", message.kind.to_string())
        .with("mailfleet.job.class", class)
        .with("mailfleet.dispatch", i64::from(message.dispatch.0))
        .with("mailfleet.provider", provider(&message.group.key).to_owned())
        .with("mailfleet.egress.pool", message.pool.to_string())
}
