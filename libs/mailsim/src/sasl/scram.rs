//! The server's side of SCRAM, without channel binding.
//!
//! Apart from the other mechanisms because it is the only one with arithmetic of its own.
//! Sources: RFC 5802 §3 and §5, RFC 7677 §3 (4096 iterations).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// RFC 7677 §4 asks for at least 4096.
pub(crate) const ITERATIONS: u32 = 4096;

/// The hash under the mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        const ANY: &str = "HMAC takes keys of every length";
        match self {
            Self::Sha1 => {
                let mut mac = Hmac::<Sha1>::new_from_slice(key).expect(ANY);
                mac.update(data);
                mac.finalize().into_bytes().to_vec()
            }
            Self::Sha256 => {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).expect(ANY);
                mac.update(data);
                mac.finalize().into_bytes().to_vec()
            }
        }
    }

    fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
        }
    }

    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha1 => {
                pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password, salt, iterations).to_vec()
            }
            Self::Sha256 => {
                pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations).to_vec()
            }
        }
    }
}

/// What a server keeps of a password. Costs thousands of hashes to make: make it once.
#[derive(Clone)]
pub(crate) struct Keys {
    salt: Vec<u8>,
    iterations: u32,
    stored: Vec<u8>,
    server: Vec<u8>,
}

impl Keys {
    pub(crate) fn derive(hash: Hash, password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let salted = hash.salted(password, salt, iterations);
        let client = hash.hmac(&salted, b"Client Key");
        Self {
            salt: salt.to_vec(),
            iterations,
            stored: hash.digest(&client),
            server: hash.hmac(&salted, b"Server Key"),
        }
    }
}

/// The client's first message, taken apart.
#[derive(Debug)]
pub(crate) struct First {
    /// The user name, unescaped.
    pub(crate) user: String,
    gs2_header: String,
    bare: String,
    nonce: String,
}

/// Reads `n,,n=user,r=nonce`. `None` for anything else, channel binding included.
pub(crate) fn first(message: &[u8]) -> Option<First> {
    let text = std::str::from_utf8(message).ok()?;
    let mut parts = text.splitn(3, ',');
    let (flag, authzid, bare) = (parts.next()?, parts.next()?, parts.next()?);
    if flag != "n" && flag != "y" {
        return None;
    }
    let user = bare.split(',').find_map(|f| f.strip_prefix("n="))?;
    let nonce = bare.split(',').find_map(|f| f.strip_prefix("r="))?;
    Some(First {
        user: user.replace("=2C", ",").replace("=3D", "="),
        gs2_header: format!("{flag},{authzid},"),
        bare: bare.to_owned(),
        nonce: nonce.to_owned(),
    })
}

/// An exchange after the server's first message.
pub(crate) struct Challenge {
    hash: Hash,
    keys: Keys,
    first: First,
    nonce: String,
    /// The server's first message.
    pub(crate) message: String,
}

impl Challenge {
    /// Answers the client's first message; `server_nonce` is added to the client's.
    pub(crate) fn new(hash: Hash, keys: Keys, first: First, server_nonce: &str) -> Self {
        let nonce = format!("{}{server_nonce}", first.nonce);
        let salt = BASE64.encode(&keys.salt);
        let message = format!("r={nonce},s={salt},i={}", keys.iterations);
        Self { hash, keys, first, nonce, message }
    }

    /// The user who logs in.
    pub(crate) fn user(&self) -> &str {
        &self.first.user
    }

    /// Checks the client's proof. Gives the server's final message, or `None` if it is wrong.
    pub(crate) fn verify(&self, last: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(last).ok()?;
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let binding = without_proof.split(',').find_map(|f| f.strip_prefix("c="))?;
        let nonce = without_proof.split(',').find_map(|f| f.strip_prefix("r="))?;
        if nonce != self.nonce || BASE64.decode(binding).ok()? != self.first.gs2_header.as_bytes() {
            return None;
        }
        let proof = BASE64.decode(proof).ok()?;
        let signed = format!("{},{},{without_proof}", self.first.bare, self.message);
        let signature = self.hash.hmac(&self.keys.stored, signed.as_bytes());
        if proof.len() != signature.len() {
            return None;
        }
        let client: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let answer = self.hash.hmac(&self.keys.server, signed.as_bytes());
        (self.hash.digest(&client) == self.keys.stored)
            .then(|| format!("v={}", BASE64.encode(answer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Vector {
        hash: Hash,
        salt: &'static str,
        client_first: &'static str,
        server_nonce: &'static str,
        server_first: &'static str,
        client_final: &'static str,
        server_final: &'static str,
    }

    /// The exchanges printed in RFC 5802 §5 and RFC 7677 §3; user `user`, password `pencil`.
    const VECTORS: [Vector; 2] = [
        Vector {
            hash: Hash::Sha1,
            salt: "QSXCR+Q6sek8bf92",
            client_first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            server_nonce: "3rfcNHYJY1ZVvWVs7j",
            server_first: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            client_final: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            server_final: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        },
        Vector {
            hash: Hash::Sha256,
            salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
            client_first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            server_final: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        },
    ];

    fn challenge(v: &Vector, password: &[u8]) -> Challenge {
        let salt = BASE64.decode(v.salt).unwrap();
        let keys = Keys::derive(v.hash, password, &salt, 4096);
        Challenge::new(v.hash, keys, first(v.client_first.as_bytes()).unwrap(), v.server_nonce)
    }

    #[test]
    fn the_printed_exchanges_of_the_rfcs_succeed() {
        for v in &VECTORS {
            let c = challenge(v, b"pencil");
            assert_eq!(c.message, v.server_first);
            assert_eq!(c.user(), "user");
            assert_eq!(c.verify(v.client_final.as_bytes()).as_deref(), Some(v.server_final));
        }
    }

    #[test]
    fn another_password_nonce_or_binding_is_refused() {
        for v in &VECTORS {
            assert_eq!(challenge(v, b"pencils").verify(v.client_final.as_bytes()), None);
            let c = challenge(v, b"pencil");
            assert_eq!(c.verify(v.client_final.replace("r=", "r=x").as_bytes()), None);
            assert_eq!(c.verify(v.client_final.replace("biws", "eSws").as_bytes()), None);
            assert_eq!(c.verify(b"c=biws,p=!"), None);
        }
        assert!(first(b"p=tls-unique,,n=user,r=x").is_none());
    }
}
