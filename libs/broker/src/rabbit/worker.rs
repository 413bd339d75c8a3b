//! The worker's side of RabbitMQ.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use lapin::Channel;
use mailfleet_api::queue::{MOST_LIVE, leg_from_bytes, live_to_bytes, news_to_bytes};
use mailfleet_model::fleet::{
    ClaimError, Delivery, GatewayId, Live, QueueError, ShardClaim, ShardIndex, WorkerId,
    WorkerMessage, WorkerQueue, ZoneName,
};
use tokio::task::JoinSet;

use super::intake::{Intake, Sharing, header};
use super::line::Line;
use super::publish::{Care, Publication, Publisher};
use super::trouble::{Trouble, bounded};
use super::{RabbitLink, Settings};

/// How long a live event waits for others: too short to be seen by a person.
const MOMENT: Duration = Duration::from_millis(20);

/// The worker's side: three connections, for what it consumes, publishes and overhears.
/// Its claims end when it is dropped.
pub struct RabbitWorker {
    settings: Arc<Settings>,
    id: WorkerId,
    consume: Arc<Line>,
    publisher: Arc<Publisher>,
    control: Arc<Line>,
    live: Sender<(GatewayId, Live)>,
    /// Sends live events; ends with the worker.
    _tasks: JoinSet<()>,
}

impl RabbitWorker {
    pub(super) async fn open(settings: &Arc<Settings>, id: WorkerId) -> Result<Self, QueueError> {
        let line = |purpose| Line::new(settings, id.as_str(), purpose);
        let publisher = settings.publisher(line("publish"));
        let (live, events) = async_channel::bounded(settings.topology.buffer_length.get());
        let mut tasks = JoinSet::new();
        tasks.spawn(send_live(Arc::clone(settings), Arc::clone(publisher.line()), events));
        let worker = Self {
            settings: Arc::clone(settings),
            consume: line("consume"),
            publisher,
            control: line("control"),
            live,
            _tasks: tasks,
            id,
        };
        worker.connect().await?;
        Ok(worker)
    }

    /// `None`: somebody else holds it.
    async fn try_claim(
        &self,
        zone: &ZoneName,
        shard: ShardIndex,
        prefetch: u16,
    ) -> Result<Option<Intake>, Trouble> {
        let settings = &self.settings;
        if !settings.topology.has(zone, shard) {
            return Err(Trouble::Unroutable);
        }
        let wire = self.consume.wire().await?;
        let queue = settings.names.shard(zone, shard);
        let mut opened =
            Intake::open(Arc::clone(&wire), &queue, prefetch, Sharing::Exclusive).await;
        if opened.as_ref().is_err_and(Trouble::is_missing) {
            settings.names.declare_shard(&wire, &settings.topology, zone, shard).await?;
            opened = Intake::open(wire, &queue, prefetch, Sharing::Exclusive).await;
        }
        match opened {
            Ok(intake) => Ok(Some(intake)),
            Err(trouble) if trouble.is_in_exclusive_use() => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }
}

impl Drop for RabbitWorker {
    fn drop(&mut self) {
        // Claims that are still there hold the connection; nothing else may keep a lock.
        if self.consume.live().is_some_and(|wire| !wire.held().is_empty()) {
            self.consume.kill();
        }
    }
}

impl WorkerQueue for RabbitWorker {
    type Claim = RabbitClaim;
    type Link = RabbitLink;

    async fn connect(&self) -> Result<(), QueueError> {
        let connecting = async { self.consume.wire().await.map(drop) };
        bounded("connect a worker", self.settings.deadline, connecting).await
    }

    async fn claim(
        &self,
        zone: &ZoneName,
        shard: ShardIndex,
        prefetch: u16,
    ) -> Result<RabbitClaim, ClaimError> {
        let deadline = self.settings.deadline;
        match bounded("claim a shard", deadline, self.try_claim(zone, shard, prefetch)).await? {
            Some(intake) => Ok(RabbitClaim { intake, deadline }),
            None => Err(ClaimError::Held),
        }
    }

