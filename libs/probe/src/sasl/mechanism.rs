//! Chooses the login mechanism: what the server offers against what may be sent there.
//!
//! Servers advertise SCRAM and CRAM-MD5 although their password store cannot verify
//! them, so over verified TLS the plain mechanisms come first: they work wherever the
//! password does. Without such protection the order turns round, and where there is no
//! TLS at all no plain password and no token is ever sent.

use mailfleet_model::tls::TlsFacts;
use mailfleet_model::{Confidence, Credential, Evidence, FactKind, Fault, FaultCode, Leg};

/// Most mechanisms of an offer that are kept; real servers offer up to 12.
const MAX_NAMES: usize = 32;
/// Longest mechanism name. RFC 4422 section 3.1.
const MAX_NAME: usize = 20;

/// A login mechanism that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mechanism {
    /// RFC 4616: user and password in one message.
    Plain,
    /// draft-murchison-sasl-login: user and password after prompts.
    Login,
    /// RFC 7677: the password is proven and not sent; so is the server.
    ScramSha256,
    /// RFC 5802: likewise, with an older hash.
    ScramSha1,
    /// RFC 2195: the password is proven by a keyed hash.
    CramMd5,
    /// Google's OAuth 2.0 mechanism, the most widely spoken one.
    Xoauth2,
    /// RFC 7628: its standard successor.
    OauthBearer,
}

/// How well the connection protects what is sent over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    /// TLS, and the certificate is good in every respect.
    Verified,
    /// TLS with a certificate that only the caller's permission makes acceptable.
    Accepted,
    /// No TLS.
    None,
}

/// Why no mechanism can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// The server offers no login at all.
    NothingOffered,
    /// It offers some, none of which fits the credential.
    NoCommon,
    /// Those that fit would send the credential in plaintext.
    NeedsTls,
}

/// Safe to send where everything is protected: what certainly works comes first.
const PASSWORD_VERIFIED: &[Mechanism] = &[
    Mechanism::Plain,
    Mechanism::Login,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1,
    Mechanism::CramMd5,
];
/// Over TLS to a server that has not proven itself: the password itself comes last.
const PASSWORD_ACCEPTED: &[Mechanism] = &[
    Mechanism::ScramSha256,
    Mechanism::ScramSha1,
    Mechanism::CramMd5,
    Mechanism::Plain,
    Mechanism::Login,
];
/// In plaintext: only what does not show the password.
const PASSWORD_PLAINTEXT: &[Mechanism] =
    &[Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::CramMd5];
const TOKEN: &[Mechanism] = &[Mechanism::Xoauth2, Mechanism::OauthBearer];

impl Mechanism {
    /// The registered name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::CramMd5 => "CRAM-MD5",
            Self::Xoauth2 => "XOAUTH2",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }

    /// Whether the credential is an access token.
    pub(crate) fn is_token(self) -> bool {
        TOKEN.contains(&self)
    }
}

impl Protection {
    /// Judges a connection by what its handshake told.
    pub(crate) fn of(tls: Option<&TlsFacts>) -> Self {
        match tls {
            Some(facts) if facts.verified => Self::Verified,
            Some(_) => Self::Accepted,
            None => Self::None,
        }
    }
}

/// The mechanisms that a server offers, by name, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    names: Vec<String>,
}

impl Offer {
    /// Adds names as they stand in a capability line. Names that no mechanism can have
    /// and names beyond the bound are dropped.
    pub(crate) fn add<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) {
        for word in words {
            let fits = (1..=MAX_NAME).contains(&word.len())
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            let name = word.to_ascii_uppercase();
            if fits && self.names.len() < MAX_NAMES && !self.names.contains(&name) {
                self.names.push(name);
            }
        }
    }

    /// Whether nothing is offered.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether a mechanism is offered.
    pub(crate) fn has(&self, mechanism: Mechanism) -> bool {
        self.names.iter().any(|name| name == mechanism.name())
    }

    /// The names for people: `PLAIN, LOGIN`.
    pub(crate) fn words(&self) -> String {
        self.names.join(", ")
    }
}

