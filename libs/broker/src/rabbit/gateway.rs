//! The gateway's side of RabbitMQ.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::notice::{EVENT, to_bytes};
use mailfleet_api::queue::{Read, leg_to_bytes, live_from_bytes, news_from_bytes};
use mailfleet_model::fleet::{
    GatewayId, GatewayQueue, LegMessage, Live, NewsDelivery, NewsSource, Notice, QueueError,
    WorkerNews,
};
use tokio::sync::Mutex;

use super::inbox::Inbox;
use super::intake::{Intake, Sharing, header};
use super::line::Line;
use super::publish::{About, Care, Publication, Publisher};
use super::topology::routing_key;
use super::trouble::{Trouble, bounded};
use super::{RabbitLink, Settings};

/// Most news that one gateway works on at once.
const NEWS_PREFETCH: u16 = 256;

/// Pause before the gateway's own queue is made anew after it could not be: the broker may
/// still hold the old one for a connection that it has not missed yet.
const INBOX_PAUSE: Duration = Duration::from_secs(1);

/// Where live events come in.
#[derive(Default)]
struct LiveInbox {
    open: Option<Inbox>,
    /// What came with the last message and was not handed out yet.
    read: VecDeque<Live>,
}

/// The gateway's side: three connections, for what it consumes, publishes and overhears.
pub struct RabbitGateway {
    settings: Arc<Settings>,
    id: GatewayId,
    consume: Arc<Line>,
    publisher: Arc<Publisher>,
    control: Arc<Line>,
    live: Mutex<LiveInbox>,
}

impl RabbitGateway {
    pub(super) async fn open(settings: &Arc<Settings>, id: GatewayId) -> Result<Self, QueueError> {
        let line = |purpose| Line::new(settings, id.as_str(), purpose);
        let gateway = Self {
            settings: Arc::clone(settings),
            consume: line("consume"),
            publisher: settings.publisher(line("publish")),
            control: line("control"),
            live: Mutex::default(),
            id,
        };
        let opening = async {
            let wire = gateway.publisher.line().wire().await?;
            settings.names.declare(&wire, &settings.topology).await?;
            gateway.live.lock().await.open = Some(gateway.open_inbox().await?);
            Ok(())
        };
        bounded("open a gateway's queues", settings.deadline, opening).await?;
        Ok(gateway)
    }

    async fn open_inbox(&self) -> Result<Inbox, Trouble> {
        let wire = self.control.wire().await?;
        let name = self.settings.names.live(&self.id);
        Inbox::open(wire, &name, self.settings.topology.buffer_length.get(), &[]).await
    }
}

impl GatewayQueue for RabbitGateway {
    type News = RabbitNews;
    type Link = RabbitLink;

    async fn publish_leg(&self, message: &LegMessage) -> Result<(), QueueError> {
        let (settings, zone) = (&self.settings, &message.group.zone);
        let publishing = async {
            if !settings.topology.has(zone, message.shard) {
                return Err(Trouble::Unroutable);
            }
            let queue = settings.names.shard(zone, message.shard);
            let (body, traceparent) = (leg_to_bytes(message), message.traceparent.as_deref());
            let published = self.publisher.durable(&queue, &body, traceparent).await;
            if matches!(published, Err(Trouble::Unroutable)) {
                // Somebody deleted it: the next publication finds it again.
                let wire = self.publisher.line().wire().await?;
                settings
                    .names
                    .declare_shard(&wire, &settings.topology, zone, message.shard)
                    .await?;
            }
            published
        };
        bounded("publish a leg", settings.deadline, publishing).await
    }

    async fn publish_notice(&self, notice: &Notice) -> Result<(), QueueError> {
        let settings = &self.settings;
        let publishing = async {
            let (exchange, key) = (settings.names.events(), routing_key(notice));
            let (body, id) = (to_bytes(notice), notice.id.0.to_string());
            let seconds = notice.at.0 / 1_000_000;
            let publication = Publication {
                exchange: &exchange,
                key: &key,
                body: &body,
                traceparent: notice.traceparent.as_deref(),
                care: Care::Offered,
                about: Some(About { id: &id, kind: EVENT, seconds }),
            };
            let published = self.publisher.publish(publication).await;
            if published.as_ref().is_err_and(Trouble::is_missing) {
                // Somebody deleted it: the next publication finds it again.
                let wire = self.publisher.line().wire().await?;
                settings.names.declare_exchanges(&wire).await?;
            }
            published
        };
        bounded("publish an event", settings.deadline, publishing).await
    }

    async fn news(&self) -> Result<RabbitNews, QueueError> {
        let opening = async {
            let wire = self.consume.wire().await?;
            let queue = self.settings.names.news();
            match Intake::open(Arc::clone(&wire), &queue, NEWS_PREFETCH, Sharing::Shared).await {
                Err(trouble) if trouble.is_missing() => {
                    self.settings.names.declare(&wire, &self.settings.topology).await?;
                    Intake::open(wire, &queue, NEWS_PREFETCH, Sharing::Shared).await
                }
                opened => opened,
            }
        };
        let intake = bounded("consume workers' news", self.settings.deadline, opening).await?;
        Ok(RabbitNews { intake, deadline: self.settings.deadline })
    }

    async fn control(&self) -> Result<RabbitLink, QueueError> {
        RabbitLink::join(&self.settings, &self.control, &self.publisher, None).await
    }

    async fn next_live(&self) -> Live {
        let mut inbox = self.live.lock().await;
        loop {
            if let Some(live) = inbox.read.pop_front() {
                return live;
            }
            let Some(open) = inbox.open.as_ref() else {
                match tokio::time::timeout(self.settings.deadline, self.open_inbox()).await {
                    Ok(Ok(opened)) => inbox.open = Some(opened),
                    Ok(Err(_)) | Err(_) => tokio::time::sleep(INBOX_PAUSE).await,
                }
                continue;
            };
            match open.next().await.map(|body| live_from_bytes(&body)) {
                Some(Ok(events)) => inbox.read.extend(events),
                Some(Err(error)) => tracing::warn!(why = error.what, "broker.live.unreadable"),
                None => inbox.open = None,
            }
        }
    }
}

/// Workers' news, shared with all other gateways.
pub struct RabbitNews {
    intake: Intake,
    deadline: Duration,
}

impl NewsSource for RabbitNews {
    async fn next(&mut self) -> Option<NewsDelivery> {
        let delivery = self.intake.next().await?;
        let why = match news_from_bytes(&delivery.data, header(&delivery, "traceparent")) {
            Ok(Read::Known(message)) => {
                let news = WorkerNews::Message(Box::new(message));
                return Some(NewsDelivery { tag: self.intake.hand_out(delivery), news });
            }
            // A newer worker's: it waits among the dead letters for gateways that know it.
            Ok(Read::UnknownKind) => "it is of an unknown kind",
            Err(error) => error.what,
        };
        let tag = self.intake.set_aside(delivery, why).await.ok()?;
        Some(NewsDelivery { tag, news: WorkerNews::Unreadable })
    }

    async fn ack(&mut self, tag: u64) -> Result<(), QueueError> {
        bounded("ack a worker's news", self.deadline, self.intake.ack(tag)).await
    }
}
