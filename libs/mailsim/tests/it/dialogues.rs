//! Ordinary sessions, in the words of the servers that are imitated.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mailfleet_mailsim::{Layout, Limits, Personality, Role, Running, Server, Tls, What};

use crate::client::{Client, LIMIT};

const USER: &str = "user@example.test";

async fn imap(personality: Personality) -> Running {
    let server = Server::imap().personality(personality).mailbox(USER, "secret");
    server.with(|s| s.mailboxes[0].messages = 2).start().await.unwrap()
}

#[tokio::test]
async fn dovecot_is_spoken_as_in_its_transcript() {
    let server = imap(Personality::Dovecot).await;
    let mut c = Client::tls(&server).await;
    assert_eq!(
        c.line().await,
        "* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN \
         AUTH=LOGIN AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1 AUTH=CRAM-MD5 AUTH=XOAUTH2 \
         AUTH=OAUTHBEARER] Dovecot (Debian) ready."
    );
    assert_eq!(
        c.imap("a0 LOGIN user@example.test wrong").await,
        ["a0 NO [AUTHENTICATIONFAILED] Authentication failed."]
    );
    assert!(c.imap("a1 LOGIN user@example.test secret").await[0].starts_with("a1 OK [CAPABILITY "));
    assert_eq!(
        c.imap("a2 LIST \"\" \"*\"").await,
        [
            "* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts",
            "* LIST (\\HasNoChildren \\Junk) \"/\" Junk",
            "* LIST (\\HasNoChildren \\Trash) \"/\" Trash",
            "* LIST (\\HasNoChildren \\Sent) \"/\" Sent",
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "a2 OK List completed."
        ]
    );
    let opened = c.imap("a3 EXAMINE INBOX").await;
    assert!(opened.contains(&"* 2 EXISTS".to_owned()), "{opened:?}");
    assert!(opened.contains(&"* OK [UIDNEXT 3] Predicted next UID".to_owned()), "{opened:?}");
    assert_eq!(opened.last().unwrap(), "a3 OK [READ-ONLY] Examine completed.");
    assert_eq!(c.imap("a4 LOGOUT").await, ["* BYE Logging out", "a4 OK Logout completed."]);
    assert_eq!(c.line().await, "");
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn courier_knows_no_id_and_lists_below_inbox() {
    let server = imap(Personality::Courier).await;
    let mut c = Client::tls(&server).await;
    assert!(c.line().await.contains("] Courier-IMAP ready. Copyright 1998-2019 Double Precision"));
    assert_eq!(c.imap("a ID NIL").await, ["a NO Error in IMAP command received by server."]);
    assert_eq!(c.imap("b LOGIN user@example.test secret").await, ["b OK LOGIN Ok."]);
    assert!(
        c.imap("c LIST \"\" *")
            .await
            .contains(&"* LIST (\\HasNoChildren) \".\" \"INBOX.Sent\"".to_owned())
    );
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_mechanism_of_imap_lets_the_right_user_in() {
    let server = Server::imap().mailbox(USER, "pässword");
    let server = server.with(|s| s.mailboxes[0].token = Some("tok".into())).start().await.unwrap();
    let xoauth2 = format!("user={USER}\x01auth=Bearer tok\x01\x01");
    let plain = format!("\0{USER}\0pässword");
    for (mechanism, initial) in [("PLAIN", plain), ("XOAUTH2", xoauth2)] {
        let mut c = Client::tls(&server).await;
        c.line().await;
        let answer =
            c.imap(&format!("a AUTHENTICATE {mechanism} {}", BASE64.encode(&initial))).await;
        assert!(answer[0].starts_with("a OK"), "{answer:?}");
        let mut c = Client::tls(&server).await;
        c.line().await;
        assert_eq!(c.ask(&format!("a AUTHENTICATE {mechanism}")).await, "+ ");
        assert!(c.ask(&BASE64.encode(&initial)).await.starts_with("a OK"));
    }
    let mut c = Client::tls(&server).await;
    c.line().await;
    assert_eq!(c.ask("a AUTHENTICATE LOGIN").await, "+ VXNlcm5hbWU6");
    assert_eq!(c.ask(&BASE64.encode(USER)).await, "+ UGFzc3dvcmQ6");
    assert!(c.ask(&BASE64.encode("pässword")).await.starts_with("a OK"));
    // Eight-bit passwords travel as literals, with and without waiting.
    let mut c = Client::tls(&server).await;
    c.line().await;
    assert_eq!(c.ask("a LOGIN user@example.test {9}").await, "+ OK");
    assert!(c.ask("pässword").await.starts_with("a OK"));
    let mut c = Client::tls(&server).await;
    c.line().await;
    assert!(c.ask("a LOGIN user@example.test {9+}\r\npässword").await.starts_with("a OK"));
    assert_eq!(server.recorder().right_credentials(), 7);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_bad_token_gets_its_challenge_and_then_the_refusal() {
    let server = imap(Personality::Dovecot).await;
    let mut c = Client::tls(&server).await;
    c.line().await;
    let bad = BASE64.encode(format!("user={USER}\x01auth=Bearer old\x01\x01"));
    let challenge = c.ask(&format!("a AUTHENTICATE XOAUTH2 {bad}")).await;
    assert_eq!(challenge, "+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=");
    assert_eq!(c.ask("").await, "a NO [AUTHENTICATIONFAILED] Authentication failed.");
    assert_eq!(server.recorder().credentials(), 1);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn credentials_are_refused_before_starttls_and_taken_after_it() {
    let server = Server::imap().tls(Tls::Starttls).personality(Personality::Dovecot);
    let server = server.mailbox(USER, "secret").start().await.unwrap();
    let mut c = Client::plain(&server).await;
    assert!(c.line().await.contains("STARTTLS LOGINDISABLED]"));
    assert!(
        c.imap("a LOGIN user@example.test secret").await[0].starts_with("a NO [PRIVACYREQUIRED]")
    );
    assert_eq!(c.imap("b STARTTLS").await, ["b OK Begin TLS negotiation now."]);
    let mut c = c.upgrade(server.host()).await;
    let capability = &c.imap("c CAPABILITY").await[0];
    assert!(capability.contains("AUTH=PLAIN") && !capability.contains("STARTTLS"), "{capability}");
    assert!(c.imap("d LOGIN user@example.test secret").await[0].starts_with("d OK"));
    assert_eq!(server.recorder().credentials(), 1);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn japanese_folders_travel_in_modified_utf_7() {
    let server = Server::imap().layout(Layout::Japanese).mailbox(USER, "p").start().await.unwrap();
    let mut c = Client::tls(&server).await;
    c.line().await;
    c.imap("a LOGIN user@example.test p").await;
    let list = c.imap("b LIST \"\" *").await;
    assert!(list.iter().any(|l| l.ends_with("\"/\" &kAFP4W4IMH8wojCkMMYw4A-")), "{list:?}");
    let opened = c.imap("c EXAMINE &kAFP4W4IMH8wojCkMMYw4A-").await;
    assert!(opened.last().unwrap().starts_with("c OK"), "{opened:?}");
    let missing = c.imap("d EXAMINE Nope").await;
    assert_eq!(missing, ["d NO [NONEXISTENT] Mailbox doesn't exist: Nope"]);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn messages_are_found_fetched_and_moved() {
    let server = imap(Personality::Generic).await;
    let mut c = Client::tls(&server).await;
    c.line().await;
    c.imap("a LOGIN user@example.test secret").await;
    c.imap("b SELECT INBOX").await;
    assert_eq!(c.imap("c UID SEARCH HEADER Subject \"Message 2\"").await[0], "* SEARCH 2");
    let fetched = c.imap("d UID FETCH 2 (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])").await;
    assert_eq!(
        fetched[..2],
        ["* 2 FETCH (UID 2 FLAGS () BODY[HEADER.FIELDS (SUBJECT)] {22}", "Subject: Message 2"]
    );
    let moved = c.imap("e UID MOVE 2 Trash").await;
    assert!(moved[0].starts_with("* OK [COPYUID ") && moved[0].contains(" 2 1]"), "{moved:?}");
    assert_eq!(moved[1..], ["* 2 EXPUNGE", "e OK Move completed."]);
    c.imap("f UID COPY 1 Trash").await;
    c.imap("g UID STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    assert_eq!(c.imap("h UID EXPUNGE 1").await, ["* 1 EXPUNGE", "h OK Expunge completed."]);
    let estate = server.estate();
    assert_eq!(estate.folder(USER, "Trash").unwrap().messages.len(), 2);
    assert!(estate.folder(USER, "INBOX").unwrap().messages.is_empty());
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn pop3_lists_and_shows_the_inbox() {
    let server = Server::pop3().personality(Personality::Dovecot).mailbox(USER, "se cret");
    let server = server.with(|s| s.mailboxes[0].messages = 2).start().await.unwrap();
    let mut c = Client::tls(&server).await;
    assert_eq!(c.line().await, "+OK Dovecot (Debian) ready.");
    c.send("CAPA").await;
    let mut lines = Vec::new();
    while lines.last().map(String::as_str) != Some(".") {
        lines.push(c.line().await);
    }
    assert_eq!(
        lines,
        [
            "+OK",
            "CAPA",
            "TOP",
            "UIDL",
            "RESP-CODES",
            "PIPELINING",
            "AUTH-RESP-CODE",
            "USER",
            "SASL PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 XOAUTH2 OAUTHBEARER",
            "."
        ]
    );
    assert_eq!(c.ask("USER user@example.test").await, "+OK");
    assert_eq!(c.ask("PASS wrong").await, "-ERR [AUTH] Authentication failed.");
    assert_eq!(c.ask("USER user@example.test").await, "+OK");
    assert_eq!(c.ask("PASS se cret").await, "+OK Logged in.");
    assert!(c.ask("STAT").await.starts_with("+OK 2 "));
    assert_eq!(c.ask("UIDL").await, "+OK");
    assert!(c.line().await.starts_with("1 "));
    assert!(c.line().await.starts_with("2 "));
    assert_eq!(c.line().await, ".");
    assert_eq!(c.ask("TOP 2 0").await, "+OK");
    let mut top = Vec::new();
    while top.last().map(String::as_str) != Some(".") {
        top.push(c.line().await);
    }
    assert!(top.contains(&"Subject: Message 2".to_owned()));
    assert!(!top.iter().any(|l| l.starts_with("This is")), "{top:?}");
    assert_eq!(c.ask("QUIT").await, "+OK Logging out.");
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn postfix_asks_for_tls_and_then_for_a_login() {
    let server = Server::smtp().tls(Tls::Starttls).personality(Personality::Postfix);
    let server = server.host("localhost").mailbox(USER, "secret").start().await.unwrap();
    let mut c = Client::plain(&server).await;
    assert_eq!(c.line().await, "220 localhost ESMTP Postfix");
    let hello = c.smtp("EHLO client.test").await;
    assert_eq!(hello[0], "250-localhost");
    assert!(
        hello.iter().any(|l| l.ends_with("STARTTLS")) && !hello.iter().any(|l| l.contains("AUTH"))
    );
    let early = "530 5.7.0 Must issue a STARTTLS command first";
    assert_eq!(c.smtp("AUTH PLAIN AHVzZXIAcGFzcw==").await, [early]);
    assert_eq!(c.smtp("STARTTLS").await, ["220 2.0.0 Ready to start TLS"]);
    let mut c = c.upgrade("localhost").await;
    let hello = c.smtp("EHLO client.test").await;
    assert!(hello.iter().any(|l| l.contains("AUTH PLAIN LOGIN SCRAM-SHA-256")), "{hello:?}");
    let wrong = BASE64.encode(format!("\0{USER}\0wrong"));
    assert_eq!(
        c.smtp(&format!("AUTH PLAIN {wrong}")).await,
        ["535 5.7.8 Error: authentication failed: (reason unavailable)"]
    );
    let right = BASE64.encode(format!("\0{USER}\0secret"));
    assert_eq!(
        c.smtp(&format!("AUTH PLAIN {right}")).await,
        ["235 2.7.0 Authentication successful"]
    );
    // Pipelined, as the server allows.
    c.raw(b"MAIL FROM:<user@example.test> SIZE=10\r\nRCPT TO:<user@example.test>\r\nRCPT TO:<no@example.test>\r\nRSET\r\n").await;
    assert_eq!(c.line().await, "250 2.1.0 Ok");
    assert_eq!(c.line().await, "250 2.1.5 Ok");
    assert!(c.line().await.starts_with("550 5.1.1 <no@example.test>: Recipient address rejected"));
    assert_eq!(c.line().await, "250 2.0.0 Ok");
    assert_eq!(
        c.smtp("MAIL FROM:<user@example.test> SIZE=99999999").await,
        ["552 5.3.4 Message size exceeds fixed limit"]
    );
    assert_eq!(c.smtp("QUIT").await, ["221 2.0.0 Bye"]);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_relay_offers_no_auth_and_takes_mail_for_its_own_users_only() {
    let server = Server::smtp().tls(Tls::None).role(Role::Relay).mailbox(USER, "secret");
    let server = server.start().await.unwrap();
    let mut c = Client::plain(&server).await;
    c.line().await;
    let hello = c.smtp("EHLO c").await;
    assert!(!hello.iter().any(|l| l.contains("AUTH")), "{hello:?}");
    assert!(c.smtp("AUTH PLAIN AHVzZXIAcGFzcw==").await[0].starts_with("503"));
    c.smtp("MAIL FROM:<stranger@else.test>").await;
    assert_eq!(c.smtp("RCPT TO:<user@example.test>").await, ["250 2.1.5 Ok"]);
    assert!(c.smtp("RCPT TO:<other@else.test>").await[0].ends_with("Relay access denied"));
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_limit_of_a_user_and_address_is_refused_at_the_login() {
    let limits = Limits { per_user_and_address: Some(1), ..Limits::default() };
    let server = Server::imap().personality(Personality::Dovecot).mailbox(USER, "s").limits(limits);
    let server = server.start().await.unwrap();
    let mut first = Client::tls(&server).await;
    first.line().await;
    first.imap("a LOGIN user@example.test s").await;
    let mut second = Client::tls(&server).await;
    second.line().await;
    assert_eq!(
        second.imap("a LOGIN user@example.test s").await,
        ["a NO [LIMIT] Maximum number of connections from user+IP exceeded \
          (mail_max_userip_connections=1)"]
    );
    first.imap("b LOGOUT").await;
    let left = server.recorder().wait_until(LIMIT, |r| r.sessions().current == 1).await;
    assert!(left);
    assert!(second.imap("b LOGIN user@example.test s").await[0].starts_with("b OK"));
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_session_too_many_is_refused_in_the_greeting() {
    let limits = Limits { sessions: Some(1), ..Limits::default() };
    for (server, start) in [
        (Server::imap(), "* BYE "),
        (Server::pop3(), "-ERR [IN-USE]"),
        (Server::smtp(), "421 4.7.0"),
    ] {
        let server = server.tls(Tls::None).limits(limits).start().await.unwrap();
        let mut first = Client::plain(&server).await;
        first.line().await;
        let mut second = Client::plain(&server).await;
        let greeting = second.line().await;
        assert!(greeting.starts_with(start), "{greeting}");
        assert_eq!(second.line().await, "");
        server.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn secrets_never_reach_the_record() {
    let server = Server::imap().mailbox(USER, "pw-CANARY").start().await.unwrap();
    let mut c = Client::tls(&server).await;
    c.line().await;
    let plain = BASE64.encode("\0user@example.test\0pw-CANARY");
    c.imap(&format!("a {plain} x")).await;
    c.imap("b LOGIN user@example.test pw-CANARYx").await;
    c.imap(&format!("c AUTHENTICATE PLAIN {plain}")).await;
    c.imap("d LOGOUT").await;
    drop(c);
    assert!(server.recorder().wait_until(LIMIT, |r| r.sessions().current == 0).await);
    let lines = server.recorder().lines();
    assert!(!lines.contains("CANARY") && !lines.contains(&plain), "{lines}");
    assert!(server.recorder().commands().contains(&"LOGIN user@example.test ***".to_owned()));
    let closed = server.recorder().events().into_iter().any(
        |e| matches!(e.what, What::Closed { reason, .. } if reason == "the client said goodbye"),
    );
    assert!(closed, "{lines}");
    server.shutdown().await.unwrap();
}
