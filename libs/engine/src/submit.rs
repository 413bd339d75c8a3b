//! Admission: whether a job is stored, repeats an earlier one, joins a running one, or is
//! refused.

use mailfleet_model::fleet::{Admission, JobDraft, Quota, Refusal, SubmitView};

use crate::budget::{Try, may_try};
use crate::dispatch::at_once;
use crate::rules::DispatchRules;

/// What admission needs beside the view.
#[derive(Debug, Clone, Copy)]
pub struct Gatekeeper<'a> {
    /// What the tenant may use.
    pub quota: Quota,
    /// The first leg whose host the target guard refused.
    pub blocked: Option<u8>,
    /// Whether legs that are released at once would be published, as far as is known.
    pub publishes: bool,
    /// The rules.
    pub rules: &'a DispatchRules,
}

/// Decides about one job.
///
/// The order matters: a repeated request gets its job back whatever has changed since, and
/// joining costs nothing, so it comes before the budget and the quota.
#[must_use]
pub fn admit(view: &SubmitView, draft: &JobDraft, gate: &Gatekeeper<'_>) -> Admission {
    if let (Some((job, body)), Some(request)) = (&view.repeated, &draft.request) {
        return if *body == request.body {
            Admission::Repeated(*job)
        } else {
            Admission::Refuse(Refusal::RequestIdReused)
        };
    }
    if let Some(leg) = gate.blocked {
        return Admission::Refuse(Refusal::TargetNotAllowed { leg });
    }
    if let (Some(job), Some(_)) = (view.running, &draft.settings) {
        return Admission::Join(job);
    }
    if let Some(refusal) = over_budget(view, draft, gate.rules) {
        return Admission::Refuse(refusal);
    }
    let (used, most) = if draft.class.is_bulk() {
        (view.usage.bulk, gate.quota.bulk)
    } else {
        (view.usage.interactive, gate.quota.interactive)
    };
    if used < most {
        let free = gate.publishes.then(|| at_once(view, draft, gate.rules));
        Admission::Accept { at_once: free.unwrap_or_default() }
    } else {
        Admission::Refuse(Refusal::OverQuota { retry_after: gate.quota.retry_after })
    }
}

