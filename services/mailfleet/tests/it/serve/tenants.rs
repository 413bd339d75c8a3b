//! Tenants with tokens and roles, from the configuration file to what a person is told.

use mailfleet_mailsim::Server;

use crate::check::start;
use crate::command::{Ended, ended, mailfleet};
use crate::place::{Place, Serve};

const READER: &str = "reader-token-0123456789";
const SUBMITTER: &str = "submitter-token-0123456789";
const ADMIN: &str = "admin-token-0123456789";
const OTHER: &str = "another-tenants-token-0123456789";

/// A gateway with two tenants, one of which has a token for each role.
fn place() -> Place {
    let place = Place::new();
    let mut config = String::new();
    for (tenant, role, token) in [
        ("crm", "reader", READER),
        ("crm", "submitter", SUBMITTER),
        ("crm", "admin", ADMIN),
        ("erp", "submitter", OTHER),
    ] {
        let file = place.path(&format!("{tenant}-{role}.token"));
        std::fs::write(&file, format!("{token}\n")).expect("a free place");
        let file = file.display();
        let table = format!(
            "[[tenant]]\nname = \"{tenant}\"\nrole = \"{role}\"\ntoken_file = \"{file}\"\n"
        );
        config.push_str(&table);
    }
    place.configured(&config)
}

/// A command at this gateway with a token from the environment.
async fn by(gateway: &Serve, token: &str, args: &[&str]) -> Ended {
    let mut command = mailfleet(&[args, &["--gateway", &gateway.url]].concat());
    command.env("MAILFLEET_TOKEN", token);
    ended(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_decide_what_a_token_may_do() {
    let place = place();
    let gateway = place.start().await;
    let server = start(Server::pop3()).await;
    let file = place.path("crm-submitter.token");
    let file = file.to_str().expect("a plain path");
    let told = gateway.check(&server, &["--json", "--token-file", file]).await;
    assert_eq!(told.status, Some(0), "{}{}", told.stdout, told.stderr);

    let listed = by(&gateway, READER, &["job", "list", "--json"]).await;
    assert_eq!((listed.status, listed.stdout.lines().count()), (Some(0), 1), "{}", listed.stderr);
    let job: serde_json::Value = serde_json::from_str(&listed.stdout).expect("one document");
    let id = job["jobId"].as_str().expect("an id");
    assert_eq!(by(&gateway, READER, &["job", "show", id]).await.status, Some(0));
    let forbidden = by(&gateway, READER, &["job", "cancel", id]).await;
    assert_eq!((forbidden.status, forbidden.stdout.as_str()), (Some(2), ""));
    assert!(forbidden.stderr.contains("the gateway does not allow it"), "{}", forbidden.stderr);
    let cancelled = by(&gateway, SUBMITTER, &["job", "cancel", id]).await;
    assert_eq!(cancelled.status, Some(0), "{}", cancelled.stderr);

    let fleet = by(&gateway, SUBMITTER, &["fleet", "workers"]).await;
    assert_eq!(fleet.status, Some(2), "only an admin runs the fleet: {}", fleet.stderr);
    let fleet = by(&gateway, ADMIN, &["fleet", "workers"]).await;
    assert_eq!(fleet.status, Some(0), "{}", fleet.stderr);

    let foreign = by(&gateway, OTHER, &["job", "list", "--json"]).await;
    assert_eq!((foreign.status, foreign.stdout.as_str()), (Some(0), ""), "{}", foreign.stderr);
    let foreign = by(&gateway, OTHER, &["job", "show", id]).await;
    assert_eq!(foreign.status, Some(2));
    assert!(foreign.stderr.contains("There is no such job"), "{}", foreign.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_wrong_token_is_told_with_what_to_do() {
    let place = place();
    let gateway = place.start().await;
    let wrong = "wrong-token-CANARY-0123456789";
    let none = gateway.job(&["list"]).await;
    let bad = by(&gateway, wrong, &["job", "list"]).await;
    for told in [&none, &bad] {
        assert_eq!((told.status, told.stdout.as_str()), (Some(2), ""));
        let asks = "wants a token: set MAILFLEET_TOKEN or use --token-file";
        assert!(told.stderr.contains(asks), "{}", told.stderr);
    }
    let server = start(Server::pop3()).await;
    let check = gateway.check(&server, &["--json"]).await;
    assert_eq!((check.status, check.stdout.as_str()), (Some(2), ""), "{}", check.stderr);
    assert!(server.recorder().events().is_empty(), "nothing was connected to");
    let missing = gateway.job(&["list", "--token-file", "/no/such/file"]).await;
    assert_eq!(missing.status, Some(2));
    assert!(missing.stderr.contains("--token-file: /no/such/file"), "{}", missing.stderr);
    let odd = by(&gateway, "two words", &["job", "list"]).await;
    assert_eq!(odd.status, Some(2));
    assert!(odd.stderr.contains("holds no token of printable characters"), "{}", odd.stderr);
    let (_, rest) = gateway.ended().await;
    for text in [&bad.stderr, &bad.stdout, &rest, &place.log()] {
        assert!(!text.contains("CANARY"), "a token is never repeated:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_cannot_be_used_stop_the_start() {
    let place = place();
    std::fs::remove_file(place.path("crm-reader.token")).expect("it was written");
    std::fs::write(place.path("erp-submitter.token"), "short\n").expect("our own file");
    let told = ended(place.command()).await;
    assert_eq!((told.status, told.stdout.as_str()), (Some(2), ""));
    assert!(told.stderr.contains("crm-reader.token"), "{}", told.stderr);
    std::fs::write(place.path("crm-reader.token"), READER).expect("our own file");
    let told = ended(place.command()).await;
    assert_eq!(told.status, Some(2));
    assert!(told.stderr.contains("erp is shorter than 16 bytes"), "{}", told.stderr);
    assert!(!told.stderr.contains("short\n"), "the token itself is not shown");
}
