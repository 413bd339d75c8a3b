//! More callers than places: at a mail server, and in a tenant's quota.

use std::num::NonZeroU32;
use std::time::Duration;

use mailfleet_api::v1::report::Verdict;
use mailfleet_api::v1::{self, fault};
use mailfleet_gateway::{Config, TenantQuota, Tenants};
use mailfleet_mailsim::{Fault, Running, Server, Step, What};
use mailfleet_model::fleet::{GroupKey, GroupLimits};
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::calls::{accepted, mail, pop3_apart, pop3_request, reason, report, seen};
use crate::world::{World, config, narrow};

#[tokio::test]
async fn whoever_has_too_many_open_jobs_is_told_when_to_come_back() {
    let server = mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_secs(1)))).await;
    let quota = TenantQuota { interactive: 1, ..TenantQuota::default() };
    let world = World::with(config(), Tenants::local(quota)).await;
    let mut client = world.client().await;
    let first = client.validate(pop3_request(&server)).await.expect("accepted").into_inner();
    seen(&server, "STAT").await;
    let asked = v1::ValidateRequest { language: "ja".to_owned(), ..pop3_apart(&server, 59) };
    let refused = client.validate(asked).await.expect_err("there is no place");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(reason(&refused), "TOO_MANY_JOBS");
    let details = refused.get_error_details();
    let delay = details.retry_info().expect("a time").retry_delay;
    assert_eq!(delay, Some(Duration::from_secs(5)));
    assert_eq!(details.localized_message().expect("a text").locale, "ja");

    assert_eq!(report(first).await.verdict(), Verdict::Healthy);
    let again = client.validate(pop3_apart(&server, 59)).await.expect("the place is free again");
    assert_eq!(report(again.into_inner()).await.verdict(), Verdict::Healthy);
}

#[tokio::test]
async fn whoever_submits_too_fast_is_told_to_slow_down() {
    let server = mail(Server::pop3()).await;
    let quota = TenantQuota { per_minute: 2, ..TenantQuota::default() };
    let world = World::with(config(), Tenants::local(quota)).await;
    let mut client = world.client().await;
    for budget in [50, 51] {
        client.validate(pop3_apart(&server, budget)).await.expect("accepted");
    }
    let refused = client.validate(pop3_apart(&server, 52)).await.expect_err("too fast");
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::ResourceExhausted, "TOO_MANY_SUBMISSIONS")
    );
    let details = refused.get_error_details();
    let delay = details.retry_info().and_then(|info| info.retry_delay).expect("a time");
    assert!(Duration::from_secs(25) < delay && delay <= Duration::from_secs(30), "{delay:?}");
}

#[tokio::test]
async fn what_nobody_has_to_wait_for_is_on_its_way_with_its_acceptance() {
    let server = mail(Server::pop3()).await;
    let world = World::start(config()).await;
    let check = async |place| {
        let asked = pop3_apart(&server, place);
        let stream = world.client().await.validate(asked).await.expect("accepted").into_inner();
        assert_eq!(report(stream).await.verdict(), Verdict::Healthy);
    };
    check(50).await;
    let of_a_new_server = world.ground.store.dispatches();
    assert!(0 < of_a_new_server, "its group was not there to be locked");
    for place in 51..54 {
        check(place).await;
    }
    assert_eq!(world.ground.store.dispatches(), of_a_new_server);
}

#[tokio::test]
async fn whoever_waits_for_a_mail_server_is_served_in_turn() {
    served_in_turn(narrow()).await;
}

#[tokio::test]
async fn a_mail_server_with_limits_of_its_own_in_the_configuration_is_kept_to_them() {
    let mut config = config();
    let key = GroupKey::new("pop3:127.0.0.1").expect("a key");
    let limits = GroupLimits { concurrency: NonZeroU32::MIN, ..config.limits };
    config.group_limits.insert(key, limits);
    served_in_turn(config).await;
}

async fn served_in_turn(config: Config) {
    let server =
        mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_millis(300)))).await;
    let world = World::start(config).await;
    let mut client = world.client().await;
    let mut calls = Vec::new();
    for budget in 50..54 {
        let call = client.validate(pop3_apart(&server, budget)).await;
        calls.push(report(call.expect("accepted").into_inner()));
    }
    let reports = futures::future::join_all(calls).await;
    assert!(reports.iter().all(|report| report.verdict() == Verdict::Healthy), "{reports:?}");
    assert!(opened_after_goodbye(&server), "{}", server.recorder().lines());
}

/// Whether every session began only after the one before it had said QUIT.
fn opened_after_goodbye(server: &Running) -> bool {
    let events = server.recorder().events();
    let place = |session: u64, is: fn(&What) -> bool| {
        events.iter().position(|event| event.session == session && is(&event.what))
    };
    let goodbye = |what: &What| matches!(what, What::Command { line } if line == "QUIT");
    let opened = |what: &What| matches!(what, What::Opened { .. });
    (1..4).all(|session| {
        let said = place(session, goodbye);
        said.is_some() && said < place(session + 1, opened)
    })
}

#[tokio::test]
async fn a_deadline_that_passes_in_the_queue_is_ours_to_answer_for() {
    let slow = mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_secs(5)))).await;
    let world = World::start(narrow()).await;
    let mut client = world.client().await;
    let mut first = client.validate(pop3_request(&slow)).await.expect("accepted").into_inner();
    accepted(&mut first).await;
    seen(&slow, "STAT").await;
    let mut call = Request::new(pop3_apart(&slow, 50));
    call.set_timeout(Duration::from_secs(1));
    let report = report(client.validate(call).await.expect("may wait").into_inner()).await;
    assert_eq!(report.faults[0].code(), fault::Code::CapacityLimit);
    assert_eq!(report.verdict(), Verdict::Inconclusive);
    assert_eq!(slow.recorder().sessions().total, 1, "the second one never connected");
}
