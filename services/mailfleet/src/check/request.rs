//! A validation as the request that asks a gateway for it.
//!
//! The secrets are copied into the message, which wipes them when it is dropped.

use mailfleet_api::v1;
use mailfleet_api::v1::endpoint::{Protocol as WireProtocol, Security as WireSecurity};
use mailfleet_api::v1::login::Credential as WireCredential;
use mailfleet_api::v1::test_mail::Mode;
use mailfleet_model::tls::CertificatePolicy;
use mailfleet_model::{
    Credential, Endpoint, LegSettings, Login, Protocol, Security, TestMail, Validation,
};

/// Builds the request. The check ends when the caller goes away.
pub(super) fn request(validation: &Validation) -> v1::ValidateRequest {
    v1::ValidateRequest {
        address: validation.mailbox.to_string(),
        incoming: validation.incoming.iter().map(settings).collect(),
        outgoing: validation.outgoing.as_ref().map(settings),
        test_mail: Some(test_mail(&validation.test_mail)),
        allow_insecure_certificates: match validation.tls.certificates {
            CertificatePolicy::Strict => false,
            CertificatePolicy::AllowInsecure => true,
        },
        trusted_certificates: validation.tls.extra_roots.iter().map(|der| pem(der)).collect(),
        budget: validation.budget.try_into().ok(),
        arrival_timeout: validation.arrival_timeout.try_into().ok(),
        cancel_on_disconnect: true,
        ..v1::ValidateRequest::default()
    }
}

fn settings(settings: &LegSettings) -> v1::LegSettings {
    v1::LegSettings {
        endpoint: Some(endpoint(&settings.endpoint)),
        login: Some(login(&settings.login)),
    }
}

/// An endpoint as a message.
pub(crate) fn endpoint(endpoint: &Endpoint) -> v1::Endpoint {
    let protocol = match endpoint.protocol {
        Protocol::Imap => WireProtocol::Imap,
        Protocol::Pop3 => WireProtocol::Pop3,
        Protocol::Smtp => WireProtocol::Smtp,
    };
    let security = match endpoint.security {
        Security::Tls => WireSecurity::Tls,
        Security::Starttls => WireSecurity::Starttls,
        Security::Plain => WireSecurity::Plain,
    };
    v1::Endpoint {
        protocol: protocol.into(),
        host: endpoint.host.to_string(),
        port: endpoint.port.into(),
        security: security.into(),
    }
}

fn login(login: &Login) -> v1::Login {
    let secret = login.credential.secret().expose();
    let credential = match login.credential.as_ref() {
        Credential::Password(_) => WireCredential::Password(secret.to_vec()),
        // Tokens were checked to be ASCII.
        Credential::AccessToken(_) => {
            WireCredential::AccessToken(String::from_utf8_lossy(secret).into_owned())
        }
    };
    v1::Login { username: login.username.clone(), credential: Some(credential) }
}

fn test_mail(test_mail: &TestMail) -> v1::TestMail {
    let (mode, recipient) = match test_mail {
        TestMail::Envelope => (Mode::Envelope, String::new()),
        TestMail::LoginOnly => (Mode::LoginOnly, String::new()),
        TestMail::ToSelf => (Mode::ToSelf, String::new()),
        TestMail::To(recipient) => (Mode::ToRecipient, recipient.to_string()),
    };
    v1::TestMail { mode: mode.into(), recipient }
}

/// One certificate as PEM (RFC 7468).
pub(crate) fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use mailfleet_api::request::parse;
    use mailfleet_model::Secret;
    use mailfleet_model::tls::TlsPolicy;

    use super::*;

    fn leg(protocol: Protocol, at: &str, credential: Credential) -> LegSettings {
        let login = Login::new("DOMAIN\\taro", Arc::new(credential)).expect("a good name");
        LegSettings { endpoint: Endpoint::parse(protocol, at).expect("a good endpoint"), login }
    }

    #[test]
    fn the_gateway_reads_what_was_meant() {
        let password = |text: &[u8]| Credential::Password(Secret::new(text.to_vec()));
        let token = Credential::AccessToken(Secret::new(b"ya29.x".to_vec()));
        let validation = Validation {
            mailbox: "a..b@docomo.ne.jp".parse().expect("a real address"),
            incoming: vec![
                leg(Protocol::Imap, "imap.example.com:1143/starttls", password(b"p\xe4ss ")),
                leg(Protocol::Pop3, "[2001:db8::1]/plain", password(b"p\xe4ss ")),
            ],
            outgoing: Some(leg(Protocol::Smtp, "smtp.example.com", token)),
            test_mail: TestMail::To("b@example.com".parse().expect("an address")),
            tls: TlsPolicy {
                certificates: CertificatePolicy::AllowInsecure,
                extra_roots: vec![vec![0x30, 0x03, 0x02, 0x01, 0x01]],
            },
            budget: Duration::from_secs(42),
            arrival_timeout: Duration::from_millis(90_500),
        };
        let parsed = parse(request(&validation), &["en", "ja"]).expect("a good request");
        assert!(parsed.cancel_on_disconnect);
        // Debug shows every field but the secrets, which are compared on their own.
        assert_eq!(format!("{:?}", parsed.validation), format!("{validation:?}"));
        for (read, meant) in parsed.validation.incoming.iter().zip(&validation.incoming) {
            assert!(read.login.same_as(&meant.login));
        }
    }
}
