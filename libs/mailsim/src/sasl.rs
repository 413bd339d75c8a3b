//! The server's side of SASL: mechanisms, and who may log in.
//!
//! Knows neither IMAP's `+` nor SMTP's 334: it is fed decoded bytes and gives decoded bytes.
//! Never keeps a secret longer than the exchange, except to echo it when a script asks.
//! Sources: RFC 4616 (PLAIN), RFC 2195 (CRAM-MD5), RFC 7628 (OAUTHBEARER), Google's XOAUTH2.

mod scram;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use hmac::{Hmac, Mac as _};
use md5::Md5;
use rand::distr::{Alphanumeric, SampleString as _};

use crate::secret::Secret;
use crate::server::Mailbox;
use scram::{Challenge, Hash, Keys};

/// The challenge that Dovecot sends for a bad token, which clients must answer (RFC 7628 §3.2.2).
const TOKEN_REFUSED: &str = r#"{"status":"401","schemes":"bearer","scope":"mail"}"#;

/// A mechanism that the simulator can verify.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::EnumIter,
)]
#[strum(ascii_case_insensitive)]
pub enum Mechanism {
    /// RFC 4616.
    #[strum(serialize = "PLAIN")]
    Plain,
    /// draft-murchison-sasl-login.
    #[strum(serialize = "LOGIN")]
    Login,
    /// RFC 7677.
    #[strum(serialize = "SCRAM-SHA-256")]
    ScramSha256,
    /// RFC 5802.
    #[strum(serialize = "SCRAM-SHA-1")]
    ScramSha1,
    /// RFC 2195.
    #[strum(serialize = "CRAM-MD5")]
    CramMd5,
    /// Google's and Microsoft's bearer token mechanism.
    #[strum(serialize = "XOAUTH2")]
    XOAuth2,
    /// RFC 7628.
    #[strum(serialize = "OAUTHBEARER")]
    OAuthBearer,
}

/// One person who may log in at a server.
pub(crate) struct Login {
    /// The mail address, which names the account in the estate.
    pub(crate) address: Arc<str>,
    /// The name to log in with.
    pub(crate) user: Arc<str>,
    password: Option<Secret>,
    token: Option<Secret>,
    sha1: OnceLock<Keys>,
    sha256: OnceLock<Keys>,
}

impl Login {
    fn of(mailbox: &Mailbox) -> Self {
        Self {
            address: mailbox.address.to_ascii_lowercase().into(),
            user: mailbox.login.as_deref().unwrap_or(&mailbox.address).into(),
            password: mailbox.password.clone(),
            token: mailbox.token.clone(),
            sha1: OnceLock::new(),
            sha256: OnceLock::new(),
        }
    }

    fn keys(&self, hash: Hash) -> Option<Keys> {
        let cell = match hash {
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        };
        let password = self.password.as_ref()?;
        let make = || {
            let salt: [u8; 16] = rand::random();
            Keys::derive(hash, password.expose().as_bytes(), &salt, scram::ITERATIONS)
        };
        Some(cell.get_or_init(make).clone())
    }
}

/// Everybody who may log in at a server, by user name; and the password with which anybody may.
#[derive(Default)]
pub(crate) struct Logins(HashMap<Arc<str>, Arc<Login>>, Option<Secret>);

impl Logins {
    pub(crate) fn new(mailboxes: &[Mailbox], anybody: Option<Secret>) -> Self {
        let one = |m: &Mailbox| {
            let login = Login::of(m);
            (Arc::clone(&login.user), Arc::new(login))
        };
        Self(mailboxes.iter().map(one).collect(), anybody)
    }

    /// Checks a user name and a password as they arrived.
    pub(crate) fn check(&self, user: &[u8], password: &[u8]) -> Attempt {
        let user = String::from_utf8_lossy(user).into_owned();
        let is_right = |right: &Secret| right.expose().as_bytes() == password;
        let login = match self.0.get(user.as_str()) {
            Some(known) => known.password.as_ref().is_some_and(is_right).then(|| Arc::clone(known)),
            None => self.guest(&user).filter(|_| self.1.as_ref().is_some_and(is_right)),
        };
        Attempt { login, user, secret: password.to_vec() }
    }

    /// A mailbox for whoever has none.
    fn guest(&self, user: &str) -> Option<Arc<Login>> {
        let password = self.1.clone()?;
        Some(Arc::new(Login::of(&Mailbox::new(user, password))))
    }
}

/// The outcome of one submission of a credential.
pub(crate) struct Attempt {
    /// The user name that was given.
    pub(crate) user: String,
    /// Who it is, if the credential was right.
    pub(crate) login: Option<Arc<Login>>,
    /// The secret as it arrived where it did arrive in the clear; for a script that echoes it.
    pub(crate) secret: Vec<u8>,
}

impl Attempt {
    fn refused(user: impl Into<String>) -> Self {
        Self { user: user.into(), login: None, secret: Vec::new() }
    }
}

