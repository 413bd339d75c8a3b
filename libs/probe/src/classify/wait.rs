//! Reads how long a server asks to wait, from its words.
//!
//! `Suggested Backoff Time: 178755 milliseconds`, `try again in 5 minutes`,
//! `Greylisted for 300 seconds`. Only a number that a waiting word introduces counts:
//! `20 messages per minute` names a limit and no wait.

use std::time::Duration;

use super::fold::Folded;

/// Longest wait that is believed. A longer one is cut to it.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Words right before the number, folded.
const INTRODUCTIONS: &[&str] = &[
    "in",
    "for",
    "after",
    "wait",
    "time:",
    "time",
    "least",
    "about",
    "approximately",
    "another",
    "next",
    "every",
    "von",
    "noch",
    "nach",
    "через",
    "dans",
    "en",
    "por",
    "em",
    "tra",
    "fra",
];

/// Beginnings of unit names, folded, with their length in milliseconds. Longer names
/// stand before shorter ones that they begin with.
const UNITS: &[(&str, u64)] = &[
    ("millisec", 1),
    ("ms", 1),
    ("min", 60_000),
    ("минут", 60_000),
    ("分", 60_000),
    ("sec", 1_000),
    ("sek", 1_000),
    ("секунд", 1_000),
    ("秒", 1_000),
    ("hour", 3_600_000),
    ("stunde", 3_600_000),
    ("heure", 3_600_000),
    ("hora", 3_600_000),
    ("час", 3_600_000),
    ("小时", 3_600_000),
    ("时间", 3_600_000),
    ("day", 86_400_000),
];

/// The pause that the server names, at most a day; `None` where it names none.
pub(super) fn named_wait(words: &Folded) -> Option<Duration> {
    let mut words = words.as_str().split(' ').peekable();
    let mut before = "";
    while let Some(word) = words.next() {
        let (number, glued) = split_number(word);
        if let Some(number) = number {
            let unit = if glued.is_empty() { words.peek().copied().unwrap_or("") } else { glued };
            // Chinese and Japanese write number and unit in one word, without an introduction.
            let is_cjk = unit.starts_with(['分', '秒', '小', '时']);
            let is_wait = is_cjk || INTRODUCTIONS.contains(&before);
            if let Some(wait) = in_unit(number, unit).filter(|_| is_wait) {
                return Some(wait.min(LONGEST));
            }
        }
        before = word;
    }
    None
}

/// The digits of a word and what is glued to their end.
fn split_number(word: &str) -> (Option<u64>, &str) {
    let word = word.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (digits, glued) = word.split_at_checked(end).unwrap_or((word, ""));
    (digits.parse().ok(), glued.trim_end_matches(|c: char| !c.is_alphanumeric()))
}

fn in_unit(number: u64, unit: &str) -> Option<Duration> {
    let is_bare_second = unit.trim_end_matches(|c: char| !c.is_alphanumeric()) == "s";
    let factor = UNITS.iter().find(|(name, _)| unit.starts_with(name)).map(|(_, factor)| *factor);
    let factor = factor.or(is_bare_second.then_some(1_000))?;
    Some(Duration::from_millis(number.saturating_mul(factor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect_seconds: Option<u64>) {
        let got = named_wait(&Folded::new(text)).map(|wait| wait.as_secs());
        assert_eq!(got, expect_seconds, "{text}");
    }

    #[test]
    fn waits_are_read_in_their_units() {
        check("Request is throttled. Suggested Backoff Time: 178755 milliseconds", Some(178));
        check("Please try again in 5 minutes.", Some(300));
        check("Recipient address rejected: Greylisted for 300 seconds", Some(300));
        check("wait 90s before the next login", Some(90));
        check("Bitte versuchen Sie es in 10 Minuten erneut", Some(600));
        check("повторите через 15 минут", Some(900));
        check("请10分钟后再试", Some(600));
        check("30分後に再度お試しください", Some(1_800));
    }

    #[test]
    fn limits_and_other_numbers_are_no_waits() {
        check("You may send 20 messages per minute", None);
        check("limit of 100 reached", None);
        check("size exceeds 20971520 bytes", None);
        check("try again in a while", None);
        check("in 99999999999999999999 seconds", None);
    }

    #[test]
    fn absurd_waits_are_cut() {
        check("retry in 999999999 hours", Some(86_400));
    }
}
