//! The login rate of a group: a token bucket that starts empty.
//!
//! Empty, because the last owner may have spent everything a moment ago.

use std::time::Duration;

use mailfleet_model::fleet::Rate;

use crate::time::Monotonic;

/// A token bucket. Holds at most one period's tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    rate: Rate,
    /// When the bucket was, or will be, empty: the tokens are the time since.
    empty: Monotonic,
}

impl Bucket {
    /// An empty bucket.
    #[must_use]
    pub fn new(rate: Rate, now: Monotonic) -> Self {
        Self { rate, empty: now }
    }

    /// Takes a token, or says how long until there is one.
    pub fn take(&mut self, now: Monotonic) -> Result<(), Duration> {
        let token = self.token();
        let oldest = Monotonic(now.0.saturating_sub(self.rate.per));
        let empty = self.empty.max(oldest).plus(token);
        if now < empty {
            return Err(empty.since(now));
        }
        self.empty = empty;
        Ok(())
    }

    /// How long until there is a token; zero if there is one.
    #[must_use]
    pub fn wait(&self, now: Monotonic) -> Duration {
        self.empty.plus(self.token()).since(now)
    }

    /// Goes on at another rate. What has been spent stays spent.
    pub fn resize(&mut self, rate: Rate) {
        self.rate = rate;
    }

    fn token(&self) -> Duration {
        self.rate.per / self.rate.logins.get()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[test]
    fn it_starts_empty_and_never_holds_more_than_a_period() {
        let logins = NonZeroU32::new(2).expect("not zero");
        let mut bucket = Bucket::new(Rate { logins, per: Duration::from_secs(10) }, at(100));
        assert_eq!(bucket.take(at(100)), Err(Duration::from_secs(5)));
        assert_eq!(bucket.take(at(105)), Ok(()));
        assert_eq!(bucket.wait(at(106)), Duration::from_secs(4));
        let burst: Vec<bool> = (0..3).map(|_| bucket.take(at(900)).is_ok()).collect();
        assert_eq!(burst, [true, true, false]);
    }
}
