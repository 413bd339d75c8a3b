//! Shards and their legs: the lock, the order, the flag, the bounds.

use mailfleet_model::fleet::{ClaimError, GatewayQueue, ShardClaim, WorkerQueue};

use super::{
    Broker, assert_refused, claim, claim_soon, numbers, publish, quiet, soon, take, topology,
    try_claim,
};
use crate::samples::{self, leg};

pub(crate) async fn a_held_shard_is_refused_to_everybody_else<B: Broker>(broker: &B) {
    let (one, two) = (broker.worker("one").await, broker.worker("two").await);
    let held = claim::<B>(&one, 0, 8).await;
    for worker in [&one, &two] {
        let refused = try_claim::<B>(worker, 0, 8).await;
        assert!(matches!(refused, Err(ClaimError::Held)), "{:?}", refused.err());
    }
    // A refusal costs nobody anything: the lock holds, and other shards can be claimed.
    drop(claim::<B>(&two, 1, 8).await);
    held.close().await.unwrap();
    drop(claim_soon::<B>(&two, 0).await);
}

pub(crate) async fn what_was_out_comes_back_first_and_in_order<B: Broker>(broker: &B) {
    let gateway = broker.gateway("gateway").await;
    let (one, two) = (broker.worker("one").await, broker.worker("two").await);
    publish::<B>(&gateway, &[1, 2, 3, 4, 5].map(|n| leg(0, n))).await;
    let mut first = claim::<B>(&one, 0, 3).await;
    let taken = take(&mut first, 3).await;
    assert!(taken.iter().all(|delivery| !delivery.redelivered));
    first.ack(taken[1].tag).await.unwrap();
    first.close().await.unwrap();

    // Had the consumer been cancelled, 4 and 5 would come now, and 1 and 3 be out still.
    let mut second = claim_soon::<B>(&two, 0).await;
    let taken = take(&mut second, 4).await;
    assert_eq!(numbers(&taken), [1, 3, 4, 5]);
    assert!(taken[0].redelivered && taken[1].redelivered);
    assert!(!taken[3].redelivered, "5 was never out");
}

pub(crate) async fn a_dropped_claim_gives_back_what_was_out<B: Broker>(broker: &B) {
    let gateway = broker.gateway("gateway").await;
    let (one, two) = (broker.worker("one").await, broker.worker("two").await);
    publish::<B>(&gateway, &[1, 2, 3].map(|n| leg(0, n))).await;
    let mut first = claim::<B>(&one, 0, 2).await;
    take(&mut first, 2).await;
    drop(first);
    let mut second = claim_soon::<B>(&two, 0).await;
    let taken = take(&mut second, 3).await;
    assert_eq!(numbers(&taken), [1, 2, 3]);
    assert!(taken[0].redelivered && taken[1].redelivered);
}

pub(crate) async fn no_more_than_the_prefetch_is_out<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    publish::<B>(&gateway, &[1, 2, 3, 4].map(|n| leg(0, n))).await;
    let mut claim = claim::<B>(&worker, 0, 2).await;
    let taken = take(&mut claim, 2).await;
    quiet("a third of two", claim.next()).await;
    claim.ack(taken[0].tag).await.unwrap();
    assert_eq!(numbers(&take(&mut claim, 1).await), [3]);
    quiet("a third of two", claim.next()).await;
}

pub(crate) async fn a_leg_without_a_queue_is_refused<B: Broker>(broker: &B) {
    let gateway = broker.gateway("gateway").await;
    assert_refused(soon("an answer", gateway.publish_leg(&leg(999, 1))).await);
    let mut elsewhere = leg(0, 2);
    elsewhere.group.zone = samples::name("elsewhere");
    assert_refused(soon("an answer", gateway.publish_leg(&elsewhere)).await);
    // The same gateway goes on.
    publish::<B>(&gateway, &[leg(0, 3)]).await;
}

