//! A picture of the whole fleet, for operators who look at it again and again.
//!
//! A picture is kept for a while and given to all who ask meanwhile, so that ten lookers cost as
//! much as one, and a picture that takes long to make is made seldom: but never so seldom that
//! one bad moment is shown long after it is over.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use mailfleet_api::{fleet, v1};
use mailfleet_model::fleet::{GatewayQueue, Store, StoreError};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::groups::Ranked;

/// A picture is kept for so long at least.
const KEPT: Duration = Duration::from_secs(1);
/// Or for so many times as long as it took to make.
const COST: u32 = 10;
/// And no longer, whatever it took: a store that hung, or a gateway that was frozen meanwhile.
const MOST: Duration = Duration::from_secs(15);
/// Most limit groups of a picture.
const GROUPS: usize = 100;

/// The pictures that are kept, by how far they look back.
#[derive(Debug, Default)]
pub(crate) struct Pictures(Mutex<BTreeMap<Duration, Kept>>);

#[derive(Debug)]
struct Kept {
    until: Instant,
    picture: v1::GetFleetSummaryResponse,
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// The fleet as it is now, or was a moment ago.
    pub(crate) async fn summary(
        &self,
        window: Duration,
    ) -> Result<v1::GetFleetSummaryResponse, StoreError> {
        // Whoever comes while a picture is made waits for it, and gets it too.
        let mut kept = self.pictures.0.lock().await;
        let began = Instant::now();
        kept.retain(|_, kept| began < kept.until);
        if let Some(kept) = kept.get(&window) {
            return Ok(kept.picture.clone());
        }
        let picture = self.picture(window).await?;
        let now = Instant::now();
        let until = now + kept_for(now - began);
        kept.insert(window, Kept { until, picture: picture.clone() });
        Ok(picture)
    }

    async fn picture(&self, window: Duration) -> Result<v1::GetFleetSummaryResponse, StoreError> {
        let recent = self.store.recent(window).await?;
        let Ranked { mut groups, total, sick } = self.ranked_groups(GROUPS).await?;
        // Only now it is known how many legs wait for each.
        groups.sort_by_key(|group| Reverse(weight(group)));
        let (zones, now) = (self.zones(), self.now());
        let members = self.members.all(now);
        let shards = zones.len() * usize::from(self.rules.collect.shards.get());
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(v1::GetFleetSummaryResponse {
            workers: members
                .iter()
                .map(|member| fleet::worker(&member.news, now.since(member.heard)))
                .collect(),
            zones: zones.iter().map(ToString::to_string).collect(),
            shards: number(shards),
            shards_without_owner: number(self.unowned(&zones, now)),
            groups,
            groups_total: number(total),
            groups_sick: number(sick),
            ..fleet::recent(&recent, window, SystemTime::now())
        })
    }
}

/// How long a picture is kept that took so long to make.
fn kept_for(took: Duration) -> Duration {
    took.saturating_mul(COST).clamp(KEPT, MOST)
}

/// The sickest first, then the busiest.
fn weight(group: &v1::LimitGroup) -> (bool, u32, u32) {
    let owner = group.owner.unwrap_or_default();
    (fleet::is_sick(group.conditions()), group.waiting_in_store + owner.waiting, owner.in_use)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_kept_for_as_long_as_it_is_worth_and_no_longer() {
        let kept = [1, 100, 400, 1_500, 15_000].map(|took| kept_for(Duration::from_millis(took)));
        assert_eq!(kept.map(|kept| kept.as_secs()), [1, 1, 4, 15, 15]);
    }
}
