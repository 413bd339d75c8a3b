//! The test mail: short, polite to filters, and easy to find again.
//!
//! Text in English and Japanese, no links, nothing that would make anybody answer it
//! (RFC 3834, Exchange's `X-Auto-Response-Suppress`). The token stands in the subject,
//! in a header of our own and in the Message-ID. Only ASCII goes over the wire, so no
//! server has to offer 8BITMIME. Built by mail-builder, through mail-send.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mail_send::mail_builder::MessageBuilder;
use mail_send::mail_builder::headers::date::Date;
use mail_send::mail_builder::headers::raw::Raw;
use mailfleet_model::EmailAddress;

/// The header that the test mail is found by.
pub(crate) const TOKEN_HEADER: &str = "X-Mailfleet-Test";

const ENGLISH: &str = "This is a test message. It checks that this mailbox can send and \
    receive mail for the service that you are connecting. No reply is needed. The message \
    is removed automatically where possible; otherwise you can delete it.";
const JAPANESE: &str = "これはテストメールです。接続中のサービスで、このメールボックスから\
    メールを送受信できることを確認するために送信しました。返信は不要です。可能な場合は自動的に\
    片付けられます。残っている場合は削除していただいて構いません。";

/// Builds the test mail. `token` is 16 to 40 letters and digits.
///
/// The result ends its lines with CRLF and holds ASCII only, except where an address
/// itself does not (then the server offers SMTPUTF8).
pub(super) fn test_mail(
    from: &EmailAddress,
    to: &EmailAddress,
    token: &str,
    now: SystemTime,
) -> Vec<u8> {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let date = Date::new(i64::try_from(seconds).unwrap_or_default());
    let text = format!("{ENGLISH}\r\n\r\n{JAPANESE}\r\n\r\nToken: {token}\r\n");
    let built = MessageBuilder::new()
        .header("From", Raw::new(angle(from)))
        .header("To", Raw::new(angle(to)))
        .subject(format!("Mailbox test / メールボックスの確認 [{token}]"))
        .date(date)
        .message_id(format!("{token}@{}", from.domain()))
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .header("X-Auto-Response-Suppress", Raw::new("All"))
        .header(TOKEN_HEADER, Raw::new(token.to_owned()))
        .text_body(text)
        .write_to_vec();
    built.expect("writing to memory does not fail")
}

/// Addresses hold no character that would have to be quoted or could end the line.
fn angle(address: &EmailAddress) -> String {
    format!("<{address}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built() -> String {
        let from = "a..b@docomo.test".parse().expect("an address");
        let to = "taro@example.test".parse().expect("an address");
        let now = UNIX_EPOCH + Duration::from_secs(1_795_314_181);
        String::from_utf8(test_mail(&from, &to, "abcdefgh12345678", now)).expect("text")
    }

    #[test]
    fn the_message_is_seven_bit_with_short_crlf_lines() {
        let mail = built();
        assert!(mail.is_ascii());
        assert!(!mail.replace("\r\n", "").contains(['\r', '\n']));
        assert!(mail.split("\r\n").all(|line| line.len() <= 998), "RFC 5322 section 2.1.1");
        assert!(!mail.contains("http"), "no links");
    }

    #[test]
    fn the_token_and_the_manners_stand_in_the_header() {
        let mail = built();
        let (header, _) = mail.split_once("\r\n\r\n").expect("a header");
        for line in [
            "From: <a..b@docomo.test>",
            "To: <taro@example.test>",
            "Message-ID: <abcdefgh12345678@docomo.test>",
            "X-Mailfleet-Test: abcdefgh12345678",
            "Auto-Submitted: auto-generated",
            "X-Auto-Response-Suppress: All",
            "Date: Sun, 22 Nov 2026 02:23:01 +0000",
        ] {
            assert!(header.split("\r\n").any(|got| got == line), "{line} in {header}");
        }
        assert!(header.contains("MIME-Version: 1.0"));
    }
}
