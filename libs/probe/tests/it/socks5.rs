//! Legs through SOCKS5 proxies: whose trouble is what, and what mail servers see.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailfleet_mailsim::{Manner, Proxy, Running, Server, Tls};
use mailfleet_model::leg::{IncomingPlan, LoginOutcome};
use mailfleet_model::{FaultCode, Host, LegReport, Secret, Security};
use mailfleet_probe::dial::{Exit, ProxyTrouble, Socks5};

use crate::bench::{Bench, PASSWORD, USER, codes};

/// What the proxies of these tests connect from.
const EXIT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 61));
const PROXY_PASSWORD: &str = "proxy-CANARY-7731";

fn behind(proxy: &Proxy) -> Socks5 {
    Socks5::new(Host::Ip(proxy.address().ip()), proxy.address().port(), EXIT)
}

fn logged_in(proxy: &Proxy, password: &str) -> Socks5 {
    let password = Secret::new(password.as_bytes().to_vec());
    behind(proxy).with_login("fleet".to_owned(), password).expect("it fits")
}

async fn proxy(manner: Manner) -> Proxy {
    Proxy::start(manner, EXIT).await.expect("a free port")
}

async fn server() -> Running {
    let server = Server::imap().host("localhost").mailbox(USER, PASSWORD);
    server.start().await.expect("a free port")
}

async fn run(bench: Bench, socks5: Socks5) -> LegReport {
    let exits = vec![Exit::Socks5(Arc::new(socks5))];
    bench.with(|bench| bench.egress = exits).run().await
}

async fn through(manner: Manner) -> (LegReport, Running, Proxy) {
    let (server, proxy) = (server().await, proxy(manner).await);
    let report = run(Bench::to(&server), behind(&proxy)).await;
    (report, server, proxy)
}

#[track_caller]
fn went_through(report: &LegReport, server: &Running, proxy: &Proxy) {
    assert_eq!((codes(report), report.login), (vec![], LoginOutcome::Accepted), "{report:#?}");
    assert_eq!(report.egress_ip, Some(EXIT));
    let sources: Vec<IpAddr> =
        server.recorder().by_address().into_iter().map(|(ip, _)| ip).collect();
    assert_eq!(sources, [EXIT]);
    assert_eq!(proxy.asked(), [server.addr().to_string()], "by address, never by name");
}

#[tokio::test]
async fn a_leg_leaves_from_the_exit_of_its_proxy() {
    let (report, server, proxy) = through(Manner::Open).await;
    went_through(&report, &server, &proxy);
}

#[tokio::test]
async fn a_proxy_may_ask_for_a_login() {
    let (server, proxy) = (server().await, proxy(Manner::Login("fleet", PROXY_PASSWORD)).await);
    let report = run(Bench::to(&server), logged_in(&proxy, PROXY_PASSWORD)).await;
    went_through(&report, &server, &proxy);
}

#[tokio::test]
async fn a_bound_address_of_any_length_leaves_the_greeting_whole() {
    let (report, server, proxy) = through(Manner::LongName(255)).await;
    went_through(&report, &server, &proxy);
}

#[tokio::test]
async fn a_refusal_by_the_server_is_told_from_one_by_the_proxy() {
    let cases = [
        (1, FaultCode::EgressPoolEmpty),
        (2, FaultCode::EgressPoolEmpty),
        (3, FaultCode::NetworkUnreachable),
        (4, FaultCode::NetworkUnreachable),
        (5, FaultCode::ConnectRefused),
        (6, FaultCode::ConnectTimeout),
        (7, FaultCode::EgressPoolEmpty),
        (200, FaultCode::EgressPoolEmpty),
    ];
    for (reply, code) in cases {
        let (report, server, _proxy) = through(Manner::Reply(reply)).await;
        assert_eq!(codes(&report), [code], "{reply}");
        assert_eq!(server.recorder().sessions().total, 0);
    }
}

