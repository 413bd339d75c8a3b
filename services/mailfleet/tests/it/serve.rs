//! `serve`: its beginning, its end, and `check --gateway` against it.

mod jobs;
mod secrets;
mod tenants;

use mailfleet_mailsim::{Fault, Recorder, Server, Step};
use nix::sys::signal::Signal;

use crate::check::start;
use crate::command::ended;
use crate::place::{PATIENCE, Place, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_gives_the_same_answers() {
    let place = Place::new();
    let gateway = place.start().await;
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
    let place = Place::new().with("MAILFLEET_TELEMETRY__LOGS", "json");
    let gateway = place.start().await;
    assert_eq!(gateway.ended().await, (Some(0), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_busy_gateway_at_once() {
    let place = Place::new();
    let mut gateway = place.start().await;
    let server = start(Server::pop3().at(Step::Login, Fault::Silent)).await;
    let other = start(Server::pop3()).await;
    let busy = gateway.check(&server, &["--json"]);
    let twice = async {
        let waiting = |r: &Recorder| r.sessions().current == 1;
        assert!(server.recorder().wait_until(PATIENCE, waiting).await, "the check has begun");
        gateway.signal(Signal::SIGTERM);
        // The first signal counts as heard once what is new is refused: two signals in one
        // moment are one to a process.
        eventually("a draining gateway takes nothing new", async || {
            (gateway.check(&other, &["--json"]).await.status == Some(3)).then_some(())
        })
        .await;
        gateway.signal(Signal::SIGTERM);
    };
    let (told, ()) = tokio::join!(busy, twice);
    assert_eq!(told.status, Some(3), "{}{}", told.stdout, told.stderr);
    assert_eq!(gateway.child.wait().await.expect("it ends").code(), Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_our_failure_and_says_so() {
    let (first, second) = (Place::new(), Place::new());
    let gateway = first.start().await;
    for (variable, key, at) in [
        ("MAILFLEET_GATEWAY__LISTEN", "gateway", gateway.gateway),
        ("MAILFLEET_ADMIN__LISTEN", "admin.listen", gateway.admin),
    ] {
        let mut command = second.command();
        command.env(variable, at.to_string());
        let told = ended(command).await;
        assert_eq!((told.status, told.stdout.as_str()), (Some(3), ""));
        let named = told.stderr.contains(&format!("cannot listen on {at}"));
        assert!(named && told.stderr.contains(key), "{}", told.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_serve_on_the_same_file_is_refused() {
    let place = Place::new();
    let gateway = place.start().await;
    let told = ended(place.command()).await;
    assert_eq!((told.status, told.stdout.as_str()), (Some(3), ""));
    let file = place.path("mailfleet.db");
    let expect = format!("{} is used by another process (store.url)", file.display());
    assert!(told.stderr.contains(&expect), "{}", told.stderr);
    assert!(told.stderr.contains("need Postgres"), "it says what to do: {}", told.stderr);
    // However the first one ends, the next one may begin.
    gateway.kill().await;
    assert_eq!(place.start().await.ended().await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_told_and_ends_with_the_first_signal() {
    let place = Place::new();
    let gateway = place.start().await;
    assert_eq!(gateway.admin("/healthz").await, (200, "ok\n".to_owned()));
    let ready = eventually("it becomes ready", async || {
        let (status, body) = gateway.admin("/readyz").await;
        (status == 200).then_some(body)
    })
    .await;
    let ready: serde_json::Value = serde_json::from_str(&ready).expect("JSON");
    let all = serde_json::json!({"gateway": "ok", "worker": "ok"});
    assert_eq!((&ready["ready"], &ready["parts"]), (&true.into(), &all));
    let (status, metrics) = gateway.admin("/metrics").await;
    assert!(status == 200 && metrics.contains("\nmailfleet_fence_trips_total 0"), "{metrics}");
    assert_eq!(gateway.admin("/jobs").await.0, 404);

    let server = start(Server::pop3().at(Step::Login, Fault::Silent)).await;
    let busy = gateway.check(&server, &["--json"]);
    let draining = async {
        let waiting = |r: &Recorder| r.sessions().current == 1;
        assert!(server.recorder().wait_until(PATIENCE, waiting).await, "the check has begun");
        gateway.signal(Signal::SIGTERM);
        eventually("a draining process is not ready", async || {
            let (status, body) = gateway.admin("/readyz").await;
            (status == 503 && body.contains("the end has begun")).then_some(())
        })
        .await;
        assert_eq!(gateway.admin("/healthz").await.0, 200, "it lives");
        gateway.signal(Signal::SIGKILL);
    };
    let (told, ()) = tokio::join!(busy, draining);
    assert_eq!(told.status, Some(3), "{}", told.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_named_with_its_key() {
    let place = Place::new();
    let cases: [(&str, &str, i32, &str); 4] = [
        ("MAILFLEET_STORE__URL", "sqlite:/no/such/folder/m.db", 3, "store.url"),
        ("MAILFLEET_VAULT__KEY_FILE", "/no/such/folder/m.keys", 3, "vault.key_file"),
        ("MAILFLEET_BROKER__URL", "amqp://127.0.0.1:1", 2, "broker.url"),
        ("MAILFLEET_GATEWAY__LISTEN", "0.0.0.0:0", 2, "gateway.listen"),
    ];
    for (variable, value, status, key) in cases {
        let mut command = place.command();
        command.env(variable, value);
        let told = ended(command).await;
        assert_eq!((told.status, told.stdout.as_str()), (Some(status), ""), "{variable}");
        assert!(told.stderr.starts_with("error: ") && told.stderr.contains(key), "{}", told.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_wrong_usage() {
    let place = Place::new();
    let mut command = place.command();
    command.env("MAILFLEET_STEPS__LOGIN", "30").env("MAILFLEET_LIMITS__CONCURRENCY", "0");
    let told = ended(command).await;
    assert_eq!((told.status, told.stdout.as_str()), (Some(2), ""));
    assert!(told.stderr.contains("limits.concurrency") && told.stderr.contains("steps.login"));
}
