//! How fast a tenant submits: a token bucket each, in this process only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mailfleet_engine::Monotonic;
use mailfleet_model::fleet::TenantId;

/// The time that the quota counts in.
const MINUTE: Duration = Duration::from_secs(60);

/// The buckets. There are as many as tenants, which are configured.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<HashMap<TenantId, Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// When the bucket will be full, if nobody takes anything.
    full: Monotonic,
}

impl Pace {
    /// Takes one submission of `most` in a minute.
    ///
    /// # Errors
    /// If there is none left: how long to wait for the next one.
    pub(crate) fn take(
        &self,
        tenant: &TenantId,
        most: u64,
        now: Monotonic,
    ) -> Result<(), Duration> {
        let each = Duration::from_micros(60_000_000 / most.clamp(1, 60_000_000));
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(tenant.clone()).or_insert(Bucket { full: now });
        let full = bucket.full.max(now).plus(each);
        let over = full.since(now).saturating_sub(MINUTE);
        if over.is_zero() {
            bucket.full = full;
            Ok(())
        } else {
            Err(over)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_goes_at_once_and_then_one_at_a_time() {
        let (pace, tenant) = (Pace::default(), "crm".parse().expect("a name"));
        let take = |second| pace.take(&tenant, 3, Monotonic(Duration::from_secs(second)));
        assert_eq!([take(0), take(0), take(0)], [Ok(()); 3]);
        assert_eq!(take(0), Err(Duration::from_secs(20)));
        assert_eq!(take(15), Err(Duration::from_secs(5)));
        assert_eq!(take(20), Ok(()));
        assert_eq!(take(21), Err(Duration::from_secs(19)));
        let other = "erp".parse().expect("a name");
        assert_eq!(pace.take(&other, 1, Monotonic(Duration::ZERO)), Ok(()));
    }
}
