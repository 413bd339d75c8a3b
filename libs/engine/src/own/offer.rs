//! What goes into an owner and what comes out of it.

use std::net::IpAddr;

use mailfleet_model::FaultCode;
use mailfleet_model::fleet::{
    Delay, Delivery, Dispatch, GroupKey, JobClass, LegId, LegKind, LoginTag, MailboxTag, Returned,
    StartRule, StoreWait,
};
use mailfleet_model::leg::LoginOutcome;

/// A delivery without what only the runner needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// What to ack.
    pub tag: u64,
    /// Whether the broker delivered it before.
    pub redelivered: bool,
    /// The leg.
    pub leg: LegId,
    /// The release.
    pub dispatch: Dispatch,
    /// Whether it must be asked for.
    pub start: StartRule,
    /// Its turn.
    pub class: JobClass,
    /// What kind of work it is.
    pub kind: LegKind,
    /// The limit group.
    pub group: GroupKey,
    /// The mailbox.
    pub mailbox: MailboxTag,
    /// The login.
    pub login: LoginTag,
    /// The address that it would leave from; `None` where the system chooses.
    pub source: Option<IpAddr>,
    /// How it waited in the store.
    pub waited: StoreWait,
}

impl Offer {
    /// The offer that a delivery makes, leaving from `source`.
    #[must_use]
    pub fn of(delivery: &Delivery, source: Option<IpAddr>) -> Self {
        let message = &delivery.message;
        Self {
            tag: delivery.tag,
            redelivered: delivery.redelivered,
            leg: message.leg,
            dispatch: message.dispatch,
            start: message.start,
            class: message.class,
            kind: message.kind.clone(),
            group: message.group.key.clone(),
            mailbox: message.mailbox,
            login: message.login,
            source,
            waited: message.waited,
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Run the leg of this delivery: dial, and go on. The slot is taken. What of the mail
    /// server's own it has mostly waited for since it was ready; `None`: for nothing of it.
    Start(LegId, u64, Option<Delay>),
    /// Publish that the leg may start, and wait for the store's answer.
    Ask {
        /// The leg.
        leg: LegId,
        /// Its release.
        dispatch: Dispatch,
        /// Whether an owner before had the same release.
        redelivered: bool,
    },
    /// Publish that the leg comes back unrun.
    Return(LegId, Dispatch, Returned),
    /// Ack this delivery.
    Ack(u64),
    /// Close the leg's socket now, and publish nothing about it. [`Shard::ended`] is still
    /// told once it is closed.
    ///
    /// [`Shard::ended`]: super::Shard::ended
    Abort(LegId),
}

/// How a run ended, as far as limits care. Told once its socket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The weightiest blocking fault.
    pub code: Option<FaultCode>,
    /// What came of the login.
    pub login: LoginOutcome,
}

impl Ending {
    /// A run that tells nothing about the server: it was ended from our side, or it never
    /// dialled.
    pub const UNTOLD: Self =
        Self { code: Some(FaultCode::WorkerLost), login: LoginOutcome::NotTried };
}
