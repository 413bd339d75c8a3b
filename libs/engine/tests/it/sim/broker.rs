//! A model broker: durable queues, exclusive consumers, confirms, and all its faults.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use mailfleet_engine::worker::{Claim, ClaimId, Event};
use mailfleet_model::fleet::{Delivery, LegMessage, ShardIndex, WorkerMessage};

use mailfleet_engine::own::Offer;

use super::event::{Epoch, ForBroker, ForGateway, ForWorker, Scheduled};
use super::mutation::Mutation;
use super::world::{SHARDS, World, zone_index};

/// One way over a consuming connection.
pub(crate) const CONNECTION: Duration = Duration::from_millis(3);

#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<(LegMessage, bool)>,
    consumer: Option<Consumer>,
    unacked: BTreeMap<u64, (Consumer, LegMessage)>,
    /// Deleted, and not declared anew yet.
    missing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Consumer {
    worker: usize,
    epoch: Epoch,
    claim: ClaimId,
}

#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) down: bool,
    pub(crate) alarm: bool,
    queues: Vec<Queue>,
    /// The consuming connections that it knows, by worker.
    connections: BTreeSet<(usize, Epoch)>,
    news: VecDeque<(u64, WorkerMessage)>,
    news_out: BTreeMap<u64, (usize, WorkerMessage)>,
    /// What publishers sent while they were blocked.
    blocked: Vec<ForBroker>,
    serial: u64,
}

impl Broker {
    /// So many queues: one for each shard of each zone.
    pub(crate) fn new(queues: usize) -> Self {
        Self {
            down: false,
            alarm: false,
            queues: (0..queues).map(|_| Queue::default()).collect(),
            connections: BTreeSet::new(),
            news: VecDeque::new(),
            news_out: BTreeMap::new(),
            blocked: Vec::new(),
            serial: 0,
        }
    }

    pub(crate) fn connections_of(&self, worker: usize) -> Vec<Epoch> {
        let theirs = self.connections.iter().filter(|(holder, _)| *holder == worker);
        theirs.map(|(_, epoch)| *epoch).collect()
    }
}

impl World {
    pub(crate) fn on_broker(&mut self, event: ForBroker) {
        if self.broker.down {
            return;
        }
        match event {
            ForBroker::Connect(worker, run, epoch) => {
                let same = self.workers[worker].run == run;
                if same && !self.workers[worker].cut_from && !self.workers[worker].cut_to {
                    self.broker.connections.insert((worker, epoch));
                    self.send_worker(worker, epoch, Event::Connected);
                }
            }
            ForBroker::Closed(worker, epoch) => self.connection_closed(worker, epoch),
            ForBroker::Silent(worker, epoch, since) => {
                if self.workers[worker].mute_since() == Some(since) {
                    self.connection_closed(worker, epoch);
                }
            }
            ForBroker::Probe(worker, epoch) => {
                if self.broker.connections.contains(&(worker, epoch)) {
                    self.send_worker(worker, epoch, Event::Probed);
                }
            }
            ForBroker::Claim(worker, epoch, shard, claim) => {
                self.claim(worker, epoch, shard, claim)
            }
            ForBroker::Release(worker, epoch, shard, claim) => {
                let queue = place(self.zone_of_worker(worker), shard);
                self.close_channel(queue, Consumer { worker, epoch, claim });
            }
            ForBroker::Ack(worker, epoch, tag) => {
                if self.broker.connections.contains(&(worker, epoch)) {
                    for queue in &mut self.broker.queues {
                        queue.unacked.remove(&tag);
                    }
                }
            }
            ForBroker::PublishLeg(..) | ForBroker::PublishNews(..) if self.broker.alarm => {
                self.broker.blocked.push(event);
            }
            ForBroker::PublishLeg(gateway, run, message) => {
                self.publish_leg(gateway, run, *message)
            }
            ForBroker::PublishNews(worker, run, message) => {
                self.publish_news(worker, run, *message);
            }
            ForBroker::AckNews(gateway, epoch, id) => {
                if self.gateways[gateway].epoch == epoch {
                    self.broker.news_out.remove(&id);
                }
            }
            ForBroker::GatewaySilent(gateway, since) => {
                if self.gateways[gateway].frozen_since == Some(since) {
                    self.requeue_news(gateway);
                }
            }
        }
    }

