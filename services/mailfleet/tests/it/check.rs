//! `check` against simulated servers.

use std::process::Command;
use std::time::Duration;

use mailfleet_mailsim::{
    Authority, Certificate, Fault, Manner, Personality, Proxy, Recorder, Running, Server, Step,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::command::{PASSWORD, ended, ended_with_input, mailfleet};

/// The address of the mailbox that the servers have.
pub(crate) const ADDRESS: &str = "taro@example.test";

/// A server that knows the mailbox, signed by an authority that is not shared with other tests.
pub(crate) async fn start(server: Server) -> Running {
    server.mailbox(ADDRESS, PASSWORD).start().await.expect("the server starts")
}

/// The simulator's authority as a file for `--ca`.
pub(crate) fn authority() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let authority = Authority::shared().expect("an authority");
    std::fs::write(file.path(), authority.root_pem()).expect("it is written");
    file
}

/// A check of one server, which listens on loopback.
pub(crate) fn check(server: &Running, ca: &tempfile::NamedTempFile, more: &[&str]) -> Command {
    let protocol = format!("--{}", server.protocol());
    let at = format!("localhost:{}/tls", server.port());
    let ca = ca.path().to_str().expect("a plain path");
    let allow = ["--allow-target", "127.0.0.0/8"];
    let mut args = vec!["check", ADDRESS, &protocol, &at, "--ca", ca];
    args.extend(allow.iter().chain(more));
    mailfleet(&args)
}

/// A check that takes the password from the environment.
fn usual(server: &Running, ca: &tempfile::NamedTempFile) -> Command {
    check(server, ca, &["--password-env", "PW"])
}

