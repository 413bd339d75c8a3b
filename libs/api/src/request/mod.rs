//! A `ValidateRequest` becomes a checked [`Validation`], or the list of all its bad fields.
//!
//! This is the only door for requests, local ones included, so that a rule is written once.
//! Nothing is connected to and nothing is resolved here. Descriptions of bad fields never
//! repeat the value. Secrets are moved out of the message; whatever is left is wiped.

pub mod batch;
mod legs;
mod trust;

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use mailfleet_model::tls::{CertificatePolicy, TlsPolicy};
use mailfleet_model::validation::{
    ARRIVAL_TIMEOUT_RANGE, BUDGET_RANGE, DEFAULT_ARRIVAL_TIMEOUT, DEFAULT_BUDGET,
};
use mailfleet_model::{EmailAddress, TestMail, Validation, Violations};
use uuid::Uuid;

use crate::v1::test_mail::Mode;
use crate::{v1, when};

/// A request with every field checked.
#[derive(Debug)]
pub struct Request {
    /// What to validate.
    pub validation: Validation,
    /// The caller's name for the request.
    pub request_id: Option<Uuid>,
    /// The language of the remedies, one of those that [`parse`] was given.
    pub language: Option<String>,
    /// Whether the validation ends when the caller goes away.
    pub cancel_on_disconnect: bool,
}

/// Checks a request; `languages` are the tags that remedies exist in.
///
/// # Errors
/// All bad fields at once, with their paths in the names of the proto file.
pub fn parse(request: v1::ValidateRequest, languages: &[&str]) -> Result<Request, Violations> {
    let mut bad = Violations::default();
    let request_id = request_id(&request.request_id, &mut bad);
    let mailbox = address("address", &request.address, &mut bad);
    let legs = legs::parse(
        legs::Entered {
            incoming: request.incoming,
            outgoing: request.outgoing,
            shared: request.login.unwrap_or_default(),
        },
        mailbox.as_ref(),
        &mut bad,
    );
    let test_mail = test_mail(request.test_mail.as_ref(), legs.has_outgoing, &mut bad);
    let extra_roots = trust::parse(&request.trusted_certificates, &mut bad);
    let budget = span(request.budget, "budget", &BUDGET_RANGE, DEFAULT_BUDGET, &mut bad);
    let arrival_timeout = span(
        request.arrival_timeout,
        "arrival_timeout",
        &ARRIVAL_TIMEOUT_RANGE,
        DEFAULT_ARRIVAL_TIMEOUT,
        &mut bad,
    );
    let language = language(request.language, languages, &mut bad);
    let certificates = if request.allow_insecure_certificates {
        CertificatePolicy::AllowInsecure
    } else {
        CertificatePolicy::Strict
    };
    // Without an address there is a violation, so nothing is lost by asking for both at once.
    match mailbox.filter(|_| bad.is_empty()) {
        None => Err(bad),
        Some(mailbox) => Ok(Request {
            validation: Validation {
                mailbox,
                incoming: legs.incoming,
                outgoing: legs.outgoing,
                test_mail,
                tls: TlsPolicy { certificates, extra_roots },
                budget,
                arrival_timeout,
            },
            request_id,
            language,
            cancel_on_disconnect: request.cancel_on_disconnect,
        }),
    }
}

/// Checks a submission. `cancel_on_disconnect` makes no sense for it, and is a bad field.
///
/// # Errors
/// All bad fields at once, with their paths in the names of the proto file.
pub fn parse_submission(
    request: v1::SubmitValidationRequest,
    languages: &[&str],
) -> Result<Request, Violations> {
    let mut bad = Violations::default();
    let Some(validation) = request.validation else {
        bad.add("validation", "is required");
        return Err(bad);
    };
    if validation.cancel_on_disconnect {
        bad.add("validation.cancel_on_disconnect", "is not allowed: nobody stays connected");
    }
    let parsed = parse(validation, languages).map_err(|inner| {
        for violation in inner.as_slice() {
            bad.add(format!("validation.{}", violation.field), &violation.description);
        }
    });
    match parsed {
        Ok(request) if bad.is_empty() => Ok(request),
        Ok(_) | Err(()) => Err(bad),
    }
}

/// The language that a request asks for, whether or not the rest of it is right: the answer
/// to a bad request is given in it.
#[must_use]
pub fn asked_language<'a>(request: &v1::ValidateRequest, languages: &[&'a str]) -> Option<&'a str> {
    languages.iter().copied().find(|tag| *tag == request.language)
}

fn request_id(text: &str, bad: &mut Violations) -> Option<Uuid> {
    if text.is_empty() {
        return None;
    }
    bad.check("request_id", Uuid::try_parse(text).map_err(|_| "is not a UUID"))
}

fn address(field: &str, text: &str, bad: &mut Violations) -> Option<EmailAddress> {
    if text.is_empty() {
        bad.add(field, "is required");
        return None;
    }
    bad.check(field, text.parse())
}

fn test_mail(asked: Option<&v1::TestMail>, has_outgoing: bool, bad: &mut Violations) -> TestMail {
    let Some(asked) = asked else { return TestMail::default() };
    let recipient = asked.recipient.as_str();
    let mode = Mode::try_from(asked.mode);
    if mode != Ok(Mode::ToRecipient) && !recipient.is_empty() {
        bad.add("test_mail.recipient", "is only allowed with the mode TO_RECIPIENT");
    }
    if matches!(mode, Ok(Mode::ToSelf | Mode::ToRecipient)) && !has_outgoing {
        bad.add("test_mail.mode", "sends a mail, which needs an outgoing leg");
    }
    match mode {
        Ok(Mode::Unspecified | Mode::Envelope) => TestMail::Envelope,
        Ok(Mode::LoginOnly) => TestMail::LoginOnly,
        Ok(Mode::ToSelf) => TestMail::ToSelf,
        Ok(Mode::ToRecipient) => address("test_mail.recipient", recipient, bad)
            .map_or_else(TestMail::default, TestMail::To),
        Err(_) => {
            bad.add("test_mail.mode", "is not a known mode");
            TestMail::default()
        }
    }
}

fn span(
    asked: Option<prost_types::Duration>,
    field: &str,
    range: &RangeInclusive<Duration>,
    default: Duration,
    bad: &mut Violations,
) -> Duration {
    let Some(asked) = asked else { return default };
    let within = when::to_duration(asked).filter(|span| range.contains(span));
    bad.check(field, within.ok_or(OutOfRange(range))).unwrap_or(default)
}

/// Says what a span must be.
struct OutOfRange<'a>(&'a RangeInclusive<Duration>);

impl fmt::Display for OutOfRange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is not from {} s to {} s", self.0.start().as_secs(), self.0.end().as_secs())
    }
}

fn language(asked: String, languages: &[&str], bad: &mut Violations) -> Option<String> {
    if asked.is_empty() {
        return None;
    }
    if !languages.contains(&asked.as_str()) {
        bad.add("language", format_args!("is not one of {}", languages.join(", ")));
    }
    Some(asked)
}

#[cfg(test)]
mod tests;
