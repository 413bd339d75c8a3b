//! Feeding: what begins, what waits, and what stops a batch.

use std::time::Duration;

use mailfleet_model::fleet::{
    BatchId, BatchRecord, BatchSettings, HeldItem, ItemCounts, JobClass, Timestamp,
};
use uuid::Uuid;

use super::*;

fn view(state: BatchState, counts: ItemCounts) -> BatchView {
    let batch = BatchRecord {
        id: BatchId(Uuid::from_u128(1)),
        tenant: "crm".parse().expect("a name"),
        display_name: String::new(),
        state,
        settings: BatchSettings {
            class: JobClass::Revalidation,
            max_open: 100,
            canaries: 3,
            stop_when: Some(20),
            item_deadline: Duration::from_secs(3_600),
            deadline: Duration::from_secs(86_400),
        },
        created: Timestamp(0),
        started: Some(Timestamp(0)),
        deadline: Some(Timestamp(1_000)),
        finished: None,
        pause: None,
        guard_since: Timestamp(0),
        traceparent: None,
        counts,
    };
    BatchView { now: Timestamp(1), batch, refusals: 0, domains: Vec::new(), more: false }
}

fn running(held: u64, open: u64) -> BatchView {
    view(BatchState::Running, ItemCounts { held, open, ..ItemCounts::default() })
}

/// A domain with items from this place on, each with a login of its own.
fn domain(open: u32, refused: u32, proven: bool, from: u64, number: u8) -> DomainView {
    let item = |n: u8| HeldItem {
        position: from + u64::from(n),
        login: LoginTag([n.wrapping_add(u8::try_from(from % 256).expect("a byte")); 32]),
    };
    DomainView { open, refused, proven, held: (0..number).map(item).collect() }
}

#[track_caller]
fn check(domain: DomainView, expect: usize) {
    let mut view = running(999, 1);
    view.domains = vec![domain];
    assert_eq!(feed(&view, &Ask::Feed).begin.len(), expect, "{:?}", view.domains);
}

#[test]
fn canaries_go_first_and_an_answer_frees_the_rest() {
    check(domain(0, 0, false, 1, 90), 3);
    check(domain(2, 0, false, 1, 90), 1);
    check(domain(3, 0, false, 1, 90), 0);
    check(domain(2, 1, false, 1, 90), 0);
    check(domain(0, 1, true, 1, 90), 64);
    check(domain(60, 0, true, 1, 90), 4);
}

#[test]
fn refused_canaries_let_the_rest_through_one_by_one() {
    check(domain(0, 3, false, 1, 90), 1);
    check(domain(1, 3, false, 1, 90), 0);
}

#[test]
fn domains_take_turns_within_what_may_be_open() {
    let mut view = running(999, 96);
    view.domains = vec![domain(0, 0, true, 1, 50), domain(0, 0, true, 101, 50)];
    assert_eq!(feed(&view, &Ask::Feed).begin, [1, 101, 2, 102]);
    view.batch.counts.open = 200;
    assert_eq!(feed(&view, &Ask::Feed), BatchChange::default());
}

#[test]
fn no_login_begins_twice() {
    let mut view = running(9, 0);
    let mut domain = domain(0, 0, true, 1, 3);
    domain.held[1].login = domain.held[0].login;
    view.domains = vec![domain];
    assert_eq!(feed(&view, &Ask::Feed).begin, [1, 3]);
}

#[test]
fn a_run_of_refusals_pauses_unless_the_guard_is_lifted() {
    let mut view = running(9, 1);
    view.refusals = 20;
    let change = feed(&view, &Ask::Feed);
    assert_eq!(change.state, Some(BatchState::Paused));
    let (cause, reason) = change.pause.expect("a reason");
    assert_eq!(cause, PauseCause::Guard);
    assert_eq!(reason, "20 logins in a row were refused for good");
    view.batch.settings.stop_when = None;
    assert_eq!(feed(&view, &Ask::Feed).state, None);
    // Nothing is left that a pause could save.
    view.batch.settings.stop_when = Some(20);
    view.batch.counts.held = 0;
    assert_eq!(feed(&view, &Ask::Feed), BatchChange::default());
}

#[test]
fn a_batch_ends_when_nothing_is_left_of_it() {
    assert_eq!(feed(&running(0, 1), &Ask::Feed), BatchChange::default());
    assert_eq!(feed(&running(0, 0), &Ask::Feed).state, Some(BatchState::Done));
    let counts = ItemCounts { held: 1, ..ItemCounts::default() };
    assert!(feed(&view(BatchState::Cancelling, counts), &Ask::Feed).cancel_held);
    let empty = view(BatchState::Cancelling, ItemCounts::default());
    assert_eq!(feed(&empty, &Ask::Feed).state, Some(BatchState::Cancelled));
    let mut late = running(9, 1);
    late.now = Timestamp(1_000);
    assert_eq!(feed(&late, &Ask::Feed).state, Some(BatchState::Cancelling));
}

#[test]
fn what_is_asked_in_the_wrong_state_changes_nothing() {
    let asks =
        [Ask::Start, Ask::Pause("r".to_owned()), Ask::Resume { lift_guard: false }, Ask::Cancel];
    let table = [
        (
            BatchState::Uploading,
            [Some(BatchState::Running), None, None, Some(BatchState::Cancelling)],
        ),
        (BatchState::Running, [None, Some(BatchState::Paused), None, Some(BatchState::Cancelling)]),
        (BatchState::Paused, [None, None, Some(BatchState::Running), Some(BatchState::Cancelling)]),
        (BatchState::Cancelling, [None; 4]),
        (BatchState::Cancelled, [None; 4]),
        (BatchState::Done, [None; 4]),
    ];
    for (state, expect) in table {
        let counts = ItemCounts { held: 1, ..ItemCounts::default() };
        let said = asks.clone().map(|ask| feed(&view(state, counts), &ask).state);
        assert_eq!(said, expect, "{state}");
    }
}
