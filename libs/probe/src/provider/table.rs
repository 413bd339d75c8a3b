//! The providers: one row each.
//!
//! Data only. Host and domain names are the providers' published ones; the order of
//! `refusals` follows what users of other mail programs met there (a generic refusal
//! that in truth wanted an app password, or IMAP switched on). Links lead to the
//! providers' own pages; where no lasting page is known, the entry is `None`.

use mailfleet_model::FaultCode as C;

use super::PasswordLogin::{
    Accepted, AppPasswordOnly, AppPasswordWithTwoFactor, TokenOnly, Unsupported,
};
use super::StarttlsOffer::{Always, Unknown};
use super::{PasswordLogin, Provider};

/// A row to start from: nothing known but the name.
const fn row(name: &'static str, password: PasswordLogin) -> Provider {
    Provider {
        name,
        hosts: &[],
        domains: &[],
        greetings: &[],
        password,
        starttls: Unknown,
        refusals: &[],
        app_password_url: None,
        access_url: None,
        help_url: None,
    }
}

const APP_PASSWORD_FIRST: &[C] =
    &[C::AuthAppPasswordRequired, C::ProtocolDisabledForMailbox, C::AuthWebLoginRequired];
const SWITCH_FIRST: &[C] = &[C::ProtocolDisabledForMailbox, C::AuthAppPasswordRequired];
const MICROSOFT: &[C] = &[
    C::AuthBasicDisabled,
    C::ProtocolDisabledForMailbox,
    C::AuthPolicyBlocked,
    C::AuthAppPasswordRequired,
    C::EgressIpBlocked,
];
const FOREIGN_FIRST: &[C] = &[C::GeoBlocked, C::AuthUsernameFormat];
const USERNAME_FIRST: &[C] = &[C::AuthUsernameFormat, C::ProtocolDisabledForMailbox];

