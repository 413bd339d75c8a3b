//! `run --gateway`: what a given fleet is asked for, what is judged, and what is said not to be
//! known of it.

use mailfleet_mailsim::{Authority, Server, Tls};
use serde_json::{Value, json};

use crate::serve::{ADMIN, LIMIT, SUBMITTER, Serve};

/// The password of mailboxes that a scenario names.
pub(crate) const PASSWORD: &str = "pw-CANARY-load";

/// Validations of a scenario: eight a second for three seconds, the first one an eighth of a second
/// after the beginning.
const N: u64 = 23;

/// A few seconds of load and a small batch; `limit` is what is said of the fleet, and `slo` what
/// must hold. No latency is judged, however busy the machine is.
fn scenario(servers: &str, limit: u32, slo: &str) -> String {
    format!(
        "title = \"Remote\"\n\
         [calibration]\nlag = \"5s\"\nlag_under_load = \"10s\"\n\
         [fleet]\nlimit = {limit}\n\
         [[servers]]\nname = \"mail\"\nbudget = \"60s\"\n{servers}\n\
         [[phase]]\nname = \"steady\"\ntime = \"3s\"\n\
         [[phase.load]]\nservers = \"mail\"\nrate = 8\narrivals = \"fixed\"\n\
         [slo]\nlost = 0\nfailed = 0\nmissed = 0\nwrong_verdicts = 0\n{slo}\n"
    )
}

const SIMULATED: &str = "pairs = 2\nlogin = \"300ms\"";

/// What must hold, by its words: what was found, and whether it does.
fn slo(result: &Value, what: &str) -> (String, bool) {
    let slos = result["slos"].as_array().expect("a list");
    let found = slos.iter().find(|slo| slo["what"].as_str().is_some_and(|it| it.contains(what)));
    let found = found.unwrap_or_else(|| panic!("no {what} in {slos:?}"));
    (found["got"].as_str().expect("text").to_owned(), found["is_met"] == true)
}

