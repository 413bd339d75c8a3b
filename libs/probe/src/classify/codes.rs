//! What the codes of a reply mean, for replies whose words are unknown.
//!
//! Four tiers, asked in this order after the table of words: bracketed codes
//! (RFC 5530, RFC 3206, RFC 2449), enhanced codes (RFC 3463, RFC 5248, RFC 4954 and
//! Microsoft's own numbers), basic SMTP codes (RFC 5321, RFC 4954), and the mere kind
//! of the reply. The same code means different things at different moments.

use FaultCode as C;
use mailfleet_model::Confidence::{self, Ambiguous, Certain, Likely};
use mailfleet_model::{FaultCode, Protocol};

use super::{Finding, Refusal, ReplyPhase as At, Status};
use crate::reply::{self, EnhancedCode};

const fn finding(code: FaultCode, confidence: Confidence, alternatives: &'static [C]) -> Finding {
    Finding { code, confidence, alternatives }
}

/// A bare refusal of a login, in the order in which it is worth looking.
pub(super) const LOGIN_ALTERNATIVES: &[C] = &[
    C::AuthInvalidCredentials,
    C::AuthUsernameFormat,
    C::AuthAppPasswordRequired,
    C::ProtocolDisabledForMailbox,
    C::AuthSsoOnly,
    C::EgressIpBlocked,
    C::TooManyConnections,
];

const UNSPECIFIED: Finding = finding(C::AuthRejectedUnspecified, Ambiguous, LOGIN_ALTERNATIVES);
const INVALID: Finding = finding(C::AuthInvalidCredentials, Likely, LOGIN_ALTERNATIVES);

/// Bracketed codes that mean something. `ALERT` and `CAPABILITY` do not.
const BRACKETED: &[(&str, Finding)] = &[
    ("AUTHENTICATIONFAILED", INVALID),
    ("AUTH", INVALID),
    ("AUTHORIZATIONFAILED", finding(C::AuthAuthorizationFailed, Certain, &[C::AccountMismatch])),
    ("EXPIRED", finding(C::AuthPasswordExpired, Certain, &[])),
    ("PRIVACYREQUIRED", finding(C::AuthNeedsTls, Certain, &[])),
    (
        "CONTACTADMIN",
        finding(
            C::AuthAccountLocked,
            Likely,
            &[C::ProtocolDisabledForMailbox, C::AuthPolicyBlocked],
        ),
    ),
    ("UNAVAILABLE", finding(C::AuthTemporaryFailure, Likely, &[C::TooManyConnections])),
    ("TEMPFAIL", finding(C::AuthTemporaryFailure, Likely, &[])),
    ("SERVERBUG", finding(C::AuthTemporaryFailure, Likely, &[])),
    ("SYS/TEMP", finding(C::AuthTemporaryFailure, Likely, &[C::TooManyConnections])),
    ("SYS/PERM", finding(C::MailboxUnavailable, Likely, &[C::AuthAccountLocked])),
    ("LIMIT", finding(C::TooManyConnections, Likely, &[C::LoginRateLimited])),
    ("THROTTLED", finding(C::LoginRateLimited, Certain, &[])),
    ("OVERQUOTA", finding(C::QuotaExceeded, Certain, &[])),
    ("INUSE", finding(C::MailboxUnavailable, Certain, &[C::TooManyConnections])),
    ("IN-USE", finding(C::MailboxUnavailable, Likely, &[C::TooManyConnections])),
    ("LOGIN-DELAY", finding(C::LoginDelay, Certain, &[])),
    ("WEBALERT", finding(C::AuthWebLoginRequired, Certain, &[])),
    ("NONEXISTENT", finding(C::MailboxUnavailable, Certain, &[])),
    ("NOPERM", finding(C::MailboxUnavailable, Likely, &[C::AuthAuthorizationFailed])),
    ("CORRUPTION", finding(C::MailboxUnavailable, Certain, &[])),
];

/// Finds a bracketed code in a reply: one that means something wherever it stands, else
/// the leading one.
pub(super) fn find_bracketed(text: &str) -> Option<String> {
    let known = text.split('[').skip(1).take(16).find_map(|rest| {
        let inside = rest.split([']', ' ']).next().unwrap_or_default();
        BRACKETED.iter().find(|(code, _)| inside.eq_ignore_ascii_case(code)).map(|(code, _)| *code)
    });
    match known {
        Some(code) => Some(code.to_owned()),
        None => reply::bracketed(without_status(text)).0,
    }
}

