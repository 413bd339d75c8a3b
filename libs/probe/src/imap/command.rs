//! Builds IMAP commands so that no argument can become a command of its own.
//!
//! Every argument that is not a plain atom goes out quoted or as a literal with its exact
//! length (RFC 9051 section 4.3), whatever bytes it holds. Secrets stay in buffers that
//! are wiped. Nothing here does I/O or knows what a command means.

use zeroize::Zeroizing;

/// Longest argument that is quoted. RFC 9051 section 4 sets no limit; servers cut long lines.
const MAX_QUOTED: usize = 1000;

/// A command without its tag: lines, with a literal behind each but the last.
#[derive(Default)]
pub(crate) struct Command {
    parts: Vec<Part>,
    line: Zeroizing<Vec<u8>>,
}

/// A line up to a literal's announcement, and the literal.
pub(crate) struct Part {
    /// The line, without announcement and line end.
    pub(crate) line: Zeroizing<Vec<u8>>,
    /// What follows as a literal.
    pub(crate) literal: Zeroizing<Vec<u8>>,
}

impl Command {
    /// Begins a command by words of ours; they must hold no user's or server's text.
    pub(crate) fn new(words: &str) -> Self {
        debug_assert!(words.bytes().all(|b| (0x20..0x7f).contains(&b)), "plain words only");
        Self { parts: Vec::new(), line: Zeroizing::new(words.as_bytes().to_vec()) }
    }

    /// Adds a space and words of ours.
    #[must_use]
    pub(crate) fn words(mut self, words: &str) -> Self {
        debug_assert!(words.bytes().all(|b| (0x20..0x7f).contains(&b)), "plain words only");
        self.line.push(b' ');
        self.line.extend_from_slice(words.as_bytes());
        self
    }

    /// Adds a space and an argument of any bytes, quoted where that is possible and as a
    /// literal otherwise (8-bit bytes, controls, great length).
    #[must_use]
    pub(crate) fn string(mut self, argument: &[u8]) -> Self {
        self.line.push(b' ');
        let quotable =
            argument.len() <= MAX_QUOTED && argument.iter().all(|b| (0x20..0x7f).contains(b));
        if quotable {
            self.line.push(b'"');
            for byte in argument {
                if matches!(byte, b'"' | b'\\') {
                    self.line.push(b'\\');
                }
                self.line.push(*byte);
            }
            self.line.push(b'"');
        } else {
            let line = std::mem::take(&mut self.line);
            self.parts.push(Part { line, literal: Zeroizing::new(argument.to_vec()) });
        }
        self
    }

    /// The lines that end in a literal, and the last line.
    pub(crate) fn into_parts(self) -> (Vec<Part>, Zeroizing<Vec<u8>>) {
        (self.parts, self.line)
    }
}

impl std::fmt::Debug for Command {
    /// Without the arguments: one of them may be a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command(***)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bytes that a server would see, with synchronising literals.
    fn wire(command: Command) -> Vec<u8> {
        let (parts, last) = command.into_parts();
        let mut wire = Vec::new();
        for part in parts {
            wire.extend_from_slice(&part.line);
            wire.extend_from_slice(format!("{{{}}}\r\n", part.literal.len()).as_bytes());
            wire.extend_from_slice(&part.literal);
        }
        wire.extend_from_slice(&last);
        wire.extend_from_slice(b"\r\n");
        wire
    }

    /// Reads one string argument as a server does; the argument and the rest.
    fn read_string(wire: &[u8]) -> (Vec<u8>, &[u8]) {
        if let Some(rest) = wire.strip_prefix(b"{") {
            let end = rest.iter().position(|b| *b == b'}').expect("an announcement");
            let length: usize =
                std::str::from_utf8(&rest[..end]).expect("digits").parse().expect("a length");
            let body = &rest[end + 3..];
            return (body[..length].to_vec(), &body[length..]);
        }
        let mut argument = Vec::new();
        let mut rest = wire.strip_prefix(b"\"").expect("a quoted string");
        loop {
            match rest {
                [b'\\', byte, after @ ..] => {
                    argument.push(*byte);
                    rest = after;
                }
                [b'"', after @ ..] => return (argument, after),
                [byte, after @ ..] => {
                    assert!(!b"\r\n".contains(byte), "a line end inside quotes");
                    argument.push(*byte);
                    rest = after;
                }
                [] => panic!("an unfinished string"),
            }
        }
    }

    proptest! {
        #[test]
        fn every_argument_arrives_as_it_is_and_nothing_behind_it(
            first in proptest::collection::vec(any::<u8>(), 0..60),
            second in "[ -~]{0,40}",
        ) {
            let command = Command::new("LOGIN").string(&first).string(second.as_bytes());
            let wire = wire(command);
            let (got, rest) = read_string(wire.strip_prefix(b"LOGIN ").expect("the command"));
            prop_assert_eq!(got, first);
            let (got, rest) = read_string(rest.strip_prefix(b" ").expect("a space"));
            prop_assert_eq!(got, second.into_bytes());
            prop_assert_eq!(rest, b"\r\n");
        }
    }

    #[test]
    fn an_argument_cannot_add_a_command() {
        let wire = wire(Command::new("LIST").string(b"x\r\nA2 DELETE INBOX").string(b"\"\\"));
        assert_eq!(wire, b"LIST {18}\r\nx\r\nA2 DELETE INBOX \"\\\"\\\\\"\r\n");
    }
}
