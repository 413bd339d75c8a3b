//! What is scheduled.

use mailfleet_engine::batch::Ask;
use mailfleet_engine::collect::Event as JobEvent;
use mailfleet_engine::worker::{ClaimId, Event as WorkerEvent};
use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Control, Dispatch, GroupId, LegId, LegMessage, LegRecord, ShardIndex, StartRule, WorkerMessage,
};

use super::history::Steer;

/// The consuming connection of a worker: numbered, so that what belongs to a lost one is
/// recognised.
pub(crate) type Epoch = u64;

#[derive(Debug, Clone)]
pub(crate) enum Scheduled {
    Fault(usize),
    Heal(usize),
    Client(Client),
    /// A gateway, and which run of it.
    Gateway(usize, u64, ForGateway),
    /// A worker, and which run of it.
    Worker(usize, u64, ForWorker),
    Broker(ForBroker),
    /// A mail server sees a session end.
    SessionClosed(u64),
}

#[derive(Debug, Clone)]
pub(crate) enum Client {
    Submit(usize),
    Cancel(usize),
    /// Uploads a batch.
    Upload(usize),
    /// Looks after a batch.
    Nurse(usize),
    Steer(usize, Steer),
}

#[derive(Debug, Clone)]
pub(crate) enum ForGateway {
    Tick,
    Submit(usize),
    News(u64, Epoch, Box<WorkerMessage>),
    Advance(JobId, Box<JobEvent>),
    Dispatch(GroupId),
    /// A released leg, and when that was committed.
    Publish(Box<LegRecord>, StartRule, std::time::Duration),
    Confirmed(LegId, Dispatch),
    Heard(Box<Control>),
    /// Some items of an upload.
    Upload(usize, usize),
    Ask(usize, Box<Ask>),
    Redrive(usize),
}

#[derive(Debug, Clone)]
pub(crate) enum ForWorker {
    Tick,
    /// Something about a connection; ignored if it is not the present one.
    OnConnection(Epoch, Box<WorkerEvent>),
    Engine(Box<WorkerEvent>),
    /// Give a lock up, now that the word about it is out.
    Release(Epoch, ShardIndex, ClaimId),
    /// It has drained, and its last words are out.
    End,
    /// The dialled connection is about to open.
    Open(LegId, u64),
    /// The server has had its last word.
    Done(LegId, u64),
    /// The consuming connection should be open by now.
    ConnectTimeout(Epoch),
    /// Try to publish, again and again until confirmed.
    Publish(Box<WorkerMessage>),
    PublishConfirmed(Box<WorkerMessage>),
}

#[derive(Debug, Clone)]
pub(crate) enum ForBroker {
    Connect(usize, u64, Epoch),
    Closed(usize, Epoch),
    Silent(usize, Epoch, std::time::Duration),
    Probe(usize, Epoch),
    Claim(usize, Epoch, ShardIndex, ClaimId),
    Release(usize, Epoch, ShardIndex, ClaimId),
    Ack(usize, Epoch, u64),
    PublishLeg(usize, u64, Box<LegMessage>),
    PublishNews(usize, u64, Box<WorkerMessage>),
    AckNews(usize, Epoch, u64),
    GatewaySilent(usize, std::time::Duration),
}
