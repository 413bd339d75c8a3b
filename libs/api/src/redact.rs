//! Keeps the secret of a request out of sight, and wipes it.
//!
//! Generated messages print themselves in full, so the one field that holds a secret has its
//! `Debug` here; every message around it prints through this one. Whatever way a request
//! ends, its copy of the secret is wiped. What cannot be wiped is the receive buffer of the
//! HTTP/2 connection, which belongs to the transport and is soon overwritten.

use std::fmt;

use mailfleet_model::{Credential, Secret};
use zeroize::Zeroize;

use crate::v1::{Login, login};

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("username", &self.username)
            .field("credential", &self.credential)
            .finish()
    }
}

impl fmt::Debug for login::Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password(_) => f.write_str("Password(***)"),
            Self::AccessToken(_) => f.write_str("AccessToken(***)"),
        }
    }
}

impl Drop for login::Credential {
    fn drop(&mut self) {
        match self {
            Self::Password(bytes) => bytes.zeroize(),
            Self::AccessToken(text) => text.zeroize(),
        }
    }
}

/// Moves the secret out of the message: the message's buffer becomes the model's.
pub(crate) fn take(mut credential: login::Credential) -> Credential {
    match &mut credential {
        login::Credential::Password(bytes) => {
            Credential::Password(Secret::new(std::mem::take(bytes)))
        }
        login::Credential::AccessToken(text) => {
            Credential::AccessToken(Secret::new(std::mem::take(text).into_bytes()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    #[test]
    fn no_message_that_holds_a_secret_prints_it() {
        let login = |credential| v1::Login { username: "taro".to_owned(), credential };
        let request = v1::ValidateRequest {
            login: Some(login(Some(login::Credential::Password(b"hunter2".to_vec())))),
            incoming: vec![v1::LegSettings {
                login: Some(login(Some(login::Credential::AccessToken("hunter2".to_owned())))),
                ..v1::LegSettings::default()
            }],
            ..v1::ValidateRequest::default()
        };
        for text in [format!("{request:?}"), format!("{request:#?}")] {
            assert!(!text.contains("hunter2"), "{text}");
            assert!(!text.contains("104, 117"), "the bytes as numbers: {text}");
            assert!(text.contains("Password(***)") && text.contains("AccessToken(***)"), "{text}");
        }
    }

    #[test]
    fn the_secret_is_moved_and_not_copied() {
        let bytes = b"hunter2".to_vec();
        let place = bytes.as_ptr();
        let taken = take(login::Credential::Password(bytes));
        assert_eq!(taken.secret().expose().as_ptr(), place);
        assert_eq!(taken.secret().expose(), b"hunter2");
    }
}
