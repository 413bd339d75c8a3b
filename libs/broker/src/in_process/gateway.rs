//! The gateway's side of the broker in this process.

use std::sync::Arc;

use mailfleet_model::fleet::{
    GatewayId, GatewayQueue, LegMessage, Live, NewsDelivery, NewsSource, Notice, QueueError,
    WorkerMessage, WorkerNews,
};

use super::queue::{Sharing, Subscription};
use super::{Hub, InProcessLink, Unroutable, refused, settle};

/// Most news that one gateway works on at once.
const NEWS_PREFETCH: u16 = 256;

/// The gateway's side. Live events stop when it is dropped; streams and links that came
/// from it go on.
#[derive(Debug)]
pub struct InProcessGateway {
    hub: Arc<Hub>,
    id: GatewayId,
    live: async_channel::Receiver<Live>,
}

impl InProcessGateway {
    pub(super) fn new(hub: Arc<Hub>, id: GatewayId) -> Self {
        let (sender, live) = async_channel::bounded(hub.buffer_length);
        hub.live().insert(id.clone(), sender);
        Self { hub, id, live }
    }
}

impl Drop for InProcessGateway {
    fn drop(&mut self) {
        self.live.close();
        let mut live = self.hub.live();
        // A later gateway of the same name keeps its own.
        if live.get(&self.id).is_some_and(async_channel::Sender::is_closed) {
            live.remove(&self.id);
        }
    }
}

impl GatewayQueue for InProcessGateway {
    type News = InProcessNews;
    type Link = InProcessLink;

    async fn publish_leg(&self, message: &LegMessage) -> Result<(), QueueError> {
        const OPERATION: &str = "publish a leg";
        let queue = self.hub.shard(&message.group.zone, message.shard);
        let queue = queue.ok_or_else(|| refused(OPERATION, Unroutable))?;
        queue.push(message.clone()).map_err(|full| refused(OPERATION, full))
    }

    /// Nobody outside could bind a queue in here: such a gateway's services watch its stream.
    async fn publish_notice(&self, _: &Notice) -> Result<(), QueueError> {
        Ok(())
    }

    async fn news(&self) -> Result<InProcessNews, QueueError> {
        let news = self.hub.news.consume(Sharing::Shared, NEWS_PREFETCH);
        Ok(InProcessNews(news.expect("news are never consumed exclusively")))
    }

    async fn control(&self) -> Result<InProcessLink, QueueError> {
        Ok(InProcessLink::join(&self.hub, None))
    }

    async fn next_live(&self) -> Live {
        match self.live.recv().await {
            Ok(live) => live,
            // Another gateway has taken the name: nothing comes here any more.
            Err(async_channel::RecvError) => std::future::pending().await,
        }
    }
}

/// Workers' news, shared with all other gateways.
#[derive(Debug)]
pub struct InProcessNews(Subscription<WorkerMessage>);

impl NewsSource for InProcessNews {
    async fn next(&mut self) -> Option<NewsDelivery> {
        let delivered = self.0.next().await?;
        let news = WorkerNews::Message(Box::new(delivered.message));
        Some(NewsDelivery { tag: delivered.tag, news })
    }

    async fn ack(&mut self, tag: u64) -> Result<(), QueueError> {
        settle("ack a worker's news", self.0.ack(tag))
    }
}
