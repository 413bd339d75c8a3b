//! A credential as the bytes that get sealed.
//!
//! Kind (1 byte), length of the secret (4 bytes, big-endian), the secret, zeros up
//! to the next multiple of 64: the length of a sealed password tells next to nothing.

use mailfleet_model::{Credential, Secret};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::sealed::Sealed;

/// Sealed lengths come in multiples of this. Nearly all passwords fit into the first.
pub(crate) const BLOCK: usize = 64;
/// Kind and length.
const HEADER: usize = 5;

const PASSWORD: u8 = 1;
const ACCESS_TOKEN: u8 = 2;

/// Length of the payload for a secret of `length` bytes.
pub(crate) const fn padded(length: usize) -> usize {
    (HEADER + length).next_multiple_of(BLOCK)
}

pub(crate) fn encode(credential: &Credential) -> Result<Zeroizing<Vec<u8>>, Error> {
    let kind = match credential {
        Credential::Password(_) => PASSWORD,
        Credential::AccessToken(_) => ACCESS_TOKEN,
    };
    let secret = credential.secret().expose();
    if secret.len() > Sealed::MAX_SECRET {
        return Err(Error::SecretTooLong);
    }
    let length = u32::try_from(secret.len()).map_err(|_| Error::SecretTooLong)?;
    // At its full size from the start: a vector that grows leaves copies behind.
    let mut payload = Zeroizing::new(Vec::with_capacity(padded(secret.len())));
    payload.push(kind);
    payload.extend_from_slice(&length.to_be_bytes());
    payload.extend_from_slice(secret);
    payload.resize(padded(secret.len()), 0);
    Ok(payload)
}

pub(crate) fn decode(payload: &[u8]) -> Result<Credential, Error> {
    let (kind, rest) = payload.split_first().ok_or(Error::Malformed)?;
    let (length, rest) = rest.split_first_chunk().ok_or(Error::Malformed)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Error::Malformed)?;
    let (secret, _zeros) = rest.split_at_checked(length).ok_or(Error::Malformed)?;
    let secret = Secret::new(secret.to_vec());
    match *kind {
        PASSWORD => Ok(Credential::Password(secret)),
        ACCESS_TOKEN => Ok(Credential::AccessToken(secret)),
        _ => Err(Error::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_secrets_of_different_length_look_alike() {
        let length = |n| {
            let password = Credential::Password(Secret::new(vec![b'x'; n]));
            encode(&password).expect("short enough").len()
        };
        assert_eq!(length(0), 64);
        assert_eq!(length(59), 64);
        assert_eq!(length(60), 128);
    }

    #[test]
    fn what_is_no_credential_is_refused() {
        let cases: [&[u8]; 5] =
            [b"", &[1], &[1, 0, 0, 0], &[1, 0, 0, 0, 2, b'x'], &[3, 0, 0, 0, 0]];
        for payload in cases {
            assert_eq!(decode(payload).err(), Some(Error::Malformed), "{payload:?}");
        }
        let huge = [1, 0xff, 0xff, 0xff, 0xff, b'x'];
        assert_eq!(decode(&huge).err(), Some(Error::Malformed));
    }
}
