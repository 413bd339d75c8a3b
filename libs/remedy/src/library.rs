//! The pages, compiled in.
//!
//! The match is total: a new code does not compile until it stands here, and it does not
//! compile here until both of its pages exist.

use mailfleet_model::FaultCode;

use crate::language::Language;

/// Makes the total match from code and language to the page's text.
macro_rules! library {
    ($($variant:ident => $name:literal,)*) => {
        /// The page's Markdown, as written.
        pub(crate) fn text(code: FaultCode, language: Language) -> &'static str {
            match (code, language) {
                $(
                    (FaultCode::$variant, Language::English) => include_str!(concat!(
                        env!("CARGO_MANIFEST_DIR"), "/pages/en/", $name, ".md"
                    )),
                    (FaultCode::$variant, Language::Japanese) => include_str!(concat!(
                        env!("CARGO_MANIFEST_DIR"), "/pages/ja/", $name, ".md"
                    )),
                )*
            }
        }

        /// The name of the file that a code's pages are taken from.
        #[cfg(test)]
        pub(crate) fn file_stem(code: FaultCode) -> &'static str {
            match code {
                $(FaultCode::$variant => $name,)*
            }
        }
    };
}

library! {
    InputInvalid => "INPUT_INVALID",
    TargetNotAllowed => "TARGET_NOT_ALLOWED",
    MailboxAlreadyConnected => "MAILBOX_ALREADY_CONNECTED",
    SettingsLocked => "SETTINGS_LOCKED",
    SettingsConflict => "SETTINGS_CONFLICT",
    DomainChangeWouldDisconnect => "DOMAIN_CHANGE_WOULD_DISCONNECT",
    DiscoveryNoSettings => "DISCOVERY_NO_SETTINGS",
    DiscoveryUntrustedSource => "DISCOVERY_UNTRUSTED_SOURCE",
    ProviderUnsupported => "PROVIDER_UNSUPPORTED",
    ProviderRequiresPreparation => "PROVIDER_REQUIRES_PREPARATION",
    HostNotFound => "HOST_NOT_FOUND",
    DnsFailure => "DNS_FAILURE",
    ConnectRefused => "CONNECT_REFUSED",
    ConnectTimeout => "CONNECT_TIMEOUT",
    EgressIpBlocked => "EGRESS_IP_BLOCKED",
    EgressPortBlockedByUs => "EGRESS_PORT_BLOCKED_BY_US",
    NetworkUnreachable => "NETWORK_UNREACHABLE",
    Ipv6Broken => "IPV6_BROKEN",
    GreetingTimeout => "GREETING_TIMEOUT",
    GreetingRejected => "GREETING_REJECTED",
    ServerUnavailable => "SERVER_UNAVAILABLE",
    WrongProtocol => "WRONG_PROTOCOL",
    PreauthRefused => "PREAUTH_REFUSED",
    ConnectionClosedEarly => "CONNECTION_CLOSED_EARLY",
    ProtocolError => "PROTOCOL_ERROR",
    ServerSoftwareUnsupported => "SERVER_SOFTWARE_UNSUPPORTED",
    TlsNotOffered => "TLS_NOT_OFFERED",
    StarttlsRejected => "STARTTLS_REJECTED",
    StarttlsInjection => "STARTTLS_INJECTION",
    StarttlsStripped => "STARTTLS_STRIPPED",
    TlsModeMismatchImplicit => "TLS_MODE_MISMATCH_IMPLICIT",
    TlsModeMismatchStarttls => "TLS_MODE_MISMATCH_STARTTLS",
    TlsVersionUnsupported => "TLS_VERSION_UNSUPPORTED",
    TlsCipherOrKeyWeak => "TLS_CIPHER_OR_KEY_WEAK",
    TlsHandshakeFailed => "TLS_HANDSHAKE_FAILED",
    TlsHandshakeTimeout => "TLS_HANDSHAKE_TIMEOUT",
    TlsCertSelfSigned => "TLS_CERT_SELF_SIGNED",
    TlsCertUnknownCa => "TLS_CERT_UNKNOWN_CA",
    TlsCertChainIncomplete => "TLS_CERT_CHAIN_INCOMPLETE",
    TlsCertNameMismatch => "TLS_CERT_NAME_MISMATCH",
    TlsCertCnOnly => "TLS_CERT_CN_ONLY",
    TlsCertExpired => "TLS_CERT_EXPIRED",
    TlsCertExpiresSoon => "TLS_CERT_EXPIRES_SOON",
    TlsCertNotYetValid => "TLS_CERT_NOT_YET_VALID",
    TlsCertMalformed => "TLS_CERT_MALFORMED",
    TlsCertChanged => "TLS_CERT_CHANGED",
    TlsClientCertRequired => "TLS_CLIENT_CERT_REQUIRED",
    AuthMechanismUnsupported => "AUTH_MECHANISM_UNSUPPORTED",
    AuthNeedsTls => "AUTH_NEEDS_TLS",
    AuthNotOfferedOnPort => "AUTH_NOT_OFFERED_ON_PORT",
    CapabilityMissingRequired => "CAPABILITY_MISSING_REQUIRED",
    AuthInvalidCredentials => "AUTH_INVALID_CREDENTIALS",
    AuthRejectedUnspecified => "AUTH_REJECTED_UNSPECIFIED",
    AuthUsernameFormat => "AUTH_USERNAME_FORMAT",
    AuthAppPasswordRequired => "AUTH_APP_PASSWORD_REQUIRED",
    AuthWebLoginRequired => "AUTH_WEB_LOGIN_REQUIRED",
    AuthSsoOnly => "AUTH_SSO_ONLY",
    AuthBasicDisabled => "AUTH_BASIC_DISABLED",
    SmtpAuthDisabled => "SMTP_AUTH_DISABLED",
    AuthPolicyBlocked => "AUTH_POLICY_BLOCKED",
    ProtocolDisabledForMailbox => "PROTOCOL_DISABLED_FOR_MAILBOX",
    AuthAccountLocked => "AUTH_ACCOUNT_LOCKED",
    AuthPasswordExpired => "AUTH_PASSWORD_EXPIRED",
    AuthAuthorizationFailed => "AUTH_AUTHORIZATION_FAILED",
    AuthTemporaryFailure => "AUTH_TEMPORARY_FAILURE",
    TooManyConnections => "TOO_MANY_CONNECTIONS",
    LoginRateLimited => "LOGIN_RATE_LIMITED",
    AttemptBudgetExhausted => "ATTEMPT_BUDGET_EXHAUSTED",
    LoginDelay => "LOGIN_DELAY",
    LegNotTried => "LEG_NOT_TRIED",
    GeoBlocked => "GEO_BLOCKED",
    OauthTokenRejected => "OAUTH_TOKEN_REJECTED",
    OauthRefreshRevoked => "OAUTH_REFRESH_REVOKED",
    OauthScopeMissing => "OAUTH_SCOPE_MISSING",
    OauthConsentBlocked => "OAUTH_CONSENT_BLOCKED",
    AccountMismatch => "ACCOUNT_MISMATCH",
    AuthenticatedNotConnected => "AUTHENTICATED_NOT_CONNECTED",
    MailboxListFailed => "MAILBOX_LIST_FAILED",
    MailboxUnavailable => "MAILBOX_UNAVAILABLE",
    SentFolderNotFound => "SENT_FOLDER_NOT_FOUND",
    QuotaExceeded => "QUOTA_EXCEEDED",
    ClientIdRequired => "CLIENT_ID_REQUIRED",
    AuthRequired => "AUTH_REQUIRED",
    SenderRejected => "SENDER_REJECTED",
    RecipientRejected => "RECIPIENT_REJECTED",
    RelayDenied => "RELAY_DENIED",
    SendLimitReached => "SEND_LIMIT_REACHED",
    MessageRejectedContent => "MESSAGE_REJECTED_CONTENT",
    MessageTooLarge => "MESSAGE_TOO_LARGE",
    Greylisted => "GREYLISTED",
    EgressReputation => "EGRESS_REPUTATION",
    HeloRejected => "HELO_REJECTED",
    Smtputf8Required => "SMTPUTF8_REQUIRED",
    SubmissionOutcomeUnknown => "SUBMISSION_OUTCOME_UNKNOWN",
    TestMailNotReceived => "TEST_MAIL_NOT_RECEIVED",
    TestMailBounced => "TEST_MAIL_BOUNCED",
    TestMailInJunk => "TEST_MAIL_IN_JUNK",
    TestMailCleanupFailed => "TEST_MAIL_CLEANUP_FAILED",
    SenderRewritten => "SENDER_REWRITTEN",
    UidvalidityChanged => "UIDVALIDITY_CHANGED",
    UidvalidityMissing => "UIDVALIDITY_MISSING",
    FolderGone => "FOLDER_GONE",
    FolderForbidden => "FOLDER_FORBIDDEN",
    ServerThrottled => "SERVER_THROTTLED",
    ReauthRequired => "REAUTH_REQUIRED",
    MessageUnfetchable => "MESSAGE_UNFETCHABLE",
    ExchangeEndpointNotFound => "EXCHANGE_ENDPOINT_NOT_FOUND",
    ExchangeAccessDenied => "EXCHANGE_ACCESS_DENIED",
    CheckTimeout => "CHECK_TIMEOUT",
    WorkerUnavailable => "WORKER_UNAVAILABLE",
    WorkerLost => "WORKER_LOST",
    CredentialUnsealFailed => "CREDENTIAL_UNSEAL_FAILED",
    CapacityLimit => "CAPACITY_LIMIT",
    EgressPoolEmpty => "EGRESS_POOL_EMPTY",
    Unknown => "UNKNOWN",
}
