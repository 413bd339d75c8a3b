//! What travels over the broker: legs to owners, news from workers, and control.
//!
//! The edge encodes them (`mailfleet.queue.v1`) with a version. Durations only, no times:
//! clocks of different machines are never compared.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use super::group::{GroupSettings, GroupState};
use super::id::{
    Dispatch, GatewayId, GroupId, GroupKey, LegId, LegKind, PoolName, WorkerId, ZoneName,
};
use super::job::{JobClass, Payload};
use super::leg::{LegEnd, LegRecord};
use super::shard::ShardIndex;
use super::tag::{LoginTag, MailboxTag};
use crate::event::LegEvent;
use crate::fault::FaultCode;
use crate::id::JobId;
use crate::leg::LoginOutcome;

/// Whether a leg may start as soon as there is a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StartRule {
    /// It may: this is the first copy of its first release.
    Free,
    /// The store must allow it first. Every later release and every repeated publication
    /// is of this kind, since an earlier copy may have run.
    Ask,
}

/// A leg's wait in the store, from when it was ready until it was released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreWait {
    /// All of it.
    pub whole: Duration,
    /// Of this, while as many legs of its group were out as the group's window has places. Who
    /// kept those is for their owner to say.
    pub window: Duration,
    /// Of this, while an operator had paused its group.
    pub paused: Duration,
}

/// A leg on its way to the owner of its shard.
#[derive(Debug, Clone, PartialEq)]
pub struct LegMessage {
    /// The leg.
    pub leg: LegId,
    /// The release that this is.
    pub dispatch: Dispatch,
    /// Whether it must be asked for.
    pub start: StartRule,
    /// Its turn.
    pub class: JobClass,
    /// What kind of work it is.
    pub kind: LegKind,
    /// The limit group.
    pub group: GroupId,
    /// The shard, which names the queue.
    pub shard: ShardIndex,
    /// The pool that it leaves from.
    pub pool: PoolName,
    /// The mailbox.
    pub mailbox: MailboxTag,
    /// The login.
    pub login: LoginTag,
    /// Longest run.
    pub cap: Duration,
    /// How it waited for its release. Zero in a copy that is published again, and from gateways
    /// that do not tell.
    pub waited: StoreWait,
    /// The gateway that live events go to; `None`: to nobody.
    pub live_to: Option<GatewayId>,
    /// W3C `traceparent`; a header on the broker.
    pub traceparent: Option<String>,
    /// The order with its sealed credential.
    pub payload: Payload,
}

impl LegMessage {
    /// The message for a leg that is `RELEASED`.
    #[must_use]
    pub fn of(leg: &LegRecord, start: StartRule) -> Self {
        Self {
            leg: leg.id,
            dispatch: leg.dispatch,
            start,
            class: leg.class,
            kind: leg.kind.clone(),
            group: leg.group.clone(),
            shard: leg.shard,
            pool: leg.pool.clone(),
            mailbox: leg.mailbox,
            login: leg.login,
            cap: leg.cap,
            waited: StoreWait::default(),
            live_to: leg.live_to.clone(),
            traceparent: leg.traceparent.clone(),
            payload: leg.payload.clone(),
        }
    }
}

/// Why an owner gives a leg back unrun. The name is what `ExplainJob` shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ReturnReason {
    /// The broker delivered it before: an earlier owner may have run it.
    Redelivered,
    /// The group's circuit breaker is open.
    Breaker,
    /// The group is paused.
    Paused,
    /// The group's login rate leaves no room.
    Rate,
    /// No slot became free: of the group, the mailbox or the source address.
    Busy,
    /// The same login was refused for good on this owner a moment ago.
    Refused,
    /// The store did not answer whether it may start.
    Unanswered,
    /// The owner does not know this kind of leg.
    UnknownKind,
    /// The owner drains.
    Draining,
    /// The host's addresses belong to another group by now.
    Regroup(GroupKey),
}

/// Why a leg came back last, as its row keeps it: a [`ReturnReason`] without its particulars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, EnumString, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ReturnCause {
    /// An earlier owner may have run it.
    Redelivered,
    /// The group's circuit breaker was open.
    Breaker,
    /// The group was paused.
    Paused,
    /// The group's login rate left no room.
    Rate,
    /// No slot became free.
    Busy,
    /// The same login had just been refused for good.
    Refused,
    /// The store did not answer whether it may start.
    Unanswered,
    /// The owner does not run this kind of leg.
    UnknownKind,
    /// The owner drained.
    Draining,
    /// The host belongs to another group by now.
    Regroup,
}

