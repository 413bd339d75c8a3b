//! Compares words as people do: without case, accents, width or runs of white space.
//!
//! Apart from the table, which only lists words. Servers write the same sentence with
//! and without accents (`ungültig`, `ungueltig`, `ungultig`), with typographic quotes, with
//! and without hyphens, in full-width letters, in traditional and simplified characters;
//! mail addresses hold any word (`greylist@example.com`) and are therefore taken out before
//! comparing, and every IP address is the word `#addr`.

use std::net::IpAddr;

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
            match word {
                _ if is_address(word) => folded.push('@'),
                _ if is_ip(word) => folded.push_str(IP),
                _ if word.contains("://") => folded.push_str(word),
                _ => folded.push_str(&joined(word)),
            }
        }
        Self(folded)
    }

    /// The folded text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its sentences, with what ends them. Chinese and Japanese also put a comma there.
    pub(super) fn sentences(&self) -> impl Iterator<Item = Self> {
        let mut rest = self.0.as_str();
        std::iter::from_fn(move || {
            let end = end_of_sentence(rest);
            let (sentence, after) = rest.split_at_checked(end)?;
            rest = after.trim_start();
            (!sentence.is_empty()).then(|| Self(sentence.trim_end().to_owned()))
        })
    }

    /// The text without links, whose words name pages.
    pub(super) fn without_links(&self) -> Self {
        let plain: Vec<_> = self.0.split(' ').filter(|word| !word.contains("://")).collect();
        Self(plain.join(" "))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// Puts sentences together again.
    pub(super) fn joined(sentences: &[&Self]) -> Self {
        let texts: Vec<_> = sentences.iter().map(|sentence| sentence.as_str()).collect();
        Self(texts.join(" "))
    }
}

/// Where the first sentence of a text ends.
fn end_of_sentence(text: &str) -> usize {
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let ends = match c {
            '。' => true,
            '.' | '!' | '?' | ';' => next.is_none_or(char::is_whitespace),
            ',' => next.is_some_and(|next| next >= '\u{2e80}'),
            _ => false,
        };
        if ends {
            return at.saturating_add(c.len_utf8());
        }
    }
    text.len()
}

/// What stands in a folded text for every IP address.
const IP: &str = "#addr";

/// Folds without touching addresses: NFKD, no combining marks, lower case, straight
/// quotes, no double quotes, one way to write letters that have several.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            '’' | '‘' | '`' | '´' => folded.push('\''),
            '"' | '“' | '”' | '„' | '«' | '»' | '「' | '」' | '『' | '』' => {}
            '‐' | '‑' | '–' | '—' => folded.push('-'),
            'ß' => folded.push_str("ss"),
            // Letters that NFKD leaves whole though keyboards without them do not.
            'ł' | 'Ł' => folded.push('l'),
            'ø' | 'Ø' => folded.push('o'),
            'đ' | 'Đ' => folded.push('d'),
            'ı' => folded.push('i'),
            'æ' | 'Æ' => folded.push('a'),
            'œ' | 'Œ' => folded.push('o'),
            // `ae`, `oe`, `ue` are how umlauts are written in ASCII.
            'e' | 'E' if folded.ends_with(['a', 'o', 'u']) => {}
            _ => folded.extend(simplified(c).to_lowercase()),
        }
    }
    folded
}

/// Characters of mail servers' texts that are written in two ways, traditional or variant
/// first. Japanese words are folded alike on both sides, so that they still compare.
const VARIANTS: &str = "帳账帐账號号戶户錯错誤误碼码郵邮鎖锁凍冻結结過过連连線线頻频發发數数達达請请驗验證证認认權权開开關关閉闭啟启啓启絕绝國国內内無无滿满時时暫暂試试網网頁页應应專专設设訊讯異异務务會会話话單单記记錄录輸输處处業业續续還还與与許许間间後后從从動动僅仅機机護护維维繫系統统聯联絡络臨临區区傳传採采響响棄弃將将產产標标題题類类體体釋释舊旧稱称變变邊边遠远徑径轉转檢检測测規规則则當当額额導导錶表儲储級级組组";

/// The simplified way to write a character.
fn simplified(c: char) -> char {
    if !('\u{4e00}'..='\u{9fff}').contains(&c) {
        return c;
    }
    let mut characters = VARIANTS.chars();
    while let (Some(variant), Some(plain)) = (characters.next(), characters.next()) {
        if variant == c {
            return plain;
        }
    }
    c
}

/// A word with its hyphens taken for spaces, since `rate-limit` is a `rate limit`; except
/// `e-mail`, which is an `email`.
fn joined(word: &str) -> String {
    word.replace("e-mail", "email").replace('-', " ")
}

/// `<user@example.com>:` and the like, but no address list or link.
fn is_address(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '*');
    match word.split_once('@') {
        Some((local, domain)) => !local.is_empty() && domain.contains('.') && !word.contains("://"),
        None => false,
    }
}

/// `[192.0.2.1]`, `(2001:db8::1):` and the like.
fn is_ip(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_hexdigit());
    word.contains(['.', ':']) && word.parse::<IpAddr>().is_ok()
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
            text: joined(&fold(text.trim_start_matches('<').trim_end_matches('>'))),
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
    fn several_ways_to_write_a_word_are_one() {
        check("ungültig", "Passwort ungueltig", true);
        check("hasło", "Bledne haslo", true);
        check("账号", "帳號已停用", true);
        check("时间", "時間をおいて", true);
        check("rate limit", "421 Rate-Limit reached", true);
        check("email", "E-Mail-Adresse", true);
        check("mail from must", "\"MAIL FROM\" must match", true);
    }

    #[test]
    fn every_ip_address_is_the_same_word() {
        check("from #addr", "Mail from [192.0.2.1]: refused", true);
        check("from #addr", "mail from 2001:db8::1 refused", true);
        check("#addr", "Dovecot 2.3.4 at 10:20:30", false);
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
