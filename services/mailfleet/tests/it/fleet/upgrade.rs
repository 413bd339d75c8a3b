//! A fleet that is being upgraded: workers that do not run one kind of leg yet, beside newer ones.

use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::leg_explanation::{Reason, ReturnCause};
use nix::sys::signal::Signal;

use super::client::{Client, Load};
use super::ground::{Ground, Size, USUAL};
use super::judge::{Excuses, judge};
use super::lab::Use;
use super::process::{PATIENCE, Role, eventually};

/// What an older worker runs.
const OLDER: (&str, &str) = ("MAILFLEET_WORKER__KINDS", "incoming,arrival");

/// Two gateways, and two workers that do not run outgoing legs.
async fn older_fleet() -> Option<Ground> {
    let mut ground = Ground::prepare(Size { n_workers: 2, ..USUAL }, Use::Shared).await?;
    for _ in 0..ground.size.n_gateways {
        ground.add(Role::Gateway).await;
    }
    ground.environment = vec![(OLDER.0.to_owned(), OLDER.1.to_owned())];
    for _ in 0..ground.size.n_workers {
        ground.add(Role::Worker).await;
    }
    ground.settled().await;
    ground.environment.clear();
    Some(ground)
}

/// How many legs were given back, as the workers have counted, since these do not run their kind.
async fn n_unknown(ground: &Ground) -> u64 {
    let mut sum = 0;
    for worker in &ground.workers {
        let metrics = worker.metrics().await;
        let lines = metrics.lines().filter(|line| line.contains("UNKNOWN_KIND"));
        let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        sum += counts.map(|count| count as u64).sum::<u64>();
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn legs_that_older_workers_do_not_run_end_as_soon_as_a_newer_one_is_there() {
    let Some(mut ground) = older_fleet().await else { return };
    let client = Client::new(&ground);
    client.submit(&ground, Load::of(40)).await.expect("all are accepted");
    eventually("an outgoing leg of each server has come back", PATIENCE, || async {
        4 <= n_unknown(&ground).await
    })
    .await;
    // The older ones stay, and give up what is not for them.
    ground.add(Role::Worker).await;
    client.finish(Duration::from_secs(60)).await;
    // Then they go, under load.
    let more = client.submit(&ground, Load { from: 10, ..Load::of(40) });
    ground.busy(50).await;
    for older in ground.workers.drain(..2).collect::<Vec<_>>() {
        older.signal(Signal::SIGTERM);
        assert_eq!(older.ended().await, Some(0), "it drains");
    }
    more.await.expect("all are accepted");
    ground.settled().await;
    let outcomes = client.finish(Duration::from_secs(60)).await;
    judge("upgraded", &ground, &outcomes, &Excuses::NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_nobody_can_run_in_its_time_ends_with_the_reason() {
    let Some(ground) = older_fleet().await else { return };
    let client = Client::new(&ground);
    // Longer than the pause after which such a leg comes again, and shorter than two of them.
    let load = Load { wrong_one_in: 0, budget: Duration::from_secs(45), ..Load::of(8) };
    client.submit(&ground, load).await.expect("all are accepted");
    eventually("an explanation names why", PATIENCE, || async {
        let explained = client.explanations().await;
        let mut legs = explained.iter().flat_map(|explained| &explained.legs);
        legs.any(|leg| {
            let named = leg.text.contains("does not run legs of this kind");
            leg.reason() == Reason::Returned && leg.returned() == ReturnCause::UnknownKind && named
        })
    })
    .await;
    let outcomes = client.finish(Duration::from_secs(60)).await;
    for outcome in &outcomes {
        let report = outcome.first.as_ref().and_then(|job| job.report.as_ref());
        let report = report.expect("a report");
        assert_eq!(report.verdict(), v1::report::Verdict::Inconclusive);
        let notes = format!("{:?}", report.faults);
        assert!(notes.contains("(UNKNOWN_KIND)"), "{notes}");
    }
    let excuses = Excuses { inconclusive: true, ..Excuses::NONE };
    judge("not upgraded", &ground, &outcomes, &excuses);
}
