//! Owning as stories: what is offered, and what happens to it.

mod held;

use std::num::NonZeroU32;

use mailfleet_model::FaultCode;
use mailfleet_model::fleet::{Announcement, GroupId, MailboxTag, Rate, ShardIndex};
use uuid::Uuid;

use super::*;
use crate::fixtures::announcement;
use crate::own::turns::Room;
use crate::ownership::{Freshness, Members};
use crate::rules::HoldRules;

fn at(seconds: u64) -> Monotonic {
    Monotonic(Duration::from_secs(seconds))
}

fn leg(name: u8) -> LegId {
    LegId { job: JobId(Uuid::from_u128(u128::from(name))), index: 0 }
}

fn offer(name: u8, class: JobClass) -> Offer {
    Offer {
        tag: u64::from(name),
        redelivered: false,
        leg: leg(name),
        dispatch: Dispatch(1),
        start: StartRule::Free,
        class,
        kind: "incoming".parse().expect("a name"),
        group: GroupKey::new("imap:192.0.2.1").expect("a key"),
        mailbox: MailboxTag([name; 32]),
        login: LoginTag([name; 32]),
        source: None,
        waited: StoreWait::default(),
    }
}

/// Starts what may start in one shard.
fn start(shard: &mut Shard, room: u32, now: Monotonic) -> Vec<Action> {
    let room = Room { all: room, bulk: room };
    let started = crate::own::turns::start(&mut [(ShardIndex(0), shard)], room, now);
    started.into_iter().map(|(_, action)| action).collect()
}

fn limits(concurrency: u32, rate: Option<Rate>) -> GroupLimits {
    let concurrency = NonZeroU32::new(concurrency).expect("not zero");
    GroupLimits { concurrency, per_source: None, rate }
}

/// A shard that was claimed at 0 from nobody, looked at from 100 on: settled and grown.
fn shard(limits: GroupLimits) -> Shard {
    let members = Members::new("z".parse().expect("a name"), &HoldRules::default());
    let (hold, own) = (HoldRules::default(), OwnRules::default());
    let takeover = Takeover::begin(&members, ShardIndex(0), at(0), &hold, &own);
    let mut shard = Shard::new(takeover, ["incoming".parse().expect("a name")].into(), own);
    assert!(shard.snapshot(limits, Vec::new(), None, at(0)).is_empty());
    shard
}

fn ending(code: Option<FaultCode>, login: LoginOutcome) -> Ending {
    Ending { code, login }
}

fn says(shards: &[u16]) -> Announcement {
    announcement("old", shards)
}

/// The question for the first leg.
fn ask(dispatch: u32) -> Action {
    Action::Ask { leg: leg(1), dispatch: Dispatch(dispatch), redelivered: false }
}

/// Offers legs and says which start.
fn started(shard: &mut Shard, now: Monotonic) -> Vec<u64> {
    let tag = |action| match action {
        Action::Start(_, tag, _) => Some(tag),
        Action::Ask { .. } | Action::Return(..) | Action::Ack(_) | Action::Abort(_) => None,
    };
    start(shard, 1_000, now).into_iter().filter_map(tag).collect()
}

fn finish(shard: &mut Shard, name: u8, now: Monotonic) -> Vec<Action> {
    shard.ended(leg(name), ending(None, LoginOutcome::Accepted), now);
    shard.confirmed(leg(name), Dispatch(1), now)
}

#[test]
fn nothing_starts_above_the_limit_and_a_slot_is_free_when_its_socket_is_closed() {
    let mut shard = shard(limits(2, None));
    for name in 1..=3 {
        shard.offered(offer(name, JobClass::Interactive), at(100));
    }
    assert_eq!(started(&mut shard, at(100)), [1, 2]);
    shard.ended(leg(1), ending(None, LoginOutcome::Accepted), at(101));
    assert_eq!(started(&mut shard, at(101)), [3], "also before the result is confirmed");
    assert_eq!(shard.confirmed(leg(1), Dispatch(1), at(101)), [Action::Ack(1)]);
}

#[test]
fn bulk_leaves_slots_and_waits_for_its_turn() {
    let mut shard = shard(limits(5, None));
    for name in 1..=5 {
        shard.offered(offer(name, JobClass::Sync), at(100));
    }
    shard.offered(offer(6, JobClass::Revalidation), at(100));
    assert_eq!(started(&mut shard, at(100)), [6, 1, 2, 3]);
    shard.offered(offer(7, JobClass::Interactive), at(100));
    assert_eq!(started(&mut shard, at(100)), [7]);
    finish(&mut shard, 7, at(101));
    assert_eq!(started(&mut shard, at(101)).len(), 0);
}