    async fn probe(&self) -> Result<(), QueueError> {
        // Never makes a connection: a new one would say nothing about the claims.
        let wire = self.consume.live();
        let probing = async {
            let wire = wire.ok_or(Trouble::Ended)?;
            wire.probe(&self.settings.names.news()).await
        };
        bounded("answer a probe", self.settings.deadline, probing).await
    }

    async fn abort(&self) {
        self.consume.kill();
    }

    async fn publish(&self, message: &WorkerMessage) -> Result<(), QueueError> {
        let settings = &self.settings;
        let publishing = async {
            let (queue, body) = (settings.names.news(), news_to_bytes(message));
            let traceparent = message.traceparent.as_deref();
            let published = self.publisher.durable(&queue, &body, traceparent).await;
            if matches!(published, Err(Trouble::Unroutable)) {
                let wire = self.publisher.line().wire().await?;
                settings.names.declare_news(&wire, &settings.topology).await?;
            }
            published
        };
        bounded("publish a worker's news", settings.deadline, publishing).await
    }

    fn live(&self, gateway: &GatewayId, live: Live) {
        // Full: best effort.
        drop(self.live.try_send((gateway.clone(), live)));
    }

    async fn control(&self) -> Result<RabbitLink, QueueError> {
        RabbitLink::join(&self.settings, &self.control, &self.publisher, Some(&self.id)).await
    }
}

/// Sends live events until the worker is dropped. Unconfirmed, on a channel of its own:
/// waiting for the broker's word on each would be slower than a busy worker's steps.
///
/// What happens within a moment goes together. A leg has about thirty steps, and as messages of
/// their own they would be most of what the broker, the worker and the gateway have to do.
async fn send_live(settings: Arc<Settings>, line: Arc<Line>, events: Receiver<(GatewayId, Live)>) {
    let mut channel = None;
    while let Ok((gateway, live)) = events.recv().await {
        tokio::time::sleep(MOMENT).await;
        let mut together = BTreeMap::from([(gateway, vec![live])]);
        for (gateway, live) in std::iter::from_fn(|| events.try_recv().ok()).take(MOST_LIVE - 1) {
            together.entry(gateway).or_default().push(live);
        }
        for (gateway, live) in &together {
            let Some((first, more)) = live.split_first() else { continue };
            let (queue, body) = (settings.names.live(gateway), live_to_bytes(first, more));
            let sent = send_one(&line, &mut channel, Publication::best_effort(&queue, &body));
            if !matches!(tokio::time::timeout(settings.deadline, sent).await, Ok(Ok(()))) {
                channel = None;
            }
        }
    }
}

async fn send_one(
    line: &Line,
    channel: &mut Option<Channel>,
    publication: Publication<'_>,
) -> Result<(), Trouble> {
    let wire = line.wire().await?;
    if wire.is_blocked() {
        // The client would keep it in memory for as long as the alarm lasts.
        return Ok(());
    }
    let open = match channel.take().filter(|channel| channel.status().connected()) {
        Some(open) => open,
        None => wire.channel().await?,
    };
    debug_assert!(publication.care == Care::BestEffort, "nobody looks at what comes back");
    let sent = open.basic_publish(
        publication.exchange.into(),
        publication.key.into(),
        publication.options(),
        publication.body,
        publication.properties(),
    );
    wire.within(async { sent.await.map(drop) }).await?;
    *channel = Some(open);
    Ok(())
}

/// A claimed shard. Given up when dropped.
pub struct RabbitClaim {
    intake: Intake,
    deadline: Duration,
}

impl ShardClaim for RabbitClaim {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            let delivery = self.intake.next().await?;
            match leg_from_bytes(&delivery.data, header(&delivery, "traceparent")) {
                Ok(message) => {
                    let redelivered = delivery.redelivered;
                    let tag = self.intake.hand_out(delivery);
                    return Some(Delivery { tag, redelivered, message });
                }
                Err(error) => {
                    let tag = self.intake.set_aside(delivery, error.what).await.ok()?;
                    self.intake.forget(tag);
                }
            }
        }
    }

    async fn ack(&mut self, tag: u64) -> Result<(), QueueError> {
        bounded("ack a leg", self.deadline, self.intake.ack(tag)).await
    }

    async fn close(self) -> Result<(), QueueError> {
        bounded("give a shard up", self.deadline, self.intake.close()).await
    }
}
