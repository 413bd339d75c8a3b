//! The canary of the fleet: a password is in nothing that leaves a process, whatever happens
//! and however much is logged. Traces, metrics, logs, queues, events for other services, dead
//! letters, rows, reports, errors.

use base64::Engine as _;
use lapin::options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use mailfleet_api::v1;
use mailfleet_api::v1::validation_service_client::ValidationServiceClient;
use mailfleet_mailsim::{Fault, Server, Step};
use nix::sys::signal::Signal;

use super::client::{Client, Load};
use super::collector::Collector;
use super::ground::{CRM, Ground, SHARDS, Size, as_tenant};
use super::lab::{Lab, Use};
use super::mail::{Estates, PASSWORD, Pair, mailbox};
use super::process::{PATIENCE, Process, eventually};

const SIZE: Size = Size {
    n_gateways: 1,
    n_workers: 1,
    n_zones: 1,
    limit: 4,
    mail: Estates { n_pairs: 1, n_mailboxes: 8, login: std::time::Duration::from_millis(20) },
};

/// The queue of another service.
const EVENTS: &str = "canary";

/// Everything that was found somewhere.
struct Found {
    place: String,
    text: String,
}

/// The password, and what of it goes over wires: plain, in base64 and in hex, with and without
/// the rest of a SASL PLAIN message.
fn forms() -> Vec<String> {
    let base64 = base64::engine::general_purpose::STANDARD;
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut forms = vec![
        "CANARY".to_owned(),
        hex("CANARY"),
        base64.encode(PASSWORD),
        hex(&base64.encode(PASSWORD)),
    ];
    for number in 0..SIZE.mail.n_mailboxes {
        let address = mailbox(0, number);
        forms.push(base64.encode(format!("\0{address}\0{PASSWORD}")));
        forms.push(base64.encode(format!("{address}\0{address}\0{PASSWORD}")));
    }
    forms
}

#[track_caller]
fn silent(found: &[Found]) {
    let forms = forms();
    for Found { place, text } in found {
        for form in &forms {
            if let Some(at) = text.find(form.as_str()) {
                let from = text.floor_char_boundary(at.saturating_sub(200));
                let to = text.ceil_char_boundary((at + 200).min(text.len()));
                panic!("{form} in {place}: …{}…", &text[from..to]);
            }
        }
    }
}

/// Every message of these queues, with its headers; they stay where they are.
async fn messages(lab: &Lab, queues: &[String]) -> Vec<(String, Vec<u8>, String)> {
    let url = lab.broker_url(None);
    let connection = Connection::connect(&url, ConnectionProperties::default());
    let connection = connection.await.expect("the broker is there");
    let mut messages = Vec::new();
    for queue in queues {
        // Closing the channel puts back what was not acked.
        let channel = connection.create_channel().await.expect("a channel");
        let name = lab.queue(queue);
        let get = || channel.basic_get(name.as_str().into(), BasicGetOptions::default());
        while let Some(message) = get().await.expect("the queue is there") {
            let headers = format!("{:?}", message.properties);
            messages.push((queue.clone(), message.delivery.data.clone(), headers));
        }
        channel.close(200, "OK".into()).await.expect("it closes");
    }
    connection.close(200, "OK".into()).await.expect("it closes");
    messages
}

/// A queue that gets every event, as another service would bind one.
async fn bind_events(lab: &Lab, queue: &str) {
    let url = lab.broker_url(None);
    let connection = Connection::connect(&url, ConnectionProperties::default());
    let connection = connection.await.expect("the broker is there");
    let channel = connection.create_channel().await.expect("a channel");
    let (queue, exchange) = (lab.queue(queue), lab.queue("events"));
    let (declared, none) = (QueueDeclareOptions::default(), FieldTable::default());
    let name = || queue.as_str().into();
    channel.queue_declare(name(), declared, none.clone()).await.expect("a queue");
    let bound = QueueBindOptions::default();
    let bound = channel.queue_bind(name(), exchange.as_str().into(), "#".into(), bound, none);
    bound.await.expect("gateways have made the exchange");
    connection.close(200, "OK".into()).await.expect("it closes");
}

/// A text in which bytes are found as they are, as far as they are text, and in hex.
fn shown(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}\n{hex}", String::from_utf8_lossy(bytes))
}

/// Everything in the database.
async fn rows(lab: &Lab) -> String {
    let schema = &lab.namespace;
    let tables = format!("SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'");
    let mut rows = String::new();
    for table in lab.sql(&tables).await.lines() {
        rows.push_str(&lab.sql(&format!("SELECT t::text FROM {schema}.{table} t")).await);
    }
    rows
}