#[test]
fn bulk_work_keeps_to_its_places_and_nobody_else_does() {
    let mut shard = shard(limits(100, None));
    for name in 1..=4 {
        shard.offered(offer(name, JobClass::Revalidation), at(100));
        shard.offered(offer(name + 10, JobClass::Interactive), at(100));
    }
    let mut start = |room, now| {
        let mut shards = [(ShardIndex(0), &mut shard)];
        let started = crate::own::turns::start(&mut shards, room, now);
        (started.len(), shard.started(), shard.started_bulk())
    };
    assert_eq!(start(Room { all: 9, bulk: 2 }, at(100)), (6, 6, 2));
    assert_eq!(start(Room { all: 9, bulk: 0 }, at(100)), (0, 6, 2));
    finish(&mut shard, 1, at(101));
    finish(&mut shard, 11, at(101));
    assert_eq!((shard.started(), shard.started_bulk()), (4, 1));
}

#[test]
fn a_mailbox_has_five_connections_of_which_three_sync() {
    let mut shard = shard(limits(100, None));
    for name in 1..=4 {
        let same = MailboxTag([0; 32]);
        shard.offered(Offer { mailbox: same, ..offer(name, JobClass::Sync) }, at(100));
        let class = JobClass::Interactive;
        shard.offered(Offer { mailbox: same, ..offer(name + 10, class) }, at(100));
    }
    shard.offered(offer(20, JobClass::Sync), at(100));
    assert_eq!(started(&mut shard, at(100)), [11, 12, 13, 14, 1, 20]);
    finish(&mut shard, 11, at(101));
    finish(&mut shard, 12, at(101));
    assert_eq!(started(&mut shard, at(101)), [2, 3]);
}

#[test]
fn a_source_address_has_a_cap_of_its_own() {
    let limits = GroupLimits { per_source: NonZeroU32::new(1), ..limits(9, None) };
    let mut shard = shard(limits);
    for name in 1..=4 {
        let source = Some(std::net::IpAddr::from([192, 0, 2, name % 2]));
        shard.offered(Offer { source, ..offer(name, JobClass::Interactive) }, at(100));
    }
    assert_eq!(started(&mut shard, at(100)), [1, 2]);
    finish(&mut shard, 1, at(101));
    assert_eq!(started(&mut shard, at(101)), [3]);
}

#[test]
fn the_bucket_paces_logins() {
    let logins = NonZeroU32::new(1).expect("not zero");
    let rate = Rate { logins, per: Duration::from_secs(10) };
    let mut shard = shard(limits(9, Some(rate)));
    shard.offered(offer(1, JobClass::Interactive), at(100));
    shard.offered(offer(2, JobClass::Interactive), at(100));
    assert_eq!(started(&mut shard, at(100)), [] as [u64; 0], "it starts empty");
    assert_eq!(started(&mut shard, at(110)), [1]);
    assert_eq!(started(&mut shard, at(119)), [] as [u64; 0]);
    assert_eq!(started(&mut shard, at(120)), [2]);
}

#[test]
fn too_many_connections_lowers_the_limit_for_ten_minutes() {
    let mut shard = shard(limits(9, None));
    for name in 1..=9 {
        shard.offered(offer(name, JobClass::Interactive), at(100));
    }
    assert_eq!(started(&mut shard, at(100)).len(), 9);
    let refused = ending(Some(FaultCode::TooManyConnections), LoginOutcome::NotTried);
    for name in 6..=9 {
        shard.ended(leg(name), refused, at(100));
    }
    for name in 11..=13 {
        shard.offered(offer(name, JobClass::Interactive), at(100));
    }
    // The last of the four counted six sessions: five worked.
    assert_eq!(started(&mut shard, at(100)), [] as [u64; 0]);
    finish(&mut shard, 1, at(101));
    assert_eq!(started(&mut shard, at(101)), [11]);
    assert_eq!(started(&mut shard, at(699)), [] as [u64; 0]);
    assert_eq!(started(&mut shard, at(700)), [12, 13]);
}

