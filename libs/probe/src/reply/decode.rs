//! Turns the bytes of a reply into text, whatever character set the server thought of.
//!
//! No protocol names a character set for replies. UTF-8 is tried first; QQ Mail answers
//! in GBK, Japanese hosts in Shift_JIS, EUC-JP or ISO-2022-JP, Russian ones in KOI8-R or
//! windows-1251. The guess counts how well the bytes fit each set's usual letters, and
//! never fails: what fits nothing is read as windows-1252, which has a character for
//! every byte.

use encoding_rs::{
    EUC_JP, Encoding, GB18030, ISO_2022_JP, KOI8_R, SHIFT_JIS, WINDOWS_1251, WINDOWS_1252,
};

use super::MAX_LOOKED_AT;

/// Decodes a reply; at most [`MAX_LOOKED_AT`] bytes of it. Controls and markup are left in.
#[must_use]
pub fn decode(bytes: &[u8]) -> String {
    let bytes = bytes.get(..MAX_LOOKED_AT).unwrap_or(bytes);
    if is_iso_2022_jp(bytes) {
        return ISO_2022_JP.decode_without_bom_handling(bytes).0.into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // A character that the cut split in two: still UTF-8.
        Err(e) if e.error_len().is_none() && e.valid_up_to() > 0 => {
            let (valid, _) = bytes.split_at_checked(e.valid_up_to()).unwrap_or((bytes, &[]));
            String::from_utf8_lossy(valid).into_owned()
        }
        Err(_) => guess(bytes).decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// Whether the escape sequences of ISO-2022-JP switch to a Japanese set (RFC 1468).
fn is_iso_2022_jp(bytes: &[u8]) -> bool {
    bytes.is_ascii() && bytes.windows(3).any(|w| matches!(w, [0x1b, b'$', b'@' | b'B']))
}

/// What the bytes above 0x7f look like.
#[derive(Default)]
struct Shape {
    /// High bytes in all.
    high: usize,
    /// Those in 0xC0..=0xDF: small letters of KOI8-R, capitals of windows-1251.
    middle: usize,
    /// Those in 0xE0..=0xFF: small letters of windows-1251, capitals of KOI8-R.
    upper: usize,
    /// Runs of high bytes, by their length: an odd run cannot be a two-byte set of the EUC family.
    odd_runs: usize,
    /// All runs.
    runs: usize,
    /// Runs of a single high byte, as in a Western word with one accent.
    single_runs: usize,
}

impl Shape {
    fn of(bytes: &[u8]) -> Self {
        let mut shape = Self::default();
        for run in bytes.split(u8::is_ascii).filter(|run| !run.is_empty()) {
            shape.runs += 1;
            shape.odd_runs += run.len() % 2;
            shape.single_runs += usize::from(run.len() == 1);
            shape.high += run.len();
            shape.middle += run.iter().filter(|b| (0xc0..=0xdf).contains(*b)).count();
            shape.upper += run.iter().filter(|b| **b >= 0xe0).count();
        }
        shape
    }
}

/// The set that fits best.
fn guess(bytes: &[u8]) -> &'static Encoding {
    let shape = Shape::of(bytes);
    if let Some(encoding) = japanese(bytes) {
        return encoding;
    }
    let is_cyrillic_only = (shape.middle + shape.upper) * 10 >= shape.high * 9;
    let mostly_single = shape.single_runs * 2 > shape.runs;
    // Two-byte characters of GB 2312 rarely all fall into one third of the plane.
    let is_spread = shape.middle * 10 < shape.high * 9 && shape.upper * 10 < shape.high * 9;
    if shape.odd_runs == 0 && looks_chinese(bytes) && (is_spread || shape.high < 6) {
        GB18030
    } else if is_cyrillic_only && !mostly_single && shape.high >= 4 {
        if shape.middle > shape.upper { KOI8_R } else { WINDOWS_1251 }
    } else if looks_chinese(bytes) && !mostly_single {
        GB18030
    } else {
        WINDOWS_1252
    }
}

/// Whether nearly all pairs are everyday characters of GB 2312 (rows 1, 3, 16 to 55).
fn looks_chinese(bytes: &[u8]) -> bool {
    let (text, had_errors) = GB18030.decode_without_bom_handling(bytes);
    if had_errors {
        return false;
    }
    let mut everyday = 0_usize;
    let mut pairs = 0_usize;
    let mut rest = bytes.iter();
    while let Some(&lead) = rest.next() {
        if lead < 0x80 {
            continue;
        }
        let Some(&trail) = rest.next() else { return false };
        pairs += 1;
        everyday += usize::from(matches!(lead, 0xa1 | 0xa3 | 0xb0..=0xd7) && trail >= 0xa1);
    }
    !text.is_empty() && everyday * 10 >= pairs * 8
}

/// Shift_JIS or EUC-JP, if kana stand out: no Japanese sentence is without them.
fn japanese(bytes: &[u8]) -> Option<&'static Encoding> {
    [EUC_JP, SHIFT_JIS].into_iter().find(|encoding| {
        let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
        let wide = text.chars().filter(|c| *c > '\u{7f}').count();
        let kana = text.chars().filter(|c| matches!(c, '\u{3041}'..='\u{30ff}')).count();
        let half_width = text.chars().filter(|c| matches!(c, '\u{ff61}'..='\u{ff9f}')).count();
        !had_errors && kana * 5 >= wide && half_width * 4 < wide
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(encoding: &'static Encoding, text: &str) {
        let (bytes, _, unmappable) = encoding.encode(text);
        assert!(!unmappable, "the sample must be encodable");
        assert_eq!(decode(&bytes), text, "as {}", encoding.name());
    }

    #[test]
    fn usual_texts_are_read_in_their_own_set() {
        check(GB18030, "535 Error: 请使用授权码登录。详情请看: http://service.mail.qq.com/");
        check(GB18030, "密码错误");
        check(GB18030, "550 发送频率过高,请稍后再试");
        check(SHIFT_JIS, "535 認証に失敗しました。パスワードを確認してください");
        check(SHIFT_JIS, "-ERR メールボックスの容量が不足しています");
        check(EUC_JP, "535 認証に失敗しました。パスワードを確認してください");
        check(ISO_2022_JP, "550 海外からのアクセスは制限されています");
        check(KOI8_R, "535 Неверное имя пользователя или пароль");
        check(WINDOWS_1251, "535 Неверное имя пользователя или пароль");
        check(WINDOWS_1251, "Ваш почтовый ящик заблокирован");
        check(
            WINDOWS_1252,
            "550 Ihre Adresse ist gesperrt, bitte prüfen Sie die Einträge für größere Nachrichten",
        );
        check(WINDOWS_1252, "535 Erreur d'authentification : accès refusé, compte désactivé");
        check(WINDOWS_1252, "535 Usuario o contraseña incorrectos");
        check(WINDOWS_1252, "Autenticação malsucedida");
    }

    #[test]
    fn utf8_is_never_taken_for_anything_else() {
        for text in ["授权码", "パスワード", "Пароль", "größe", "Login failed – please", ""]
        {
            assert_eq!(decode(text.as_bytes()), text);
        }
    }

    #[test]
    fn a_cut_inside_a_character_leaves_utf8() {
        let mut bytes = "授权".repeat(1_000).into_bytes();
        bytes.insert(0, b'x');
        assert!(decode(&bytes).starts_with("x授权"));
        assert!(!decode(&bytes).contains('\u{fffd}'));
    }
}
