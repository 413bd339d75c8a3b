//! Dispatch as a table: what waits and what is out, and who goes next.

use std::num::NonZeroU32;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    BatchId, GroupHolds, GroupId, GroupKey, GroupLimits, GroupSettings, LegDraft, LegId,
    LoginBudget, LoginTag, MailboxTag, Payload, ReadyLeg, ShardIndex, StoreWait, Usage,
};
use uuid::Uuid;

use super::*;
use crate::share::Shares;

fn leg(name: u8) -> LegId {
    LegId { job: JobId(Uuid::from_u128(u128::from(name))), index: 0 }
}

/// `waiting` in seconds since 0 with the names of the legs.
fn lane(tenant: &str, class: JobClass, served: u64, waiting: &[(u64, u8)]) -> Lane {
    let legs = waiting.iter().map(|(since, name)| ReadyLeg {
        id: leg(*name),
        since: Timestamp(since * 1_000_000),
        budget: LoginBudget::default(),
    });
    Lane { tenant: tenant.parse().expect("a name"), class, served, legs: legs.collect() }
}

fn view(limit: u32, out: (u32, u32), lanes: Vec<Lane>) -> GroupView {
    let key = GroupKey::new("imap:192.0.2.1").expect("a key");
    let limits = GroupLimits {
        concurrency: NonZeroU32::new(limit).expect("not zero"),
        per_source: None,
        rate: None,
    };
    let out = OutCount { interactive: out.0, bulk: out.1 };
    GroupView {
        now: Timestamp(10_000 * 1_000_000),
        settings: GroupSettings {
            group: GroupId { zone: "z".parse().expect("a name"), key },
            limits,
            paused: false,
            version: 1,
        },
        out,
        shard_out: out,
        dispatched: Timestamp(0),
        holds: GroupHolds::default(),
        lanes,
    }
}

#[track_caller]
fn check(view: &GroupView, expect: &[u8]) {
    let released = release(view, &DispatchRules::default());
    let expect: Vec<LegId> = expect.iter().map(|name| leg(*name)).collect();
    assert_eq!(released.legs, expect);
}

#[test]
fn the_window_is_half_as_much_again() {
    let windows: Vec<u32> = [1, 2, 3, 10].map(window).into();
    assert_eq!(windows, [2, 3, 5, 15]);
}

#[test]
fn interactive_legs_go_first_and_the_oldest_of_them() {
    use JobClass::{Interactive, Revalidation, Sync};
    let lanes = || {
        vec![
            lane("a", Sync, 0, &[(9_000, 1)]),
            lane("a", Revalidation, 0, &[(9_500, 2)]),
            lane("a", Interactive, 0, &[(9_998, 3), (9_999, 4)]),
        ]
    };
    check(&view(10, (0, 0), lanes()), &[3, 4, 2, 1]);
    check(&view(2, (0, 0), lanes()), &[3, 4, 2]);
    check(&view(1, (1, 0), lanes()), &[3]);
    check(&view(1, (1, 1), lanes()), &[]);
}

#[test]
fn what_waits_long_enough_overtakes() {
    use JobClass::{Interactive, Revalidation, Sync};
    let lanes = vec![
        lane("a", Interactive, 0, &[(9_900, 1)]),
        lane("a", Revalidation, 0, &[(9_299, 2)]),
        lane("a", Sync, 0, &[(8_000, 3)]),
    ];
    check(&view(10, (0, 0), lanes), &[3, 2, 1]);
}

#[test]
fn tenants_take_turns_beginning_with_whom_waited_longest() {
    let lanes = vec![
        lane("a", JobClass::Revalidation, 18_000, &[(1, 1), (2, 2), (3, 3)]),
        lane("b", JobClass::Revalidation, 15_000, &[(9, 4), (9, 5)]),
    ];
    check(&view(10, (0, 0), lanes), &[4, 1, 5, 2, 3]);
}

#[test]
fn bulk_leaves_places_for_interactive_legs() {
    let bulk = || lane("a", JobClass::Revalidation, 0, &[(1, 1), (2, 2), (3, 3)]);
    // Limit 10: window 15, of which bulk may fill 13.
    check(&view(10, (0, 12), vec![bulk()]), &[1]);
    check(&view(10, (0, 13), vec![bulk()]), &[]);
    check(&view(10, (2, 12), vec![bulk()]), &[1]);
    check(&view(10, (3, 12), vec![bulk()]), &[]);
    let urgent = lane("a", JobClass::Interactive, 0, &[(5, 9)]);
    check(&view(10, (0, 13), vec![bulk(), urgent]), &[9]);
    // At limit 1 there is nothing to keep.
    check(&view(1, (0, 0), vec![bulk()]), &[1, 2]);
}

