//! Runs the binary, and the commands that need no server.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What every check is given as password.
pub(crate) const PASSWORD: &str = "pw-CANARY-7731";

/// The binary with a clean environment.
pub(crate) fn mailfleet(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailfleet"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MAILFLEET_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG").env("PW", PASSWORD).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
        }
    }
}

/// Runs to the end, outside of the async threads that the simulated servers need.
pub(crate) async fn ended(mut command: Command) -> Ended {
    let output = tokio::task::spawn_blocking(move || command.output());
    output.await.expect("the thread ends").expect("the binary runs").into()
}

/// Runs to the end with this text on standard input.
pub(crate) async fn ended_with_input(mut command: Command, input: &'static [u8]) -> Ended {
    let run = move || {
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input)?;
        drop(stdin);
        child.wait_with_output()
    };
    tokio::task::spawn_blocking(run).await.expect("the thread ends").expect("it runs").into()
}

fn run(args: &[&str]) -> Ended {
    mailfleet(args).output().expect("the binary runs").into()
}

#[test]
fn what_is_not_an_option_is_wrong_usage() {
    for args in [&["check"][..], &["nonsense"], &["check", "a@b.test", "--nonsense"], &[]] {
        assert_eq!(run(args).status, Some(2), "{args:?}");
    }
    assert_eq!(run(&["--help"]).status, Some(0));
    assert_eq!(run(&["--version"]).status, Some(0));
}

#[test]
fn the_help_pages_read_well() {
    for page in [&["--help"][..], &["check", "--help"], &["serve", "--help"]] {
        let name = page.iter().find(|word| !word.starts_with('-')).unwrap_or(&"mailfleet");
        let mut command = mailfleet(page);
        let shown: Ended = command.env("COLUMNS", "90").output().expect("it runs").into();
        insta::assert_snapshot!(format!("help_{name}"), shown.stdout);
    }
}

#[test]
fn a_check_without_servers_says_what_to_give() {
    let ended = run(&["check", "taro@example.com", "--password-env", "PW"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("--imap imap.example.com --smtp smtp.example.com"), "{ended:?}");
}

#[test]
fn explanations_exist_in_both_languages_and_as_json() {
    let english = run(&["explain", "tls-cert-expired"]);
    assert_eq!(english.status, Some(0));
    assert!(english.stdout.contains("What to do") && !english.stdout.contains('\u{1b}'));
    let japanese = run(&["explain", "TLS_CERT_EXPIRED", "--lang", "ja"]);
    assert!(japanese.stdout.contains("どうすればよいか"));
    let json = run(&["explain", "TLS_CERT_EXPIRED", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json.stdout).expect("one document");
    assert_eq!(value["actor"], "MAIL_ADMIN");
    let unknown = run(&["explain", "CERT_EXPIRED"]);
    assert_eq!(unknown.status, Some(2));
    assert!(unknown.stderr.contains("TLS_CERT_EXPIRED"), "{unknown:?}");
}

#[test]
fn every_fault_is_listed_once() {
    let table = run(&["faults"]);
    let json = run(&["faults", "--json", "--lang", "ja"]);
    let codes = mailfleet_model::FaultCode::all().count();
    assert_eq!((table.status, table.stdout.lines().count()), (Some(0), codes + 1));
    assert_eq!((json.status, json.stdout.lines().count()), (Some(0), codes));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child = mailfleet(&["faults", "--json"]).spawn().expect("the binary runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn the_configuration_is_checked_as_a_whole() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "[gateway]\nlisten = 5\n[steps]\nlogin = 30\n").expect("written");
    let path = file.path().to_str().expect("a plain path");
    let bad = run(&["config", "check", "--config", path]);
    assert_eq!((bad.status, bad.stdout.as_str()), (Some(2), ""));
    assert!(bad.stderr.contains("gateway.listen") && bad.stderr.contains("steps.login"));
    let mut command = mailfleet(&["config", "show"]);
    command.env("MAILFLEET_STORE__URL", "postgres://app:hunter2@db/x");
    let shown: Ended = command.output().expect("it runs").into();
    assert_eq!(shown.status, Some(0));
    assert!(shown.stdout.contains("postgres://app:***@db/x") && !shown.stdout.contains("hunter2"));
    assert_eq!(run(&["config", "check"]).status, Some(0));
}

#[test]
fn shells_get_their_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let ended = run(&["completions", shell]);
        assert_eq!(ended.status, Some(0));
        assert!(ended.stdout.contains("allow-insecure-cert"), "{shell}");
    }
}

#[test]
fn the_demonstration_finds_every_fault_in_time() {
    let begun = Instant::now();
    let ended = run(&["demo"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(ended.stdout.contains("STARTTLS_STRIPPED") && ended.stdout.contains("check you@"));
    let json = run(&["demo", "--json", "--lang", "ja"]);
    assert_eq!(json.status, Some(0), "{}", json.stderr);
    for line in json.stdout.lines() {
        let report: serde_json::Value = serde_json::from_str(line).expect("a document a line");
        assert!(report["verdict"].is_string());
    }
}
