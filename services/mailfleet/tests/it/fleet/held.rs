//! What the fleet counts as its own wait, and what as the mail server's: legs that wait in the
//! store for the window of their group, as the gateway's metrics tell it.

use std::time::{Duration, SystemTime};

use mailfleet_api::v1;
use mailfleet_api::v1::job_leg;
use mailfleet_api::v1::job_service_client::JobServiceClient;
use mailfleet_api::v1::validation_service_client::ValidationServiceClient;

use super::ground::{CRM, Ground, Size, USUAL, as_tenant};
use super::lab::Use;
use super::mail::{Estates, PASSWORD, mailbox};
use super::process::{PATIENCE, Role, eventually};

/// One session at each mail server, so that one leg runs, one waits for it at the owner, and
/// others wait in the store.
const NARROW: Size = Size {
    n_gateways: 1,
    n_workers: 1,
    limit: 1,
    mail: Estates { n_pairs: 2, n_mailboxes: 3, login: Duration::from_secs(4) },
    ..USUAL
};

/// Longer than all that else happens to a leg until it starts, and shorter than a login.
const WHILE: Duration = Duration::from_secs(1);

/// Has one of the mailboxes of a pair checked, as far as mail comes in; the job's name.
async fn submit(ground: &Ground, pair: usize, number: usize) -> String {
    let whole = ground.mail.pairs[pair].request(&mailbox(pair, number), PASSWORD);
    let validation = v1::ValidateRequest { outgoing: None, ..whole };
    let message = v1::SubmitValidationRequest { validation: Some(validation) };
    let mut calls = ValidationServiceClient::new(ground.channels().remove(0));
    let answer = calls.submit_validation(as_tenant(CRM, message)).await.expect("accepted");
    answer.into_inner().job.expect("always set").name
}

async fn job(ground: &Ground, name: &str) -> v1::Job {
    let message = v1::GetJobRequest { name: name.to_owned(), ..v1::GetJobRequest::default() };
    let mut jobs = JobServiceClient::new(ground.channels().remove(0));
    let answer = jobs.get_job(as_tenant(CRM, message)).await.expect("it is there");
    answer.into_inner().job.expect("always set")
}

async fn cancel(ground: &Ground, name: &str) {
    let message = v1::CancelJobRequest { name: name.to_owned() };
    let mut jobs = JobServiceClient::new(ground.channels().remove(0));
    jobs.cancel_job(as_tenant(CRM, message)).await.expect("cancelled");
}

/// Waits until the only leg of a job has been in a state for so long.
async fn in_state(ground: &Ground, name: &str, state: job_leg::State, age: Duration) {
    eventually(&format!("{name} is {state:?} for {age:?}"), PATIENCE, || async {
        let leg = job(ground, name).await.legs.remove(0);
        let since = SystemTime::try_from(leg.state_time.expect("always set")).expect("a time");
        leg.state() == state && age <= since.elapsed().unwrap_or_default()
    })
    .await;
}

async fn done(ground: &Ground, name: &str) {
    eventually(&format!("{name} is done"), PATIENCE, || async {
        job(ground, name).await.state() == v1::job::State::Done
    })
    .await;
}

/// How many jobs have started late or early, by what held them back: as the objective counts.
async fn starts(ground: &Ground) -> Vec<(String, u64)> {
    let metrics = ground.gateways[0].metrics().await;
    let lines = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix("mailfleet_job_queue_duration_seconds_count{")?;
        let (labels, count) = rest.split_once("} ")?;
        let by = labels.split("mailfleet_held_by=\"").nth(1)?.split('"').next()?;
        Some((by.to_owned(), count.parse().ok()?))
    });
    let mut starts: Vec<_> = lines.collect();
    starts.sort();
    starts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_the_window_is_the_mail_servers() {
    let Some(ground) = Ground::start(NARROW, Use::Shared).await else { return };
    let first = submit(&ground, 0, 0).await;
    ground.busy(1).await;
    let second = submit(&ground, 0, 1).await;
    in_state(&ground, &second, job_leg::State::Published, Duration::ZERO).await;
    let third = submit(&ground, 0, 2).await;
    in_state(&ground, &third, job_leg::State::Ready, WHILE).await;
    // There is room at the other mail server.
    let other = submit(&ground, 1, 0).await;
    // Both are out of its way: the third one finds a free session as soon as it is out.
    cancel(&ground, &first).await;
    cancel(&ground, &second).await;
    done(&ground, &third).await;
    done(&ground, &other).await;
    let expect = [("NONE".to_owned(), 1), ("SESSIONS".to_owned(), 1)];
    assert_eq!(starts(&ground).await, expect);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_a_worker_is_the_fleets_however_full_the_window_is() {
    let mail = Estates { login: Duration::from_millis(40), ..NARROW.mail };
    let size = Size { mail, ..NARROW };
    let Some(mut ground) = Ground::prepare(size, Use::Shared).await else { return };
    ground.add(Role::Gateway).await;
    let mut jobs = Vec::new();
    for number in 0..3 {
        jobs.push(submit(&ground, 0, number).await);
    }
    in_state(&ground, &jobs[2], job_leg::State::Ready, WHILE).await;
    ground.add(Role::Worker).await;
    for name in &jobs {
        done(&ground, name).await;
    }
    assert_eq!(starts(&ground).await, [("NONE".to_owned(), 3)]);
}
