//! A password goes into the gateway and never comes out: not in a log at any level, not in
//! a status, not in a message to the caller, not in the store's files.

use std::sync::Mutex;

use mailfleet_api::v1;
use mailfleet_mailsim::{Fault, Server, Step};
use tracing_subscriber::fmt::MakeWriter as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::calls::{PASSWORD, mail, pop3_request};
use crate::world::{Ground, config, everybody};

/// What the one test of this file logs.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

// One thread, so that the log of this test hears every task of it.
#[tokio::test(flavor = "current_thread")]
async fn a_password_never_comes_out() {
    let log = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(|| LOG.make_writer())
        .finish()
        .set_default();
    let server = mail(Server::pop3().at(Step::Login, Fault::EchoPassword)).await;
    let ground = Ground::new(config()).await;
    let _worker = ground.worker();
    let world = ground.gateway(everybody()).await;
    let mut client = world.client().await;

    let asked = pop3_request(&server);
    assert!(!format!("{asked:?}").contains(PASSWORD));
    let bad =
        v1::ValidateRequest { address: String::new(), language: "xx".to_owned(), ..asked.clone() };
    let status = client.validate(bad).await.expect_err("refused");
    assert!(!format!("{status:?}").contains(PASSWORD));

    let mut told = String::new();
    let mut stream = client.validate(asked).await.expect("accepted").into_inner();
    while let Some(message) = stream.message().await.expect("no error") {
        told += &format!("{message:?}\n");
    }
    assert!(told.contains("Report"), "{told}");
    assert!(server.recorder().credentials() > 0, "the password was sent to the mail server");
    assert!(!told.contains(PASSWORD), "{told}");
    drop(log);
    let log = LOG.lock().expect("no panic while logging").clone();
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains("validation accepted"), "the log was heard");
    for line in log.lines() {
        assert!(!line.contains(PASSWORD), "{line}");
    }
    let mut bytes = 0;
    for entry in std::fs::read_dir(ground.folder()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let kept = std::fs::read(&path).expect("a file");
        let is_there = kept.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
        assert!(!is_there, "the password is in {}", path.display());
        bytes += kept.len();
    }
    assert!(bytes > 0, "the store was written to");
}
