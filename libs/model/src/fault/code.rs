//! The list of fault codes: stable names of causes, never reused.
//!
//! The list is closed. A new code does not compile until the table beside this
//! file and the pages of `remedy` know it.

use strum::{Display, EnumCount, EnumIter, EnumString, IntoStaticStr};

/// What is wrong, as a stable name. Its text form is `SCREAMING_SNAKE_CASE`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    EnumCount,
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum FaultCode {
    /// A field of the request is wrong, or a secret is missing for a leg.
    InputInvalid,
    /// The host resolves to an address, or names a port, that we do not connect to.
    TargetNotAllowed,
    /// The mailbox is bound in another account.
    MailboxAlreadyConnected,
    /// Another administrator holds the settings.
    SettingsLocked,
    /// IMAP and Exchange are both set for one domain.
    SettingsConflict,
    /// New domain values fail for mailboxes that work today.
    DomainChangeWouldDisconnect,
    /// No source knows the servers of the domain.
    DiscoveryNoSettings,
    /// Settings were only found at a source that anybody could have forged.
    DiscoveryUntrustedSource,
    /// The provider offers neither IMAP nor SMTP.
    ProviderUnsupported,
    /// The provider wants IMAP switched on or an app password first.
    ProviderRequiresPreparation,
    /// The host name does not exist or has no address.
    HostNotFound,
    /// The name servers of the domain did not answer properly.
    DnsFailure,
    /// Every address refused the connection.
    ConnectRefused,
    /// No address answered the connection attempt.
    ConnectTimeout,
    /// The server, or a firewall before it, refuses our address.
    EgressIpBlocked,
    /// Our own network cannot reach that port anywhere.
    EgressPortBlockedByUs,
    /// There is no route to the host.
    NetworkUnreachable,
    /// The host's IPv6 addresses do not answer while IPv4 works.
    Ipv6Broken,
    /// The connection stands, but the server says nothing.
    GreetingTimeout,
    /// The server's first words are a refusal.
    GreetingRejected,
    /// The server says that it is temporarily out of service.
    ServerUnavailable,
    /// The port answers another protocol.
    WrongProtocol,
    /// The server claims that we are logged in where TLS or a login is required.
    PreauthRefused,
    /// The server closed the connection without a reason.
    ConnectionClosedEarly,
    /// The server's reply cannot be understood, or is beyond every bound.
    ProtocolError,
    /// The server software is not supported by a rule of the product.
    ServerSoftwareUnsupported,
    /// The plaintext port offers no STARTTLS.
    TlsNotOffered,
    /// STARTTLS is offered and then refused.
    StarttlsRejected,
    /// Plaintext arrived between the STARTTLS reply and the handshake.
    StarttlsInjection,
    /// Something between us and the server hides STARTTLS.
    StarttlsStripped,
    /// The port expects TLS from the first byte; we spoke plaintext.
    TlsModeMismatchImplicit,
    /// The port begins in plaintext; we spoke TLS.
    TlsModeMismatchStarttls,
    /// The server's newest TLS version is older than TLS 1.2.
    TlsVersionUnsupported,
    /// Only ciphers, keys or signatures that are no longer safe.
    TlsCipherOrKeyWeak,
    /// The handshake ended in an alert or a broken connection.
    TlsHandshakeFailed,
    /// The handshake stalled.
    TlsHandshakeTimeout,
    /// The certificate is its own issuer and nobody we trust vouches for it.
    TlsCertSelfSigned,
    /// The chain ends at an authority that we do not trust.
    TlsCertUnknownCa,
    /// The server does not send an intermediate certificate.
    TlsCertChainIncomplete,
    /// The certificate is for other names.
    TlsCertNameMismatch,
    /// The name stands only in the subject, not in a subjectAltName.
    TlsCertCnOnly,
    /// The certificate has expired.
    TlsCertExpired,
    /// The certificate expires within 14 days.
    TlsCertExpiresSoon,
    /// The certificate is not valid yet.
    TlsCertNotYetValid,
    /// The certificate is not a usable server certificate.
    TlsCertMalformed,
    /// The pinned certificate was replaced.
    TlsCertChanged,
    /// The server demands a client certificate.
    TlsClientCertRequired,
    /// The server offers no way to log in that we can use.
    AuthMechanismUnsupported,
    /// The server takes no login before TLS.
    AuthNeedsTls,
    /// The port takes no login at all, as port 25 of an MX does.
    AuthNotOfferedOnPort,
    /// The server lacks something that we cannot work without.
    CapabilityMissingRequired,
    /// User name or password is wrong.
    AuthInvalidCredentials,
    /// The login was refused without a reason.
    AuthRejectedUnspecified,
    /// The user name has another form than the server wants.
    AuthUsernameFormat,
    /// The provider wants an app password.
    AuthAppPasswordRequired,
    /// The provider wants a sign-in with a browser first.
    AuthWebLoginRequired,
    /// The account signs in elsewhere and has no password here.
    AuthSsoOnly,
    /// The provider has switched password logins off.
    AuthBasicDisabled,
    /// Authenticated SMTP is off for the mailbox or its organisation.
    SmtpAuthDisabled,
    /// An access policy of the organisation refused the login.
    AuthPolicyBlocked,
    /// IMAP, POP or SMTP is switched off for the mailbox.
    ProtocolDisabledForMailbox,
    /// The account is locked, suspended or disabled.
    AuthAccountLocked,
    /// The password has expired.
    AuthPasswordExpired,
    /// The login is right, but may not act as this mailbox.
    AuthAuthorizationFailed,
    /// The server could not check the password just now.
    AuthTemporaryFailure,
    /// The server allows no more sessions for this user or address.
    TooManyConnections,
    /// The server wants fewer logins.
    LoginRateLimited,
    /// We stopped trying, to keep the account from being locked.
    AttemptBudgetExhausted,
    /// The POP3 server wants a pause between logins.
    LoginDelay,
    /// The leg kept back a credential that the other leg had just seen refused.
    LegNotTried,
    /// Logins from abroad are refused.
    GeoBlocked,
    /// The access token was refused.
    OauthTokenRejected,
    /// The refresh token is no longer valid.
    OauthRefreshRevoked,
    /// The token lacks a permission.
    OauthScopeMissing,
    /// An administrator must approve the application.
    OauthConsentBlocked,
    /// The login belongs to another mailbox.
    AccountMismatch,
    /// The login was accepted, the mailbox behind it was not reached.
    AuthenticatedNotConnected,
    /// The list of folders was refused.
    MailboxListFailed,
    /// The login was accepted, the mailbox cannot be opened.
    MailboxUnavailable,
    /// It cannot be told which folder holds sent mail.
    SentFolderNotFound,
    /// The mailbox is full.
    QuotaExceeded,
    /// The server wants an IMAP ID before it opens a mailbox.
    ClientIdRequired,
    /// The server wants a login before it takes mail, and none was made.
    AuthRequired,
    /// The user may not send as this address.
    SenderRejected,
    /// The recipient was refused.
    RecipientRejected,
    /// The server does not relay for us.
    RelayDenied,
    /// The sending limit is used up.
    SendLimitReached,
    /// The test message was taken for spam or a virus.
    MessageRejectedContent,
    /// The message is larger than the server takes.
    MessageTooLarge,
    /// The server asks to come back later.
    Greylisted,
    /// Our address is on a block list or lacks a reverse name.
    EgressReputation,
    /// The server dislikes the name in our EHLO.
    HeloRejected,
    /// The address is not ASCII and the server lacks SMTPUTF8.
    Smtputf8Required,
    /// The connection was lost after the message; it is never sent again.
    SubmissionOutcomeUnknown,
    /// The test mail was accepted and not found in time.
    TestMailNotReceived,
    /// The test mail came back.
    TestMailBounced,
    /// The test mail arrived in Junk.
    TestMailInJunk,
    /// The test mail could not be moved to Trash.
    TestMailCleanupFailed,
    /// The test mail arrived with another sender.
    SenderRewritten,
    /// The folder was made anew; it is read again.
    UidvalidityChanged,
    /// The server gives no UIDVALIDITY; one is derived.
    UidvalidityMissing,
    /// The folder no longer exists.
    FolderGone,
    /// The folder may not be read.
    FolderForbidden,
    /// The server asks for fewer requests.
    ServerThrottled,
    /// The credential was refused twice; the user must connect again.
    ReauthRequired,
    /// One message cannot be read; it is passed over.
    MessageUnfetchable,
    /// The Exchange address answers no EWS.
    ExchangeEndpointNotFound,
    /// Exchange refuses the mailbox.
    ExchangeAccessDenied,
    /// The whole budget was used up.
    CheckTimeout,
    /// No worker could take the job.
    WorkerUnavailable,
    /// Workers died three times over this leg.
    WorkerLost,
    /// The stored credential cannot be opened.
    CredentialUnsealFailed,
    /// The job waited longer than its deadline.
    CapacityLimit,
    /// The egress pool has no usable address.
    EgressPoolEmpty,
    /// Nothing we know fits; the reply is kept.
    Unknown,
}

impl FaultCode {
    /// The stable name, such as `HOST_NOT_FOUND`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Every code, in the order of the list.
    pub fn all() -> impl Iterator<Item = Self> {
        <Self as strum::IntoEnumIterator>::iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_are_unique() {
        let names: std::collections::BTreeSet<_> = FaultCode::all().map(FaultCode::name).collect();
        assert_eq!(names.len(), FaultCode::COUNT);
        for code in FaultCode::all() {
            assert_eq!(code.name().parse(), Ok(code));
        }
    }

    #[test]
    fn names_are_the_published_ones() {
        for name in ["TLS_CERT_CN_ONLY", "SMTPUTF8_REQUIRED", "OAUTH_TOKEN_REJECTED", "UNKNOWN"] {
            assert!(name.parse::<FaultCode>().is_ok(), "{name}");
        }
    }
}
