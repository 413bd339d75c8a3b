//! Cuts a line of a script into words, and reads numbers, durations and escapes.
//!
//! Escapes are `\n`, `\r`, `\t`, `\\`, `\"` and `\xHH`.

use std::time::Duration;

use super::Problem;

/// The words of one line that were not read yet.
pub(super) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { rest: line.trim_start() }
    }

    /// The next word, without quotes.
    pub(super) fn plain(&mut self) -> Result<String, Problem> {
        let end = self.rest.find(' ').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        if word.is_empty() {
            return Err("the line ends too early".to_owned());
        }
        self.rest = rest.trim_start();
        Ok(word.to_owned())
    }

    /// The next `key=value`, or `None` at the end of the line.
    pub(super) fn pair(&mut self) -> Result<Option<(String, String)>, Problem> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let pair = self.pair_ahead()?;
        pair.map(Some).ok_or_else(|| format!("expected key=value, found {}", self.rest))
    }

    /// The next word if it is a `key=value`.
    pub(super) fn pair_ahead(&mut self) -> Result<Option<(String, String)>, Problem> {
        let end = self.rest.find([' ', '=']).unwrap_or(self.rest.len());
        let Some((key, tail)) = self.rest.split_at_checked(end) else { return Ok(None) };
        let Some(value) = tail.strip_prefix('=') else { return Ok(None) };
        let value = match value.strip_prefix('"') {
            Some(quoted) => {
                let end =
                    closing_quote(quoted).ok_or_else(|| format!("{key} lacks its end quote"))?;
                let (inside, rest) = quoted.split_at_checked(end).unwrap_or((quoted, ""));
                self.rest = rest.strip_prefix('"').unwrap_or(rest).trim_start();
                text(inside)?
            }
            None => {
                let end = value.find(' ').unwrap_or(value.len());
                let (word, rest) = value.split_at_checked(end).unwrap_or((value, ""));
                self.rest = rest.trim_start();
                word.to_owned()
            }
        };
        Ok(Some((key.to_owned(), value)))
    }

    /// All that is left, escapes undone, as bytes.
    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Problem> {
        unescape(std::mem::take(&mut self.rest))
    }

    /// All that is left, escapes undone, as text.
    pub(super) fn text(&mut self) -> Result<String, Problem> {
        text(std::mem::take(&mut self.rest))
    }

    /// Makes sure that nothing is left.
    pub(super) fn end(&self) -> Result<(), Problem> {
        if self.rest.is_empty() { Ok(()) } else { Err(format!("what is {}?", self.rest)) }
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    })
}

fn text(escaped: &str) -> Result<String, Problem> {
    String::from_utf8(unescape(escaped)?).map_err(|_| "the text is not UTF-8".to_owned())
}

fn unescape(escaped: &str) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::with_capacity(escaped.len());
    let mut chars = escaped.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        out.push(match chars.next() {
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('\\') => b'\\',
            Some('"') => b'"',
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).map_err(|_| format!("\\x{digits} is no byte"))?
            }
            other => {
                return Err(format!(
                    "\\{} is no escape",
                    other.map_or(String::new(), String::from)
                ));
            }
        });
    }
    Ok(out)
}

/// A number of bytes: `512`, `16KiB`, `192MiB`.
pub(super) fn number(word: &str) -> Result<u64, Problem> {
    let (digits, unit) = match (word.strip_suffix("KiB"), word.strip_suffix("MiB")) {
        (Some(digits), _) => (digits, 1 << 10),
        (_, Some(digits)) => (digits, 1 << 20),
        (None, None) => (word, 1),
    };
    let number = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    number.ok_or_else(|| format!("{word} is no number of bytes"))
}

/// A duration: `200ms`, `2s`, `1m`, `50us`.
pub(super) fn duration(word: &str) -> Result<Duration, Problem> {
    let end = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (digits, unit) = word.split_at_checked(end).unwrap_or((word, ""));
    let read = digits.parse::<u64>().ok().and_then(|n| {
        Some(match unit {
            "us" => Duration::from_micros(n),
            "ms" => Duration::from_millis(n),
            "s" => Duration::from_secs(n),
            "m" => Duration::from_secs(n.checked_mul(60)?),
            _ => return None,
        })
    });
    read.ok_or_else(|| format!("{word} is no duration such as 200ms or 2s"))
}