#[test]
fn a_full_shard_takes_interactive_legs_into_its_last_fifth() {
    let lanes = || {
        vec![
            lane("a", JobClass::Revalidation, 0, &[(1, 1)]),
            lane("a", JobClass::Interactive, 0, &[(2, 2)]),
        ]
    };
    let mut full = view(10, (0, 0), lanes());
    full.shard_out = OutCount { interactive: 0, bulk: 800 };
    check(&full, &[2]);
    full.shard_out = OutCount { interactive: 200, bulk: 800 };
    check(&full, &[]);
}

#[test]
fn a_paused_group_releases_nothing() {
    let mut paused = view(10, (0, 0), vec![lane("a", JobClass::Interactive, 0, &[(1, 1)])]);
    paused.settings.paused = true;
    check(&paused, &[]);
}

#[test]
fn a_login_that_was_refused_meanwhile_takes_no_place() {
    let mut lane = lane("a", JobClass::Interactive, 0, &[(1, 1), (2, 2)]);
    lane.legs[0].budget = LoginBudget { refusals: 1, last: Some(Timestamp(9_999 * 1_000_000)) };
    let released = release(&view(1, (1, 0), vec![lane]), &DispatchRules::default());
    assert_eq!((released.legs, released.refused), (vec![leg(2)], vec![leg(1)]));
}

#[test]
fn a_view_that_was_cut_off_asks_for_another_pass() {
    let waiting: Vec<(u64, u8)> = (0..64).map(|name| (1, name)).collect();
    let lane = lane("a", JobClass::Interactive, 0, &waiting);
    let rules = DispatchRules::default();
    assert!(release(&view(100, (0, 0), vec![lane.clone()]), &rules).more);
    assert!(!release(&view(10, (0, 0), vec![lane]), &rules).more);
}

#[test]
fn a_zone_releases_by_its_own_part_of_the_limit() {
    let interactive = JobClass::Interactive;
    let waiting: Vec<(u64, u8)> = (1..=20).map(|name| (9_000, name)).collect();
    let view = view(10, (0, 0), vec![lane("a", interactive, 0, &waiting)]);
    let zone = |name: &str| name.parse().expect("a name");
    let shares = |ours, others| Shares::new([(zone("z"), ours), (zone("other"), others)]);
    let out = |ours, others| {
        let rules = DispatchRules { shares: shares(ours, others), ..DispatchRules::default() };
        let released = release(&view, &rules);
        (released.legs.len(), released.shut_out.len())
    };
    assert_eq!(out(50, 50), (8, 0), "half of ten, and half as much again");
    assert_eq!(out(20, 80), (3, 0));
    assert_eq!(out(1, 99), (2, 0), "one session at least while there are some to give");
}

#[test]
fn legs_of_a_zone_without_a_part_are_shut_out() {
    let lanes = vec![
        lane("a", JobClass::Interactive, 0, &[(9_000, 1)]),
        lane("b", JobClass::Sync, 0, &[(9_000, 2), (9_001, 3)]),
    ];
    let mut view = view(1, (0, 0), lanes);
    let zone = |name: &str| name.parse().expect("a name");
    let shares = Shares::new([(zone("z"), 40), (zone("other"), 60)]);
    let rules = DispatchRules { shares, ..DispatchRules::default() };
    let shut_out = release(&view, &rules).shut_out;
    assert_eq!(shut_out, [leg(1), leg(2), leg(3)]);
    view.settings.paused = true;
    assert!(release(&view, &rules).shut_out.is_empty(), "a pause ends");
}

