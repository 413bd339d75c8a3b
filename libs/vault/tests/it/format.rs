//! What was stored by an older version opens in this one.
//!
//! The data were made by another program, in Python, from RFC 9180 and the description
//! of the format in `src/sealed.rs`, `src/binding.rs` and `src/payload.rs`. They stay as
//! they are for as long as format 1 is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailfleet_model::tls::{CertificatePolicy, TlsPolicy};
use mailfleet_model::{Credential, Endpoint, Protocol, Secret};
use mailfleet_vault::{Binding, KeyRing, Purpose, Sealed};

const KEYS: &str = include_str!("../../testdata/format-1.keys");
const SEALED: &str = include_str!("../../testdata/format-1.sealed");

#[test]
fn a_seal_of_format_1_opens() {
    let ring = KeyRing::parse(&Secret::new(KEYS.into())).expect("a key file");
    let bytes = STANDARD.decode(SEALED.trim_end()).expect("base64");
    let sealed = Sealed::from_bytes(&bytes).expect("a sealed credential");
    let roots = vec![vec![1, 2, 3]];
    let binding = Binding {
        tenant: &"crm".parse().expect("a name"),
        mailbox: "taro@example.jp",
        credential_version: 3,
        username: "taro",
        endpoint: &Endpoint::parse(Protocol::Smtp, "smtp.example.jp:587").expect("an endpoint"),
        tls: &TlsPolicy { certificates: CertificatePolicy::AllowInsecure, extra_roots: roots },
        purpose: Purpose::Mailbox,
    };
    let opened = ring.open(&sealed, &binding).expect("a seal to this ring");
    assert!(opened.same_as(&Credential::AccessToken(Secret::new(b"hunter2".to_vec()))));
}
