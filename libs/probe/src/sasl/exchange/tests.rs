//! What goes over the wire, and that a credential goes over it once.

use mailfleet_model::{Credential, Protocol, Secret};
use proptest::prelude::*;

use super::*;

fn login(mechanism: Mechanism, user: &str, secret: &[u8]) -> Login {
    let secret = Secret::new(secret.to_vec());
    let credential = if mechanism.is_token() {
        Credential::AccessToken(secret)
    } else {
        Credential::Password(secret)
    };
    Login::new(user, Arc::new(credential)).expect("a plain name")
}

fn exchange(mechanism: Mechanism, user: &str, secret: &[u8]) -> Exchange {
    let endpoint = Endpoint::parse(Protocol::Smtp, "mail.example.test:587").expect("an endpoint");
    Exchange::new(mechanism, &login(mechanism, user, secret), &endpoint)
}

fn decode(line: &str) -> Vec<u8> {
    STANDARD.decode(line).expect("base64")
}

#[tokio::test]
async fn plain_goes_out_as_initial_response_or_after_a_bare_prompt() {
    let mut first = exchange(Mechanism::Plain, "tim", b"tanstaaftanstaaf");
    let line = first.initial_response().expect("client speaks first");
    assert_eq!(decode(&line), b"\0tim\0tanstaaftanstaaf", "RFC 4616 section 4");
    let mut prompted = exchange(Mechanism::Plain, "tim", b"\xe4 pass ");
    assert!(!prompted.submitted());
    assert_eq!(decode(&prompted.respond(b"").await.expect("a response")), b"\0tim\0\xe4 pass ");
    assert!(prompted.submitted());
}

#[tokio::test]
async fn login_ignores_what_the_prompts_say() {
    for prompts in [["VXNlcm5hbWU6", "UGFzc3dvcmQ6"], ["", ""], ["not base64!", "dXNlcg=="]] {
        let mut login = exchange(Mechanism::Login, "taro", b"geheim");
        assert!(login.initial_response().is_none());
        let [first, second] = prompts.map(str::as_bytes);
        assert_eq!(decode(&login.respond(first).await.expect("name")), b"taro");
        assert_eq!(decode(&login.respond(second).await.expect("password")), b"geheim");
        assert_eq!(login.respond(b"").await, Err(Refused::AlreadySubmitted));
    }
}

#[tokio::test]
async fn cram_md5_follows_rfc_2195() {
    let mut cram = exchange(Mechanism::CramMd5, "tim", b"tanstaaftanstaaf");
    let challenge = b"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+";
    let line = cram.respond(challenge).await.expect("a response");
    assert_eq!(decode(&line), b"tim b913a602c7eda7a495b4e6e7334d3890");
    let mut bad = exchange(Mechanism::CramMd5, "tim", b"x");
    assert_eq!(bad.respond(b"\xff\xff").await, Err(Refused::BadChallenge));
    assert!(!bad.submitted(), "nothing went out");
}

#[tokio::test]
async fn a_refused_token_leaves_its_explanation() {
    let json = r#"{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}"#;
    for (mechanism, sent, answer) in [
        (Mechanism::Xoauth2, &b"user=a@b.test\x01auth=Bearer T0k\x01\x01"[..], &b""[..]),
        (
            Mechanism::OauthBearer,
            b"n,a=a@b.test,\x01host=mail.example.test\x01port=587\x01auth=Bearer T0k\x01\x01",
            b"\x01",
        ),
    ] {
        let mut token = exchange(mechanism, "a@b.test", b"T0k");
        assert_eq!(decode(&token.initial_response().expect("client first")), sent);
        let line = token.respond(STANDARD.encode(json).as_bytes()).await.expect("an answer");
        assert_eq!(decode(&line), answer);
        assert_eq!(token.error_challenge(), Some(json));
        assert_eq!(token.respond(b"").await, Err(Refused::AlreadySubmitted));
    }
}

/// Plays a SCRAM server with the client's own arithmetic (which the RFC vectors hold).
async fn scram_to_the_end(password_of_server: &[u8]) -> Result<(), Refused> {
    let mut client = exchange(Mechanism::ScramSha256, "user", b"pencil");
    let first = decode(&client.initial_response().expect("client first"));
    let first = String::from_utf8(first).expect("text");
    let bare = first.strip_prefix("n,,").expect("header");
    let (_, nonce) = bare.split_once(",r=").expect("nonce");
    let server_first = format!("r={nonce}SERVER,s=c2FsdA==,i=4096");
    client.respond(STANDARD.encode(&server_first).as_bytes()).await.expect("a proof");
    let message = format!("{bare},{server_first},c=biws,r={nonce}SERVER");
    let mut salted = [0; 32];
    pbkdf2::pbkdf2::<Hmac<sha2::Sha256>>(password_of_server, b"salt", 4096, &mut salted)
        .expect("a length");
    let mac = |key: &[u8], text: &[u8]| {
        let mut mac = <Hmac<sha2::Sha256> as Mac>::new_from_slice(key).expect("any key");
        mac.update(text);
        mac.finalize().into_bytes()
    };
    let signature = mac(&mac(&salted, b"Server Key"), message.as_bytes());
    let last = STANDARD.encode(format!("v={}", STANDARD.encode(signature)));
    assert_eq!(*client.respond(last.as_bytes()).await?, "", "an empty line ends it");
    client.finish(None)
}

#[tokio::test]
async fn scram_believes_only_a_server_that_knows_the_password() {
    assert_eq!(scram_to_the_end(b"pencil").await, Ok(()));
    assert_eq!(scram_to_the_end(b"other").await, Err(Refused::ServerUnproven));
    let mut client = exchange(Mechanism::ScramSha1, "user", b"pencil");
    client.initial_response().expect("client first");
    assert!(!client.submitted());
    assert_eq!(client.finish(None), Err(Refused::ServerUnproven), "success out of the blue");
}

#[test]
fn the_announced_length_is_never_too_short() {
    for mechanism in
        [Mechanism::Plain, Mechanism::Xoauth2, Mechanism::OauthBearer, Mechanism::ScramSha256]
    {
        let mut exchange = exchange(mechanism, "user@example.test", &[b'x'; 300]);
        let length = exchange.initial_length();
        assert!(exchange.initial_response().is_some_and(|line| line.len() <= length));
    }
}

fn any_mechanism() -> impl Strategy<Value = Mechanism> {
    prop::sample::select(vec![
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::CramMd5,
        Mechanism::Xoauth2,
        Mechanism::OauthBearer,
    ])
}

proptest! {
    #[test]
    fn hostile_challenges_never_panic_split_a_line_or_fetch_a_credential_twice(
        mechanism in any_mechanism(),
        challenges in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..6),
        encoded in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let secret = b"s3cr3t-CANARY";
        let mut exchange = exchange(mechanism, "u", secret);
        let mut lines: Vec<Line> = exchange.initial_response().into_iter().collect();
        for challenge in challenges {
            let challenge =
                if encoded { STANDARD.encode(challenge).into_bytes() } else { challenge };
            match runtime.block_on(exchange.respond(&challenge)) {
                Ok(line) => lines.push(line),
                Err(_) => break,
            }
        }
        let with_secret = lines.iter().filter(|line| {
            STANDARD.decode(line.as_bytes()).is_ok_and(|b| b.windows(secret.len()).any(|w| w == secret))
        });
        prop_assert!(with_secret.count() <= 1);
        prop_assert!(lines.iter().all(|line| line.bytes().all(|b| b.is_ascii_graphic())));
        let shown = format!("{exchange:?}");
        prop_assert!(!shown.contains("CANARY"));
    }
}
