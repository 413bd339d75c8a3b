//! `batch` against a running gateway: files in, results out.

use std::path::{Path, PathBuf};

use mailfleet_mailsim::{Fault, Running, Server, Step};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::check::authority;
use crate::command::{Ended, PASSWORD, ended, mailfleet};
use crate::interrupt::Interruptible;
use crate::place::{PATIENCE, Place, Serve};

fn address(number: usize) -> String {
    format!("user{number}@example.test")
}

/// A server that knows these many mailboxes, by one password.
async fn mail(server: Server, mailboxes: usize) -> Running {
    let known = |server: Server, number| server.mailbox(address(number), PASSWORD);
    (0..mailboxes).fold(server, known).start().await.expect("a free port")
}

fn at(server: &Running) -> String {
    format!("localhost:{}/tls", server.port())
}

fn file(place: &Place, name: &str, text: &str) -> PathBuf {
    let path = place.path(name);
    std::fs::write(&path, text).expect("a free place");
    path
}

async fn batch(gateway: &Serve, args: &[&str]) -> Ended {
    ended(mailfleet(&[&["batch"], args, &["--gateway", &gateway.url]].concat())).await
}

async fn submit(gateway: &Serve, file: &Path, server: &Running, more: &[&str]) -> Ended {
    let (ca, at) = (authority(), at(server));
    let (file, ca) = (file.to_str().expect("a plain path"), ca.path().to_str().expect("a path"));
    let args = [&["submit", file, "--pop3", &at, "--ca", ca], more].concat();
    batch(gateway, &args).await
}

/// The only batch that there is.
async fn only(gateway: &Serve) -> Value {
    let told = batch(gateway, &["list", "--json"]).await;
    assert_eq!((told.status, told.stdout.lines().count()), (Some(0), 1), "{}", told.stdout);
    serde_json::from_str(&told.stdout).expect("JSON")
}

