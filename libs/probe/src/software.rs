//! Recognises server software from what it says about itself.
//!
//! Greeting, capability list and IMAP ID are looked at as they came; a row of the table
//! is enough for a product. Never judges: that Courier-IMAP is refused is a rule of the
//! product, applied elsewhere. Strings seen in greetings of real servers and in the
//! sources of the products named; RFC 2971 for ID.

use mailfleet_model::leg::ServerSoftware;

/// One product and a text that gives it away.
struct Sign {
    /// What must stand in the greeting, the capability list or the ID, lower case.
    text: &'static str,
    name: &'static str,
}

const fn sign(text: &'static str, name: &'static str) -> Sign {
    Sign { text, name }
}

/// Longest version that is kept, in characters.
const MAX_VERSION: usize = 40;

/// In order: a product that carries another one's words stands before it.
const SIGNS: &[Sign] = &[
    sign("courier-imap", "Courier-IMAP"),
    sign("courier mail server", "Courier-IMAP"),
    sign("double precision, inc", "Courier-IMAP"),
    sign("acl2=union", "Courier-IMAP"),
    sign("gimap ready", "Gmail"),
    sign("gpop ready", "Gmail"),
    sign("- gsmtp", "Gmail"),
    sign("microsoft exchange", "Microsoft Exchange"),
    sign("microsoft esmtp mail service", "Microsoft Exchange"),
    sign("x-anonymoustls", "Microsoft Exchange"),
    sign("iscream", "iCloud"),
    sign("xapplepushservice", "iCloud"),
    sign("yandex", "Yandex Mail"),
    sign("zoho", "Zoho Mail"),
    sign("qqmail", "QQ Mail"),
    sign("newxmesmtplogicsvr", "QQ Mail"),
    sign("coremail", "Coremail"),
    sign("aliyun", "Alibaba Mail"),
    sign("zimbra", "Zimbra"),
    sign("communigate", "CommuniGate Pro"),
    sign("domino", "HCL Domino"),
    sign("lotus domino", "HCL Domino"),
    sign("groupwise", "GroupWise"),
    sign("kerio connect", "Kerio Connect"),
    sign("kerio mailserver", "Kerio Connect"),
    sign("mdaemon", "MDaemon"),
    sign("icewarp", "IceWarp"),
    sign("smartermail", "SmarterMail"),
    sign("mailenable", "MailEnable"),
    sign("hmailserver", "hMailServer"),
    sign("modusmail", "modusMail"),
    sign("axigen", "Axigen"),
    sign("open-xchange", "Open-Xchange"),
    sign("mercury/32", "Mercury"),
    sign("stalwart", "Stalwart"),
    sign("apache james", "Apache James"),
    sign("james server", "Apache James"),
    sign("maddy", "maddy"),
    sign("protonmail", "Proton Mail Bridge"),
    sign("proton mail bridge", "Proton Mail Bridge"),
    sign("gluon", "Proton Mail Bridge"),
    sign("haraka", "Haraka"),
    sign("wildduck", "WildDuck"),
    sign("zone-mta", "ZoneMTA"),
    sign("opensmtpd", "OpenSMTPD"),
    sign("dovecot", "Dovecot"),
    sign("pigeonhole", "Dovecot"),
    sign("cyrus", "Cyrus"),
    sign("panda imap", "UW IMAP"),
    sign("imap4rev1 2007e", "UW IMAP"),
    sign("smtp exim", "Exim"),
    sign("postfix", "Postfix"),
    sign("smtp sendmail", "Sendmail"),
    sign("qmail", "qmail"),
    sign("teapop", "Teapop"),
    sign("qpopper", "Qpopper"),
    sign("imail server", "IMail"),
    sign("powermta", "PowerMTA"),
    sign("imap4rev1 service ready", "go-imap"),
];

