//! The attempt budget: a password that was refused for good is not tried again by itself.
//!
//! Every try counts towards a lock-out that the mailbox's user would have to live with.

use mailfleet_model::fleet::{JobClass, LoginBudget, Timestamp};

use crate::rules::DispatchRules;

/// Whether a login may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    /// It may.
    Allowed,
    /// It may, later.
    NotBefore(Timestamp),
    /// Not until the secret changes or a person asks.
    NotByItself,
}

/// Judges one login at one group.
#[must_use]
pub fn may_try(budget: LoginBudget, class: JobClass, now: Timestamp, rules: &DispatchRules) -> Try {
    let Some(last) = budget.last else { return Try::Allowed };
    if class.is_bulk() && rules.refusals <= budget.refusals {
        return Try::NotByItself;
    }
    let again = last.plus(rules.refusal_pause);
    // A refusal from the future is a clock that was set back: it keeps the secret back
    // too, since the store's clock is the only one there is.
    if now < again { Try::NotBefore(again) } else { Try::Allowed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_a_secret_back() {
        let rules = DispatchRules::default();
        let minutes = |n: u64| Timestamp(n * 60_000_000);
        let refused = |refusals| LoginBudget { refusals, last: Some(minutes(100)) };
        let cases = [
            (LoginBudget::default(), JobClass::Sync, 0, Try::Allowed),
            (refused(1), JobClass::Interactive, 101, Try::NotBefore(minutes(115))),
            (refused(1), JobClass::Revalidation, 114, Try::NotBefore(minutes(115))),
            (refused(1), JobClass::Revalidation, 115, Try::Allowed),
            (refused(2), JobClass::Revalidation, 115, Try::NotByItself),
            (refused(9), JobClass::Interactive, 115, Try::Allowed),
            (refused(1), JobClass::Interactive, 3, Try::NotBefore(minutes(115))),
        ];
        for (budget, class, now, expect) in cases {
            assert_eq!(may_try(budget, class, minutes(now), &rules), expect, "{class} at {now}");
        }
    }
}