    /// Sends to a worker over its consuming connection, if that carries anything.
    pub(crate) fn send_worker(&mut self, worker: usize, epoch: Epoch, event: Event) {
        if self.workers[worker].cut_from {
            self.workers[worker].held_from.push((epoch, event));
            return;
        }
        // One connection keeps its order.
        self.worker_later(worker, CONNECTION, ForWorker::OnConnection(epoch, Box::new(event)));
    }

    fn claim(&mut self, worker: usize, epoch: Epoch, shard: ShardIndex, claim: ClaimId) {
        if !self.broker.connections.contains(&(worker, epoch)) {
            return;
        }
        let index = place(self.zone_of_worker(worker), shard);
        let queue = &mut self.broker.queues[index];
        queue.missing = false;
        let free = queue.consumer.is_none();
        if free {
            queue.consumer = Some(Consumer { worker, epoch, claim });
        }
        let answer = if free { Claim::Ours } else { Claim::Refused };
        self.send_worker(worker, epoch, Event::Claimed(shard, claim, answer));
        self.deliver(index);
    }

    fn deliver(&mut self, index: usize) {
        let (shard, queue) = (shard_at(index), &mut self.broker.queues[index]);
        let Some(consumer) = queue.consumer else { return };
        let mut deliveries = Vec::new();
        for (message, redelivered) in std::mem::take(&mut queue.ready) {
            self.broker.serial += 1;
            let tag = self.broker.serial;
            queue.unacked.insert(tag, (consumer, message.clone()));
            deliveries.push(Delivery { tag, redelivered, message });
        }
        for delivery in deliveries {
            let mut offer = Offer::of(&delivery, None);
            if self.mutation == Some(Mutation::RunRedelivered) {
                offer.redelivered = false;
            }
            let event = Event::Delivered(shard, consumer.claim, offer);
            self.send_worker(consumer.worker, consumer.epoch, event);
        }
    }

    fn close_channel(&mut self, index: usize, consumer: Consumer) {
        let queue = &mut self.broker.queues[index];
        if queue.consumer == Some(consumer) {
            queue.consumer = None;
        }
        let theirs: Vec<u64> = queue
            .unacked
            .iter()
            .filter(|(_, (holder, _))| *holder == consumer)
            .map(|(tag, _)| *tag)
            .collect();
        for tag in theirs.into_iter().rev() {
            let (_, message) = queue.unacked.remove(&tag).expect("just found");
            queue.ready.push_front((message, true));
        }
        self.deliver(index);
    }

    /// What `basic.cancel` does: the lock is free at once, and what was delivered stays out.
    pub(crate) fn cancel_consumers(&mut self, worker: usize) {
        for index in 0..self.broker.queues.len() {
            let consumer = &mut self.broker.queues[index].consumer;
            consumer.take_if(|consumer| consumer.worker == worker);
        }
    }

    fn connection_closed(&mut self, worker: usize, epoch: Epoch) {
        if !self.broker.connections.contains(&(worker, epoch)) {
            return;
        }
        self.broker.connections.remove(&(worker, epoch));
        for index in 0..self.broker.queues.len() {
            let queue = &self.broker.queues[index];
            let holders = queue.unacked.values().map(|(holder, _)| *holder).chain(queue.consumer);
            let mut theirs: Vec<Consumer> =
                holders.filter(|c| c.worker == worker && c.epoch == epoch).collect();
            theirs.dedup();
            for consumer in theirs {
                self.close_channel(index, consumer);
            }
        }
        self.send_worker(worker, epoch, Event::ConnectionLost);
    }

    fn publish_leg(&mut self, gateway: usize, run: u64, message: LegMessage) {
        let (leg, dispatch, shard) = (message.leg, message.dispatch, message.shard);
        let index = place(zone_index(&message.group.zone), shard);
        let queue = &mut self.broker.queues[index];
        if queue.missing {
            // Returned as unroutable; the adapter declares the queue anew.
            queue.missing = false;
            return;
        }
        queue.ready.push_back((message, false));
        self.deliver(index);
        if !self.lose_confirms && self.gateways[gateway].run == run {
            let after = self.hop();
            self.gateway_later(gateway, after, ForGateway::Confirmed(leg, dispatch));
        }
    }

