//! One login, message by message: the client's side of a SASL exchange.
//!
//! A state machine without I/O: challenges in, responses out, both in base64 without line
//! ends. It sends the credential at most once and then only listens: whatever else a
//! server asks for is refused, so no prompt can make a leg log in twice.
//!
//! XOAUTH2 is encoded by mail-send. Passwords are not: that crate takes text, while a
//! password is bytes (a Latin-1 one is not UTF-8), and it leaves its copies in memory.

use std::sync::Arc;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, Mac};
use mailfleet_model::{Endpoint, Login};
use md5::Md5;
use rand::Rng;
use smtp_proto::AUTH_XOAUTH2;
use zeroize::Zeroizing;

use super::Mechanism;
use super::scram::{Bad, Hash, Scram};

/// A response in base64, without a line end; wiped on drop. Holds no CR or LF.
pub(crate) type Line = Zeroizing<String>;

/// Base64 as servers write it: some leave the padding out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// Longest challenge that is looked at, as sent.
const MAX_CHALLENGE: usize = 8 * 1024;
/// Length of our SCRAM nonce in characters: about 140 bits.
const NONCE_LENGTH: usize = 24;

/// Why there is no answer to a challenge. The caller cancels the exchange with `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The credential was sent already, and the server asks for more.
    AlreadySubmitted,
    /// The challenge does not follow the mechanism.
    BadChallenge,
    /// SCRAM with a work factor outside the bounds.
    WorkFactor,
    /// The server could not prove that it knows the password (SCRAM).
    ServerUnproven,
}

impl Refused {
    /// What happened, in one sentence for the evidence.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::AlreadySubmitted => "The server asked for the credential a second time.",
            Self::BadChallenge => "The server's challenge does not follow the login mechanism.",
            Self::WorkFactor => "The server's SCRAM iteration count is too low or too high.",
            Self::ServerUnproven => "The server could not prove that it knows the password.",
        }
    }
}

/// The client's side of one login.
pub(crate) struct Exchange {
    mechanism: Mechanism,
    login: Login,
    host: String,
    port: u16,
    state: State,
    submitted: bool,
    error_challenge: Option<String>,
}

enum State {
    /// Nothing was sent.
    Start,
    /// LOGIN: the user name was sent, the password was not.
    NameSent,
    /// SCRAM: the first message was sent.
    ScramBegun(Box<Scram>),
    /// SCRAM: the proof was sent, the server's is awaited.
    ScramProven(Box<Scram>),
    /// The credential was sent; only a token's error challenge may follow.
    Submitted,
    /// Nothing more is sent.
    Over,
}

impl Exchange {
    /// Begins a login by `mechanism`. The mechanism must fit the kind of credential, as
    /// [`super::choose`] sees to.
    pub(crate) fn new(mechanism: Mechanism, login: &Login, endpoint: &Endpoint) -> Self {
        Self {
            mechanism,
            login: Login {
                username: login.username.clone(),
                credential: Arc::clone(&login.credential),
            },
            host: endpoint.host.to_string(),
            port: endpoint.port,
            state: State::Start,
            submitted: false,
            error_challenge: None,
        }
    }

    /// The mechanism in use.
    pub(crate) fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The message that may go out with the command itself, for mechanisms in which the
    /// client speaks first. Counts as sent: call it only where it is sent.
    pub(crate) fn initial_response(&mut self) -> Option<Line> {
        match self.mechanism {
            // A server may take the name in an AUTH LOGIN command, but some do not.
            Mechanism::Login | Mechanism::CramMd5 => None,
            Mechanism::Plain
            | Mechanism::ScramSha256
            | Mechanism::ScramSha1
            | Mechanism::Xoauth2
            | Mechanism::OauthBearer => Some(self.first_message()),
        }
    }

    /// Length of the initial response in characters, to see whether it fits into a line.
    pub(crate) fn initial_length(&self) -> usize {
        let raw = self.login.username.len().saturating_mul(3)
            + self.login.credential.secret().expose().len()
            + self.host.len()
            + 64;
        raw.div_ceil(3).saturating_mul(4)
    }

