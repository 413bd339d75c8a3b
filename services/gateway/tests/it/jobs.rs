//! The jobs of a tenant: shown, listed, watched, cancelled; and nobody else's.

use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::job::State;
use mailfleet_api::v1::report::Verdict;
use mailfleet_mailsim::{Fault, Server, Step};
use tokio::time::timeout;
use tonic::{Code, Streaming};

use crate::calls::{
    accepted, as_tenant, login, mail, pop3_apart, pop3_request, reason, report, seen,
};
use crate::world::{CRM, CRM_READS, ERP, PATIENCE, World, config, tenants};

fn get(job: &str) -> v1::GetJobRequest {
    v1::GetJobRequest { name: format!("jobs/{job}"), language: String::new() }
}

/// Runs one validation to its end; gives its job's id.
async fn run(world: &World, asked: v1::ValidateRequest) -> String {
    let stream = world.client().await.validate(asked).await.expect("accepted").into_inner();
    report(stream).await.job_id
}

#[tokio::test]
async fn a_job_is_shown_with_its_legs_and_its_report() {
    let server = mail(Server::pop3().at(Step::Login, Fault::Reply("-ERR [AUTH] no".into()))).await;
    let world = World::start(config()).await;
    let id = run(&world, pop3_request(&server)).await;
    let mut jobs = world.jobs().await;
    let asked = v1::GetJobRequest { language: "ja".to_owned(), ..get(&id) };
    let job = jobs.get_job(asked).await.expect("it is known").into_inner().job.expect("a job");
    assert_eq!((job.state(), job.verdict()), (State::Done, Verdict::Faulty));
    assert!(job.create_time.is_some() && job.start_time.is_some() && job.end_time.is_some());
    let leg = job.legs.first().expect("a leg");
    assert_eq!(leg.state(), v1::job_leg::State::Done);
    assert_eq!(leg.code(), v1::fault::Code::AuthInvalidCredentials);
    assert_eq!((leg.releases, leg.limit_group.as_str()), (1, "pop3:127.0.0.1"));
    let report = job.report.expect("it stands");
    assert_eq!(report.faults[0].remedy.as_ref().expect("a language was given").language, "ja");

    for (name, code) in [("jobs/x", Code::InvalidArgument), ("", Code::InvalidArgument)] {
        let asked = v1::GetJobRequest { name: name.to_owned(), language: String::new() };
        assert_eq!(jobs.get_job(asked).await.expect_err("no such name").code(), code);
    }
    let unknown = jobs.get_job(get("00000000-0000-7000-8000-000000000000")).await;
    assert_eq!(reason(&unknown.expect_err("no such job")), "JOB_NOT_FOUND");
    let asked = v1::GetJobRequest { language: "xx".to_owned(), ..get(&id) };
    assert_eq!(jobs.get_job(asked).await.expect_err("no language").code(), Code::InvalidArgument);
}

