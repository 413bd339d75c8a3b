//! The wrong mode for the port, both ways: TLS spoken to a plaintext port, and silence on
//! a port that waits for TLS.
//!
//! Every setting that is suggested has been seen to work by a connection of its own, which
//! says nothing that a stranger would not say and is closed before the next is opened.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use mailfleet_model::evidence::{Evidence, FactKind};
use mailfleet_model::suggestion::{SuggestionProof, SuggestionReason};
use mailfleet_model::tls::{CertificatePolicy, TlsFacts, TlsPolicy};
use mailfleet_model::{
    Confidence, Endpoint, Fault, FaultCode, Leg, Protocol, Security, Suggestion,
};
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::dialogue::{self, Offer};
use super::explain::{Explanation, MAX_TIME};
use super::failure::{Cause, Failure, with_alert};
use super::handshake::{Handshake, Wanted, handshake};
use super::trust::Trust;
use crate::dial::Route;
use crate::reply::{self, Banner};

/// Time for the greeting inside TLS, which only confirms what the handshake has shown.
const GREETING_TIME: Duration = Duration::from_secs(3);

/// Explains why nothing came on a port that should greet in plaintext: does it wait for
/// TLS? `None` if it does not, or that cannot be told.
///
/// Opens one further connection, in `budget` and in 10 s at most. Dropping the future
/// closes it.
pub async fn explain_silence(
    asked: &Endpoint,
    leg: Leg,
    route: Route,
    budget: Duration,
) -> Option<Explanation> {
    let (first, facts) = match look_inside(asked, leg, &route, budget).await? {
        Inside::Session { first, facts } => (first, facts),
        Inside::Refused { evidence, facts } => {
            let fault = Fault::new(FaultCode::TlsModeMismatchImplicit, leg).with_evidence(evidence);
            return Some(Explanation::of(Some(facts), fault));
        }
    };
    let speaks = speaks(&first);
    if let Some(name) = other_than(asked.protocol, speaks) {
        return Some(Explanation::of(Some(facts), wrong_protocol(name, &first, leg)));
    }
    let evidence = Evidence { server_text: readable(&first), ..Evidence::default() }
        .with(FactKind::SuggestedSecurity, Security::Tls.to_string())
        .with(FactKind::SuggestedPort, asked.port.to_string());
    let fault = Fault::new(FaultCode::TlsModeMismatchImplicit, leg).with_evidence(evidence);
    let suggestions = vec![suggestion(asked, Security::Tls, SuggestionReason::PortExpectsTls, leg)];
    Some(Explanation { facts: Some(facts), faults: vec![fault], suggestions })
}

/// Suggests TLS on another port of the same server, if the protocol is seen to answer there.
///
/// For a port that speaks another protocol or takes no login. The address has passed the
/// target guard; `port` must be one that the guard allows. Opens one connection, in
/// `budget` and in 10 s at most. Dropping the future closes it.
pub async fn suggest_port(
    asked: &Endpoint,
    port: u16,
    leg: Leg,
    route: Route,
    budget: Duration,
) -> Option<Suggestion> {
    if port == route.address.port() {
        return None;
    }
    let there = route.to(SocketAddr::new(route.address.ip(), port));
    let Inside::Session { first, .. } = look_inside(asked, leg, &there, budget).await? else {
        return None;
    };
    let endpoint = Endpoint { port, ..asked.clone() };
    (speaks(&first) == Some(Banner::Mail(asked.protocol)))
        .then(|| suggestion(&endpoint, Security::Tls, SuggestionReason::UsualPort, leg))
}

/// What is found behind a handshake.
enum Inside {
    /// A session, with the first bytes that came in it.
    Session { first: Vec<u8>, facts: TlsFacts },
    /// It speaks TLS, but not with us.
    Refused { evidence: Evidence, facts: TlsFacts },
}

/// Opens a connection, shakes hands whatever the certificate says, and reads the greeting.
async fn look_inside(
    asked: &Endpoint,
    leg: Leg,
    route: &Route,
    budget: Duration,
) -> Option<Inside> {
    let limit = budget.min(MAX_TIME);
    let deadline = Instant::now() + limit;
    let stream = route.redial(limit).await.ok()?;
    // Whether the certificate is good is the next check's business.
    let trust = Trust::only([]).ok()?;
    let certificates = CertificatePolicy::AllowInsecure;
    let policy = TlsPolicy { certificates, ..TlsPolicy::default() };
    let wanted = Wanted { host: &asked.host, policy: &policy, leg, now: SystemTime::now() };
    match timeout_at(deadline, handshake(&trust, &wanted, stream)).await.ok()? {
        Handshake::Established { mut stream, facts, .. } => {
            let mut first = vec![0; 512];
            let time = GREETING_TIME.min(deadline.saturating_duration_since(Instant::now()));
            let read = timeout(time, stream.read(&mut first)).await;
            first.truncate(read.ok().and_then(Result::ok).unwrap_or(0));
            Some(Inside::Session { first, facts })
        }
        Handshake::Failed(Failure { cause: Cause::Alert(number), facts, .. }) => {
            let evidence = with_alert(Evidence::default(), number);
            Some(Inside::Refused { evidence, facts })
        }
        Handshake::Failed(Failure { cause: Cause::Incompatible(_), facts, .. }) => {
            Some(Inside::Refused { evidence: Evidence::default(), facts })
        }
        Handshake::Failed(_) | Handshake::Rejected { .. } => None,
    }
}

