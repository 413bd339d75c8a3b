//! The wrong mode for the port, both ways, and handshakes that break.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use mailfleet_model::fault::Retry;
use mailfleet_model::suggestion::{SuggestionProof, SuggestionReason};
use mailfleet_model::tls::TlsPolicy;
use mailfleet_model::{Endpoint, FactKind, FaultCode, Leg, Protocol, Security};
use mailfleet_probe::dial::Route;
use mailfleet_probe::tls::{
    Explanation, Handshake, Trust, Wanted, explain, explain_silence, handshake, suggest_port,
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::tls_authority::{self, Authority, Leaf, PATIENCE};

/// What a plaintext server says.
#[derive(Clone, Copy)]
struct Script {
    greeting: &'static str,
    /// The command that is answered, and the answer.
    answer: (&'static str, &'static str),
}

/// Serves a script; the counter tells how many connections were open at once, at most.
async fn serve(script: Script) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let most = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&most);
    tokio::spawn(async move {
        let open = Arc::new(AtomicUsize::new(0));
        while let Ok((stream, _)) = listener.accept().await {
            let (open, most) = (Arc::clone(&open), Arc::clone(&counter));
            most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::spawn(async move {
                // The peer may be gone at any moment; what matters is what it saw before.
                let _ = play(stream, script).await;
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (address, most)
}

async fn play(stream: TcpStream, script: Script) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(script.greeting.as_bytes()).await?;
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await? > 0 {
        if line.starts_with(script.answer.0.as_bytes()) {
            stream.write_all(script.answer.1.as_bytes()).await?;
        }
        line.clear();
    }
    Ok(())
}

fn endpoint(protocol: Protocol, address: SocketAddr, security: &str) -> Endpoint {
    let text = format!("localhost:{}/{security}", address.port());
    Endpoint::parse(protocol, &text).expect("an endpoint")
}

async fn explained(asked: &Endpoint, address: SocketAddr) -> Explanation {
    let stream = TcpStream::connect(address).await.expect("connects");
    explained_from(stream, asked, address).await
}

async fn explained_from(stream: TcpStream, asked: &Endpoint, address: SocketAddr) -> Explanation {
    let trust = Trust::only([]).expect("no roots");
    let policy = TlsPolicy::default();
    let leg = Leg::from(asked.protocol);
    let wanted = Wanted { host: &asked.host, policy: &policy, leg, now: SystemTime::now() };
    let Handshake::Failed(failure) =
        timeout(PATIENCE, handshake(&trust, &wanted, stream)).await.expect("in time")
    else {
        panic!("there is no TLS")
    };
    let route = Route { address, egress: None };
    timeout(PATIENCE, explain(failure, asked, leg, route, PATIENCE)).await.expect("in time")
}

const IMAP: Script = Script {
    greeting: "* OK ready\r\n",
    answer: ("P1 CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\nP1 OK done\r\n"),
};
const SMTP: Script = Script {
    greeting: "220-mx.example.test\r\n220 ESMTP\r\n",
    answer: ("EHLO [127.0.0.1]", "250-mx.example.test\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"),
};
const POP3: Script = Script {
    greeting: "+OK ready\r\n",
    answer: ("CAPA", "+OK list follows\r\nUSER\r\nSTLS\r\nUIDL\r\n.\r\n"),
};

#[tokio::test]
async fn tls_to_a_plaintext_port_suggests_starttls_where_it_is_offered() {
    for (protocol, script) in
        [(Protocol::Imap, IMAP), (Protocol::Smtp, SMTP), (Protocol::Pop3, POP3)]
    {
        let (address, most) = serve(script).await;
        let asked = endpoint(protocol, address, "tls");
        let explanation = explained(&asked, address).await;
        let [fault] = explanation.faults.as_slice() else { panic!("one fault: {explanation:?}") };
        assert_eq!(fault.code, FaultCode::TlsModeMismatchStarttls);
        assert_eq!(fault.evidence.fact(FactKind::SuggestedSecurity), Some("STARTTLS"));
        assert!(fault.evidence.server_text.is_some());
        let [suggestion] = explanation.suggestions.as_slice() else { panic!("{explanation:?}") };
        let expect = Endpoint { security: Security::Starttls, ..asked };
        assert_eq!(suggestion.endpoint.as_ref(), Some(&expect));
        assert_eq!(suggestion.reason, SuggestionReason::PortExpectsStarttls);
        assert_eq!(suggestion.proof, SuggestionProof::Probed);
        assert!(most.load(Ordering::SeqCst) <= 2, "sockets follow each other");
    }
}

#[tokio::test]
async fn without_starttls_there_is_nothing_to_suggest() {
    let answer = ("P1 CAPABILITY", "* CAPABILITY IMAP4rev1 XSTARTTLS\r\nP1 OK done\r\n");
    let (address, _) = serve(Script { answer, ..IMAP }).await;
    let explanation = explained(&endpoint(Protocol::Imap, address, "tls"), address).await;
    assert_eq!(explanation.faults[0].code, FaultCode::TlsModeMismatchStarttls);
    assert_eq!(
        explanation.faults[0].evidence.fact(FactKind::Note),
        Some("The server does not offer STARTTLS on this port.")
    );
    assert_eq!(explanation.suggestions, []);
}

#[tokio::test]
async fn another_protocol_is_called_by_its_name() {
    for (greeting, expect) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"),
        ("+OK ready\r\n", "POP3"),
        ("220 mx.example.test ESMTP\r\n", "SMTP"),
    ] {
        let (address, _) = serve(Script { greeting, ..IMAP }).await;
        let explanation = explained(&endpoint(Protocol::Imap, address, "tls"), address).await;
        assert_eq!(explanation.faults[0].code, FaultCode::WrongProtocol);
        assert_eq!(explanation.faults[0].evidence.fact(FactKind::Protocol), Some(expect));
    }
}

#[tokio::test]
async fn silence_on_a_tls_port_suggests_tls() {
    let root = Authority::root("Example Root");
    let identity = root.issue(&Leaf::default());
    let address = tls_authority::serve(tls_authority::config(&identity)).await;
    let route = Route { address, egress: None };
    let asked = endpoint(Protocol::Imap, address, "starttls");
    let asking = explain_silence(&asked, Leg::Imap, route.clone(), PATIENCE);
    let explanation = timeout(PATIENCE, asking).await.expect("in time").expect("TLS is spoken");
    assert_eq!(explanation.faults[0].code, FaultCode::TlsModeMismatchImplicit);
    assert_eq!(explanation.faults[0].evidence.fact(FactKind::SuggestedSecurity), Some("TLS"));
    let expect = Endpoint { security: Security::Tls, ..asked };
    assert_eq!(explanation.suggestions[0].endpoint.as_ref(), Some(&expect));

    let other = endpoint(Protocol::Smtp, address, "starttls");
    let asking = explain_silence(&other, Leg::Smtp, route, PATIENCE);
    let explanation = timeout(PATIENCE, asking).await.expect("in time").expect("TLS is spoken");
    assert_eq!(explanation.faults[0].code, FaultCode::WrongProtocol);
    assert_eq!(explanation.suggestions, []);
}

#[tokio::test]
async fn silence_on_a_plaintext_port_stays_unexplained() {
    let (address, _) = serve(IMAP).await;
    let asked = endpoint(Protocol::Imap, address, "starttls");
    let route = Route { address, egress: None };
    let asking = explain_silence(&asked, Leg::Imap, route.clone(), PATIENCE);
    assert_eq!(timeout(PATIENCE, asking).await.expect("in time"), None);
}

#[tokio::test]
async fn a_connection_that_ends_in_the_handshake_may_be_tried_again() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            // Reads the hello, so that the end is an end and not a reset.
            let mut hello = [0; 1024];
            let _ = stream.read(&mut hello).await;
        }
    });
    let explanation = explained(&endpoint(Protocol::Imap, address, "tls"), address).await;
    assert_eq!(explanation.faults[0].code, FaultCode::TlsHandshakeFailed);
    assert!(matches!(explanation.faults[0].retry, Retry::Backoff { .. }));
    assert_eq!(seen.load(Ordering::SeqCst), 5, "one handshake and four further hellos");
}

