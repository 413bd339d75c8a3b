//! Connecting on loopback, and the choice of source addresses.

use tokio::net::TcpListener;

use super::*;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

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
    let pool: Vec<IpAddr> = ["127.0.0.21", "127.0.0.22"].map(|ip| ip.parse().expect("ip")).into();
    let expect = choose_egress(&pool, "a@b.test", false).expect("an IPv4 address");
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
    let pool = ["203.0.113.5".parse().expect("ip")];
    let fault = dial(Leg::Imap, &[V4], port, &pool, "a@b.test", Duration::from_secs(5))
        .await
        .expect_err("cannot bind");
    assert_eq!(fault.code, FaultCode::EgressPoolEmpty);
}

#[test]
fn a_mailbox_is_counted_by_the_address_that_it_leaves_from() {
    let v4: Vec<IpAddr> = (1..=4).map(|n| IpAddr::from([203, 0, 113, n])).collect();
    let v6: Vec<IpAddr> = vec!["2001:db8::1".parse().expect("ip")];
    let both = [v6.clone(), v4.clone()].concat();
    let mailbox = "a@b.test";
    assert_eq!(source_for(mailbox, &[]), None);
    assert_eq!(source_for(mailbox, &v4), choose_egress(&v4, mailbox, false));
    assert_eq!(source_for(mailbox, &v6), choose_egress(&v6, mailbox, true));
    assert_eq!(source_for(mailbox, &both), choose_egress(&v4, mailbox, false));
}

#[test]
fn a_mailbox_keeps_its_address_when_another_one_leaves_the_pool() {
    let pool: Vec<IpAddr> = (1..=8).map(|n| IpAddr::from([203, 0, 113, n])).collect();
    for n in 0..50 {
        let mailbox = format!("user{n}@example.test");
        let chosen = choose_egress(&pool, &mailbox, false).expect("chosen");
        let smaller: Vec<IpAddr> =
            pool.iter().copied().filter(|ip| *ip == chosen || ip != &pool[0]).collect();
        assert_eq!(choose_egress(&smaller, &mailbox, false), Some(chosen));
    }
}
