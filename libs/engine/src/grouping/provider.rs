//! Providers whose many servers are one, as far as their limits go.
//!
//! Only what is one service behind many addresses stands here. Hosting companies do not:
//! each of their servers counts for itself, and its address says which one it is. Every
//! protocol has its own group, since no provider of the table says that it counts sessions
//! of different protocols together.

/// A provider: the name of its group, the host names of its mail servers and the parents
/// of such, and where it publishes them.
struct Row(
    &'static str,
    &'static [&'static str],
    #[allow(dead_code, reason = "read by people")] &'static str,
);

/// The group's name of a host's provider, if it is a known one.
pub(super) fn of(host: &str) -> Option<&'static str> {
    // A more particular name, such as `exmail.qq.com`, counts before `qq.com`.
    let fits = |suffix: &&str| {
        host.strip_suffix(*suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    TABLE
        .iter()
        .flat_map(|row| {
            row.1.iter().filter(|suffix| fits(suffix)).map(|suffix| (suffix.len(), row.0))
        })
        .max()
        .map(|(_, name)| name)
}

#[rustfmt::skip] // One row a provider: the point of a table.
const TABLE: &[Row] = &[
    Row("google", &["gmail.com", "googlemail.com", "google.com"], "https://support.google.com/mail/answer/7126229"),
    Row("microsoft", &["outlook.com", "office365.com", "hotmail.com", "live.com"], "https://support.microsoft.com/office/8361e398-8af4-4e97-b147-6c6c4ac95353"),
    Row("microsoft-us", &["office365.us"], "https://learn.microsoft.com/microsoft-365/enterprise/microsoft-365-u-s-government-gcc-high-endpoints"),
    Row("microsoft-cn", &["partner.outlook.cn"], "https://learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges-21vianet"),
    // One company and one platform since 2017.
    Row("yahoo", &["mail.yahoo.com", "aol.com"], "https://help.yahoo.com/kb/SLN4075.html"),
    Row("yahoo-jp", &["mail.yahoo.co.jp"], "https://support.yahoo-net.jp/PccMail/s/"),
    Row("icloud", &["mail.me.com", "mail.icloud.com"], "https://support.apple.com/102525"),
    Row("zoho", &["zoho.com", "zoho.eu", "zoho.in", "zoho.jp", "zoho.com.cn", "zohocloud.ca"], "https://www.zoho.com/mail/help/imap-access.html"),
    Row("netease", &["163.com", "126.com", "yeah.net", "188.com"], "https://help.mail.163.com/"),
    Row("netease-business", &["qiye.163.com", "ym.163.com"], "https://qiye.163.com/help/"),
    Row("qq", &["qq.com", "foxmail.com"], "https://service.mail.qq.com/"),
    Row("exmail", &["exmail.qq.com"], "https://exmail.qq.com/qy_mng_logic/doc"),
    Row("yandex", &["yandex.com", "yandex.ru", "yandex.net"], "https://yandex.com/support/mail/mail-clients/others.html"),
    Row("mail-ru", &["mail.ru"], "https://help.mail.ru/mail/mailer/popsmtp/"),
    Row("gmx", &["gmx.net", "gmx.com", "gmx.de"], "https://hilfe.gmx.net/pop-imap/"),
    Row("web-de", &["web.de"], "https://hilfe.web.de/pop-imap/"),
    Row("t-online", &["t-online.de"], "https://www.telekom.de/hilfe/"),
    Row("fastmail", &["fastmail.com", "messagingengine.com"], "https://www.fastmail.help/hc/en-us/articles/1500000278342"),
    Row("naver", &["naver.com"], "https://help.naver.com/"),
    Row("daum", &["daum.net", "kakao.com"], "https://cs.daum.net/"),
    Row("docomo", &["spmode.ne.jp", "docomo.ne.jp"], "https://www.docomo.ne.jp/service/docomo_mail/other_apps/"),
    Row("au", &["ezweb.ne.jp", "au.com"], "https://www.au.com/mobile/service/email/"),
    Row("softbank", &["softbank.jp", "softbank.ne.jp"], "https://www.softbank.jp/mobile/service/mail/"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_counts_and_has_a_source() {
        let names: BTreeSet<&str> = TABLE.iter().map(|row| row.0).collect();
        assert_eq!(names.len(), TABLE.len(), "a provider stands twice");
        for Row(name, hosts, source) in TABLE {
            assert!(source.starts_with("https://"), "{name}");
            for host in *hosts {
                assert_eq!(of(host), Some(*name), "{host}");
                assert_eq!(of(&format!("imap.{host}")), Some(*name), "{host}");
            }
        }
    }

    #[test]
    fn the_more_particular_name_counts() {
        assert_eq!(of("imap.exmail.qq.com"), Some("exmail"));
        assert_eq!(of("imap.qq.com"), Some("qq"));
        assert_eq!(of("imaphz.qiye.163.com"), Some("netease-business"));
        assert_eq!(of("imap.mail.yahoo.com"), Some("yahoo"));
        assert_eq!(of("imap.mail.yahoo.co.jp"), Some("yahoo-jp"));
    }
}
