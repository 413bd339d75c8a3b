//! Secrets: values that can be neither printed nor copied by accident.
//!
//! There is no `Clone`, no serde, no `PartialEq`; `Debug` prints `***`. The bytes are
//! wiped when dropped, and whoever needs them says `expose`, which is easy to
//! search for. Passwords are bytes: they are never trimmed or normalised, and a
//! Latin-1 password is as good as any.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A password or token. Not `Clone`; wiped on drop; `Debug` prints `***`.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; the caller's buffer becomes the secret's.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Gives access to the bytes. Only for the line that sends, seals or hashes them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether the secret has no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both secrets are the same, in time that depends on the lengths only.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What proves that the mailbox may be used.
#[derive(Debug)]
pub enum Credential {
    /// A password, possibly an app password.
    Password(Secret),
    /// An OAuth 2.0 access token, for XOAUTH2 or OAUTHBEARER.
    AccessToken(Secret),
}

impl Credential {
    /// The secret inside, whatever its kind.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        match self {
            Self::Password(secret) | Self::AccessToken(secret) => secret,
        }
    }

    /// Whether both are of one kind and hold the same secret.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Password(a), Self::Password(b))
            | (Self::AccessToken(a), Self::AccessToken(b)) => a.same_as(b),
            (Self::Password(_), Self::AccessToken(_))
            | (Self::AccessToken(_), Self::Password(_)) => false,
        }
    }
}

/// A user name with its credential. Shared between legs, never copied.
#[derive(Debug, Clone)]
pub struct Login {
    /// What the server calls the user: an address, a local part, `DOMAIN\user`.
    /// Holds no control character ([`Login::new`] refuses them).
    pub username: String,
    /// The password or token.
    pub credential: Arc<Credential>,
}

impl Login {
    /// Builds a login; `None` if the user name is empty or has a control character.
    #[must_use]
    pub fn new(username: &str, credential: Arc<Credential>) -> Option<Self> {
        let bad = username.is_empty() || crate::text::has_control(username);
        (!bad).then(|| Self { username: username.to_owned(), credential })
    }

    /// Whether a refusal of one says something about the other: same user, same secret.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.username == other.username && self.credential.same_as(&other.credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_never_shows_the_bytes() {
        let credential = Arc::new(Credential::Password(Secret::new(b"hunter2".to_vec())));
        let login = Login::new("taro", credential).expect("a plain name");
        assert!(!format!("{login:?}").contains("hunter2"));
        assert!(format!("{login:?}").contains("***"));
    }

    #[test]
    fn a_token_is_never_the_same_as_a_password() {
        let password = Credential::Password(Secret::new(b"x".to_vec()));
        let token = Credential::AccessToken(Secret::new(b"x".to_vec()));
        assert!(!password.same_as(&token));
        assert!(password.same_as(&Credential::Password(Secret::new(b"x".to_vec()))));
    }

    #[test]
    fn user_names_with_controls_are_refused() {
        let credential = Arc::new(Credential::Password(Secret::new(b"x".to_vec())));
        assert!(Login::new("a\r\nb", Arc::clone(&credential)).is_none());
        assert!(Login::new("", Arc::clone(&credential)).is_none());
        assert!(Login::new("DOMAIN\\taro", credential).is_some());
    }
}
