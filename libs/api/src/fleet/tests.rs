//! Names, limits and filters, read as they are written.

use super::*;

fn group_id() -> GroupId {
    let key = GroupKey::new("imap:2001:db8::1").expect("a key");
    GroupId { zone: "default".parse().expect("a name"), key }
}

fn state() -> GroupState {
    GroupState {
        group: group_id(),
        limit: 3,
        in_use: 3,
        waiting: 2,
        paused: false,
        breaker: Some(Duration::from_secs(30)),
        lowered: None,
    }
}

#[test]
fn names_are_read_as_they_are_written() {
    let (group, zones) = (group_id(), [group_id().zone, "tokyo".parse().expect("a name")]);
    assert_eq!(parse_group_name(&group_name(&group), &zones), Ok(group));
    for wrong in ["", "zones/other/limitGroups/imap:google", "zones/default/limitGroups/", "imap:x"]
    {
        assert!(parse_group_name(wrong, &zones).is_err(), "{wrong:?}");
    }
    let worker: WorkerId = "w1".parse().expect("a name");
    assert_eq!(parse_worker_name(&worker_name(&worker)), Ok(worker));
    assert!(parse_worker_name("w1").is_err() && parse_worker_name("workers/").is_err());
}

#[test]
fn limits_survive_the_way_there_and_back() {
    let asked = v1::Limits {
        concurrency: 7,
        per_source: 2,
        login_rate: Some(v1::LoginRate { logins: 30, period: None }),
    };
    let read = parse_limits(Some(&asked)).expect("good limits");
    assert_eq!(read.rate.map(|rate| rate.per), Some(Duration::from_secs(60)));
    assert_eq!(parse_limits(Some(&limits(&read))), Ok(read));
}

#[test]
fn bad_limits_name_every_field() {
    let rate = v1::LoginRate { logins: 0, period: Some(when::duration(Duration::ZERO)) };
    let bad = v1::Limits { concurrency: 10_001, per_source: 10_001, login_rate: Some(rate) };
    let bad = parse_limits(Some(&bad)).expect_err("everything is wrong");
    let fields: Vec<&str> = bad.as_slice().iter().map(|v| v.field.as_str()).collect();
    let expect = ["concurrency", "per_source", "login_rate.logins", "login_rate.period"];
    assert_eq!(fields, expect.map(|field| format!("limits.{field}")));
    assert!(parse_limits(None).is_err());
}

#[test]
fn conditions_are_found_and_filtered_by() {
    let found = conditions(true, false, false, Some(&state()));
    assert_eq!(found, [Condition::Paused, Condition::ServerDown, Condition::Waiting]);
    assert!(conditions(false, false, false, None).is_empty());
    let told = GroupState { paused: true, breaker: None, waiting: 0, ..state() };
    let shut_out = conditions(false, false, true, Some(&told));
    assert_eq!(shut_out, [Condition::ShutOut], "nobody has paused it");
    let only = |conditions| GroupListing { conditions, ..GroupListing::default() };
    let key = group_id().key;
    assert!(only(Vec::new()).wants(&key, &[]));
    assert!(only(vec![Condition::ServerDown]).wants(&key, &found));
    assert!(!only(vec![Condition::Lowered]).wants(&key, &found));
    let text = GroupListing { contains: "google".to_owned(), ..GroupListing::default() };
    assert!(!text.wants(&key, &found));
}

#[test]
fn a_bad_list_request_names_every_field() {
    let bad = v1::ListLimitGroupsRequest {
        page_size: -1,
        page_token: "a b".to_owned(),
        key_contains: "x".repeat(301),
        conditions: vec![0],
    };
    let bad = group_listing(&bad).expect_err("everything is wrong");
    let fields: Vec<&str> = bad.as_slice().iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, ["page_size", "page_token", "key_contains", "conditions"]);
}
