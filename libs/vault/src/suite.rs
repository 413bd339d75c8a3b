//! The one HPKE suite: X25519, HKDF-SHA256, ChaCha20-Poly1305, base mode.
//!
//! A fresh key for every seal, so there is no nonce to repeat and no number of
//! messages after which a key is worn out. RFC 9180 sections 5.1.1 and 7.

use hpke::aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, HpkeError, OpModeR, OpModeS, Serializable as _};

pub(crate) type Kem = X25519HkdfSha256;
pub(crate) type PrivateKey = <Kem as hpke::Kem>::PrivateKey;
pub(crate) type PublicKey = <Kem as hpke::Kem>::PublicKey;
type EncappedKey = <Kem as hpke::Kem>::EncappedKey;
pub(crate) type Sender = AeadCtxS<ChaCha20Poly1305, HkdfSha256, Kem>;
pub(crate) type Receiver = AeadCtxR<ChaCha20Poly1305, HkdfSha256, Kem>;

/// Begins a seal: the encapsulated key, and the context that seals texts in order.
pub(crate) fn sender(to: &PublicKey, info: &[u8]) -> Result<([u8; 32], Sender), HpkeError> {
    let (encapsulated, sender): (EncappedKey, Sender) =
        hpke::setup_sender(&OpModeS::Base, to, info)?;
    Ok((encapsulated.to_bytes().into(), sender))
}

/// Begins to open what [`sender`] sealed, in the same order.
pub(crate) fn receiver(
    key: &PrivateKey,
    encapsulated: &[u8],
    info: &[u8],
) -> Result<Receiver, HpkeError> {
    let encapsulated = EncappedKey::from_bytes(encapsulated)?;
    hpke::setup_receiver(&OpModeR::Base, key, &encapsulated, info)
}

#[cfg(test)]
mod tests {
    use hpke::Kem as _;

    use super::*;

    fn hex(digits: &str) -> Vec<u8> {
        let byte = |i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).expect("hex digits");
        (0..digits.len() / 2).map(byte).collect()
    }

    /// RFC 9180 appendix A.2.1, the first two encryptions.
    #[test]
    fn the_suite_is_the_one_of_rfc_9180() {
        let ikm = hex("1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df");
        let (private, public) = Kem::derive_keypair(&ikm);
        let expect = "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a";
        assert_eq!(public.to_bytes().to_vec(), hex(expect));

        let enc = hex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
        let info = hex("4f6465206f6e2061204772656369616e2055726e");
        let mut receiver = receiver(&private, &enc, &info).expect("the vector's key");
        let texts = [
            "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db\
             21993c62ce81883d2dd1b51a28",
            "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e\
             85285337cc95ba5f59992dc98c",
        ];
        for (sealed, aad) in texts.into_iter().zip(["Count-0", "Count-1"]) {
            let opened = receiver.open(&hex(sealed), aad.as_bytes()).expect("the vector opens");
            assert_eq!(opened, b"Beauty is truth, truth beauty");
        }
    }
}
