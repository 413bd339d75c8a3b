//! Settings of limit groups.

use std::num::NonZeroU32;
use std::time::Duration;

use mailfleet_model::fleet::{GroupLimits, GroupSettings, Rate, ShardIndex, Store};

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
        let set = store.set_group(&group("a"), ShardIndex(1), limits, paused).await.unwrap();
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
        let set = store.set_group(&group, ShardIndex(shard), limits(3), false);
        expect.push(set.await.unwrap());
    }
    let zone = group("a").zone;
    let listed = store.groups(&zone, ShardIndex(1)).await.unwrap();
    assert_eq!(listed, [expect[1].clone(), expect[0].clone()]);
    assert_eq!(store.groups(&zone, ShardIndex(2)).await.unwrap(), [expect[2].clone()]);
    assert!(store.groups(&zone, ShardIndex(3)).await.unwrap().is_empty());
}
