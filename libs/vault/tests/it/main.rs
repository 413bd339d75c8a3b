//! The vault from outside: sealing, opening, rotation, key files.

mod binding;
mod files;
mod format;
mod seal;
mod showing;

use std::sync::LazyLock;
use std::time::UNIX_EPOCH;

use mailfleet_model::fleet::TenantId;
use mailfleet_model::tls::TlsPolicy;
use mailfleet_model::{Credential, Endpoint, Protocol, Secret};
use mailfleet_vault::{Binding, KeyRing, Purpose};

/// What a test binds credentials to.
struct Setting {
    tenant: TenantId,
    endpoint: Endpoint,
    tls: TlsPolicy,
}

/// The setting of every test that does not care.
static SETTING: LazyLock<Setting> = LazyLock::new(|| Setting {
    tenant: "crm".parse().expect("a name"),
    endpoint: Endpoint::parse(Protocol::Imap, "imap.example.jp").expect("an endpoint"),
    tls: TlsPolicy::default(),
});

fn binding() -> Binding<'static> {
    Binding {
        tenant: &SETTING.tenant,
        mailbox: "taro@example.jp",
        credential_version: 1,
        username: "taro",
        endpoint: &SETTING.endpoint,
        tls: &SETTING.tls,
        purpose: Purpose::Validation,
    }
}

fn ring() -> KeyRing {
    KeyRing::generate(UNIX_EPOCH)
}

fn password(bytes: &[u8]) -> Credential {
    Credential::Password(Secret::new(bytes.to_vec()))
}
