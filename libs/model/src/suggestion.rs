//! Settings that should work better than the ones given.

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use crate::endpoint::Endpoint;
use crate::leg::Leg;

/// A corrected setting, with its reason. No credential was sent to find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The leg that it is for.
    pub leg: Leg,
    /// The endpoint to use; `None` where only something beside the endpoint changes.
    pub endpoint: Option<Endpoint>,
    /// Why it is suggested.
    pub reason: SuggestionReason,
    /// How it was proven.
    pub proof: SuggestionProof,
    /// Where the provider explains it.
    pub help_url: Option<String>,
}

/// Why a setting is suggested.
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
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum SuggestionReason {
    /// The port begins in TLS; use TLS.
    PortExpectsTls,
    /// The port begins in plaintext and offers STARTTLS; use STARTTLS.
    PortExpectsStarttls,
    /// The port speaks another protocol or cannot be encrypted; this is the usual port.
    UsualPort,
    /// The port takes no login; this is the submission port.
    SubmissionPort,
    /// The certificate is for this name, which resolves to the same address.
    CertificateName,
    /// The provider's published server.
    ProviderServer,
    /// The provider wants an app password.
    AppPassword,
    /// The provider wants IMAP, POP or SMTP switched on first.
    SwitchOnProtocol,
    /// The password has spaces as Google shows app passwords; they belong out.
    PasswordSpaces,
    /// The server wants another form of the user name.
    UsernameForm,
}

/// How a suggestion was proven.
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
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum SuggestionProof {
    /// A probe without credentials reached it and saw the right protocol and TLS.
    Probed,
    /// The certificate names it and the name resolves to the connected address.
    Certificate,
    /// The provider's documentation says so.
    Published,
    /// It follows from the input alone.
    Input,
}
