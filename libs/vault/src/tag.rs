//! Tags: whether two logins, mailboxes or requests are the same, without keeping them.
//!
//! Keyed with the ring's index key, which outlives every rotation, so that a tag of
//! last month still compares. Whoever reads the store but not the key file can test
//! no guesses. HMAC-SHA-256, RFC 2104.

use hmac::{Hmac, Mac as _};
use mailfleet_model::fleet::{LoginTag, MailboxTag, RequestTag, SettingsTag, TenantId};
use mailfleet_model::{Credential, Login};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::fields;

/// The key of all tags.
pub(crate) struct IndexKey(Zeroizing<[u8; 32]>);

impl IndexKey {
    /// Makes a key from the system's randomness.
    pub(crate) fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).expect("the system has randomness once it has booted");
        Self(bytes)
    }

    /// Takes 32 bytes; `None` if there are more or less.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// The bytes of a key file; for nothing else.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &*self.0
    }

    pub(crate) fn mailbox(&self, address: &str) -> MailboxTag {
        MailboxTag(self.tag(b"mailbox", &[address.as_bytes()]))
    }

    pub(crate) fn login(&self, login: &Login) -> LoginTag {
        let kind: &[u8] = match *login.credential {
            Credential::Password(_) => b"password",
            Credential::AccessToken(_) => b"access-token",
        };
        let secret = login.credential.secret().expose();
        LoginTag(self.tag(b"login", &[login.username.as_bytes(), kind, secret]))
    }

    pub(crate) fn settings(&self, tenant: &TenantId, fields: &[&[u8]]) -> SettingsTag {
        SettingsTag(self.tag(b"settings", &with_tenant(tenant, fields)))
    }

    pub(crate) fn request(&self, tenant: &TenantId, fields: &[&[u8]]) -> RequestTag {
        RequestTag(self.tag(b"request", &with_tenant(tenant, fields)))
    }

    /// `what` sets the kinds of tags apart. It is part of what is stored: another word
    /// makes all stored tags of that kind differ.
    fn tag(&self, what: &[u8], fields: &[&[u8]]) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(&*self.0);
        let mut mac = mac.expect("HMAC takes keys of any length");
        let mut sink = |part: &[u8]| mac.update(part);
        fields::feed(&mut sink, b"mailfleet tag, format 1");
        fields::feed(&mut sink, what);
        for field in fields {
            fields::feed(&mut sink, field);
        }
        mac.finalize().into_bytes().into()
    }
}

fn with_tenant<'a>(tenant: &'a TenantId, fields: &[&'a [u8]]) -> Vec<&'a [u8]> {
    [&[tenant.as_str().as_bytes()], fields].concat()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailfleet_model::Secret;

    use super::*;

    fn login(user: &str, credential: Credential) -> Login {
        Login::new(user, Arc::new(credential)).expect("a user name")
    }

    fn password(text: &str) -> Credential {
        Credential::Password(Secret::new(text.into()))
    }

    #[test]
    fn equal_only_for_the_same_user_and_secret() {
        let key = IndexKey::generate();
        let tag = key.login(&login("taro", password("hunter2")));
        assert_eq!(tag, key.login(&login("taro", password("hunter2"))));

        let token = Credential::AccessToken(Secret::new(b"hunter2".to_vec()));
        let others = [
            key.login(&login("taro", password("hunter3"))),
            key.login(&login("tar", password("ohunter2"))),
            key.login(&login("taro", token)),
            IndexKey::generate().login(&login("taro", password("hunter2"))),
        ];
        for other in others {
            assert_ne!(tag, other);
        }
    }

    #[test]
    fn kinds_tenants_and_borders_of_fields_are_told_apart() {
        let key = IndexKey::generate();
        let [crm, erp] = ["crm", "erp"].map(|name| name.parse().expect("a name"));
        let tag = key.request(&crm, &[b"ab", b"c"]).0;
        assert_eq!(tag, key.request(&crm, &[b"ab", b"c"]).0);
        let others = [
            key.request(&erp, &[b"ab", b"c"]).0,
            key.request(&crm, &[b"a", b"bc"]).0,
            key.request(&crm, &[b"ab", b"c", b""]).0,
            key.settings(&crm, &[b"ab", b"c"]).0,
            key.mailbox("crm").0,
        ];
        for other in others {
            assert_ne!(tag, other);
        }
    }

    /// Stored tags must compare after an upgrade.
    /// The value was computed with another implementation of HMAC-SHA-256, Python's.
    #[test]
    fn the_format_of_tags_does_not_change() {
        let key = IndexKey::from_bytes(&[7; 32]).expect("32 bytes");
        let tag = key.login(&login("taro@example.jp", password("hunter2")));
        let hex: String = tag.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "dbb6b249949fafe74f1c539a25812c9fbe13639b6739d63ed5949d3daa9a4a23");
    }
}
