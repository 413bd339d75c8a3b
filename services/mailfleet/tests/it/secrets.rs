//! The canary: a password appears nowhere, whatever happens and however much is logged.

use base64::Engine as _;
use mailfleet_mailsim::{Fault, Server, Step};

use crate::check::{ADDRESS, authority, check, start};
use crate::command::{Ended, PASSWORD, ended, mailfleet};

/// Asserts that no output holds the password, plain or in the encodings that mail uses.
#[track_caller]
fn silent(what: &str, told: &Ended) {
    let base64 = base64::engine::general_purpose::STANDARD;
    let plain = format!("\0{ADDRESS}\0{PASSWORD}");
    let forms = [
        PASSWORD.to_owned(),
        "CANARY".to_owned(),
        base64.encode(PASSWORD),
        base64.encode(plain),
        PASSWORD.bytes().map(|byte| format!("{byte:02x}")).collect(),
    ];
    for form in &forms {
        for (name, text) in [("stdout", &told.stdout), ("stderr", &told.stderr)] {
            assert!(!text.contains(form.as_str()), "{what}: {form} in {name}:\n{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_appears_in_no_output() {
    let ca = authority();
    let echo = |server: Server| server.at(Step::Login, Fault::EchoPassword);
    let all = [Server::imap(), Server::pop3(), Server::smtp()];
    let (good, bad) = (all.clone().map(|server| (server, 0)), all.map(|s| (echo(s), 1)));
    for (server, status) in good.into_iter().chain(bad) {
        let server = start(server).await;
        let what = format!("{} that must end with {status}", server.protocol());
        for more in [&["--json"][..], &["--support", "--lang", "ja"]] {
            let mut args = vec!["--password-env", "PW", "-vvv"];
            args.extend(more);
            let mut command = check(&server, &ca, &args);
            command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
            let told = ended(command).await;
            assert_eq!(told.status, Some(status), "{what}: {}", told.stderr);
            assert!(
                told.stderr.contains("check has ended"),
                "{what}: the log is on: {}",
                told.stderr
            );
            silent(&what, &told);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_a_wrong_command_line_is_not_repeated() {
    let lines: [&[&str]; 3] = [
        &["check", ADDRESS, "--imap", "imap.test:0", "--password-env", "PW"],
        &["check", ADDRESS, "--imap", "imap.test", "--password", PASSWORD],
        &["check", ADDRESS, "--imap", "imap.test", &format!("--password={PASSWORD}")],
    ];
    for line in lines {
        let told = ended(mailfleet(line)).await;
        assert_eq!(told.status, Some(2));
        silent("usage", &told);
    }
}
