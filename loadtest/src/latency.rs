//! Histograms of latencies that can be written down, read again and added up.
//!
//! Microseconds, three significant digits, as HdrHistogram keeps them. In JSON the buckets stand
//! as pairs of a value and a count: bulky, and readable in fifty years.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest latency that is told apart, in microseconds: one hour.
const LONGEST: u64 = 3_600_000_000;

/// A histogram of latencies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are good"))
    }
}

impl Latencies {
    /// Adds one, in microseconds.
    pub(crate) fn record(&mut self, micros: u64) {
        self.0.saturating_record(micros.max(1));
    }

    /// Adds all of another one.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// A quantile; none of nothing.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<Duration> {
        let is_any = 0 < self.count();
        is_any.then(|| Duration::from_micros(self.0.value_at_quantile(quantile)))
    }

    /// The values and counts of all buckets with something in them.
    fn buckets(&self) -> Vec<(u64, u64)> {
        let all = self.0.iter_recorded();
        all.map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value())).collect()
    }
}

impl FromIterator<u64> for Latencies {
    fn from_iter<T: IntoIterator<Item = u64>>(values: T) -> Self {
        let mut all = Self::default();
        values.into_iter().for_each(|value| all.record(value));
        all
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.buckets().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut all = Self::default();
        for (value, count) in Vec::<(u64, u64)>::deserialize(from)? {
            all.0.saturating_record_n(value.max(1), count);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_survive_being_written_and_read() {
        let all: Latencies = (1..=10_000).map(|number| number * 37).collect();
        let text = serde_json::to_string(&all).expect("it can be written");
        let again: Latencies = serde_json::from_str(&text).expect("it can be read");
        assert_eq!(again, all);
        for quantile in [0.0, 0.5, 0.99, 1.0] {
            assert_eq!(again.quantile(quantile), all.quantile(quantile));
        }
    }

    #[test]
    fn two_added_up_are_as_if_all_had_been_recorded_in_one() {
        let (mut low, high): (Latencies, Latencies) =
            ((1..500).collect(), (500..=70_000_000).step_by(70_001).collect());
        let all: Latencies = (1..500).chain((500..=70_000_000).step_by(70_001)).collect();
        low.add(&high);
        assert_eq!(low, all);
        assert_eq!(low.count(), all.count());
    }

    #[test]
    fn nothing_has_no_quantile_and_too_much_counts_as_the_longest() {
        assert_eq!(Latencies::default().quantile(0.5), None);
        let long: Latencies = [u64::MAX].into_iter().collect();
        assert!(long.quantile(1.0) >= Some(Duration::from_secs(3_500)));
    }
}
