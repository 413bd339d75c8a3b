//! What every fault code means by default: phase, severity, actor, retry class.
//!
//! A table, so that it can be read as one. Where the evidence says more (a wait that
//! the server names, a refusal that is temporary), whoever makes the fault overrides it.

use std::time::Duration;

use super::{Actor, FaultCode, Phase, Retry, Severity};

/// One row of the table.
struct Row {
    phase: Phase,
    actor: Actor,
    retry: Retry,
    severity: Severity,
}

impl FaultCode {
    /// The phase in which the fault usually happens.
    #[must_use]
    pub fn phase(self) -> Phase {
        row(self).phase
    }

    /// Who can usually remove the cause.
    #[must_use]
    pub fn actor(self) -> Actor {
        row(self).actor
    }

    /// Whether trying again usually helps.
    #[must_use]
    pub fn retry(self) -> Retry {
        row(self).retry
    }

    /// Whether the fault usually makes the mailbox unusable.
    #[must_use]
    pub fn severity(self) -> Severity {
        row(self).severity
    }
}

const fn minutes(min: u64, max: u64) -> Retry {
    Retry::Backoff { min: Duration::from_secs(min * 60), max: Duration::from_secs(max * 60) }
}

const fn blocking(phase: Phase, actor: Actor, retry: Retry) -> Row {
    Row { phase, actor, retry, severity: Severity::Blocking }
}

const fn warning(phase: Phase, actor: Actor, retry: Retry) -> Row {
    Row { phase, actor, retry, severity: Severity::Warning }
}