/// Removes what a session may have left before the words: `*` and the status. A status
/// is no word: `NO Mailbox is busy` says nothing about `no mailbox`. Nor is a word a
/// status: sessions hand over `no such user` and `Bad password` as they are, so only what
/// stands there once and in capitals is taken for one.
pub(super) fn without_status(text: &str) -> &str {
    let text = text.trim_start();
    let text = text.strip_prefix("* ").unwrap_or(text).trim_start();
    let (word, after) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "NO" | "BAD" | "BYE" | "OK" | "-ERR" | "+ERR" => after.trim_start(),
        _ => text,
    }
}

/// The words of an IMAP or POP3 reply: without the status, and without a leading code that
/// has a tier of its own, since `[AUTH]` or `[UNAVAILABLE]` would be taken for words.
pub(super) fn words_alone(text: &str) -> &str {
    let text = without_status(text);
    let (code, words) = reply::bracketed(text);
    let is_known = code.is_some_and(|code| BRACKETED.iter().any(|(known, _)| code == *known));
    if is_known { words } else { text }
}

/// Tier 3: the bracketed code.
pub(super) fn bracketed(refusal: &Refusal<'_>, code: Option<&str>) -> Option<Finding> {
    let code = code?;
    // RFC 3206 puts SYS/PERM on a whole server that needs its administrator.
    if code == "SYS/PERM" && refusal.phase == At::Greeting {
        return Some(finding(C::GreetingRejected, Likely, &[C::EgressIpBlocked]));
    }
    BRACKETED.iter().find(|(known, _)| *known == code).map(|(_, finding)| *finding)
}

/// Tier 4: the enhanced code.
pub(super) fn enhanced(refusal: &Refusal<'_>, code: Option<EnhancedCode>) -> Option<Finding> {
    let code = code?;
    match code.subject {
        1 => addressing(refusal.phase, code.detail),
        2 => mailbox_status(refusal.phase, code.detail),
        3 => match code.detail {
            4 => Some(finding(C::MessageTooLarge, Certain, &[])),
            _ => Some(finding(C::ServerUnavailable, Likely, &[])),
        },
        5 => protocol_status(refusal.phase, code.detail),
        6 => match (code.detail, refusal.phase) {
            (7 | 9, _) => Some(finding(C::Smtputf8Required, Likely, &[])),
            (_, At::Data | At::Body) => Some(finding(C::MessageRejectedContent, Likely, &[])),
            _ => None,
        },
        7 => microsoft(code.detail).or_else(|| security(refusal, code)),
        _ => None,
    }
}

/// X.1.*: addresses.
fn addressing(phase: At, detail: u16) -> Option<Finding> {
    match (detail, phase) {
        (7 | 8, _) | (_, At::MailFrom) => Some(finding(C::SenderRejected, Likely, &[])),
        (_, At::RcptTo | At::Data | At::Body) => Some(finding(C::RecipientRejected, Likely, &[])),
        _ => None,
    }
}

/// X.2.*: mailboxes.
fn mailbox_status(phase: At, detail: u16) -> Option<Finding> {
    match (detail, phase) {
        (2, _) => Some(finding(C::QuotaExceeded, Likely, &[C::RecipientRejected])),
        (3, _) => Some(finding(C::MessageTooLarge, Likely, &[])),
        (1, At::Auth | At::MailFrom) => Some(finding(C::AuthAccountLocked, Likely, &[])),
        (_, At::RcptTo | At::Data | At::Body) => {
            Some(finding(C::RecipientRejected, Likely, &[C::Greylisted]))
        }
        _ => None,
    }
}

/// X.5.*: the dialogue itself.
fn protocol_status(phase: At, detail: u16) -> Option<Finding> {
    match (detail, phase) {
        (_, At::Auth) => {
            Some(finding(C::AuthMechanismUnsupported, Likely, &[C::AuthNotOfferedOnPort]))
        }
        (_, At::Greeting | At::Capability) => Some(finding(C::HeloRejected, Likely, &[])),
        (1, At::MailFrom | At::RcptTo | At::Data) => Some(finding(C::AuthRequired, Likely, &[])),
        (3, At::RcptTo) => Some(finding(C::SendLimitReached, Likely, &[])),
        _ => None,
    }
}

