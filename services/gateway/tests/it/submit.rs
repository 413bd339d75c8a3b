//! What becomes of a request: stored, joined, repeated, kept back.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::v1::fault::Code as Fault;
use mailfleet_api::v1::report::Verdict;
use mailfleet_api::v1::submit_validation_response::Origin;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::{self, step, step_event};
use mailfleet_mailsim::{Delivery, Estate, Fault as Sim, Running, Server, Step};
use mailfleet_model::fleet::{Control, ControlLink, LegId, Live, Store, WorkerQueue};
use mailfleet_model::{JobId, Leg, LegEvent, StepKind};
use tokio::time::timeout;
use tonic::Code;
use tonic_types::StatusExt;

use crate::calls::{
    accepted, both_request, login, mail, next, pop3_apart, pop3_request, reason, report, seen,
    test_mail_request,
};
use crate::world::{Ground, PATIENCE, World, config, everybody};

const REQUEST_ID: &str = "0d4f1f0c-9f4c-4b4e-8d7e-3d6a2f1b9c10";

/// A server that takes half a second to open the mailbox.
async fn slow() -> Running {
    mail(Server::pop3().at(Step::Stat, Sim::Delay(Duration::from_millis(500)))).await
}

fn submission(validation: v1::ValidateRequest) -> v1::SubmitValidationRequest {
    v1::SubmitValidationRequest { validation: Some(validation) }
}

#[tokio::test]
async fn what_is_accepted_is_stored_whatever_becomes_of_the_gateway() {
    let server = mail(Server::pop3()).await;
    // Nobody runs anything, and the gateway is gone before anybody could.
    let ground = Ground::new(config()).await;
    let world = ground.gateway(everybody()).await;
    let mut stream =
        world.client().await.validate(pop3_request(&server)).await.expect("accepted").into_inner();
    let job = accepted(&mut stream).await.job_id.parse().expect("a job's id");
    let tenant = "local".parse().expect("a name");
    let view = ground.store.job(&tenant, job).await.expect("the store answers");
    assert_eq!(view.expect("it is stored").legs.len(), 1);
    drop((stream, world));

    let _worker = ground.worker();
    let next = ground.gateway(everybody()).await;
    let again = next.client().await.validate(pop3_request(&server)).await.expect("joins");
    let mut stream = again.into_inner();
    assert_eq!(accepted(&mut stream).await.job_id, job.to_string());
    assert_eq!(report(stream).await.verdict(), Verdict::Healthy);
}

#[tokio::test]
async fn equal_validations_share_one_login_and_one_report() {
    let server = slow().await;
    let world = World::start(config()).await;
    let mut client = world.client().await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        let call = client.validate(pop3_request(&server)).await;
        let mut stream = call.expect("accepted").into_inner();
        calls.push((accepted(&mut stream).await, report(stream)));
    }
    // Another password is another validation.
    let asked = v1::ValidateRequest { login: Some(login("another")), ..pop3_request(&server) };
    let mut other = client.validate(asked).await.expect("accepted").into_inner();
    let apart = accepted(&mut other).await;
    let first = calls[0].0.clone();
    for (accepted, report) in calls {
        assert_eq!(accepted.job_id, first.job_id);
        let report = report.await;
        assert_eq!((&report.job_id, report.verdict()), (&first.job_id, Verdict::Healthy));
    }
    assert_ne!(apart.job_id, first.job_id);
    assert_eq!(server.recorder().right_credentials(), 1, "{}", server.recorder().lines());
}

#[tokio::test]
async fn a_call_that_joins_at_another_gateway_is_sent_the_steps_too() {
    let server = mail(Server::pop3()).await;
    let ground = Ground::new(config()).await;
    let worker = ground.queue_of_a_worker();
    let link = worker.control().await.expect("in this process");
    let worlds = [ground.gateway(everybody()).await, ground.gateway(everybody()).await];
    let mut streams = Vec::new();
    // The first one is sent the steps of what it made whoever joins there.
    for world in [&worlds[0], &worlds[0], &worlds[1]] {
        let call = world.client().await.validate(pop3_request(&server)).await;
        let mut stream = call.expect("accepted").into_inner();
        let job = accepted(&mut stream).await.job_id;
        streams.push((job, stream));
    }
    let job: JobId = streams[0].0.parse().expect("a job's id");
    let wanted = async {
        loop {
            match link.next().await.expect("in this process") {
                Control::StepsWanted { gateway, jobs } => break (gateway, jobs),
                _ => continue,
            }
        }
    };
    let (gateway, jobs) = timeout(PATIENCE, wanted).await.expect("in time");
    assert_eq!(jobs, [job]);
    let (job, stream) = streams.last_mut().expect("the one that joined elsewhere");
    assert_eq!(*job, jobs[0].to_string());
    let event = LegEvent::StepStarted { leg: Leg::Pop3, kind: StepKind::Login };
    worker.live(&gateway, Live { leg: LegId { job: jobs[0], index: 0 }, event });
    let Event::Step(step) = next(stream).await else { panic!("no step") };
    assert_eq!(step.event, Some(step_event::Event::Started(step::Kind::Login.into())));
}

