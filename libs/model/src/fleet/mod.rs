//! The words of the fleet: who owns what, what waits, what travels between gateways and
//! workers, and the two ports behind which the store and the broker stand.
//!
//! Plain data and traits. Nothing here decides (the state machines of `engine` do),
//! stores (`store` does) or sends (`broker` does); that is why all three may depend on it
//! without knowing each other.

mod batch;
mod census;
mod group;
mod id;
mod item;
mod job;
mod leg;
mod message;
mod notice;
mod queue;
mod shard;
mod store;
mod tag;
mod time;
mod view;

pub use batch::{
    BatchChange, BatchDraft, BatchOpened, BatchPause, BatchRecord, BatchReport, BatchSettings,
    BatchState, BatchView, DomainView, Fed, HeldItem, PauseCause,
};
pub use census::{Census, Recent};
pub use group::{Delay, GroupLimits, GroupOccupancy, GroupSettings, GroupState, Hold, Rate};
pub use id::{
    Attempt, BatchId, Dispatch, GatewayId, GroupId, GroupKey, InvalidName, LegId, LegKind,
    PoolName, TenantId, WorkerId, ZoneName,
};
pub use item::{
    Added, CauseCount, ItemCounts, ItemDraft, ItemEnd, ItemFilter, ItemRecord, ItemState,
};
pub use job::{JobClass, JobDraft, JobRecord, JobState, LegDraft, Payload, RequestKey};
pub use leg::{Gate, LegEnd, LegRecord, LegState, LegSummary};
pub use message::{
    Announcement, Audience, Control, HeldLeg, HeldStage, LastOwner, LegMessage, Live, Outcome,
    PeerSide, PeerWord, ReturnCause, ReturnReason, Returned, StartAnswer, StartRule, StoreWait,
    WorkerMessage, WorkerNews,
};
pub use notice::{
    BatchTurned, Forgotten, JobEnded, Notice, NoticeAges, NoticeId, NoticePage, NoticeTurn, Subject,
};
pub use queue::{
    ClaimError, ControlLink, Delivery, GatewayQueue, NewsDelivery, NewsSource, QueueError,
    ShardClaim, WorkerQueue,
};
pub use shard::{DEFAULT_SHARDS, ShardIndex, rendezvous, shard_of};
pub use store::{Erased, JobFilter, JobPage, Store, StoreError, Submitted};
pub use tag::{LoginTag, MailboxTag, RequestTag, SettingsTag};
pub use time::Timestamp;
pub use view::{
    Admission, GroupHolds, GroupView, JobChange, JobView, Lane, LedgerEntry, LegView, LoginBudget,
    OutCount, Quota, ReadyLeg, Refusal, Release, Served, SubmitView, Usage,
};
