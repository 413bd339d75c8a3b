//! What operators see and change, and what jobs wait for meanwhile.

use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::leg_explanation::Reason;
use mailfleet_api::v1::limit_group::Condition;
use mailfleet_api::v1::report::Verdict;
use mailfleet_mailsim::{Fault, Running, Server, Step};
use tokio::time::{sleep, timeout};
use tonic::Code;

use crate::calls::{mail, pop3_apart, pop3_request, reason, report, seen, test_mail_request};
use crate::world::{Ground, PATIENCE, World, config, everybody, narrow};

const GROUP: &str = "zones/default/limitGroups/pop3:127.0.0.1";

/// Asks until the answer is what it should become; fails after a while.
async fn eventually<T>(ask: impl AsyncFn() -> T, is_right: impl Fn(&T) -> bool) -> T {
    let asking = async {
        loop {
            let answer = ask().await;
            if is_right(&answer) {
                return answer;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asking).await.expect("it becomes right in time")
}

async fn explain(world: &World, job: &str, language: &str) -> v1::ExplainJobResponse {
    let asked =
        v1::ExplainJobRequest { name: format!("jobs/{job}"), language: language.to_owned() };
    world.jobs().await.explain_job(asked).await.expect("it is known").into_inner()
}

/// Waits until the job's only leg waits for this.
async fn explained(world: &World, job: &str, reason: Reason) -> v1::LegExplanation {
    let ask = async || explain(world, job, "").await.legs.remove(0);
    eventually(ask, |leg| leg.reason() == reason).await
}

async fn submit(world: &World, asked: v1::ValidateRequest) -> String {
    let asked = v1::SubmitValidationRequest { validation: Some(asked) };
    let answer = world.client().await.submit_validation(asked).await.expect("accepted");
    answer.into_inner().job.expect("a job").job_id
}

async fn slow(pause: Duration) -> Running {
    mail(Server::pop3().at(Step::Stat, Fault::Delay(pause))).await
}

async fn group(world: &World) -> v1::LimitGroup {
    let asked = v1::GetLimitGroupRequest { name: GROUP.to_owned() };
    let answer = world.fleet().await.get_limit_group(asked).await.expect("it is known");
    answer.into_inner().group.expect("a group")
}

async fn list(world: &World, conditions: &[Condition]) -> Vec<v1::LimitGroup> {
    let conditions = conditions.iter().map(|condition| (*condition).into()).collect();
    let asked = v1::ListLimitGroupsRequest { conditions, ..Default::default() };
    world.fleet().await.list_limit_groups(asked).await.expect("a page").into_inner().groups
}

#[tokio::test]
async fn a_paused_mail_server_gets_nothing_until_it_is_resumed() {
    let server = mail(Server::pop3()).await;
    let world = World::start(config()).await;
    let mut fleet = world.fleet().await;
    let pause = v1::PauseLimitGroupRequest { name: GROUP.to_owned() };
    let paused = fleet.pause_limit_group(pause).await.expect("paused").into_inner().group;
    assert!(paused.expect("a group").paused);
    let job = submit(&world, pop3_request(&server)).await;
    explained(&world, &job, Reason::GroupPaused).await;
    let told = explain(&world, &job, "ja").await;
    assert!(told.summary.contains("一時停止"), "{}", told.summary);
    let listed = list(&world, &[Condition::Paused]).await;
    let listed = listed.first().expect("it is paused");
    assert_eq!((listed.name.as_str(), listed.waiting_in_store, listed.out), (GROUP, 1, 0));
    assert!(list(&world, &[Condition::ServerDown]).await.is_empty());

    let resume = v1::ResumeLimitGroupRequest { name: GROUP.to_owned() };
    let resumed = fleet.resume_limit_group(resume).await.expect("resumed").into_inner().group;
    assert_eq!(resumed.expect("a group").version, 2);
    let stream = world.client().await.validate(pop3_request(&server)).await.expect("joins");
    assert_eq!(report(stream.into_inner()).await.verdict(), Verdict::Healthy);
    explained(&world, &job, Reason::Ended).await;
}

#[tokio::test]
async fn a_job_says_what_it_waits_for_all_the_way() {
    let server = slow(Duration::from_secs(1)).await;
    let ground = Ground::new(narrow()).await;
    let world = ground.gateway(everybody()).await;
    // A window of one and a half: two are let out, the third waits in the store.
    let mut jobs = Vec::new();
    for budget in 50..53 {
        jobs.push(submit(&world, pop3_apart(&server, budget)).await);
    }
    let none = explained(&world, &jobs[0], Reason::HandOver).await;
    let ask = async || explain(&world, &jobs[0], "").await.legs.remove(0);
    let no_owner = eventually(ask, |leg| leg.text.contains("waits for a worker")).await;
    assert_eq!(
        (no_owner.limit_group.as_str(), none.leg()),
        ("pop3:127.0.0.1", v1::leg::Kind::Pop3)
    );
    let turn = explained(&world, &jobs[2], Reason::Turn).await;
    assert_eq!((turn.limit, turn.in_use), (Some(1), Some(2)));

    let _worker = ground.worker();
    seen(&server, "STAT").await;
    let slot = explained(&world, &jobs[1], Reason::Slot).await;
    assert_eq!((slot.limit, slot.in_use), (Some(1), Some(1)));
    explained(&world, &jobs[2], Reason::Running).await;
    let ended = explained(&world, &jobs[2], Reason::Ended).await;
    assert!(ended.since_time.is_some());
    let told = explain(&world, &jobs[2], "").await;
    assert_eq!(told.summary, "The job has ended and waits for nothing.");
}

#[tokio::test]
async fn a_leg_that_failed_for_the_moment_says_when_it_is_tried_again() {
    let busy = Fault::Reply("-ERR [SYS/TEMP] try again later".into());
    let server = mail(Server::pop3().at(Step::Login, busy)).await;
    let world = World::start(config()).await;
    let asked = v1::ValidateRequest {
        budget: Some(Duration::from_secs(300).try_into().expect("a span of time")),
        ..pop3_request(&server)
    };
    let job = submit(&world, asked).await;
    let retry = explained(&world, &job, Reason::Retry).await;
    assert!(retry.wait.is_some() && retry.text.contains("tried again in"), "{retry:?}");
    assert_eq!(retry.code(), v1::fault::Code::AuthTemporaryFailure);
}

#[tokio::test]
async fn the_leg_that_looks_for_the_test_mail_waits_for_the_others() {
    let (imap, smtp) = (
        mail(Server::imap()).await,
        mail(Server::smtp().at(Step::Rcpt, Fault::Delay(Duration::from_secs(1)))).await,
    );
    let world = World::start(config()).await;
    let job = submit(&world, test_mail_request(&imap, &smtp)).await;
    let told = explain(&world, &job, "").await;
    let kinds: Vec<_> = told.legs.iter().map(v1::LegExplanation::leg).collect();
    use v1::leg::Kind;
    assert_eq!(kinds, [Kind::Imap, Kind::Smtp, Kind::Roundtrip]);
    assert_eq!(told.legs[2].reason(), Reason::OtherLeg);
}

#[tokio::test]
async fn a_raised_limit_is_used_at_once() {
    let server = slow(Duration::from_secs(2)).await;
    let world = World::start(narrow()).await;
    for budget in 50..53 {
        submit(&world, pop3_apart(&server, budget)).await;
    }
    seen(&server, "STAT").await;
    assert_eq!(server.recorder().sessions().current, 1);
    let busy = eventually(
        async || group(&world).await,
        |group| group.owner.as_ref().is_some_and(|owner| owner.in_use == 1 && owner.waiting == 1),
    );
    let busy = busy.await;
    assert_eq!((busy.out, busy.waiting_in_store), (2, 1));
    assert_eq!(busy.conditions, [i32::from(Condition::Waiting)]);
    let limits = v1::Limits { concurrency: 3, per_source: 0, login_rate: None };
    let set = v1::SetLimitGroupRequest { name: GROUP.to_owned(), limits: Some(limits) };
    let set = world.fleet().await.set_limit_group(set).await.expect("set").into_inner().group;
    assert_eq!(set.expect("a group").limits.expect("limits").concurrency, 3);
    let all = |r: &mailfleet_mailsim::Recorder| r.sessions().maximum == 3;
    assert!(
        server.recorder().wait_until(PATIENCE, all).await,
        "{:?}",
        server.recorder().sessions()
    );

    let set = v1::SetLimitGroupRequest { name: "x".to_owned(), limits: None };
    let refused = world.fleet().await.set_limit_group(set).await.expect_err("both are wrong");
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn workers_and_shards_are_shown_and_a_worker_is_drained() {
    let ground = Ground::new(config()).await;
    let worker = ground.worker();
    let world = ground.gateway(everybody()).await;
    let shards = async || {
        let answer = world.fleet().await.list_shards(v1::ListShardsRequest {}).await;
        answer.expect("a list").into_inner().shards
    };
    let owned = |shards: &Vec<v1::Shard>| shards.iter().all(|shard| shard.owners.len() == 1);
    let owned = eventually(shards, owned).await;
    assert_eq!(owned.len(), 64);
    let workers = world.fleet().await.list_workers(v1::ListWorkersRequest {}).await;
    let workers = workers.expect("a list").into_inner().workers;
    let shown = workers.first().expect("a worker");
    assert_eq!((workers.len(), shown.shards.len()), (1, 64));
    assert_eq!(owned[0].owners, std::slice::from_ref(&shown.name));

    let drain = v1::DrainWorkerRequest { name: shown.name.clone() };
    let told = world.fleet().await.drain_worker(drain).await.expect("it is there").into_inner();
    assert_eq!(told.worker.expect("a worker").name, shown.name);
    let shards = async || {
        let answer = world.fleet().await.list_shards(v1::ListShardsRequest {}).await;
        answer.expect("a list").into_inner().shards
    };
    eventually(shards, |shards| shards.iter().all(|shard| shard.owners.is_empty())).await;
    timeout(PATIENCE, worker.drained()).await.expect("it ends");

    let drain = v1::DrainWorkerRequest { name: "workers/nobody".to_owned() };
    let refused = world.fleet().await.drain_worker(drain).await.expect_err("nobody");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::NotFound, "WORKER_NOT_FOUND"));
}

#[tokio::test]
async fn the_summary_counts_what_ended_and_names_the_sick_and_the_busy() {
    let refuse = Fault::Reply("-ERR [AUTH] no".into());
    let (good, bad) =
        (mail(Server::pop3()).await, mail(Server::pop3().at(Step::Login, refuse)).await);
    let hangs = slow(PATIENCE).await;
    let world = World::start(config()).await;
    let summary = async || {
        let asked = v1::GetFleetSummaryRequest { window: None };
        world.fleet().await.get_fleet_summary(asked).await.expect("a summary").into_inner()
    };
    let empty = summary().await;
    assert!(empty.ended.is_empty() && empty.causes.is_empty(), "{empty:?}");
    submit(&world, pop3_request(&hangs)).await;
    seen(&hangs, "STAT").await;
    for server in [&good, &bad] {
        let stream = world.client().await.validate(pop3_request(server)).await.expect("taken");
        report(stream.into_inner()).await;
    }
    let pause = v1::PauseLimitGroupRequest { name: GROUP.to_owned() };
    world.fleet().await.pause_limit_group(pause).await.expect("paused");
    let full = eventually(summary, |summary| summary.open_jobs == 1 && summary.groups_sick == 1);
    let full = full.await;
    let mut ended: Vec<_> =
        full.ended.iter().map(|ended| (ended.state(), ended.verdict(), ended.jobs)).collect();
    ended.sort();
    let done = v1::job::State::Done;
    assert_eq!(ended, [(done, Verdict::Healthy, 1), (done, Verdict::Faulty, 1)]);
    assert!((full.ended_per_second - 2.0 / 60.0).abs() < 1e-9, "{}", full.ended_per_second);
    let causes: Vec<_> = full.causes.iter().map(|cause| (cause.code(), cause.legs)).collect();
    assert_eq!(causes, [(v1::fault::Code::AuthInvalidCredentials, 1)]);
    assert_eq!((full.shards, full.zones.as_slice()), (64, &["default".to_owned()][..]));
    let sick = full.groups.first().expect("a group");
    assert_eq!((sick.name.as_str(), sick.paused, sick.out), (GROUP, true, 1));

    let window = Duration::from_secs(901).try_into().ok();
    let asked = v1::GetFleetSummaryRequest { window };
    let refused = world.fleet().await.get_fleet_summary(asked).await.expect_err("too long");
    assert_eq!(refused.code(), Code::InvalidArgument);
}
