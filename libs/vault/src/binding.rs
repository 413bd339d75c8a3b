//! What a sealed credential is good for, and for nothing else.
//!
//! Without it, whoever can write to the queue or the store could move somebody's
//! sealed password into a leg that goes to a server of his own. Every field goes
//! into the associated data of the seal; the structs are taken apart completely,
//! so that a field that is added to them does not compile until it is bound too.

use mailfleet_model::fleet::TenantId;
use mailfleet_model::tls::{CertificatePolicy, TlsPolicy};
use mailfleet_model::{Endpoint, Host, Protocol, Security};
use sha2::{Digest as _, Sha256};

use crate::fields;
use crate::key::KeyId;
use crate::sealed::FORMAT;

/// The one use that a credential is sealed for.
///
/// Texts are compared byte by byte: seal and open with the same spelling.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// The tenant that gave the credential.
    pub tenant: &'a TenantId,
    /// The mailbox: its id if it is connected, otherwise its address.
    pub mailbox: &'a str,
    /// Counts the credentials of a mailbox, so that an old one cannot come back.
    pub credential_version: u64,
    /// What the server calls the user.
    pub username: &'a str,
    /// Where the credential may be sent.
    pub endpoint: &'a Endpoint,
    /// What the server's certificate must satisfy before it is sent.
    pub tls: &'a TlsPolicy,
    /// What the credential was given for.
    pub purpose: Purpose,
}

/// What a credential was given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// One validation; it dies with the job.
    Validation,
    /// A connected mailbox; it lives until it is replaced.
    Mailbox,
}

impl Binding<'_> {
    /// The associated data of a seal to this key.
    ///
    /// The words are part of the stored format: a change makes every credential
    /// unreadable that was sealed before.
    pub(crate) fn encode(&self, key: KeyId) -> Vec<u8> {
        let Self { tenant, mailbox, credential_version, username, endpoint, tls, purpose } = self;
        let Endpoint { protocol, host, port, security } = endpoint;
        let TlsPolicy { certificates, extra_roots } = tls;
        let (host_kind, host) = host_fields(host);
        fields::encode(&[
            &[FORMAT],
            key.as_bytes(),
            tenant.as_str().as_bytes(),
            mailbox.as_bytes(),
            &credential_version.to_be_bytes(),
            username.as_bytes(),
            protocol_word(*protocol),
            host_kind,
            host.as_bytes(),
            &port.to_be_bytes(),
            security_word(*security),
            certificates_word(*certificates),
            &roots_digest(extra_roots),
            purpose.word(),
        ])
    }
}

impl Purpose {
    fn word(self) -> &'static [u8] {
        match self {
            Self::Validation => b"validation",
            Self::Mailbox => b"mailbox",
        }
    }
}

fn host_fields(host: &Host) -> (&'static [u8], String) {
    match host {
        Host::Name(name) => (b"name", name.clone()),
        Host::Ip(address) => (b"ip", address.to_string()),
    }
}

fn protocol_word(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Imap => b"imap",
        Protocol::Pop3 => b"pop3",
        Protocol::Smtp => b"smtp",
    }
}

fn security_word(security: Security) -> &'static [u8] {
    match security {
        Security::Tls => b"tls",
        Security::Starttls => b"starttls",
        Security::Plain => b"plain",
    }
}

fn certificates_word(policy: CertificatePolicy) -> &'static [u8] {
    match policy {
        CertificatePolicy::Strict => b"strict",
        CertificatePolicy::AllowInsecure => b"allow-insecure",
    }
}

/// Identifies the set of extra roots: the order and repetitions in the list mean nothing.
fn roots_digest(roots: &[Vec<u8>]) -> [u8; 32] {
    let mut each: Vec<[u8; 32]> = roots.iter().map(|root| Sha256::digest(root).into()).collect();
    each.sort_unstable();
    each.dedup();
    Sha256::digest(each.as_flattened()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_roots_are_a_set() {
        let [a, b] = [vec![1, 2, 3], vec![4]];
        let one = roots_digest(&[a.clone(), b.clone()]);
        assert_eq!(one, roots_digest(&[b.clone(), a.clone(), b.clone()]));
        assert_ne!(one, roots_digest(&[a]));
        assert_ne!(roots_digest(&[b]), roots_digest(&[]));
    }
}
