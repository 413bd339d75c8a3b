//! Faults at their steps.

use std::time::Duration;

use mailfleet_mailsim::{Error, Fault, Protocol, Rule, Running, Server, Step, Strip, Tls};

use crate::client::{Client, LIMIT};

const USER: &str = "user@example.test";

async fn start(server: Server) -> Running {
    server.tls(Tls::None).mailbox(USER, "secret").start().await.unwrap()
}

#[tokio::test]
async fn a_reply_replaces_the_usual_one_and_gets_the_tag() {
    let server = start(
        Server::imap()
            .at(Step::Login, Fault::Reply("* OK [ALERT] first\nNO [UNAVAILABLE] later".into()))
            .at(
                Step::Capability,
                Fault::Raw(b"* CAPABILITY IMAP4rev1\r\n{tag}  OK\xff\r\n".to_vec()),
            ),
    )
    .await;
    let mut c = Client::plain(&server).await;
    c.line().await;
    assert_eq!(
        c.imap("x1 LOGIN user@example.test secret").await,
        ["* OK [ALERT] first", "x1 NO [UNAVAILABLE] later"]
    );
    c.send("x3 CAPABILITY").await;
    assert_eq!(c.line().await, "* CAPABILITY IMAP4rev1");
    assert_eq!(c.line().await, "x3  OK\u{fffd}");
    assert!(c.imap("x2 LIST \"\" *").await[0].starts_with("x2 BAD"), "the login had no effect");
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_positive_reply_has_the_usual_effect() {
    let server = start(Server::imap().at(Step::Login, Fault::Reply("OK come in".into()))).await;
    let mut c = Client::plain(&server).await;
    c.line().await;
    assert_eq!(c.imap("a LOGIN user@example.test secret").await, ["a OK come in"]);
    assert!(c.imap("b EXAMINE INBOX").await.last().unwrap().starts_with("b OK"));
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_fault_for_the_first_time_and_one_address_spares_the_rest() {
    let refuse = || Fault::Reply("* BYE not you".into());
    let server = start(
        Server::imap()
            .rule(Rule::new(Step::Greeting, refuse()).first(1))
            .rule(Rule::new(Step::Greeting, refuse()).only_from([127, 0, 0, 77].into())),
    )
    .await;
    assert_eq!(Client::plain(&server).await.rest().await.unwrap(), b"* BYE not you\r\n");
    assert!(Client::plain(&server).await.line().await.starts_with("* OK"));
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 77], 0).into()).unwrap();
    let mut other = Client::over(socket.connect(server.addr()).await.unwrap());
    assert_eq!(other.line().await, "* BYE not you");
    assert_eq!(server.recorder().sessions_from([127, 0, 0, 77].into()).total, 1);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn close_and_reset_can_be_told_apart() {
    let close = start(Server::imap().at(Step::Login, Fault::Close)).await;
    let reset = start(Server::imap().at(Step::Login, Fault::Reset)).await;
    for (server, kind) in [(close, None), (reset, Some(std::io::ErrorKind::ConnectionReset))] {
        let mut c = Client::plain(&server).await;
        c.line().await;
        c.send("a LOGIN user@example.test secret").await;
        assert_eq!(c.rest().await.err().map(|e| e.kind()), kind);
        assert_eq!(server.recorder().credentials(), 1);
        server.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_silent_server_stays_until_the_client_leaves() {
    for server in [Server::imap(), Server::pop3(), Server::smtp()] {
        let server = start(server.at(Step::Greeting, Fault::Silent)).await;
        let mut c = Client::plain(&server).await;
        c.send("hello?").await;
        let here = server.recorder().wait_until(LIMIT, |r| r.sessions().current == 1).await;
        assert!(here);
        assert!(tokio::time::timeout(Duration::from_millis(50), c.line()).await.is_err());
        drop(c);
        assert!(server.recorder().wait_until(LIMIT, |r| r.sessions().current == 0).await);
        server.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn delays_and_drips_take_their_time() {
    let pause = Duration::from_millis(5);
    let server = start(
        Server::imap()
            .at(Step::Greeting, Fault::Drip(pause))
            .latency(Step::Noop, Duration::from_millis(80)),
    )
    .await;
    let begin = tokio::time::Instant::now();
    let mut c = Client::plain(&server).await;
    let greeting = c.line().await;
    assert!(greeting.starts_with("* OK [CAPABILITY") && greeting.ends_with("ready"), "{greeting}");
    assert!(begin.elapsed() >= pause * u32::try_from(greeting.len()).unwrap());
    let begin = tokio::time::Instant::now();
    c.imap("a NOOP").await;
    assert!(begin.elapsed() >= Duration::from_millis(80));
    server.shutdown().await.unwrap();

    // A session does not outlive its client, however long the delay.
    let server = start(Server::smtp().latency(Step::Greeting, LIMIT * 100)).await;
    let c = Client::plain(&server).await;
    assert!(server.recorder().wait_until(LIMIT, |r| r.sessions().current == 1).await);
    drop(c);
    assert!(server.recorder().wait_until(LIMIT, |r| r.sessions().current == 0).await);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn floods_are_as_long_as_told() {
    const SIZE: u64 = 300_000;
    let line = || "* OK still thinking".to_owned();
    let cases = [
        (Fault::Flood { line: line(), bytes: SIZE }, &b"* OK still thinking\r\n"[..], 0),
        (Fault::EndlessLine { bytes: SIZE }, b"* OK AAAA", 5),
        (Fault::Garbage { bytes: SIZE }, b"\0\x01\x02", 0),
    ];
    for (fault, start_with, extra) in cases {
        let server = start(Server::imap().at(Step::Greeting, fault)).await;
        let all = Client::plain(&server).await.rest().await.unwrap();
        assert!(all.starts_with(start_with));
        assert_eq!(all.len() as u64, SIZE + extra);
        server.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn endless_literals_and_nesting_stop_in_the_middle() {
    let literal = Fault::EndlessLiteral { announced: 400_000_000, bytes: 3 };
    for (fault, expected) in [
        (literal, "* LIST () \"/\" {400000000}\r\nxxx".to_owned()),
        (
            Fault::Nesting { depth: 500 },
            format!("* 1 FETCH (BODYSTRUCTURE {}\r\n", "(".repeat(500)),
        ),
    ] {
        let server = start(Server::imap().at(Step::List, fault)).await;
        let mut c = Client::plain(&server).await;
        c.line().await;
        c.imap("a LOGIN user@example.test secret").await;
        c.send("b LIST \"\" *").await;
        let mut got = String::new();
        while got.len() < expected.len() {
            let wait = tokio::time::timeout(Duration::from_millis(200), c.byte());
            got.push(char::from(wait.await.unwrap()));
        }
        assert_eq!(got, expected);
        server.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn starttls_can_be_hidden_mangled_and_injected_into() {
    for (server, command, shown) in [
        (
            Server::imap().at(Step::Capability, Fault::StripStarttls(Strip::Absent)),
            "a CAPABILITY",
            "",
        ),
        (
            Server::imap().at(Step::Capability, Fault::StripStarttls(Strip::Mangled)),
            "a CAPABILITY",
            "XXXXXXXA",
        ),
        (
            Server::smtp().at(Step::Ehlo, Fault::StripStarttls(Strip::Mangled)),
            "EHLO c",
            "250 XXXXXXXA",
        ),
        (Server::pop3().at(Step::Capability, Fault::StripStarttls(Strip::Absent)), "CAPA", "+OK"),
    ] {
        let server = server.tls(Tls::Starttls).start().await.unwrap();
        let mut c = Client::plain(&server).await;
        c.line().await;
        c.send(command).await;
        c.send(if command == "EHLO c" { "QUIT" } else { "b LOGOUT" }).await;
        if command == "CAPA" {
            c.send("QUIT").await;
        }
        let all = String::from_utf8(c.rest().await.unwrap()).unwrap();
        assert!(!all.contains("STARTTLS") && !all.contains("STLS") && all.contains(shown), "{all}");
        server.shutdown().await.unwrap();
    }
    let inject = Fault::Inject(b"* OK injected\r\n".to_vec());
    let server = Server::imap().tls(Tls::Starttls).at(Step::Starttls, inject);
    let server = server.start().await.unwrap();
    let mut c = Client::plain(&server).await;
    c.line().await;
    assert!(c.imap("a STARTTLS").await[0].starts_with("a OK"));
    assert_eq!(c.line().await, "* OK injected");
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn special_greetings_and_logins() {
    let server = start(Server::imap().at(Step::Greeting, Fault::Preauth)).await;
    assert!(Client::plain(&server).await.line().await.starts_with("* PREAUTH"));
    server.shutdown().await.unwrap();

    let bye = Fault::ByeAfterOk("IMAP access disabled for this account.".into());
    let server = start(Server::imap().at(Step::Login, bye)).await;
    let mut c = Client::plain(&server).await;
    c.line().await;
    c.send("a LOGIN user@example.test secret").await;
    assert_eq!(
        String::from_utf8(c.rest().await.unwrap()).unwrap(),
        "a OK Logged in\r\n* BYE IMAP access disabled for this account.\r\n"
    );
    server.shutdown().await.unwrap();

    for (server, login) in [
        (Server::imap(), "a LOGIN user@example.test s3"),
        (Server::smtp(), "AUTH PLAIN AHVzZXJAZXhhbXBsZS50ZXN0AHMz"),
    ] {
        let server = start(server.at(Step::Login, Fault::EchoPassword)).await;
        let mut c = Client::plain(&server).await;
        c.line().await;
        let answer = c.ask(login).await;
        assert!(answer.ends_with("you sent s3 and AHVzZXJAZXhhbXBsZS50ZXN0AHMz"), "{answer}");
        server.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_fault_that_does_not_fit_is_refused_at_the_start() {
    let error = Server::smtp().at(Step::Body, Fault::Preauth).start().await.unwrap_err();
    assert!(matches!(error, Error::Rule { protocol: Protocol::Smtp, step: Step::Body, .. }));
    assert_eq!(error.to_string(), "preauth cannot happen at body of smtp");
}

#[tokio::test]
async fn endless_input_is_cut_off() {
    for server in [Server::imap(), Server::pop3(), Server::smtp()] {
        let server = start(server).await;
        let mut c = Client::plain(&server).await;
        c.line().await;
        let _ = tokio::time::timeout(LIMIT, async { c.try_raw(&vec![b'a'; 400_000]).await }).await;
        let gone = server.recorder().wait_until(LIMIT, |r| r.sessions().current == 0).await;
        assert!(gone, "the session outlives an endless line");
        server.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn dropping_a_server_ends_its_sessions_and_frees_its_port() {
    let server = start(Server::imap()).await;
    let address = server.addr();
    let mut c = Client::plain(&server).await;
    c.line().await;
    drop(server);
    // Whether the client sees an end or a reset depends on what it had still to read.
    let _ = c.rest().await;
    let again = Server::imap().with(|s| s.port = address.port()).start().await.unwrap();
    assert_eq!(again.addr(), address);
    again.shutdown().await.unwrap();
}
