//! Key rings: several keys, the first of which seals while all of them open.
//!
//! Rotation adds a key in front; what was sealed before still opens. Old keys go only
//! when somebody retires them, which makes what is sealed to them unreadable. Workers
//! hold a [`KeyRing`]; gateways of a fleet hold its [`PublicRing`], which seals and
//! compares but cannot open.
//!
//! In a fleet, give the rotated ring to all workers before any gateway gets its public
//! half.

mod error;
mod file;
mod text;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mailfleet_model::fleet::{LoginTag, MailboxTag, RequestTag, SettingsTag, TenantId};
use mailfleet_model::{Credential, Login, Secret};

pub use error::Error;
pub use text::Syntax;

use crate::binding::Binding;
use crate::error::Error as SealError;
use crate::key::{KeyId, KeyInfo, Opening, Sealing};
use crate::seal;
use crate::sealed::Sealed;
use crate::tag::IndexKey;

/// Most keys that a ring holds: five years of monthly rotations.
pub const MAX_KEYS: usize = 64;

/// Keys that open and seal. `Debug` prints ids only; private keys are wiped on drop.
pub struct KeyRing {
    /// In the order of `public.sealing`; never empty.
    opening: Vec<Opening>,
    public: PublicRing,
}

/// Keys that seal, and the key of the tags. `Debug` prints ids only.
pub struct PublicRing {
    /// The primary key first; never empty.
    sealing: Vec<Sealing>,
    index: IndexKey,
}

impl KeyRing {
    /// Makes a ring with one key and a new index key.
    #[must_use]
    pub fn generate(now: SystemTime) -> Self {
        let (opening, sealing) = Opening::generate(seconds(now));
        let public = PublicRing { sealing: vec![sealing], index: IndexKey::generate() };
        Self { opening: vec![opening], public }
    }

    /// Adds a new primary key; the others still open. Tags stay comparable.
    ///
    /// # Errors
    /// [`Error::Full`] if there are [`MAX_KEYS`].
    pub fn rotate(&mut self, now: SystemTime) -> Result<KeyId, Error> {
        if self.opening.len() >= MAX_KEYS {
            return Err(Error::Full);
        }
        let (opening, sealing) = Opening::generate(seconds(now));
        let id = sealing.id;
        self.opening.insert(0, opening);
        self.public.sealing.insert(0, sealing);
        Ok(id)
    }

    /// Removes a key. What is sealed to it cannot be opened any more.
    ///
    /// # Errors
    /// [`Error::UnknownKey`], or [`Error::Primary`] for the key that seals.
    pub fn retire(&mut self, id: KeyId) -> Result<(), Error> {
        match self.opening.iter().position(|key| key.id == id) {
            None => Err(Error::UnknownKey(id)),
            Some(0) => Err(Error::Primary(id)),
            Some(_) => {
                self.opening.retain(|key| key.id != id);
                self.public.sealing.retain(|key| key.id != id);
                Ok(())
            }
        }
    }

    /// The half that seals and compares.
    #[must_use]
    pub fn public(&self) -> &PublicRing {
        &self.public
    }

    /// A copy of the half that seals and compares, for a gateway in the same process.
    #[must_use]
    pub fn to_public(&self) -> PublicRing {
        text::parse_public(self.public.to_text().expose()).expect("a ring reads what it wrote")
    }

    /// The half that seals and compares; the private keys are wiped.
    #[must_use]
    pub fn into_public(self) -> PublicRing {
        self.public
    }

    /// Opens a credential for the use that it was sealed for.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`], [`SealError::Tampered`], [`SealError::WrongBinding`], or
    /// [`SealError::Malformed`] if what was sealed is no credential.
    pub fn open(&self, sealed: &Sealed, binding: &Binding<'_>) -> Result<Credential, SealError> {
        let id = sealed.key_id();
        let key = self.opening.iter().find(|key| key.id == id);
        seal::open(sealed, binding, key.ok_or(SealError::UnknownKey(id))?)
    }

    /// Reads the text of a private key file, for keys that come from the environment.
    ///
    /// # Errors
    /// Names the line; never shows content.
    pub fn parse(text: &Secret) -> Result<Self, Syntax> {
        text::parse_private(text.expose())
    }

    /// The text of a private key file.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        text::private(self)
    }
}

impl PublicRing {
    /// Seals a credential to the primary key, for one use.
    ///
    /// # Errors
    /// [`SealError::SecretTooLong`]; [`SealError::UnusableKey`] for a forged ring.
    pub fn seal(
        &self,
        credential: &Credential,
        binding: &Binding<'_>,
    ) -> Result<Sealed, SealError> {
        let primary = self.sealing.first().expect("a ring is made with a key and keeps one");
        seal::seal(credential, binding, primary)
    }

    /// What may be told about the keys, the primary one first.
    pub fn keys(&self) -> impl Iterator<Item = KeyInfo> {
        self.sealing.iter().enumerate().map(|(place, key)| KeyInfo {
            id: key.id,
            created: UNIX_EPOCH + Duration::from_secs(key.created.into()),
            primary: place == 0,
        })
    }

    /// The tag of a mailbox, by its address in the spelling that the caller settled on.
    #[must_use]
    pub fn mailbox_tag(&self, address: &str) -> MailboxTag {
        self.index.mailbox(address)
    }

    /// The tag of a user name with its secret.
    #[must_use]
    pub fn login_tag(&self, login: &Login) -> LoginTag {
        self.index.login(login)
    }

    /// The tag of a validation's settings: all of them, in an order that does not change.
    /// A login tag may stand for the login.
    #[must_use]
    pub fn settings_tag(&self, tenant: &TenantId, fields: &[&[u8]]) -> SettingsTag {
        self.index.settings(tenant, fields)
    }

    /// The tag of a request's body; fields as for the settings.
    #[must_use]
    pub fn request_tag(&self, tenant: &TenantId, fields: &[&[u8]]) -> RequestTag {
        self.index.request(tenant, fields)
    }

    /// Reads the text of a public key file, for keys that come from the environment.
    ///
    /// # Errors
    /// Names the line; never shows content.
    pub fn parse(text: &Secret) -> Result<Self, Syntax> {
        text::parse_public(text.expose())
    }

    /// The text of a public key file. Secret too, because of the index key.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        text::public(self)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRing").field(&self.public).finish()
    }
}

impl fmt::Debug for PublicRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sealing.iter().map(|key| key.id)).finish()
    }
}

/// Whole seconds since 1970: 0 for a clock that stands before, and no more than 32 bits
/// hold, so that a date can always be made of them.
fn seconds(time: SystemTime) -> u32 {
    let since = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(since).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
