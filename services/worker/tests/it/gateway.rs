//! A gateway that says yes, and remembers what it has seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use mailfleet_model::fleet::{
    Announcement, Control, ControlLink, GatewayQueue, GroupLimits, GroupSettings, LegEnd, LegId,
    Live, NewsSource, Outcome, PeerSide, PeerWord, Returned, StartAnswer, WorkerId, WorkerMessage,
    WorkerNews, WorkerQueue,
};
use tokio::sync::watch;

/// What the gateway has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) news: Vec<WorkerMessage>,
    pub(crate) live: Vec<Live>,
    pub(crate) announced: BTreeMap<WorkerId, Announcement>,
    pub(crate) words: Vec<(PeerSide, PeerWord)>,
    pub(crate) states: Vec<Control>,
}

impl Seen {
    /// How a leg ended, once it has.
    pub(crate) fn end(&self, leg: LegId) -> Option<LegEnd> {
        self.news.iter().filter(|news| news.leg == leg).find_map(|news| match &news.outcome {
            Outcome::Ended(end) => Some(end.clone()),
            Outcome::Returned(_) | Outcome::MayStart { .. } => None,
        })
    }

    /// Why a leg came back, once it has.
    pub(crate) fn returned(&self, leg: LegId) -> Option<Returned> {
        self.news.iter().filter(|news| news.leg == leg).find_map(|news| match &news.outcome {
            Outcome::Returned(returned) => Some(returned.clone()),
            Outcome::Ended(_) | Outcome::MayStart { .. } => None,
        })
    }

    pub(crate) fn n_ended(&self) -> usize {
        self.news.iter().filter(|news| matches!(news.outcome, Outcome::Ended(_))).count()
    }
}

/// Answers workers that ask for settings.
pub(crate) async fn control<L: ControlLink>(
    link: Arc<L>,
    seen: Arc<watch::Sender<Seen>>,
    default: GroupLimits,
    groups: Vec<GroupSettings>,
) {
    while let Some(control) = link.next().await {
        match control {
            Control::SettingsWanted { zone, shard, .. } => {
                let snapshot = Control::Snapshot {
                    zone,
                    shard,
                    default,
                    groups: groups.clone(),
                    last_owner: None,
                };
                link.broadcast(&snapshot).await.expect("the broker is there");
            }
            Control::Announce(said) => {
                seen.send_modify(|seen| drop(seen.announced.insert(said.worker.clone(), said)));
            }
            state @ Control::State { .. } => seen.send_modify(|seen| seen.states.push(state)),
            _ => {}
        }
    }
}

/// Overhears, as a worker that has no part in it, what legs tell each other.
pub(crate) async fn words<Q: WorkerQueue>(bystander: Q, seen: Arc<watch::Sender<Seen>>) {
    let link = bystander.control().await.expect("in this process");
    while let Some(control) = link.next().await {
        if let Control::Peer { side, word, .. } = control {
            seen.send_modify(|seen| seen.words.push((side, word)));
        }
    }
}

/// Lets every leg start.
pub(crate) async fn news<G: GatewayQueue>(
    gateway: Arc<G>,
    link: Arc<G::Link>,
    seen: Arc<watch::Sender<Seen>>,
) {
    let mut news = gateway.news().await.expect("the broker is there");
    while let Some(delivery) = news.next().await {
        if let WorkerNews::Message(message) = delivery.news {
            if let Outcome::MayStart { .. } = message.outcome {
                let (leg, dispatch, answer) = (message.leg, message.dispatch, StartAnswer::Go);
                let start = Control::Start { leg, dispatch, answer };
                link.tell(&message.worker, &start).await.expect("the broker is there");
            }
            seen.send_modify(|seen| seen.news.push(*message));
        }
        news.ack(delivery.tag).await.expect("it is out");
    }
}

/// Takes live events.
pub(crate) async fn live<G: GatewayQueue>(gateway: Arc<G>, seen: Arc<watch::Sender<Seen>>) {
    loop {
        let live = gateway.next_live().await;
        seen.send_modify(|seen| seen.live.push(live));
    }
}
