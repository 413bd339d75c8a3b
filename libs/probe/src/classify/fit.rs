//! Fits a finding to its moment: phase and kind of credential come before everything else.
//!
//! The words say what the server is unhappy about; what that is called depends on what
//! was being done. The same `authentication failed` is about a token after XOAUTH2 and
//! about a missing login after MAIL FROM.

use std::time::Duration;

use FaultCode as C;
use mailfleet_model::Confidence::{Ambiguous, Certain, Likely};
use mailfleet_model::{Actor, FactKind, Fault, FaultCode, Protocol, Retry};

use super::codes::LOGIN_ALTERNATIVES;
use super::fold::Folded;
use super::{Finding, Refusal, ReplyPhase as At, Status, wait};
use crate::reply::{Banner, banner};

/// What shows without reading words: another protocol's first line, PREAUTH, an error
/// challenge about a token.
pub(super) fn by_shape(refusal: &Refusal<'_>) -> Option<Finding> {
    let certain = |code| Finding { code, confidence: Certain, alternatives: &[] };
    if refusal.status == Status::Preauth {
        return Some(certain(C::PreauthRefused));
    }
    if foreign(refusal).is_some() {
        return Some(match foreign(refusal) {
            Some(Banner::Tls) => certain(C::TlsModeMismatchImplicit),
            Some(_) | None => certain(C::WrongProtocol),
        });
    }
    if refusal.phase == At::Auth && (refusal.challenge.is_some() || is_challenge(refusal)) {
        return Some(by_challenge(refusal.challenge.unwrap_or(refusal.text)));
    }
    None
}

/// Another protocol than the one we speak, by the shape of the reply.
fn foreign(refusal: &Refusal<'_>) -> Option<Banner> {
    let is_expected = match refusal.status {
        Status::Unrecognised => false,
        Status::Smtp(_)
        | Status::No
        | Status::Bad
        | Status::Bye
        | Status::Preauth
        | Status::Err => true,
    };
    let seen = banner(refusal.text.trim_start().as_bytes())?;
    (!is_expected && seen != Banner::Mail(refusal.protocol)).then_some(seen)
}

/// Whether the reply itself is the SMTP prompt that carries the error challenge.
fn is_challenge(refusal: &Refusal<'_>) -> bool {
    refusal.status == Status::Smtp(334)
}

/// RFC 7628 §3.2.2: `status` and `scope` of the error. Providers name the wanted scope
/// also when the token is merely old, so only an explicit word makes it a scope fault.
fn by_challenge(challenge: &str) -> Finding {
    let folded = challenge.to_ascii_lowercase();
    let is_scope =
        ["insufficient_scope", "\"403\"", "invalid_scope"].iter().any(|w| folded.contains(w));
    if is_scope {
        Finding {
            code: C::OauthScopeMissing,
            confidence: Likely,
            alternatives: &[C::OauthTokenRejected, C::AccountMismatch],
        }
    } else {
        TOKEN
    }
}

const TOKEN: Finding = Finding {
    code: C::OauthTokenRejected,
    confidence: Likely,
    alternatives: &[
        C::OauthScopeMissing,
        C::AccountMismatch,
        C::ProtocolDisabledForMailbox,
        C::AuthPolicyBlocked,
    ],
};

/// Believes a cause less that only the server's advice names. At the login it counts if
/// it is something that the user can do about the refusal, and even then it is one of the
/// usual suspects, no more: `make sure that your account is not suspended` says nothing.
pub(super) fn advised(refusal: &Refusal<'_>, finding: Finding) -> Option<Finding> {
    const CAN_BE_DONE: [C; 8] = [
        C::AuthAppPasswordRequired,
        C::AuthWebLoginRequired,
        C::AuthUsernameFormat,
        C::AuthInvalidCredentials,
        C::AuthBasicDisabled,
        C::AuthNeedsTls,
        C::ProtocolDisabledForMailbox,
        C::SmtpAuthDisabled,
    ];
    if refusal.phase != At::Auth {
        return Some(Finding { confidence: finding.confidence.min(Likely), ..finding });
    }
    let alternatives = match finding.alternatives {
        [] => LOGIN_ALTERNATIVES,
        named => named,
    };
    let is_hint = CAN_BE_DONE.contains(&finding.code);
    is_hint.then_some(Finding { confidence: Ambiguous, alternatives, ..finding })
}

