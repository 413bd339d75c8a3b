//! What every broker must do, as tests that know only the port.
//!
//! A broker passes by implementing [`Broker`] and naming itself in [`suite!`]. What only
//! one broker can do (being killed, being cut off) is tested beside that broker.

pub(crate) mod broadcasts;
pub(crate) mod claims;
pub(crate) mod endings;
pub(crate) mod news;

use std::future::Future;
use std::num::{NonZeroU16, NonZeroUsize};
use std::time::{Duration, Instant};

use mailfleet_broker::Topology;
use mailfleet_model::fleet::{
    ClaimError, Delivery, GatewayQueue, LegMessage, QueueError, ShardClaim, ShardIndex, WorkerQueue,
};

use crate::samples;

/// Longest that anything may take: what fails takes this long, what works does not.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long nothing must come before a test believes that nothing will. Too short a time
/// could only let a fault pass, never fail a sound broker.
const QUIET: Duration = Duration::from_millis(100);

/// A way to have a broker of one's own.
pub(crate) trait Broker: Sized {
    /// The gateway's side.
    type Gateway: GatewayQueue;
    /// The worker's side.
    type Worker: WorkerQueue;

    /// An empty broker with [`topology`]; `None` where there can be none, after saying why.
    async fn start() -> Option<Self>;

    /// Removes what the test has left.
    async fn stop(self);

    /// A gateway of that name.
    async fn gateway(&self, name: &str) -> Self::Gateway;

    /// A worker of that name.
    async fn worker(&self, name: &str) -> Self::Worker;
}

/// The claim that a broker's workers make.
pub(crate) type Claim<B> = <<B as Broker>::Worker as WorkerQueue>::Claim;

/// Few shards and short queues, so that bounds are met soon.
pub(crate) fn topology() -> Topology {
    Topology {
        shards: NonZeroU16::new(4).expect("not zero"),
        shard_length: NonZeroUsize::new(16).expect("not zero"),
        news_length: NonZeroUsize::new(32).expect("not zero"),
        buffer_length: NonZeroUsize::new(16).expect("not zero"),
        ..Topology::new(vec![samples::zone()])
    }
}

/// Runs every test of the suite against one broker.
macro_rules! suite {
    ($broker:ty) => {
        $crate::conformance::suite!(@module claims $broker:
            a_held_shard_is_refused_to_everybody_else,
            what_was_out_comes_back_first_and_in_order,
            a_dropped_claim_gives_back_what_was_out,
            no_more_than_the_prefetch_is_out,
            a_leg_without_a_queue_is_refused,
            a_leg_waits_for_an_owner,
            a_claim_wakes_up_for_a_leg,
            waiting_may_be_given_up,
            acked_legs_do_not_come_again,
            an_ack_of_what_is_not_out_is_an_error,
            a_full_shard_refuses_until_there_is_room,
            shards_do_not_mix,
            legs_arrive_whole,
        );
        $crate::conformance::suite!(@module news $broker:
            news_that_was_acked_does_not_come_again,
            news_that_was_not_acked_comes_to_another_gateway,
            gateways_share_the_news,
            full_news_is_refused_until_there_is_room,
            an_ack_of_what_is_not_out_is_an_error,
            news_arrives_whole,
        );
        $crate::conformance::suite!(@module broadcasts $broker:
            a_broadcast_reaches_everybody,
            a_broadcast_wakes_only_those_whom_it_concerns,
            what_is_told_to_one_worker_reaches_nobody_else,
            messages_that_are_under_way_at_once_arrive_in_order,
            a_slow_receiver_loses_its_own_messages_only,
            a_receiver_that_is_interrupted_misses_nothing,
            live_events_go_to_their_gateway,
            a_slow_gateway_misses_live_events,
            live_events_for_nobody_are_harmless,
            control_and_live_events_arrive_whole,
        );
        $crate::conformance::suite!(@module endings $broker:
            an_abort_loses_every_claim_at_once,
            an_aborted_worker_may_claim_again,
            a_stale_ack_is_noticed,
            a_dropped_worker_loses_its_claims,
            a_probe_is_answered,
            nothing_is_left_running,
        );
    };
    (@module $module:ident $broker:ty: $($name:ident,)+) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                use $crate::conformance::{Broker, $module};
                let Some(broker) = <$broker>::start().await else { return };
                $module::$name(&broker).await;
                broker.stop().await;
            })+
        }
    };
}
pub(crate) use suite;

/// Waits for what must come.
#[track_caller]
pub(crate) fn soon<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let waited = tokio::time::timeout(PATIENCE, future);
    async move { waited.await.unwrap_or_else(|_| panic!("{what}: nothing came")) }
}

/// Holds that nothing comes.
pub(crate) async fn quiet<F: Future>(what: &str, future: F) {
    assert!(tokio::time::timeout(QUIET, future).await.is_err(), "{what}: something came");
}

pub(crate) async fn claim<B: Broker>(worker: &B::Worker, shard: u16, prefetch: u16) -> Claim<B> {
    try_claim::<B>(worker, shard, prefetch).await.expect("a free shard")
}

pub(crate) async fn try_claim<B: Broker>(
    worker: &B::Worker,
    shard: u16,
    prefetch: u16,
) -> Result<Claim<B>, ClaimError> {
    soon("a claim", worker.claim(&samples::zone(), ShardIndex(shard), prefetch)).await
}

/// Claims a shard that is just becoming free, or a worker's connection that is just coming
/// back: over a network neither is known at once.
pub(crate) async fn claim_soon<B: Broker>(worker: &B::Worker, shard: u16) -> Claim<B> {
    let began = Instant::now();
    loop {
        match try_claim::<B>(worker, shard, 8).await {
            Ok(claim) => return claim,
            Err(error) => assert!(began.elapsed() < PATIENCE, "no claim: {error:?}"),
        }
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn publish<B: Broker>(gateway: &B::Gateway, legs: &[LegMessage]) {
    for leg in legs {
        soon("a confirm", gateway.publish_leg(leg)).await.expect("a confirmed leg");
    }
}

/// The next `n` deliveries.
pub(crate) async fn take<C: ShardClaim>(claim: &mut C, n: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    for _ in 0..n {
        taken.push(soon("a leg", claim.next()).await.expect("a live claim"));
    }
    taken
}

/// The numbers of the legs that were delivered.
pub(crate) fn numbers(deliveries: &[Delivery]) -> Vec<u8> {
    deliveries.iter().map(|delivery| delivery.leg().index).collect()
}

#[track_caller]
pub(crate) fn assert_refused<T>(result: Result<T, QueueError>) {
    match result {
        Err(QueueError::Refused { .. }) => {}
        Err(error) => panic!("not refused: {error:?}"),
        Ok(_) => panic!("not refused, but done"),
    }
}
