//! Settings of limit groups.

use std::num::NonZeroU32;
use std::time::Duration;

use mailfleet_model::fleet::{
    GroupId, GroupLimits, GroupOccupancy, GroupSettings, Rate, ShardIndex, Store,
};

use super::{Place, submit};
use crate::samples::{self, draft, group, group_in, limits};

pub(crate) async fn a_group_without_settings_has_the_defaults(place: &impl Place) {
    let store = place.open().await;
    let expect = GroupSettings {
        group: group("a"),
        limits: samples::default_limits(),
        paused: false,
        version: 0,
    };
    assert_eq!(store.group(&group("a")).await.unwrap(), expect);
    submit(&store, &draft(1)).await;
    assert_eq!(store.group(&group("a")).await.unwrap(), expect);
    assert!(store.groups(&group("a").zone, ShardIndex(1)).await.unwrap().is_empty());
}

pub(crate) async fn settings_are_kept_with_a_version(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    let one = |number| NonZeroU32::new(number).expect("not zero");
    let full = GroupLimits {
        per_source: Some(one(2)),
        rate: Some(Rate { logins: one(30), per: Duration::from_millis(1_500) }),
        ..limits(10_000)
    };
    for (version, limits, paused) in [(1, full, true), (2, limits(1), false), (3, full, false)] {
        let set = samples::set(&store, &group("a"), 1, limits, paused).await;
        assert_eq!(set, GroupSettings { group: group("a"), limits, paused, version });
        assert_eq!(store.group(&group("a")).await.unwrap(), set);
    }
}

pub(crate) async fn a_shard_lists_groups_with_settings_of_their_own(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &samples::in_group(1, "unset")).await;
    let mut expect = Vec::new();
    for (zone, key, shard) in
        [("default", "b", 1), ("default", "a", 1), ("default", "c", 2), ("tokyo", "d", 1)]
    {
        let group = group_in(zone, key);
        expect.push(samples::set(&store, &group, shard, limits(3), false).await);
    }
    let zone = group("a").zone;
    let listed = store.groups(&zone, ShardIndex(1)).await.unwrap();
    assert_eq!(listed, [expect[1].clone(), expect[0].clone()]);
    assert_eq!(store.groups(&zone, ShardIndex(2)).await.unwrap(), [expect[2].clone()]);
    assert!(store.groups(&zone, ShardIndex(3)).await.unwrap().is_empty());
}

pub(crate) async fn groups_of_all_zones_and_shards_are_listed_at_once(place: &impl Place) {
    let store = place.open().await;
    assert_eq!(store.set_groups().await.unwrap(), []);
    submit(&store, &samples::in_group(1, "unset")).await;
    let mut expect = Vec::new();
    for (zone, key, shard) in [("tokyo", "a", 9), ("default", "b", 2), ("default", "a", 1)] {
        let group = group_in(zone, key);
        expect.insert(0, samples::set(&store, &group, shard, limits(3), true).await);
    }
    assert_eq!(store.set_groups().await.unwrap(), expect);
}

pub(crate) async fn how_full_groups_are_is_told_of_all_at_once(place: &impl Place) {
    let store = place.open().await;
    assert_eq!(store.occupancy(&[]).await.unwrap(), []);
    for number in 1..=3 {
        submit(&store, &samples::in_group(number, "a")).await;
    }
    submit(&store, &samples::in_group(4, "b")).await;
    let set = samples::set(&store, &group("b"), 1, limits(7), true).await;
    super::release(&store, "a", 1).await;
    // Names may hold whatever is printable.
    let odd = group(r#"name:'"\$1"#);
    let groups = ["b", "a"].map(group).into_iter().chain([odd.clone(), group_in("tokyo", "a")]);
    let found = store.occupancy(&groups.collect::<Vec<_>>()).await.unwrap();
    let unset = |group: GroupId| GroupSettings {
        group,
        limits: samples::default_limits(),
        paused: false,
        version: 0,
    };
    let expect = [
        (unset(group("a")), 1, 2),
        (set, 0, 1),
        (unset(odd), 0, 0),
        (unset(group_in("tokyo", "a")), 0, 0),
    ];
    let expect = expect.map(|(settings, out, waiting)| GroupOccupancy { settings, out, waiting });
    assert_eq!(found, expect);
}

pub(crate) async fn legs_of_paused_batches_do_not_count_as_waiting(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &samples::in_group(1, "a")).await;
    let waiting = async || store.occupancy(&[group("a")]).await.unwrap()[0].waiting;
    assert_eq!(waiting().await, 1);
    place.meddle("UPDATE legs SET batch = job").await;
    place
        .meddle(
            "INSERT INTO batches (id, tenant, created, paused) \
             SELECT batch, tenant, 0, 'OPERATOR' FROM legs",
        )
        .await;
    assert_eq!(waiting().await, 0);
    place.meddle("UPDATE batches SET paused = NULL").await;
    assert_eq!(waiting().await, 1);
}

pub(crate) async fn settings_are_those_of_every_zone_that_they_are_set_in(place: &impl Place) {
    let store = place.open().await;
    let zones = ["default", "tokyo"].map(|zone| zone.parse().expect("a name"));
    let (a, shard) = (group("a"), ShardIndex(1));
    samples::set(&store, &a, 1, limits(9), false).await;
    samples::set(&store, &a, 1, limits(8), false).await;
    let set = store.set_group(&zones, &a.key, shard, limits(3), true).await.unwrap();
    let settings = |zone: &str, version| GroupSettings {
        group: group_in(zone, a.key.as_str()),
        limits: limits(3),
        paused: true,
        version,
    };
    assert_eq!(set, [settings("default", 3), settings("tokyo", 3)], "one version for all");
    assert_eq!(store.group(&set[1].group).await.unwrap(), set[1]);
    // A zone that comes later has what was set before, and nothing that is older wins.
    samples::set(&store, &group_in("osaka", "b"), 1, limits(7), false).await;
    let zones = ["osaka", "tokyo"].map(|zone| zone.parse().expect("a name"));
    for _ in 0..2 {
        store.spread_groups(&zones).await.unwrap();
    }
    assert_eq!(
        store.group(&group_in("osaka", a.key.as_str())).await.unwrap(),
        settings("osaka", 3)
    );
    assert_eq!(store.group(&group_in("tokyo", "b")).await.unwrap().limits, limits(7));
    assert_eq!(store.group(&group("b")).await.unwrap().version, 0, "nobody asked for it there");
}
