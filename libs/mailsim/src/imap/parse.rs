//! Reads IMAP commands: bytes in, flat tokens out.
//!
//! No recursion: parentheses are tokens like any other, and a section such as
//! `BODY[HEADER.FIELDS (A B)]` is one atom. Grammar: RFC 3501 §9.

/// A piece of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Open,
    Close,
    /// A bare word, a section included.
    Atom(Vec<u8>),
    /// A quoted string or a literal.
    Text(Vec<u8>),
}

impl Token {
    /// The bytes of an atom or a text.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Atom(b) | Self::Text(b) => Some(b),
            Self::Open | Self::Close => None,
        }
    }

    /// An atom or a text as a string, what is not UTF-8 replaced.
    pub(crate) fn text(&self) -> Option<String> {
        self.bytes().map(|b| String::from_utf8_lossy(b).into_owned())
    }
}

/// A command whose tokens are complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) tag: String,
    /// In upper case; `UID` and its command are one name: `UID FETCH`.
    pub(crate) name: String,
    pub(crate) args: Vec<Token>,
}

/// Whether the client waits for a `+` before it sends a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    ForPrompt,
    No,
}

/// Finds a literal's announcement at the end of a line: its length, and whether the client waits.
pub(crate) fn literal(line: &[u8]) -> Option<(usize, Wait)> {
    let body = line.strip_suffix(b"}")?;
    let open = body.iter().rposition(|b| *b == b'{')?;
    let number = body.get(open + 1..)?;
    let (number, wait) = match number.strip_suffix(b"+").or_else(|| number.strip_suffix(b"-")) {
        Some(number) => (number, Wait::No),
        None => (number, Wait::ForPrompt),
    };
    Some((std::str::from_utf8(number).ok()?.parse().ok()?, wait))
}

/// Cuts the announcement of a literal off a line.
pub(crate) fn without_literal(line: &[u8]) -> &[u8] {
    let open = line.iter().rposition(|b| *b == b'{').unwrap_or(line.len());
    line.get(..open).unwrap_or(line)
}

/// Cuts a piece of a line into tokens. `None` if a quoted string does not end.
pub(crate) fn tokens(mut line: &[u8], out: &mut Vec<Token>) -> Option<()> {
    while let Some((first, rest)) = line.split_first() {
        match first {
            b' ' => line = rest,
            b'(' => {
                out.push(Token::Open);
                line = rest;
            }
            b')' => {
                out.push(Token::Close);
                line = rest;
            }
            b'"' => {
                let (text, after) = quoted(rest)?;
                out.push(Token::Text(text));
                line = after;
            }
            _ => {
                let end = atom_end(line);
                let (atom, after) = line.split_at_checked(end)?;
                out.push(Token::Atom(atom.to_vec()));
                line = after;
            }
        }
    }
    Some(())
}

fn quoted(rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut text = Vec::new();
    let mut bytes = rest.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((text, rest.get(at + 1..)?)),
            b'\\' => text.push(*bytes.next()?.1),
            other => text.push(*other),
        }
    }
    None
}

/// Where an atom ends: at a space or parenthesis that no bracket holds.
fn atom_end(line: &[u8]) -> usize {
    let mut inside = false;
    for (at, byte) in line.iter().enumerate() {
        match byte {
            b'[' => inside = true,
            b']' => inside = false,
            b' ' | b'(' | b')' if !inside => return at,
            _ => {}
        }
    }
    line.len()
}

/// Makes a command of its tokens. `None` without a tag and a name.
pub(crate) fn command(tokens: Vec<Token>) -> Option<Command> {
    let mut tokens = tokens.into_iter();
    let tag = tokens.next()?.text().filter(|t| !t.is_empty() && t != "+" && t.len() <= 64)?;
    let mut name = tokens.next()?.text()?.to_ascii_uppercase();
    if name == "UID" {
        name = format!("UID {}", tokens.next()?.text()?.to_ascii_uppercase());
    }
    Some(Command { tag, name, args: tokens.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Command> {
        let mut out = Vec::new();
        tokens(line.as_bytes(), &mut out)?;
        command(out)
    }

    #[test]
    fn sections_and_strings_are_single_tokens() {
        let c = parse(r#"a1 uid fetch 1:* (UID BODY.PEEK[HEADER.FIELDS (A B)]<0.9>)"#).unwrap();
        assert_eq!(c.name, "UID FETCH");
        assert_eq!(c.args.len(), 5);
        assert_eq!(c.args[3], Token::Atom(b"BODY.PEEK[HEADER.FIELDS (A B)]<0.9>".to_vec()));
        let c = parse(r#"a LOGIN "a b" "q\"\\""#).unwrap();
        assert_eq!(c.args[1].bytes(), Some(&b"q\"\\"[..]));
    }

    #[test]
    fn literals_are_announced_at_the_end_of_a_line() {
        assert_eq!(literal(b"a LOGIN {4}"), Some((4, Wait::ForPrompt)));
        assert_eq!(literal(b"a LOGIN {4+}"), Some((4, Wait::No)));
        assert_eq!(literal(b"a LOGIN {x}"), None);
        assert_eq!(literal(b"a LOGIN {99999999999999999999999}"), None);
        assert_eq!(without_literal(b"a LOGIN {4+}"), b"a LOGIN ");
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in ["", "a", "+ x", "a LOGIN \"x", "a UID"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
