//! Claims, workers and brokers that end: the lock goes at once, and nothing stays behind.

use std::time::Instant;

use mailfleet_model::fleet::{ControlLink, GatewayQueue, QueueError, ShardClaim, WorkerQueue};
use tokio::runtime::Handle;

use super::{Broker, PATIENCE, claim, claim_soon, numbers, publish, soon, take};
use crate::samples::{self, leg};

pub(crate) async fn an_abort_loses_every_claim_at_once<B: Broker>(broker: &B) {
    let gateway = broker.gateway("gateway").await;
    let (one, two) = (broker.worker("one").await, broker.worker("two").await);
    publish::<B>(&gateway, &[leg(0, 1), leg(1, 2), leg(1, 3)]).await;
    let (mut first, mut second) = (claim::<B>(&one, 0, 8).await, claim::<B>(&one, 1, 8).await);
    take(&mut first, 1).await;
    take(&mut second, 1).await;
    soon("the abort", one.abort()).await;
    assert_eq!(soon("the end of a claim", first.next()).await, None);
    // What is out comes to the next owner, though the claims were not dropped yet.
    let mut other = claim_soon::<B>(&two, 1).await;
    let taken = take(&mut other, 2).await;
    assert_eq!(numbers(&taken), [2, 3]);
    assert!(taken[0].redelivered);
    // The other claim may hold a leg that had been sent to it already; then it ends.
    let ended = async { while second.next().await.is_some() {} };
    soon("the end of a claim", ended).await;
}

pub(crate) async fn an_aborted_worker_may_claim_again<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    publish::<B>(&gateway, &[leg(0, 1)]).await;
    let mut first = claim::<B>(&worker, 0, 8).await;
    take(&mut first, 1).await;
    soon("the abort", worker.abort()).await;
    let mut second = claim_soon::<B>(&worker, 0).await;
    let taken = take(&mut second, 1).await;
    assert!(taken[0].redelivered);
    // The old claim, dropped late, does not take the new one with it.
    drop(first);
    second.ack(taken[0].tag).await.unwrap();
    publish::<B>(&gateway, &[leg(0, 2)]).await;
    assert_eq!(numbers(&take(&mut second, 1).await), [2]);
}

pub(crate) async fn a_stale_ack_is_noticed<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    publish::<B>(&gateway, &[leg(0, 1)]).await;
    let mut lost = claim::<B>(&worker, 0, 8).await;
    let taken = take(&mut lost, 1).await;
    soon("the abort", worker.abort()).await;
    let acked = soon("an answer", lost.ack(taken[0].tag)).await;
    assert!(matches!(acked, Err(QueueError::Unknown { .. })), "{acked:?}");
}

pub(crate) async fn a_dropped_worker_loses_its_claims<B: Broker>(broker: &B) {
    let gateway = broker.gateway("gateway").await;
    let (one, two) = (broker.worker("one").await, broker.worker("two").await);
    publish::<B>(&gateway, &[leg(0, 1)]).await;
    let mut first = claim::<B>(&one, 0, 8).await;
    take(&mut first, 1).await;
    drop(one);
    let mut second = claim_soon::<B>(&two, 0).await;
    assert!(take(&mut second, 1).await[0].redelivered);
    assert_eq!(soon("the end of a claim", first.next()).await, None);
}

pub(crate) async fn a_probe_is_answered<B: Broker>(broker: &B) {
    let worker = broker.worker("worker").await;
    let held = claim::<B>(&worker, 0, 8).await;
    soon("a probe", worker.probe()).await.unwrap();
    held.close().await.unwrap();
}

pub(crate) async fn nothing_is_left_running<B: Broker>(broker: &B) {
    let n_before = Handle::current().metrics().num_alive_tasks();
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let (news, from) = (gateway.news().await.unwrap(), gateway.control().await.unwrap());
    let to = worker.control().await.unwrap();
    publish::<B>(&gateway, &[leg(0, 1), leg(0, 2)]).await;
    let mut held = claim::<B>(&worker, 0, 8).await;
    take(&mut held, 1).await;
    from.broadcast(&samples::control(1)).await.unwrap();
    soon("a control message", to.next()).await;
    drop((gateway, news, from, held));
    drop((worker, to));
    let began = Instant::now();
    while Handle::current().metrics().num_alive_tasks() > n_before {
        assert!(began.elapsed() < PATIENCE, "tasks are left running");
        tokio::task::yield_now().await;
    }
}
