//! What keeps legs in the store, and how long a leg was kept there by it.
//!
//! A leg's wait is for its group's window, or for a pause, as far as dispatch found it so each
//! time that it looked, from after the leg was ready until now. What lies between two looks
//! counts if they follow each other as those of a living fleet do; otherwise nobody knows what
//! held the leg back, and it was us. Whether a full window is the mail server's doing is not
//! known here: the owner of the legs that are out knows what they do.

use std::time::Duration;

use mailfleet_model::fleet::{GroupHolds, GroupView, JobClass, StoreWait, Timestamp};

use super::Places;
use crate::rules::DispatchRules;

/// After a look at a paused group.
pub(super) fn paused(view: &GroupView, rules: &DispatchRules) -> GroupHolds {
    let paused = since(view.holds.paused, true, view, rules);
    GroupHolds { paused, ..GroupHolds::default() }
}

/// After a release that leaves these places in the group's window. A full shard is no hold: it
/// is the fleet's own.
pub(super) fn by_window(view: &GroupView, left: &Places, rules: &DispatchRules) -> GroupHolds {
    let is_full = |class| !left.has(class);
    GroupHolds {
        paused: None,
        window: since(view.holds.window, is_full(JobClass::Interactive), view, rules),
        bulk_window: since(view.holds.bulk_window, is_full(JobClass::Revalidation), view, rules),
    }
}

/// How a leg has waited that is released now and was ready `since` then.
pub(super) fn wait(
    view: &GroupView,
    class: JobClass,
    ready: Timestamp,
    rules: &DispatchRules,
) -> StoreWait {
    let GroupHolds { paused, window, bulk_window } = view.holds;
    let window = if class.is_bulk() { bulk_window } else { window };
    let held = |since: Option<Timestamp>| match since {
        Some(since) if is_followed_up(view, rules) => view.now.since(since.max(ready)),
        Some(_) | None => Duration::ZERO,
    };
    StoreWait { whole: view.now.since(ready), window: held(window), paused: held(paused) }
}

/// Since when it is so, if it was so when the group was looked at last, and is so now.
fn since(
    before: Option<Timestamp>,
    is_so: bool,
    view: &GroupView,
    rules: &DispatchRules,
) -> Option<Timestamp> {
    let before = before.filter(|_| is_followed_up(view, rules));
    is_so.then(|| before.unwrap_or(view.now))
}

/// Whether this look follows the last one soon enough to speak for the time between.
fn is_followed_up(view: &GroupView, rules: &DispatchRules) -> bool {
    view.dispatched <= view.now && view.now.since(view.dispatched) <= rules.follow_up
}
