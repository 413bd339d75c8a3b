//! Chance from a seed that is printed, so that a run can be repeated as far as a fleet of
//! processes can.

use std::time::Duration;

use uuid::Uuid;

/// Numbers that look like chance (SplitMix64: Steele, Lea and Flood, 2014).
pub(crate) struct Chance(u64);

impl Chance {
    /// From the seed of the environment, or from a new one.
    pub(crate) fn new(what: &str) -> Self {
        let asked = std::env::var("MAILFLEET_SEED").ok().and_then(|text| text.parse().ok());
        let seed = asked.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0);
        eprintln!("{what}: MAILFLEET_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A moment within the next `longest`.
    pub(crate) async fn moment(&mut self, longest: Duration) {
        let most = u64::try_from(longest.as_millis()).expect("a short time");
        tokio::time::sleep(Duration::from_millis(self.next() % most)).await;
    }
}
