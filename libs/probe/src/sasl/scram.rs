//! SCRAM (RFC 5802, RFC 7677): proves the password to the server and the server to us.
//!
//! Apart from the other mechanisms for its size. The server chooses how much work the
//! proof costs, so the count is bounded, and the work yields between slices: a step's
//! limit or a cancel ends it. Passwords and user names are not normalised (no SASLprep):
//! a stored password must be taken as it was given. Channel binding is not offered,
//! since few mail servers have it; the header therefore says `n`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::{Digest, Output, OutputSizeUser};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Fewest rounds that are accepted: with less, whoever reads along finds the password
/// cheaply. RFC 7677 section 4.
const MIN_ITERATIONS: u32 = 4096;
/// Most rounds that are accepted, about half a second of work. OWASP's advice for
/// PBKDF2-HMAC-SHA256 (2023) is 600,000; mail servers use 4,096 to 15,000.
const MAX_ITERATIONS: u32 = 600_000;
/// Rounds between two chances for others to run: about a millisecond.
const SLICE: u32 = 1024;
/// Longest message from the server that is looked at, decoded.
const MAX_MESSAGE: usize = 4096;
/// GS2 header: no channel binding, no authorisation identity.
const GS2_HEADER: &str = "n,,";

/// The hash under SCRAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    /// RFC 5802.
    Sha1,
    /// RFC 7677.
    Sha256,
}

/// What is wrong with what the server sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// The message does not follow the grammar, or its nonce does not continue ours.
    Message,
    /// The server asks for too few or too many rounds.
    Iterations,
    /// The server does not know the password: it is not who it seems to be.
    Signature,
}

/// A SCRAM conversation from our side.
pub(super) struct Scram {
    hash: Hash,
    nonce: String,
    client_first_bare: String,
    expected_signature: Option<Zeroizing<Vec<u8>>>,
}

impl Scram {
    /// Begins a conversation. `nonce` is printable ASCII without a comma, fresh each time.
    pub(super) fn new(hash: Hash, username: &str, nonce: String) -> Self {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        let client_first_bare = format!("n={name},r={nonce}");
        Self { hash, nonce, client_first_bare, expected_signature: None }
    }

    /// The first message; it holds no secret.
    pub(super) fn client_first(&self) -> String {
        format!("{GS2_HEADER}{}", self.client_first_bare)
    }

    /// Answers the server's first message with the proof.
    pub(super) async fn client_final(
        &mut self,
        password: &[u8],
        server_first: &[u8],
    ) -> Result<Zeroizing<String>, Bad> {
        let text = text(server_first)?;
        let server = ServerFirst::parse(text, &self.nonce)?;
        let bound = STANDARD.encode(GS2_HEADER);
        let without_proof = format!("c={bound},r={}", server.nonce);
        let message = format!("{},{text},{without_proof}", self.client_first_bare);
        let (proof, signature) = match self.hash {
            Hash::Sha1 => prove::<Sha1, Hmac<Sha1>>(password, &server, &message).await,
            Hash::Sha256 => prove::<Sha256, Hmac<Sha256>>(password, &server, &message).await,
        };
        self.expected_signature = Some(signature);
        let proof = Zeroizing::new(STANDARD.encode(&*proof));
        Ok(Zeroizing::new(format!("{without_proof},p={}", *proof)))
    }

    /// Checks the server's last message: `Ok(None)` if it proved itself, the server's own
    /// error (`invalid-proof` and the like) if it refused.
    pub(super) fn server_final<'m>(&self, message: &'m [u8]) -> Result<Option<&'m str>, Bad> {
        let first = text(message)?.split(',').next().unwrap_or_default();
        if let Some(error) = first.strip_prefix("e=") {
            return Ok(Some(error));
        }
        let encoded = first.strip_prefix("v=").ok_or(Bad::Message)?;
        let signature = STANDARD.decode(encoded).map_err(|_| Bad::Message)?;
        let expected = self.expected_signature.as_ref().ok_or(Bad::Message)?;
        if bool::from(expected.as_slice().ct_eq(&signature)) {
            Ok(None)
        } else {
            Err(Bad::Signature)
        }
    }
}

/// What the server's first message holds.
struct ServerFirst<'m> {
    nonce: &'m str,
    salt: Vec<u8>,
    iterations: u32,
}

impl<'m> ServerFirst<'m> {
    /// `r=…,s=…,i=…`, then optional extensions; a mandatory one (`m=`) would come first.
    fn parse(text: &'m str, ours: &str) -> Result<Self, Bad> {
        let mut parts = text.split(',');
        let mut next =
            |prefix| parts.next().and_then(|part| part.strip_prefix(prefix)).ok_or(Bad::Message);
        let nonce: &'m str = next("r=")?;
        if !nonce.starts_with(ours) || nonce.len() <= ours.len() {
            return Err(Bad::Message);
        }
        let salt = STANDARD.decode(next("s=")?).map_err(|_| Bad::Message)?;
        let iterations: u32 = next("i=")?.parse().map_err(|_| Bad::Iterations)?;
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(Bad::Iterations);
        }
        Ok(Self { nonce, salt, iterations })
    }
}