/// Chooses the mechanism for a credential, or says why there is none.
///
/// # Errors
/// The reason, which [`Unusable::fault`] turns into the fault.
pub(crate) fn choose(
    credential: &Credential,
    offer: &Offer,
    protection: Protection,
) -> Result<Mechanism, Unusable> {
    if offer.is_empty() {
        return Err(Unusable::NothingOffered);
    }
    let first = |order: &[Mechanism]| order.iter().copied().find(|m| offer.has(*m));
    let (allowed, fitting) = match (credential, protection) {
        (Credential::Password(_), Protection::Verified) => (PASSWORD_VERIFIED, PASSWORD_VERIFIED),
        (Credential::Password(_), Protection::Accepted) => (PASSWORD_ACCEPTED, PASSWORD_ACCEPTED),
        (Credential::Password(_), Protection::None) => (PASSWORD_PLAINTEXT, PASSWORD_VERIFIED),
        (Credential::AccessToken(_), Protection::Verified | Protection::Accepted) => (TOKEN, TOKEN),
        (Credential::AccessToken(_), Protection::None) => (&[] as &[Mechanism], TOKEN),
    };
    match (first(allowed), first(fitting)) {
        (Some(mechanism), _) => Ok(mechanism),
        (None, Some(_)) => Err(Unusable::NeedsTls),
        (None, None) => Err(Unusable::NoCommon),
    }
}

impl Unusable {
    /// The fault, with the offer as evidence.
    pub(crate) fn fault(self, leg: Leg, offer: &Offer) -> Fault {
        let code = match self {
            Self::NothingOffered => FaultCode::AuthNotOfferedOnPort,
            Self::NoCommon => FaultCode::AuthMechanismUnsupported,
            Self::NeedsTls => FaultCode::AuthNeedsTls,
        };
        let evidence = match self {
            Self::NothingOffered => Evidence::default(),
            Self::NoCommon | Self::NeedsTls => {
                Evidence::default().with(FactKind::Mechanisms, offer.words())
            }
        };
        Fault::new(code, leg).with_evidence(evidence).but_maybe(Confidence::Certain, [])
    }
}

#[cfg(test)]
mod tests {
    use mailfleet_model::Secret;

    use super::*;

    fn offer(words: &str) -> Offer {
        let mut offer = Offer::default();
        offer.add(words.split(' ').filter(|word| !word.is_empty()));
        offer
    }

    #[track_caller]
    fn check(token: bool, words: &str, protection: Protection, expect: Result<&str, Unusable>) {
        let secret = Secret::new(b"x".to_vec());
        let credential =
            if token { Credential::AccessToken(secret) } else { Credential::Password(secret) };
        let got = choose(&credential, &offer(words), protection).map(Mechanism::name);
        assert_eq!(got, expect, "{words} {protection:?}");
    }

    const ALL: &str = "GSSAPI CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 LOGIN PLAIN OAUTHBEARER XOAUTH2";

    #[test]
    fn the_order_depends_on_the_protection() {
        check(false, ALL, Protection::Verified, Ok("PLAIN"));
        check(false, "CRAM-MD5 login", Protection::Verified, Ok("LOGIN"));
        check(false, "CRAM-MD5 SCRAM-SHA-1", Protection::Verified, Ok("SCRAM-SHA-1"));
        check(false, ALL, Protection::Accepted, Ok("SCRAM-SHA-256"));
        check(false, "PLAIN LOGIN", Protection::Accepted, Ok("PLAIN"));
        check(false, ALL, Protection::None, Ok("SCRAM-SHA-256"));
        check(false, "PLAIN CRAM-MD5", Protection::None, Ok("CRAM-MD5"));
    }

    #[test]
    fn plain_passwords_and_tokens_never_go_out_without_tls() {
        check(false, "PLAIN LOGIN", Protection::None, Err(Unusable::NeedsTls));
        check(true, "XOAUTH2", Protection::None, Err(Unusable::NeedsTls));
    }

    #[test]
    fn tokens_use_token_mechanisms_only() {
        check(true, ALL, Protection::Verified, Ok("XOAUTH2"));
        check(true, "PLAIN OAUTHBEARER", Protection::Accepted, Ok("OAUTHBEARER"));
        check(true, "PLAIN LOGIN", Protection::Verified, Err(Unusable::NoCommon));
        check(false, "NTLM XOAUTH2", Protection::Verified, Err(Unusable::NoCommon));
        check(false, "", Protection::Verified, Err(Unusable::NothingOffered));
    }

    #[test]
    fn an_offer_is_bounded_and_holds_no_odd_names() {
        let mut offer = Offer::default();
        let many: Vec<String> = (0..1000).map(|n| format!("X-{n}")).collect();
        offer.add(many.iter().map(String::as_str));
        offer.add(["PLAIN\r\nX", ""]);
        assert_eq!(offer.names.len(), MAX_NAMES);
        let fault = Unusable::NoCommon.fault(Leg::Smtp, &offer);
        assert!(fault.evidence.fact(FactKind::Mechanisms).is_some_and(|m| m.starts_with("X-0, ")));
    }
}
