//! Fuzz target for SASL: a server's challenges, for every mechanism.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailfleet_model::{Credential, Endpoint, Login, Protocol, Secret};

use super::{Exchange, Mechanism};
use crate::fuzz::block_on;

const MECHANISMS: [Mechanism; 7] = [
    Mechanism::Plain,
    Mechanism::Login,
    Mechanism::CramMd5,
    Mechanism::ScramSha1,
    Mechanism::ScramSha256,
    Mechanism::Xoauth2,
    Mechanism::OauthBearer,
];
/// Most challenges of one exchange; more than any mechanism answers.
const MAX_CHALLENGES: usize = 6;
/// In a challenge that is not in base64: our own nonce, which a server repeats.
const NONCE: &str = "NONCE";

/// A byte for the mechanism, then challenges, one a line; lines that begin with `=` are
/// sent in base64. The credential is sent at most once, whatever is asked.
pub(crate) fn exchange(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let index = usize::from(*first).checked_rem(MECHANISMS.len()).unwrap_or(0);
    let mechanism = *MECHANISMS.get(index).unwrap_or(&Mechanism::Plain);
    let secret = Secret::new(b"pw-CANARY".to_vec());
    let credential = match mechanism.is_token() {
        true => Credential::AccessToken(secret),
        false => Credential::Password(secret),
    };
    let login = Login::new("user@example.test", Arc::new(credential)).expect("a login");
    let endpoint = Endpoint::parse(Protocol::Imap, "mail.example.test").expect("an endpoint");
    let mut exchange = Exchange::new(mechanism, &login, &endpoint);
    block_on(async {
        let mut nonce = String::new();
        if let Some(line) = exchange.initial_response() {
            nonce = nonce_of(&line);
        }
        for line in rest.split(|byte| *byte == b'\n').take(MAX_CHALLENGES) {
            let before = exchange.submitted();
            let challenge = match line.strip_prefix(b"=") {
                Some(plain) => {
                    let plain = String::from_utf8_lossy(plain).replace(NONCE, &nonce);
                    STANDARD.encode(plain).into_bytes()
                }
                None => line.to_vec(),
            };
            let answer = exchange.respond(&challenge).await;
            let text = answer.map(|line| STANDARD.decode(&*line).unwrap_or_default());
            let shows = text.is_ok_and(|text| text.windows(9).any(|part| part == b"pw-CANARY"));
            assert!(!(before && shows), "the credential is sent once");
        }
        let _ = exchange.finish(rest.split(|byte| *byte == b'\n').next_back());
    });
}

/// The nonce in our first SCRAM message, in base64.
fn nonce_of(line: &str) -> String {
    let message = STANDARD.decode(line).unwrap_or_default();
    let text = String::from_utf8_lossy(&message);
    text.rsplit_once(",r=").map_or_else(String::new, |(_, nonce)| nonce.to_owned())
}
