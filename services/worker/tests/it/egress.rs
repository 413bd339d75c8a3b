//! Legs leave from their pool's addresses, and a mailbox keeps its own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mailfleet_mailsim::{Server, What};
use mailfleet_probe::dial::source_for;
use mailfleet_worker::{Error, Worker};
use tokio_util::sync::CancellationToken;

use crate::order::Sent;
use crate::world::{World, alone, mail, name, pools};

const ADDRESSES: [&str; 3] = ["127.0.0.31", "127.0.0.32", "127.0.0.33"];
const MAILBOXES: [&str; 6] = [
    "a@example.test",
    "b@example.test",
    "c@example.test",
    "d@example.test",
    "e@example.test",
    "f@example.test",
];

#[tokio::test]
async fn a_mailbox_leaves_from_one_address_of_its_pool() {
    let server = mail(Server::imap(), &MAILBOXES).await;
    let world = World::new(10).await;
    let queue = world.hub.worker(name("worker-1"));
    let pools = pools(&[("static", &ADDRESSES), ("default", &[])]);
    let _worker = world.start(alone("worker-1"), queue, pools).await;
    for round in 0..3 {
        for (number, mailbox) in (0..).zip(MAILBOXES) {
            let sent = Sent { mailbox, pool: "static", ..Sent::to(&server, round * 10 + number) };
            sent.send(&world).await;
        }
    }
    world.until(|seen| (seen.n_ended() == 3 * MAILBOXES.len()).then_some(())).await;
    let mut used: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for event in server.recorder().events() {
        if let What::Credential { user, .. } = event.what {
            used.entry(user).or_default().insert(event.peer.ip());
        }
    }
    let pool: Vec<IpAddr> = ADDRESSES.map(name).into();
    for mailbox in MAILBOXES {
        let expect: BTreeSet<IpAddr> = source_for(mailbox, &pool).into_iter().collect();
        assert_eq!(used.get(mailbox), Some(&expect), "{mailbox}");
    }
    let all: BTreeSet<&IpAddr> = used.values().flatten().collect();
    assert!(1 < all.len(), "the mailboxes are spread");
}

#[tokio::test]
async fn a_worker_without_its_addresses_does_not_start() {
    let world = World::new(10).await;
    let pools = pools(&[("static", &["203.0.113.5", "127.0.0.31", "203.0.113.6"])]);
    let config = alone("worker-1");
    let queue = world.hub.worker(config.worker.clone());
    let worker = Worker::new(config, queue, world.runner(pools));
    let error = worker.run(CancellationToken::new()).await.expect_err("two are missing");
    let Error::Egress(missing) = &error;
    assert_eq!(missing.len(), 2);
    let text = error.to_string();
    assert!(text.contains("203.0.113.5 (pool static), 203.0.113.6 (pool static)"), "{text}");
    assert!(world.now(|seen| seen.announced.is_empty()), "nothing was connected");
}
