//! Fuzz target for the arrival leg: headers and bounces, which strangers write.

use super::header::{Fields, diagnosis, holds};

/// A message's header, and the message as a bounce.
pub(crate) fn message(bytes: &[u8]) {
    const TOKEN: &str = "abcdefgh12345678";
    let _ = Fields::parse(bytes).kind(TOKEN);
    let _ = diagnosis(bytes);
    if holds(bytes, TOKEN) {
        assert!(bytes.len() >= TOKEN.len());
    }
}