/// Translates a finding into the vocabulary of the moment.
pub(super) fn to_moment(refusal: &Refusal<'_>, finding: Finding) -> Finding {
    let renamed = |code| Finding { code, ..finding };
    let is_login = refusal.phase == At::Auth;
    match finding.code {
        C::AuthInvalidCredentials | C::AuthRejectedUnspecified if refusal.is_token() => TOKEN,
        C::AuthenticatedNotConnected if refusal.is_token() => Finding {
            code: C::OauthScopeMissing,
            confidence: Likely,
            alternatives: &[
                C::OauthTokenRejected,
                C::AccountMismatch,
                C::AuthenticatedNotConnected,
            ],
        },
        C::AuthInvalidCredentials | C::AuthRejectedUnspecified if is_submission(refusal.phase) => {
            Finding { code: C::AuthRequired, confidence: Likely, alternatives: &[C::RelayDenied] }
        }
        C::AuthTemporaryFailure if refusal.phase == At::Starttls => renamed(C::StarttlsRejected),
        C::AuthTemporaryFailure if !is_login => renamed(C::ServerUnavailable),
        C::ServerUnavailable if refusal.phase == At::Starttls => renamed(C::StarttlsRejected),
        C::LoginRateLimited => renamed(match refusal.phase {
            At::Auth | At::Starttls => C::LoginRateLimited,
            At::RcptTo | At::Data | At::Body => C::SendLimitReached,
            At::Greeting | At::Capability | At::List | At::Open | At::MailFrom | At::Other => {
                C::ServerThrottled
            }
        }),
        // Gmail's OVERQUOTA is about traffic, never about storage.
        C::QuotaExceeded if refusal.protocol == Protocol::Imap && is_gmail(refusal) => Finding {
            code: C::ServerThrottled,
            confidence: Likely,
            alternatives: &[C::QuotaExceeded],
        },
        _ => finding,
    }
}

fn is_gmail(refusal: &Refusal<'_>) -> bool {
    refusal.provider.is_some_and(|provider| provider.name == "Gmail")
}

fn is_submission(phase: At) -> bool {
    matches!(phase, At::MailFrom | At::RcptTo | At::Data | At::Body)
}

/// The alternatives, those that the provider makes likely first.
pub(super) fn alternatives(
    refusal: &Refusal<'_>,
    finding: Finding,
) -> impl Iterator<Item = FaultCode> {
    let is_bare = matches!(finding.code, C::AuthInvalidCredentials | C::AuthRejectedUnspecified);
    let local = refusal.provider.filter(|_| is_bare).map_or(&[][..], |p| p.refusals);
    // A switched-off protocol is told as such only by some servers; keep its siblings near.
    let siblings: &[C] = match finding.code {
        C::ProtocolDisabledForMailbox if refusal.protocol == Protocol::Smtp => {
            &[C::SmtpAuthDisabled]
        }
        C::SmtpAuthDisabled => &[C::ProtocolDisabledForMailbox],
        _ => &[],
    };
    // Servers offer these to everybody, and cannot verify them where they store only a
    // hash of the password (Dovecot, seen in 2.3): the password may be right.
    let unverifiable: &[C] =
        if is_bare && refusal.keeps_password() { &[C::AuthMechanismUnsupported] } else { &[] };
    local.iter().chain(siblings).chain(unverifiable).chain(finding.alternatives).copied()
}

/// Waits that the server names, refusals that are temporary by their code, and who must
/// act where the usual actor is wrong.
pub(super) fn actor_and_retry(refusal: &Refusal<'_>, fault: &mut Fault, words: &Folded) {
    const FOLLOWS_THE_CODE: [C; 6] = [
        C::GreetingRejected,
        C::StarttlsRejected,
        C::RecipientRejected,
        C::RelayDenied,
        C::MessageRejectedContent,
        C::HeloRejected,
    ];
    // A lock on the maildrop goes away with the other session.
    let is_lock = fault.code == C::MailboxUnavailable
        && (["INUSE", "IN-USE"].iter().any(|c| fault.evidence.response_code.as_deref() == Some(c))
            || super::table::says_in_use(words));
    if is_lock || (refusal.is_temporary() && FOLLOWS_THE_CODE.contains(&fault.code)) {
        fault.retry =
            Retry::Backoff { min: Duration::from_secs(60), max: Duration::from_secs(30 * 60) };
    }
    if is_lock {
        fault.actor = Actor::User;
    }
    let named = wait::named_wait(words).filter(|_| fault.retry.is_temporary());
    if let Some(wait) = named {
        fault.retry = Retry::ServerHint(wait);
        let seconds = wait.as_secs().max(1);
        let evidence = std::mem::take(&mut fault.evidence);
        fault.evidence = evidence.with(FactKind::Wait, format!("{seconds} s"));
    }
}

/// Facts that the remedy speaks about: the protocol that answered, the provider's page.
pub(super) fn hints(refusal: &Refusal<'_>, fault: &mut Fault) {
    let mut evidence = std::mem::take(&mut fault.evidence);
    if fault.code == C::WrongProtocol {
        let seen = foreign(refusal).or_else(|| super::table::protocol_named_in(refusal.text));
        if let Some(seen) = seen {
            evidence = evidence.with(FactKind::Protocol, seen.name());
        }
        let usual = refusal.protocol.default_port(mailfleet_model::Security::Tls);
        evidence = evidence.with(FactKind::SuggestedPort, usual.to_string());
    }
    if let Some(url) = refusal.provider.and_then(|provider| provider.help_for(fault.code)) {
        evidence = evidence.with(FactKind::HelpUrl, url);
    }
    if refusal.provider.is_some_and(|p| !p.refusals.is_empty())
        && fault.code == C::AuthInvalidCredentials
        && fault.confidence == Certain
    {
        // These providers use the same words for a missing app password.
        fault.confidence = Likely;
    }
    fault.evidence = evidence;
}