#[test]
fn settings_are_taken_over_while_legs_run_and_older_ones_are_ignored() {
    let mut shard = shard(limits(1, None));
    for name in 1..=4 {
        shard.offered(offer(name, JobClass::Interactive), at(100));
    }
    assert_eq!(started(&mut shard, at(100)), [1]);
    let group = GroupId { zone: "z".parse().expect("a name"), key: offer(1, JobClass::Sync).group };
    let settings = |concurrency, paused, version| GroupSettings {
        group: group.clone(),
        limits: limits(concurrency, None),
        paused,
        version,
    };
    shard.configure(settings(2, false, 2), at(101));
    shard.configure(settings(9, false, 1), at(101));
    assert_eq!(started(&mut shard, at(101)), [2]);
    shard.configure(settings(9, true, 3), at(102));
    assert_eq!(started(&mut shard, at(102)), [] as [u64; 0]);
    let returned = shard.tick(at(220));
    let paused = |action: &Action| matches!(action, Action::Return(_, _, back) if back.reason == ReturnReason::Paused);
    assert_eq!(returned.iter().filter(|action| paused(action)).count(), 2);
}

#[test]
fn a_redelivered_leg_is_returned_and_keeps_a_slot_where_the_predecessor_is_silent() {
    let mut shard = shard(limits(1, None));
    let again = Offer { redelivered: true, ..offer(1, JobClass::Interactive) };
    let actions = shard.offered(again, at(100));
    let back = Returned { reason: ReturnReason::Redelivered, after: Duration::ZERO };
    assert_eq!(actions, [Action::Return(leg(1), Dispatch(1), back)]);
    assert_eq!(shard.confirmed(leg(1), Dispatch(1), at(100)), [], "the next owner may need it");
    shard.offered(offer(2, JobClass::Interactive), at(100));
    assert_eq!((started(&mut shard, at(159)), shard.tick(at(159))), (vec![], vec![]));
    assert_eq!(
        (started(&mut shard, at(160)), shard.tick(at(160))),
        (vec![2], vec![Action::Ack(1)])
    );
}

#[test]
fn what_waited_at_an_owner_that_handed_over_is_asked_for_in_its_place() {
    let mut shard = shard(limits(1, None));
    let again = Offer { redelivered: true, ..offer(1, JobClass::Interactive) };
    shard.snapshot(limits(1, None), Vec::new(), Some(LastOwner::HandedOver), at(99));
    assert_eq!(shard.offered(again, at(100)), []);
    shard.offered(offer(2, JobClass::Interactive), at(100));
    let asked = Action::Ask { leg: leg(1), dispatch: Dispatch(1), redelivered: true };
    assert_eq!(start(&mut shard, 9, at(101)), [asked]);
    let started = shard.answered(leg(1), Dispatch(1), StartAnswer::Go, at(102));
    assert!(matches!(started[..], [Action::Start(_, 1, _)]));
}

#[test]
fn a_worker_that_came_late_lets_what_was_redelivered_wait_until_a_gateway_has_told() {
    let told = |last_owner| {
        let (hold, own) = (HoldRules::default(), OwnRules::default());
        let mut members = Members::new("z".parse().expect("a name"), &hold);
        members.listen(at(90));
        // It has heard the shard being handed over, and nothing of who was silent before.
        members.hear(&says(&[0]), Freshness::Live, at(91));
        members.hear(&says(&[]), Freshness::Live, at(92));
        let takeover = Takeover::begin(&members, ShardIndex(0), at(95), &hold, &own);
        let mut shard = Shard::new(takeover, ["incoming".parse().expect("a name")].into(), own);
        let again = Offer { redelivered: true, ..offer(1, JobClass::Interactive) };
        assert_eq!(shard.offered(again.clone(), at(95)), []);
        assert_eq!(shard.offered(Offer { tag: 51, ..again }, at(95)), []);
        let actions = shard.snapshot(limits(1, None), Vec::new(), last_owner, at(95));
        let starts = start(&mut shard, 9, at(97));
        let acks = shard.confirmed(leg(1), Dispatch(1), at(97));
        (actions.len(), starts.len(), acks.len(), shard.is_haunted(at(97)))
    };
    // Told of somebody silent it gives back, and acks nothing while slots are kept.
    assert_eq!(told(Some(LastOwner::Silent)), (1, 0, 0, true));
    for nothing_worse in [None, Some(LastOwner::HandedOver), Some(LastOwner::Heard)] {
        assert_eq!(told(nothing_worse), (0, 1, 0, false), "{nothing_worse:?}");
    }
}

