//! What any text from a caller goes through before it is looked at.
//!
//! A control character in a field is how commands are smuggled into a mail
//! dialogue, so it is refused here, with the field still known, and long before
//! anything is formatted.

use unicode_normalization::UnicodeNormalization;

/// Applies NFKC and trims white space, so that `ａ＠example．ｃｏｍ` typed with a
/// Japanese input method means what it looks like.
pub(crate) fn normalise(text: &str) -> String {
    text.nfkc().collect::<String>().trim().to_owned()
}

/// Whether `text` holds CR, LF, NUL or any other control character (C0, DEL, C1).
pub(crate) fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}
