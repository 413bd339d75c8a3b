//! Entries for fuzzing: every parser of remote bytes, as a function of bytes.
//!
//! Built only for tests and under `--cfg fuzzing` (deploy/fuzz.sh), so nothing here is
//! part of the product. A target panics if a parser does, or if a promise that its caller
//! relies on does not hold; what it returns is of no interest. The parsers that only their
//! protocol may see have their targets beside them, in files of the same name.

mod replies;
mod seeds;
mod stream;
#[cfg(test)]
mod tests;

pub use seeds::seeds;
pub(crate) use stream::{block_on, stream};

/// A parser to be fed.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 14] = [
    ("reply", replies::reply),
    ("classify", replies::classify),
    ("redact", replies::redact),
    ("lines", replies::lines),
    ("imap_responses", crate::imap::fuzz::responses),
    ("imap_session", crate::imap::fuzz::session),
    ("utf7", crate::imap::fuzz::utf7),
    ("smtp", crate::smtp::fuzz::dialogue),
    ("pop3", crate::pop3::fuzz::dialogue),
    ("sasl", crate::sasl::fuzz::exchange),
    ("hello", crate::tls::fuzz::hello),
    ("certificate", crate::tls::fuzz::certificate),
    ("first_bytes", crate::tls::fuzz::first_bytes),
    ("message", crate::arrival::fuzz::message),
];

/// The target of this name.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no target is named {name}")).1
}
