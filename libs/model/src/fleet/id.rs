//! Identifiers of the fleet, each in a type of its own.
//!
//! Names come from configuration or callers and end up in queue names, metrics and file
//! names, so their alphabet is small and checked once, here.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::id::JobId;

/// Longest name, in bytes: queue names on the broker hold two of them in 255 bytes.
const MAX_NAME: usize = 64;

/// A text is not a name: 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`, the first one a
/// letter or digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not 1 to 64 of a-z, 0-9, '.', '_' and '-' that begin with a letter or digit")]
pub struct InvalidName;

fn checked(text: &str) -> Result<String, InvalidName> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let good = starts_well && text.len() <= MAX_NAME && text.bytes().all(allowed);
    good.then(|| text.to_owned()).ok_or(InvalidName)
}

/// Names differ only in what they name: the macro saves five copies of the same code.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                checked(text).map(Self)
            }
        }
    )*};
}

names! {
    /// A tenant: whose jobs, quotas and mailboxes they are.
    TenantId;
    /// A zone: workers that can each leave from every address of the zone's pools.
    ZoneName;
    /// An egress pool: a named set of source addresses.
    PoolName;
    /// A running worker process. Made anew at every start, so that no two runs share one.
    WorkerId;
    /// A running gateway process. Made anew at every start.
    GatewayId;
    /// What kind of work a leg is, such as `incoming`. Kinds stay open: an owner returns
    /// a kind that it does not know, so a newer gateway may run beside an older worker.
    LegKind;
}

/// A mail server as its owner would count it: what a limit applies to.
///
/// At most 300 bytes of printable ASCII, such as `imap:203.0.113.9` or `google`. Made by
/// the gateway from the provider table or the resolved addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey(String);

impl GroupKey {
    /// Takes a key over; fails if it is empty, longer than 300 bytes or not printable
    /// ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
        let text = text.into();
        let good = (1..=300).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        good.then_some(Self(text)).ok_or(InvalidName)
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A limit group within a zone: the row that dispatch locks, and the unit that one owner
/// counts. Between zones a group's limit is split by configured shares.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId {
    /// The zone.
    pub zone: ZoneName,
    /// The group.
    pub key: GroupKey,
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.zone, self.key)
    }
}

/// Identifies a leg: its job, and its place in it from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId {
    /// The job.
    pub job: JobId,
    /// The place in the job, from 0.
    pub index: u8,
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.job, self.index)
    }
}

/// Counts the releases of a leg: 0 before the first one. What comes back names the
/// dispatch that it belongs to, so that the late echo of an old one is recognised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dispatch(pub u32);

impl Dispatch {
    /// The next release.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Counts the failures of a leg. Snoozes, returns and lost workers burn none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt(pub u32);

impl Attempt {
    /// One failure more.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Identifies a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(pub Uuid);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BatchId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_a_small_alphabet() {
        for good in ["default", "zone-1", "a.b_c", "9"] {
            assert_eq!(good.parse::<ZoneName>().map(|n| n.to_string()), Ok(good.to_owned()));
        }
        let long = "a".repeat(MAX_NAME + 1);
        for bad in ["", "A", "a b", "-a", ".a", "a/b", "ä", &long] {
            assert_eq!(bad.parse::<ZoneName>(), Err(InvalidName), "{bad:?}");
        }
    }

    #[test]
    fn group_keys_are_printable_and_bounded() {
        assert!(GroupKey::new("imap:2001:db8::1").is_ok());
        for bad in [String::new(), "a b".to_owned(), "a\n".to_owned(), "x".repeat(301)] {
            assert_eq!(GroupKey::new(bad), Err(InvalidName));
        }
    }
}
