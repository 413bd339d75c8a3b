//! The encoding under every seal and fingerprint: a list of fields, each after its length.
//!
//! The lengths make it unambiguous: no two lists of fields encode to the same
//! bytes, so that `("ab", "c")` can never pass for `("a", "bc")`.

/// Feeds one field to `sink`: its length as 8 bytes, big-endian, then its bytes.
pub(crate) fn feed(sink: &mut impl FnMut(&[u8]), field: &[u8]) {
    sink(&(field.len() as u64).to_be_bytes());
    sink(field);
}

/// The encoding of a list of fields, preceded by their number.
pub(crate) fn encode(fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut sink = |part: &[u8]| bytes.extend_from_slice(part);
    sink(&(fields.len() as u64).to_be_bytes());
    for field in fields {
        feed(&mut sink, field);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_between_fields_changes_the_encoding() {
        assert_ne!(encode(&[b"ab", b"c"]), encode(&[b"a", b"bc"]));
        assert_ne!(encode(&[b"abc"]), encode(&[b"abc", b""]));
        assert_ne!(encode(&[b""]), encode(&[]));
    }
}
