//! Japanese for the remarks that stand in a report: what a step found, and notes beside a
//! fault's evidence.
//!
//! Reports keep them in English, since they are evidence like the server's words, which
//! stand in the same fields. Here the sentences that we write ourselves are said again;
//! whatever is not known word by word (greetings, capabilities, names, numbers) stays as it
//! is. Never changes what a report holds.

use std::borrow::Cow;

use crate::language::Language;

/// Sentences without any variable part.
const SENTENCES: &[(&str, &str)] = &[
    ("POP3 shows no Sent folder", "POP3では送信済みフォルダーを確認できません"),
    (
        "over POP3 the test mail stays where it is",
        "POP3では移動できないため、テストメールは残ります",
    ),
    ("a sent copy was found", "送信済みの控えあり"),
    ("no sent copy was found", "送信済みの控えなし"),
    ("no Sent folder was seen", "送信済みフォルダーなし"),
    ("moved to Trash", "ゴミ箱へ移動しました"),
    ("left where it is", "元の場所に残しました"),
    ("HELO only", "HELOのみ"),
    ("no CAPA", "CAPAなし"),
    (
        "no incoming server was given to look for the test mail",
        "テストメールを探す受信サーバーが指定されていません",
    ),
    ("the test mail was refused", "テストメールが拒否されました"),
    ("no test mail was sent", "テストメールは送信されていません"),
    ("the incoming server was not reached", "受信サーバーに接続できませんでした"),
    ("the mailbox could not be opened", "メールボックスを開けませんでした"),
    ("The server offers STARTTLS on this port.", "このポートはSTARTTLSに対応しています。"),
    (
        "The server does not offer STARTTLS on this port.",
        "このポートはSTARTTLSに対応していません。",
    ),
    (
        "Whether the server offers STARTTLS could not be found out.",
        "STARTTLSに対応しているかは確認できませんでした。",
    ),
    ("The server did not answer in TLS.", "サーバーの応答はTLSではありませんでした。"),
    (
        "After agreeing to STARTTLS the server went on in plaintext.",
        "サーバーはSTARTTLSに同意したあとも、平文で通信を続けました。",
    ),
    ("The server has no certificate.", "サーバーに証明書がありません。"),
    (
        "Version and cipher suite are fine; only signatures or curves are left to differ.",
        "バージョンと暗号スイートは適切です。署名方式または曲線が合わないと考えられます。",
    ),
    (
        "A plain TLS 1.2 hello was answered, where ours was not.",
        "簡素なTLS 1.2の呼びかけには応答がありましたが、通常の呼びかけには応答がありませんでした。",
    ),
    ("The server sent a line without an end.", "サーバーから終わりのない行が送られてきました。"),
    (
        "The server sent more than a session may hold.",
        "サーバーから、1回の通信で扱える量を超えるデータが送られてきました。",
    ),
    ("The server's answer is no IMAP.", "サーバーの応答がIMAPの形式ではありません。"),
    (
        "The server's capabilities have neither IMAP4rev1 nor IMAP4rev2.",
        "サーバーの対応機能に、IMAP4rev1もIMAP4rev2もありません。",
    ),
    (
        "The server asked for the credential a second time.",
        "サーバーから認証情報を2回求められました。",
    ),
    (
        "The server's challenge does not follow the login mechanism.",
        "サーバーの応答がログイン方式の手順に従っていません。",
    ),
    (
        "The server's SCRAM iteration count is too low or too high.",
        "サーバーが示すSCRAMの反復回数が少なすぎるか、多すぎます。",
    ),
    (
        "The server could not prove that it knows the password.",
        "サーバーは、パスワードを保持していることを証明できませんでした。",
    ),
];

/// Sentences with variable parts: `{}` in English, by their number in Japanese.
const FRAMES: &[(&str, &str)] = &[
    (
        "The other leg just saw this login refused ({}).",
        "もう一方の接続で、同じログインが拒否されました（{0}）。",
    ),
    (
        "Where STARTTLS belongs, the server's answer holds {}.",
        "STARTTLSと書かれているはずの場所に、{0}がありました。",
    ),
    ("The server was asked for as {}.", "問い合わせたサーバー名は {0} です。"),
    ("The server sent the TLS alert {}, {}.", "サーバーからTLSアラート{0}（{1}）が届きました。"),
    ("Of all cipher suites it chose {}.", "サーバーが選んだ暗号スイートは {0} です。"),
    ("The Diffie-Hellman group has {} bits.", "Diffie-Hellmanの群は{0}ビットです。"),
    (
        "The same user name and password were accepted for {}: either {} is switched off for \
         this mailbox, or it wants another user name or password.",
        "同じユーザー名とパスワードで、{0}にはログインできました。このメールボックスで{1}が\
         無効になっているか、{1}には別のユーザー名またはパスワードが必要です。",
    ),
    (
        "The certificate that {} uses on port {} is good; {} on port {} has another one: \
         install the good one there too.",
        "{0}（ポート{1}）の証明書は有効ですが、{2}（ポート{3}）では別の証明書が使われています。\
         同じ証明書を設定してください。",
    ),
    (
        "{} ran out of time; {} had signed in.",
        "{0}は時間切れになりました。{1}にはログインできています。",
    ),
    (
        "{} ran out of time; {} had not signed in.",
        "{0}は時間切れになりました。{1}にもログインできていません。",
    ),
];

