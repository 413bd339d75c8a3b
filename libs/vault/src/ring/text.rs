//! The text of a key file.
//!
//! ```text
//! mailfleet-keys v1 private
//! # Comments and empty lines mean nothing.
//! index BASE64
//! key ID SECONDS BASE64
//! ```
//! The first line says whether the keys are private (they open) or public (they only
//! seal). `index` is the key of the tags; it is secret in both kinds of files. Each
//! `key` is its id, when it was made (seconds since 1970), and 32 bytes; the first one
//! is the primary key.
//!
//! Not TOML, since such parsers quote the line that they stumble over: here that would
//! be a key. This one tells line numbers and never content.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailfleet_model::Secret;
use zeroize::Zeroizing;

use super::{KeyRing, MAX_KEYS, PublicRing};
use crate::key::{KeyId, Opening, Sealing};
use crate::tag::IndexKey;

const PRIVATE: &str = "mailfleet-keys v1 private";
const PUBLIC: &str = "mailfleet-keys v1 public";

const PRIVATE_COMMENT: &str = "\
# Opens the sealed credentials of mailfleet. Keep it secret (mode 0600) and keep a copy:
# without it every stored credential is lost. The first key seals, all of them open.";
const PUBLIC_COMMENT: &str = "\
# Seals credentials for mailfleet's workers and opens none. The index key is secret all
# the same (mode 0600): with it, guessed passwords can be compared with stored tags.";

/// More than the longest `key` line with its line break.
const LINE: usize = 96;
/// Room for the first line, the comment and the index key.
const HEAD: usize = 512;

/// Where a text is not a key ring, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {reason}")]
pub struct Syntax {
    /// The line, from 1.
    pub line: usize,
    /// Why, as the end of a sentence.
    pub reason: &'static str,
}

/// The text of a private ring.
pub(super) fn private(ring: &KeyRing) -> Secret {
    let keys = ring.opening.iter().zip(&ring.public.sealing);
    let keys = keys.map(|(opening, sealing)| (sealing, opening.to_bytes()));
    write([PRIVATE, PRIVATE_COMMENT], &ring.public.index, keys)
}

/// The text of a public ring.
pub(super) fn public(ring: &PublicRing) -> Secret {
    let keys = ring.sealing.iter().map(|sealing| (sealing, Zeroizing::new(sealing.to_bytes())));
    write([PUBLIC, PUBLIC_COMMENT], &ring.index, keys)
}

fn write<'a>(
    [kind, comment]: [&str; 2],
    index: &IndexKey,
    keys: impl Iterator<Item = (&'a Sealing, Zeroizing<[u8; 32]>)>,
) -> Secret {
    // At its full size from the start: a text that grows leaves copies behind.
    let mut text = String::with_capacity(HEAD + MAX_KEYS * LINE);
    for part in [kind, "\n", comment, "\nindex "] {
        text.push_str(part);
    }
    STANDARD.encode_string(index.as_bytes(), &mut text);
    text.push('\n');
    for (key, bytes) in keys {
        for part in ["key ", &key.id.to_string(), " ", &key.created.to_string(), " "] {
            text.push_str(part);
        }
        STANDARD.encode_string(bytes.as_slice(), &mut text);
        text.push('\n');
    }
    Secret::new(text.into_bytes())
}

/// Reads a private ring.
pub(super) fn parse_private(text: &[u8]) -> Result<KeyRing, Syntax> {
    let hint = "is not 'mailfleet-keys v1 private'";
    let mut lines = Lines::new(Opening::from_bytes, |(_, sealing)| sealing);
    lines.read(text, (PRIVATE, hint))?;
    let (index, keys) = lines.end()?;
    let (opening, sealing) = keys.into_iter().unzip();
    Ok(KeyRing { opening, public: PublicRing { sealing, index } })
}

/// Reads a public ring.
pub(super) fn parse_public(text: &[u8]) -> Result<PublicRing, Syntax> {
    let hint = "is not 'mailfleet-keys v1 public'";
    let mut lines = Lines::new(Sealing::from_bytes, |sealing| sealing);
    lines.read(text, (PUBLIC, hint))?;
    let (index, sealing) = lines.end()?;
    Ok(PublicRing { sealing, index })
}

/// What the lines said so far. `K` is a key of the file's kind.
struct Lines<K> {
    make: fn(&[u8], u32) -> Option<K>,
    sealing: fn(&K) -> &Sealing,
    last: usize,
    index: Option<IndexKey>,
    keys: Vec<K>,
}

impl<K> Lines<K> {
    fn new(make: fn(&[u8], u32) -> Option<K>, sealing: fn(&K) -> &Sealing) -> Self {
        Self { make, sealing, last: 1, index: None, keys: Vec::new() }
    }

    fn read(&mut self, text: &[u8], (kind, hint): (&str, &'static str)) -> Result<(), Syntax> {
        let text = str::from_utf8(text);
        let text =
            text.map_err(|_| Syntax { line: 1, reason: "begins a text that is not UTF-8" })?;
        let mut lines = (1..).zip(text.lines());
        if lines.next().is_none_or(|(_, first)| first.trim_end() != kind) {
            return Err(Syntax { line: 1, reason: hint });
        }
        for (line, content) in lines {
            self.last = line;
            self.line(content).map_err(|reason| Syntax { line, reason })?;
        }
        Ok(())
    }

    fn line(&mut self, content: &str) -> Result<(), &'static str> {
        let mut words = content.split_ascii_whitespace();
        match [(); 5].map(|()| words.next()) {
            [None, ..] => Ok(()),
            [Some(first), ..] if first.starts_with('#') => Ok(()),
            [Some("index"), Some(bytes), None, ..] if self.index.is_none() => {
                let index = decode(bytes).and_then(|bytes| IndexKey::from_bytes(&bytes));
                self.index = Some(index.ok_or("has no index key of 32 bytes")?);
                Ok(())
            }
            [Some("index"), ..] => Err("is not the one 'index BASE64'"),
            [Some("key"), Some(id), Some(created), Some(bytes), None] => {
                self.key([id, created, bytes])
            }
            _ => Err("is neither 'index BASE64' nor 'key ID SECONDS BASE64'"),
        }
    }

    fn key(&mut self, [id, created, bytes]: [&str; 3]) -> Result<(), &'static str> {
        let id: KeyId = id.parse().map_err(|_| "has no key id of 16 hexadecimal digits")?;
        let created = created.parse().map_err(|_| "has no number of seconds")?;
        let bytes = decode(bytes).ok_or("has no key in base64")?;
        let key = (self.make)(&bytes, created).ok_or("has no key of 32 bytes")?;
        if (self.sealing)(&key).id != id {
            return Err("has a key that does not fit its id");
        }
        if self.keys.iter().any(|other| (self.sealing)(other).id == id) {
            return Err("repeats a key");
        }
        if self.keys.len() == MAX_KEYS {
            return Err("is one key more than a ring may hold");
        }
        self.keys.push(key);
        Ok(())
    }

    fn end(self) -> Result<(IndexKey, Vec<K>), Syntax> {
        let wrong = |reason| Syntax { line: self.last, reason };
        let index = self.index.ok_or(wrong("is the last one, and there is no index key"))?;
        if self.keys.is_empty() {
            return Err(wrong("is the last one, and there is no key"));
        }
        Ok((index, self.keys))
    }
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    STANDARD.decode(text).ok().map(Zeroizing::new)
}
