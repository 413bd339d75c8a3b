//! Connecting on loopback, and the choice of source addresses.

use std::sync::Arc;

use mailfleet_model::Host;
use tokio::net::TcpListener;

use super::*;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn exits<T: ToString>(addresses: impl IntoIterator<Item = T>) -> Vec<Exit> {
    let exit = |ip: T| Exit::Address(ip.to_string().parse().expect("an address"));
    addresses.into_iter().map(exit).collect()
}

async fn closed_port() -> u16 {
    let listener = TcpListener::bind((V4, 0)).await.expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test]
async fn a_closed_port_is_refused_with_every_attempt_kept() {
    let port = closed_port().await;
    let fault = dial(Leg::Imap, &[V4], port, &[], "a@b.test", Duration::from_secs(5))
        .await
        .expect_err("nobody listens");
    assert_eq!(fault.code, FaultCode::ConnectRefused);
    assert_eq!(fault.evidence.attempts.len(), 1);
}

#[tokio::test]
async fn broken_ipv6_beside_working_ipv4_is_a_warning() {
    let listener = TcpListener::bind((V4, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let dialled = dial(Leg::Imap, &[V4, V6], port, &[], "a@b.test", Duration::from_secs(5))
        .await
        .expect("IPv4 answers");
    let codes: Vec<_> = dialled.warnings.iter().map(|f| f.code).collect();
    assert_eq!(codes, [FaultCode::Ipv6Broken]);
}

#[tokio::test]
async fn the_connection_leaves_from_the_chosen_address() {
    let listener = TcpListener::bind((V4, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let pool = exits(["127.0.0.21", "127.0.0.22"]);
    let expect = choose_egress(&pool, "a@b.test", false).expect("an IPv4 address").ip();
    let dialled = dial(Leg::Imap, &[V4, V6], port, &pool, "a@b.test", Duration::from_secs(5))
        .await
        .expect("connects");
    let (_, peer) = listener.accept().await.expect("a peer");
    assert_eq!(peer.ip(), expect);
    assert_eq!(local_ip(&dialled.stream), Some(expect));
}

#[tokio::test]
async fn a_source_address_of_another_host_is_our_fault() {
    let port = closed_port().await;
    let pool = exits(["203.0.113.5"]);
    let fault = dial(Leg::Imap, &[V4], port, &pool, "a@b.test", Duration::from_secs(5))
        .await
        .expect_err("cannot bind");
    assert_eq!(fault.code, FaultCode::EgressPoolEmpty);
}

#[test]
fn a_mailbox_is_counted_by_the_address_that_it_leaves_from() {
    let v4 = exits((1..=4).map(|n| format!("203.0.113.{n}")));
    let v6 = exits(["2001:db8::1"]);
    let both = [v6.clone(), v4.clone()].concat();
    let mailbox = "a@b.test";
    let chosen = |pool, v6| choose_egress(pool, mailbox, v6).map(Exit::ip);
    assert_eq!(source_for(mailbox, &[]), None);
    assert_eq!(source_for(mailbox, &v4), chosen(&v4, false));
    assert_eq!(source_for(mailbox, &v6), chosen(&v6, true));
    assert_eq!(source_for(mailbox, &both), chosen(&v4, false));
}

#[test]
fn a_mailbox_keeps_its_address_when_another_one_leaves_the_pool_or_moves_to_a_proxy() {
    let pool = exits((1..=8).map(|n| format!("203.0.113.{n}")));
    let behind = |exit: &Exit| Exit::Socks5(Arc::new(Socks5::new(Host::Ip(V4), 1080, exit.ip())));
    for n in 0..50 {
        let mailbox = format!("user{n}@example.test");
        let chosen = |pool: &[Exit]| choose_egress(pool, &mailbox, false).map(Exit::ip);
        let kept = chosen(&pool).expect("chosen");
        let smaller: Vec<Exit> = pool
            .iter()
            .filter(|exit| exit.ip() == kept || exit.ip() != pool[0].ip())
            .cloned()
            .collect();
        assert_eq!(chosen(&smaller), Some(kept));
        let moved: Vec<Exit> = pool.iter().map(behind).collect();
        assert_eq!(chosen(&moved), Some(kept));
    }
}
