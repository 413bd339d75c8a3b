//! The options of `check` as data: what they mean, and every way to get them wrong.

use std::ffi::OsString;

use clap::Parser as _;
use mailfleet_model::tls::CertificatePolicy;
use mailfleet_model::{TestMail, Violations};

use super::plan::{Input, Place, Plan, SecretSource, plan};
use crate::args::{Cli, Command};

/// The plan of a command line, in an environment where `PW` is set and `EMPTY` is empty.
fn planned(line: &str, input: Input) -> Result<Plan, Violations> {
    let words = ["mailfleet", "check"].into_iter().chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
    let Command::Check(args) = cli.command else { panic!("{line}: not a check") };
    plan(&args, input, |name| match name {
        "PW" | "PW2" | "TOKEN" => Some(OsString::from("hunter2")),
        "EMPTY" => Some(OsString::new()),
        _ => None,
    })
}

#[track_caller]
fn good(line: &str) -> Plan {
    planned(line, Input::Other).unwrap_or_else(|wrong| panic!("{line}: {wrong}"))
}

/// Asserts which options are named, in order.
#[track_caller]
fn wrong(line: &str, expect: &[&str]) {
    let wrong = planned(line, Input::Other).expect_err(line);
    let fields: Vec<&str> = wrong.as_slice().iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, expect, "{line}: {wrong}");
}

#[test]
fn servers_are_read_with_their_defaults() {
    let plan = good("taro@example.com --password-env PW --imap imap.test --smtp smtp.test:587");
    assert_eq!(plan.incoming[0].to_string(), "imap.test:993/tls");
    assert_eq!(plan.outgoing.map(|e| e.to_string()).as_deref(), Some("smtp.test:587/starttls"));
    assert_eq!(
        (plan.username.as_str(), plan.smtp_username.as_str()),
        ("taro@example.com", "taro@example.com")
    );
    assert_eq!(plan.test_mail, TestMail::Envelope);
    assert_eq!((plan.budget.as_secs(), plan.arrival_timeout.as_secs()), (60, 120));
    assert_eq!(plan.certificates, CertificatePolicy::Strict);
    assert_eq!(plan.place, Place::Here { allow: vec![], egress: vec![], config: None });
}

#[test]
fn user_names_and_secrets_can_differ_between_legs() {
    let plan = good(
        "t@x.test --imap i.test --smtp s.test --username taro --password-env PW \
         --smtp-username relay --smtp-password-env PW2",
    );
    assert_eq!((plan.username.as_str(), plan.smtp_username.as_str()), ("taro", "relay"));
    assert_eq!(plan.secret, Some(SecretSource::PasswordEnv("PW".to_owned())));
    assert_eq!(plan.smtp_secret, Some(SecretSource::PasswordEnv("PW2".to_owned())));
    let plan = good("t@x.test --imap i.test --smtp s.test --username taro --password-env PW");
    assert_eq!(plan.smtp_username, "taro");
}

#[test]
fn a_token_goes_before_a_password() {
    let plan = good("t@x.test --imap i.test --password-env PW --oauth-token-env TOKEN");
    assert_eq!(plan.secret, Some(SecretSource::TokenEnv("TOKEN".to_owned())));
}

#[test]
fn somebody_at_a_terminal_is_asked() {
    let plan = planned("t@x.test --imap i.test", Input::Terminal).expect("a good line");
    assert_eq!(plan.secret, Some(SecretSource::Prompt));
    let plan = planned("t@x.test --smtp s.test --smtp-password-env PW", Input::Terminal);
    assert_eq!(plan.expect("a good line").secret, None);
}

#[test]
fn test_mails_go_where_they_are_told() {
    let with =
        |more: &str| good(&format!("t@x.test --smtp s.test --password-env PW {more}")).test_mail;
    assert_eq!(with("--test-mail self"), TestMail::ToSelf);
    assert_eq!(with("--test-mail b@y.test"), TestMail::To("b@y.test".parse().unwrap()));
    assert_eq!(with("--no-test-mail"), TestMail::LoginOnly);
    // A script may always say so, whatever it checks.
    good("t@x.test --imap i.test --password-env PW --no-test-mail");
}

#[test]
fn each_wrong_option_is_named() {
    wrong("nobody --imap i.test --password-env PW", &["ADDRESS"]);
    wrong("t@x.test --password-env PW", &["servers"]);
    wrong("t@x.test --imap i.test", &["password"]);
    wrong("t@x.test --imap i.test --password-env UNSET", &["--password-env"]);
    wrong("t@x.test --imap i.test --password-env EMPTY", &["--password-env"]);
    wrong("t@x.test --imap i.test --oauth-token-env UNSET", &["--oauth-token-env"]);
    wrong("t@x.test --imap i.test --password-env PW --password-stdin", &["--password-stdin"]);
    wrong("t@x.test --imap i.test --password hunter2", &["--password"]);
    wrong("t@x.test --imap i.test:0 --password-env PW", &["--imap"]);
    wrong("t@x.test --imap i.test/ssl3 --password-env PW", &["--imap"]);
    wrong("t@x.test --imap i.test --password-env PW --timeout 60", &["--timeout"]);
    wrong("t@x.test --imap i.test --password-env PW --timeout 1h", &["--timeout"]);
    wrong("t@x.test --imap i.test --password-env PW --test-mail self", &["--test-mail"]);
    wrong("t@x.test --imap i.test --password-env PW --smtp-username x", &["--smtp-username"]);
    wrong("t@x.test --smtp s.test --password-env PW --test-mail nobody", &["--test-mail"]);
    wrong("t@x.test --imap i.test --password-env PW --allow-target ten", &["--allow-target"]);
    wrong("t@x.test --imap i.test --password-env PW --egress ten", &["--egress"]);
    wrong("t@x.test --imap i.test --password-env PW --ca /nonexistent.pem", &["--ca"]);
    wrong("t@x.test --imap i.test --password-env PW --gateway here", &["--gateway"]);
}

#[test]
fn options_for_this_process_do_not_go_to_a_gateway() {
    wrong(
        "t@x.test --imap i.test --password-env PW --gateway http://127.0.0.1:1 \
         --allow-target 10.0.0.0/8 --egress 192.0.2.1 --config x.toml",
        &["--allow-target", "--egress", "--config"],
    );
}

#[test]
fn everything_wrong_is_told_at_once_and_no_secret_with_it() {
    let line = "nobody --imap i.test:0 --smtp s.test/x --password hunter2 --timeout 5 \
                --egress x --test-mail y --password-env UNSET";
    let wrong = planned(line, Input::Other).expect_err("all of it is wrong");
    let text = crate::exit::Error::Usage(wrong).text();
    insta::assert_snapshot!(text);
    assert!(!text.contains("hunter2"));
}