fn text(message: &[u8]) -> Result<&str, Bad> {
    if message.len() > MAX_MESSAGE {
        return Err(Bad::Message);
    }
    std::str::from_utf8(message).map_err(|_| Bad::Message)
}

/// Client proof and expected server signature (RFC 5802 section 3).
async fn prove<H, M>(
    password: &[u8],
    server: &ServerFirst<'_>,
    message: &str,
) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>)
where
    H: Digest + OutputSizeUser,
    M: Mac + hmac::digest::KeyInit + Clone,
{
    let salted = salt_password::<M>(password, &server.salt, server.iterations).await;
    let client_key = mac::<M>(&salted, b"Client Key");
    let stored_key: Output<H> = H::digest(&*client_key);
    let client_signature = mac::<M>(&stored_key, message.as_bytes());
    let proof = client_key.iter().zip(client_signature.iter()).map(|(a, b)| a ^ b).collect();
    let server_key = mac::<M>(&salted, b"Server Key");
    (Zeroizing::new(proof), mac::<M>(&server_key, message.as_bytes()))
}

/// `Hi` of RFC 5802: PBKDF2 (RFC 8018) with one block. Written out here because it has
/// to yield between slices, so that a server cannot hold a thread by asking for rounds.
async fn salt_password<M>(password: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<Vec<u8>>
where
    M: Mac + hmac::digest::KeyInit + Clone,
{
    let keyed = keyed::<M>(password);
    let round = |input: &[u8]| {
        let mut mac = keyed.clone();
        mac.update(input);
        Zeroizing::new(mac.finalize().into_bytes().to_vec())
    };
    let mut block = round(&[salt, &1u32.to_be_bytes()].concat());
    let mut sum = block.clone();
    for done in 1..iterations {
        block = round(&block);
        for (total, byte) in sum.iter_mut().zip(block.iter()) {
            *total ^= byte;
        }
        if done.is_multiple_of(SLICE) {
            tokio::task::yield_now().await;
        }
    }
    sum
}

fn mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], message: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut mac = keyed::<M>(key);
    mac.update(message);
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

fn keyed<M: Mac + hmac::digest::KeyInit>(key: &[u8]) -> M {
    <M as Mac>::new_from_slice(key).expect("HMAC takes keys of every length (RFC 2104)")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(scram: &mut Scram, server_first: &str) -> Result<String, Bad> {
        scram.client_final(b"pencil", server_first.as_bytes()).await.map(|text| text.to_string())
    }

    #[tokio::test]
    async fn rfc_5802_section_5() {
        let mut scram = Scram::new(Hash::Sha1, "user", "fyko+d2lbbFgONRv9qkxdawL".to_owned());
        assert_eq!(scram.client_first(), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        let first = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
        assert_eq!(
            answer(&mut scram, first).await.as_deref(),
            Ok(
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
            )
        );
        assert_eq!(scram.server_final(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), Ok(None));
    }

    #[tokio::test]
    async fn rfc_7677_section_3() {
        let mut scram = Scram::new(Hash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO".to_owned());
        let first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                     s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert_eq!(
            answer(&mut scram, first).await.as_deref(),
            Ok("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
        );
        let last = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(scram.server_final(last), Ok(None));
        assert_eq!(scram.server_final(b"v=AAAA"), Err(Bad::Signature));
        assert_eq!(scram.server_final(b"e=invalid-proof"), Ok(Some("invalid-proof")));
    }

    #[tokio::test]
    async fn the_salted_password_is_pbkdf2() {
        for (password, salt, rounds) in
            [(&b"pw"[..], &b"salt"[..], 1), (b"\xff\xfe", b"", 2), (&[7; 200], &[9; 99], 3000)]
        {
            let mut expect = [0; 32];
            pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, rounds, &mut expect).expect("a length");
            assert_eq!(*salt_password::<Hmac<Sha256>>(password, salt, rounds).await, expect);
        }
    }

    #[tokio::test]
    async fn hostile_first_messages_are_refused_without_work() {
        for (message, expect) in [
            ("r=oth,s=QSXC,i=4096", Bad::Message),
            ("r=our,s=QSXC,i=4096", Bad::Message),
            ("m=x,r=our1,s=QSXC,i=4096", Bad::Message),
            ("r=our1,s=!!,i=4096", Bad::Message),
            ("r=our1,s=QSXC", Bad::Message),
            ("r=our1,s=QSXC,i=1", Bad::Iterations),
            ("r=our1,s=QSXC,i=4294967295", Bad::Iterations),
            ("r=our1,s=QSXC,i=-1", Bad::Iterations),
            ("", Bad::Message),
        ] {
            let mut scram = Scram::new(Hash::Sha256, "u", "our".to_owned());
            assert_eq!(answer(&mut scram, message).await, Err(expect), "{message}");
        }
        let scram = Scram::new(Hash::Sha256, "u", "our".to_owned());
        assert_eq!(scram.server_final(b"v=QSXC"), Err(Bad::Message), "before any proof");
    }

    #[test]
    fn separators_in_user_names_are_escaped() {
        let scram = Scram::new(Hash::Sha1, "a,b=c", "N".to_owned());
        assert_eq!(scram.client_first(), "n,,n=a=2Cb=3Dc,r=N");
    }
}