/// Numbers that Microsoft uses as its own.
fn microsoft(detail: u16) -> Option<Finding> {
    match detail {
        30 => Some(finding(C::AuthBasicDisabled, Likely, &[])),
        57 => Some(finding(C::AuthRequired, Likely, &[C::SmtpAuthDisabled])),
        60 => Some(finding(C::SenderRejected, Certain, &[])),
        139 => Some(finding(
            C::AuthPolicyBlocked,
            Ambiguous,
            &[C::SmtpAuthDisabled, C::AuthBasicDisabled, C::AuthInvalidCredentials],
        )),
        501..=503 | 508 => Some(finding(C::AuthAccountLocked, Likely, &[C::SendLimitReached])),
        511 | 606..=649 | 708 => Some(finding(C::EgressIpBlocked, Certain, &[C::EgressReputation])),
        650..=699 | 705 | 850..=860 => Some(finding(C::ServerThrottled, Likely, &[])),
        _ => None,
    }
}

/// X.7.*: security and policy.
fn security(refusal: &Refusal<'_>, code: EnhancedCode) -> Option<Finding> {
    let is_login = refusal.phase == At::Auth;
    match code.detail {
        4 if is_login => {
            Some(finding(C::AuthMechanismUnsupported, Likely, &[C::AuthNotOfferedOnPort]))
        }
        3 if is_login => Some(UNSPECIFIED),
        8 if is_login => Some(INVALID),
        8 => Some(finding(C::AuthRequired, Likely, &[])),
        9 if is_login => {
            Some(finding(C::AuthMechanismUnsupported, Likely, &[C::AuthAppPasswordRequired]))
        }
        10 | 11 => Some(finding(C::AuthNeedsTls, Certain, &[])),
        12 => Some(finding(C::AuthPasswordExpired, Certain, &[])),
        13 => Some(finding(C::AuthAccountLocked, Certain, &[])),
        14 => Some(finding(C::AuthWebLoginRequired, Likely, &[C::AuthPolicyBlocked])),
        20..=24 | 26..=30 => Some(finding(C::MessageRejectedContent, Likely, &[C::SenderRejected])),
        25 => Some(finding(C::EgressReputation, Certain, &[])),
        _ => None,
    }
}

/// Tier 5: the basic code, for those whose meaning RFC 5321 or RFC 4954 fixes.
pub(super) fn basic(refusal: &Refusal<'_>) -> Option<Finding> {
    let Status::Smtp(code) = refusal.status else { return None };
    match refusal.phase {
        At::Auth => at_login(code),
        At::Greeting | At::Capability => at_start(refusal.phase, code),
        At::MailFrom | At::RcptTo | At::Data | At::Body => in_transaction(refusal.phase, code),
        At::Starttls | At::List | At::Open | At::Other => None,
    }
}

fn at_login(code: u16) -> Option<Finding> {
    match code {
        535 | 526 => Some(INVALID),
        530 | 538 => Some(finding(C::AuthNeedsTls, Likely, &[C::AuthMechanismUnsupported])),
        534 => Some(finding(C::AuthMechanismUnsupported, Likely, &[C::AuthAppPasswordRequired])),
        525 => Some(finding(C::AuthAccountLocked, Certain, &[])),
        432 => Some(finding(C::AuthPasswordExpired, Likely, &[])),
        500..=504 => Some(finding(C::AuthMechanismUnsupported, Likely, &[C::AuthNotOfferedOnPort])),
        _ => None,
    }
}

fn at_start(phase: At, code: u16) -> Option<Finding> {
    match (phase, code) {
        (At::Capability, 500..=504 | 550 | 553 | 554) => {
            Some(finding(C::HeloRejected, Likely, &[C::EgressIpBlocked]))
        }
        (_, 554 | 550 | 571) => {
            Some(finding(C::GreetingRejected, Likely, &[C::EgressIpBlocked, C::EgressReputation]))
        }
        _ => None,
    }
}