#[tokio::test]
async fn what_a_proxy_does_wrong_is_ours() {
    let cases = [
        (Manner::Login("fleet", "x"), "our proxy wants another way to log in"),
        (Manner::Closing, "our proxy closes the connection"),
        (Manner::Says(b"* OK IMAP4rev1 ready\r\n"), "our proxy does not speak SOCKS5"),
        (Manner::Says(&[5, 0, 5, 0, 0, 9, 1, 1, 1, 1]), "our proxy does not speak SOCKS5"),
        (Manner::Says(&[5, 2]), "our proxy does not speak SOCKS5"),
    ];
    for (manner, words) in cases {
        let (report, ..) = through(manner.clone()).await;
        assert_eq!(codes(&report), [FaultCode::EgressPoolEmpty], "{manner:?}");
        let attempts = &report.faults[0].evidence.attempts;
        assert_eq!(attempts[0].outcome, words, "{manner:?}");
    }
}

#[tokio::test]
async fn a_wrong_login_at_the_proxy_is_ours_and_shows_no_password() {
    let (server, proxy) = (server().await, proxy(Manner::Login("fleet", "another")).await);
    let socks5 = logged_in(&proxy, PROXY_PASSWORD);
    assert!(!format!("{socks5:?} {socks5}").contains("CANARY"));
    let report = run(Bench::to(&server), socks5).await;
    assert_eq!(codes(&report), [FaultCode::EgressPoolEmpty]);
    let attempts = &report.faults[0].evidence.attempts;
    assert_eq!(attempts[0].outcome, "our proxy refuses the user name and password");
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn silence_is_the_proxys_before_the_request_and_the_servers_after_it() {
    let cases = [
        (Manner::Silent, FaultCode::EgressPoolEmpty),
        (Manner::SilentAfterRequest, FaultCode::ConnectTimeout),
    ];
    for (manner, code) in cases {
        let (server, proxy) = (server().await, proxy(manner.clone()).await);
        let mut bench = Bench::to(&server);
        bench.probe.limits.connect = Duration::from_millis(400);
        let began = Instant::now();
        let report = run(bench, behind(&proxy)).await;
        assert_eq!(codes(&report), [code], "{manner:?}");
        assert!(began.elapsed() < Duration::from_secs(3), "{manner:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_ours() {
    let server = server().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let gone = listener.local_addr().expect("an address");
    drop(listener);
    let socks5 = Socks5::new(Host::Ip(gone.ip()), gone.port(), EXIT);
    let refused = ProxyTrouble::Unreachable(std::io::ErrorKind::ConnectionRefused);
    assert_eq!(socks5.prove(Duration::from_secs(5)).await, Err(refused));
    let report = run(Bench::to(&server), socks5).await;
    assert_eq!(codes(&report), [FaultCode::EgressPoolEmpty]);
}

#[tokio::test]
async fn probes_that_explain_a_failure_take_the_same_way() {
    let plaintext = Server::imap().host("localhost").mailbox(USER, PASSWORD).tls(Tls::Starttls);
    let server = plaintext.start().await.expect("a free port");
    let proxy = proxy(Manner::Open).await;
    let bench = Bench::imap(server.port(), Security::Tls, IncomingPlan::Open);
    let report = run(bench, behind(&proxy)).await;
    assert_eq!(codes(&report), [FaultCode::TlsModeMismatchStarttls]);
    let sources: Vec<IpAddr> =
        server.recorder().by_address().into_iter().map(|(ip, _)| ip).collect();
    assert_eq!(sources, [EXIT]);
    assert!(1 < proxy.asked().len(), "{:?}", proxy.asked());
}

#[test]
fn a_login_that_the_protocol_cannot_carry_is_refused() {
    let fits = |user: usize, password: usize| {
        let socks5 = Socks5::new(Host::Ip(EXIT), 1080, EXIT);
        socks5.with_login("u".repeat(user), Secret::new(vec![b'p'; password])).is_ok()
    };
    assert!(fits(1, 255) && fits(255, 1));
    assert!(!fits(0, 1) && !fits(1, 0) && !fits(256, 1) && !fits(1, 256));
}
