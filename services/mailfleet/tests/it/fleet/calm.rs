//! The fleet when nothing goes wrong: what every other test begins with.

use std::time::Duration;

use super::client::{Client, Load};
use super::ground::{Ground, USUAL};
use super::judge::{Excuses, judge};
use super::lab::Use;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_validations_end_well_over_two_gateways_and_three_workers() {
    let Some(ground) = Ground::start(USUAL, Use::Shared).await else { return };
    let client = Client::new(&ground);
    client.submit(&ground, Load::of(100)).await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(60)).await;
    let findings = judge("calm", &ground, &outcomes, &Excuses::NONE);
    assert_eq!((outcomes.len(), findings.repeated), (100, 0));
    assert_eq!(findings.peak, USUAL.limit, "the limit is used");
}
