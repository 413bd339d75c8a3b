//! Traces of jobs whose gateway or worker was killed meanwhile: one trace all the same, whole but
//! for what the killed process had not sent yet. And what goes to the collector over TLS.

use std::collections::BTreeSet;
use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::job::State;
use mailfleet_api::v1::job_service_client::JobServiceClient;
use mailfleet_api::v1::validation_service_client::ValidationServiceClient;
use nix::sys::signal::Signal;
use tonic::transport::Channel;

use super::collector::{Collector, Span};
use super::ground::{CRM, Ground, Size, as_tenant};
use super::lab::Use;
use super::mail::{Estates, PASSWORD, mailbox};
use super::process::{PATIENCE, Role, eventually};
use super::traced::{PARENT, SMALL, TRACE, children, fleet, named};

/// Logins take so long that a process can be killed meanwhile.
const SLOW: Size = Size { mail: Estates { login: Duration::from_secs(2), ..SMALL.mail }, ..SMALL };

/// Submits a validation of one leg as a part of the caller's trace, and waits until it runs.
async fn running(ground: &Ground) -> String {
    let request = ground.mail.pairs[0].request(&mailbox(0, 0), PASSWORD);
    let request = v1::ValidateRequest { outgoing: None, ..request };
    let request = v1::SubmitValidationRequest { validation: Some(request) };
    let mut request = as_tenant(CRM, request);
    let header = format!("00-{TRACE}-{PARENT}-01");
    request.metadata_mut().insert("traceparent", header.parse().expect("ASCII"));
    let mut client = ValidationServiceClient::new(ground.channels()[0].clone());
    let answer = client.submit_validation(request).await.expect("accepted").into_inner();
    ground.busy(1).await;
    answer.job.expect("a job").name
}

/// The report, once the job has ended.
async fn report(channel: &Channel, name: &str) -> v1::Report {
    let ask = || async {
        let asked = v1::GetJobRequest { name: name.to_owned(), language: String::new() };
        let answer = JobServiceClient::new(channel.clone()).get_job(as_tenant(CRM, asked)).await;
        answer.ok().and_then(|answer| answer.into_inner().job)
    };
    let is_done = || async { ask().await.is_some_and(|job| job.state() == State::Done) };
    eventually("the job ends", PATIENCE, is_done).await;
    ask().await.and_then(|job| job.report).expect("a report")
}

/// Spans whose parent is not there, without those that hang on the caller's own.
fn orphans(spans: &[Span]) -> Vec<&Span> {
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    let has_parent = |span: &&Span| ids.contains(span.parent.as_str()) || span.parent == PARENT;
    spans.iter().filter(|span| !has_parent(span)).collect()
}

/// Whether it is about the question whether a leg may start.
fn asks(span: &Span) -> bool {
    span.get("mailfleet.outcome") == "MAY_START"
}