/// Recognises the server software, or `None` where nothing gives it away.
///
/// `id` are the pairs of the IMAP ID reply, where there was one; its `name` and
/// `version` are the best evidence and win, unless they are those of a mere default.
#[must_use]
pub fn software(
    greeting: &str,
    capabilities: &[String],
    id: &[(String, String)],
) -> Option<ServerSoftware> {
    let told = |key: &str| id.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v);
    let id_text = id.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ");
    let heard = [id_text, greeting.to_owned(), capabilities.join(" ")];
    let (sign, place) = heard.iter().find_map(|text| {
        let text = text.to_lowercase();
        SIGNS.iter().find(|sign| text.contains(sign.text)).map(|sign| (sign, text))
    })?;
    let version = told("version").cloned().or_else(|| version_after(&place, sign.text));
    let version =
        version.map(|v| v.chars().filter(|c| !c.is_control()).take(MAX_VERSION).collect());
    Some(ServerSoftware { name: sign.name.to_owned(), version })
}

/// A version number soon after the product's name, such as `exim 4.96` or `imap v2.3.13`.
fn version_after(text: &str, name: &str) -> Option<String> {
    let (_, after) = text.split_once(name)?;
    after
        .split([' ', '(', ')', ',', ';', '/', '-'])
        .filter(|word| !word.is_empty())
        .take(4)
        .map(|word| word.trim_start_matches('v'))
        .find(|word| is_version(word))
        .map(|word| word.trim_end_matches('.').to_owned())
}

/// `2.3.13` or `9.0.1fp9`, but no IPv4 address.
fn is_version(word: &str) -> bool {
    let dots = word.trim_end_matches('.').matches('.').count();
    word.starts_with(|c: char| c.is_ascii_digit()) && (1..=2).contains(&dots)
}

/// Whether it is Courier's IMAP or POP3 server, which the product does not support.
#[must_use]
pub fn is_courier(software: &ServerSoftware) -> bool {
    software.name == "Courier-IMAP"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(greeting: &str, capabilities: &str, expect: Option<(&str, Option<&str>)>) {
        let capabilities: Vec<String> =
            capabilities.split_whitespace().map(str::to_owned).collect();
        let got = software(greeting, &capabilities, &[]);
        let got = got.as_ref().map(|s| (s.name.as_str(), s.version.as_deref()));
        assert_eq!(got, expect, "{greeting}");
    }

    #[test]
    fn greetings_give_products_away() {
        check("Dovecot (Debian) ready.", "IMAP4rev1", Some(("Dovecot", None)));
        check("vm Cyrus IMAP 3.6.1-Debian-3.6.1 server ready", "", Some(("Cyrus", Some("3.6.1"))));
        check("cp.example ESMTP Exim 4.89 #1 Tue", "", Some(("Exim", Some("4.89"))));
        check("mail ESMTP Postfix (Ubuntu)", "", Some(("Postfix", None)));
        check(
            "x Kerio Connect 9.2.5 patch 3 ESMTP ready",
            "",
            Some(("Kerio Connect", Some("9.2.5"))),
        );
        check(
            "Domino IMAP4 Server Release 9.0.1FP9 ready",
            "",
            Some(("HCL Domino", Some("9.0.1fp9"))),
        );
        check(
            "The Microsoft Exchange IMAP4 service is ready.",
            "",
            Some(("Microsoft Exchange", None)),
        );
        check("Gimap ready for requests from 192.0.2.1 ab", "", Some(("Gmail", None)));
        check("ready", "IMAP4rev1 ACL2=UNION", Some(("Courier-IMAP", None)));
        check("mail.example.com ESMTP", "SIZE", None);
    }

    #[test]
    fn the_id_wins_over_the_greeting() {
        let id =
            [("name".to_owned(), "Dovecot".to_owned()), ("version".to_owned(), "2.4".to_owned())];
        let got = software("Server ready", &[], &id).expect("told by its ID");
        assert_eq!((got.name.as_str(), got.version.as_deref()), ("Dovecot", Some("2.4")));
    }

    #[test]
    fn courier_is_recognised_for_the_rule() {
        let greeting = "Courier-IMAP ready. Copyright 1998-2011 Double Precision, Inc.";
        assert!(is_courier(&software(greeting, &[], &[]).expect("recognised")));
        assert!(!is_courier(&software("Dovecot ready.", &[], &[]).expect("recognised")));
    }
}