    /// Answers a challenge (base64, as it stood in the reply; empty for a bare prompt).
    ///
    /// Cancel-safe in that nothing is sent here; a cancelled SCRAM proof cannot be resumed.
    ///
    /// # Errors
    /// [`Refused`] if nothing may be answered; then cancel with `*`.
    pub(crate) async fn respond(&mut self, challenge: &[u8]) -> Result<Line, Refused> {
        let challenge = challenge.get(..MAX_CHALLENGE).unwrap_or(challenge);
        match std::mem::replace(&mut self.state, State::Over) {
            State::Start => match self.mechanism {
                Mechanism::Login => {
                    self.state = State::NameSent;
                    Ok(encode(self.login.username.as_bytes()))
                }
                Mechanism::CramMd5 => self.cram_md5(challenge),
                Mechanism::Plain
                | Mechanism::ScramSha256
                | Mechanism::ScramSha1
                | Mechanism::Xoauth2
                | Mechanism::OauthBearer => Ok(self.first_message()),
            },
            State::NameSent => {
                self.submit(State::Submitted);
                Ok(encode(self.secret()))
            }
            State::ScramBegun(scram) => self.scram_proof(scram, challenge).await,
            State::ScramProven(scram) => self.scram_end(&scram, challenge),
            State::Submitted if self.mechanism.is_token() => Ok(self.token_refused(challenge)),
            State::Submitted | State::Over => Err(Refused::AlreadySubmitted),
        }
    }

