//! The two legs of a job at two workers.

use std::time::Duration;

use mailfleet_api::order::{Pair, leg_result};
use mailfleet_mailsim::{Event, Running as MailServer, Server, Step, What};
use mailfleet_model::FaultCode;
use mailfleet_model::fleet::{PeerSide, PeerWord};
use mailfleet_model::leg::{IncomingPlan, LegPlan, LoginOutcome, OutgoingPlan};

use crate::order::{Sent, group_of, shard};
use crate::world::{World, mail};

const MAILBOX: [&str; 1] = ["user@example.test"];

/// Refuses slowly, as servers do, so that the outgoing leg reaches its login first.
fn slow() -> Server {
    Server::imap().latency(Step::Login, Duration::from_millis(500))
}

fn test_mail() -> LegPlan {
    let to = MAILBOX[0].parse().expect("an address");
    LegPlan::Outgoing(OutgoingPlan::TestMail { to, token: "0123456789abcdef".to_owned() })
}

fn same_login(incoming: &MailServer, outgoing: &MailServer) -> [Sent; 2] {
    let password = "wrong";
    [
        Sent { password, pair: Pair::IncomingSameLogin, ..Sent::to(incoming, 1) },
        Sent { password, pair: Pair::OutgoingSameLogin, ..Sent::out(outgoing, 1) },
    ]
}

#[tokio::test]
async fn over_two_workers_a_wrong_password_is_tried_once() {
    let (imap, smtp) = (mail(slow(), &MAILBOX).await, mail(Server::smtp(), &MAILBOX).await);
    let world = World::new(10).await;
    let [first, second] = [&imap, &smtp].map(|server| shard(&group_of(server)));
    let _workers = world.two(first, second).await;
    let [incoming, outgoing] = same_login(&imap, &smtp);
    outgoing.send(&world).await;
    incoming.send(&world).await;
    let refused = world.until(|seen| seen.end(incoming.leg)).await;
    assert_eq!(refused.summary.login, LoginOutcome::RefusedDefinitively);
    let kept = world.until(|seen| seen.end(outgoing.leg)).await;
    let report = leg_result(&kept.report).expect("our own report");
    let codes: Vec<FaultCode> = report.faults.iter().map(|fault| fault.code).collect();
    assert_eq!(
        (codes.as_slice(), report.login),
        ([FaultCode::LegNotTried].as_slice(), LoginOutcome::NotTried)
    );
    assert_eq!(imap.recorder().credentials() + smtp.recorder().credentials(), 1);
    let words = world.now(|seen| seen.words.clone());
    let answer = PeerWord::LoginAnswered(refused.summary.login, refused.summary.code);
    assert_eq!(words, [(PeerSide::Incoming, answer)], "and nothing more is said");
}

#[tokio::test]
async fn in_one_process_a_wrong_password_is_tried_once_without_a_word() {
    let (imap, smtp) = (mail(slow(), &MAILBOX).await, mail(Server::smtp(), &MAILBOX).await);
    let world = World::new(10).await;
    let _worker = world.worker().await;
    let legs = same_login(&imap, &smtp);
    for sent in &legs {
        sent.send(&world).await;
    }
    for sent in &legs {
        world.until(|seen| seen.end(sent.leg)).await;
    }
    assert_eq!(imap.recorder().credentials() + smtp.recorder().credentials(), 1);
    assert!(world.now(|seen| seen.words.is_empty()));
}

fn last(server: &MailServer, wanted: impl Fn(&What) -> bool) -> u64 {
    let events: Vec<Event> = server.recorder().events();
    let found = events.iter().rfind(|event| wanted(&event.what));
    found.unwrap_or_else(|| panic!("{events:?}")).at_us
}

#[tokio::test]
async fn over_two_workers_the_test_mail_waits_for_the_marks() {
    let (imap, smtp) = (mail(slow(), &MAILBOX).await, mail(Server::smtp(), &MAILBOX).await);
    let world = World::new(10).await;
    let [first, second] = [&imap, &smtp].map(|server| shard(&group_of(server)));
    let _workers = world.two(first, second).await;
    let plan = LegPlan::Incoming(IncomingPlan::OpenAndMark);
    let incoming = Sent { plan, pair: Pair::Incoming, ..Sent::to(&imap, 1) };
    let (plan, budget) = (test_mail(), Duration::from_secs(60));
    let outgoing = Sent { plan, budget, pair: Pair::Outgoing, ..Sent::out(&smtp, 1) };
    outgoing.send(&world).await;
    incoming.send(&world).await;
    let sent = world.until(|seen| seen.end(outgoing.leg)).await;
    assert_eq!(sent.summary.code, None);
    let looks = |what: &What| matches!(what, What::Command { line } if line.starts_with("EXAMINE"));
    let marked = last(&imap, looks);
    let mailed = last(&smtp, |what| matches!(what, What::Mail { .. }));
    assert!(marked < mailed, "{marked} {mailed}");
    assert_eq!(world.now(|seen| seen.words.clone()), [(PeerSide::Incoming, PeerWord::MarksTaken)]);
}