impl From<&ReturnReason> for ReturnCause {
    fn from(reason: &ReturnReason) -> Self {
        match reason {
            ReturnReason::Redelivered => Self::Redelivered,
            ReturnReason::Breaker => Self::Breaker,
            ReturnReason::Paused => Self::Paused,
            ReturnReason::Rate => Self::Rate,
            ReturnReason::Busy => Self::Busy,
            ReturnReason::Refused => Self::Refused,
            ReturnReason::Unanswered => Self::Unanswered,
            ReturnReason::UnknownKind => Self::UnknownKind,
            ReturnReason::Draining => Self::Draining,
            ReturnReason::Regroup(_) => Self::Regroup,
        }
    }
}

/// A leg that was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// Why.
    pub reason: ReturnReason,
    /// When it makes sense to release it again.
    pub after: Duration,
}

/// What became of a leg at its owner.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It ran and ended in a report.
    Ended(LegEnd),
    /// It did not run.
    Returned(Returned),
    /// It is about to run, and the worker waits for a [`StartAnswer`].
    MayStart {
        /// Whether an owner before had the same release: it may have been told to start it.
        redelivered: bool,
    },
}

/// What a worker tells the store about a leg. Durable: confirmed before the leg's
/// delivery is acked (except `MayStart`, which leaves the delivery out).
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerMessage {
    /// The worker.
    pub worker: WorkerId,
    /// The leg.
    pub leg: LegId,
    /// The release that it was.
    pub dispatch: Dispatch,
    /// What became of it.
    pub outcome: Outcome,
    /// W3C `traceparent` of the leg's run; a header on the broker.
    pub traceparent: Option<String>,
}

/// A message of a worker as a gateway receives it.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkerNews {
    /// One that could be read.
    Message(Box<WorkerMessage>),
    /// One that could not: already dead-lettered by the adapter, counted by the gateway.
    Unreadable,
}

/// What the store says to [`Outcome::MayStart`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, EnumString, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum StartAnswer {
    /// It is counted: start.
    Go,
    /// The leg is closed, or another release has taken its place: ack and forget.
    Drop,
}

/// A live step of a leg, for whoever watches. Best effort.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// The leg.
    pub leg: LegId,
    /// What happened.
    pub event: LegEvent,
}

/// What a worker says about itself once a second. A hint: the exclusive consumer is the
/// lock, whatever is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The worker.
    pub worker: WorkerId,
    /// Its zone.
    pub zone: ZoneName,
    /// Shards that it owns or is giving up, in ascending order.
    pub shards: Vec<ShardIndex>,
    /// Shards in which an owner before it, which fell silent, may still have sockets open; also
    /// such as it has given up since. Whoever comes next has to keep slots for them too.
    pub haunted: Vec<ShardIndex>,
    /// Legs that it can run at once.
    pub capacity: u32,
    /// Legs that it runs.
    pub running: u32,
    /// Whether it is leaving: it should own nothing any more.
    pub draining: bool,
    /// Whether it is not ready to own anything yet: it still listens to the others.
    pub listening: bool,
    /// Kinds of legs that it runs.
    pub kinds: BTreeSet<LegKind>,
    /// Shards in which it got legs of kinds that it does not run: they are for workers that run
    /// more, as soon as there is one. Said for as long as it lives.
    pub outgrown: BTreeSet<ShardIndex>,
    /// The version of its program.
    pub version: String,
}

/// What is known about the owner of a shard before the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter)]
pub enum LastOwner {
    /// It has handed the shard over: nothing is left of it.
    HandedOver,
    /// It was heard a moment before: its sockets are being closed.
    Heard,
    /// It had been silent for longer than that: nobody can close its sockets.
    Silent,
}

/// Which of the two legs of a job that are told of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter)]
pub enum PeerSide {
    /// The incoming one.
    Incoming,
    /// The outgoing one.
    Outgoing,
}

/// What one leg of a pair tells the other one, which runs at another worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerWord {
    /// The login that both use was answered, and by what code it was refused.
    LoginAnswered(LoginOutcome, Option<FaultCode>),
    /// The marks are taken: the test mail may be sent.
    MarksTaken,
    /// It has ended: nothing more comes from it.
    LegEnded,
}

/// What a leg does at its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter)]
pub enum HeldStage {
    /// Waits for its slots.
    Waiting,
    /// Has its slots; the store is asked whether it may start.
    Asking,
    /// Runs.
    Running,
    /// Its result or return is on its way to the store.
    Leaving,
}

