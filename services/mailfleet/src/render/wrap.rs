//! Breaks text into lines by the width that a terminal gives it.
//!
//! Japanese is double width and has no spaces: a line may break between any two characters,
//! but not before a closing bracket or a full stop, nor after an opening bracket (JIS X 4051,
//! the rules called kinsoku). Words and URLs are never broken.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Never at the beginning of a line.
const NOT_FIRST: &str = "、。，．・：；？！」』）】〉》’”ーぁぃぅぇぉっゃゅょァィゥェォッャュョ々";
/// Never at the end of a line.
const NOT_LAST: &str = "「『（【〈《‘“";

/// How many columns a text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// The text with spaces up to a width.
pub(crate) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// The text up to a width, with a mark where something was left out.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let (mut kept, mut left) = (String::new(), width.saturating_sub(1));
    for c in text.chars() {
        match left.checked_sub(c.width().unwrap_or(0)) {
            Some(rest) => left = rest,
            None => break,
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// The text without what could move the cursor or turn the direction of writing: control
/// characters and bidirectional overrides (Unicode annex 9). Remote words go through this.
pub(crate) fn clean(text: &str) -> String {
    let unfit = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if unfit(c) { '\u{fffd}' } else { c }).collect()
}

/// Breaks a text into lines of at most `width` columns.
pub(crate) fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for atom in atoms(&clean(text)) {
        if !line.is_empty() && columns(&line) + columns(atom.trim_end()) > width {
            lines.push(line.trim_end().to_owned());
            line.clear();
        }
        if !(line.is_empty() && atom.trim().is_empty()) {
            line.push_str(atom);
        }
    }
    if !line.trim().is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// A paragraph: its first line behind `first`, the others behind spaces of the same width. Ends
/// in a line break.
pub(crate) fn paragraph(first: &str, text: &str, width: usize) -> String {
    let margin = columns(first);
    let mut whole = String::new();
    for (index, line) in lines(text, width.saturating_sub(margin)).iter().enumerate() {
        let start = if index == 0 { first.to_owned() } else { " ".repeat(margin) };
        whole.push_str(&format!("{start}{line}\n"));
    }
    whole
}

/// The pieces that stay together: words with the spaces behind them, and single wide characters
/// with the punctuation that clings to them.
fn atoms(text: &str) -> Vec<&str> {
    let mut atoms = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, c) in text.char_indices() {
        if let Some(before) = before
            && may_break(before, c)
        {
            atoms.extend(text.get(start..at));
            start = at;
        }
        before = Some(c);
    }
    atoms.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    atoms
}

fn may_break(before: char, after: char) -> bool {
    if before == ' ' {
        return after != ' ';
    }
    if after == ' ' || NOT_FIRST.contains(after) || NOT_LAST.contains(before) {
        return false;
    }
    is_wide(before) || is_wide(after)
}

fn is_wide(c: char) -> bool {
    c.width() == Some(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, width: usize, expect: &[&str]) {
        assert_eq!(lines(text, width), expect);
    }

    #[test]
    fn words_stay_whole() {
        check("one two three", 7, &["one two", "three"]);
        check(
            "see https://example.com/long/page now",
            10,
            &["see", "https://example.com/long/page", "now"],
        );
        check("", 10, &[]);
        check("   ", 10, &[]);
    }

    #[test]
    fn japanese_breaks_between_characters_and_minds_punctuation() {
        check("証明書の期限が切れています。", 10, &["証明書の期", "限が切れて", "います。"]);
        // The full stop would begin the second line, so its neighbour comes along.
        check("証明書です。", 10, &["証明書で", "す。"]);
        check("名前は「例」", 8, &["名前は", "「例」"]);
        check("TLS 1.2以上が必要", 8, &["TLS 1.2", "以上が必", "要"]);
    }

    #[test]
    fn a_paragraph_hangs_behind_its_number() {
        assert_eq!(paragraph("  1. ", "one two three", 12), "  1. one two\n     three\n");
    }

    #[test]
    fn remote_words_cannot_move_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\u{202e}c\r\n"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\u{fffd}");
        assert_eq!(clean("日本語 ok"), "日本語 ok");
    }

    #[test]
    fn what_is_too_long_is_cut_by_columns() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("証明書", 4), "証…");
    }

    #[test]
    fn padding_counts_columns() {
        assert_eq!(pad("証明", 6), "証明  ");
        assert_eq!(pad("toolong", 3), "toolong");
    }
}
