//! Traces: one validation from the caller's call to the mail server's replies and back, over
//! processes that know each other only through RabbitMQ and PostgreSQL.

use std::collections::BTreeSet;
use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::validation_service_client::ValidationServiceClient;
use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tokio::net::TcpListener;

use super::client::{Client, Load};
use super::collector::{Collector, Span};
use super::ground::{CRM, Ground, Size, USUAL, as_tenant};
use super::lab::Use;
use super::mail::{Estates, PASSWORD, mailbox};
use super::process::{PATIENCE, Role, eventually};

pub(super) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
pub(super) const PARENT: &str = "b7ad6b7169203331";
/// The call that makes a batch.
const CREATE: &str = "mailfleet.v1.BatchService/CreateBatch";

/// One gateway, two workers, two mail servers for one session each.
pub(super) const SMALL: Size = Size {
    n_gateways: 1,
    n_workers: 2,
    n_zones: 1,
    limit: 1,
    mail: Estates { n_pairs: 1, n_mailboxes: 8, login: Duration::from_millis(200) },
};

/// A fleet that sends to this address.
pub(super) async fn fleet(size: Size, otlp: (String, String)) -> Option<Ground> {
    let mut ground = Ground::prepare(size, Use::Shared).await?;
    ground.environment.push(otlp);
    ground.fill().await;
    Some(ground)
}

/// Validates a mailbox; the trace id that the answer carries, and the report.
pub(super) async fn validate(
    ground: &Ground,
    number: usize,
    header: Option<&str>,
) -> (String, v1::Report) {
    let request = ground.mail.pairs[0].request(&mailbox(0, number), PASSWORD);
    let mut request = as_tenant(CRM, request);
    if let Some(header) = header {
        request.metadata_mut().insert("traceparent", header.parse().expect("ASCII"));
    }
    let mut client = ValidationServiceClient::new(ground.channels()[0].clone());
    let answer = client.validate(request).await.expect("accepted");
    let id = answer.metadata().get("trace-id").expect("a trace id").to_str().expect("ASCII");
    let id = id.to_owned();
    let mut stream = answer.into_inner();
    loop {
        let event = stream.message().await.expect("it goes on").expect("a report comes");
        if let Some(Event::Report(report)) = event.event {
            return (id, report);
        }
    }
}

/// The spans of a trace, once both results were collected and the call is over.
async fn whole(collector: &Collector, trace: &str) -> Vec<Span> {
    let is_whole = || async {
        let spans = collector.trace(trace);
        let has = |start: &str| spans.iter().filter(|span| span.name.starts_with(start)).count();
        has("process news") >= 2 && has("process shard") >= 2 && has("mailfleet.") >= 1
    };
    eventually("the trace is whole", PATIENCE, is_whole).await;
    collector.trace(trace)
}

pub(super) fn named<'a>(spans: &'a [Span], start: &'a str) -> impl Iterator<Item = &'a Span> {
    spans.iter().filter(move |span| span.name.starts_with(start))
}

pub(super) fn children<'a>(spans: &'a [Span], parent: &'a Span) -> Vec<&'a Span> {
    let mut found: Vec<&Span> = spans.iter().filter(|span| span.parent == parent.id).collect();
    found.sort_by_key(|span| span.start);
    found
}