#[track_caller]
fn all_answered(result: &Value) {
    let counts = &result["counts"];
    assert_eq!((&counts["due"], &counts["answered"]), (&json!(N), &json!(N)), "{counts}");
    for none in ["lost", "failed", "missed", "wrong_verdicts", "unclear"] {
        assert_eq!(counts[none], 0, "{none}: {counts}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_fleet_is_driven_and_judged_and_what_nobody_saw_is_named() {
    let Some(fleet) = Serve::start(None).await else { return };
    let batch = "[[phase.batch]]\nservers = \"mail\"\nitems = 6\nwait = \"end\"\n[slo]";
    let scenario = scenario(SIMULATED, LIMIT, "over_limit = 0").replace("[slo]", batch);
    let ran = fleet.drive(&scenario, ADMIN).await;
    ran.expect(0);
    let result = ran.result();
    all_answered(&result);
    let counts = &result["counts"];
    // Two sessions for each mailbox, those of the batch included.
    assert_eq!(
        (&counts["asked"], &counts["sessions"]),
        (&json!(N + 6), &json!(2 * (N + 6))),
        "{counts}"
    );
    assert_eq!((&counts["over_limit"], &counts["unasked_logins"]), (&json!(0), &json!(0)));
    assert_eq!((&counts["is_watched"], &counts["is_pool_known"]), (&json!(true), &json!(false)));
    let busiest = result["servers"].as_array().expect("a list").iter();
    let busiest = busiest.filter_map(|server| server["most"].as_u64()).max();
    assert!(busiest.is_some_and(|most| 0 < most && most <= LIMIT.into()), "{busiest:?}");
    assert_eq!(result["batches"][0]["items"], 6);
    assert!(slo(&result, "beyond a server's limit").1, "{}", result["slos"]);
    // Whose fleet it was is told, and nothing that nobody could see.
    let environment = result["environment"].as_array().expect("a list");
    assert!(environment.contains(&json!(["given fleet", fleet.url])), "{environment:?}");
    let processes: Vec<&str> = result["processes"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|p| p["name"].as_str())
        .collect();
    assert!(processes.contains(&"load test"), "{processes:?}");
    let is_fleets = |name: &&str| name.starts_with("gateway") || name.starts_with("worker");
    assert!(!processes.iter().any(is_fleets), "{processes:?}");
    assert!(ran.page().contains("it was there before the run and is known by its gateways"));
    assert!(!ran.page().contains(ADMIN) && !result.to_string().contains(ADMIN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_not_see_the_shards_is_refused_at_once() {
    let Some(fleet) = Serve::start(None).await else { return };
    let ran = fleet.drive(&scenario(SIMULATED, LIMIT, ""), SUBMITTER).await;
    ran.expect(3);
    let why = "the fleet wants a token of the role admin (MAILFLEET_TOKEN)";
    assert!(ran.stderr().contains(why), "{}", ran.stderr());
    assert!(!ran.has_result());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_passed_and_what_cannot_be_known_is_not_met() {
    let Some(fleet) = Serve::start(None).await else { return };
    // It opens three sessions at once; the scenario says that it may open one.
    let scenario = scenario(SIMULATED, 1, "over_limit = 0\nforeign_addresses = 0");
    let ran = fleet.drive(&scenario, ADMIN).await;
    ran.expect(1);
    let result = ran.result();
    all_answered(&result);
    let over = result["counts"]["over_limit"].as_u64().expect("a number");
    assert!(0 < over, "{}", result["counts"]);
    assert_eq!(slo(&result, "beyond a server's limit"), (over.to_string(), false));
    assert_eq!(
        slo(&result, "outside the pool"),
        ("the pool of a given fleet is not known".to_owned(), false)
    );
    assert!(slo(&result, "without a report").1, "{}", result["slos"]);
    assert!(ran.stdout().contains("missed"), "{}", ran.stdout());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_names_mail_servers_of_its_own() {
    let authority = Authority::shared().expect("a CA");
    let Some(fleet) = Serve::start(Some(&authority.root_pem())).await else { return };
    let serve = |server: Server| {
        let server = server.tls(Tls::Implicit).authority(authority.clone());
        (0..100)
            .fold(server, |server, n| server.mailbox(format!("load-{n}@localhost.test"), PASSWORD))
    };
    let imap = serve(Server::imap()).start().await.expect("a free port");
    let smtp = serve(Server::smtp()).start().await.expect("a free port");
    let servers = format!(
        "imap = \"localhost:{}\"\nsmtp = \"localhost:{}\"\n\
         user = \"load-{{n}}@localhost.test\"\npassword_env = \"LOAD_PASSWORD\"",
        imap.port(),
        smtp.port()
    );
    let ran = fleet.drive(&scenario(&servers, LIMIT, "over_limit = 0"), ADMIN).await;
    ran.expect(1);
    let result = ran.result();
    all_answered(&result);
    assert_eq!(imap.recorder().sessions().total, N, "each had a mailbox of its own");
    // They are somebody else's: nobody watches them.
    let counts = &result["counts"];
    assert_eq!((&counts["is_watched"], &counts["sessions"]), (&json!(false), &json!(0)));
    assert_eq!(slo(&result, "beyond a server's limit"), ("nothing was watched".to_owned(), false));
    assert!(result["servers"].as_array().is_some_and(Vec::is_empty), "{}", result["servers"]);
    assert!(!ran.page().contains(PASSWORD) && !result.to_string().contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_to_a_given_fleet_is_refused_before_anything_runs() {
    let Some(fleet) = Serve::start(None).await else { return };
    let plain = scenario(SIMULATED, LIMIT, "");
    let fault = "[[phase.fault]]\nwhat = \"kill-worker\"\nat = \"1s\"\n[slo]";
    let nobodys = scenario(
        "imap = \"localhost:993\"\nsmtp = \"localhost:465\"\nuser = \"{n}@localhost.test\"\n\
         password_env = \"NOBODY_SET_THIS\"",
        LIMIT,
        "",
    );
    let cases: [(&str, &[&str], &str); 4] = [
        (&plain.replace("[slo]", fault), &[], "it cannot drive a given one (--gateway)"),
        (&nobodys, &[], "the environment has no NOBODY_SET_THIS"),
        (&plain, &["--mailfleet", "mailfleet"], "cannot be used with"),
        (&plain.replace("rate = 8", "rate = -8"), &[], "rate"),
    ];
    for (scenario, more, why) in cases {
        let ran = fleet.drive_with(scenario, ADMIN, more).await;
        ran.expect(2);
        assert!(ran.stderr().contains(why), "{why}: {}", ran.stderr());
        assert!(!ran.has_result(), "{why}");
    }
}