/// Every provider that we know something about.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        hosts: &["gmail.com", "googlemail.com", "smtp-relay.gmail.com"],
        domains: &["gmail.com", "googlemail.com"],
        greetings: &["gimap ready", "gpop ready", "- gsmtp"],
        starttls: Always,
        refusals: APP_PASSWORD_FIRST,
        app_password_url: Some("https://support.google.com/accounts/answer/185833"),
        access_url: Some("https://support.google.com/mail/answer/7126229"),
        help_url: Some("https://support.google.com/mail/answer/7126229"),
        ..row("Gmail", AppPasswordOnly)
    },
    Provider {
        hosts: &["office365.com", "office365.us", "partner.outlook.cn", "prod.outlook.com"],
        greetings: &["outlook.office365.com", ".prod.outlook.com"],
        starttls: Always,
        refusals: MICROSOFT,
        access_url: Some("https://aka.ms/smtp_auth_disabled"),
        help_url: Some(
            "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/deprecation-of-basic-authentication-exchange-online",
        ),
        ..row("Microsoft 365", TokenOnly)
    },
    Provider {
        hosts: &["outlook.com", "hotmail.com", "live.com"],
        domains: &[
            "outlook.com",
            "outlook.jp",
            "outlook.de",
            "outlook.fr",
            "hotmail.com",
            "hotmail.co.jp",
            "hotmail.co.uk",
            "hotmail.fr",
            "hotmail.de",
            "live.com",
            "live.jp",
            "msn.com",
        ],
        starttls: Always,
        refusals: &[C::AuthBasicDisabled, C::ProtocolDisabledForMailbox, C::AuthWebLoginRequired],
        help_url: Some("https://support.microsoft.com/outlook"),
        ..row("Outlook.com", TokenOnly)
    },
    Provider {
        hosts: &["mail.yahoo.com", "yahoo.com", "bizmail.yahoo.com"],
        domains: &[
            "yahoo.com",
            "ymail.com",
            "rocketmail.com",
            "yahoo.co.uk",
            "yahoo.fr",
            "yahoo.de",
            "yahoo.com.br",
            "yahoo.co.in",
            "yahoo.es",
            "yahoo.it",
        ],
        starttls: Always,
        refusals: APP_PASSWORD_FIRST,
        app_password_url: Some("https://help.yahoo.com/kb/SLN15241.html"),
        ..row("Yahoo Mail", AppPasswordOnly)
    },
    Provider {
        hosts: &["aol.com"],
        domains: &["aol.com", "aim.com"],
        refusals: APP_PASSWORD_FIRST,
        help_url: Some("https://help.aol.com/"),
        ..row("AOL Mail", AppPasswordOnly)
    },
    Provider {
        hosts: &["mail.yahoo.co.jp"],
        domains: &["yahoo.co.jp", "ymail.ne.jp"],
        refusals: SWITCH_FIRST,
        help_url: Some("https://support.yahoo-net.jp/"),
        ..row("Yahoo! JAPAN Mail", Accepted)
    },
    Provider {
        hosts: &["mail.me.com", "mail.icloud.com"],
        domains: &["icloud.com", "me.com", "mac.com"],
        greetings: &["iscream"],
        starttls: Always,
        refusals: APP_PASSWORD_FIRST,
        app_password_url: Some("https://support.apple.com/102654"),
        ..row("iCloud Mail", AppPasswordOnly)
    },
    Provider {
        hosts: &["yandex.com", "yandex.ru", "yandex.net"],
        domains: &["yandex.com", "yandex.ru", "yandex.kz", "yandex.by", "ya.ru"],
        greetings: &["yandex"],
        refusals: APP_PASSWORD_FIRST,
        app_password_url: Some("https://yandex.com/support/id/authorization/app-passwords.html"),
        access_url: Some("https://yandex.com/support/mail/mail-clients/others.html"),
        ..row("Yandex Mail", AppPasswordOnly)
    },
    Provider {
        hosts: &["mail.ru"],
        domains: &["mail.ru", "inbox.ru", "list.ru", "bk.ru", "internet.ru"],
        refusals: APP_PASSWORD_FIRST,
        app_password_url: Some("https://help.mail.ru/mail/security/protection/external"),
        ..row("Mail.ru", AppPasswordOnly)
    },
    Provider {
        hosts: &["rambler.ru"],
        domains: &["rambler.ru", "lenta.ru", "autorambler.ru", "ro.ru"],
        refusals: SWITCH_FIRST,
        ..row("Rambler", Accepted)
    },
    Provider {
        hosts: &["exmail.qq.com"],
        domains: &["exmail.qq.com"],
        refusals: APP_PASSWORD_FIRST,
        ..row("Tencent Exmail", AppPasswordWithTwoFactor)
    },
    Provider {
        hosts: &["qq.com", "foxmail.com"],
        domains: &["qq.com", "vip.qq.com", "foxmail.com"],
        greetings: &["qqmail", "newxmesmtplogicsvr"],
        refusals: APP_PASSWORD_FIRST,
        app_password_url: Some(
            "https://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256",
        ),
        ..row("QQ Mail", AppPasswordOnly)
    },
    Provider {
        hosts: &["163.com", "126.com", "yeah.net", "188.com", "qiye.163.com", "ym.163.com"],
        domains: &["163.com", "126.com", "yeah.net", "188.com", "vip.163.com"],
        greetings: &["coremail"],
        refusals: APP_PASSWORD_FIRST,
        help_url: Some("https://help.mail.163.com/"),
        ..row("NetEase Mail", AppPasswordOnly)
    },
    Provider {
        hosts: &["sina.com", "sina.cn", "sohu.com", "139.com", "189.cn", "21cn.com"],
        domains: &["sina.com", "sina.cn", "sohu.com", "139.com", "189.cn", "21cn.com"],
        refusals: APP_PASSWORD_FIRST,
        ..row("Sina, Sohu, 139 or 189 Mail", AppPasswordOnly)
    },
    Provider {
        hosts: &["aliyun.com", "qiye.aliyun.com", "mxhichina.com"],
        domains: &["aliyun.com"],
        refusals: SWITCH_FIRST,
        ..row("Alibaba Mail", AppPasswordWithTwoFactor)
    },
    Provider {
        hosts: &["gmx.net", "gmx.com", "gmx.de"],
        domains: &["gmx.net", "gmx.de", "gmx.com", "gmx.at", "gmx.ch"],
        refusals: SWITCH_FIRST,
        access_url: Some("https://hilfe.gmx.net/pop-imap/einschalten.html"),
        ..row("GMX", AppPasswordWithTwoFactor)
    },
    Provider {
        hosts: &["web.de"],
        domains: &["web.de"],
        refusals: SWITCH_FIRST,
        access_url: Some("https://hilfe.web.de/pop-imap/einschalten.html"),
        ..row("WEB.DE", AppPasswordWithTwoFactor)
    },
    Provider {
        hosts: &["mail.com"],
        domains: &["mail.com"],
        refusals: SWITCH_FIRST,
        help_url: Some("https://support.mail.com/"),
        ..row("mail.com", AppPasswordWithTwoFactor)
    },
    Provider {
        hosts: &["t-online.de"],
        domains: &["t-online.de", "magenta.de"],
        refusals: &[C::AuthAppPasswordRequired, C::AuthUsernameFormat],
        help_url: Some("https://www.telekom.de/hilfe"),
        ..row("Telekom Mail", AppPasswordOnly)
    },
    Provider {
        hosts: &["ionos.com", "ionos.de", "1und1.de", "1and1.com", "kundenserver.de"],
        refusals: USERNAME_FIRST,
        help_url: Some("https://www.ionos.com/help/email/"),
        ..row("IONOS", Accepted)
    },
    Provider {
        hosts: &["mailbox.org", "posteo.de"],
        domains: &["mailbox.org", "posteo.de", "posteo.net"],
        refusals: SWITCH_FIRST,
        ..row("mailbox.org or Posteo", AppPasswordWithTwoFactor)
    },
    Provider {
        hosts: &["orange.fr", "wanadoo.fr"],
        domains: &["orange.fr", "wanadoo.fr"],
        refusals: SWITCH_FIRST,
        help_url: Some("https://assistance.orange.fr/"),
        ..row("Orange", Accepted)
    },
    Provider {
        hosts: &["free.fr", "laposte.net", "sfr.fr", "bbox.fr"],
        domains: &["free.fr", "laposte.net", "sfr.fr", "bbox.fr"],
        refusals: SWITCH_FIRST,
        ..row("Free, La Poste, SFR or Bouygues", Accepted)
    },
    Provider {
        hosts: &["ovh.net", "ovh.com", "mail.ovh.net"],
        refusals: USERNAME_FIRST,
        help_url: Some("https://help.ovhcloud.com/"),
        ..row("OVHcloud", Accepted)
    },
    Provider {
        hosts: &["gandi.net"],
        refusals: USERNAME_FIRST,
        help_url: Some("https://docs.gandi.net/"),
        ..row("Gandi", Accepted)
    },
    Provider {
        hosts: &["fastmail.com", "messagingengine.com"],
        domains: &["fastmail.com", "fastmail.fm"],
        starttls: Unknown,
        refusals: APP_PASSWORD_FIRST,
        app_password_url: Some("https://www.fastmail.help/hc/en-us/articles/360058752854"),
        ..row("Fastmail", AppPasswordOnly)
    },
    Provider {
        hosts: &["zoho.com", "zoho.eu", "zoho.in", "zoho.jp", "zohocloud.ca", "zoho.com.cn"],
        domains: &["zoho.com", "zohomail.com", "zoho.eu", "zohomail.eu", "zohomail.jp"],
        greetings: &["zoho mail", "mx.zoho"],
        refusals: SWITCH_FIRST,
        access_url: Some("https://www.zoho.com/mail/help/imap-access.html"),
        help_url: Some("https://www.zoho.com/mail/help/imap-access.html"),
        ..row("Zoho Mail", AppPasswordWithTwoFactor)
    },
    Provider {
        hosts: &["naver.com", "worksmobile.com"],
        domains: &["naver.com"],
        refusals: SWITCH_FIRST,
        help_url: Some("https://help.naver.com/"),
        ..row("Naver Mail", AppPasswordWithTwoFactor)
    },
    Provider {
        hosts: &["daum.net", "kakao.com"],
        domains: &["daum.net", "hanmail.net", "kakao.com"],
        refusals: SWITCH_FIRST,
        help_url: Some("https://cs.daum.net/"),
        ..row("Daum and Kakao Mail", AppPasswordOnly)
    },
    Provider {
        hosts: &["proton.me", "protonmail.com", "protonmail.ch"],
        domains: &["proton.me", "protonmail.com", "pm.me"],
        help_url: Some("https://proton.me/mail/bridge"),
        ..row("Proton Mail", Unsupported)
    },
    Provider {
        hosts: &["tuta.com", "tutanota.com"],
        domains: &["tuta.com", "tutanota.com", "tutamail.com", "tuta.io", "keemail.me"],
        ..row("Tuta", Unsupported)
    },
    Provider { hosts: &["hey.com"], domains: &["hey.com"], ..row("HEY", Unsupported) },
    Provider {
        hosts: &["secureserver.net"],
        refusals: USERNAME_FIRST,
        help_url: Some("https://www.godaddy.com/help"),
        ..row("GoDaddy Workspace", Accepted)
    },
    Provider {
        hosts: &["emailsrvr.com"],
        refusals: USERNAME_FIRST,
        ..row("Rackspace Email", Accepted)
    },
    Provider {
        hosts: &["hostinger.com", "titan.email", "privateemail.com", "purelymail.com"],
        refusals: SWITCH_FIRST,
        ..row("Hostinger, Titan, Namecheap or Purelymail", AppPasswordWithTwoFactor)
    },
    Provider {
        hosts: &["sakura.ne.jp"],
        refusals: FOREIGN_FIRST,
        access_url: Some("https://help.sakura.ad.jp/"),
        ..row("Sakura Internet", Accepted)
    },
    Provider {
        hosts: &["xserver.jp", "sixcore.ne.jp", "xbiz.jp", "wpx.ne.jp"],
        refusals: FOREIGN_FIRST,
        access_url: Some("https://www.xserver.ne.jp/manual/"),
        ..row("Xserver", Accepted)
    },
    Provider {
        hosts: &["lolipop.jp", "heteml.jp", "muumuu-mail.com"],
        refusals: FOREIGN_FIRST,
        access_url: Some("https://lolipop.jp/manual/"),
        ..row("Lolipop and Muumuu", Accepted)
    },
    Provider {
        hosts: &["conoha.ne.jp", "onamae.com", "gmoserver.jp", "kagoya.net", "value-domain.com"],
        refusals: FOREIGN_FIRST,
        ..row("ConoHa, Onamae.com, KAGOYA or Value Domain", Accepted)
    },
    Provider {
        hosts: &["spmode.ne.jp", "docomo.ne.jp"],
        domains: &["docomo.ne.jp"],
        refusals: &[C::AuthAppPasswordRequired, C::ProtocolDisabledForMailbox],
        ..row("docomo Mail", AppPasswordOnly)
    },
    Provider {
        hosts: &["ezweb.ne.jp", "au.com"],
        domains: &["ezweb.ne.jp", "au.com"],
        refusals: &[C::ProtocolDisabledForMailbox, C::AuthUsernameFormat],
        ..row("au Mail", Accepted)
    },
    Provider {
        hosts: &["softbank.jp", "softbank.ne.jp", "i.softbank.jp"],
        domains: &["i.softbank.jp", "softbank.ne.jp"],
        refusals: USERNAME_FIRST,
        ..row("SoftBank Mail", Accepted)
    },
    Provider {
        hosts: &[
            "ocn.ne.jp",
            "biglobe.ne.jp",
            "nifty.com",
            "so-net.ne.jp",
            "plala.or.jp",
            "dion.ne.jp",
        ],
        domains: &["ocn.ne.jp", "biglobe.ne.jp", "nifty.com", "so-net.ne.jp", "plala.or.jp"],
        refusals: &[C::AuthUsernameFormat, C::ProtocolDisabledForMailbox, C::GeoBlocked],
        ..row("OCN, BIGLOBE, nifty, So-net or plala", Accepted)
    },
];
