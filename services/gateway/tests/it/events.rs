//! What other services are told, streamed: everything once, in order, and again where it is asked.

use std::time::Duration;

use mailfleet_api::events::v1::{Event, event};
use mailfleet_api::v1;
use mailfleet_api::v1::event_service_client::EventServiceClient;
use mailfleet_api::v1::watch_events_request::Start;
use mailfleet_mailsim::Server;
use tokio::time::timeout;
use tonic::{Code, Streaming};

use crate::calls::{as_tenant, mail, pop3_apart, reason, report};
use crate::world::{CRM, CRM_READS, ERP, Ground, PATIENCE, World, config, everybody, tenants};

type Stream = Streaming<v1::WatchEventsResponse>;

/// Validates a mailbox; gives the job's id.
async fn run(world: &World, token: &str, request: v1::ValidateRequest) -> String {
    let stream = world.client().await.validate(as_tenant(token, request)).await;
    report(stream.expect("accepted").into_inner()).await.job_id
}

async fn watch(world: &World, token: &str, start: Start, resume: &str) -> Stream {
    let asked = v1::WatchEventsRequest { resume_token: resume.to_owned(), start: start.into() };
    let mut client = EventServiceClient::new(world.channel().await);
    client.watch_events(as_tenant(token, asked)).await.expect("it is allowed").into_inner()
}

async fn message(stream: &mut Stream) -> v1::WatchEventsResponse {
    let message = timeout(PATIENCE, stream.message()).await.expect("in time");
    message.expect("no error").expect("it never ends by itself")
}

/// Reads until there are so many events; they, and the token behind them.
async fn events(stream: &mut Stream, n: usize) -> (Vec<Event>, String) {
    let (mut events, mut token) = (Vec::new(), String::new());
    while events.len() < n {
        let message = message(stream).await;
        events.extend(message.events);
        token = message.resume_token;
    }
    (events, token)
}

/// The id of the job that an event is about.
fn job(event: &Event) -> &str {
    match &event.subject {
        Some(event::Subject::Job(ended)) => ended.job.strip_prefix("jobs/").expect("a name"),
        other => panic!("not about a job: {other:?}"),
    }
}

#[tokio::test]
async fn a_service_hears_of_its_tenants_jobs_only() {
    let server = mail(Server::pop3()).await;
    let world = World::with(config(), tenants()).await;
    let mut crm = watch(&world, CRM_READS, Start::Now, "").await;
    let mut erp = watch(&world, ERP, Start::Now, "").await;
    let first = message(&mut crm).await;
    assert!(first.events.is_empty() && !first.resume_token.is_empty(), "{first:?}");
    let one = run(&world, CRM, pop3_apart(&server, 50)).await;
    let two = run(&world, ERP, pop3_apart(&server, 51)).await;
    let (heard, _) = events(&mut crm, 1).await;
    assert_eq!(job(&heard[0]), one);
    assert_eq!((heard[0].version, heard[0].tenant.as_str()), (1, "crm"));
    let Some(event::Subject::Job(ended)) = &heard[0].subject else { panic!("{heard:?}") };
    assert_eq!(ended.verdict(), v1::report::Verdict::Healthy);
    let (heard, _) = events(&mut erp, 1).await;
    assert_eq!(job(&heard[0]), two);
}

#[tokio::test]
async fn a_service_that_was_away_goes_on_at_another_gateway() {
    let server = mail(Server::pop3()).await;
    let ground = Ground::new(config()).await;
    let _worker = ground.worker();
    let (here, there) = (ground.gateway(everybody()).await, ground.gateway(everybody()).await);
    let mut stream = watch(&here, "", Start::Now, "").await;
    let mut jobs = vec![run(&here, "", pop3_apart(&server, 50)).await];
    let (mut heard, token) = events(&mut stream, 1).await;
    drop(stream);
    for budget in 51..54 {
        jobs.push(run(&here, "", pop3_apart(&server, budget)).await);
    }
    let mut stream = watch(&there, "", Start::Now, &token).await;
    heard.extend(events(&mut stream, 3).await.0);
    // What ends while it listens comes as well, whichever gateway saw it.
    jobs.push(run(&here, "", pop3_apart(&server, 55)).await);
    heard.extend(events(&mut stream, 1).await.0);
    let ids: Vec<&str> = heard.iter().map(job).collect();
    assert_eq!(ids, jobs);
    assert!(heard.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    let mut stream = watch(&there, "", Start::Oldest, "").await;
    assert_eq!(events(&mut stream, 5).await.0, heard, "the same ones, from the beginning");
}

#[tokio::test]
async fn a_gateway_that_ends_sends_its_watchers_elsewhere() {
    let world = World::start(config()).await;
    let mut stream = watch(&world, "", Start::Now, "").await;
    message(&mut stream).await;
    let stopped = world.stop();
    let last = timeout(PATIENCE, async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended without a word"),
                Err(status) => return status,
            }
        }
    });
    assert_eq!(reason(&last.await.expect("in time")), "SHUTTING_DOWN");
    timeout(PATIENCE, stopped).await.expect("in time").expect("no panic").expect("it ended well");
}

#[tokio::test]
async fn what_was_forgotten_is_not_passed_over_in_silence() {
    use mailfleet_model::fleet::{NoticeAges, Store as _};
    let server = mail(Server::pop3()).await;
    let world = World::start(config()).await;
    let mut stream = watch(&world, "", Start::Now, "").await;
    let token = message(&mut stream).await.resume_token;
    run(&world, "", pop3_apart(&server, 50)).await;
    events(&mut stream, 1).await;
    let all = NoticeAges { published: Duration::ZERO, unpublished: Duration::ZERO };
    assert_eq!(world.ground.store.forget_notices(all, 9).await.unwrap().gone, 1);
    let mut client = EventServiceClient::new(world.channel().await);
    let ask = |resume_token: &str| v1::WatchEventsRequest {
        resume_token: resume_token.to_owned(),
        ..v1::WatchEventsRequest::default()
    };
    let refused = client.watch_events(ask(&token)).await.expect_err("it was forgotten");
    assert_eq!((refused.code(), reason(&refused)), (Code::OutOfRange, "EVENTS_FORGOTTEN".into()));
    // Another deployment's token, or a store that was set back.
    let refused = client.watch_events(ask("00000000000000ff")).await.expect_err("unknown");
    assert_eq!(reason(&refused), "EVENTS_FORGOTTEN");
    let refused = client.watch_events(ask("token")).await.expect_err("none");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let mut stream = watch(&world, "", Start::Oldest, "").await;
    assert!(message(&mut stream).await.events.is_empty());
}
