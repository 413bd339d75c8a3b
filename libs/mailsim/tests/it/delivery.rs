//! A mail on its way from SMTP to IMAP and POP3.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mailfleet_mailsim::{Authority, Protocol, RunningScenario, Scenario};

use crate::client::Client;

const SERVERS: &str = "mailbox a@x.test password=p\nmailbox b@x.test password=p\n\
                       server smtp\nserver imap personality=gmail\nserver pop3\n";

async fn start(delivery: &str) -> RunningScenario {
    let scenario = Scenario::parse(&format!("{delivery}\n{SERVERS}")).unwrap();
    scenario.start(&Authority::shared().unwrap()).await.unwrap()
}

async fn send(scenario: &RunningScenario) {
    let mut c = Client::tls(scenario.first(Protocol::Smtp).unwrap()).await;
    c.line().await;
    c.smtp("EHLO c").await;
    let login = BASE64.encode("\0a@x.test\0p");
    assert_eq!(
        c.smtp(&format!("AUTH PLAIN {login}")).await,
        ["235 2.7.0 Authentication successful"]
    );
    c.smtp("MAIL FROM:<a@x.test>").await;
    c.smtp("RCPT TO:<b@x.test>").await;
    assert!(c.smtp("DATA").await[0].starts_with("354"));
    let answer = c.smtp("From: <a@x.test>\r\nSubject: tok-1\r\n\r\n..dot\r\n.").await;
    assert!(answer[0].starts_with("250 2.0.0 Ok: queued as "), "{answer:?}");
    c.smtp("QUIT").await;
}

async fn search(scenario: &RunningScenario, user: &str, folder: &str, key: &str) -> String {
    let mut c = Client::tls(scenario.first(Protocol::Imap).unwrap()).await;
    c.line().await;
    c.imap(&format!("a LOGIN {user} p")).await;
    c.imap(&format!("b EXAMINE \"{folder}\"")).await;
    c.imap(&format!("c UID SEARCH {key}")).await.swap_remove(0)
}

#[tokio::test]
async fn a_mail_arrives_and_every_server_of_the_estate_shows_it() {
    let scenario = start("deliver sent-copy=filed").await;
    send(&scenario).await;
    assert_eq!(search(&scenario, "b@x.test", "INBOX", "SUBJECT tok-1").await, "* SEARCH 1");
    assert_eq!(search(&scenario, "b@x.test", "[Gmail]/All Mail", "ALL").await, "* SEARCH 1");
    assert_eq!(search(&scenario, "a@x.test", "[Gmail]/Sent Mail", "ALL").await, "* SEARCH 1");
    let mut pop3 = Client::tls(scenario.first(Protocol::Pop3).unwrap()).await;
    pop3.line().await;
    pop3.ask("USER b@x.test").await;
    pop3.ask("PASS p").await;
    assert!(pop3.ask("STAT").await.starts_with("+OK 1 "));
    let inbox = scenario.estate.folder("b@x.test", "INBOX").unwrap();
    assert!(inbox.messages[0].raw.ends_with(b"\r\n\r\n.dot\r\n"), "the dot is unstuffed");
    assert_eq!(scenario.first(Protocol::Smtp).unwrap().recorder().mails(), 1);
    scenario.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_mail_can_be_late_spam_or_bounced() {
    let junk = start("deliver to=junk from=z@x.test").await;
    send(&junk).await;
    assert_eq!(search(&junk, "b@x.test", "INBOX", "ALL").await, "* SEARCH");
    assert_eq!(search(&junk, "b@x.test", "[Gmail]/Spam", "FROM z@x.test").await, "* SEARCH 1");
    junk.shutdown().await.unwrap();

    let bounce = start("deliver to=bounce").await;
    send(&bounce).await;
    let found = search(&bounce, "a@x.test", "INBOX", "HEADER Auto-Submitted auto-replied").await;
    assert_eq!(found, "* SEARCH 1");
    bounce.shutdown().await.unwrap();

    let late = start("deliver after=300ms").await;
    send(&late).await;
    assert_eq!(search(&late, "b@x.test", "INBOX", "ALL").await, "* SEARCH");
    let arrives = async {
        while search(&late, "b@x.test", "INBOX", "ALL").await != "* SEARCH 1" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), arrives).await.unwrap();
    late.shutdown().await.unwrap();
}
