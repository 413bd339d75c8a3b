//! The items of a batch.
//!
//! An item that has not begun is a row with the legs that it will have; its job is made when
//! it is begun. So what waits costs dispatch nothing, the job's time begins with its turn, and
//! an item may have another job later.

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use super::id::GroupId;
use super::job::{LegDraft, Payload};
use super::leg::LegRecord;
use super::tag::LoginTag;
use super::time::Timestamp;
use crate::fault::{FaultCode, Retry};
use crate::id::JobId;
use crate::leg::LoginOutcome;
use crate::report::Verdict;

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumIter, EnumString, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ItemState {
    /// Has not begun. Feeding moves it on.
    Held,
    /// Its job is open. The end of the job moves it on.
    Open,
    /// Its job has ended.
    Done,
    /// The batch or its job was cancelled.
    Cancelled,
}

/// An item that is to be stored.
#[derive(Debug, Clone)]
pub struct ItemDraft {
    /// Unique in the batch.
    pub key: String,
    /// The mailbox's address.
    pub address: String,
    /// Its domain, which canaries are counted by.
    pub domain: String,
    /// The login that no two open items may share: that of the first leg.
    pub login: LoginTag,
    /// The payload of its job.
    pub payload: Payload,
    /// The legs of its job, 1 to 16.
    pub legs: Vec<LegDraft>,
}

/// How many items were stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// Items that are new.
    pub stored: u64,
    /// Items whose key was there.
    pub known: u64,
}

/// The items of a batch by where they are. Each is in exactly one of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ItemCounts {
    /// Not begun.
    pub held: u64,
    /// Begun.
    pub open: u64,
    /// Done and healthy.
    pub healthy: u64,
    /// Done and faulty.
    pub faulty: u64,
    /// Done and inconclusive.
    pub inconclusive: u64,
    /// Cancelled.
    pub cancelled: u64,
}

impl ItemCounts {
    /// All items.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { held, open, healthy, faulty, inconclusive, cancelled } = self;
        held + open + healthy + faulty + inconclusive + cancelled
    }

    /// Items that have not ended.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.held + self.open
    }

    /// The counter of an item.
    pub fn of(&mut self, state: ItemState, verdict: Option<Verdict>) -> &mut u64 {
        match (state, verdict) {
            (ItemState::Held, _) => &mut self.held,
            (ItemState::Open, _) => &mut self.open,
            (ItemState::Cancelled, _) => &mut self.cancelled,
            (ItemState::Done, Some(Verdict::Healthy)) => &mut self.healthy,
            (ItemState::Done, Some(Verdict::Faulty)) => &mut self.faulty,
            (ItemState::Done, Some(Verdict::Inconclusive) | None) => &mut self.inconclusive,
        }
    }
}

/// An item's row, without its legs.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemRecord {
    /// Its place, from 1.
    pub position: u64,
    /// Its key.
    pub key: String,
    /// The mailbox's address.
    pub address: String,
    /// Its domain.
    pub domain: String,
    /// Where it is.
    pub state: ItemState,
    /// Its last job.
    pub job: Option<JobId>,
    /// How often it was begun anew.
    pub redrives: u32,
    /// The verdict of its job.
    pub verdict: Option<Verdict>,
    /// The weightiest fault of its job.
    pub code: Option<FaultCode>,
    /// The limit group of the leg with that fault.
    pub group: Option<String>,
    /// When it ended.
    pub finished: Option<Timestamp>,
}

/// Which items to list or to begin anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemFilter {
    /// Only in this state.
    pub state: Option<ItemState>,
    /// Only with this verdict.
    pub verdict: Option<Verdict>,
    /// Only with this code.
    pub code: Option<FaultCode>,
    /// Only of this domain.
    pub domain: Option<String>,
}

/// Ended items of one domain, limit group and code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CauseCount {
    /// The domain.
    pub domain: String,
    /// The limit group; `None` where no leg tells.
    pub group: Option<String>,
    /// The code.
    pub code: FaultCode,
    /// How many.
    pub items: u64,
}

/// What a batch needs to know of how an item's job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemEnd {
    /// The weightiest fault.
    pub code: Option<FaultCode>,
    /// The limit group of its leg.
    pub group: Option<GroupId>,
    /// What came of the password; `None` if nothing was learnt about it.
    pub login: Option<LoginOutcome>,
}

