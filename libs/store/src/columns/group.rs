//! A limit group's settings and the columns that they are kept in.

use std::num::NonZeroU32;

use mailfleet_model::fleet::{GroupId, GroupLimits, GroupSettings, Rate};

use crate::config::Defaults;
use crate::row::Row;
use crate::trouble::Trouble;
use crate::value::Value;

/// The values of `concurrency`, `per_source`, `rate_logins` and `rate_per`.
pub(crate) fn values(limits: &GroupLimits) -> [Value<'static>; 4] {
    let number = |number: NonZeroU32| Value::number(number.get());
    [
        number(limits.concurrency),
        Value::maybe(limits.per_source, number),
        Value::maybe(limits.rate, |rate| number(rate.logins)),
        Value::maybe(limits.rate, |rate| Value::span(rate.per)),
    ]
}

/// Reads `version`, `paused`, and the columns of [`values`].
pub(crate) fn read(
    row: &mut Row,
    group: GroupId,
    defaults: &Defaults,
) -> Result<GroupSettings, Trouble> {
    let version = row.number("version")?;
    let paused = row.flag("paused")?;
    let concurrency: Option<u32> = row.maybe_number("concurrency")?;
    let per_source: Option<u32> = row.maybe_number("per_source")?;
    let logins: Option<u32> = row.maybe_number("rate_logins")?;
    let per = row.maybe_span("rate_per")?;
    let limits = match concurrency {
        None => defaults.of(&group),
        Some(concurrency) => GroupLimits {
            concurrency: positive(concurrency)?,
            per_source: per_source.map(positive).transpose()?,
            rate: match (logins, per) {
                (None, None) => None,
                (Some(logins), Some(per)) => Some(Rate { logins: positive(logins)?, per }),
                _ => return Err(Trouble::corrupt("a group holds half a rate")),
            },
        },
    };
    Ok(GroupSettings { group, limits, paused, version })
}

fn positive(number: u32) -> Result<NonZeroU32, Trouble> {
    NonZeroU32::new(number).ok_or_else(|| Trouble::corrupt("a group holds a limit of 0"))
}