/// Serves lanes that never run out, a few legs at a time; how many legs each tenant got.
fn shares(weights: &[(&str, u32)], start: &[u64], rounds: u8) -> Vec<u32> {
    let weight = |(name, weight): &(&str, u32)| {
        (name.parse().expect("a name"), NonZeroU32::new(*weight).expect("not zero"))
    };
    let rules =
        DispatchRules { weights: weights.iter().map(weight).collect(), ..DispatchRules::default() };
    let mut served = start.to_vec();
    let mut got = vec![0; weights.len()];
    for _ in 0..rounds {
        let legs: Vec<Vec<(u64, u8)>> = (0..weights.len())
            .map(|lane| (0..20).map(|n| (1, u8::try_from(lane * 20 + n).expect("small"))).collect())
            .collect();
        let lanes = weights.iter().zip(&served).zip(&legs);
        let lanes = lanes
            .map(|(((name, _), served), legs)| lane(name, JobClass::Revalidation, *served, legs));
        let released = release(&view(4, (0, 0), lanes.collect()), &rules);
        assert_eq!(released.legs.len(), 5, "the window of bulk work is filled");
        for leg in &released.legs {
            got[usize::from(leg.job.0.as_bytes()[15]) / 20] += 1;
        }
        for turn in &released.turns {
            let at = weights.iter().position(|(name, _)| turn.tenant.as_str() == *name);
            served[at.expect("a lane of the view")] = turn.served;
        }
    }
    got
}

#[test]
fn shares_follow_the_weights_and_nobody_starves() {
    assert_eq!(shares(&[("a", 1), ("b", 1)], &[0, 0], 40), [100, 100]);
    assert_eq!(shares(&[("a", 1), ("b", 3)], &[0, 0], 40), [50, 150]);
    let got = shares(&[("a", 1), ("b", 2), ("c", 7)], &[0, 0, 0], 200);
    for (got, weight) in got.iter().zip([1, 2, 7]) {
        assert!(got.abs_diff(weight * 100) <= 8, "{got} of 1,000 with the weight {weight}");
    }
    let got = shares(&[("a", 1), ("b", 100)], &[0, 0], 202);
    assert!((9..=11).contains(&got[0]), "{got:?}");
}

#[test]
fn who_was_away_catches_up_by_one_turn_at_most() {
    let got = shares(&[("away", 1), ("busy", 1)], &[0, 1_000_000], 4);
    assert_eq!(got, [11, 9]);
    let got = shares(&[("away", 5), ("busy", 1)], &[0, 1_000_000], 4);
    assert!(got[0] <= 18 && got[1] >= 2, "{got:?}");
}

#[test]
fn one_class_takes_no_turns_from_another() {
    use JobClass::{Interactive, Revalidation};
    let lanes = vec![
        lane("a", Interactive, 900_000, &[(9_999, 1)]),
        lane("a", Revalidation, 20_000, &[(1, 2)]),
        lane("b", Revalidation, 10_000, &[(1, 3), (1, 4)]),
    ];
    // Served in another class, nobody is further in this one.
    check(&view(10, (0, 0), lanes), &[3, 4, 2, 1]);
}

/// A group's looks one after the other, as a store keeps what they say.
struct Looks {
    view: GroupView,
}

impl Looks {
    fn of(limit: u32) -> Self {
        Self { view: view(limit, (0, 0), Vec::new()) }
    }

    /// Looks at this second while these are out; what waits is a leg since each of these seconds.
    fn at(&mut self, second: u64, out: (u32, u32), waiting: &[(u64, u8)]) -> Release {
        let lanes = vec![lane("a", JobClass::Interactive, 0, waiting)];
        let rest = view(self.view.settings.limits.concurrency.get(), out, lanes);
        let now = Timestamp(second * 1_000_000);
        let (dispatched, holds) = (self.view.dispatched, self.view.holds);
        self.view =
            GroupView { now, dispatched, holds, settings: self.view.settings.clone(), ..rest };
        let release = release(&self.view, &DispatchRules::default());
        (self.view.dispatched, self.view.holds) = (now, release.holds);
        release
    }

    /// Looks a second after the other, from one to before another.
    fn each(&mut self, seconds: std::ops::Range<u64>, out: (u32, u32), waiting: &[(u64, u8)]) {
        for second in seconds {
            assert!(self.at(second, out, waiting).legs.is_empty(), "the window was full");
        }
    }
}

/// Whole, for the window, while paused: in seconds.
#[track_caller]
fn check_wait(release: &Release, name: u8, expect: (u64, u64, u64)) {
    let StoreWait { whole, window, paused } = release.waits[&leg(name)];
    assert_eq!([whole, window, paused].map(|wait| wait.as_secs()), [expect.0, expect.1, expect.2]);
}