/// What the server does next in an exchange.
pub(crate) enum Turn {
    /// Sends this and waits for an answer.
    Challenge(Vec<u8>),
    /// The exchange is over.
    Done(Attempt),
    /// The client sent something that is not of the mechanism.
    Malformed,
}

enum State {
    Start,
    LoginPassword(Vec<u8>),
    Cram(String),
    ScramProof(Box<Challenge>),
    ScramEnd(Arc<Login>),
    TokenRefused(String),
    Over,
}

/// One exchange. Call [`Exchange::step`] with `None` first unless the client sent an initial
/// response, then with every answer of the client.
pub(crate) struct Exchange {
    mechanism: Mechanism,
    state: State,
}

impl Exchange {
    pub(crate) fn new(mechanism: Mechanism) -> Self {
        Self { mechanism, state: State::Start }
    }

    pub(crate) fn step(&mut self, input: Option<&[u8]>, logins: &Logins) -> Turn {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Start => self.start(input, logins),
            State::LoginPassword(user) => match input {
                Some(password) => Turn::Done(logins.check(&user, password)),
                None => Turn::Malformed,
            },
            State::Cram(challenge) => {
                input.map_or(Turn::Malformed, |i| cram(&challenge, i, logins))
            }
            State::ScramProof(challenge) => self.proof(&challenge, input, logins),
            State::ScramEnd(login) => Turn::Done(Attempt {
                user: login.user.to_string(),
                login: Some(login),
                secret: Vec::new(),
            }),
            State::TokenRefused(user) => Turn::Done(Attempt::refused(user)),
            State::Over => Turn::Malformed,
        }
    }

    fn start(&mut self, input: Option<&[u8]>, logins: &Logins) -> Turn {
        match (self.mechanism, input) {
            (Mechanism::Login, None) => {
                // The next answer is the user name: stay at the start.
                self.state = State::Start;
                Turn::Challenge(b"Username:".to_vec())
            }
            (Mechanism::Login, Some(user)) => {
                self.state = State::LoginPassword(user.to_vec());
                Turn::Challenge(b"Password:".to_vec())
            }
            (Mechanism::CramMd5, None) => {
                let challenge = format!("<{}@mailsim>", nonce());
                self.state = State::Cram(challenge.clone());
                Turn::Challenge(challenge.into_bytes())
            }
            (Mechanism::CramMd5, Some(_)) => Turn::Malformed,
            (_, None) => {
                self.state = State::Start;
                Turn::Challenge(Vec::new())
            }
            (Mechanism::Plain, Some(message)) => plain(message, logins),
            (Mechanism::ScramSha1, Some(message)) => self.scram(Hash::Sha1, message, logins),
            (Mechanism::ScramSha256, Some(message)) => self.scram(Hash::Sha256, message, logins),
            (Mechanism::XOAuth2 | Mechanism::OAuthBearer, Some(message)) => {
                self.bearer(message, logins)
            }
        }
    }

    fn scram(&mut self, hash: Hash, message: &[u8], logins: &Logins) -> Turn {
        let Some(first) = scram::first(message) else { return Turn::Malformed };
        let login = logins.0.get(first.user.as_str());
        // An unknown user gets a challenge like everybody else (RFC 5802 §9).
        let keys = login.and_then(|l| l.keys(hash)).unwrap_or_else(|| {
            let salt: [u8; 16] = rand::random();
            Keys::derive(hash, &rand::random::<[u8; 16]>(), &salt, scram::ITERATIONS)
        });
        let challenge = Challenge::new(hash, keys, first, &nonce());
        let text = challenge.message.clone();
        self.state = State::ScramProof(Box::new(challenge));
        Turn::Challenge(text.into_bytes())
    }

    fn proof(&mut self, challenge: &Challenge, input: Option<&[u8]>, logins: &Logins) -> Turn {
        let Some(input) = input else { return Turn::Malformed };
        match (challenge.verify(input), logins.0.get(challenge.user())) {
            (Some(last), Some(login)) => {
                self.state = State::ScramEnd(Arc::clone(login));
                Turn::Challenge(last.into_bytes())
            }
            _ => Turn::Done(Attempt::refused(challenge.user())),
        }
    }

    fn bearer(&mut self, message: &[u8], logins: &Logins) -> Turn {
        let text = String::from_utf8_lossy(message);
        let mut fields = text.split('\x01');
        let head = fields.next().unwrap_or_default();
        let user = match self.mechanism {
            Mechanism::XOAuth2 => head.strip_prefix("user="),
            _ => head.split(',').find_map(|f| f.strip_prefix("a=")),
        };
        let token = fields.find_map(|f| {
            f.strip_prefix("auth=")?
                .split_once(' ')
                .filter(|(k, _)| k.eq_ignore_ascii_case("bearer"))
        });
        let (Some(user), Some((_, token))) = (user, token) else { return Turn::Malformed };
        let login = logins.0.get(user);
        match login.filter(|l| l.token.as_ref().is_some_and(|t| t.expose() == token)) {
            Some(login) => Turn::Done(Attempt {
                user: user.to_owned(),
                login: Some(Arc::clone(login)),
                secret: token.as_bytes().to_vec(),
            }),
            None => {
                self.state = State::TokenRefused(user.to_owned());
                Turn::Challenge(TOKEN_REFUSED.as_bytes().to_vec())
            }
        }
    }
}

