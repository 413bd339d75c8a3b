//! Trouble of ours: it stands in the leg's report and ends nothing else.

use std::sync::atomic::Ordering;
use std::time::SystemTime;

use mailfleet_api::order::leg_result;
use mailfleet_mailsim::Server;
use mailfleet_model::fleet::LegEnd;
use mailfleet_model::{FactKind, FaultCode, Leg};
use mailfleet_vault::KeyRing;
use mailfleet_worker::UnsealFailures;

use crate::order::Sent;
use crate::spy::{Spied, Spy};
use crate::world::{World, alone, mail, name, no_pool};

/// The one fault of a leg, and its note.
fn fault(end: &LegEnd) -> (FaultCode, Option<String>) {
    let report = leg_result(&end.report).expect("our own report");
    let [fault] = report.faults.as_slice() else { panic!("{:?}", report.faults) };
    assert_eq!(end.summary.code, Some(fault.code));
    (fault.code, fault.evidence.fact(FactKind::Note).map(str::to_owned))
}

#[tokio::test]
async fn a_credential_that_cannot_be_opened_is_a_fault_with_its_reason() {
    let server = mail(Server::imap(), &["user@example.test"]).await;
    let world = World::new(10).await;
    let worker = world.worker().await;
    let stranger = KeyRing::generate(SystemTime::UNIX_EPOCH);
    let sent = |job| Sent::to(&server, job);
    let messages = [
        sent(1).changed(&world, &stranger, |_| {}),
        sent(2).changed(&world, &world.keys, |order| {
            *order.sealed.last_mut().expect("not empty") ^= 1;
        }),
        Sent { credential_version: 2, ..sent(3) }.message(&world),
        sent(4).changed(&world, &world.keys, |order| order.endpoint.port = 1),
        sent(5).changed(&world, &world.keys, |order| order.sealed.clear()),
    ];
    let words = ["that the worker does not have", "damaged", "another use", "another use", "no"];
    for (message, word) in messages.iter().zip(words) {
        world.publish(message).await;
        let end = world.until(|seen| seen.end(message.leg)).await;
        let (code, note) = fault(&end);
        assert_eq!(code, FaultCode::CredentialUnsealFailed);
        assert!(note.as_ref().is_some_and(|note| note.contains(word)), "{note:?} {word}");
    }
    let expect = UnsealFailures { unknown_key: 1, wrong_use: 2, damaged: 2 };
    assert_eq!(worker.health.unseal_failures(), expect);
    assert_eq!(server.recorder().sessions().total, 0);
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_a_fault_of_ours() {
    let server = mail(Server::imap(), &["user@example.test"]).await;
    let world = World::new(10).await;
    let _worker = world.worker().await;
    let message = Sent::to(&server, 1).garbled(&world);
    world.publish(&message).await;
    let end = world.until(|seen| seen.end(message.leg)).await;
    let (code, note) = fault(&end);
    assert_eq!(code, FaultCode::Unknown);
    assert!(note.is_some_and(|note| note.contains("payload")));
    assert_eq!(leg_result(&end.report).expect("a report").leg, Leg::Imap);
}

#[tokio::test]
async fn an_unknown_pool_is_never_replaced_by_another_way_out() {
    let server = mail(Server::imap(), &["user@example.test"]).await;
    let world = World::new(10).await;
    let _worker = world.worker().await;
    let leg = Sent { pool: "elsewhere", ..Sent::to(&server, 1) }.send(&world).await;
    let end = world.until(|seen| seen.end(leg)).await;
    assert_eq!(fault(&end).0, FaultCode::EgressPoolEmpty);
    assert_eq!(server.recorder().sessions().total, 0);
}

#[tokio::test]
async fn a_leg_that_panics_ends_in_a_report_and_the_worker_goes_on() {
    let server = mail(Server::imap(), &["user@example.test"]).await;
    let world = World::new(10).await;
    let spy = Spy::on(world.hub.worker(name("worker-1")));
    let _worker = world.start(alone("worker-1"), Spied(spy.clone()), no_pool()).await;
    spy.panics.store(true, Ordering::SeqCst);
    let leg = Sent { watched: true, ..Sent::to(&server, 1) }.send(&world).await;
    let end = world.until(|seen| seen.end(leg)).await;
    assert_eq!(fault(&end).0, FaultCode::Unknown);
    spy.panics.store(false, Ordering::SeqCst);
    let leg = Sent { watched: true, ..Sent::to(&server, 2) }.send(&world).await;
    let end = world.until(|seen| seen.end(leg)).await;
    assert_eq!(end.summary.code, None);
}
