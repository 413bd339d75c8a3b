//! Sealing and opening.
//!
//! One HPKE context seals two texts. The first, the label, is the digest of the
//! binding; the second, the credential, has the whole binding as associated data.
//! The label lets the opener tell "made for another use" from "damaged" without
//! decrypting the credential for the wrong use, and without showing anybody else
//! what the seal was made for.

use mailfleet_model::Credential;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::binding::Binding;
use crate::error::Error;
use crate::key::{Opening, Sealing};
use crate::payload;
use crate::sealed::{Sealed, header};
use crate::suite;

/// Sets these seals apart from any other use of the same keys. Part of the format.
const INFO: &[u8] = b"mailfleet sealed credential, format 1";

pub(crate) fn seal(
    credential: &Credential,
    binding: &Binding<'_>,
    key: &Sealing,
) -> Result<Sealed, Error> {
    let payload = payload::encode(credential)?;
    let binding = binding.encode(key.id);
    let unusable = |_| Error::UnusableKey(key.id);
    let (encapsulated, mut sender) = suite::sender(&key.public, INFO).map_err(unusable)?;
    let label = sender.seal(&Sha256::digest(&binding), &header(key.id)).map_err(unusable)?;
    let label = label.try_into().expect("a digest of 32 bytes and a tag of 16");
    let body = sender.seal(&payload, &binding).map_err(unusable)?;
    Ok(Sealed { key: key.id, encapsulated, label, body })
}

/// Opens what was sealed to `key`, which the caller picked by the key id.
pub(crate) fn open(
    sealed: &Sealed,
    binding: &Binding<'_>,
    key: &Opening,
) -> Result<Credential, Error> {
    let tampered = |_| Error::Tampered;
    let receiver = suite::receiver(&key.private, &sealed.encapsulated, INFO);
    let mut receiver = receiver.map_err(tampered)?;
    let label = receiver.open(&sealed.label, &sealed.header()).map_err(tampered)?;
    let binding = binding.encode(sealed.key);
    if label != *Sha256::digest(&binding) {
        return Err(Error::WrongBinding);
    }
    let payload = Zeroizing::new(receiver.open(&sealed.body, &binding).map_err(tampered)?);
    payload::decode(&payload)
}
