//! The mailboxes of the demonstration, as data: what is said of each, its servers, and the fault
//! that the check must find.

use std::time::Duration;

use mailfleet_model::{FaultCode, Security, TestMail};
use mailfleet_remedy::Language;

/// The password that is entered for every mailbox.
pub(crate) const PASSWORD: &str = "correct-horse";

/// One mailbox.
pub(crate) struct Case {
    /// Local part of its address.
    pub(crate) name: &'static str,
    /// What is the matter, in English and Japanese.
    pub(crate) title: (&'static str, &'static str),
    /// Its servers, in the simulator's script.
    pub(crate) script: &'static str,
    /// The security that is entered, where it is not the one that the servers want.
    pub(crate) entered: Option<Security>,
    /// What the outgoing leg does.
    pub(crate) sending: Sending,
    /// Time for the check.
    pub(crate) budget: Duration,
    /// The headline that must be found; none for a healthy mailbox.
    pub(crate) expect: Option<FaultCode>,
}

/// What the outgoing leg does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Names sender and recipient, and sends nothing.
    Envelope,
    /// Sends a test mail to the mailbox itself and looks for it.
    RoundTrip,
}

impl Sending {
    pub(crate) fn test_mail(self) -> TestMail {
        match self {
            Self::Envelope => TestMail::Envelope,
            Self::RoundTrip => TestMail::ToSelf,
        }
    }
}

impl Case {
    /// What is the matter.
    pub(crate) fn title(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.title.0,
            Language::Japanese => self.title.1,
        }
    }
}

/// A case as most of them are.
const fn case(
    name: &'static str,
    title: (&'static str, &'static str),
    expect: FaultCode,
    script: &'static str,
) -> Case {
    Case {
        name,
        title,
        script,
        entered: None,
        sending: Sending::Envelope,
        budget: Duration::from_secs(12),
        expect: Some(expect),
    }
}

/// All mailboxes, in the order of the table. The texts of the servers are real ones.
pub(crate) const CASES: &[Case] = &[
    Case {
        expect: None,
        sending: Sending::RoundTrip,
        ..case(
            "healthy",
            ("All is well; a test mail goes round", "問題なし。テストメールも往復"),
            FaultCode::Unknown,
            "deliver to=inbox after=400ms
             mailbox healthy@demo.test password=correct-horse messages=3
             server imap personality=dovecot host=imap.healthy.test
             at any delay 15ms
             server smtp personality=postfix host=smtp.healthy.test tls=starttls
             at any delay 15ms",
        )
    },
    case(
        "typo",
        ("The password is wrong", "パスワードの誤り"),
        FaultCode::AuthInvalidCredentials,
        "mailbox typo@demo.test password=something-else
         server imap personality=dovecot host=imap.typo.test
         server smtp personality=postfix host=smtp.typo.test",
    ),
    case(
        "expired",
        ("The certificate has expired", "証明書の期限切れ"),
        FaultCode::TlsCertExpired,
        "mailbox expired@demo.test password=correct-horse
         server imap personality=cyrus certificate=expired host=imap.expired.test",
    ),
    case(
        "othername",
        ("The certificate is for another name", "証明書の名前の不一致"),
        FaultCode::TlsCertNameMismatch,
        "mailbox othername@demo.test password=correct-horse
         server imap personality=dovecot certificate=wrong-name host=imap.othername.test",
    ),
    Case {
        entered: Some(Security::Tls),
        ..case(
            "wrongmode",
            ("SSL/TLS chosen where STARTTLS is right", "STARTTLSのポートにSSL/TLSを指定"),
            FaultCode::TlsModeMismatchStarttls,
            "mailbox wrongmode@demo.test password=correct-horse
             server imap personality=dovecot tls=starttls host=imap.wrongmode.test",
        )
    },
    case(
        "stripped",
        ("A firewall hides STARTTLS", "ファイアウォールがSTARTTLSを隠している"),
        FaultCode::StarttlsStripped,
        "mailbox stripped@demo.test password=correct-horse
         server smtp personality=postfix tls=starttls host=smtp.stripped.test
         at ehlo mangle-starttls",
    ),
    case(
        "oldtls",
        ("The server speaks TLS 1.1 at most", "サーバーがTLS 1.1までしか使えない"),
        FaultCode::TlsVersionUnsupported,
        "mailbox oldtls@demo.test password=correct-horse
         server imap personality=dovecot versions=tls1.1 host=imap.oldtls.test",
    ),
    case(
        "bareno",
        ("Refused without a reason", "理由のない拒否"),
        FaultCode::AuthRejectedUnspecified,
        "mailbox bareno@demo.test password=correct-horse
         server imap personality=exchange host=imap.bareno.test
         at login reply NO LOGIN failed.",
    ),
    case(
        "apppassword",
        ("Two-step login wants an app password", "2段階認証でアプリパスワードが必要"),
        FaultCode::AuthAppPasswordRequired,
        "mailbox apppassword@demo.test password=correct-horse
         server imap personality=gmail host=imap.apppassword.test
         at login reply NO [ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)",
    ),
    case(
        "busy",
        ("Too many sessions are open", "同時接続数の上限"),
        FaultCode::TooManyConnections,
        "mailbox busy@demo.test password=correct-horse
         server imap personality=dovecot host=imap.busy.test
         at login reply NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
    ),
    case(
        "courier",
        ("The server is Courier-IMAP", "サーバーがCourier-IMAP"),
        FaultCode::ServerSoftwareUnsupported,
        "mailbox courier@demo.test password=correct-horse
         server imap personality=courier host=imap.courier.test",
    ),
    case(
        "relay",
        ("Port 25 takes no login", "25番ポートはログインできない"),
        FaultCode::AuthNotOfferedOnPort,
        "mailbox relay@demo.test password=correct-horse
         server smtp personality=postfix role=relay tls=starttls host=mx.relay.test",
    ),
    Case {
        budget: Duration::from_secs(6),
        ..case(
            "silent",
            ("The server never says a word", "サーバーが応答しない"),
            FaultCode::GreetingTimeout,
            "mailbox silent@demo.test password=correct-horse
             server imap host=imap.silent.test
             at greeting silent",
        )
    },
    case(
        "smtpauth",
        ("Receiving works, SMTP AUTH is switched off", "受信は可能、SMTP認証は無効"),
        FaultCode::SmtpAuthDisabled,
        "mailbox smtpauth@demo.test password=correct-horse
         server imap personality=exchange host=imap.smtpauth.test
         server smtp personality=exchange tls=starttls host=smtp.smtpauth.test
         at login reply 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
    ),
    case(
        "japanese",
        ("The server answers in Japanese", "サーバーが日本語で応答"),
        FaultCode::AuthInvalidCredentials,
        "mailbox japanese@demo.test password=something-else
         server imap host=imap.japanese.test
         at login reply NO ユーザー名またはパスワードが違います。",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_can_be_read_and_every_name_is_its_own() {
        let mut names = std::collections::BTreeSet::new();
        for case in CASES {
            let scenario = mailfleet_mailsim::Scenario::parse(case.script);
            let scenario = scenario.unwrap_or_else(|error| panic!("{}: {error}", case.name));
            assert!(
                !scenario.servers.is_empty() && scenario.servers.iter().all(|s| s.host.is_some())
            );
            assert!(names.insert(case.name), "{}", case.name);
        }
    }
}
