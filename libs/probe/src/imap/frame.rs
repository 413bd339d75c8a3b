//! Cuts what an IMAP server sends into whole responses, within bounds.
//!
//! A response is a line, or several lines joined by literals (RFC 9051 section 4.3). It is
//! measured here before any parser sees it: length of a line, of a literal and of the
//! whole, and the nesting of parentheses, since the parser recurses on them and a stack
//! that overflows takes the process with it. Pure: bytes in, responses out; never waits,
//! never judges what a response means.

use bytes::{Bytes, BytesMut};

use super::shape::{self, Shape};

/// Longest line, in bytes with CRLF. Capability lines of real servers stay below 2,000;
/// a LIST line is a folder name of at most about 1,000.
pub(crate) const MAX_LINE: usize = 64 * 1024;
/// Longest literal, in bytes. Only headers and folder names are asked for here.
pub(crate) const MAX_LITERAL: usize = 256 * 1024;
/// Longest response, literals included, in bytes.
pub(crate) const MAX_RESPONSE: usize = 512 * 1024;
/// Deepest nesting of parentheses that the parser gets to see. A release build of it
/// overflows a stack of 2 MiB at 400, an unoptimised one at 60; mail in the wild stays
/// below 20.
pub(crate) const MAX_DEPTH: u32 = 40;

/// A bound that the server passed. The session cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    /// A line of more than [`MAX_LINE`] bytes.
    #[error("the server sent a line of more than {MAX_LINE} bytes")]
    LineTooLong,
    /// A literal of more than [`MAX_LITERAL`] bytes was announced.
    #[error("the server announced a literal of more than {MAX_LITERAL} bytes")]
    LiteralTooLong,
    /// A response of more than [`MAX_RESPONSE`] bytes.
    #[error("the server sent a response of more than {MAX_RESPONSE} bytes")]
    ResponseTooLong,
    /// More responses to one command than anybody needs.
    #[error(
        "the server answered one command with more than {} responses",
        super::guard::MAX_RESPONSES
    )]
    TooManyResponses,
}

/// One whole response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What the server sent, with the line end.
    pub(crate) raw: Bytes,
    /// What kind of response it is.
    pub(crate) shape: Shape,
    /// Whether the parser may see it.
    pub(crate) hazard: Option<Hazard>,
}

/// Why the parser must not see a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hazard {
    /// Its parentheses are nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// `INTERNALDATE NIL`: imap-proto 0.17 unwraps the missing date.
    MissingDate,
}

/// Finds the ends of responses in a growing buffer.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    /// Where the current line begins.
    line: usize,
    /// What was searched for a line end already.
    searched: usize,
    /// Where the current literal ends, if the response is inside one.
    literal_end: Option<usize>,
    /// What the first line says the response is.
    shape: Option<Shape>,
    nesting: Nesting,
}

impl Framer {
    /// Takes the next whole response out of `input`; `None` if it is not all there yet.
    ///
    /// # Errors
    /// If the server passed a bound. The buffer must not be used any more.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, Violation> {
        loop {
            if let Some(end) = self.literal_end {
                if input.len() < end {
                    return Ok(None);
                }
                self.literal_end = None;
                self.line = end;
                self.searched = end;
            }
            let Some(line_end) = self.find_line_end(input)? else { return Ok(None) };
            let line = trimmed(input.get(self.line..line_end).unwrap_or_default());
            let shape = *self.shape.get_or_insert_with(|| shape::of(line));
            if shape != Shape::Data {
                return Ok(Some(self.finish(input, line_end)));
            }
            self.nesting.feed(line);
            match literal_length(line) {
                None => return Ok(Some(self.finish(input, line_end))),
                Some(length) if length > MAX_LITERAL => return Err(Violation::LiteralTooLong),
                Some(length) => {
                    let end = line_end.saturating_add(length);
                    if end > MAX_RESPONSE {
                        return Err(Violation::ResponseTooLong);
                    }
                    self.literal_end = Some(end);
                }
            }
        }
    }

    /// The offset behind the next line feed.
    fn find_line_end(&mut self, input: &BytesMut) -> Result<Option<usize>, Violation> {
        let fresh = input.get(self.searched..).unwrap_or_default();
        let found = fresh.iter().position(|byte| *byte == b'\n');
        let end = match found {
            Some(offset) => self.searched.saturating_add(offset).saturating_add(1),
            None => input.len(),
        };
        self.searched = end;
        if end.saturating_sub(self.line) > MAX_LINE {
            return Err(Violation::LineTooLong);
        }
        if end > MAX_RESPONSE {
            return Err(Violation::ResponseTooLong);
        }
        Ok(found.map(|_| end))
    }

    fn finish(&mut self, input: &mut BytesMut, end: usize) -> Frame {
        let done = std::mem::take(self);
        let shape = done.shape.unwrap_or(Shape::Foreign);
        Frame { raw: input.split_to(end).freeze(), shape, hazard: done.nesting.hazard() }
    }
}

/// A line without its CRLF or LF.
pub(crate) fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The length of the literal that a line announces at its end: `{42}`, `{42+}` or `~{42}`.
/// A number too large to hold counts as the largest one.
fn literal_length(line: &[u8]) -> Option<usize> {
    let inside = line.strip_suffix(b"}")?;
    let inside = inside.strip_suffix(b"+").unwrap_or(inside);
    let digits = inside.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (before, number) = inside.split_at_checked(inside.len().saturating_sub(digits))?;
    if number.is_empty() || before.last() != Some(&b'{') {
        return None;
    }
    let value = number.iter().fold(0usize, |sum, digit| {
        sum.saturating_mul(10).saturating_add(usize::from(digit.saturating_sub(b'0')))
    });
    Some(value)
}