#[tokio::test]
async fn a_repeated_request_gets_its_job_also_after_its_end() {
    let server = mail(Server::pop3()).await;
    let world = World::start(config()).await;
    let mut client = world.client().await;
    let asked =
        || v1::ValidateRequest { request_id: REQUEST_ID.to_owned(), ..pop3_request(&server) };
    let mut stream = client.validate(asked()).await.expect("accepted").into_inner();
    let first = accepted(&mut stream).await;
    report(stream).await;
    // The language may differ.
    let again = v1::ValidateRequest { language: "ja".to_owned(), ..asked() };
    let mut stream = client.validate(again).await.expect("accepted").into_inner();
    let second = accepted(&mut stream).await;
    assert_eq!((&second.job_id, second.request_id.as_str()), (&first.job_id, REQUEST_ID));
    assert_eq!(report(stream).await.job_id, first.job_id);
    assert_eq!(server.recorder().credentials(), 1, "nothing was run again");

    let stored = client.submit_validation(submission(asked())).await.expect("known").into_inner();
    assert_eq!(stored.origin(), Origin::Repeated);
    assert_eq!(stored.job.expect("always set").state(), v1::job::State::Done);

    let other = v1::ValidateRequest { login: Some(login("another")), ..asked() };
    let refused = client.validate(other).await.expect_err("the body differs");
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::InvalidArgument, "REQUEST_ID_REUSED")
    );
    let details = refused.get_error_details();
    let fields = &details.bad_request().expect("it names the field").field_violations;
    assert_eq!(fields[0].field, "request_id");
}

#[tokio::test]
async fn a_submission_returns_at_once_and_the_job_goes_on() {
    let server = slow().await;
    let world = World::start(config()).await;
    let mut client = world.client().await;
    let answer = client.submit_validation(submission(pop3_request(&server))).await;
    let answer = answer.expect("accepted").into_inner();
    assert_eq!(answer.origin(), Origin::Created);
    let job = answer.job.expect("always set");
    assert_eq!((job.state(), job.legs.len()), (v1::job::State::Open, 1));
    assert_eq!(job.mailbox, "user@example.test");
    let joined = client.submit_validation(submission(pop3_request(&server))).await;
    assert_eq!(joined.expect("accepted").into_inner().origin(), Origin::Joined);
    let mut stream = client.validate(pop3_request(&server)).await.expect("joins").into_inner();
    assert_eq!(accepted(&mut stream).await.job_id, job.job_id);
    assert_eq!(report(stream).await.verdict(), Verdict::Healthy);

    let wrong = v1::ValidateRequest { cancel_on_disconnect: true, ..pop3_request(&server) };
    let refused = client.submit_validation(submission(wrong)).await.expect_err("nobody stays");
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_password_that_was_refused_for_good_is_not_tried_again_by_itself() {
    let server = mail(Server::pop3().at(Step::Login, Sim::Reply("-ERR [AUTH] no".into()))).await;
    let world = World::start(config()).await;
    let mut client = world.client().await;
    let first = client.validate(pop3_request(&server)).await.expect("accepted").into_inner();
    assert_eq!(report(first).await.faults[0].code(), Fault::AuthInvalidCredentials);
    let sessions = server.recorder().sessions().total;

    let asked = v1::ValidateRequest { language: "en".to_owned(), ..pop3_apart(&server, 59) };
    let mut stream = client.validate(asked).await.expect("no error").into_inner();
    let job = accepted(&mut stream).await.job_id;
    let kept = report(stream).await;
    assert_eq!((kept.job_id.as_str(), kept.verdict()), (job.as_str(), Verdict::Faulty));
    let fault = kept.faults.first().expect("a fault");
    assert_eq!(fault.code(), Fault::AttemptBudgetExhausted);
    let remedy = fault.remedy.as_ref().expect("a language was given");
    let told = remedy.what_to_do.join(" ");
    assert!(told.contains("15 min"), "{told}");
    assert_eq!(server.recorder().sessions().total, sessions, "nothing was connected to");

    let refused = client.submit_validation(submission(pop3_request(&server))).await;
    let refused = refused.expect_err("nothing is stored");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason(&refused), "ATTEMPT_BUDGET_EXHAUSTED");
    let delay = refused.get_error_details().retry_info().and_then(|info| info.retry_delay);
    assert!(delay.is_some_and(|delay| delay > Duration::from_secs(800)), "{delay:?}");

    let other = v1::ValidateRequest { login: Some(login("another")), ..pop3_request(&server) };
    let tried = client.validate(other).await.expect("accepted").into_inner();
    assert_eq!(report(tried).await.faults[0].code(), Fault::AuthInvalidCredentials);
    assert!(sessions < server.recorder().sessions().total, "another password is tried");
}

#[tokio::test]
async fn a_host_without_an_address_is_told_by_its_leg_and_the_other_one_is_run() {
    let (pop3, smtp) = (mail(Server::pop3()).await, mail(Server::smtp()).await);
    let world = World::start(config()).await;
    let mut asked = both_request(&pop3, &smtp);
    let endpoint = asked.incoming[0].endpoint.as_mut().expect("an endpoint");
    endpoint.host = "nowhere.example.test".to_owned();
    let stream = world.client().await.validate(asked).await.expect("accepted").into_inner();
    let report = report(stream).await;
    assert_eq!(report.faults[0].code(), Fault::HostNotFound);
    seen(&smtp, "QUIT").await;
    assert_eq!(report.legs.len(), 2);
}

#[tokio::test]
async fn a_test_mail_is_sent_looked_for_and_found() {
    let estate = Arc::new(Estate::new(Delivery::default()));
    let (imap, smtp) = (
        mail(Server::imap().estate(Arc::clone(&estate))).await,
        mail(Server::smtp().estate(estate)).await,
    );
    let world = World::start(config()).await;
    let asked = test_mail_request(&imap, &smtp);
    let stream = world.client().await.validate(asked).await.expect("accepted").into_inner();
    let report = report(stream).await;
    assert_eq!(report.verdict(), Verdict::Healthy, "{:?}", report.faults);
    assert_eq!(report.legs.len(), 3, "incoming, outgoing, arrival");
    assert_eq!(report.arrival.expect("it was looked for").folder, "INBOX");
    assert_eq!(smtp.recorder().mails(), 1);
}