#[track_caller]
fn within(inner: &Span, outer: &Span) {
    let is_within = outer.start <= inner.start && inner.end <= outer.end;
    assert!(is_within, "{inner:?} is not within {outer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validation_is_one_tree_over_gateway_broker_and_worker() {
    let collector = Collector::start().await;
    let Some(ground) = fleet(SMALL, collector.environment()).await else { return };
    let header = format!("00-{TRACE}-{PARENT}-01");
    let (told, report) = validate(&ground, 0, Some(&header)).await;
    assert_eq!((told.as_str(), report.trace_id.as_str()), (TRACE, TRACE));
    let spans = whole(&collector, TRACE).await;

    let call = named(&spans, "mailfleet.v1.ValidationService/Validate").next().expect("the call");
    assert_eq!((call.parent.as_str(), call.kind), (PARENT, SpanKind::Server));
    assert_eq!(call.service, "mailfleet-gateway");
    assert_eq!(call.get("rpc.response.status_code"), "OK");
    assert_eq!(call.get("mailfleet.job.id"), report.job_id);

    let publications: Vec<&Span> =
        children(&spans, call).into_iter().filter(|s| s.name.starts_with("publish")).collect();
    assert_eq!(publications.len(), 2, "one for each leg: {publications:?}");
    let mut protocols = BTreeSet::new();
    for publication in publications {
        assert_eq!(publication.kind, SpanKind::Producer);
        assert!(publication.name.starts_with("publish shard.default."), "{}", publication.name);
        assert_eq!(publication.get("messaging.system"), "rabbitmq");
        assert_eq!(publication.get("messaging.destination.template"), "shard.{zone}.{n}");
        // Beside the run there may be the question whether it may start.
        let follow = children(&spans, publication);
        let runs: Vec<&&Span> =
            follow.iter().filter(|span| span.name.starts_with("process shard")).collect();
        let [run] = runs[..] else { panic!("one run: {runs:?}") };
        assert_eq!((run.kind, run.service.as_str()), (SpanKind::Consumer, "mailfleet-worker"));
        assert_eq!(run.name, publication.name.replace("publish", "process"));
        assert!(publication.start <= run.start, "{run:?} before {publication:?}");

        let steps: Vec<&Span> = children(&spans, run)
            .into_iter()
            .filter(|span| span.kind == SpanKind::Client)
            .collect();
        let protocol = steps[0].get("mailfleet.protocol").to_owned();
        let kinds: Vec<&str> = steps.iter().map(|step| step.get("mailfleet.step")).collect();
        let of = report.legs.iter().find(|leg| {
            let endpoint = leg.endpoint.as_ref().expect("always set");
            endpoint.protocol().as_str_name() == protocol
        });
        let reported = of.expect("the leg is reported").steps.len();
        assert_eq!(steps.len(), reported, "every step of the report has a span: {kinds:?}");
        for kind in ["CONNECT", "TLS", "GREETING", "LOGIN"] {
            assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
        }
        for step in &steps {
            within(step, run);
            assert!(!step.failed && step.get("mailfleet.outcome") != "FAILED", "{step:?}");
        }
        let login = steps.iter().find(|step| step.get("mailfleet.step") == "LOGIN");
        let login = login.expect("a login");
        assert!(200_000_000 <= login.end - login.start, "as long as it took: {login:?}");

        let news = children(&spans, run);
        let news = news.iter().find(|span| span.name == "publish news").expect("its news");
        assert_eq!((news.kind, news.service.as_str()), (SpanKind::Producer, "mailfleet-worker"));
        let collected = children(&spans, news);
        let [collected] = collected[..] else { panic!("collected once: {collected:?}") };
        assert_eq!(collected.kind, SpanKind::Consumer);
        assert_eq!(collected.service, "mailfleet-gateway");
        protocols.insert(protocol);
    }
    assert_eq!(protocols, BTreeSet::from(["IMAP".to_owned(), "SMTP".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_a_trace_id_and_a_leg_that_waits_is_not_being_processed() {
    let collector = Collector::start().await;
    let Some(ground) = fleet(SMALL, collector.environment()).await else { return };
    // One session at each server: of two validations one waits at the worker.
    let (first, second) = tokio::join!(validate(&ground, 0, None), validate(&ground, 1, None));
    assert_ne!(first.0, second.0, "each call is a trace of its own");
    let mut runs = Vec::new();
    for (trace, report) in [&first, &second] {
        assert_eq!(report.trace_id, *trace);
        let spans = whole(&collector, trace).await;
        runs.extend(named(&spans, "process shard").cloned().collect::<Vec<_>>());
    }
    for run in &runs {
        let server = (run.get("server.address"), run.get("server.port"));
        let others = runs.iter().filter(|other| {
            other.id != run.id && (other.get("server.address"), other.get("server.port")) == server
        });
        for other in others {
            let apart = other.end <= run.start || run.end <= other.start;
            assert!(apart, "{run:?} and {other:?} run at once");
        }
    }
    assert_eq!(runs.len(), 4);

    // An error has one as well, and the caller's mistake is no failure.
    let mut jobs = v1::job_service_client::JobServiceClient::new(ground.channels()[0].clone());
    let name = "jobs/00000000-0000-7000-8000-000000000000".to_owned();
    let asked = v1::GetJobRequest { name, language: String::new() };
    let status = jobs.get_job(as_tenant(CRM, asked)).await.expect_err("there is none");
    let id = status.metadata().get("trace-id").expect("a trace id").to_str().expect("ASCII");
    eventually("the call is told", PATIENCE, || async { !collector.trace(id).is_empty() }).await;
    let call = collector.trace(id).remove(0);
    assert_eq!(call.get("rpc.response.status_code"), "NOT_FOUND");
    assert!(!call.failed && call.parent.is_empty(), "{call:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn items_of_a_batch_have_traces_of_their_own_that_link_to_the_batch() {
    let collector = Collector::start().await;
    let Some(ground) = fleet(SMALL, collector.environment()).await else { return };
    let rows: String =
        (0..3).map(|number| format!("{},{PASSWORD}\n", mailbox(0, number))).collect();
    let file = ground.path("batch.csv");
    std::fs::write(&file, format!("address,password\n{rows}")).expect("a free place");
    let incoming = &ground.mail.pairs[0].incoming;
    let imap = format!("{}:{}/tls", incoming.addr().ip(), incoming.port());
    let file = file.to_string_lossy();
    let told = ground.operator(&["batch", "submit", &file, "--imap", &imap, "--json"]).await;
    assert_eq!(told.status, Some(0), "{}{}", told.stdout, told.stderr);
    let items = || collector.spans().into_iter().filter(|span| span.name == "batch item");
    // Gateways and workers send at different moments.
    let is_told = || async {
        let spans = collector.spans();
        let has = |start| named(&spans, start).count() >= 3;
        has("batch item") && has("publish shard") && has("process shard")
    };
    eventually("three items are told", PATIENCE, is_told).await;
    assert_eq!(items().count(), 3);
    let is_told = || async { named(&collector.spans(), CREATE).next().is_some() };
    eventually("the call is told", PATIENCE, is_told).await;
    let spans = collector.spans();
    let call = named(&spans, CREATE).next().expect("the call");
    let mut traces = BTreeSet::from([call.trace.clone()]);
    for item in items() {
        assert!(item.parent.is_empty(), "it is a root: {item:?}");
        assert_eq!(item.links, [(call.trace.clone(), call.id.clone())]);
        assert_eq!((item.get("mailfleet.verdict"), item.kind), ("HEALTHY", SpanKind::Internal));
        assert!(traces.insert(item.trace.clone()), "{item:?} shares its trace");
        let publications: Vec<&Span> = children(&spans, &item);
        let [publication] = publications[..] else { panic!("{publications:?}") };
        assert!(publication.name.starts_with("publish shard"), "{publication:?}");
        assert!(item.start <= publication.start && publication.end <= item.end);
        let follow = children(&spans, publication);
        let mut runs = follow.iter().filter(|span| span.name.starts_with("process shard"));
        assert_eq!(runs.next().map(|run| &run.trace), Some(&item.trace));
        assert!(runs.next().is_none(), "one run: {follow:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_silent_delays_no_job_and_no_end() {
    // Nobody accepts here: connections hang in the backlog, and nothing is ever answered.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let silent_at = silent.local_addr().expect("an address");
    let away = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let away_at = away.local_addr().expect("an address");
    drop(away);
    let otlp = |at| ("MAILFLEET_TELEMETRY__OTLP".to_owned(), format!("http://{at}"));
    let Some(mut ground) = Ground::prepare(USUAL, Use::Shared).await else { return };
    for at in [silent_at, away_at] {
        ground.environment = vec![otlp(at)];
        ground.add(Role::Gateway).await;
        ground.add(Role::Worker).await;
    }
    ground.settled().await;
    let client = Client::new(&ground);
    client.submit(&ground, Load::of(60)).await.expect("all are accepted");
    assert_eq!(client.finish(Duration::from_secs(60)).await.len(), 60);
    for process in ground.workers.drain(..).chain(ground.gateways.drain(..)) {
        let log = process.log.clone();
        process.signal(Signal::SIGTERM);
        assert_eq!(process.ended().await, Some(0), "an orderly end");
        let log = std::fs::read_to_string(log).expect("a log");
        let told = log.lines().filter(|line| line.contains("dropping them")).count();
        assert!(told <= 1, "told once: {told}");
    }
}