/// The report of a run with `--json`: the only line on standard output.
fn report(stdout: &str) -> serde_json::Value {
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    serde_json::from_str(stdout).expect("the line is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_mailbox_is_status_0() {
    let ca = authority();
    for server in [Server::imap(), Server::pop3(), Server::smtp()] {
        let server = start(server).await;
        let told = ended(check(&server, &ca, &["--password-env", "PW", "--json"])).await;
        assert_eq!((told.status, told.stderr.as_str()), (Some(0), ""), "{}", told.stdout);
        assert_eq!(report(&told.stdout)["verdict"], "HEALTHY");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocking_fault_is_status_1_and_told_to_people() {
    let server = Server::imap().personality(Personality::Dovecot);
    let server = start(server.certificate(Certificate::Expired)).await;
    let told = ended(usual(&server, &authority())).await;
    assert_eq!(told.status, Some(1), "{}", told.stderr);
    assert!(told.stdout.contains("TLS_CERT_EXPIRED") && told.stdout.contains("What to do"));
    // Somebody else must act, so the block for them is there without being asked for.
    assert!(told.stdout.contains("information for support"), "{}", told.stdout);
    assert!(!told.stdout.contains('\u{1b}') && told.stderr.is_empty(), "{}", told.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_temporary_trouble_is_status_4() {
    let busy = Fault::Reply("454 4.7.0 Temporary authentication failure".to_owned());
    let server = start(Server::smtp().at(Step::Login, busy)).await;
    let told = ended(check(&server, &authority(), &["--password-env", "PW", "--json"])).await;
    assert_eq!(told.status, Some(4), "{}", told.stdout);
    assert_eq!(report(&told.stdout)["verdict"], "INCONCLUSIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_not_there_is_status_3() {
    // Port 0 of an ended listener: nobody else gets it while the test runs.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    drop(listener);
    let args = ["check", ADDRESS, "--imap", "imap.test", "--password-env", "PW", "--gateway", &url];
    let told = ended(mailfleet(&args)).await;
    assert_eq!((told.status, told.stdout.as_str()), (Some(3), ""));
    assert!(told.stderr.contains("cannot reach the gateway"), "{}", told.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_exception_loopback_is_refused() {
    let server = start(Server::imap()).await;
    let at = format!("localhost:{}/tls", server.port());
    let args = ["check", ADDRESS, "--imap", &at, "--password-env", "PW", "--json"];
    let told = ended(mailfleet(&args)).await;
    assert_eq!(told.status, Some(1));
    assert_eq!(report(&told.stdout)["faults"][0]["code"], "TARGET_NOT_ALLOWED");
    assert!(server.recorder().events().is_empty(), "nothing was connected to");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_comes_from_standard_input_too() {
    let ca = authority();
    let server = start(Server::smtp()).await;
    let command = check(&server, &ca, &["--password-stdin", "--json"]);
    let told = ended_with_input(command, b"pw-CANARY-7731\r\n").await;
    assert_eq!(told.status, Some(0), "{}", told.stdout);
    let command = check(&server, &ca, &["--password-stdin", "--json"]);
    let told = ended_with_input(command, b"").await;
    assert_eq!(told.status, Some(2), "an empty password: {}", told.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_check_with_a_report() {
    let server = start(Server::smtp().at(Step::Mail, Fault::Silent)).await;
    let ca = authority();
    let command = check(&server, &ca, &["--password-env", "PW", "--json"]);
    let mut command = tokio::process::Command::from(command);
    let child = command.kill_on_drop(true).spawn().expect("the binary runs");
    let pid = Pid::from_raw(i32::try_from(child.id().expect("it runs")).expect("a process id"));
    // The check waits for a silent server, so the interrupt meets it in the middle.
    let waits = |recorder: &Recorder| recorder.commands().iter().any(|c| c.starts_with("MAIL"));
    assert!(server.recorder().wait_until(Duration::from_secs(20), waits).await);
    kill(pid, Signal::SIGINT).expect("it is ours");
    let output = child.wait_with_output().await.expect("it ends");
    assert_eq!(output.status.code(), Some(4));
    let told = report(&String::from_utf8(output.stdout).expect("UTF-8"));
    assert_eq!(told["verdict"], "INCONCLUSIVE", "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_leaves_through_the_proxy_of_its_pool() {
    let (ca, folder) = (authority(), tempfile::tempdir().expect("a folder"));
    let (imap, smtp) = (start(Server::imap()).await, start(Server::smtp()).await);
    let manner = Manner::Login("fleet", "proxy-CANARY-7731");
    let proxy = Proxy::start(manner, [127, 0, 0, 71].into()).await.expect("a free port");
    let [file, config] = ["socks5.password", "mailfleet.toml"].map(|name| folder.path().join(name));
    std::fs::write(&file, "proxy-CANARY-7731\n").expect("a free place");
    let text = format!(
        "[[egress.pool]]\nname = \"default\"\n[[egress.socks5]]\npool = \"default\"\n\
         server = \"{}\"\nexit = \"127.0.0.71\"\nuser = \"fleet\"\npassword_file = {file:?}\n",
        proxy.address()
    );
    std::fs::write(&config, text).expect("a free place");
    let out = format!("localhost:{}/tls", smtp.port());
    let config = config.to_str().expect("a plain path");
    let more = ["--smtp", &out, "--password-env", "PW", "--json", "--config", config];
    let told = ended(check(&imap, &ca, &more)).await;
    assert_eq!((told.status, told.stderr.as_str()), (Some(0), ""), "{}", told.stdout);
    let report = report(&told.stdout);
    assert_eq!(report["egressAddresses"], serde_json::json!(["127.0.0.71"]));
    for (server, leg) in [(&imap, 0), (&smtp, 1)] {
        assert_eq!(report["legs"][leg]["egressIp"], "127.0.0.71");
        assert_eq!(server.recorder().sessions().total, 1);
        assert_eq!(server.recorder().sessions_from([127, 0, 0, 71].into()).total, 1);
    }
    assert!(!told.stdout.contains("CANARY"));
    let mut asked = proxy.asked();
    asked.sort();
    let mut there = [imap.addr(), smtp.addr()].map(|server| server.to_string());
    there.sort();
    assert_eq!(asked, there);
}