/// A leg at its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldLeg {
    /// The leg.
    pub leg: LegId,
    /// What it does.
    pub stage: HeldStage,
    /// The address that it leaves from; `None` where the system chooses.
    pub source: Option<IpAddr>,
}

/// What everybody hears, or one worker. At most once and in no certain order: nothing may
/// depend on one of them arriving.
#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    /// A worker announces itself.
    Announce(Announcement),
    /// Settings of groups: on change, every 10 s, and in answer to `SettingsWanted`.
    Settings(Vec<GroupSettings>),
    /// A worker that has just claimed a shard asks for a snapshot of its groups' settings.
    SettingsWanted {
        /// Who asks.
        worker: WorkerId,
        /// The zone.
        zone: ZoneName,
        /// The shard.
        shard: ShardIndex,
    },
    /// The whole snapshot of a shard, in answer to `SettingsWanted`. Groups that it does
    /// not name have `default`.
    Snapshot {
        /// The zone.
        zone: ZoneName,
        /// The shard.
        shard: ShardIndex,
        /// What holds for groups without settings of their own.
        default: super::GroupLimits,
        /// The groups with settings of their own.
        groups: Vec<GroupSettings>,
        /// What the gateway has heard of the owner before the one that asks; `None`: nothing.
        last_owner: Option<LastOwner>,
    },
    /// The answer to a worker that asked whether it may start a leg.
    Start {
        /// The leg.
        leg: LegId,
        /// The release that was asked for.
        dispatch: Dispatch,
        /// The answer.
        answer: StartAnswer,
    },
    /// A job was cancelled: whoever runs a leg of it ends it.
    Cancel(JobId),
    /// Jobs changed: whoever watches one reads it again. At most
    /// [`MOST_CHANGED`](Control::MOST_CHANGED) of them.
    JobsChanged {
        /// All of them.
        jobs: Vec<JobId>,
        /// Those of them that were open after it: who only waits for the end need not look. An
        /// older gateway names none.
        open: Vec<JobId>,
    },
    /// An operator asks a worker to drain.
    Drain(WorkerId),
    /// A leg says something to the other one of its pair, wherever that runs. A leg that
    /// does not hear it waits no longer than it would have anyway.
    Peer {
        /// The job.
        job: JobId,
        /// The leg that says it.
        side: PeerSide,
        /// What it says.
        word: PeerWord,
    },
    /// A gateway's callers have joined jobs that another one made: it is to be sent their live
    /// steps too. Said again for as long as they are there.
    StepsWanted {
        /// The gateway.
        gateway: GatewayId,
        /// The jobs, at most [`MOST_CHANGED`](Control::MOST_CHANGED).
        jobs: Vec<JobId>,
    },
    /// Somebody asks the owners what holds in their groups.
    StateWanted {
        /// Told again by the answers.
        request: u64,
        /// The group; `None`: every one.
        group: Option<GroupId>,
        /// The job whose legs at the owner are to be told too.
        job: Option<JobId>,
    },
    /// What holds in the groups of an owner, in answer to `StateWanted`. An owner of none
    /// of them says nothing.
    State {
        /// What was asked.
        request: u64,
        /// Who answers.
        worker: WorkerId,
        /// The groups, at most 500: the sick ones first, then the busiest.
        groups: Vec<GroupState>,
        /// The legs of the job that it has; `None`: nobody asked, or its version does not tell.
        held: Option<Vec<HeldLeg>>,
    },
}

/// Whom a broadcast concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Gateways and workers.
    Everybody,
    /// Every gateway.
    Gateways,
    /// Every worker.
    Workers,
}

impl Control {
    /// Most jobs of one `JobsChanged`, or of one `StepsWanted`.
    pub const MOST_CHANGED: usize = 1_000;

    /// Whom it concerns when it is broadcast: nobody else need be woken by it.
    #[must_use]
    pub fn audience(&self) -> Audience {
        match self {
            Self::Announce(_) => Audience::Everybody,
            Self::SettingsWanted { .. } | Self::JobsChanged { .. } | Self::State { .. } => {
                Audience::Gateways
            }
            Self::Settings(_)
            | Self::Snapshot { .. }
            | Self::Start { .. }
            | Self::Cancel(_)
            | Self::Drain(_)
            | Self::Peer { .. }
            | Self::StepsWanted { .. }
            | Self::StateWanted { .. } => Audience::Workers,
        }
    }
}
