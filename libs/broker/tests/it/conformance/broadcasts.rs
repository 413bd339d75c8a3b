//! Control messages and live events: best effort, to the right ones, never unbounded.

use futures::future::join_all;
use mailfleet_model::fleet::{Audience, Control, ControlLink, GatewayQueue, WorkerQueue};

use super::{Broker, quiet, soon, topology};
use crate::samples::{self, control, live};

/// Many more messages than any buffer holds.
const FLOOD: u8 = 250;

async fn send<L: ControlLink>(link: &L, message: &Control) {
    soon("a broadcast", link.broadcast(message)).await.expect("a broadcast");
}

async fn heard<L: ControlLink>(link: &L) -> Control {
    soon("a control message", link.next()).await.expect("a live link")
}

pub(crate) async fn a_broadcast_reaches_everybody<B: Broker>(broker: &B) {
    let gateways = [broker.gateway("g1").await, broker.gateway("g2").await];
    let workers = [broker.worker("w1").await, broker.worker("w2").await];
    let (g1, g2) = (gateways[0].control().await.unwrap(), gateways[1].control().await.unwrap());
    let (w1, w2) = (workers[0].control().await.unwrap(), workers[1].control().await.unwrap());
    send(&g1, &control(1)).await;
    assert_eq!([heard(&g1).await, heard(&g2).await], [control(1), control(1)]);
    assert_eq!([heard(&w1).await, heard(&w2).await], [control(1), control(1)]);
    // A link that has gone takes nothing from the others.
    drop(w1);
    send(&w2, &control(2)).await;
    assert_eq!([heard(&g1).await, heard(&g2).await], [control(2), control(2)]);
    assert_eq!(heard(&w2).await, control(2));
}

pub(crate) async fn a_broadcast_wakes_only_those_whom_it_concerns<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let (gateway, worker) = (gateway.control().await.unwrap(), worker.control().await.unwrap());
    for message in samples::every_control() {
        send(&gateway, &message).await;
        send(&worker, &message).await;
        // What comes next at each is this message, where it concerns it, and then the mark.
        send(&gateway, &control(1)).await;
        if message.audience() != Audience::Workers {
            assert_eq!(
                [heard(&gateway).await, heard(&gateway).await],
                [message.clone(), message.clone()]
            );
        }
        if message.audience() != Audience::Gateways {
            assert_eq!([heard(&worker).await, heard(&worker).await], [message.clone(), message]);
        }
        assert_eq!([heard(&gateway).await, heard(&worker).await], [control(1), control(1)]);
    }
}

pub(crate) async fn what_is_told_to_one_worker_reaches_nobody_else<B: Broker>(broker: &B) {
    let (gateway, one) = (broker.gateway("gateway").await, broker.worker("one").await);
    let two = broker.worker("two").await;
    let from = gateway.control().await.unwrap();
    let (to_one, to_two) = (one.control().await.unwrap(), two.control().await.unwrap());
    let tell = |name: &'static str, number| {
        let from = &from;
        async move {
            let (worker, message) = (samples::name(name), control(number));
            soon("telling", from.tell(&worker, &message)).await
        }
    };
    tell("one", 1).await.unwrap();
    assert_eq!(heard(&to_one).await, control(1));
    // A worker that is gone hears nothing, and that is no error.
    tell("gone", 2).await.unwrap();
    send(&from, &control(3)).await;
    for heard in [heard(&to_one).await, heard(&to_two).await, heard(&from).await] {
        assert_eq!(heard, control(3));
    }
}

pub(crate) async fn a_receiver_that_is_interrupted_misses_nothing<B: Broker>(broker: &B) {
    let gateway = broker.gateway("gateway").await;
    let link = gateway.control().await.unwrap();
    // As many in a row as no buffer loses, and often: an interruption has to hit the right moment.
    for _ in 0..FLOOD {
        for number in 0..4 {
            send(&link, &control(number)).await;
        }
        for number in 0..4 {
            let next = async {
                loop {
                    tokio::select! {
                        biased;
                        next = link.next() => break next,
                        () = tokio::task::yield_now() => {}
                    }
                }
            };
            assert_eq!(soon("a control message", next).await, Some(control(number)));
        }
    }
}

pub(crate) async fn messages_that_are_under_way_at_once_arrive_in_order<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let (from, to) = (worker.control().await.unwrap(), gateway.control().await.unwrap());
    for _ in 0..FLOOD / 10 {
        let messages: Vec<Control> = (0..10).map(control).collect();
        // Polled one after the other, each before any has ended.
        let sending = join_all(messages.iter().map(|message| from.broadcast(message)));
        for sent in soon("broadcasts", sending).await {
            sent.expect("a broadcast");
        }
        for message in messages {
            assert_eq!([heard(&to).await, heard(&from).await], [message.clone(), message]);
        }
    }
}

pub(crate) async fn a_slow_receiver_loses_its_own_messages_only<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let (quick, slow) = (gateway.control().await.unwrap(), worker.control().await.unwrap());
    for number in 0..FLOOD {
        send(&quick, &control(number)).await;
        assert_eq!(heard(&quick).await, control(number), "a slow one held up a quick one");
    }
    let mut n_heard = 0;
    // The newest one is never what is lost.
    while heard(&slow).await != control(FLOOD - 1) {
        n_heard += 1;
    }
    // One buffer at the broker, another one at the receiver.
    assert!(n_heard < 2 * topology().buffer_length.get(), "{n_heard} messages were kept");
}

pub(crate) async fn live_events_go_to_their_gateway<B: Broker>(broker: &B) {
    let (one, two) = (broker.gateway("one").await, broker.gateway("two").await);
    let worker = broker.worker("worker").await;
    worker.live(&samples::name("one"), live(1));
    worker.live(&samples::name("two"), live(2));
    assert_eq!(soon("a live event", one.next_live()).await, live(1));
    assert_eq!(soon("a live event", two.next_live()).await, live(2));
    quiet("a second live event", one.next_live()).await;
}

pub(crate) async fn a_slow_gateway_misses_live_events<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    for number in 0..FLOOD {
        worker.live(&samples::name("gateway"), live(number));
    }
    soon("a live event", gateway.next_live()).await;
    let mut n_seen = 1;
    let drained = async {
        loop {
            gateway.next_live().await;
            n_seen += 1;
        }
    };
    quiet("the end of an endless stream", drained).await;
    // One buffer at the worker, one at the broker, one at the gateway.
    assert!(n_seen <= 3 * topology().buffer_length.get(), "{n_seen} events were kept");
}

pub(crate) async fn live_events_for_nobody_are_harmless<B: Broker>(broker: &B) {
    let worker = broker.worker("worker").await;
    worker.live(&samples::name("nobody"), live(1));
    let gateway = broker.gateway("somebody").await;
    worker.live(&samples::name("somebody"), live(2));
    assert_eq!(soon("a live event", gateway.next_live()).await, live(2));
}

pub(crate) async fn control_and_live_events_arrive_whole<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let (from, to) = (gateway.control().await.unwrap(), worker.control().await.unwrap());
    for message in samples::every_control() {
        send(&from, &message).await;
        if message.audience() != Audience::Workers {
            assert_eq!(heard(&from).await, message);
        }
        if message.audience() != Audience::Gateways {
            assert_eq!(heard(&to).await, message);
        }
    }
    worker.live(&samples::name("gateway"), samples::rich_live());
    assert_eq!(soon("a live event", gateway.next_live()).await, samples::rich_live());
}
