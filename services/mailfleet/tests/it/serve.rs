//! `serve`, and `check --gateway` against it.

use std::process::Stdio;

use mailfleet_mailsim::{Fault, Server, Step};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};

use crate::check::{ADDRESS, authority, start};
use crate::command::{Ended, ended, mailfleet};

/// A gateway of our own on a free port.
struct Gateway {
    child: Child,
    url: String,
    /// Kept open: a gateway whose output nobody reads must not notice.
    _stdout: BufReader<ChildStdout>,
}

impl Gateway {
    async fn start(environment: &[(&str, &str)]) -> Self {
        let mut command = mailfleet(&["serve"]);
        command.env("MAILFLEET_GATEWAY__LISTEN", "127.0.0.1:0");
        command.env("MAILFLEET_TARGETS__ALLOW", "127.0.0.0/8");
        command.envs(environment.iter().copied()).stderr(Stdio::null());
        let mut command = tokio::process::Command::from(command);
        let mut child = command.kill_on_drop(true).spawn().expect("the binary runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).await.expect("the gateway says where it listens");
        let (_, url) = line.split_once("http://").unwrap_or_else(|| panic!("no URL in {line:?}"));
        let is_address = |c: char| c.is_ascii_digit() || c == '.' || c == ':';
        let url = format!("http://{}", url.split(|c| !is_address(c)).next().unwrap_or_default());
        Self { child, url, _stdout: stdout }
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("it runs");
        kill(Pid::from_raw(i32::try_from(pid).expect("a process id")), signal).expect("it is ours");
    }

    async fn check(&self, server: &mailfleet_mailsim::Running, more: &[&str]) -> Ended {
        let ca = authority();
        let protocol = format!("--{}", server.protocol());
        let at = format!("localhost:{}/tls", server.port());
        let ca = ca.path().to_str().expect("a plain path");
        let mut args = vec!["check", ADDRESS, &protocol, &at, "--ca", ca, "--password-env", "PW"];
        args.extend(["--gateway", &self.url]);
        args.extend(more);
        ended(mailfleet(&args)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_gives_the_same_answers() {
    let gateway = Gateway::start(&[]).await;
    let good = start(Server::pop3()).await;
    let told = gateway.check(&good, &["--json"]).await;
    assert_eq!(told.status, Some(0), "{}{}", told.stdout, told.stderr);
    let refusal = Fault::Reply("-ERR [AUTH] Authentication failed.".to_owned());
    let bad = start(Server::pop3().at(Step::Login, refusal)).await;
    let told = gateway.check(&bad, &[]).await;
    assert_eq!(told.status, Some(1), "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("AUTH_INVALID_CREDENTIALS"), "{}", told.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_an_idle_gateway_in_order() {
    let mut gateway = Gateway::start(&[("MAILFLEET_TELEMETRY__LOGS", "json")]).await;
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.child.wait().await.expect("it ends").code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_busy_gateway_at_once() {
    let mut gateway = Gateway::start(&[]).await;
    let server = start(Server::pop3().at(Step::Login, Fault::Silent)).await;
    let other = start(Server::pop3()).await;
    let busy = gateway.check(&server, &["--json"]);
    let twice = async {
        let waiting = |r: &mailfleet_mailsim::Recorder| r.sessions().current == 1;
        let limit = std::time::Duration::from_secs(20);
        assert!(server.recorder().wait_until(limit, waiting).await, "the check has begun");
        gateway.signal(Signal::SIGTERM);
        // The first signal counts as heard once what is new is refused: two signals in one
        // moment are one to a process.
        let mut refused = false;
        for _ in 0..100 {
            let told = gateway.check(&other, &["--json"]).await;
            refused = told.status == Some(3);
            if refused {
                break;
            }
        }
        assert!(refused, "a draining gateway takes nothing new");
        gateway.signal(Signal::SIGTERM);
    };
    let (told, ()) = tokio::join!(busy, twice);
    assert_eq!(told.status, Some(3), "{}{}", told.stdout, told.stderr);
    assert_eq!(gateway.child.wait().await.expect("it ends").code(), Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_our_failure_and_says_so() {
    let gateway = Gateway::start(&[]).await;
    let mut second = mailfleet(&["serve"]);
    second.env("MAILFLEET_GATEWAY__LISTEN", gateway.url.trim_start_matches("http://"));
    let told = ended(second).await;
    assert_eq!(told.status, Some(3));
    assert!(told.stderr.contains("cannot listen on 127.0.0.1"), "{}", told.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_wrong_usage() {
    let mut command = mailfleet(&["serve"]);
    command.env("MAILFLEET_GATEWAY__LISTEN", "0.0.0.0:0").env("MAILFLEET_STEPS__LOGIN", "30");
    let told = ended(command).await;
    assert_eq!(told.status, Some(2));
    assert!(told.stderr.contains("gateway.listen") || told.stderr.contains("steps.login"));
}