#[test]
fn a_wait_for_the_window_lasts_for_as_long_as_each_look_found_it_full() {
    // Limit 1: two may be out. The third one waits from 10 to 20, the fourth came at 15.
    let mut group = Looks::of(1);
    assert_eq!(group.at(10, (0, 0), &[(10, 1), (10, 2), (10, 3)]).legs, [leg(1), leg(2)]);
    group.each(11..20, (2, 0), &[(10, 3), (15, 4)]);
    let release = group.at(20, (0, 0), &[(10, 3), (15, 4)]);
    check_wait(&release, 3, (10, 10, 0));
    check_wait(&release, 4, (5, 5, 0));
    // It is full again with these two, and the next one has waited since then only.
    check_wait(&group.at(23, (1, 0), &[(19, 5)]), 5, (4, 4, 0));
}

#[test]
fn a_wait_while_the_window_had_room_is_ours() {
    // Nobody looked although there was room: the look came late, and it was the first.
    let mut group = Looks::of(1);
    check_wait(&group.at(20, (0, 0), &[(10, 1)]), 1, (10, 0, 0));
    // It had room at the last look, and this one came late.
    check_wait(&group.at(23, (0, 0), &[(21, 2)]), 2, (2, 0, 0));
    // Full from 24 on; the leg was ready before.
    group.at(24, (1, 0), &[(24, 3)]);
    group.each(25..30, (2, 0), &[(20, 4)]);
    check_wait(&group.at(30, (0, 0), &[(20, 4)]), 4, (10, 6, 0));
}

#[test]
fn what_nobody_looked_at_is_ours() {
    let mut group = Looks::of(1);
    group.at(10, (1, 0), &[(10, 1)]);
    group.each(11..20, (2, 0), &[(10, 2)]);
    // The gateways were away; at their return it is full, and then it is not.
    group.each(60..62, (2, 0), &[(10, 2)]);
    check_wait(&group.at(62, (0, 0), &[(10, 2)]), 2, (52, 2, 0));
    // They were away, and when they are back there is room at once.
    group.at(63, (1, 0), &[(63, 3)]);
    check_wait(&group.at(90, (0, 0), &[(64, 4)]), 4, (26, 0, 0));
    // A clock that was set back has seen nothing.
    group.at(91, (1, 0), &[(91, 5)]);
    check_wait(&group.at(80, (0, 0), &[(70, 6)]), 6, (10, 0, 0));
}

#[test]
fn a_full_shard_is_ours() {
    let mut group = Looks::of(10);
    for second in 10..20 {
        let lanes = vec![lane("a", JobClass::Interactive, 0, &[(10, 1)])];
        let full = OutCount { interactive: DispatchRules::default().shard_cap, bulk: 0 };
        let now = Timestamp(second * 1_000_000);
        group.view = GroupView { now, lanes, shard_out: full, ..group.view };
        let release = release(&group.view, &DispatchRules::default());
        assert!(release.legs.is_empty());
        (group.view.dispatched, group.view.holds) = (now, release.holds);
    }
    check_wait(&group.at(20, (0, 0), &[(10, 1)]), 1, (10, 0, 0));
}

#[test]
fn places_that_are_kept_from_bulk_hold_back_bulk_only() {
    let mut group = Looks::of(10);
    // Window 15, of which bulk may fill 13.
    for second in 10..20 {
        group.at(second, (0, 13), &[]);
    }
    let both = vec![
        lane("a", JobClass::Interactive, 0, &[(12, 1)]),
        lane("a", JobClass::Sync, 0, &[(12, 2)]),
    ];
    let out = OutCount { interactive: 0, bulk: 12 };
    let (now, lanes) = (Timestamp(20_000_000), both);
    let view = GroupView { now, lanes, out, shard_out: out, ..group.view };
    let release = release(&view, &DispatchRules::default());
    check_wait(&release, 1, (8, 0, 0));
    check_wait(&release, 2, (8, 8, 0));
}

#[test]
fn a_pause_is_told_apart_and_ends_what_was_known_of_the_window() {
    let mut group = Looks::of(1);
    group.at(10, (1, 0), &[(10, 1)]);
    group.each(11..15, (2, 0), &[(10, 2)]);
    group.view.settings.paused = true;
    group.each(15..30, (0, 0), &[(10, 2)]);
    group.view.settings.paused = false;
    check_wait(&group.at(30, (0, 0), &[(10, 2)]), 2, (20, 0, 15));
}

