//! Onlookers: gateways whose callers have joined jobs that another gateway made, or that nobody
//! watched at first, and who see their live steps from then on.
//!
//! Remembered for half a minute after they last said so, also before a leg of the job is here.
//! Bounded; what it forgets costs steps, and the report holds every one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailfleet_engine::Monotonic;
use mailfleet_model::JobId;
use mailfleet_model::fleet::GatewayId;

/// How long a gateway is remembered. It says so again three times as often.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Most jobs with onlookers.
const MOST_JOBS: usize = 10_000;
/// Most onlookers of one job.
const MOST: usize = 8;

/// Who looks on.
#[derive(Debug, Default)]
pub(crate) struct Onlookers(Mutex<HashMap<JobId, Vec<Onlooker>>>);

#[derive(Debug)]
struct Onlooker {
    gateway: GatewayId,
    heard: Monotonic,
}

impl Onlookers {
    /// A gateway wants the steps of these jobs.
    pub(crate) fn note(&self, gateway: &GatewayId, wanted: &[JobId], now: Monotonic) {
        let mut jobs = self.jobs();
        for job in wanted {
            if MOST_JOBS <= jobs.len() && !jobs.contains_key(job) {
                continue;
            }
            let onlookers = jobs.entry(*job).or_default();
            let known = onlookers.iter().position(|onlooker| onlooker.gateway == *gateway);
            match known {
                Some(index) => onlookers[index].heard = now,
                None if onlookers.len() < MOST => {
                    onlookers.push(Onlooker { gateway: gateway.clone(), heard: now });
                }
                None => {}
            }
        }
    }

    /// The gateways that want the steps of a job.
    pub(crate) fn of(&self, job: JobId) -> Vec<GatewayId> {
        let jobs = self.jobs();
        let onlookers = jobs.get(&job).into_iter().flatten();
        onlookers.map(|onlooker| onlooker.gateway.clone()).collect()
    }

    /// Forgets those who have not said so for a while.
    pub(crate) fn tidy(&self, now: Monotonic) {
        self.jobs().retain(|_, onlookers| {
            onlookers.retain(|onlooker| now.since(onlooker.heard) < REMEMBERED);
            !onlookers.is_empty()
        });
    }

    /// A panic elsewhere leaves no change half done here.
    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Vec<Onlooker>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn job(number: usize) -> JobId {
        JobId(Uuid::from_u128(number as u128))
    }

    fn gateway(number: usize) -> GatewayId {
        format!("gateway-{number}").parse().expect("a name")
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[test]
    fn a_gateway_is_remembered_for_half_a_minute_after_it_last_said_so() {
        let onlookers = Onlookers::default();
        onlookers.note(&gateway(1), &[job(1)], at(0));
        onlookers.note(&gateway(2), &[job(1), job(2)], at(0));
        onlookers.note(&gateway(1), &[job(1)], at(10));
        onlookers.tidy(at(29));
        assert_eq!(onlookers.of(job(1)), [gateway(1), gateway(2)]);
        onlookers.tidy(at(39));
        assert_eq!(onlookers.of(job(1)), [gateway(1)]);
        assert!(onlookers.of(job(2)).is_empty());
        onlookers.tidy(at(40));
        assert!(onlookers.jobs().is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let onlookers = Onlookers::default();
        for number in 0..2 * MOST {
            onlookers.note(&gateway(number), &[job(0)], at(0));
        }
        assert_eq!(onlookers.of(job(0)).len(), MOST);
        let jobs: Vec<JobId> = (0..MOST_JOBS + 10).map(job).collect();
        onlookers.note(&gateway(0), &jobs, at(0));
        assert_eq!(onlookers.jobs().len(), MOST_JOBS);
    }
}
