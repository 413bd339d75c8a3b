//! Snapshots of what people read, with colours off.

use super::*;
use crate::render::fixtures;

fn rendered(found: &Report, language: Language, width: usize) -> String {
    let names = Names { incoming: "taro@example.com".to_owned(), outgoing: "relay".to_owned() };
    let telling = Telling { language, width, names, support: Support::ForOthers };
    let text = report(found, &telling);
    anstream::adapter::strip_str(&text).to_string()
}

fn check(name: &str, found: &Report) {
    for language in [Language::English, Language::Japanese] {
        insta::assert_snapshot!(format!("{name}_{language}"), rendered(found, language, 80));
    }
}

#[test]
fn a_healthy_mailbox_is_told_briefly() {
    check("healthy", &fixtures::healthy());
}

#[test]
fn a_wrong_password_is_told_to_the_user() {
    check("wrong_password", &fixtures::wrong_password());
}

#[test]
fn what_others_must_mend_comes_with_the_support_block() {
    check("wrong_name", &fixtures::wrong_name());
}

#[test]
fn no_line_of_prose_is_wider_than_asked_for() {
    for width in [60, 80] {
        let text = rendered(&fixtures::wrong_password(), Language::Japanese, width);
        let (prose, _) = text.split_once("確認の経過").expect("the steps follow");
        for line in prose.lines().filter(|line| !line.contains("https://") && !line.contains('·'))
        {
            assert!(wrap::columns(line) <= width, "{line}");
        }
    }
}

#[test]
fn remote_words_reach_no_terminal_raw() {
    let text = rendered(&fixtures::wrong_name(), Language::English, 80);
    assert!(text.contains("words") && !text.contains('\u{202e}') && !text.contains('\u{1b}'));
}