/// A job with a leg in each of these groups, all of them calm with so many places taken.
fn calm(legs: &[(&str, Gate)], views: Vec<GroupView>) -> (SubmitView, JobDraft) {
    let leg = |(key, gate): &(&str, Gate)| LegDraft {
        kind: "incoming".parse().expect("a name"),
        gate: *gate,
        group: GroupId {
            zone: "z".parse().expect("a name"),
            key: GroupKey::new(*key).expect("a key"),
        },
        shard: ShardIndex(0),
        pool: "default".parse().expect("a name"),
        mailbox: MailboxTag([0; 32]),
        login: LoginTag([0; 32]),
        cap: Duration::from_secs(60),
        payload: Payload::default(),
    };
    let draft = JobDraft {
        id: JobId(Uuid::from_u128(1)),
        tenant: "a".parse().expect("a name"),
        class: JobClass::Interactive,
        batch: None,
        request: None,
        settings: None,
        deadline: Duration::from_secs(60),
        live_to: None,
        traceparent: None,
        payload: Payload::default(),
        legs: legs.iter().map(leg).collect(),
    };
    let submitted = SubmitView {
        now: Timestamp(0),
        repeated: None,
        running: None,
        usage: Usage::default(),
        budgets: vec![LoginBudget::default(); legs.len()],
        calm: views,
    };
    (submitted, draft)
}

const OURS: &str = "imap:192.0.2.1";

#[track_caller]
fn check_at_once(view: GroupView, expect: &[u8]) {
    let (submitted, draft) = calm(&[(OURS, Gate::Open)], vec![view]);
    assert_eq!(at_once(&submitted, &draft, &DispatchRules::default()), expect);
}

#[test]
fn legs_go_with_their_job_where_nothing_holds_them_back_and_a_place_is_left() {
    // A window of 15, of which 2 are kept for whoever waits.
    check_at_once(view(10, (0, 0), Vec::new()), &[0]);
    check_at_once(view(10, (12, 0), Vec::new()), &[0]);
    check_at_once(view(10, (0, 12), Vec::new()), &[0]);
    check_at_once(view(10, (14, 0), Vec::new()), &[]);
    check_at_once(view(10, (0, 14), Vec::new()), &[]);
    check_at_once(view(1, (0, 0), Vec::new()), &[0]);
    check_at_once(view(1, (1, 0), Vec::new()), &[]);
    let mut paused = view(10, (0, 0), Vec::new());
    paused.settings.paused = true;
    check_at_once(paused, &[]);
    let holds = GroupHolds { window: Some(Timestamp(1)), ..GroupHolds::default() };
    check_at_once(GroupView { holds, ..view(10, (0, 0), Vec::new()) }, &[]);
    let waits = vec![lane("b", JobClass::Sync, 0, &[(0, 9)])];
    check_at_once(view(10, (0, 0), waits), &[]);
    let cap = DispatchRules::default().shard_cap;
    let shard_out = OutCount { interactive: cap, bulk: 0 };
    check_at_once(GroupView { shard_out, ..view(10, (0, 0), Vec::new()) }, &[]);
}

#[test]
fn a_leg_goes_with_its_job_only_if_its_gate_is_open_and_its_group_is_calm() {
    let rules = DispatchRules::default();
    let legs = [(OURS, Gate::Open), ("smtp:192.0.2.1", Gate::Open), (OURS, Gate::AfterOthers)];
    let (submitted, draft) = calm(&legs, vec![view(10, (0, 0), Vec::new())]);
    assert_eq!(at_once(&submitted, &draft, &rules), [0]);
    let of_batch = JobDraft { batch: Some(BatchId(Uuid::from_u128(2))), ..draft };
    assert!(at_once(&submitted, &of_batch, &rules).is_empty(), "the batch may be paused");
}

#[test]
fn legs_of_one_job_in_one_group_share_its_places() {
    let legs = [(OURS, Gate::Open); 6];
    let (submitted, draft) = calm(&legs, vec![view(10, (10, 0), Vec::new())]);
    let gone = at_once(&submitted, &draft, &DispatchRules::default());
    let alone = |out| {
        let (submitted, draft) = calm(&[(OURS, Gate::Open)], vec![view(10, (out, 0), Vec::new())]);
        !at_once(&submitted, &draft, &DispatchRules::default()).is_empty()
    };
    let expect = (10..16).take_while(|out| alone(*out)).count();
    assert_eq!(gone.len(), expect);
    assert!((1..6).contains(&expect), "{expect}");
}
