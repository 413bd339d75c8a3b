//! What fails around a gateway: the store, another gateway, a result in between.

use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::report::Verdict;
use mailfleet_mailsim::{Fault, Running, Server, Step};
use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Control, ControlLink, DEFAULT_SHARDS, Dispatch, GroupKey, LegEnd, LegId, LegSummary, Outcome,
    Payload, ShardClaim, StartAnswer, StartRule, WorkerMessage, WorkerQueue, shard_of,
};
use mailfleet_model::leg::{LoginOutcome, Submission};
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use crate::calls::{accepted, mail, pop3_apart, pop3_request, reason, report, seen};
use crate::world::{Ground, PATIENCE, World, config, everybody};

async fn slow() -> Running {
    mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_millis(500)))).await
}

#[tokio::test]
async fn the_callers_gateway_answers_whoever_collects() {
    let server = slow().await;
    let ground = Ground::new(config()).await;
    let _worker = ground.worker();
    let (one, other) = (ground.gateway(everybody()).await, ground.gateway(everybody()).await);
    let mut waiting = Vec::new();
    for (index, world) in [&one, &other].into_iter().cycle().take(6).enumerate() {
        let asked = pop3_apart(&server, 50 + u64::try_from(index).expect("few"));
        let stream = world.client().await.validate(asked).await.expect("accepted").into_inner();
        waiting.push(report(stream));
    }
    for report in futures::future::join_all(waiting).await {
        assert_eq!(report.verdict(), Verdict::Healthy);
    }
    // A job of one is known to the other, and joined there.
    let mut first =
        one.client().await.validate(pop3_request(&server)).await.expect("a").into_inner();
    let mut second =
        other.client().await.validate(pop3_request(&server)).await.expect("b").into_inner();
    assert_eq!(accepted(&mut first).await.job_id, accepted(&mut second).await.job_id);
    let (first, second) = tokio::join!(report(first), report(second));
    assert_eq!(first.job_id, second.job_id);
}

/// Waits until the gateway says this of itself.
async fn is_said(
    health: &mut tonic::Streaming<tonic_health::pb::HealthCheckResponse>,
    serving: bool,
) {
    let expect = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
    loop {
        let status = timeout(PATIENCE, health.message()).await.expect("in time");
        if status.expect("no error").expect("a status").status() == expect {
            return;
        }
    }
}

#[tokio::test]
async fn a_store_that_is_away_for_a_while_loses_nothing() {
    let server = slow().await;
    let world = World::start(config()).await;
    let mut health = HealthClient::new(world.channel().await);
    let asked = HealthCheckRequest::default();
    let mut health = health.watch(asked).await.expect("it is known").into_inner();
    is_said(&mut health, true).await;
    let mut client = world.client().await;
    let mut stream = client.validate(pop3_request(&server)).await.expect("accepted").into_inner();
    let job = accepted(&mut stream).await.job_id;
    seen(&server, "STAT").await;
    world.ground.store.set_away(true);
    // The leg ends meanwhile, and its result finds no store.
    seen(&server, "QUIT").await;
    is_said(&mut health, false).await;
    let refused = client.validate(pop3_apart(&server, 50)).await.expect_err("not stored");
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::Unavailable, "STORE_UNAVAILABLE")
    );
    assert!(refused.get_error_details().retry_info().is_some());
    let get = || v1::GetJobRequest { name: format!("jobs/{job}"), language: String::new() };
    let refused = world.jobs().await.get_job(get()).await.expect_err("nobody knows");
    assert_eq!(refused.code(), Code::Unavailable);

    world.ground.store.set_away(false);
    assert_eq!(report(stream).await.verdict(), Verdict::Healthy);
    is_said(&mut health, true).await;
    let job = world.jobs().await.get_job(get()).await.expect("it is known").into_inner().job;
    assert_eq!(job.expect("a job").legs[0].releases, 1, "nothing was run twice");
    assert_eq!(server.recorder().credentials(), 1);
}

#[tokio::test]
async fn a_worker_that_comes_late_finds_what_waits_for_it() {
    let server = mail(Server::pop3()).await;
    let ground = Ground::new(config()).await;
    let world = ground.gateway(everybody()).await;
    let mut stream =
        world.client().await.validate(pop3_request(&server)).await.expect("accepted").into_inner();
    accepted(&mut stream).await;
    let worker = ground.worker();
    assert_eq!(report(stream).await.verdict(), Verdict::Healthy);
    timeout(PATIENCE, worker.drained()).await.expect("it ends");
}

#[tokio::test]
async fn a_result_that_nobody_can_read_ends_its_leg_and_harms_nothing_else() {
    let server = mail(Server::pop3()).await;
    let ground = Ground::new(config()).await;
    let world = ground.gateway(everybody()).await;
    let queue = ground.queue_of_a_worker();
    let group = GroupKey::new("pop3:127.0.0.1").expect("a key");
    let shard = shard_of(&group, DEFAULT_SHARDS);
    let zone = config().zone;
    let mut claim = queue.claim(&zone, shard, 10).await.expect("nobody else is there");
    let stream = world.client().await.validate(pop3_request(&server)).await.expect("accepted");
    let delivery = timeout(PATIENCE, claim.next()).await.expect("in time").expect("a leg");
    assert_eq!((delivery.message.start, delivery.message.dispatch), (StartRule::Free, Dispatch(1)));
    let summary = LegSummary {
        code: None,
        retry: None,
        login: LoginOutcome::Accepted,
        submission: Submission::NotSent,
    };
    let end = LegEnd { summary, report: Payload(b"no report at all".to_vec()) };
    let news = |outcome| WorkerMessage {
        worker: "scripted".parse().expect("a name"),
        leg: delivery.leg(),
        dispatch: delivery.message.dispatch,
        outcome,
        traceparent: None,
    };
    // Of another job, too, that nobody knows: it is passed over.
    let stray = WorkerMessage {
        leg: LegId { job: JobId(uuid::Uuid::from_u128(1)), index: 0 },
        ..news(Outcome::MayStart { redelivered: false })
    };
    let control = queue.control().await.expect("a link");
    for message in
        [stray, news(Outcome::MayStart { redelivered: false }), news(Outcome::Ended(end.clone()))]
    {
        queue.publish(&message).await.expect("published");
    }
    let mut answers = Vec::new();
    while answers.len() < 2 {
        let heard = timeout(PATIENCE, control.next()).await.expect("in time").expect("open");
        if let Control::Start { leg, answer, .. } = heard {
            answers.push((leg == delivery.leg(), answer));
        }
    }
    answers.sort_unstable_by_key(|(is_ours, _)| *is_ours);
    assert_eq!(answers[0], (false, StartAnswer::Drop));
    // News of one job may be worked on in any order: it had started, or had ended.
    assert!(answers[1].0);

    let report = report(stream.into_inner()).await;
    assert_eq!(report.verdict(), Verdict::Inconclusive);
    assert_eq!(report.faults[0].code(), v1::fault::Code::Unknown);
}
