//! The placeholders that a page may use, as a closed list.

use strum::{EnumIter, EnumString, IntoStaticStr};

/// A name that stands in braces in a page, such as `{server_text}`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, EnumString, IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Placeholder {
    /// Host of the endpoint.
    Host,
    /// Port of the endpoint.
    Port,
    /// Protocol of the endpoint: `IMAP`, `POP3` or `SMTP`.
    Protocol,
    /// The protocol that really answered.
    ActualProtocol,
    /// Security of the endpoint.
    Security,
    /// Address of the mailbox.
    Address,
    /// User name of the login. A report does not hold it: whoever knows it adds it.
    Username,
    /// The server's words, redacted.
    ServerText,
    /// The codes of the server's reply.
    ResponseCode,
    /// Addresses that we connect from.
    EgressAddresses,
    /// Addresses of the server that were tried.
    RemoteAddresses,
    /// Names in the certificate.
    CertificateNames,
    /// Issuer of the certificate.
    CertificateIssuer,
    /// End of the certificate's validity.
    NotAfter,
    /// Start of the certificate's validity.
    NotBefore,
    /// TLS version that the server offers or chose.
    TlsVersion,
    /// Cipher suite that the server chose.
    Cipher,
    /// TLS alert that ended the handshake.
    Alert,
    /// Host that should work.
    SuggestedHost,
    /// Port that should work.
    SuggestedPort,
    /// Security that should work.
    SuggestedSecurity,
    /// Name of the provider.
    Provider,
    /// Where the provider explains what to do.
    HelpUrl,
    /// How long the server asks to wait.
    Wait,
    /// Name of a folder.
    Folder,
    /// How long something took or was waited for.
    Elapsed,
    /// What the server runs.
    ServerSoftware,
    /// Login mechanisms that the server offers.
    Mechanisms,
    /// Limit that the server named.
    Limit,
    /// Step that failed or was silent.
    Step,
    /// Field of the request.
    Field,
}

impl Placeholder {
    /// The name as it stands in pages, without the braces.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}
