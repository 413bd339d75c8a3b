//! Modified UTF-7: how IMAP writes folder names (RFC 3501 section 5.1.3).
//!
//! Apart, since RFC 9051 servers send UTF-8 instead and both must come out right. Lenient,
//! as servers hold names that other programs wrote raw. There is no way back: a folder is
//! always called by the name that the server wrote.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Base64 with `,` in place of `/`, without padding.
const MODIFIED: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The name for people. What is not valid stays as it is.
pub(crate) fn decode(name: &str) -> String {
    let mut decoded = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        match after.split_once('-') {
            Some(("", behind)) => {
                decoded.push('&');
                rest = behind;
            }
            Some((shifted, behind)) => {
                match decode_shifted(shifted) {
                    Some(text) => decoded.push_str(&text),
                    None => {
                        decoded.push('&');
                        decoded.push_str(shifted);
                        decoded.push('-');
                    }
                }
                rest = behind;
            }
            None => {
                decoded.push('&');
                rest = after;
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

fn decode_shifted(text: &str) -> Option<String> {
    let bytes = MODIFIED.decode(text).ok()?;
    let units = bytes.chunks_exact(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    });
    let text = char::decode_utf16(units).collect::<Result<String, _>>().ok()?;
    (bytes.len() % 2 == 0 && !text.is_empty()).then_some(text)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The way back: names are given to servers as they wrote them, so only tests need it.
    pub(crate) fn encode(name: &str) -> String {
        let mut encoded = String::with_capacity(name.len());
        let mut shifted: Vec<u8> = Vec::new();
        for c in name.chars() {
            if (' '..='~').contains(&c) {
                flush(&mut encoded, &mut shifted);
                encoded.push(c);
                if c == '&' {
                    encoded.push('-');
                }
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    shifted.extend_from_slice(&unit.to_be_bytes());
                }
            }
        }
        flush(&mut encoded, &mut shifted);
        encoded
    }

    fn flush(encoded: &mut String, shifted: &mut Vec<u8>) {
        if !shifted.is_empty() {
            encoded.push('&');
            encoded.push_str(&MODIFIED.encode(&*shifted));
            encoded.push('-');
            shifted.clear();
        }
    }

    #[test]
    fn names_of_real_servers_are_read() {
        #[track_caller]
        fn check(wire: &str, name: &str) {
            assert_eq!(decode(wire), name);
            assert_eq!(encode(name), wire);
        }
        check("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語");
        check("&XfJT0ZAB-", "已发送");
        check("&kAFP4W4IMH8wojCkMMYw4A-", "送信済みアイテム");
        check("&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-", "Отправленные");
        check("Gesendete Objekte &- mehr", "Gesendete Objekte & mehr");
        check("&2D3eAA-", "😀");
    }

    #[test]
    fn what_is_not_valid_stays_as_it_is() {
        for name in ["a&b", "&!!!-", "R&D", "&AAA", "送信済み", "&2D0-"] {
            assert_eq!(decode(name), name);
        }
    }

    proptest! {
        #[test]
        fn every_name_survives_the_way_there_and_back(name in "\\PC{0,40}") {
            let wire = encode(&name);
            prop_assert!(wire.bytes().all(|b| (0x20..0x7f).contains(&b)));
            prop_assert_eq!(decode(&wire), name);
        }

        #[test]
        fn no_input_makes_the_decoder_panic_or_grow(wire in any::<String>()) {
            prop_assert!(decode(&wire).chars().count() <= wire.chars().count());
        }
    }
}