impl ItemEnd {
    /// Reads it off the legs: the first one with a fault that stays, else the first one with
    /// any; and the answer to a login that says most.
    #[must_use]
    pub fn of(legs: &[LegRecord]) -> Self {
        let troubled: Vec<(&LegRecord, FaultCode, bool)> = legs
            .iter()
            .filter_map(|leg| {
                let summary = &leg.end.as_ref()?.summary;
                Some((leg, summary.code?, summary.retry.is_some_and(Retry::is_temporary)))
            })
            .collect();
        let told = |code: FaultCode| code != FaultCode::LegNotTried;
        let stays = troubled.iter().find(|(_, code, temporary)| told(*code) && !temporary);
        let first = stays.or_else(|| troubled.iter().find(|(_, code, _)| told(*code)));
        let first = first.or_else(|| troubled.first());
        Self {
            code: first.map(|(_, code, _)| *code),
            group: first.map(|(leg, ..)| leg.group.clone()),
            login: login(legs),
        }
    }
}

/// The answer that says most about the password: a definitive refusal before anything else.
fn login(legs: &[LegRecord]) -> Option<LoginOutcome> {
    let kept_back = |leg: &&LegRecord| {
        let code = leg.end.as_ref().and_then(|end| end.summary.code);
        code != Some(FaultCode::AttemptBudgetExhausted)
    };
    let answers = legs.iter().filter(kept_back).filter_map(|leg| leg.end.as_ref());
    let answers: Vec<LoginOutcome> = answers.map(|end| end.summary.login).collect();
    let order = [
        LoginOutcome::RefusedDefinitively,
        LoginOutcome::Accepted,
        LoginOutcome::RefusedAmbiguously,
        LoginOutcome::Undecided,
        LoginOutcome::NotTried,
    ];
    order.into_iter().find(|outcome| answers.contains(outcome))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::fleet::{
        Attempt, Dispatch, Gate, GroupKey, JobClass, LegEnd, LegId, LegState, LegSummary,
        MailboxTag, ShardIndex,
    };
    use crate::leg::Submission;

    fn leg(index: u8, code: Option<FaultCode>, login: LoginOutcome) -> LegRecord {
        let retry = code.map(FaultCode::retry);
        let summary = LegSummary { code, retry, login, submission: Submission::NotSent };
        let key = GroupKey::new(format!("group-{index}")).expect("a key");
        LegRecord {
            id: LegId { job: JobId(Uuid::nil()), index },
            tenant: "crm".parse().expect("a name"),
            class: JobClass::Revalidation,
            kind: "incoming".parse().expect("a name"),
            gate: Gate::Open,
            group: GroupId { zone: "default".parse().expect("a name"), key },
            shard: ShardIndex(0),
            pool: "default".parse().expect("a name"),
            mailbox: MailboxTag([1; 32]),
            login: LoginTag([1; 32]),
            cap: Duration::from_secs(60),
            state: LegState::Done,
            dispatch: Dispatch(1),
            attempt: Attempt(0),
            starts: 0,
            started: Dispatch(0),
            since: Timestamp(0),
            returned: None,
            due: None,
            live_to: None,
            traceparent: None,
            payload: Payload::default(),
            end: Some(LegEnd { summary, report: Payload::default() }),
        }
    }

    #[track_caller]
    fn check(
        legs: [(Option<FaultCode>, LoginOutcome); 2],
        expect: (Option<FaultCode>, u8, Option<LoginOutcome>),
    ) {
        let legs: Vec<LegRecord> =
            (0..).zip(legs).map(|(index, (code, login))| leg(index, code, login)).collect();
        let end = ItemEnd::of(&legs);
        let group = end.group.map(|group| group.key.to_string());
        let expected = expect.0.map(|_| format!("group-{}", expect.1));
        assert_eq!((end.code, group, end.login), (expect.0, expected, expect.2));
    }

    #[test]
    fn a_fault_that_stays_says_more_than_one_that_passes() {
        use FaultCode as C;
        use LoginOutcome as L;
        let (fine, wrong) = ((None, L::Accepted), Some(C::AuthInvalidCredentials));
        check([fine, fine], (None, 0, Some(L::Accepted)));
        let refused = (wrong, L::RefusedDefinitively);
        let kept = (Some(C::LegNotTried), L::NotTried);
        check([refused, kept], (wrong, 0, Some(L::RefusedDefinitively)));
        check([kept, refused], (wrong, 1, Some(L::RefusedDefinitively)));
        let late = (Some(C::ConnectTimeout), L::NotTried);
        check([late, refused], (wrong, 1, Some(L::RefusedDefinitively)));
        check([late, fine], (Some(C::ConnectTimeout), 0, Some(L::Accepted)));
        check([late, late], (Some(C::ConnectTimeout), 0, Some(L::NotTried)));
        // What was kept back says nothing new about the password.
        let budget = (Some(C::AttemptBudgetExhausted), L::NotTried);
        check([budget, budget], (Some(C::AttemptBudgetExhausted), 0, None));
    }
}