    fn publish_news(&mut self, worker: usize, run: u64, message: WorkerMessage) {
        self.broker.serial += 1;
        self.broker.news.push_back((self.broker.serial, message.clone()));
        self.deliver_news();
        if self.workers[worker].run != run {
            return;
        }
        if !self.lose_confirms && !self.workers[worker].cut_from {
            let after = self.hop();
            self.worker_later(worker, after, ForWorker::PublishConfirmed(Box::new(message)));
        }
    }

    pub(crate) fn deliver_news(&mut self) {
        let ready = |world: &Self| -> Vec<usize> {
            let alive = world.gateways.iter().enumerate().filter(|(_, g)| g.alive);
            alive.map(|(index, _)| index).collect()
        };
        while !self.broker.down && !self.broker.news.is_empty() {
            let gateways = ready(self);
            if gateways.is_empty() {
                return;
            }
            let gateway = gateways[self.random.index(gateways.len())];
            let (id, message) = self.broker.news.pop_front().expect("not empty");
            self.broker.news_out.insert(id, (gateway, message.clone()));
            let (epoch, after) = (self.gateways[gateway].epoch, self.hop());
            let news = ForGateway::News(id, epoch, Box::new(message.clone()));
            self.note_stale_view(id, message.leg.job);
            self.gateway_later(gateway, after, news);
        }
    }

    /// A gateway's connection is gone: what it had not acked goes to the others.
    pub(crate) fn requeue_news(&mut self, gateway: usize) {
        self.gateways[gateway].epoch += 1;
        let theirs: Vec<u64> = self
            .broker
            .news_out
            .iter()
            .filter(|(_, (holder, _))| *holder == gateway)
            .map(|(id, _)| *id)
            .collect();
        for id in theirs.into_iter().rev() {
            let (_, message) = self.broker.news_out.remove(&id).expect("just found");
            self.broker.news.push_front((id, message));
        }
        self.deliver_news();
    }

    pub(crate) fn broker_stops(&mut self) {
        for (worker, epoch) in self.broker.connections.clone() {
            self.connection_closed(worker, epoch);
        }
        self.broker.down = true;
        for worker in self.workers.iter_mut().filter(|worker| worker.cut_from) {
            worker.unknown = true;
        }
        for gateway in 0..self.gateways.len() {
            self.requeue_news(gateway);
        }
    }

    pub(crate) fn broker_starts(&mut self) {
        self.broker.down = false;
        self.deliver_news();
    }

    pub(crate) fn alarm_ends(&mut self) {
        self.broker.alarm = false;
        for event in std::mem::take(&mut self.broker.blocked) {
            self.on_broker(event);
        }
    }

    pub(crate) fn delete_queue(&mut self, index: u16) {
        let queue = &mut self.broker.queues[usize::from(index)];
        let consumer = queue.consumer;
        *queue = Queue { missing: true, ..Queue::default() };
        if let Some(Consumer { worker, epoch, claim }) = consumer {
            self.send_worker(worker, epoch, Event::ClaimLost(ShardIndex(index), claim));
        }
    }

    /// Everything is there twice.
    pub(crate) fn duplicate(&mut self) {
        for index in 0..self.broker.queues.len() {
            let queue = &mut self.broker.queues[index];
            let out = queue.unacked.values().map(|(_, message)| (message.clone(), false));
            let copies: Vec<(LegMessage, bool)> = out.chain(queue.ready.iter().cloned()).collect();
            queue.ready.extend(copies);
            self.deliver(index);
        }
    }

    /// The broker hears nothing of a worker: it waits two to three heartbeats.
    pub(crate) fn begin_silence(&mut self, worker: usize) {
        let Some(since) = self.workers[worker].mute_since() else { return };
        let epoch = self.workers[worker].epoch();
        let heartbeat = self.rules.hold.heartbeat;
        let patience = heartbeat * 2 + self.random.millis(0, 10_000);
        let at: Duration = since + patience;
        self.at(at, Scheduled::Broker(ForBroker::Silent(worker, epoch, since)));
    }
}

/// The queue of a shard of a zone.
fn place(zone: usize, shard: ShardIndex) -> usize {
    zone * usize::from(SHARDS.get()) + usize::from(shard.0)
}

/// The shard of a queue.
fn shard_at(index: usize) -> ShardIndex {
    ShardIndex(u16::try_from(index).expect("few") % SHARDS.get())
}
