//! Splits what a mail server allows between the zones.
//!
//! Each zone counts the sessions of its own workers only, so that together they keep to
//! the mail server's limit exactly if their parts are no more than the whole. Pure
//! arithmetic: whoever knows the shares and a limit comes to the same parts.
//!
//! Every zone gets the whole sessions of its share. What is left over by rounding goes, one
//! session each, to zones that would have none, and then to those that lost most; of equals
//! the one with the greater share is first, then the one whose name is (the method of
//! largest remainders). A zone that still has none must not start anything there.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

use mailfleet_model::fleet::{GroupLimits, Rate, ZoneName};

/// A share of the whole, in percent.
const WHOLE: u64 = 100;

/// Which share of every limit each zone has, in percent. Empty: there is one zone, and
/// everything is its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shares(BTreeMap<ZoneName, u8>);

impl Shares {
    /// Each zone with its share, from 1 to 100 percent, at most 100 together. Of more than
    /// 100 everybody gets less, and nobody more than the limit.
    #[must_use]
    pub fn new(shares: impl IntoIterator<Item = (ZoneName, u8)>) -> Self {
        Self(shares.into_iter().collect())
    }

    /// The zones that have a share.
    pub fn zones(&self) -> impl Iterator<Item = &ZoneName> {
        self.0.keys()
    }

    /// Whether limits are not split.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a zone may do at a mail server that allows this; `None`: nothing, since its
    /// share comes to less than one session, or to no login of a period.
    ///
    /// What is allowed from each source address is not split: an address belongs to one zone.
    #[must_use]
    pub fn part(&self, limits: &GroupLimits, zone: &ZoneName) -> Option<GroupLimits> {
        if self.is_empty() {
            return Some(*limits);
        }
        let concurrency = self.of(limits.concurrency, zone)?;
        let rate = match limits.rate {
            None => None,
            Some(rate) => Some(Rate { logins: self.of(rate.logins, zone)?, per: rate.per }),
        };
        let per_source = limits.per_source.map(|most| most.min(concurrency));
        Some(GroupLimits { concurrency, per_source, rate })
    }

    fn of(&self, number: NonZeroU32, zone: &ZoneName) -> Option<NonZeroU32> {
        let number = u64::from(number.get());
        let sum: u64 = self.0.values().map(|share| u64::from(*share)).sum();
        let base = sum.max(WHOLE);
        let quota = |share: u8| number * u64::from(share);
        let floors: u64 = self.0.values().map(|share| quota(*share) / base).sum();
        let spare = (number * sum / base).max(1).saturating_sub(floors);
        let mut order: Vec<(&ZoneName, u8)> =
            self.0.iter().map(|(name, share)| (name, *share)).collect();
        order.sort_by_key(|(name, share)| {
            let has_some = base <= quota(*share);
            (has_some, Reverse(quota(*share) % base), Reverse(*share), *name)
        });
        let place = order.iter().position(|(name, _)| *name == zone)?;
        let (_, share) = order.get(place)?;
        let more = u64::try_from(place).is_ok_and(|place| place < spare);
        let part = quota(*share) / base + u64::from(more);
        u32::try_from(part).ok().and_then(NonZeroU32::new)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn zone(name: &str) -> ZoneName {
        name.parse().expect("a name")
    }

    fn shares(all: &[(&str, u8)]) -> Shares {
        Shares::new(all.iter().map(|(name, share)| (zone(name), *share)))
    }

    fn limits(concurrency: u32, logins: Option<u32>) -> GroupLimits {
        let number = |n| NonZeroU32::new(n).expect("not zero");
        let per = Duration::from_secs(60);
        GroupLimits {
            concurrency: number(concurrency),
            per_source: Some(number(3)),
            rate: logins.map(|logins| Rate { logins: number(logins), per }),
        }
    }

    /// The parts of a limit, in the order of the zones' names.
    fn parts(shares: &Shares, limit: u32) -> Vec<u32> {
        let part = |zone| shares.part(&limits(limit, None), zone);
        let part = |zone| part(zone).map_or(0, |part| part.concurrency.get());
        shares.zones().map(part).collect()
    }

    #[test]
    fn the_parts_are_never_more_than_the_whole_and_waste_little_of_it() {
        for a in 1..100_u8 {
            for b in 1..=100 - a {
                let two = shares(&[("a", a), ("b", b)]);
                let rest = (100 - a - b).max(1);
                let three = shares(&[("a", a), ("b", b), ("c", rest)]);
                for limit in (1..=24).chain([99, 100, 101, 9_999, 10_000]) {
                    for shares in [&two, &three] {
                        let parts = parts(shares, limit);
                        let sum: u32 = parts.iter().sum();
                        assert!(1 <= sum && sum <= limit, "{shares:?} of {limit}: {parts:?}");
                        let percent: u32 = shares.0.values().map(|share| u32::from(*share)).sum();
                        let wanted = limit * percent.min(100) / percent.max(100);
                        assert!(wanted <= sum, "{shares:?} of {limit}: {parts:?}");
                        for (part, share) in parts.iter().zip(shares.0.values()) {
                            let exact = f64::from(limit) * f64::from(*share) / 100.0;
                            assert!(f64::from(*part) < exact + 1.0, "{shares:?} of {limit}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_rounding_leaves_goes_to_those_without_first() {
        type Row = (&'static [(&'static str, u8)], u32, &'static [u32]);
        let table: [Row; 9] = [
            (&[("a", 50), ("b", 50)], 10, &[5, 5]),
            (&[("a", 50), ("b", 50)], 3, &[2, 1]),
            // One session cannot be shared: the other zone may start nothing.
            (&[("a", 50), ("b", 50)], 1, &[1, 0]),
            (&[("a", 30), ("b", 70)], 1, &[0, 1]),
            (&[("a", 10), ("b", 90)], 2, &[1, 1]),
            (&[("a", 34), ("b", 33), ("c", 33)], 2, &[1, 1, 0]),
            (&[("a", 34), ("b", 33), ("c", 33)], 10, &[4, 3, 3]),
            // What nobody has is kept for nobody.
            (&[("a", 40), ("b", 40)], 10, &[4, 4]),
            (&[("a", 40), ("b", 40)], 1, &[1, 0]),
        ];
        for (all, limit, expect) in table {
            assert_eq!(parts(&shares(all), limit), expect, "{all:?} of {limit}");
        }
    }

    #[test]
    fn logins_are_split_too_and_a_source_address_is_not() {
        let two = shares(&[("a", 75), ("b", 25)]);
        let part = two.part(&limits(8, Some(30)), &zone("b")).expect("two sessions");
        assert_eq!(part.rate.map(|rate| (rate.logins.get(), rate.per.as_secs())), Some((7, 60)));
        assert_eq!((part.concurrency.get(), part.per_source.map(NonZeroU32::get)), (2, Some(2)));
        let part = two.part(&limits(8, Some(30)), &zone("a")).expect("six sessions");
        assert_eq!((part.concurrency.get(), part.per_source.map(NonZeroU32::get)), (6, Some(3)));
        assert_eq!(two.part(&limits(8, Some(1)), &zone("b")), None, "no login in a minute");
        assert_eq!(two.part(&limits(8, None), &zone("c")), None, "a zone that nobody named");
        let whole = limits(1, Some(1));
        assert_eq!(Shares::default().part(&whole, &zone("c")), Some(whole));
    }
}