/// Counted things, singular and plural, with what follows the number.
const COUNTED: &[(&str, &str, &str)] = &[
    ("address", "addresses", "件のアドレス"),
    ("folder", "folders", "個のフォルダー"),
    ("message", "messages", "通のメール"),
    ("message in INBOX", "messages in INBOX", "通のメール（INBOX）"),
    ("new", "new", "通の新着"),
];

/// Says a step's detail or a fault's note in a language.
///
/// A text that is not entirely ours is returned as it is.
#[must_use]
pub fn remark(text: &str, language: Language) -> Cow<'_, str> {
    match language {
        Language::English => Cow::Borrowed(text),
        Language::Japanese => japanese(text).map_or(Cow::Borrowed(text), Cow::Owned),
    }
}

fn japanese(text: &str) -> Option<String> {
    sentence(text).or_else(|| {
        let parts: Option<Vec<String>> = text.split(", ").map(part).collect();
        parts.map(|parts| parts.join("、"))
    })
}

fn sentence(text: &str) -> Option<String> {
    let whole = SENTENCES.iter().find(|(english, _)| *english == text);
    let framed = || {
        FRAMES.iter().find_map(|(english, japanese)| {
            let parts = parts_of(text, english)?;
            let numbered = parts.iter().enumerate();
            Some(numbered.fold((*japanese).to_owned(), |words, (number, part)| {
                words.replace(&format!("{{{number}}}"), part)
            }))
        })
    };
    whole.map(|(_, japanese)| (*japanese).to_owned()).or_else(framed)
}

/// What stands in a text at the places of `{}` in a frame; `None` if it has another frame.
fn parts_of<'a>(text: &'a str, frame: &str) -> Option<Vec<&'a str>> {
    let mut pieces = frame.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut parts = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let (part, after) = match pieces.peek() {
            Some(_) => rest.split_once(piece)?,
            None => (rest.strip_suffix(piece)?, ""),
        };
        parts.push(part);
        rest = after;
    }
    Some(parts)
}

/// A part of an enumeration: a sentence, a count, or where and when a mail arrived.
fn part(text: &str) -> Option<String> {
    sentence(text).or_else(|| count(text)).or_else(|| arrival(text))
}

fn count(text: &str) -> Option<String> {
    let (number, thing) = text.split_once(' ')?;
    number.parse::<u64>().ok()?;
    let counted = COUNTED.iter().find(|(one, many, _)| *one == thing || *many == thing);
    counted.map(|(_, _, words)| format!("{number}{words}"))
}

/// `in Junk after 1.2 s`.
fn arrival(text: &str) -> Option<String> {
    let (folder, after) = text.strip_prefix("in ")?.rsplit_once(" after ")?;
    let seconds = after.strip_suffix(" s")?;
    seconds.parse::<f64>().ok()?;
    Some(format!("{seconds}秒後に{folder}へ到着"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(english: &str, expect: &str) {
        assert_eq!(remark(english, Language::Japanese), expect);
        assert_eq!(remark(english, Language::English), english);
    }

    #[test]
    fn our_own_words_are_said_in_japanese() {
        check("1 address", "1件のアドレス");
        check("5 folders, 3 messages in INBOX", "5個のフォルダー、3通のメール（INBOX）");
        check(
            "in Junk after 1.2 s, no sent copy was found",
            "1.2秒後にJunkへ到着、送信済みの控えなし",
        );
        check("no test mail was sent", "テストメールは送信されていません");
        let refused = "The other leg just saw this login refused (AUTH_ACCOUNT_LOCKED).";
        check(refused, "もう一方の接続で、同じログインが拒否されました（AUTH_ACCOUNT_LOCKED）。");
    }

    #[test]
    fn every_frame_is_filled_in_order() {
        for (english, japanese) in FRAMES {
            let count = english.matches("{}").count();
            assert!((0..count).all(|part| japanese.contains(&format!("{{{part}}}"))), "{english}");
            let filled = english.replace("{}", "X");
            assert!(!remark(&filled, Language::Japanese).contains('{'), "{english}");
        }
        check(
            "SMTP ran out of time; IMAP had signed in.",
            "SMTPは時間切れになりました。IMAPにはログインできています。",
        );
    }

    #[test]
    fn the_server_s_words_stay_as_they_are() {
        for words in
            ["Dovecot ready.", "IMAP4rev1 IDLE", "TLS 1.3", "192.0.2.1", "", "5 apples, 1 new"]
        {
            check(words, words);
        }
    }

    #[test]
    fn no_sentence_stands_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for (english, japanese) in SENTENCES {
            assert!(seen.insert(english) && !japanese.is_empty(), "{english}");
        }
    }
}
