//! Pictures of made-up fleets, in terminals of several sizes.

use mailfleet_api::v1::fault::Code;
use mailfleet_api::v1::get_fleet_summary_response::{Cause, Ended};
use mailfleet_api::v1::limit_group::Condition;

use super::*;

fn worker(number: u32, draining: bool, silence: i64) -> v1::Worker {
    v1::Worker {
        name: format!("workers/rack-{number}-4711"),
        zone: "default".to_owned(),
        shards: (0..number).collect(),
        capacity: 64,
        running: 10 * number,
        draining,
        version: "0.1.0".to_owned(),
        silence: Some(prost_types::Duration { seconds: silence, nanos: 0 }),
    }
}

fn group(key: &str, waiting: u32, conditions: &[Condition]) -> v1::LimitGroup {
    let limits = v1::Limits {
        concurrency: 10,
        login_rate: Some(v1::LoginRate { logins: 60, period: None }),
        ..v1::Limits::default()
    };
    v1::LimitGroup {
        name: format!("zones/default/limitGroups/{key}"),
        key: key.to_owned(),
        limits: Some(limits),
        zone_limits: Some(limits),
        waiting_in_store: waiting,
        owner: Some(v1::OwnerState { limit: 10, in_use: 7, ..v1::OwnerState::default() }),
        conditions: conditions.iter().map(|condition| (*condition).into()).collect(),
        ..v1::LimitGroup::default()
    }
}

fn fleet() -> v1::GetFleetSummaryResponse {
    let ended = |state: State, verdict: Verdict, jobs| Ended {
        state: state.into(),
        verdict: verdict.into(),
        jobs,
    };
    let cause = |code: Code, legs| Cause { code: code.into(), legs };
    let mut groups = vec![
        group("imap:203.0.113.9", 3_000, &[Condition::ServerDown, Condition::Waiting]),
        group("imap:2001:db8:1234:5678:9abc:def0:1234:5678", 2, &[Condition::ShutOut]),
    ];
    groups.extend((1..=40).map(|n| group(&format!("smtp:198.51.100.{n}"), 40 - n, &[])));
    v1::GetFleetSummaryResponse {
        time: Some(prost_types::Timestamp { seconds: 1_795_765_512, nanos: 0 }),
        window: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ended: vec![
            ended(State::Done, Verdict::Healthy, 2_980),
            ended(State::Done, Verdict::Faulty, 112),
            ended(State::Done, Verdict::Inconclusive, 7),
            ended(State::Cancelled, Verdict::Unspecified, 4),
            ended(State::Cancelled, Verdict::Inconclusive, 2),
        ],
        ended_per_second: 51.75,
        causes: vec![
            cause(Code::AuthInvalidCredentials, 80),
            cause(Code::ConnectTimeout, 20),
            cause(Code::TlsCertExpired, 4),
            cause(Code::SubmissionOutcomeUnknown, 3),
            cause(Code::AuthTemporaryFailure, 2),
            cause(Code::WorkerLost, 1),
            cause(Code::ProtocolError, 1),
        ],
        open_jobs: 1_204,
        workers: vec![
            worker(1, false, 0),
            worker(2, true, 0),
            worker(3, false, 0),
            worker(4, false, 9),
            worker(5, false, 0),
            worker(6, false, 0),
            worker(7, false, 0),
        ],
        zones: vec!["default".to_owned()],
        shards: 64,
        shards_without_owner: 3,
        groups,
        groups_total: 1_842,
        groups_sick: 2,
    }
}

fn shown(picture: &v1::GetFleetSummaryResponse, columns: usize, rows: Option<usize>) -> String {
    let view = View { picture, note: None, hint: Some("every 2s, q quits") };
    let text = anstream::adapter::strip_str(&draw(&view, Size { columns, rows })).to_string();
    assert!(text.lines().all(|line| wrap::columns(line) <= columns), "too wide:\n{text}");
    assert!(rows.is_none_or(|rows| text.lines().count() <= rows), "too high:\n{text}");
    text
}

#[test]
fn a_usual_terminal() {
    insta::assert_snapshot!(shown(&fleet(), 80, Some(24)));
}

#[test]
fn a_large_terminal() {
    insta::assert_snapshot!(shown(&fleet(), 120, Some(45)));
}

#[test]
fn a_low_terminal_has_the_counts_and_says_what_has_no_room() {
    let shown = shown(&fleet(), 60, Some(16));
    assert!(shown.contains("open now          1,204"), "{shown}");
    assert!(shown.ends_with("1,842 mail servers and no room; 2 need a look\n"), "{shown}");
    let well = v1::GetFleetSummaryResponse { groups_sick: 0, ..fleet() };
    let shown = self::shown(&well, 60, Some(16));
    assert!(shown.ends_with("1,842 mail servers, and no room for them\n"), "{shown}");
}

#[test]
fn an_idle_fleet() {
    let idle = v1::GetFleetSummaryResponse {
        zones: vec!["osaka".to_owned(), "tokyo".to_owned()],
        shards: 128,
        ..v1::GetFleetSummaryResponse::default()
    };
    insta::assert_snapshot!(shown(&idle, 80, None));
}

#[test]
fn no_terminal_is_too_small() {
    for columns in [1, 10, 40, 60, 79] {
        for rows in [1, 2, 5, 10, 15, 24] {
            let view = View { picture: &fleet(), note: Some("gone"), hint: None };
            let text = draw(&view, Size { columns, rows: Some(rows) });
            assert!(text.lines().count() <= rows, "{columns}x{rows}:\n{text}");
        }
    }
}

#[test]
fn a_gateway_that_is_gone_is_told_above_the_last_picture() {
    let view = View { picture: &fleet(), note: Some("gone for 3.0 s"), hint: Some("q quits") };
    let text = draw(&view, Size { columns: 80, rows: Some(24) });
    let text = anstream::adapter::strip_str(&text).to_string();
    assert_eq!(text.lines().nth(1), Some("gone for 3.0 s"));
    assert!(text.contains("AUTH_INVALID_CREDENTIALS"), "{text}");
}
