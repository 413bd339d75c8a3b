//! A validation as the domain understands it: already checked, nothing left to doubt.

use std::time::Duration;

use crate::address::EmailAddress;
use crate::endpoint::Endpoint;
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