#[test]
fn a_copy_of_what_is_done_is_acked_and_a_copy_of_what_runs_waits_for_its_end() {
    let mut shard = shard(limits(1, None));
    shard.offered(offer(1, JobClass::Interactive), at(100));
    assert_eq!(started(&mut shard, at(100)), [1]);
    let copy = |tag| Offer { tag, ..offer(1, JobClass::Interactive) };
    assert_eq!(shard.offered(copy(51), at(100)), []);
    assert_eq!(finish(&mut shard, 1, at(101)), [Action::Ack(1), Action::Ack(51)]);
    assert_eq!(shard.offered(copy(52), at(102)), [Action::Ack(52)]);
}

#[test]
fn a_later_release_takes_its_turn_when_the_earlier_one_is_acked() {
    let mut shard = shard(limits(1, None));
    shard.offered(offer(1, JobClass::Interactive), at(100));
    started(&mut shard, at(100));
    let later = Offer {
        tag: 61,
        dispatch: Dispatch(2),
        start: StartRule::Ask,
        ..offer(1, JobClass::Interactive)
    };
    assert_eq!(shard.offered(later, at(100)), []);
    assert_eq!(finish(&mut shard, 1, at(101)), [Action::Ack(1)]);
    assert_eq!(start(&mut shard, 9, at(101)), [ask(2)]);
    let answer = |shard: &mut Shard, answer| shard.answered(leg(1), Dispatch(2), answer, at(102));
    assert_eq!(answer(&mut shard, StartAnswer::Drop), [Action::Ack(61)]);
    assert_eq!(answer(&mut shard, StartAnswer::Go), [], "the leg is forgotten");
    assert_eq!(shard.started(), 0);
}

#[test]
fn an_unanswered_question_gives_the_slot_back() {
    let mut shard = shard(limits(1, None));
    shard.offered(Offer { start: StartRule::Ask, ..offer(1, JobClass::Interactive) }, at(100));
    assert_eq!(start(&mut shard, 9, at(100)), [ask(1)]);
    let returned = shard.tick(at(115));
    let reason = ReturnReason::Unanswered;
    assert!(matches!(&returned[..], [Action::Return(_, _, back)] if back.reason == reason));
    assert_eq!(shard.started(), 0);
}

#[test]
fn a_refused_login_holds_back_the_legs_that_wait_with_it() {
    let mut shard = shard(limits(1, None));
    let same = |name| Offer { login: LoginTag([0; 32]), ..offer(name, JobClass::Interactive) };
    shard.offered(same(1), at(100));
    shard.offered(same(2), at(100));
    assert_eq!(started(&mut shard, at(100)), [1]);
    let code = Some(FaultCode::AuthInvalidCredentials);
    let back = shard.ended(leg(1), ending(code, LoginOutcome::RefusedDefinitively), at(101));
    let refused = |actions: &[Action]| matches!(actions, [Action::Return(_, _, back)] if back.reason == ReturnReason::Refused);
    assert!(refused(&back), "{back:?}");
    assert!(refused(&shard.offered(same(3), at(102))));
    shard.offered(offer(4, JobClass::Interactive), at(102));
    assert_eq!(started(&mut shard, at(102)), [4]);
}

#[test]
fn a_cancelled_job_is_acked_where_it_waits_and_aborted_where_it_runs() {
    let mut shard = shard(limits(1, None));
    shard.offered(offer(1, JobClass::Interactive), at(100));
    shard.offered(offer(2, JobClass::Interactive), at(100));
    started(&mut shard, at(100));
    assert_eq!(shard.cancelled(leg(2).job, at(101)), [Action::Ack(2)]);
    assert_eq!(shard.cancelled(leg(1).job, at(101)), [Action::Abort(leg(1))]);
    assert_eq!(shard.started(), 1, "its socket is still open");
    let ended = shard.ended(leg(1), ending(None, LoginOutcome::NotTried), at(102));
    assert_eq!((ended, shard.started()), (vec![Action::Ack(1)], 0));
}

#[test]
fn an_unknown_kind_is_left_to_a_newer_worker() {
    let mut shard = shard(limits(1, None));
    let kind = "sync".parse().expect("a name");
    let actions = shard.offered(Offer { kind, ..offer(1, JobClass::Sync) }, at(100));
    let reason = ReturnReason::UnknownKind;
    assert!(matches!(&actions[..], [Action::Return(_, _, back)] if back.reason == reason));
}
