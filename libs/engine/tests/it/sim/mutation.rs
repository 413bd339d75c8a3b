//! The rules that a simulation can break, one at a time, to show that it would notice.

use std::time::Duration;

use mailfleet_engine::Rules;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// A silent broker stops nothing.
    NoFence,
    /// After a lost or taken lock legs start at once.
    NoSettling,
    /// Redelivered legs of a silent owner keep no slot.
    NoGhosts,
    /// A shard is released by cancelling the consumer, with deliveries out.
    ReleaseByCancel,
    /// The owner allows one session more.
    OneMore,
    /// Owners are told a mail server's whole limit instead of their zone's part.
    WholeLimit,
    /// Nobody is told of a silent owner before the last one, neither by that one nor by gateways.
    HauntUntold,
    /// Nobody is told which kinds of legs the others run.
    KindsUntold,
    /// The owner never hears of a changed limit.
    OldLimit,
    /// More than three syncs of a mailbox at once.
    MailboxUncapped,
    /// What was redelivered is run.
    RunRedelivered,
    /// Nothing is asked for before it starts.
    NeverAsk,
    /// The store allows every start.
    AlwaysGo,
    /// A new owner asks only for later releases.
    NoYouth,
    /// Refused passwords are tried again at once.
    NoBudget,
    /// A leg may kill workers for ever.
    NoLostLimit,
    /// `RELEASED` legs are left to themselves.
    NoRepublishing,
    /// `PUBLISHED` legs are left to themselves.
    NoOverdueSweep,
    /// Groups with waiting legs are left to themselves.
    NoWaitingSweep,
    /// Snoozed legs sleep for ever.
    NoWaking,
    /// Deadlines pass unnoticed.
    NoDeadline,
    /// The collector does not look whether the job is closed.
    CloseAgain,
    /// The collector reads the job before it has its lock.
    NoJobLock,
    /// The owner keeps nothing for interactive legs, nor does dispatch.
    NoReserve,
    /// Every item of a domain may begin at once.
    NoCanaries,
    /// No run of refusals stops a batch.
    NoGuard,
    /// Feeding does not look at the open items of other batches.
    SharedLogins,
    /// An item's outgoing leg does not wait for the incoming one.
    OutgoingFirst,
    /// The end of a cancelled item is not counted.
    LeakyCounters,
    /// Batches are left to who ended their items.
    NoFeeding,
    /// What was refused for good is begun anew as well.
    RedriveRefused,
}

impl Mutation {
    pub(crate) fn rules(mutation: Option<Self>) -> Rules {
        let mut rules = Rules::default();
        match mutation {
            Some(Self::NoFence) => {
                rules.hold.stop = Duration::from_secs(3_600);
                rules.hold.abort = Duration::from_secs(3_600);
            }
            Some(Self::NoSettling) => rules.hold.settle = Duration::ZERO,
            Some(Self::NoGhosts) => rules.hold.ghost = Duration::ZERO,
            Some(Self::MailboxUncapped) => rules.own.mailbox_sync = 99,
            Some(Self::NoYouth) => rules.own.young = Duration::ZERO,
            Some(Self::NoBudget) => {
                rules.dispatch.refusal_pause = Duration::ZERO;
                rules.dispatch.refusals = u32::MAX;
            }
            Some(Self::NoLostLimit) => rules.collect.starts = u32::MAX,
            Some(Self::NoReserve) => {
                rules.own.reserve_one_in = 0;
                rules.dispatch.reserve_one_in = 0;
            }
            Some(
                Self::ReleaseByCancel
                | Self::OneMore
                | Self::OldLimit
                | Self::HauntUntold
                | Self::KindsUntold
                | Self::WholeLimit
                | Self::RunRedelivered
                | Self::NeverAsk
                | Self::AlwaysGo
                | Self::NoRepublishing
                | Self::NoOverdueSweep
                | Self::NoWaitingSweep
                | Self::NoWaking
                | Self::NoDeadline
                | Self::CloseAgain
                | Self::NoJobLock
                | Self::NoCanaries
                | Self::NoGuard
                | Self::SharedLogins
                | Self::OutgoingFirst
                | Self::LeakyCounters
                | Self::NoFeeding
                | Self::RedriveRefused,
            )
            | None => {}
        }
        rules
    }
}
