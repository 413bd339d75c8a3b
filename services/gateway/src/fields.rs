//! What two validations must have in common to be the same: every setting, in an order that
//! never changes. A tag stands for each login.
//!
//! The lengths of lists are among the fields, so that no two validations have the same ones.

use mailfleet_model::fleet::LoginTag;
use mailfleet_model::tls::{CertificatePolicy, TlsPolicy};
use mailfleet_model::{Endpoint, LegSettings, Login, TestMail, Validation};

/// The fields of a validation. Taken apart completely: a setting that is added does not
/// compile until it is among them.
pub(crate) fn fields(validation: &Validation, tag: impl Fn(&Login) -> LoginTag) -> Vec<Vec<u8>> {
    let Validation { mailbox, incoming, outgoing, test_mail, tls, budget, arrival_timeout } =
        validation;
    let TlsPolicy { certificates, extra_roots } = tls;
    let mut fields = vec![mailbox.to_string().into_bytes(), length(incoming.len())];
    for LegSettings { endpoint, login } in incoming.iter().chain(outgoing) {
        let Endpoint { protocol, host, port, security } = endpoint;
        fields.push(protocol.to_string().into_bytes());
        fields.push(host.to_string().into_bytes());
        fields.push(port.to_be_bytes().to_vec());
        fields.push(security.to_string().into_bytes());
        fields.push(tag(login).0.to_vec());
    }
    let (mode, recipient) = match test_mail {
        TestMail::Envelope => ("envelope", String::new()),
        TestMail::LoginOnly => ("login-only", String::new()),
        TestMail::ToSelf => ("to-self", String::new()),
        TestMail::To(recipient) => ("to", recipient.to_string()),
    };
    let certificates = match certificates {
        CertificatePolicy::Strict => "strict",
        CertificatePolicy::AllowInsecure => "allow-insecure",
    };
    fields.extend([length(usize::from(outgoing.is_some())), mode.into(), recipient.into_bytes()]);
    fields.extend([certificates.into(), length(extra_roots.len())]);
    fields.extend(extra_roots.iter().cloned());
    fields.push(budget.as_micros().to_be_bytes().to_vec());
    fields.push(arrival_timeout.as_micros().to_be_bytes().to_vec());
    fields
}

fn length(number: usize) -> Vec<u8> {
    (number as u64).to_be_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use mailfleet_model::{Credential, Protocol, Secret, Security};

    use super::*;

    fn settings(protocol: Protocol, secret: &str) -> LegSettings {
        let credential = Credential::Password(Secret::new(secret.into()));
        LegSettings {
            endpoint: Endpoint::parse(protocol, "mail.example.test").expect("an endpoint"),
            login: Login::new("taro", Arc::new(credential)).expect("a login"),
        }
    }

    fn validation() -> Validation {
        Validation {
            mailbox: "taro@example.test".parse().expect("an address"),
            incoming: vec![settings(Protocol::Imap, "a"), settings(Protocol::Pop3, "a")],
            outgoing: Some(settings(Protocol::Smtp, "a")),
            test_mail: TestMail::Envelope,
            tls: TlsPolicy::default(),
            budget: Duration::from_secs(60),
            arrival_timeout: Duration::from_secs(120),
        }
    }

    fn of(validation: &Validation) -> Vec<Vec<u8>> {
        fields(validation, |login| {
            let first = login.credential.secret().expose().first().copied();
            LoginTag([first.unwrap_or_default(); 32])
        })
    }

    #[test]
    fn every_setting_counts() {
        let changes: [fn(&mut Validation); 12] = [
            |v| v.mailbox = "jiro@example.test".parse().expect("an address"),
            |v| v.incoming.truncate(1),
            |v| v.outgoing = None,
            |v| v.outgoing = Some(settings(Protocol::Smtp, "b")),
            |v| v.incoming[0].endpoint.port = 1_993,
            |v| v.incoming[0].endpoint.security = Security::Plain,
            |v| v.test_mail = TestMail::ToSelf,
            |v| v.test_mail = TestMail::To("x@example.test".parse().expect("an address")),
            |v| v.tls.certificates = CertificatePolicy::AllowInsecure,
            |v| v.tls.extra_roots.push(vec![1]),
            |v| v.budget = Duration::from_secs(59),
            |v| v.arrival_timeout = Duration::from_secs(121),
        ];
        let mut seen = vec![of(&validation())];
        assert_eq!(seen[0], of(&validation()));
        for change in changes {
            let mut other = validation();
            change(&mut other);
            assert!(!seen.contains(&of(&other)));
            seen.push(of(&other));
        }
    }
}