/// The first leg whose login was refused for good and may not be tried yet.
fn over_budget(view: &SubmitView, draft: &JobDraft, rules: &DispatchRules) -> Option<Refusal> {
    (0..).zip(&view.budgets).find_map(|(leg, budget)| {
        match may_try(*budget, draft.class, view.now, rules) {
            Try::Allowed => None,
            Try::NotBefore(time) => {
                let retry_after = Some(time.since(view.now));
                Some(Refusal::AttemptBudget { leg, retry_after })
            }
            Try::NotByItself => Some(Refusal::AttemptBudget { leg, retry_after: None }),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use mailfleet_model::JobId;
    use mailfleet_model::fleet::{
        Gate, GroupHolds, GroupId, GroupKey, GroupLimits, GroupSettings, GroupView, JobClass,
        LegDraft, LoginBudget, LoginTag, MailboxTag, OutCount, Payload, RequestKey, RequestTag,
        SettingsTag, ShardIndex, Timestamp, Usage,
    };
    use uuid::Uuid;

    use super::*;

    const EARLIER: JobId = JobId(Uuid::from_u128(7));

    fn draft() -> JobDraft {
        JobDraft {
            id: JobId(Uuid::from_u128(9)),
            tenant: "crm".parse().expect("a name"),
            class: JobClass::Interactive,
            batch: None,
            request: Some(RequestKey { id: "r".to_owned(), body: RequestTag([1; 32]) }),
            settings: Some(SettingsTag([2; 32])),
            deadline: Duration::from_secs(60),
            live_to: None,
            traceparent: None,
            payload: Payload::default(),
            legs: Vec::new(),
        }
    }

    fn view() -> SubmitView {
        SubmitView {
            now: Timestamp(0),
            repeated: None,
            running: None,
            usage: Usage::default(),
            budgets: vec![LoginBudget::default()],
            calm: Vec::new(),
        }
    }

    #[track_caller]
    fn check(view: &SubmitView, blocked: Option<u8>, expect: Admission) {
        let rules = DispatchRules::default();
        let quota = Quota { interactive: 2, bulk: 1, retry_after: Duration::from_secs(5) };
        let gate = Gatekeeper { quota, blocked, publishes: true, rules: &rules };
        assert_eq!(admit(view, &draft(), &gate), expect);
    }

    #[test]
    fn a_repeated_request_gets_its_job_and_a_reused_id_is_refused() {
        let full = Usage { interactive: 2, bulk: 0 };
        let seen = |body| Some((EARLIER, RequestTag([body; 32])));
        let repeated = SubmitView { repeated: seen(1), usage: full, ..view() };
        check(&repeated, Some(0), Admission::Repeated(EARLIER));
        let reused = SubmitView { repeated: seen(3), ..view() };
        check(&reused, None, Admission::Refuse(Refusal::RequestIdReused));
    }

    #[test]
    fn a_running_validation_is_joined_unless_the_target_is_forbidden() {
        let running = SubmitView {
            running: Some(EARLIER),
            usage: Usage { interactive: 2, bulk: 0 },
            ..view()
        };
        check(&running, None, Admission::Join(EARLIER));
        check(&running, Some(1), Admission::Refuse(Refusal::TargetNotAllowed { leg: 1 }));
    }

    #[test]
    fn nothing_goes_at_once_while_nothing_would_be_published() {
        let group = GroupId {
            zone: "z".parse().expect("a name"),
            key: GroupKey::new("imap:192.0.2.1").expect("a key"),
        };
        let leg = LegDraft {
            kind: "incoming".parse().expect("a name"),
            gate: Gate::Open,
            group: group.clone(),
            shard: ShardIndex(0),
            pool: "default".parse().expect("a name"),
            mailbox: MailboxTag([0; 32]),
            login: LoginTag([0; 32]),
            cap: Duration::from_secs(60),
            payload: Payload::default(),
        };
        let limits = GroupLimits {
            concurrency: NonZeroU32::new(10).expect("not zero"),
            per_source: None,
            rate: None,
        };
        let calm = GroupView {
            now: Timestamp(0),
            settings: GroupSettings { group, limits, paused: false, version: 0 },
            out: OutCount::default(),
            shard_out: OutCount::default(),
            dispatched: Timestamp(0),
            holds: GroupHolds::default(),
            lanes: Vec::new(),
        };
        let (draft, view) =
            (JobDraft { legs: vec![leg], ..draft() }, SubmitView { calm: vec![calm], ..view() });
        let rules = DispatchRules::default();
        let quota = Quota { interactive: 2, bulk: 1, retry_after: Duration::from_secs(5) };
        for (publishes, at_once) in [(true, vec![0]), (false, Vec::new())] {
            let gate = Gatekeeper { quota, blocked: None, publishes, rules: &rules };
            assert_eq!(admit(&view, &draft, &gate), Admission::Accept { at_once });
        }
    }

    #[test]
    fn quota_and_budget_refuse_with_a_time() {
        check(&view(), None, Admission::Accept { at_once: Vec::new() });
        let full = SubmitView { usage: Usage { interactive: 2, bulk: 0 }, ..view() };
        let retry_after = Duration::from_secs(5);
        check(&full, None, Admission::Refuse(Refusal::OverQuota { retry_after }));
        let refused = LoginBudget { refusals: 1, last: Some(Timestamp(0)) };
        let burnt = SubmitView { budgets: vec![LoginBudget::default(), refused], ..view() };
        let retry_after = Some(Duration::from_secs(900));
        check(&burnt, None, Admission::Refuse(Refusal::AttemptBudget { leg: 1, retry_after }));
    }
}
