//! What keeps a batch from locking people out.

use mailfleet_api::v1;
use mailfleet_api::v1::batch::State;
use mailfleet_api::v1::batch_pause::Cause;
use mailfleet_mailsim::{Server, Step};

use super::{address, begin, items, leg, mail, reaches, refusal, results, settings};
use crate::world::{Ground, World, config, everybody};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_refusals_pauses_the_batch_with_its_evidence() {
    let world = World::start(config()).await;
    let server = mail(Server::pop3().at(Step::Login, refusal()), 30).await;
    let settings = v1::BatchSettings { stop_when: Some(5), ..settings(&server) };
    let name = begin(&world, settings, items(0..30)).await;
    let paused = reaches(&world, &name, State::Paused).await;
    let pause = paused.pause.expect("a reason");
    assert_eq!(pause.cause(), Cause::Guard);
    assert_eq!(pause.reason, "5 logins in a row were refused for good");
    assert_eq!(pause.evidence.len(), 5);
    for item in &pause.evidence {
        assert_eq!(item.code(), v1::fault::Code::AuthInvalidCredentials);
        assert!(item.job.starts_with("jobs/"));
    }
    // Three canaries, then one by one.
    assert_eq!(server.recorder().credentials(), 5);
    let counts = paused.counts.expect("counts");
    assert_eq!((counts.faulty, counts.held, counts.total), (5, 25, 30));

    let lifted = v1::ResumeBatchRequest { name: name.clone(), lift_guard: true };
    world.batches().await.resume_batch(lifted).await.expect("it was paused");
    let done = reaches(&world, &name, State::Done).await;
    assert_eq!(done.counts.expect("counts").faulty, 30);
    assert_eq!(server.recorder().credentials(), 30, "each password once");
}

#[tokio::test(flavor = "multi_thread")]
async fn canaries_go_ahead_and_free_the_rest() {
    let world = World::start(config()).await;
    let server = mail(Server::pop3(), 40).await;
    let name = begin(&world, settings(&server), items(0..40)).await;
    let done = reaches(&world, &name, State::Done).await;
    assert_eq!(done.counts.expect("counts").healthy, 40);
    let ends = results(&world, &name).await;
    let mut times: Vec<_> = ends
        .iter()
        .map(|item| {
            let time = item.end_time.expect("it ended");
            ((time.seconds, time.nanos), item.position)
        })
        .collect();
    times.sort_unstable();
    assert!(times[0].1 <= 3, "a canary ended first: {:?}", &times[..3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outgoing_leg_keeps_back_what_the_incoming_one_was_refused() {
    let world = World::start(config()).await;
    let incoming = mail(Server::pop3().at(Step::Login, refusal()), 2).await;
    let outgoing = mail(Server::smtp(), 2).await;
    let settings = v1::BatchSettings {
        outgoing: Some(leg(&outgoing, v1::endpoint::Protocol::Smtp)),
        ..settings(&incoming)
    };
    let name = begin(&world, settings, items(0..2)).await;
    reaches(&world, &name, State::Done).await;
    assert_eq!(incoming.recorder().credentials(), 2);
    assert_eq!(outgoing.recorder().sessions().total, 0, "nobody called there");
    for item in results(&world, &name).await {
        assert_eq!(item.code(), v1::fault::Code::AuthInvalidCredentials);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_batches_try_a_refused_password_once() {
    let ground = Ground::new(config()).await;
    let _worker = ground.worker();
    let (one, other) = (ground.gateway(everybody()).await, ground.gateway(everybody()).await);
    let server = mail(Server::pop3().at(Step::Login, refusal()), 8).await;
    let settings = v1::BatchSettings { stop_when: Some(0), ..settings(&server) };
    let first = begin(&one, settings.clone(), items(0..8)).await;
    let second = begin(&other, settings, items(0..8)).await;
    reaches(&one, &first, State::Done).await;
    reaches(&one, &second, State::Done).await;
    assert_eq!(server.recorder().credentials(), 8);
    let all = [results(&one, &first).await, results(&other, &second).await].concat();
    let refused = all.iter().filter(|item| item.code() == v1::fault::Code::AuthInvalidCredentials);
    assert_eq!(refused.count(), 8);
    let kept = all.iter().filter(|item| item.code() == v1::fault::Code::AttemptBudgetExhausted);
    assert_eq!(kept.count(), 8);
    assert!(all.iter().any(|item| item.address == address(7)));
}
