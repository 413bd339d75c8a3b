//! A database that crashes under load.

use std::time::Duration;

use super::client::{Client, Load};
use super::ground::{Ground, USUAL};
use super::judge::{Excuses, judge};
use super::lab::{Server, Use};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_twice_loses_nothing() {
    let Some(ground) = Ground::start(USUAL, Use::Own).await else { return };
    let client = Client::new(&ground);
    let loading = client.submit(&ground, Load::of(160));
    for sessions in [40, 120] {
        ground.busy(sessions).await;
        ground.lab.operate(Server::Postgres, "kill").await;
        for gateway in &ground.gateways {
            gateway.not_ready().await;
        }
        ground.lab.operate(Server::Postgres, "start").await;
        ground.all_ready().await;
    }
    loading.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(60)).await;
    judge("database crashed", &ground, &outcomes, &Excuses::NONE);
}