pub(crate) async fn a_leg_waits_for_an_owner<B: Broker>(broker: &B) {
    let gateway = broker.gateway("gateway").await;
    publish::<B>(&gateway, &[leg(2, 7)]).await;
    drop(gateway);
    let worker = broker.worker("worker").await;
    let mut claim = claim::<B>(&worker, 2, 8).await;
    let taken = take(&mut claim, 1).await;
    assert_eq!(numbers(&taken), [7]);
    assert!(!taken[0].redelivered);
}

pub(crate) async fn a_claim_wakes_up_for_a_leg<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let mut claim = claim::<B>(&worker, 0, 8).await;
    let legs = [leg(0, 1)];
    let (taken, ()) = tokio::join!(take(&mut claim, 1), publish::<B>(&gateway, &legs));
    assert_eq!(numbers(&taken), [1]);
}

pub(crate) async fn waiting_may_be_given_up<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let mut claim = claim::<B>(&worker, 0, 1).await;
    for number in 1..=3 {
        quiet("a leg of an empty shard", claim.next()).await;
        publish::<B>(&gateway, &[leg(0, number)]).await;
        let taken = take(&mut claim, 1).await;
        assert_eq!(numbers(&taken), [number], "given up waiting, lost a leg");
        claim.ack(taken[0].tag).await.unwrap();
    }
}

pub(crate) async fn acked_legs_do_not_come_again<B: Broker>(broker: &B) {
    let gateway = broker.gateway("gateway").await;
    let (one, two) = (broker.worker("one").await, broker.worker("two").await);
    publish::<B>(&gateway, &[1, 2, 3].map(|n| leg(0, n))).await;
    let mut first = claim::<B>(&one, 0, 8).await;
    for delivery in take(&mut first, 3).await {
        first.ack(delivery.tag).await.unwrap();
    }
    first.close().await.unwrap();
    publish::<B>(&gateway, &[leg(0, 4)]).await;
    let mut second = claim_soon::<B>(&two, 0).await;
    assert_eq!(numbers(&take(&mut second, 1).await), [4]);
}

pub(crate) async fn an_ack_of_what_is_not_out_is_an_error<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    publish::<B>(&gateway, &[1, 2].map(|n| leg(0, n))).await;
    let mut claim = claim::<B>(&worker, 0, 1).await;
    let taken = take(&mut claim, 1).await;
    assert_refused(claim.ack(taken[0].tag + 1_000).await);
    claim.ack(taken[0].tag).await.unwrap();
    assert_refused(claim.ack(taken[0].tag).await);
    // The claim has not suffered.
    assert_eq!(numbers(&take(&mut claim, 1).await), [2]);
}

pub(crate) async fn a_full_shard_refuses_until_there_is_room<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let length = u8::try_from(topology().shard_length.get()).unwrap();
    let legs: Vec<_> = (0..length).map(|n| leg(0, n)).collect();
    publish::<B>(&gateway, &legs).await;
    assert_refused(soon("an answer", gateway.publish_leg(&leg(0, 200))).await);
    // Others have room still.
    publish::<B>(&gateway, &[leg(1, 201)]).await;
    let mut claim = claim::<B>(&worker, 0, 1).await;
    let taken = take(&mut claim, 1).await;
    claim.ack(taken[0].tag).await.unwrap();
    take(&mut claim, 1).await;
    publish::<B>(&gateway, &[leg(0, 202)]).await;
}

pub(crate) async fn shards_do_not_mix<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    publish::<B>(&gateway, &[leg(3, 3), leg(0, 0), leg(1, 1)]).await;
    for shard in [0, 1, 3] {
        let mut claim = claim::<B>(&worker, shard, 8).await;
        let taken = take(&mut claim, 1).await;
        assert_eq!(taken[0].message.shard.0, shard);
    }
}

pub(crate) async fn legs_arrive_whole<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let sent = [leg(1, 1), samples::rich_leg()];
    publish::<B>(&gateway, &sent).await;
    let zone = samples::zone();
    let mut claim = worker.claim(&zone, sent[0].shard, 8).await.expect("a free shard");
    let taken = take(&mut claim, 2).await;
    assert_eq!(taken.into_iter().map(|d| d.message).collect::<Vec<_>>(), sent);
}
