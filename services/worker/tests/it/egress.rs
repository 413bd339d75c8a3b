//! Legs leave from their pool's addresses, and a mailbox keeps its own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_mailsim::{Manner, Proxy, Server, Step, What};
use mailfleet_model::{Host, Secret};
use mailfleet_probe::dial::{Exit, Socks5, source_for};
use mailfleet_worker::{Error, Pool, Pools, Worker};
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
    let pool = ADDRESSES.map(|ip| Exit::Address(name(ip)));
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

async fn proxy(manner: Manner, exit: &str) -> Proxy {
    Proxy::start(manner, name(exit)).await.expect("a free port")
}

fn socks5(proxy: &Proxy, exit: &str) -> Socks5 {
    Socks5::new(Host::Ip(proxy.address().ip()), proxy.address().port(), name(exit))
}

fn one_pool(exits: Vec<Exit>, per_address: Option<u32>) -> Pools {
    let per_address = per_address.map(|most| most.try_into().expect("not zero"));
    let default = Pool { name: name("default"), exits: Vec::new(), per_address: None };
    Pools::new([Pool { name: name("static"), exits, per_address }, default])
}

#[tokio::test]
async fn a_mailbox_leaves_through_one_member_of_a_pool_with_proxies() {
    let (imap, smtp) =
        (mail(Server::imap(), &MAILBOXES).await, mail(Server::smtp(), &MAILBOXES).await);
    let world = World::new(10).await;
    let [first, second, third] = ADDRESSES;
    let proxies = [
        proxy(Manner::Open, second).await,
        proxy(Manner::Login("fleet", "proxy-CANARY-7731"), third).await,
    ];
    let password = Secret::new(b"proxy-CANARY-7731".to_vec());
    let with_login = socks5(&proxies[1], third).with_login("fleet".to_owned(), password);
    let exits = vec![
        Exit::Address(name(first)),
        Exit::Socks5(Arc::new(socks5(&proxies[0], second))),
        Exit::Socks5(Arc::new(with_login.expect("it fits"))),
    ];
    let pools = one_pool(exits.clone(), None);
    let queue = world.hub.worker(name("worker-1"));
    let _worker = world.start(alone("worker-1"), queue, pools).await;
    for (number, mailbox) in (0..).zip(MAILBOXES) {
        let incoming = Sent { mailbox, pool: "static", ..Sent::to(&imap, number) };
        incoming.send(&world).await;
        Sent { mailbox, pool: "static", ..Sent::out(&smtp, number) }.send(&world).await;
    }
    world.until(|seen| (seen.n_ended() == 2 * MAILBOXES.len()).then_some(())).await;
    let mut used: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for event in [imap.recorder().events(), smtp.recorder().events()].concat() {
        if let What::Credential { user, .. } = event.what {
            used.entry(user).or_default().insert(event.peer.ip());
        }
    }
    for mailbox in MAILBOXES {
        let expect: BTreeSet<IpAddr> = source_for(mailbox, &exits).into_iter().collect();
        assert_eq!(used.get(mailbox), Some(&expect), "{mailbox}");
    }
    let asked: Vec<String> = proxies.iter().flat_map(Proxy::asked).collect();
    assert!(!asked.is_empty() && asked.iter().all(|there| there.starts_with("127.0.0.1:")));
}

#[tokio::test]
async fn a_worker_whose_proxies_fail_does_not_start_and_names_them_all() {
    let proxies = [
        proxy(Manner::Open, ADDRESSES[0]).await,
        proxy(Manner::Login("fleet", "another"), ADDRESSES[1]).await,
        proxy(Manner::Says(b"HTTP/1.1 400 Bad Request\r\n"), ADDRESSES[2]).await,
    ];
    let password = Secret::new(b"proxy-CANARY-7731".to_vec());
    let refused = socks5(&proxies[1], ADDRESSES[1]).with_login("fleet".to_owned(), password);
    let members = [
        socks5(&proxies[0], ADDRESSES[0]),
        refused.expect("it fits"),
        socks5(&proxies[2], ADDRESSES[2]),
    ];
    let mut exits: Vec<Exit> = members.map(|proxy| Exit::Socks5(Arc::new(proxy))).into();
    exits.push(Exit::Address(name("203.0.113.5")));
    let error = one_pool(exits, None).prove().await.expect_err("three fail").to_string();
    let [_, wrong, http] = proxies.each_ref().map(Proxy::address);
    let expect = format!(
        "this host does not have the egress addresses 203.0.113.5 (pool static); the SOCKS5 proxy \
         {wrong} for 127.0.0.32 (pool static) refuses the user name and password; the SOCKS5 proxy \
         {http} for 127.0.0.33 (pool static) does not speak SOCKS5"
    );
    assert_eq!(error, expect);
}

#[tokio::test]
async fn a_proxys_exit_has_the_cap_of_its_pool() {
    let server =
        mail(Server::imap().latency(Step::Login, Duration::from_millis(50)), &MAILBOXES).await;
    let world = World::new(10).await;
    let exit = proxy(Manner::Open, ADDRESSES[0]).await;
    let exits = vec![Exit::Socks5(Arc::new(socks5(&exit, ADDRESSES[0])))];
    let queue = world.hub.worker(name("worker-1"));
    let _worker = world.start(alone("worker-1"), queue, one_pool(exits, Some(1))).await;
    for (number, mailbox) in (0..).zip(MAILBOXES) {
        Sent { mailbox, pool: "static", ..Sent::to(&server, number) }.send(&world).await;
    }
    world.until(|seen| (seen.n_ended() == MAILBOXES.len()).then_some(())).await;
    let mut logins: Vec<&'static str> = Vec::new();
    for event in server.recorder().events() {
        match event.what {
            What::Credential { .. } => logins.push("login"),
            What::Command { line } if line == "LOGOUT" => logins.push("leave"),
            _ => {}
        }
    }
    assert_eq!(logins, ["login", "leave"].repeat(MAILBOXES.len()), "one after the other");
}