fn in_transaction(phase: At, code: u16) -> Option<Finding> {
    match (phase, code) {
        (_, 530 | 535) => Some(finding(C::AuthRequired, Certain, &[])),
        (_, 421 | 442 | 452) => Some(finding(C::ServerUnavailable, Likely, &[])),
        (At::MailFrom, 552) | (At::Data | At::Body, 552 | 523) => {
            Some(finding(C::MessageTooLarge, Likely, &[C::QuotaExceeded]))
        }
        (At::MailFrom, 503) => Some(finding(C::AuthRequired, Likely, &[C::HeloRejected])),
        (At::RcptTo, 552 | 522) => Some(finding(C::QuotaExceeded, Likely, &[])),
        (At::RcptTo, 550 | 551 | 553 | 511 | 521 | 556) => {
            Some(finding(C::RecipientRejected, Likely, &[C::RelayDenied, C::EgressIpBlocked]))
        }
        _ => None,
    }
}

/// Tier 6: the mere kind of the reply.
pub(super) fn first_digit(refusal: &Refusal<'_>) -> Finding {
    match (refusal.phase, refusal.status) {
        (_, Status::Preauth) => finding(C::PreauthRefused, Certain, &[]),
        (_, Status::Unrecognised) => finding(C::ProtocolError, Likely, &[]),
        (At::Starttls, _) => finding(C::StarttlsRejected, Certain, &[C::TlsNotOffered]),
        (At::Greeting, Status::Bye | Status::No | Status::Bad | Status::Err) => {
            finding(C::GreetingRejected, Likely, &[C::EgressIpBlocked, C::TooManyConnections])
        }
        (_, Status::Bye) => {
            finding(C::ServerUnavailable, Likely, &[C::TooManyConnections, C::EgressIpBlocked])
        }
        (At::Auth, Status::No | Status::Err) => UNSPECIFIED,
        (At::Auth, Status::Bad) => {
            finding(C::AuthRejectedUnspecified, Ambiguous, &[C::AuthMechanismUnsupported])
        }
        (At::Capability, Status::No | Status::Bad | Status::Err) => {
            finding(C::ProtocolError, Likely, &[])
        }
        (At::List, _) => finding(C::MailboxListFailed, Certain, &[]),
        (_, Status::No | Status::Bad | Status::Err) => {
            finding(C::MailboxUnavailable, Likely, &[C::ProtocolDisabledForMailbox])
        }
        (phase, Status::Smtp(400..500)) => later(phase),
        (phase, Status::Smtp(_)) => never(phase, refusal.protocol),
    }
}

/// 4xx: the server says that it may work later.
fn later(phase: At) -> Finding {
    match phase {
        At::Auth => finding(C::AuthTemporaryFailure, Likely, &[C::LoginRateLimited]),
        At::RcptTo | At::Data | At::Body => {
            finding(C::Greylisted, Likely, &[C::ServerUnavailable, C::RecipientRejected])
        }
        At::Greeting | At::Capability | At::MailFrom => finding(
            C::ServerUnavailable,
            Likely,
            &[C::TooManyConnections, C::EgressReputation, C::Greylisted],
        ),
        At::Starttls | At::List | At::Open | At::Other => {
            finding(C::ServerUnavailable, Likely, &[])
        }
    }
}

/// 5xx: the server says that it will not work.
fn never(phase: At, protocol: Protocol) -> Finding {
    match phase {
        At::Auth => UNSPECIFIED,
        At::Greeting => finding(C::GreetingRejected, Likely, &[C::EgressIpBlocked]),
        At::Capability => finding(C::HeloRejected, Likely, &[C::ProtocolError]),
        At::MailFrom => finding(C::SenderRejected, Likely, &[C::AuthRequired, C::EgressIpBlocked]),
        At::RcptTo => finding(C::RecipientRejected, Likely, &[C::RelayDenied, C::EgressIpBlocked]),
        At::Data | At::Body => {
            finding(C::MessageRejectedContent, Likely, &[C::SenderRejected, C::EgressReputation])
        }
        At::Starttls => finding(C::StarttlsRejected, Certain, &[C::TlsNotOffered]),
        At::List | At::Open | At::Other => match protocol {
            Protocol::Imap | Protocol::Pop3 => finding(C::MailboxUnavailable, Likely, &[]),
            Protocol::Smtp => finding(C::Unknown, Ambiguous, &[C::ProtocolError]),
        },
    }
}
