//! Modified UTF-7, in which IMAP4rev1 writes folder names. Source: RFC 3501 §5.1.3.

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};

const CODEC: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// Writes a name as it goes over the wire.
pub(crate) fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut foreign: Vec<u8> = Vec::new();
    for c in name.chars() {
        if (' '..='~').contains(&c) {
            flush(&mut foreign, &mut out);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            foreign.extend(c.encode_utf16(&mut [0; 2]).iter().flat_map(|u| u.to_be_bytes()));
        }
    }
    flush(&mut foreign, &mut out);
    out
}

fn flush(foreign: &mut Vec<u8>, out: &mut String) {
    if !foreign.is_empty() {
        out.push('&');
        out.push_str(&CODEC.encode(&foreign));
        out.push('-');
        foreign.clear();
    }
}

/// Reads a name from the wire. `None` if it is not modified UTF-7.
pub(crate) fn decode(wire: &str) -> Option<String> {
    let mut out = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some((plain, shifted)) = rest.split_once('&') {
        out.push_str(plain);
        let (code, after) = shifted.split_once('-')?;
        if code.is_empty() {
            out.push('&');
        } else {
            let bytes = CODEC.decode(code).ok()?;
            let units = bytes.chunks(2).map(|c| c.try_into().ok().map(u16::from_be_bytes));
            out.push_str(&String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()?);
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_wire() {
        // The first pair is RFC 3501's own example.
        let pairs = [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("A&B", "A&-B"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("INBOX", "INBOX"),
            ("😀", "&2D3eAA-"),
        ];
        for (name, wire) in pairs {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire).as_deref(), Some(name));
        }
        assert_eq!(decode("&U,BTFw"), None);
        assert_eq!(decode("&A-"), None);
    }
}