#[tokio::test]
async fn jobs_are_listed_in_pages_and_by_what_is_looked_for() {
    let (good, bad) = (
        mail(Server::pop3()).await,
        mail(Server::pop3().at(Step::Login, Fault::Reply("-ERR [AUTH] no".into()))).await,
    );
    let world = World::start(config()).await;
    let mut ids = Vec::new();
    for budget in 50..53 {
        ids.push(run(&world, pop3_apart(&good, budget)).await);
    }
    ids.push(run(&world, pop3_request(&bad)).await);
    ids.reverse();
    let mut jobs = world.jobs().await;
    let mut listed = Vec::new();
    let mut token = String::new();
    loop {
        let asked = v1::ListJobsRequest {
            page_size: 3,
            page_token: token,
            ..v1::ListJobsRequest::default()
        };
        let page = jobs.list_jobs(asked).await.expect("a page").into_inner();
        assert!(page.jobs.len() <= 3);
        assert!(page.jobs.iter().all(|job| job.legs.is_empty() && job.report.is_none()));
        listed.extend(page.jobs.into_iter().map(|job| job.job_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, ids, "the newest first, each once");

    let faulty = v1::ListJobsRequest {
        verdicts: vec![Verdict::Faulty.into()],
        ..v1::ListJobsRequest::default()
    };
    let code = v1::ListJobsRequest {
        code: v1::fault::Code::AuthInvalidCredentials.into(),
        ..v1::ListJobsRequest::default()
    };
    for asked in [faulty, code] {
        let page = jobs.list_jobs(asked).await.expect("a page").into_inner();
        let found: Vec<&str> = page.jobs.iter().map(|job| job.job_id.as_str()).collect();
        assert_eq!((found, page.next_page_token.as_str()), (vec![ids[0].as_str()], ""));
    }
    for (mailbox, count) in [("user@example.test", 4), ("other@example.test", 0)] {
        let mailbox = mailbox.to_owned();
        let asked = v1::ListJobsRequest { mailbox, ..v1::ListJobsRequest::default() };
        assert_eq!(jobs.list_jobs(asked).await.expect("a page").into_inner().jobs.len(), count);
    }
    let asked =
        v1::ListJobsRequest { states: vec![State::Open.into()], ..v1::ListJobsRequest::default() };
    assert!(jobs.list_jobs(asked).await.expect("a page").into_inner().jobs.is_empty());
}

#[tokio::test]
async fn tenants_see_and_end_only_their_own_jobs() {
    let server = mail(Server::pop3()).await;
    let world = World::with(config(), tenants()).await;
    let stream = world.client().await.validate(as_tenant(CRM, pop3_request(&server))).await;
    let job = report(stream.expect("accepted").into_inner()).await.job_id;
    let mut jobs = world.jobs().await;
    jobs.get_job(as_tenant(CRM_READS, get(&job))).await.expect("its own");
    let name = || format!("jobs/{job}");
    let cancel = v1::CancelJobRequest { name: name() };
    let watch = v1::WatchJobRequest { name: name(), ..Default::default() };
    let explain = v1::ExplainJobRequest { name: name(), language: String::new() };
    let refusals = [
        jobs.get_job(as_tenant(ERP, get(&job))).await.err(),
        jobs.cancel_job(as_tenant(ERP, cancel)).await.err(),
        jobs.watch_job(as_tenant(ERP, watch)).await.err(),
        jobs.explain_job(as_tenant(ERP, explain)).await.err(),
    ];
    for refusal in refusals {
        let refusal = refusal.expect("another tenant's");
        assert_eq!((refusal.code(), reason(&refusal).as_str()), (Code::NotFound, "JOB_NOT_FOUND"));
    }
    let list = jobs.list_jobs(as_tenant(ERP, v1::ListJobsRequest::default())).await;
    assert!(list.expect("a list").into_inner().jobs.is_empty());

    // The same settings and the same request id, and yet another job.
    let server =
        mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_millis(500)))).await;
    let asked = || v1::ValidateRequest {
        request_id: "0d4f1f0c-9f4c-4b4e-8d7e-3d6a2f1b9c10".to_owned(),
        ..pop3_request(&server)
    };
    let mut ids = Vec::new();
    for token in [CRM, ERP] {
        let stream = world.client().await.validate(as_tenant(token, asked())).await;
        ids.push(accepted(&mut stream.expect("accepted").into_inner()).await.job_id);
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_call_needs_a_token_and_its_role() {
    let server = mail(Server::pop3()).await;
    let world = World::with(config(), tenants()).await;
    let (mut client, mut jobs) = (world.client().await, world.jobs().await);
    let mut fleet = world.fleet().await;
    let asked = v1::ValidateRequest { language: "ja".to_owned(), ..pop3_request(&server) };
    let nobody = client.validate(asked).await.expect_err("no token");
    assert_eq!(
        (nobody.code(), reason(&nobody).as_str()),
        (Code::Unauthenticated, "UNAUTHENTICATED")
    );
    let wrong = as_tenant("not-a-token-at-all", v1::ListJobsRequest::default());
    assert_eq!(jobs.list_jobs(wrong).await.expect_err("unknown").code(), Code::Unauthenticated);

    let cancel = v1::CancelJobRequest { name: "jobs/x".to_owned() };
    let reader = [
        client.validate(as_tenant(CRM_READS, pop3_request(&server))).await.err(),
        jobs.cancel_job(as_tenant(CRM_READS, cancel)).await.err(),
    ];
    let submitter = [
        fleet.list_workers(as_tenant(CRM, v1::ListWorkersRequest {})).await.err(),
        fleet.list_shards(as_tenant(CRM, v1::ListShardsRequest {})).await.err(),
        fleet.get_fleet_summary(as_tenant(CRM, v1::GetFleetSummaryRequest::default())).await.err(),
    ];
    for refusal in reader.into_iter().chain(submitter) {
        let refusal = refusal.expect("the role is too low");
        assert_eq!(
            (refusal.code(), reason(&refusal).as_str()),
            (Code::PermissionDenied, "ROLE_TOO_LOW")
        );
    }
    let list = as_tenant(CRM_READS, v1::ListJobsRequest::default());
    jobs.list_jobs(list).await.expect("readers read");
}

fn watch(job: &str, token: &str) -> v1::WatchJobRequest {
    v1::WatchJobRequest {
        name: format!("jobs/{job}"),
        watch_token: token.to_owned(),
        language: String::new(),
    }
}

/// The next state of the job; `None` at the end of the stream.
async fn shown(stream: &mut Streaming<v1::WatchJobResponse>) -> Option<v1::Job> {
    let message = timeout(PATIENCE, stream.message()).await.expect("in time");
    message.expect("no error").map(|message| message.job.expect("no heartbeat yet"))
}

#[tokio::test]
async fn a_watcher_sees_changes_to_the_end_and_goes_on_from_its_token() {
    let server =
        mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_millis(600)))).await;
    let world = World::start(config()).await;
    let asked = v1::SubmitValidationRequest { validation: Some(pop3_request(&server)) };
    let job = world.client().await.submit_validation(asked).await.expect("accepted");
    let id = job.into_inner().job.expect("a job").job_id;
    seen(&server, "STAT").await;
    let mut jobs = world.jobs().await;
    let mut stream = jobs.watch_job(watch(&id, "")).await.expect("known").into_inner();
    let first = shown(&mut stream).await.expect("how it is");
    assert_eq!(first.state(), State::Open);
    drop(stream);

    let mut stream =
        jobs.watch_job(watch(&id, &first.watch_token)).await.expect("known").into_inner();
    let mut tokens = vec![first.watch_token];
    let last = loop {
        let job = shown(&mut stream).await.expect("not the end yet");
        assert!(!tokens.contains(&job.watch_token), "it did not change");
        tokens.push(job.watch_token.clone());
        if job.state() != State::Open {
            break job;
        }
    };
    assert_eq!((last.state(), last.verdict()), (State::Done, Verdict::Healthy));
    assert!(last.report.is_some());
    assert!(shown(&mut stream).await.is_none(), "the final state is the last");

    let mut stream =
        jobs.watch_job(watch(&id, &last.watch_token)).await.expect("known").into_inner();
    assert!(shown(&mut stream).await.is_none(), "the caller knows the end already");
    let refused = jobs.watch_job(watch(&id, "x")).await.expect_err("no token");
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_cancelled_job_says_goodbye_and_stays_cancelled() {
    let server =
        mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_millis(900)))).await;
    let world = World::start(config()).await;
    let mut stream =
        world.client().await.validate(pop3_request(&server)).await.expect("accepted").into_inner();
    let id = accepted(&mut stream).await.job_id;
    seen(&server, "STAT").await;
    let mut jobs = world.jobs().await;
    let cancel = || v1::CancelJobRequest { name: format!("jobs/{id}") };
    let job = jobs.cancel_job(cancel()).await.expect("known").into_inner().job.expect("a job");
    assert_eq!((job.state(), job.verdict()), (State::Cancelled, Verdict::Inconclusive));
    // Whoever waits for it gets what is known.
    assert_eq!(report(stream).await.verdict(), Verdict::Inconclusive);
    seen(&server, "QUIT").await;
    let again = jobs.cancel_job(cancel()).await.expect("harmless").into_inner().job;
    assert_eq!(again.expect("a job").watch_token, job.watch_token, "nothing changed");

    let asked = v1::ValidateRequest { login: Some(login("another")), ..pop3_request(&server) };
    let done = run(&world, asked).await;
    let cancel = v1::CancelJobRequest { name: format!("jobs/{done}") };
    let job = jobs.cancel_job(cancel).await.expect("no error").into_inner().job.expect("a job");
    assert_eq!(job.state(), State::Done, "what has ended stays as it is");
}