#[rustfmt::skip] // One row a line: the point of a table.
const fn row(code: FaultCode) -> Row {
    use Actor::{MailAdmin, NetAdmin, Us, User};
    use FaultCode as C;
    use Phase::{Auth, Capability, Discovery, Dns, Greeting, Input, Mailbox, Policy, Roundtrip, Starttls, Submit, Sync, Tcp, Tls};
    use Retry::{AfterFix, Never};
    match code {
        C::InputInvalid => blocking(Input, User, AfterFix),
        C::TargetNotAllowed => blocking(Policy, User, Never),
        C::MailboxAlreadyConnected => blocking(Policy, User, AfterFix),
        C::SettingsLocked => blocking(Policy, User, AfterFix),
        C::SettingsConflict => blocking(Policy, User, AfterFix),
        C::DomainChangeWouldDisconnect => blocking(Policy, User, AfterFix),
        C::DiscoveryNoSettings => blocking(Discovery, User, AfterFix),
        C::DiscoveryUntrustedSource => blocking(Discovery, User, AfterFix),
        C::ProviderUnsupported => blocking(Discovery, User, Never),
        C::ProviderRequiresPreparation => blocking(Discovery, User, AfterFix),
        C::HostNotFound => blocking(Dns, User, AfterFix),
        C::DnsFailure => blocking(Dns, MailAdmin, minutes(1, 30)),
        C::ConnectRefused => blocking(Tcp, User, AfterFix),
        C::ConnectTimeout => blocking(Tcp, NetAdmin, minutes(1, 30)),
        C::EgressIpBlocked => blocking(Tcp, NetAdmin, AfterFix),
        C::EgressPortBlockedByUs => blocking(Tcp, Us, minutes(5, 60)),
        C::NetworkUnreachable => blocking(Tcp, NetAdmin, minutes(1, 30)),
        C::Ipv6Broken => warning(Tcp, NetAdmin, AfterFix),
        C::GreetingTimeout => blocking(Greeting, MailAdmin, minutes(1, 30)),
        C::GreetingRejected => blocking(Greeting, MailAdmin, AfterFix),
        C::ServerUnavailable => blocking(Greeting, MailAdmin, minutes(1, 30)),
        C::WrongProtocol => blocking(Greeting, User, AfterFix),
        C::PreauthRefused => blocking(Greeting, MailAdmin, AfterFix),
        C::ConnectionClosedEarly => blocking(Greeting, MailAdmin, minutes(1, 10)),
        C::ProtocolError => blocking(Greeting, Us, minutes(1, 10)),
        C::ServerSoftwareUnsupported => blocking(Greeting, MailAdmin, Never),
        C::TlsNotOffered => blocking(Starttls, MailAdmin, AfterFix),
        C::StarttlsRejected => blocking(Starttls, MailAdmin, AfterFix),
        C::StarttlsInjection => blocking(Starttls, MailAdmin, AfterFix),
        C::StarttlsStripped => blocking(Starttls, NetAdmin, AfterFix),
        C::TlsModeMismatchImplicit => blocking(Tls, User, AfterFix),
        C::TlsModeMismatchStarttls => blocking(Tls, User, AfterFix),
        C::TlsVersionUnsupported => blocking(Tls, MailAdmin, AfterFix),
        C::TlsCipherOrKeyWeak => blocking(Tls, MailAdmin, AfterFix),
        C::TlsHandshakeFailed => blocking(Tls, MailAdmin, AfterFix),
        C::TlsHandshakeTimeout => blocking(Tls, MailAdmin, minutes(1, 30)),
        C::TlsCertSelfSigned => blocking(Tls, MailAdmin, AfterFix),
        C::TlsCertUnknownCa => blocking(Tls, MailAdmin, AfterFix),
        C::TlsCertChainIncomplete => blocking(Tls, MailAdmin, AfterFix),
        C::TlsCertNameMismatch => blocking(Tls, User, AfterFix),
        C::TlsCertCnOnly => blocking(Tls, MailAdmin, AfterFix),
        C::TlsCertExpired => blocking(Tls, MailAdmin, AfterFix),
        C::TlsCertExpiresSoon => warning(Tls, MailAdmin, AfterFix),
        C::TlsCertNotYetValid => blocking(Tls, MailAdmin, AfterFix),
        C::TlsCertMalformed => blocking(Tls, MailAdmin, AfterFix),
        C::TlsCertChanged => blocking(Tls, MailAdmin, AfterFix),
        C::TlsClientCertRequired => blocking(Tls, MailAdmin, AfterFix),
        C::AuthMechanismUnsupported => blocking(Capability, MailAdmin, AfterFix),
        C::AuthNeedsTls => blocking(Capability, User, AfterFix),
        C::AuthNotOfferedOnPort => blocking(Capability, User, AfterFix),
        C::CapabilityMissingRequired => blocking(Capability, MailAdmin, Never),
        C::AuthInvalidCredentials => blocking(Auth, User, AfterFix),
        C::AuthRejectedUnspecified => blocking(Auth, User, AfterFix),
        C::AuthUsernameFormat => blocking(Auth, User, AfterFix),
        C::AuthAppPasswordRequired => blocking(Auth, User, AfterFix),
        C::AuthWebLoginRequired => blocking(Auth, User, AfterFix),
        C::AuthSsoOnly => blocking(Auth, MailAdmin, AfterFix),
        C::AuthBasicDisabled => blocking(Auth, MailAdmin, AfterFix),
        C::SmtpAuthDisabled => blocking(Auth, MailAdmin, AfterFix),
        C::AuthPolicyBlocked => blocking(Auth, MailAdmin, AfterFix),
        C::ProtocolDisabledForMailbox => blocking(Auth, User, AfterFix),
        C::AuthAccountLocked => blocking(Auth, MailAdmin, AfterFix),
        C::AuthPasswordExpired => blocking(Auth, User, AfterFix),
        C::AuthAuthorizationFailed => blocking(Auth, MailAdmin, AfterFix),
        C::AuthTemporaryFailure => blocking(Auth, MailAdmin, minutes(1, 30)),
        C::TooManyConnections => blocking(Auth, MailAdmin, minutes(1, 30)),
        C::LoginRateLimited => blocking(Auth, Us, minutes(15, 60)),
        C::AttemptBudgetExhausted => blocking(Auth, User, AfterFix),
        C::LoginDelay => blocking(Auth, Us, minutes(1, 15)),
        C::LegNotTried => warning(Auth, User, AfterFix),
        C::GeoBlocked => blocking(Auth, User, AfterFix),
        C::OauthTokenRejected => blocking(Auth, User, AfterFix),
        C::OauthRefreshRevoked => blocking(Auth, User, AfterFix),
        C::OauthScopeMissing => blocking(Auth, MailAdmin, AfterFix),
        C::OauthConsentBlocked => blocking(Auth, MailAdmin, AfterFix),
        C::AccountMismatch => blocking(Auth, User, AfterFix),
        C::AuthenticatedNotConnected => blocking(Mailbox, MailAdmin, AfterFix),
        C::MailboxListFailed => blocking(Mailbox, MailAdmin, AfterFix),
        C::MailboxUnavailable => blocking(Mailbox, MailAdmin, AfterFix),
        C::SentFolderNotFound => warning(Mailbox, User, AfterFix),
        C::QuotaExceeded => blocking(Mailbox, User, AfterFix),
        C::ClientIdRequired => blocking(Mailbox, Us, AfterFix),
        C::AuthRequired => blocking(Submit, User, AfterFix),
        C::SenderRejected => blocking(Submit, MailAdmin, AfterFix),
        C::RecipientRejected => blocking(Submit, MailAdmin, AfterFix),
        C::RelayDenied => blocking(Submit, NetAdmin, AfterFix),
        C::SendLimitReached => blocking(Submit, User, minutes(60, 1440)),
        C::MessageRejectedContent => blocking(Submit, MailAdmin, AfterFix),
        C::MessageTooLarge => blocking(Submit, MailAdmin, Never),
        C::Greylisted => blocking(Submit, Us, minutes(5, 20)),
        C::EgressReputation => blocking(Submit, Us, AfterFix),
        C::HeloRejected => blocking(Submit, Us, AfterFix),
        C::Smtputf8Required => blocking(Submit, MailAdmin, AfterFix),
        C::SubmissionOutcomeUnknown => blocking(Submit, Us, AfterFix),
        C::TestMailNotReceived => blocking(Roundtrip, MailAdmin, minutes(5, 60)),
        C::TestMailBounced => blocking(Roundtrip, MailAdmin, AfterFix),
        C::TestMailInJunk => warning(Roundtrip, MailAdmin, AfterFix),
        C::TestMailCleanupFailed => warning(Roundtrip, User, AfterFix),
        C::SenderRewritten => warning(Roundtrip, MailAdmin, AfterFix),
        C::UidvalidityChanged => warning(Sync, Us, minutes(1, 1)),
        C::UidvalidityMissing => warning(Sync, Us, minutes(1, 1)),
        C::FolderGone => warning(Sync, User, AfterFix),
        C::FolderForbidden => warning(Sync, User, AfterFix),
        C::ServerThrottled => blocking(Sync, Us, minutes(1, 60)),
        C::ReauthRequired => blocking(Sync, User, Never),
        C::MessageUnfetchable => warning(Sync, Us, AfterFix),
        C::ExchangeEndpointNotFound => blocking(Discovery, MailAdmin, AfterFix),
        C::ExchangeAccessDenied => blocking(Mailbox, MailAdmin, AfterFix),
        C::CheckTimeout => blocking(Tcp, Us, minutes(1, 10)),
        C::WorkerUnavailable => blocking(Policy, Us, minutes(1, 10)),
        C::WorkerLost => blocking(Policy, Us, minutes(1, 10)),
        C::CredentialUnsealFailed => blocking(Policy, Us, AfterFix),
        C::CapacityLimit => blocking(Policy, Us, minutes(1, 10)),
        C::EgressPoolEmpty => blocking(Policy, Us, minutes(1, 10)),
        C::Unknown => blocking(Greeting, Us, minutes(1, 10)),
    }
}