    /// Checks that a success may be believed: with SCRAM the server must have proven
    /// itself. `data` is what came with the success, in base64, if anything did.
    ///
    /// # Errors
    /// [`Refused::ServerUnproven`] if it did not.
    pub(crate) fn finish(&mut self, data: Option<&[u8]>) -> Result<(), Refused> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::ScramProven(scram) => {
                let message = data.and_then(|data| LENIENT.decode(data).ok());
                match message.as_deref().map(|message| scram.server_final(message)) {
                    Some(Ok(None)) => Ok(()),
                    Some(Ok(Some(_)) | Err(_)) | None => Err(Refused::ServerUnproven),
                }
            }
            State::ScramBegun(_) => Err(Refused::ServerUnproven),
            State::Start | State::NameSent | State::Submitted | State::Over => Ok(()),
        }
    }

    /// The server's own explanation of a refused token (JSON, RFC 7628 section 3.2.2) or
    /// SCRAM error, decoded; at most a few kilobytes of text, not yet redacted.
    pub(crate) fn error_challenge(&self) -> Option<&str> {
        self.error_challenge.as_deref()
    }

    /// Whether the credential, or a proof of it, has been sent.
    pub(crate) fn submitted(&self) -> bool {
        self.submitted
    }

    fn secret(&self) -> &[u8] {
        self.login.credential.secret().expose()
    }

    fn first_message(&mut self) -> Line {
        let user = self.login.username.as_bytes();
        let (line, next) = match self.mechanism {
            Mechanism::Plain | Mechanism::Login | Mechanism::CramMd5 => {
                let message = Zeroizing::new([b"\0", user, b"\0", self.secret()].concat());
                (encode(&message), State::Submitted)
            }
            Mechanism::Xoauth2 => (self.xoauth2(), State::Submitted),
            Mechanism::OauthBearer => (self.oauthbearer(), State::Submitted),
            Mechanism::ScramSha1 => self.scram_begin(Hash::Sha1),
            Mechanism::ScramSha256 => self.scram_begin(Hash::Sha256),
        };
        match next {
            State::Submitted => self.submit(next),
            State::Start
            | State::NameSent
            | State::ScramBegun(_)
            | State::ScramProven(_)
            | State::Over => self.state = next,
        }
        line
    }

    /// Notes that the credential, or a proof of it, goes out with what is returned next.
    fn submit(&mut self, next: State) {
        self.state = next;
        self.submitted = true;
    }

    fn xoauth2(&self) -> Line {
        // A token is printable ASCII (RFC 6749 appendix A.12): other bytes cannot be right,
        // and the server says so.
        let token = Zeroizing::new(String::from_utf8_lossy(self.secret()).into_owned());
        let credentials =
            mail_send::Credentials::new_xoauth2(self.login.username.as_str(), token.as_str());
        let line = credentials.encode(AUTH_XOAUTH2, "");
        Zeroizing::new(line.expect("XOAUTH2 encodes every text, and asks for no challenge"))
    }

    /// RFC 7628 section 3.1; host and port are what the client connected to.
    fn oauthbearer(&self) -> Line {
        let name = self.login.username.replace('=', "=3D").replace(',', "=2C");
        let head =
            format!("n,a={name},\x01host={}\x01port={}\x01auth=Bearer ", self.host, self.port);
        encode(&Zeroizing::new([head.as_bytes(), self.secret(), b"\x01\x01"].concat()))
    }

    fn scram_begin(&self, hash: Hash) -> (Line, State) {
        let scram = Scram::new(hash, &self.login.username, nonce());
        let line = encode(scram.client_first().as_bytes());
        (line, State::ScramBegun(Box::new(scram)))
    }

    async fn scram_proof(
        &mut self,
        mut scram: Box<Scram>,
        challenge: &[u8],
    ) -> Result<Line, Refused> {
        let message = LENIENT.decode(challenge).map_err(|_| Refused::BadChallenge)?;
        let credential = Arc::clone(&self.login.credential);
        let proof = scram.client_final(credential.secret().expose(), &message).await;
        let proof = proof.map_err(refused)?;
        self.submit(State::ScramProven(scram));
        Ok(encode(proof.as_bytes()))
    }

    fn scram_end(&mut self, scram: &Scram, challenge: &[u8]) -> Result<Line, Refused> {
        let message = LENIENT.decode(challenge).map_err(|_| Refused::BadChallenge)?;
        if let Some(error) = scram.server_final(&message).map_err(refused)? {
            self.error_challenge = Some(error.to_owned());
        }
        Ok(Line::default())
    }

    fn cram_md5(&mut self, challenge: &[u8]) -> Result<Line, Refused> {
        let message = LENIENT.decode(challenge).map_err(|_| Refused::BadChallenge)?;
        let mut mac = <Hmac<Md5> as Mac>::new_from_slice(self.secret())
            .expect("HMAC takes keys of every length (RFC 2104)");
        mac.update(&message);
        let digest = mac.finalize().into_bytes();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.submit(State::Submitted);
        Ok(encode(format!("{} {hex}", self.login.username).as_bytes()))
    }

    /// Keeps the explanation and answers as the mechanism says, so that the server goes
    /// on to its real refusal: RFC 7628 section 3.2.3 wants `\x01`, Google an empty line.
    fn token_refused(&mut self, challenge: &[u8]) -> Line {
        let bytes = LENIENT.decode(challenge).unwrap_or_else(|_| challenge.to_vec());
        self.error_challenge = Some(String::from_utf8_lossy(&bytes).into_owned());
        match self.mechanism {
            Mechanism::OauthBearer => encode(b"\x01"),
            Mechanism::Plain
            | Mechanism::Login
            | Mechanism::ScramSha256
            | Mechanism::ScramSha1
            | Mechanism::CramMd5
            | Mechanism::Xoauth2 => Line::default(),
        }
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exchange({})", self.mechanism.name())
    }
}

fn refused(bad: Bad) -> Refused {
    match bad {
        Bad::Message => Refused::BadChallenge,
        Bad::Iterations => Refused::WorkFactor,
        Bad::Signature => Refused::ServerUnproven,
    }
}

fn encode(bytes: &[u8]) -> Line {
    Zeroizing::new(STANDARD.encode(bytes))
}

fn nonce() -> String {
    let letters = rand::rng().sample_iter(rand::distr::Alphanumeric);
    letters.take(NONCE_LENGTH).map(char::from).collect()
}

#[cfg(test)]
mod tests;
