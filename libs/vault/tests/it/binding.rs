//! A credential opens for the use that it was sealed for, and for no other.

use mailfleet_model::tls::{CertificatePolicy, TlsPolicy};
use mailfleet_model::{Endpoint, Host, Protocol, Security};
use mailfleet_vault::{Binding, Error, Purpose};

use crate::{SETTING, binding, password, ring};

/// Seals for one use and opens for the other, in both directions.
#[track_caller]
fn refused(one: Binding<'_>, other: Binding<'_>) {
    let ring = ring();
    for (sealed_for, opened_for) in [(one, other), (other, one)] {
        let sealed = ring.public().seal(&password(b"hunter2"), &sealed_for).expect("short");
        assert!(ring.open(&sealed, &sealed_for).is_ok());
        let error = ring.open(&sealed, &opened_for).expect_err("another use");
        assert_eq!(error, Error::WrongBinding, "{opened_for:?}");
    }
}

#[test]
fn another_tenant_is_refused() {
    refused(binding(), Binding { tenant: &"erp".parse().expect("a name"), ..binding() });
}

#[test]
fn another_mailbox_or_user_is_refused() {
    refused(binding(), Binding { mailbox: "jiro@example.jp", ..binding() });
    refused(binding(), Binding { username: "jiro", ..binding() });
    refused(binding(), Binding { username: "Taro", ..binding() });
    // The border between two fields is part of the binding.
    let one = Binding { mailbox: "ab", username: "c", ..binding() };
    refused(one, Binding { mailbox: "a", username: "bc", ..binding() });
}

#[test]
fn another_version_or_purpose_is_refused() {
    refused(binding(), Binding { credential_version: 2, ..binding() });
    refused(binding(), Binding { purpose: Purpose::Mailbox, ..binding() });
}

#[test]
fn another_server_is_refused() {
    let here = &SETTING.endpoint;
    let others = [
        Endpoint { protocol: Protocol::Pop3, ..here.clone() },
        Endpoint { protocol: Protocol::Smtp, ..here.clone() },
        Endpoint { host: Host::Name("imap.example.com".to_owned()), ..here.clone() },
        Endpoint { host: Host::Ip([192, 0, 2, 1].into()), ..here.clone() },
        Endpoint { port: 994, ..here.clone() },
        Endpoint { security: Security::Starttls, ..here.clone() },
        Endpoint { security: Security::Plain, ..here.clone() },
    ];
    for endpoint in &others {
        refused(binding(), Binding { endpoint, ..binding() });
    }
    let name = Endpoint { host: Host::Name("192.0.2.1".to_owned()), ..here.clone() };
    let address = Endpoint { host: Host::Ip([192, 0, 2, 1].into()), ..here.clone() };
    let one = Binding { endpoint: &name, ..binding() };
    refused(one, Binding { endpoint: &address, ..binding() });
}

#[test]
fn another_certificate_policy_is_refused() {
    let others = [
        TlsPolicy { certificates: CertificatePolicy::AllowInsecure, extra_roots: vec![] },
        TlsPolicy { extra_roots: vec![vec![1, 2, 3]], ..TlsPolicy::default() },
    ];
    for tls in &others {
        refused(binding(), Binding { tls, ..binding() });
    }
    let [a, b] = [vec![1], vec![2]];
    let one = TlsPolicy { extra_roots: vec![a.clone(), b.clone()], ..TlsPolicy::default() };
    let two = TlsPolicy { extra_roots: vec![[a, b].concat()], ..TlsPolicy::default() };
    refused(Binding { tls: &one, ..binding() }, Binding { tls: &two, ..binding() });
}
