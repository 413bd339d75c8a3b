//! Compares words as people do: without case, accents, width or runs of white space.
//!
//! Apart from the table, which only lists words. Servers write the same sentence with
//! and without accents, with typographic quotes, in full-width letters; mail addresses
//! hold any word (`greylist@example.com`) and are therefore taken out before comparing.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A text made ready for comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folded(String);

impl Folded {
    /// Folds a text and takes the mail addresses out of it.
    pub(super) fn new(text: &str) -> Self {
        let mut folded = String::with_capacity(text.len());
        for word in fold(text).split_whitespace() {
            if !folded.is_empty() {
                folded.push(' ');
            }
            folded.push_str(if is_address(word) { "@" } else { word });
        }
        Self(folded)
    }

    /// The folded text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Folds without touching addresses: NFKD, no combining marks, lower case, straight quotes.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            '’' | '‘' | '`' | '´' => folded.push('\''),
            '“' | '”' => folded.push('"'),
            '‐' | '‑' | '–' | '—' => folded.push('-'),
            'ß' => folded.push_str("ss"),
            _ => folded.extend(c.to_lowercase()),
        }
    }
    folded
}

/// `<user@example.com>:` and the like, but no address list or link.
fn is_address(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '*');
    match word.split_once('@') {
        Some((local, domain)) => !local.is_empty() && domain.contains('.') && !word.contains("://"),
        None => false,
    }
}

/// One way to say something: a fragment that must occur in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fragment {
    text: String,
    starts_word: bool,
    ends_word: bool,
}

/// Several ways to say one thing, written `first|second|<whole word>`.
///
/// A fragment matches anywhere; `<` asks for the beginning of a word, `>` for its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AnyOf(Vec<Fragment>);

impl AnyOf {
    /// Compiles a list of fragments; the empty text matches nothing.
    pub(super) fn compile(list: &str) -> Self {
        let fragments = list.split('|').filter(|text| !text.is_empty()).map(|text| Fragment {
            starts_word: text.starts_with('<'),
            ends_word: text.ends_with('>'),
            text: fold(text.trim_start_matches('<').trim_end_matches('>')),
        });
        Self(fragments.collect())
    }

    /// Whether one of the fragments occurs.
    pub(super) fn occurs_in(&self, text: &Folded) -> bool {
        self.0.iter().any(|fragment| fragment.occurs_in(&text.0))
    }
}

impl Fragment {
    fn occurs_in(&self, text: &str) -> bool {
        if !self.starts_word && !self.ends_word {
            return text.contains(&self.text);
        }
        text.match_indices(&self.text).any(|(start, found)| {
            let before = text.get(..start).and_then(|t| t.chars().next_back());
            let after =
                text.get(start.saturating_add(found.len())..).and_then(|t| t.chars().next());
            (!self.starts_word || is_edge(before)) && (!self.ends_word || is_edge(after))
        })
    }
}

/// Whether a neighbouring character ends a word. Chinese, Japanese and Korean put Latin
/// words between their own letters without a space.
fn is_edge(neighbour: Option<char>) -> bool {
    neighbour.is_none_or(|c| !c.is_alphanumeric() || c >= '\u{1100}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, text: &str, expect: bool) {
        assert_eq!(AnyOf::compile(list).occurs_in(&Folded::new(text)), expect, "{list} in {text}");
    }

    #[test]
    fn case_accents_width_and_quotes_do_not_matter() {
        check("autenticação", "AUTENTICACAO malsucedida", true);
        check("größe", "GROESSE|Grösse", true);
        check("don't", "Don’t", true);
        check("password", "ＰＡＳＳＷＯＲＤ", true);
        check("パスワード", "ﾊﾟｽﾜｰﾄﾞが違います", true);
        check("too many", "Too\n  many connections", true);
    }

    #[test]
    fn whole_words_are_told_from_parts() {
        check("<ip>", "your IP is blocked", true);
        check("<ip>", "your zip is blocked", false);
        check("<ip", "ipv4 refused", true);
        check("<smtp>", "用户未开启SMTP服务", true);
        check("", "anything", false);
    }

    #[test]
    fn words_inside_addresses_do_not_count() {
        check("greylist", "Mailing list expansion problem: <greylist@lab.test>", false);
        check("spam", "<no-spam@example.com>: rejected", false);
        check("spamhaus", "see https://www.spamhaus.org/q?x=a@b.test", true);
    }
}
