//! A validation as the domain understands it: already checked, nothing left to doubt.

use std::net::IpAddr;
use std::time::Duration;

use crate::address::EmailAddress;
use crate::endpoint::Endpoint;
use crate::fleet::LoginTag;
use crate::secret::Login;
use crate::tls::TlsPolicy;

/// Shortest and longest budget of a validation.
pub const BUDGET_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(300);
/// Budget of a validation when the caller names none.
pub const DEFAULT_BUDGET: Duration = Duration::from_secs(60);
/// Shortest and longest time to look for the test mail.
pub const ARRIVAL_TIMEOUT_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(600);
/// Time to look for the test mail when the caller names none.
pub const DEFAULT_ARRIVAL_TIMEOUT: Duration = Duration::from_secs(120);

/// A request to validate a mailbox, with every field checked.
#[derive(Debug, Clone)]
pub struct Validation {
    /// The mailbox.
    pub mailbox: EmailAddress,
    /// Incoming endpoints to check, at most one a protocol; the first one serves the
    /// arrival leg.
    pub incoming: Vec<LegSettings>,
    /// Outgoing endpoint to check.
    pub outgoing: Option<LegSettings>,
    /// What the outgoing leg does after the login.
    pub test_mail: TestMail,
    /// What is demanded of certificates.
    pub tls: TlsPolicy,
    /// Time for the incoming and outgoing legs together; [`BUDGET_RANGE`].
    pub budget: Duration,
    /// Time to look for the test mail, beyond the budget; [`ARRIVAL_TIMEOUT_RANGE`].
    pub arrival_timeout: Duration,
}

/// One endpoint and the login to use there.
#[derive(Debug, Clone)]
pub struct LegSettings {
    /// Where to connect.
    pub endpoint: Endpoint,
    /// As whom to log in.
    pub login: Login,
}

/// What the outgoing leg does after the login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TestMail {
    /// MAIL FROM, RCPT TO the mailbox itself, RSET: nothing is sent.
    #[default]
    Envelope,
    /// Ends after the login.
    LoginOnly,
    /// Sends a test mail to the mailbox itself and looks for it.
    ToSelf,
    /// Sends a test mail to another mailbox; only a sent copy is looked for.
    To(EmailAddress),
}

impl Validation {
    /// Who gets the test mail; `None` if none is sent.
    #[must_use]
    pub fn recipient(&self) -> Option<&EmailAddress> {
        match &self.test_mail {
            TestMail::Envelope | TestMail::LoginOnly => None,
            TestMail::ToSelf => Some(&self.mailbox),
            TestMail::To(recipient) => Some(recipient),
        }
    }
}

/// What a validation asks for, without its secrets: enough to join its legs and to show
/// it, not enough to log in.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// The mailbox under test.
    pub mailbox: EmailAddress,
    /// The incoming endpoints; the first one serves the arrival leg.
    pub incoming: Vec<OutlineLeg>,
    /// The outgoing endpoint.
    pub outgoing: Option<OutlineLeg>,
    /// The recipient of the test mail, where one is sent.
    pub test_mail: Option<EmailAddress>,
    /// Source addresses to be allow-listed; empty where the system chooses.
    pub egress: Vec<IpAddr>,
}

/// Where a leg connects and as whom, without the secret.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlineLeg {
    /// Where to connect.
    pub endpoint: Endpoint,
    /// Whom to log in.
    pub username: String,
    /// Equal for the same user name and secret.
    pub login: LoginTag,
}

impl Outline {
    /// The outline of a validation that leaves from `egress`. `tag` must give equal tags
    /// for logins that are the same, and only for those.
    #[must_use]
    pub fn of(
        validation: &Validation,
        egress: Vec<IpAddr>,
        tag: impl Fn(&Login) -> LoginTag,
    ) -> Self {
        let leg = |settings: &LegSettings| OutlineLeg {
            endpoint: settings.endpoint.clone(),
            username: settings.login.username.clone(),
            login: tag(&settings.login),
        };
        Self {
            mailbox: validation.mailbox.clone(),
            incoming: validation.incoming.iter().map(leg).collect(),
            outgoing: validation.outgoing.as_ref().map(leg),
            test_mail: validation.recipient().cloned(),
            egress,
        }
    }

    /// The outline of a validation that never leaves this process: logins are numbered,
    /// no key is needed. Such tags mean nothing outside this one outline.
    #[must_use]
    pub fn numbered(validation: &Validation, egress: Vec<IpAddr>) -> Self {
        let settings = || validation.incoming.iter().chain(&validation.outgoing);
        Self::of(validation, egress, |login| {
            let place = settings().position(|other| other.login.same_as(login));
            let number = place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX);
            LoginTag([number; 32])
        })
    }

    /// Every leg of the request: the incoming ones, then the outgoing one.
    pub fn legs(&self) -> impl Iterator<Item = &OutlineLeg> {
        self.incoming.iter().chain(&self.outgoing)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Credential, Protocol, Secret};

    fn settings(protocol: Protocol, secret: &str) -> LegSettings {
        let credential = Credential::Password(Secret::new(secret.as_bytes().to_vec()));
        LegSettings {
            endpoint: Endpoint::parse(protocol, "mail.example.test").expect("an endpoint"),
            login: Login::new("taro", Arc::new(credential)).expect("a login"),
        }
    }

    #[test]
    fn numbered_logins_are_equal_exactly_where_user_and_secret_are() {
        let mailbox: EmailAddress = "taro@example.test".parse().expect("an address");
        for (outgoing, same) in [("a", true), ("b", false)] {
            let validation = Validation {
                mailbox: mailbox.clone(),
                incoming: vec![settings(Protocol::Imap, "a")],
                outgoing: Some(settings(Protocol::Smtp, outgoing)),
                test_mail: TestMail::ToSelf,
                tls: TlsPolicy::default(),
                budget: DEFAULT_BUDGET,
                arrival_timeout: DEFAULT_ARRIVAL_TIMEOUT,
            };
            let outline = Outline::numbered(&validation, Vec::new());
            let tags: Vec<LoginTag> = outline.legs().map(|leg| leg.login).collect();
            assert_eq!(tags[0] == tags[1], same);
            assert_eq!(outline.test_mail.as_ref(), Some(&mailbox));
        }
    }
}