/// Counts parentheses in two ways: as the parser sees them, and with quotes ignored. Each
/// way alone can be misled, by `)` inside quotes or by a stray quote; both together not.
#[derive(Debug, Default)]
struct Nesting {
    outside_quotes: u32,
    anywhere: u32,
    deepest: u32,
    missing_date: bool,
}

impl Nesting {
    /// Counts one line of a response; what stands in literals is not counted.
    fn feed(&mut self, line: &[u8]) {
        let mut is_quoted = false;
        let mut is_escaped = false;
        for byte in line {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if is_quoted => is_escaped = true,
                b'"' => is_quoted = !is_quoted,
                _ => {}
            }
            let step = |depth: u32| match byte {
                b'(' => depth.saturating_add(1),
                b')' => depth.saturating_sub(1),
                _ => depth,
            };
            self.anywhere = step(self.anywhere);
            if !is_quoted {
                self.outside_quotes = step(self.outside_quotes);
            }
            self.deepest = self.deepest.max(self.anywhere).max(self.outside_quotes);
        }
        let sign = b"INTERNALDATE NIL";
        self.missing_date |= line.windows(sign.len()).any(|w| w.eq_ignore_ascii_case(sign));
    }

    fn hazard(&self) -> Option<Hazard> {
        if self.deepest > MAX_DEPTH {
            Some(Hazard::TooDeep)
        } else if self.missing_date {
            Some(Hazard::MissingDate)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All responses in these bytes, and how it ended.
    fn frames(bytes: &[u8]) -> (Vec<Frame>, Result<(), Violation>) {
        let mut input = BytesMut::from(bytes);
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        loop {
            match framer.next(&mut input) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, Ok(())),
                Err(violation) => return (frames, Err(violation)),
            }
        }
    }

    #[track_caller]
    fn check_hazard(line: &str, expect: Option<Hazard>) {
        let (frames, end) = frames(line.as_bytes());
        assert_eq!(end, Ok(()));
        assert_eq!(frames.first().map(|frame| frame.hazard), Some(expect), "{line:.60}");
    }

    #[test]
    fn literals_belong_to_their_response() {
        let bytes = b"* LIST () \"/\" {5}\r\na\r\n(b\r\n* 1 FETCH (X {2+}\r\n{9 Y ~{1}\r\n))\r\n";
        let (frames, end) = frames(bytes);
        let raw: Vec<&[u8]> = frames.iter().map(|frame| frame.raw.as_ref()).collect();
        assert_eq!(end, Ok(()));
        assert_eq!(
            raw,
            [
                b"* LIST () \"/\" {5}\r\na\r\n(b\r\n".as_slice(),
                b"* 1 FETCH (X {2+}\r\n{9 Y ~{1}\r\n))\r\n"
            ]
        );
    }

    #[test]
    fn free_text_announces_no_literal() {
        let (frames, end) =
            frames(b"* OK see {12}\r\nA0001 NO {400000000}\r\n220 {5}\r\n+ {3}\r\n");
        assert_eq!((frames.len(), end), (4, Ok(())));
    }

    #[test]
    fn every_bound_holds() {
        let long_line = [b"* LIST ".as_slice(), &vec![b'a'; MAX_LINE]].concat();
        assert_eq!(frames(&long_line).1, Err(Violation::LineTooLong));
        assert_eq!(frames(b"* LIST {400000000}\r\n").1, Err(Violation::LiteralTooLong));
        let huge = b"* LIST {99999999999999999999999999}\r\n";
        assert_eq!(frames(huge).1, Err(Violation::LiteralTooLong));
        let literal = [b" {200000}\r\n".as_slice(), &vec![b'a'; 200_000]].concat();
        let many = [b"* 1 FETCH (".as_slice(), &literal, &literal, &literal].concat();
        assert_eq!(frames(&many).1, Err(Violation::ResponseTooLong));
    }

    #[test]
    fn nesting_is_counted_across_literals_and_in_spite_of_quotes() {
        let deep = "(".repeat(41);
        check_hazard(&format!("* 1 FETCH {deep}\r\n"), Some(Hazard::TooDeep));
        check_hazard(&format!("* 1 FETCH {}\r\n", "(".repeat(40)), None);
        let split = format!("* 1 FETCH {} {{1}}\r\nx{}\r\n", "(".repeat(30), "(".repeat(11));
        check_hazard(&split, Some(Hazard::TooDeep));
        let hidden = format!("* 1 FETCH {}\r\n", "(\")\" ".repeat(41));
        check_hazard(&hidden, Some(Hazard::TooDeep));
        let stray = format!("* 1 FETCH \\\" {deep}\r\n");
        check_hazard(&stray, Some(Hazard::TooDeep));
        check_hazard(&format!("* OK {deep}\r\n"), None);
    }

    #[test]
    fn closed_parentheses_of_many_attachments_do_not_add_up() {
        let parts = "(\"NAME\" \"a (1).pdf\") ".repeat(500);
        check_hazard(&format!("* 1 FETCH (BODYSTRUCTURE ({parts}))\r\n"), None);
    }

    #[test]
    fn a_missing_date_is_kept_from_the_parser() {
        check_hazard("* 1 FETCH (internaldate nil)\r\n", Some(Hazard::MissingDate));
        check_hazard("* 1 FETCH (UID 3)\r\n", None);
    }
}