/// Consents to STARTTLS, then speaks TLS 1.0 and nothing newer; the library gets an alert.
async fn old_behind_starttls(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"* OK ready\r\n").await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let tag = line.split(' ').next().unwrap_or_default();
    stream.write_all(format!("{tag} OK go ahead\r\n").as_bytes()).await?;
    let mut header = [0; 5];
    stream.read_exact(&mut header).await?;
    let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    stream.read_exact(&mut hello).await?;
    // The version of the hello stands behind the message's header.
    if hello[5] >= 3 {
        stream.write_all(&[21, 3, 1, 0, 2, 2, 70]).await
    } else {
        let mut answer = vec![22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
        answer.extend([7; 32]);
        answer.extend([0, 0x00, 0x2F, 0]);
        stream.write_all(&answer).await
    }
}

#[tokio::test]
async fn an_old_version_behind_starttls_is_named() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            old_behind_starttls(stream).await.expect("the probe stays to the end");
        }
    });
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(b"a1 STARTTLS\r\n").await.expect("writes");
    let mut answer = [0; "* OK ready\r\na1 OK go ahead\r\n".len()];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("in time").expect("an answer");
    let asked = endpoint(Protocol::Imap, address, "starttls");
    let explanation = explained_from(stream, &asked, address).await;
    let [fault] = explanation.faults.as_slice() else { panic!("one fault: {explanation:?}") };
    assert_eq!(fault.code, FaultCode::TlsVersionUnsupported);
    assert_eq!(fault.evidence.fact(FactKind::TlsVersion), Some("TLS 1.0"));
    assert_eq!(fault.evidence.fact(FactKind::Cipher), Some("TLS_RSA_WITH_AES_128_CBC_SHA"));
}

#[tokio::test]
async fn another_port_is_suggested_only_if_the_protocol_answers_there() {
    let root = Authority::root("Example Root");
    let identity = root.issue(&Leaf::default());
    let imap = tls_authority::serve(tls_authority::config(&identity)).await;
    let (wrong, _) = serve(SMTP).await;
    let route = Route { address: wrong, egress: None };
    let asked = endpoint(Protocol::Imap, wrong, "starttls");
    let asking = suggest_port(&asked, imap.port(), Leg::Imap, route.clone(), PATIENCE);
    let found = timeout(PATIENCE, asking).await.expect("in time").expect("IMAP answers there");
    let expect = Endpoint { port: imap.port(), security: Security::Tls, ..asked };
    assert_eq!(found.endpoint, Some(expect));
    assert_eq!(found.reason, SuggestionReason::UsualPort);

    let asked = endpoint(Protocol::Pop3, wrong, "starttls");
    let asking = suggest_port(&asked, imap.port(), Leg::Pop3, route, PATIENCE);
    assert_eq!(timeout(PATIENCE, asking).await.expect("in time"), None);
}
