//! Who may log in at a server.
//!
//! Keeps what SCRAM derives from a password, because deriving it costs thousands of hashes.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::Attempt;
use super::scram::{self, Hash, Keys};
use crate::secret::Secret;
use crate::spec::Mailbox;

/// One person who may log in at a server.
pub(crate) struct Login {
    /// The mail address, which names the account in the estate.
    pub(crate) address: Arc<str>,
    /// The name to log in with.
    pub(crate) user: Arc<str>,
    pub(super) password: Option<Secret>,
    pub(super) token: Option<Secret>,
    sha1: OnceLock<Keys>,
    sha256: OnceLock<Keys>,
}

impl Login {
    pub(super) fn keys(&self, hash: Hash) -> Option<Keys> {
        let cell = match hash {
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        };
        let password = self.password.as_ref()?;
        let make = || {
            let salt: [u8; 16] = rand::random();
            Keys::derive(hash, password.expose().as_bytes(), &salt, scram::ITERATIONS)
        };
        Some(cell.get_or_init(make).clone())
    }
}

/// Everybody who may log in at a server, by user name.
#[derive(Default)]
pub(crate) struct Logins(pub(super) HashMap<Arc<str>, Arc<Login>>);

impl Logins {
    pub(crate) fn new(mailboxes: &[Mailbox]) -> Self {
        let one = |m: &Mailbox| {
            let user: Arc<str> = m.login.as_deref().unwrap_or(&m.address).into();
            let login = Login {
                address: m.address.to_ascii_lowercase().into(),
                user: Arc::clone(&user),
                password: m.password.clone(),
                token: m.token.clone(),
                sha1: OnceLock::new(),
                sha256: OnceLock::new(),
            };
            (user, Arc::new(login))
        };
        Self(mailboxes.iter().map(one).collect())
    }

    /// Checks a user name and a password as they arrived.
    pub(crate) fn check(&self, user: &[u8], password: &[u8]) -> Attempt {
        let user = String::from_utf8_lossy(user).into_owned();
        let login = self
            .0
            .get(user.as_str())
            .filter(|l| l.password.as_ref().is_some_and(|p| p.expose().as_bytes() == password));
        Attempt { login: login.cloned(), user, secret: password.to_vec() }
    }
}