async fn collected(collector: &Collector) -> Vec<Span> {
    let ended = || {
        let spans = collector.trace(TRACE);
        let ended = spans.iter().filter(|span| span.get("mailfleet.outcome") == "ENDED");
        ended.filter(|span| span.name == "process news").count()
    };
    eventually("the end is told", PATIENCE, || async { 0 < ended() }).await;
    // The worker sends by itself, and its steps with its run.
    let has_run = || async {
        let spans = collector.trace(TRACE);
        let mut runs = named(&spans, "process shard");
        runs.any(|run| children(&spans, run).iter().any(|span| span.name == "publish news"))
    };
    eventually("the run is told", PATIENCE, has_run).await;
    collector.trace(TRACE)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_another_gateway_collects_stays_in_its_callers_trace() {
    let collector = Collector::start().await;
    let size = Size { n_gateways: 2, n_workers: 1, ..SLOW };
    let Some(mut ground) = fleet(size, collector.environment()).await else { return };
    let job = running(&ground).await;
    ground.gateways.remove(0).kill().await;
    let report = report(&ground.channels()[0], &job).await;
    assert_eq!(report.trace_id, TRACE);
    let spans = collected(&collector).await;
    let runs: Vec<&Span> = named(&spans, "process shard").collect();
    let [run] = runs[..] else { panic!("one run: {runs:?}") };
    let steps = children(&spans, run);
    let steps = steps.iter().filter(|span| !span.get("mailfleet.step").is_empty()).count();
    assert_eq!(steps, report.legs[0].steps.len(), "every step of the report");
    // Only what hangs on a span that died with the first gateway has lost its parent: the
    // publication, or what follows from it at the worker.
    for orphan in orphans(&spans) {
        let follows = orphan.name.starts_with("publish shard")
            || orphan.name.starts_with("process shard")
            || asks(orphan);
        assert!(follows, "{orphan:?} has lost its parent");
    }
    let mut collections = named(&spans, "process news");
    let end = collections.find(|span| span.get("mailfleet.outcome") == "ENDED");
    let end = end.expect("collected");
    let publication = spans.iter().find(|span| span.id == end.parent).expect("its publication");
    assert_eq!(publication.parent, run.id, "the other gateway's work hangs on the run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leg_whose_worker_is_killed_shows_both_tries_in_one_trace() {
    let collector = Collector::start().await;
    let Some(mut ground) = fleet(SLOW, collector.environment()).await else { return };
    let job = running(&ground).await;
    let incoming = super::mail::group(&ground.mail.pairs[0].incoming);
    let owned = ground.servers_by_worker().await;
    let victim = owned.iter().position(|servers| servers.contains(&incoming));
    ground.workers.remove(victim.expect("somebody runs it")).kill().await;
    let report = report(&ground.channels()[0], &job).await;
    assert_eq!((report.trace_id.as_str(), report.legs.len()), (TRACE, 1));
    let spans = collected(&collector).await;
    let mut tries: Vec<&Span> = named(&spans, "publish shard").collect();
    tries.sort_by_key(|span| span.start);
    let [first, second] = tries[..] else { panic!("two tries: {tries:?}") };
    assert_eq!([first, second].map(|t| t.get("mailfleet.dispatch")), ["1", "2"]);
    assert_eq!(first.get("mailfleet.leg.index"), second.get("mailfleet.leg.index"));
    // The killed worker took its run along; the other one gave the first copy back.
    let back = spans.iter().find(|span| span.get("mailfleet.outcome") == "REDELIVERED");
    let back = back.expect("the first copy came back");
    assert!(back.start <= second.start, "{back:?} before {second:?}");
    let runs: Vec<&Span> =
        named(&spans, "process shard").filter(|run| run.get("mailfleet.dispatch") == "2").collect();
    let [run] = runs[..] else { panic!("one run of the second try: {runs:?}") };
    assert_eq!(run.parent, second.id);
    // What the killed worker asked may be lost with it; nothing else hangs loose.
    let loose: Vec<&Span> = orphans(&spans).into_iter().filter(|span| !asks(span)).collect();
    assert!(loose.is_empty(), "{loose:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_and_metrics_go_over_tls_to_a_collector_whose_certificate_is_trusted_and_to_no_other()
{
    let (collector, certificate) = Collector::start_tls().await;
    let Some(mut ground) = Ground::prepare(SMALL, Use::Shared).await else { return };
    let file = ground.path("collector.pem");
    std::fs::write(&file, certificate).expect("a free place");
    let trusted = ("SSL_CERT_FILE".to_owned(), file.to_string_lossy().into_owned());
    ground.environment = vec![collector.environment(), trusted];
    ground.add(Role::Gateway).await;
    // The worker trusts only the system's authorities.
    ground.environment.truncate(1);
    ground.add(Role::Worker).await;
    ground.settled().await;
    let job = running(&ground).await;
    assert_eq!(report(&ground.channels()[0], &job).await.trace_id, TRACE);
    let has_end = || async {
        let spans = collector.trace(TRACE);
        spans.iter().any(|span| span.get("mailfleet.outcome") == "ENDED")
    };
    eventually("the gateway's spans are told", PATIENCE, has_end).await;
    // Both have sent what they had when they have ended.
    for process in ground.workers.drain(..).chain(ground.gateways.drain(..)) {
        process.signal(Signal::SIGTERM);
        assert_eq!(process.ended().await, Some(0));
    }
    let senders: BTreeSet<String> =
        collector.spans().into_iter().map(|span| span.service).collect();
    assert_eq!(senders, BTreeSet::from(["mailfleet-gateway".to_owned()]));
    assert!(!collector.metrics().is_empty(), "metrics go by an exporter of their own");
}