fn plain(message: &[u8], logins: &Logins) -> Turn {
    let fields: Vec<&[u8]> = message.split(|b| *b == 0).collect();
    match fields.as_slice() {
        [_, user, password] => Turn::Done(logins.check(user, password)),
        _ => Turn::Malformed,
    }
}

fn cram(challenge: &str, answer: &[u8], logins: &Logins) -> Turn {
    let text = String::from_utf8_lossy(answer);
    let Some((user, digest)) = text.rsplit_once(' ') else { return Turn::Malformed };
    let right = logins.0.get(user).filter(|login| {
        let Some(password) = &login.password else { return false };
        let mut mac = Hmac::<Md5>::new_from_slice(password.expose().as_bytes())
            .expect("HMAC takes keys of every length");
        mac.update(challenge.as_bytes());
        let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
        hex.eq_ignore_ascii_case(digest)
    });
    Turn::Done(Attempt { user: user.to_owned(), login: right.cloned(), secret: Vec::new() })
}

fn nonce() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins() -> Logins {
        let mut mailbox = Mailbox::new("user@example.test", "pässword");
        mailbox.token = Some("token-1".into());
        Logins::new(&[mailbox], None)
    }

    #[track_caller]
    fn accepted(mechanism: Mechanism, answers: &[&[u8]]) -> bool {
        let (logins, mut exchange) = (logins(), Exchange::new(mechanism));
        for answer in answers {
            if let Turn::Done(attempt) = exchange.step(Some(answer), &logins) {
                assert_eq!(attempt.user, "user@example.test");
                return attempt.login.is_some();
            }
        }
        panic!("the exchange did not end");
    }

    #[test]
    fn plain_and_login_take_the_password_as_bytes() {
        let good = "\0user@example.test\0pässword".as_bytes();
        assert!(accepted(Mechanism::Plain, &[good]));
        assert!(!accepted(Mechanism::Plain, &[b"\0user@example.test\0password"]));
        assert!(accepted(Mechanism::Login, &[b"user@example.test", "pässword".as_bytes()]));
    }

    #[test]
    fn anybody_may_come_with_the_password_for_all_but_not_into_a_known_mailbox() {
        let known = Mailbox::new("user@example.test", "pässword");
        let logins = Logins::new(&[known], Some("for-all".into()));
        let may = |user: &str, password: &str| {
            let attempt = logins.check(user.as_bytes(), password.as_bytes());
            attempt.login.map(|login| login.address.to_string())
        };
        assert_eq!(may("New@example.test", "for-all").as_deref(), Some("new@example.test"));
        assert_eq!(may("New@example.test", "pässword"), None);
        assert_eq!(may("user@example.test", "for-all"), None);
        assert!(may("user@example.test", "pässword").is_some());
    }

    #[test]
    fn a_wrong_token_gets_a_challenge_before_the_refusal() {
        let good = b"user=user@example.test\x01auth=Bearer token-1\x01\x01";
        assert!(accepted(Mechanism::XOAuth2, &[good]));
        let good = b"n,a=user@example.test,\x01host=h\x01port=993\x01auth=Bearer token-1\x01\x01";
        assert!(accepted(Mechanism::OAuthBearer, &[good]));
        let bad: &[u8] = b"user=user@example.test\x01auth=Bearer old\x01\x01";
        let mut exchange = Exchange::new(Mechanism::XOAuth2);
        assert!(
            matches!(exchange.step(Some(bad), &logins()), Turn::Challenge(c) if c == TOKEN_REFUSED.as_bytes())
        );
        assert!(!accepted(Mechanism::XOAuth2, &[bad, b""]));
    }

    #[test]
    fn cram_md5_agrees_with_rfc_2195() {
        let logins = Logins::new(&[Mailbox::new("tim", "tanstaaftanstaaf")], None);
        let challenge = "<1896.697170952@postoffice.reston.mci.net>";
        let answer = b"tim b913a602c7eda7a495b4e6e7334d3890";
        assert!(matches!(cram(challenge, answer, &logins), Turn::Done(a) if a.login.is_some()));
        assert!(matches!(cram("<x>", answer, &logins), Turn::Done(a) if a.login.is_none()));
    }

    #[test]
    fn nonsense_is_malformed() {
        for mechanism in [Mechanism::Plain, Mechanism::XOAuth2, Mechanism::ScramSha1] {
            assert!(matches!(
                Exchange::new(mechanism).step(Some(b"\xff,,"), &logins()),
                Turn::Malformed
            ));
        }
    }
}