/// A port answered our hello in plaintext.
pub(super) async fn plaintext(
    first: &[u8],
    asked: &Endpoint,
    leg: Leg,
    route: &Route,
    deadline: Instant,
) -> Explanation {
    let speaks = speaks(first);
    let mut evidence = Evidence { server_text: readable(first), ..Evidence::default() };
    if asked.security != Security::Tls {
        let note = "After agreeing to STARTTLS the server went on in plaintext.";
        let fault = Fault::new(FaultCode::TlsHandshakeFailed, leg)
            .with_evidence(evidence.with(FactKind::Note, note));
        return Explanation::of(None, fault);
    }
    if let Some(name) = other_than(asked.protocol, speaks) {
        let fault = wrong_protocol(name, first, leg);
        let usual = asked.protocol.default_port(Security::Tls);
        let budget = deadline.saturating_duration_since(Instant::now());
        let found = suggest_port(asked, usual, leg, route.clone(), budget).await;
        let suggestions = found.into_iter().collect();
        return Explanation { facts: None, faults: vec![fault], suggestions };
    }
    if speaks.is_none() {
        let fault = Fault::new(FaultCode::TlsHandshakeFailed, leg)
            .but_maybe(
                Confidence::Likely,
                [FaultCode::TlsModeMismatchStarttls, FaultCode::WrongProtocol],
            )
            .with_evidence(evidence.with(FactKind::Note, "The server did not answer in TLS."));
        return Explanation::of(None, fault);
    }
    let mut suggestions = Vec::new();
    let note = match timeout_at(deadline, offers_starttls(asked, route, deadline)).await {
        Ok(Some(Offer::Offered)) => {
            evidence = evidence
                .with(FactKind::SuggestedSecurity, Security::Starttls.to_string())
                .with(FactKind::SuggestedPort, asked.port.to_string());
            let reason = SuggestionReason::PortExpectsStarttls;
            suggestions.push(suggestion(asked, Security::Starttls, reason, leg));
            "The server offers STARTTLS on this port."
        }
        Ok(Some(Offer::NotOffered)) => "The server does not offer STARTTLS on this port.",
        Ok(None) | Err(_) => "Whether the server offers STARTTLS could not be found out.",
    };
    let fault = Fault::new(FaultCode::TlsModeMismatchStarttls, leg)
        .with_evidence(evidence.with(FactKind::Note, note));
    Explanation { facts: None, faults: vec![fault], suggestions }
}

async fn offers_starttls(asked: &Endpoint, route: &Route, deadline: Instant) -> Option<Offer> {
    let limit = deadline.saturating_duration_since(Instant::now());
    let mut stream = route.redial(limit).await.ok()?;
    dialogue::ask(&mut stream, asked.protocol).await.ok()
}

fn suggestion(
    asked: &Endpoint,
    security: Security,
    reason: SuggestionReason,
    leg: Leg,
) -> Suggestion {
    let endpoint = Some(Endpoint { security, ..asked.clone() });
    Suggestion { leg, endpoint, reason, proof: SuggestionProof::Probed, help_url: None }
}

/// The name of a recognised protocol that is not the one asked for.
fn other_than(asked: Protocol, speaks: Option<Banner>) -> Option<&'static str> {
    speaks.filter(|banner| *banner != Banner::Mail(asked)).map(Banner::name)
}

/// What speaks, by its first bytes; empty lines before them are passed over.
pub(super) fn speaks(first: &[u8]) -> Option<Banner> {
    reply::banner(first.trim_ascii_start())
}

/// The first bytes as evidence; `None` if they are no text.
pub(super) fn readable(first: &[u8]) -> Option<String> {
    let is_text = first.iter().all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace());
    let text = reply::keep(&reply::decode(first));
    (is_text && !text.is_empty()).then_some(text)
}

fn wrong_protocol(name: &str, first: &[u8], leg: Leg) -> Fault {
    let evidence = Evidence { server_text: readable(first), ..Evidence::default() };
    Fault::new(FaultCode::WrongProtocol, leg).with_evidence(evidence.with(FactKind::Protocol, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_becomes_evidence() {
        assert_eq!(readable(b"* OK hi\r\n").as_deref(), Some("* OK hi"));
        assert_eq!(readable(b"\x00\x01binary"), None);
        assert_eq!(readable(b"\r\n"), None);
    }

    #[test]
    fn the_protocol_asked_for_is_no_other() {
        let other = |first: &[u8]| other_than(Protocol::Imap, speaks(first));
        assert_eq!(other(b"\r\n* BAD no tag\r\n"), None);
        assert_eq!(other(b"220 mail.example.test ESMTP\r\n"), Some("SMTP"));
        assert_eq!(other(b"gibberish"), None);
    }
}
