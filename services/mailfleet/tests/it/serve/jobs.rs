//! `job` against a running gateway, as a person or a script uses it.

use mailfleet_mailsim::{Fault, Recorder, Running, Server, Step};
use serde_json::Value;

use crate::check::{ADDRESS, start};
use crate::command::{Ended, ended, mailfleet};
use crate::place::{PATIENCE, Place, Serve};

/// A job id that no gateway ever gave.
const UNKNOWN: &str = "01890000-0000-7000-8000-000000000000";

/// The documents of an output with `--json`, one a line.
fn documents(told: &Ended) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).expect("a document a line");
    told.stdout.lines().map(parse).collect()
}

/// The ids of the jobs that `job list` shows.
async fn listed(gateway: &Serve, more: &[&str]) -> Vec<String> {
    let told = gateway.job(&[&["list", "--json"], more].concat()).await;
    assert_eq!((told.status, told.stderr.as_str()), (Some(0), ""), "{more:?}");
    let id = |job: &Value| job["jobId"].as_str().expect("an id").to_owned();
    documents(&told).iter().map(id).collect()
}

/// A gateway that has run one healthy and one faulty validation.
async fn two_jobs(place: &Place) -> (Serve, String, String) {
    let gateway = place.start().await;
    let good = start(Server::pop3()).await;
    assert_eq!(gateway.check(&good, &["--json"]).await.status, Some(0));
    let refusal = Fault::Reply("-ERR [AUTH] Authentication failed.".to_owned());
    let bad = start(Server::pop3().at(Step::Login, refusal)).await;
    assert_eq!(gateway.check(&bad, &["--json"]).await.status, Some(1));
    let jobs = listed(&gateway, &[]).await;
    let [faulty, healthy] = jobs.as_slice() else { panic!("the newest first: {jobs:?}") };
    let (healthy, faulty) = (healthy.clone(), faulty.clone());
    (gateway, healthy, faulty)
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_and_filtered() {
    let place = Place::new();
    let (gateway, healthy, faulty) = two_jobs(&place).await;
    let healthy = [healthy];
    let faulty = [faulty];
    assert_eq!(listed(&gateway, &["--verdict", "healthy"]).await, healthy);
    assert_eq!(listed(&gateway, &["--verdict", "faulty"]).await, faulty);
    assert_eq!(listed(&gateway, &["--code", "AUTH_INVALID_CREDENTIALS"]).await, faulty);
    assert_eq!(listed(&gateway, &["--limit", "1"]).await, faulty);
    assert_eq!(listed(&gateway, &["--mailbox", ADDRESS]).await.len(), 2);
    assert!(listed(&gateway, &["--state", "open"]).await.is_empty());
    let none = gateway.job(&["list", "--mailbox", "nobody@example.test"]).await;
    assert_eq!((none.status, none.stdout.as_str()), (Some(0), "no jobs\n"));
    let table = gateway.job(&["list"]).await;
    assert!(table.stdout.starts_with("JOB") && table.stdout.lines().count() == 3);
    assert!(table.stdout.contains("FAULTY") && !table.stdout.contains('\u{1b}'));
    let wrong = gateway.job(&["list", "--code", "AUTH_INVALID"]).await;
    assert_eq!((wrong.status, wrong.stdout.as_str()), (Some(2), ""));
    assert!(wrong.stderr.contains("AUTH_INVALID_CREDENTIALS"), "{}", wrong.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_job_tells_its_report_with_the_verdict_as_status() {
    let place = Place::new();
    let (gateway, healthy, faulty) = two_jobs(&place).await;
    for (id, status, verdict) in [(&healthy, 0, "HEALTHY"), (&faulty, 1, "FAULTY")] {
        for command in ["show", "watch"] {
            let told = gateway.job(&[command, id, "--json"]).await;
            assert_eq!((told.status, told.stderr.as_str()), (Some(status), ""), "{command}");
            let all = documents(&told);
            let [job] = all.as_slice() else { panic!("one document: {}", told.stdout) };
            assert_eq!((&job["state"], &job["verdict"]), (&"DONE".into(), &verdict.into()));
            assert_eq!(job["report"]["verdict"], verdict);
        }
        let name = format!("jobs/{id}");
        let told = gateway.job(&["show", &name]).await;
        assert_eq!(told.status, Some(status), "the whole name is taken too");
        assert!(told.stdout.contains("done") && told.stdout.contains(ADDRESS), "{}", told.stdout);
    }
    let told = gateway.job(&["show", &faulty, "--lang", "ja"]).await;
    assert!(told.stdout.contains("どうすればよいか"), "{}", told.stdout);
    let trace = gateway.job(&["trace", &healthy]).await;
    assert_eq!(trace.status, Some(0), "{}", trace.stderr);
    assert!(trace.stdout.starts_with("trace ") && trace.stdout.contains('█'), "{}", trace.stdout);
    let explained = gateway.job(&["explain", &healthy, "--json"]).await;
    assert_eq!(explained.status, Some(0), "{}", explained.stderr);
    assert_eq!(documents(&explained)[0]["legs"][0]["reason"], "ENDED");
    let late = gateway.job(&["cancel", &healthy]).await;
    assert_eq!(late.status, Some(0), "no error: {}", late.stderr);
    assert_eq!(late.stdout, format!("jobs/{healthy} had ended before\n"));
}

/// A check that stays in the login of this server, as a process of its own.
async fn stuck(gateway: &Serve, server: &Running) -> tokio::task::JoinHandle<Ended> {
    let (url, port) = (gateway.url.clone(), server.port());
    let ca = crate::check::authority();
    let check = tokio::spawn(async move {
        let at = format!("localhost:{port}/tls");
        let ca = ca.path().to_str().expect("a plain path");
        let args = ["check", ADDRESS, "--pop3", &at, "--ca", ca, "--password-env", "PW"];
        ended(mailfleet(&[&args[..], &["--gateway", &url, "--json"]].concat())).await
    });
    let waits = |recorder: &Recorder| recorder.sessions().current == 1;
    assert!(server.recorder().wait_until(PATIENCE, waits).await, "the check has begun");
    check
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_is_explained_and_cancelled() {
    let place = Place::new();
    let gateway = place.start().await;
    let server = start(Server::pop3().at(Step::Login, Fault::Silent)).await;
    let check = stuck(&gateway, &server).await;
    let open = listed(&gateway, &["--state", "open"]).await;
    let [job] = open.as_slice() else { panic!("one open job: {open:?}") };
    let shown = gateway.job(&["show", job]).await;
    assert_eq!(shown.status, Some(0), "an open job is nobody's trouble: {}", shown.stderr);
    assert!(shown.stdout.contains(&format!("job explain {job}")), "{}", shown.stdout);
    let explained = gateway.job(&["explain", job, "--json"]).await;
    assert_eq!(explained.status, Some(0), "{}", explained.stderr);
    assert_eq!(documents(&explained)[0]["legs"][0]["reason"], "RUNNING", "{}", explained.stdout);
    let words = gateway.job(&["explain", job]).await;
    assert!(words.stdout.contains("RUNNING") && words.stdout.contains("sessions in use"));
    let early = gateway.job(&["trace", job]).await;
    assert_eq!((early.status, early.stdout.as_str()), (Some(2), ""));
    assert!(early.stderr.contains(&format!("mailfleet job watch {job}")), "{}", early.stderr);

    let watch = ["watch", job, "--json"];
    let watching = gateway.job(&watch);
    let cancelling = async {
        let told = gateway.job(&["cancel", job]).await;
        assert_eq!(told.status, Some(0), "{}", told.stderr);
        assert_eq!(told.stdout, format!("jobs/{job} is cancelled\n"));
    };
    let (watched, ()) = tokio::join!(watching, cancelling);
    assert_eq!(watched.status, Some(4), "nothing was found: {}", watched.stderr);
    let last = documents(&watched).pop().expect("the final state");
    assert_eq!((&last["state"], &last["verdict"]), (&"CANCELLED".into(), &"INCONCLUSIVE".into()));
    let told = check.await.expect("the task ends");
    assert_eq!(told.status, Some(4), "whoever waits is told: {}{}", told.stdout, told.stderr);
    let gone = |recorder: &Recorder| recorder.sessions().current == 0;
    assert!(server.recorder().wait_until(PATIENCE, gone).await, "the leg lets its server go");
    let again = gateway.job(&["cancel", job, "--json"]).await;
    assert_eq!(
        (again.status, documents(&again)[0]["state"].as_str()),
        (Some(0), Some("CANCELLED"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_helpfully() {
    let place = Place::new();
    let gateway = place.start().await;
    for command in ["show", "watch", "explain", "trace", "cancel"] {
        let unknown = gateway.job(&[command, UNKNOWN]).await;
        assert_eq!((unknown.status, unknown.stdout.as_str()), (Some(2), ""), "{command}");
        let said = "error: the gateway refuses the request: There is no such job";
        assert!(unknown.stderr.starts_with(said), "{}", unknown.stderr);
        let no_id = gateway.job(&[command, "last"]).await;
        assert_eq!(no_id.status, Some(2));
        assert!(no_id.stderr.contains("UUID"), "{}", no_id.stderr);
    }
    let url = gateway.url.clone();
    gateway.kill().await;
    let nobody = ended(mailfleet(&["job", "list", "--gateway", &url])).await;
    assert_eq!((nobody.status, nobody.stdout.as_str()), (Some(3), ""));
    let said = format!("error: cannot reach the gateway at {url}");
    assert!(nobody.stderr.starts_with(&said), "{}", nobody.stderr);
    let mut by_environment = mailfleet(&["job", "list"]);
    by_environment.env("MAILFLEET_GATEWAY", &url);
    assert!(ended(by_environment).await.stderr.starts_with(&said));
    let no_url = ended(mailfleet(&["job", "list", "--gateway", "localhost:1"])).await;
    assert_eq!(no_url.status, Some(2));
    assert!(no_url.stderr.contains("is no URL such as http://"), "{}", no_url.stderr);
}
