//! The stream of one call: its order, its errors, its deadline.

use std::time::Duration;

use mailfleet_api::v1::report::Verdict;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::{self, fault, step, step_event};
use mailfleet_mailsim::{Fault, Server, Step};
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::calls::{both_request, mail, next, pop3_request, report, request};
use crate::world::{World, config};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn acceptance_comes_first_then_steps_then_the_report() {
    let (pop3, smtp) = (mail(Server::pop3()).await, mail(Server::smtp()).await);
    let world = World::start(config()).await;
    let mut call = Request::new(v1::ValidateRequest {
        request_id: "0d4f1f0c-9f4c-4b4e-8d7e-3d6a2f1b9c10".to_owned(),
        ..both_request(&pop3, &smtp)
    });
    call.metadata_mut().insert("traceparent", PARENT.parse().expect("a header"));
    let response = world.client().await.validate(call).await.expect("accepted");
    let trace = "0af7651916cd43dd8448eb211c80319c";
    assert_eq!(response.metadata().get("trace-id").expect("a trace id"), trace);
    let mut stream = response.into_inner();

    let Event::Accepted(accepted) = next(&mut stream).await else { panic!("not accepted first") };
    assert_eq!(accepted.trace_id, trace);
    assert_eq!(accepted.request_id, "0d4f1f0c-9f4c-4b4e-8d7e-3d6a2f1b9c10");
    let mut finished = Vec::new();
    let report = loop {
        match next(&mut stream).await {
            Event::Step(event) => {
                if let Some(step_event::Event::Finished(step)) = event.event {
                    finished.push(step.kind());
                }
            }
            Event::Report(report) => break report,
            Event::Accepted(_) => panic!("accepted twice"),
        }
    };
    assert!(finished.contains(&step::Kind::Login), "{finished:?}");
    assert!(stream.message().await.expect("no error").is_none(), "the report is the last");
    assert_eq!(report.verdict(), Verdict::Healthy, "{:?}", report.faults);
    assert_eq!((report.job_id, report.trace_id.as_str()), (accepted.job_id, trace));
    assert_eq!(report.legs.len(), 2);
}

#[tokio::test]
async fn remedies_come_in_the_language_that_was_asked_for() {
    let pop3 = mail(Server::pop3().at(Step::Login, Fault::Reply("-ERR [AUTH] no".into()))).await;
    let world = World::start(config()).await;
    let asked = v1::ValidateRequest { language: "ja".to_owned(), ..pop3_request(&pop3) };
    let stream = world.client().await.validate(asked).await.expect("accepted").into_inner();
    let report = report(stream).await;
    let fault = report.faults.first().expect("the login was refused");
    assert_eq!(fault.code(), fault::Code::AuthInvalidCredentials);
    let remedy = fault.remedy.as_ref().expect("a language was given");
    assert_eq!(remedy.language, "ja");
    assert!(!remedy.title.is_ascii() && !remedy.what_to_do.is_empty(), "{remedy:?}");
}

#[tokio::test]
async fn a_bad_request_lists_every_bad_field() {
    let world = World::start(config()).await;
    let bad = v1::ValidateRequest {
        address: "nobody".to_owned(),
        budget: Some(Duration::ZERO.try_into().expect("a span of time")),
        ..request()
    };
    let status = world.client().await.validate(bad).await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let fields = &details.bad_request().expect("a list").field_violations;
    let fields: Vec<&str> = fields.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, ["address", "incoming", "budget"]);
    assert_eq!(details.error_info().expect("a reason").domain, "mailfleet");
}

#[tokio::test]
async fn the_report_comes_before_the_callers_deadline() {
    let pop3 = mail(Server::pop3().at(Step::Greeting, Fault::Silent)).await;
    let world = World::start(config()).await;
    let mut call = Request::new(pop3_request(&pop3));
    let deadline = Duration::from_secs(5);
    call.set_timeout(deadline);
    let began = std::time::Instant::now();
    let stream = world.client().await.validate(call).await.expect("accepted").into_inner();
    let report = report(stream).await;
    assert!(began.elapsed() < deadline, "it took {:?}", began.elapsed());
    assert_ne!(report.verdict(), Verdict::Healthy);
}