async fn told(processes: impl Iterator<Item = &Process>) -> Vec<Found> {
    let mut found = Vec::new();
    for process in processes {
        let place = format!("the metrics of {}", process.id);
        found.push(Found { place, text: process.metrics().await });
        let log = std::fs::read_to_string(&process.log).expect("a log");
        assert!(log.lines().count() > 10, "the log is on");
        found.push(Found { place: format!("the log of {}", process.id), text: log });
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_in_nothing_that_leaves_a_process() {
    let collector = Collector::start().await;
    let Some(mut ground) = Ground::prepare(SIZE, Use::Shared).await else { return };
    ground.environment = vec![
        collector.environment(),
        ("RUST_LOG".into(), "trace".into()),
        ("MAILFLEET_EVENTS__PUBLISH".into(), "on".into()),
    ];
    ground.fill().await;
    bind_events(&ground.lab, EVENTS).await;

    // Right and wrong passwords, a server that says back what it was told, a bad request.
    let client = Client::new(&ground);
    client.submit(&ground, Load { wrong_one_in: 2, ..Load::of(4) }).await.expect("accepted");
    let mut reports: Vec<Found> = client
        .finish(PATIENCE)
        .await
        .into_iter()
        .flat_map(|outcome| outcome.last)
        .map(|job| Found { place: "a report".to_owned(), text: format!("{job:?}") })
        .collect();
    let echo = |server: Server| server.at(Step::Login, Fault::EchoPassword).start();
    let echoing = Pair {
        incoming: echo(Server::imap()).await.expect("a free port"),
        outgoing: echo(Server::smtp()).await.expect("a free port"),
    };
    let mut caller = ValidationServiceClient::new(ground.channels()[0].clone());
    let request = echoing.request(&mailbox(0, 6), PASSWORD);
    let mut stream = caller.validate(as_tenant(CRM, request)).await.expect("accepted").into_inner();
    while let Some(event) = stream.message().await.expect("it goes on") {
        reports.push(Found { place: "an event".to_owned(), text: format!("{event:?}") });
    }
    assert!(reports.iter().any(|found| found.text.contains("AuthInvalidCredentials")), "refused");
    let bad =
        v1::ValidateRequest { outgoing: None, incoming: vec![], ..echoing.request("x", PASSWORD) };
    let status = caller.validate(as_tenant(CRM, bad)).await.expect_err("nothing to do");
    reports.push(Found { place: "an error".to_owned(), text: format!("{status:?}") });
    silent(&reports);
    let of_worker = told(ground.processes()).await;
    silent(&of_worker);

    // Without a worker legs stay on the broker, sealed, and in the store.
    for worker in ground.workers.drain(..) {
        worker.signal(Signal::SIGTERM);
        assert_eq!(worker.ended().await, Some(0));
    }
    // Four validations and that of the server that says passwords back.
    let events = [EVENTS.to_owned()];
    eventually("five events are on the broker", PATIENCE, || async {
        messages(&ground.lab, &events).await.len() == 5
    })
    .await;
    let mut found: Vec<Found> = Vec::new();
    for (_, body, headers) in messages(&ground.lab, &events).await {
        assert!(headers.contains("traceparent"), "the trace travels along: {headers}");
        let text = format!("{headers}{}", shown(&body));
        found.push(Found { place: "an event for other services".to_owned(), text });
    }
    let request = ground.mail.pairs[0].request(&mailbox(0, 7), PASSWORD);
    let request = v1::SubmitValidationRequest { validation: Some(request) };
    caller.submit_validation(as_tenant(CRM, request)).await.expect("accepted");
    let shards: Vec<String> = (0..SHARDS.get()).map(|n| format!("shard.default.{n}")).collect();
    eventually("both legs are on the broker", PATIENCE, || async {
        messages(&ground.lab, &shards).await.len() == 2
    })
    .await;
    let out = messages(&ground.lab, &shards).await;
    for (queue, body, headers) in &out {
        assert!(headers.contains("traceparent"), "the trace travels along: {headers}");
        found.push(Found { place: queue.clone(), text: format!("{headers}{}", shown(body)) });
    }
    // Half of a leg in the queue of news is set aside by the gateway.
    let (_, body, _) = &out[0];
    ground.lab.inject("news", &body[..body.len() / 2]).await;
    let dead = ["dead".to_owned()];
    eventually("it is set aside", PATIENCE, || async {
        !messages(&ground.lab, &dead).await.is_empty()
    })
    .await;
    for (_, body, headers) in messages(&ground.lab, &dead).await {
        let text = format!("{headers}{}", shown(&body));
        found.push(Found { place: "the dead letters".to_owned(), text });
    }
    let rows = rows(&ground.lab).await;
    assert!(rows.contains(&mailbox(0, 0)) || rows.len() > 10_000, "rows were read");
    found.push(Found { place: "the store".to_owned(), text: rows });
    let of_gateway = told(ground.processes()).await;
    silent(&found);
    silent(&of_gateway);

    // Traces come after a second, metrics with the end.
    for gateway in ground.gateways.drain(..) {
        gateway.signal(Signal::SIGTERM);
        assert_eq!(gateway.ended().await, Some(0));
    }
    let raw = collector.raw();
    assert!(!collector.spans().is_empty(), "traces came");
    assert!(collector.metrics().iter().any(|name| name == "mailfleet.jobs"), "metrics came");
    let sent = Found { place: "what the collector got".to_owned(), text: raw };
    silent(std::slice::from_ref(&sent));
    // Operators' data names no mailbox either.
    for Found { place, text } in of_worker.iter().chain(&of_gateway).chain([&sent]) {
        assert!(!text.contains("@p0.test"), "an address in {place}");
    }
}
