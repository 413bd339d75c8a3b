//! A mail server's limit holds, and an operator's pause too.

use std::time::Duration;

use mailfleet_api::order::held_by;
use mailfleet_mailsim::{Running as MailServer, Server, Step, What};
use mailfleet_model::fleet::{Control, GroupSettings, Hold, Payload};

use crate::order::{Sent, group_of};
use crate::world::{World, alone, group, limits, mail, name, pools};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_legs_from_two_pools_keep_to_one_limit() {
    let mailboxes: Vec<&'static str> =
        (0..50).map(|n| &*Box::leak(format!("user{n}@example.test").into_boxed_str())).collect();
    let slow = Server::imap().latency(Step::Login, Duration::from_millis(30));
    let server = mail(slow, &mailboxes).await;
    let world = World::new(3).await;
    let pools = pools(&[("a", &["127.0.0.21"]), ("b", &["127.0.0.22"])]);
    let queue = world.hub.worker(name("worker-1"));
    let _worker = world.start(alone("worker-1"), queue, pools).await;
    for (number, mailbox) in (0..).zip(&mailboxes) {
        let pool = if number % 2 == 0 { "a" } else { "b" };
        Sent { mailbox, pool, ..Sent::to(&server, number) }.send(&world).await;
    }
    world.until(|seen| (seen.n_ended() == 50).then_some(())).await;
    let failed = world.now(|seen| {
        let codes = (0..50).map(|n| seen.end(crate::order::leg_id(n, 0)));
        codes.flatten().filter_map(|end| end.summary.code).collect::<Vec<_>>()
    });
    assert_eq!(failed, []);
    // Most had to wait for a session, and say so to whoever counts how long they took to start.
    let held = world.now(|seen| {
        let ends = (0..50).filter_map(|n| seen.end(crate::order::leg_id(n, 0)));
        ends.map(|end| said(&end.report)).collect::<Vec<_>>()
    });
    assert!(held.iter().all(|by| matches!(by, None | Some(Hold::Sessions))), "{held:?}");
    assert!(25 < held.iter().flatten().count(), "{held:?}");
    assert_eq!((server.recorder().sessions().total, most_at_once(&server)), (50, 3));
    assert!(server.recorder().by_address().iter().all(|(_, gauge)| gauge.total == 25));
}

/// What a leg mostly waited for.
fn said(report: &Payload) -> Option<Hold> {
    held_by(report).map(|(by, _)| by)
}

/// Most sessions that had not yet taken leave. A session that has is over for its leg,
/// while the server may be slow to notice.
fn most_at_once(server: &MailServer) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for event in server.recorder().events() {
        match event.what {
            What::Opened { .. } => open += 1,
            What::Command { line } if line == "LOGOUT" => open -= 1,
            _ => {}
        }
        most = most.max(open);
    }
    assert_eq!((open, server.recorder().dropped()), (0, 0), "every event was kept");
    most
}

#[tokio::test]
async fn a_paused_group_waits_until_it_is_let_go() {
    let server = mail(Server::imap(), &["user@example.test"]).await;
    let paused = GroupSettings {
        group: group(&group_of(&server)),
        limits: limits(10),
        paused: true,
        version: 1,
    };
    let world = World::with(limits(10), vec![paused.clone()]).await;
    let _worker = world.worker().await;
    let held = Sent::to(&server, 1).send(&world).await;
    // Another group is not held up: once its leg has ended, the first one had its chance.
    let other = mail(Server::pop3(), &["user@example.test"]).await;
    let free = Sent::to(&other, 2).send(&world).await;
    world.until(|seen| seen.end(free)).await;
    assert!(world.now(|seen| seen.end(held).is_none()));
    assert_eq!(server.recorder().sessions().total, 0);
    world.say(Control::Settings(vec![GroupSettings { paused: false, version: 2, ..paused }])).await;
    let end = world.until(|seen| seen.end(held)).await;
    assert_eq!(said(&end.report), Some(Hold::Paused));
    assert_eq!(world.now(|seen| seen.end(free)).and_then(|end| said(&end.report)), None);
}
