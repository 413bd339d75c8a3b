//! Makes a decoded reply fit to be shown and stored: no markup, no control characters, bounded.
//!
//! Apart from decoding, since the same text may be cleaned again after redaction. Never
//! interprets words. Zoho puts HTML links into replies, and a hostile server puts
//! terminal escapes and bidirectional overrides there.

use super::MAX_KEPT;

/// Removes markup, control and invisible formatting characters, and joins white space.
/// Line breaks become single spaces.
#[must_use]
pub fn clean(text: &str) -> String {
    let without_markup = strip_markup(text);
    let mut words = String::with_capacity(without_markup.len());
    let mut gap = false;
    for c in without_markup.chars() {
        if c.is_whitespace() || c.is_control() {
            gap = true;
        } else if !is_invisible(c) {
            if gap && !words.is_empty() {
                words.push(' ');
            }
            gap = false;
            words.push(c);
        }
    }
    words
}

/// Cleans a reply and cuts it to what evidence may hold ([`MAX_KEPT`] characters).
///
/// Redact first: a secret that the cut splits can no longer be found.
#[must_use]
pub fn keep(text: &str) -> String {
    let words = clean(text);
    match words.char_indices().nth(MAX_KEPT) {
        Some((end, _)) => words.get(..end).unwrap_or_default().to_owned(),
        None => words,
    }
}

/// Direction marks, zero-width characters and the byte-order mark: they hide or reorder text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Replaces HTML tags by a space and the five usual entities by their characters.
///
/// `<user@example.com>` and `a < b` are no tags: a tag has a letter or `/` after `<`,
/// holds no `@`, and is one of the elements that people write into such texts.
fn strip_markup(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        words.push_str(before);
        match after.split_once('>') {
            Some((inside, behind)) if is_tag(inside) => {
                words.push(' ');
                rest = behind;
            }
            Some(_) | None => {
                words.push('<');
                rest = after;
            }
        }
    }
    words.push_str(rest);
    if !words.contains('&') {
        return words;
    }
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&nbsp;", " "), ("&amp;", "&")];
    entities.iter().fold(words, |text, (entity, character)| text.replace(entity, character))
}

fn is_tag(inside: &str) -> bool {
    const ELEMENTS: [&str; 14] = [
        "a", "b", "br", "p", "div", "span", "font", "html", "head", "body", "title", "strong",
        "em", "i",
    ];
    let name = inside.trim_start_matches('/');
    let name = name.split([' ', '/', '\t', '\n']).next().unwrap_or_default();
    !inside.contains('@') && ELEMENTS.iter().any(|element| name.eq_ignore_ascii_case(element))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes_and_addresses_stay() {
        let text =
            "To unblock <a href=https://mail.example/u target=_blank>Click here.</a><br/>Bye";
        assert_eq!(clean(text), "To unblock Click here. Bye");
        assert_eq!(clean("<a@b.test>: 1 < 2 &amp; 3"), "<a@b.test>: 1 < 2 & 3");
        assert_eq!(clean("half <a href"), "half <a href");
    }

    #[test]
    fn controls_and_hidden_characters_go() {
        assert_eq!(clean("a\u{1b}[31mred\r\n\u{202e}b\u{200b}c\0"), "a [31mred bc");
    }

    #[test]
    fn what_is_kept_is_bounded_in_characters() {
        assert_eq!(keep(&"請".repeat(2_000)).chars().count(), MAX_KEPT);
        assert_eq!(keep("short"), "short");
    }
}