fn id(batch: &Value) -> String {
    let name = batch["name"].as_str().expect("a name");
    name.trim_start_matches("batches/").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_file_becomes_results_in_csv() {
    let place = Place::new();
    let gateway = place.start().await;
    let refusal = Fault::Reply("-ERR [SYS/PERM] the mailbox is damaged".to_owned());
    let rule = mailfleet_mailsim::Rule::new(Step::Stat, refusal).only_user(address(2));
    let server = mail(Server::pop3().rule(rule), 3).await;
    let rows: String = (0..3).map(|n| format!("{},{PASSWORD},\"a, {n}\"\n", address(n))).collect();
    let people = file(&place, "people.csv", &format!("\u{feff}Address,password,key\n{rows}"));
    let told = submit(&gateway, &people, &server, &["--name", "March"]).await;
    assert_eq!(told.status, Some(1), "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("3 mailboxes: 2 healthy, 1 faulty"), "{}", told.stdout);
    assert!(told.stdout.contains("MAILBOX_UNAVAILABLE"), "{}", told.stdout);
    let all = only(&gateway).await;
    assert_eq!((&all["state"], &all["displayName"]), (&"DONE".into(), &"March".into()));
    let id = id(&all);
    let results = batch(&gateway, &["results", &id, "--csv"]).await;
    let lines: Vec<&str> = results.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", results.stdout);
    assert!(lines[0].starts_with("position,key,address,state,verdict,code,"));
    assert!(lines[1].starts_with("1,\"a, 0\",user0@example.test,DONE,HEALTHY,,"), "{}", lines[1]);
    let faulty = batch(&gateway, &["results", &id, "--verdict", "faulty", "--json"]).await;
    let faulty: Value = serde_json::from_str(&faulty.stdout).expect("one line of JSON");
    assert_eq!(faulty["address"], address(2));
    let summary = batch(&gateway, &["summary", &id, "--lang", "ja"]).await;
    assert!(summary.stdout.contains("MAILBOX_UNAVAILABLE"), "{}", summary.stdout);
    assert!(!summary.stdout.is_ascii(), "in Japanese");
    let redriven = batch(&gateway, &["redrive", &id, "--code", "MAILBOX_UNAVAILABLE"]).await;
    assert_eq!(redriven.stdout, "1 mailboxes are validated anew\n", "{}", redriven.stderr);
    let watched = batch(&gateway, &["watch", &id]).await;
    assert_eq!(watched.status, Some(1), "{}{}", watched.stdout, watched.stderr);
    let table = batch(&gateway, &["results", &id]).await;
    assert!(table.stdout.starts_with("ADDRESS") && table.stdout.contains("FAULTY"));
    for told in [&results, &summary, &watched, &table] {
        assert!(!told.stdout.contains(PASSWORD) && !told.stderr.contains(PASSWORD));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_rows_are_told_with_their_lines_and_nothing_is_submitted() {
    let place = Place::new();
    let gateway = place.start().await;
    let server = mail(Server::pop3(), 3).await;
    let rows = format!(
        "address,password\n{},{PASSWORD}\nnobody,{PASSWORD}\n{},\n{},{PASSWORD}\nx@y.test,a,b\n",
        address(0),
        address(1),
        address(0)
    );
    let people = file(&place, "people.csv", &rows);
    let told = submit(&gateway, &people, &server, &[]).await;
    assert_eq!((told.status, told.stdout.as_str()), (Some(2), ""));
    for part in
        ["nothing was submitted", "line 3: address", "line 4:", "line 5: key", "line 6: row"]
    {
        assert!(told.stderr.contains(part), "{part} in {}", told.stderr);
    }
    assert!(!told.stderr.contains(PASSWORD));
    let strange = file(&place, "strange.csv", "address,passwort\na@b.test,x\n");
    let told = submit(&gateway, &strange, &server, &[]).await;
    assert!(told.stderr.contains("line 1: passwort is not a column"), "{}", told.stderr);
    let listed = batch(&gateway, &["list"]).await;
    assert_eq!(listed.stdout, "no batches\n");
    assert_eq!(server.recorder().credentials(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_bring_their_own_servers() {
    let place = Place::new();
    let gateway = place.start().await;
    let server = mail(Server::imap(), 2).await;
    let at = at(&server);
    let row = |n| {
        let row = serde_json::json!({"address": address(n), "password": PASSWORD, "imap": at});
        format!("{row}\n")
    };
    let people = file(&place, "people.jsonl", &(row(0) + "\n" + &row(1)));
    let ca = authority();
    let (people, ca) = (people.to_str().expect("a path"), ca.path().to_str().expect("a path"));
    let told = batch(&gateway, &["submit", people, "--ca", ca, "--json"]).await;
    assert_eq!(told.status, Some(0), "{}{}", told.stdout, told.stderr);
    let end: Value = serde_json::from_str(told.stdout.trim()).expect("one line of JSON");
    assert_eq!((&end["state"], &end["counts"]["healthy"]), (&"DONE".into(), &"2".into()));
    let wrong = file(&place, "wrong.jsonl", "{\"address\": 7}\nnonsense\n");
    let told = batch(&gateway, &["submit", wrong.to_str().expect("a path"), "--ca", ca]).await;
    assert!(told.stderr.contains("line 1: address is not a text"), "{}", told.stderr);
    assert!(told.stderr.contains("line 2: row is no JSON object"), "{}", told.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_leaves_the_batch_running_and_says_how_to_come_back() {
    let place = Place::new();
    let gateway = place.start().await;
    let server = mail(Server::pop3().at(Step::Stat, Fault::Silent), 3).await;
    let rows: String = (0..3).map(|n| format!("{}\n", address(n))).collect();
    let people = file(&place, "people.csv", &format!("address\n{rows}"));
    let (ca, at) = (authority(), at(&server));
    let ca = ca.path().to_str().expect("a path");
    let people = people.to_str().expect("a path");
    let args = ["batch", "submit", people, "--pop3", &at, "--ca", ca, "--password-env", "PW"];
    let command = mailfleet(&[&args[..], &["--gateway", &gateway.url]].concat());
    let submitting = Interruptible::start(command);
    assert!(server.recorder().wait_until(PATIENCE, |r| r.credentials() == 3).await);
    let told = submitting.interrupt().await;
    let all = only(&gateway).await;
    let back = format!("come back with: mailfleet batch watch {}", id(&all));
    assert!(told.stderr.contains(&back), "{}", told.stderr);
    assert_eq!((told.status, &all["state"]), (Some(4), &"RUNNING".into()));
    // Whoever came back may go again.
    let command = mailfleet(&["batch", "watch", &id(&all), "--gateway", &gateway.url]);
    let mut watching = Interruptible::start(command);
    assert!(watching.says("0 of 3").await, "it shows the batch");
    let told = watching.interrupt().await;
    assert!(told.stderr.contains(&back), "{}", told.stderr);
    let all = only(&gateway).await;
    assert_eq!((told.status, &all["state"]), (Some(4), &"RUNNING".into()));
    let cancelled = batch(&gateway, &["cancel", &id(&all)]).await;
    assert_eq!(cancelled.status, Some(0), "{}", cancelled.stderr);
    let watched = batch(&gateway, &["watch", &id(&all)]).await;
    assert!(watched.stdout.contains("3 cancelled"), "{}{}", watched.stdout, watched.stderr);
}

/// Part of an upload that reaches the gateway: more than fits without its leave, less than all.
const PASSED: usize = 100_000;

/// A way to a gateway on which an upload comes to a stop; tells when it does.
async fn narrow(gateway: &Serve) -> (String, tokio::sync::oneshot::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let to = gateway.url.trim_start_matches("http://").to_owned();
    let (full, stops) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (from, _) = listener.accept().await.expect("the command comes");
        let to = TcpStream::connect(to).await.expect("the gateway listens");
        let ((mut from, mut back), (mut answers, mut to)) = (from.into_split(), to.into_split());
        let upload = async {
            let (mut passed, mut part) = (0, vec![0; 4_096]);
            while passed < PASSED {
                let bytes = from.read(&mut part).await.expect("it sends");
                to.write_all(&part[..bytes]).await.expect("the gateway reads");
                passed += bytes;
            }
            full.send(()).expect("the test waits");
            // Until the command has gone.
            while from.read(&mut part).await.is_ok_and(|bytes| 0 < bytes) {}
        };
        tokio::select! {
            () = upload => {}
            _ = tokio::io::copy(&mut answers, &mut back) => {}
        }
    });
    (url, stops)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_upload_says_how_to_go_on_and_goes_on_with_the_same_batch() {
    const MAILBOXES: usize = 4_000;
    let place = Place::new();
    let gateway = place.start().await;
    let server = mail(Server::pop3(), 0).await;
    let rows: String = (0..MAILBOXES).map(|n| format!("{}\n", address(n))).collect();
    let people = file(&place, "people.csv", &format!("address\n{rows}"));
    let (ca, at) = (authority(), at(&server));
    let ca = ca.path().to_str().expect("a path");
    let people = people.to_str().expect("a path");
    let args = ["batch", "submit", people, "--pop3", &at, "--ca", ca, "--password-env", "PW"];
    let (url, stops) = narrow(&gateway).await;
    let uploading = Interruptible::start(mailfleet(&[&args[..], &["--gateway", &url]].concat()));
    tokio::time::timeout(PATIENCE, stops).await.expect("in time").expect("the upload stops");
    let told = uploading.interrupt().await;
    assert_eq!((told.status, told.stdout.as_str()), (Some(4), ""), "{}", told.stderr);
    assert!(told.stderr.contains("go on with: the same command"), "{}", told.stderr);
    assert!(!told.stderr.contains(PASSWORD));
    let request = told.stderr.split("--request-id ").nth(1).expect("it names the request");
    let request = request.split_whitespace().next().expect("a word");
    // What goes on may break off as well.
    let (url, stops) = narrow(&gateway).await;
    let more = ["--request-id", request, "--gateway", &url];
    let uploading = Interruptible::start(mailfleet(&[&args[..], &more].concat()));
    tokio::time::timeout(PATIENCE, stops).await.expect("in time").expect("the upload stops");
    let told = uploading.interrupt().await;
    assert_eq!(told.status, Some(4), "{}", told.stderr);
    assert!(told.stderr.contains("go on with: the same command\n"), "{}", told.stderr);
    let more = ["--request-id", request, "--detach", "--gateway", &gateway.url];
    let told = ended(mailfleet(&[&args[..], &more].concat())).await;
    assert_eq!(told.status, Some(0), "{}{}", told.stdout, told.stderr);
    let all = only(&gateway).await;
    assert_eq!(all["counts"]["total"], MAILBOXES.to_string());
    let cancelled = batch(&gateway, &["cancel", &id(&all)]).await;
    assert_eq!(cancelled.status, Some(0), "{}", cancelled.stderr);
}
