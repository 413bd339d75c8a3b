//! Batches that are watched, paused, cancelled, begun anew, and that leave others room.

use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::batch::State;
use mailfleet_mailsim::{Fault, Rule, Server, Step};
use tokio::time::timeout;
use tonic::Code;

use super::{begin, get, items, mail, reaches, results, settings};
use crate::calls::{last, pop3_request, reason};
use crate::world::{Ground, PATIENCE, World, config, everybody, narrow};

fn slow(pause: Duration) -> Server {
    Server::pop3().at(Step::Stat, Fault::Delay(pause))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_batch_is_told_to_its_end_and_goes_on_from_a_token() {
    let world = World::start(config()).await;
    let server = mail(Server::pop3(), 12).await;
    let name = begin(&world, settings(&server), items(0..12)).await;
    let watch = async |token: &str| {
        let asked = v1::WatchBatchRequest { name: name.clone(), watch_token: token.to_owned() };
        let mut client = world.batches().await;
        let mut stream = client.watch_batch(asked).await.expect("it is known").into_inner();
        let mut told = Vec::new();
        while let Some(news) =
            timeout(PATIENCE, stream.message()).await.expect("in time").expect("no error")
        {
            told.extend(news.batch);
        }
        told
    };
    let told = watch("").await;
    let end = told.last().expect("at least the end");
    assert_eq!((end.state(), end.counts.expect("counts").healthy), (State::Done, 12));
    assert!(watch(&end.watch_token).await.is_empty(), "nothing new");
    assert_eq!(watch("0000000000000000").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_batch_begins_nothing_and_goes_on_afterwards() {
    let world = World::start(narrow()).await;
    let server = mail(slow(Duration::from_millis(50)), 20).await;
    let name = begin(&world, settings(&server), items(0..20)).await;
    let mut client = world.batches().await;
    let pause = v1::PauseBatchRequest { name: name.clone(), reason: "lunch".to_owned() };
    let paused = client.pause_batch(pause.clone()).await.expect("it runs").into_inner();
    let pause_of = paused.batch.expect("a batch").pause.expect("a reason");
    assert_eq!(pause_of.reason, "lunch");
    client.pause_batch(pause).await.expect("twice is harmless");
    let resume = v1::ResumeBatchRequest { name: name.clone(), lift_guard: false };
    client.resume_batch(resume.clone()).await.expect("it is paused");
    reaches(&world, &name, State::Done).await;
    assert_eq!(server.recorder().credentials(), 20);
    let late = client.resume_batch(resume).await.expect_err("it has ended");
    assert_eq!((late.code(), reason(&late).as_str()), (Code::FailedPrecondition, "BATCH_STATE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_batch_ends_and_stays_so() {
    let world = World::start(narrow()).await;
    let server = mail(slow(Duration::from_secs(30)), 20).await;
    let name = begin(&world, settings(&server), items(0..20)).await;
    assert!(server.recorder().wait_until(PATIENCE, |r| r.credentials() == 1).await);
    let mut client = world.batches().await;
    let cancel = v1::CancelBatchRequest { name: name.clone() };
    client.cancel_batch(cancel.clone()).await.expect("it runs");
    let ended = reaches(&world, &name, State::Cancelled).await;
    assert_eq!(ended.counts.expect("counts").cancelled, 20);
    client.cancel_batch(cancel).await.expect("twice is harmless");
    let redrive = v1::RedriveBatchRequest { name: name.clone(), ..Default::default() };
    let refused = client.redrive_batch(redrive).await.expect_err("it was cancelled");
    assert_eq!(reason(&refused), "BATCH_STATE");
    assert_eq!(server.recorder().credentials(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_summed_up_and_begun_anew() {
    let world = World::start(config()).await;
    let broken = Fault::Reply("-ERR [SYS/PERM] the mailbox is damaged".to_owned());
    let server = Server::pop3().rule(Rule::new(Step::Stat, broken).first(4));
    let server = mail(server, 10).await;
    let name = begin(&world, settings(&server), items(0..10)).await;
    let done = reaches(&world, &name, State::Done).await;
    let counts = done.counts.expect("counts");
    assert_eq!((counts.healthy, counts.faulty), (6, 4), "{:?}", done.codes);
    let mut client = world.batches().await;
    let asked = v1::SummarizeBatchRequest { name: name.clone(), ..Default::default() };
    let summary = client.summarize_batch(asked).await.expect("it is known").into_inner();
    let [cause] = summary.causes.as_slice() else { panic!("one: {:?}", summary.causes) };
    assert_eq!((cause.domain.as_str(), cause.mailboxes, cause.troubled), ("example.test", 4, 4));
    assert_eq!(cause.examples.len(), 4);
    let languages: Vec<&str> = cause.remedies.iter().map(|r| r.language.as_str()).collect();
    assert_eq!(languages, ["en", "ja"]);
    let redrive =
        v1::RedriveBatchRequest { name: name.clone(), code: cause.code, ..Default::default() };
    let again = client.redrive_batch(redrive).await.expect("it is done").into_inner();
    assert_eq!(again.items, 4);
    let done = reaches(&world, &name, State::Done).await;
    assert_eq!(done.counts.expect("counts").healthy, 10);
    assert_eq!(results(&world, &name).await.iter().filter(|item| item.redrives == 1).count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_and_a_restart_run_each_item_once() {
    let ground = Ground::new(config()).await;
    let _worker = ground.worker();
    let (one, other) = (ground.gateway(everybody()).await, ground.gateway(everybody()).await);
    let server = mail(slow(Duration::from_millis(20)), 60).await;
    let name = begin(&one, settings(&server), items(0..60)).await;
    assert!(server.recorder().wait_until(PATIENCE, |r| r.credentials() > 5).await);
    one.stop().await.expect("no panic").expect("it drains");
    let done = reaches(&other, &name, State::Done).await;
    assert_eq!(done.counts.expect("counts").healthy, 60);
    assert_eq!(server.recorder().credentials(), 60);
    assert!(get(&other, &name).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_waits_is_not_held_up_by_a_batch() {
    let world = World::start(config()).await;
    let server = mail(slow(Duration::from_millis(100)), 100).await;
    let quick = crate::calls::mail(Server::pop3()).await;
    let name = begin(&world, settings(&server), items(0..100)).await;
    assert!(server.recorder().wait_until(PATIENCE, |r| r.credentials() > 5).await);
    // The same mail server as limits count it.
    let stream = world.client().await.validate(pop3_request(&quick)).await.expect("taken");
    last(stream.into_inner()).await;
    let batch = get(&world, &name).await.expect("it is known");
    assert!(20 < batch.counts.expect("counts").held + batch.counts.expect("counts").open);
    reaches(&world, &name, State::Done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_of_a_batch_share_its_looks() {
    let world = World::start(config()).await;
    let server = mail(Server::pop3(), 30).await;
    let name = begin(&world, settings(&server), items(0..30)).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let asked = v1::WatchBatchRequest { name: name.clone(), watch_token: String::new() };
        let stream = world.batches().await.watch_batch(asked).await.expect("it is known");
        streams.push(stream.into_inner());
    }
    let opened = world.ground.store.batch_looks();
    let mut told = 0;
    for stream in &mut streams {
        let mut last = None;
        while let Some(news) =
            timeout(PATIENCE, stream.message()).await.expect("in time").expect("no error")
        {
            told += u64::from(news.batch.is_some());
            last = news.batch.or(last);
        }
        assert_eq!(last.expect("at least one").state(), State::Done);
    }
    // Each of the twenty alone would have made a look for each thing that it was told.
    let looks = world.ground.store.batch_looks() - opened;
    assert!(looks * 4 < told.max(20), "{looks} looks for {told} messages");
}
