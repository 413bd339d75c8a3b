//! When each validation is due, and at which server: worked out before anything is sent.
//!
//! The same seed gives the same schedule. Nothing that the fleet does can change it; that is
//! what makes the loop an open one.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Exp, Zipf};

use crate::scenario::{Arrivals, Phase, Population};

/// One validation that is due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Due {
    /// From the beginning of the phase.
    pub(crate) at: Duration,
    /// The population, by its place in the scenario.
    pub(crate) servers: usize,
    /// The pair of servers within it.
    pub(crate) pair: u32,
    /// Whether the password is the right one.
    pub(crate) is_right: bool,
}

/// The schedule of a phase, in order of time. `index` keeps the phases of a run apart.
pub(crate) fn schedule(
    phase: &Phase,
    populations: &[Population],
    seed: u64,
    index: usize,
) -> Vec<Due> {
    let mut due = Vec::new();
    for (number, load) in phase.loads.iter().enumerate() {
        let Some(population) = populations.get(load.servers) else { continue };
        let own = u64::try_from(index * 1_000 + number).unwrap_or_default();
        let mut chance = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(own));
        let mut at = Duration::ZERO;
        loop {
            at += gap(load.rate, load.arrivals, &mut chance);
            if phase.time <= at {
                break;
            }
            due.push(Due {
                at,
                servers: load.servers,
                pair: pair(population, &mut chance),
                is_right: population.wrong <= chance.random::<f64>(),
            });
        }
    }
    due.sort_by_key(|due| due.at);
    due
}

fn gap(rate: f64, arrivals: Arrivals, chance: &mut StdRng) -> Duration {
    let seconds = match arrivals {
        Arrivals::Fixed => 1.0 / rate,
        Arrivals::Poisson => Exp::new(rate).map_or(1.0 / rate, |law| law.sample(chance)),
    };
    Duration::from_secs_f64(seconds)
}

/// The pair that is asked for: any, or by Zipf's law the first ones more often.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 1 to n")]
fn pair(population: &Population, chance: &mut StdRng) -> u32 {
    if population.zipf == 0.0 {
        return chance.random_range(0..population.pairs.max(1));
    }
    let law = Zipf::new(f64::from(population.pairs), population.zipf);
    law.map_or(0, |law| law.sample(chance) as u32 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Load, Manner};

    fn population(zipf: f64) -> Population {
        Population {
            name: "many".to_owned(),
            pairs: 50,
            limit: None,
            login: Duration::ZERO,
            manner: Manner::Prompt,
            zipf,
            wrong: 0.1,
            budget: Duration::from_secs(60),
            given: None,
        }
    }

    fn phase(rate: f64, arrivals: Arrivals) -> Phase {
        Phase {
            name: "one".to_owned(),
            step_of: None,
            time: Duration::from_secs(100),
            loads: vec![Load { servers: 0, rate, arrivals }],
            batches: Vec::new(),
            faults: Vec::new(),
        }
    }

    #[test]
    fn a_seed_gives_one_schedule_and_another_seed_another() {
        let of = |seed, index| {
            schedule(&phase(20.0, Arrivals::Poisson), &[population(0.0)], seed, index)
        };
        assert_eq!(of(7, 0), of(7, 0));
        assert_ne!(of(7, 0), of(8, 0));
        assert_ne!(of(7, 0), of(7, 1), "phases do not repeat each other");
        assert!(of(7, 0).is_sorted_by_key(|due| due.at));
    }

    #[test]
    fn a_fixed_schedule_is_even_and_a_poisson_one_is_not() {
        let gaps = |arrivals| {
            let due = schedule(&phase(20.0, arrivals), &[population(0.0)], 1, 0);
            assert!((1_850..=2_150).contains(&due.len()), "{} in 100 s at 20/s", due.len());
            let gaps: Vec<f64> =
                due.windows(2).map(|two| (two[1].at - two[0].at).as_secs_f64()).collect();
            let mean = gaps.iter().sum::<f64>() / 2_000.0;
            let square = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / 2_000.0;
            (mean, square.sqrt())
        };
        let (mean, deviation) = gaps(Arrivals::Fixed);
        assert!((mean - 0.05).abs() < 1e-4 && deviation < 1e-3);
        // The deviation of an exponential law is its mean.
        let (mean, deviation) = gaps(Arrivals::Poisson);
        assert!((0.9..1.1).contains(&(deviation / mean)), "{deviation} of {mean}");
    }

    #[test]
    fn some_passwords_are_wrong_and_zipf_prefers_the_first_servers() {
        let due = schedule(&phase(50.0, Arrivals::Poisson), &[population(1.0)], 3, 0);
        let n_wrong = due.iter().filter(|due| !due.is_right).count();
        assert!((400..=600).contains(&n_wrong), "{n_wrong} of {}", due.len());
        let of = |pair| due.iter().filter(|due| due.pair == pair).count();
        // By the law the first is asked for twice as often as the second.
        assert!((1.5..2.7).contains(&(of(0) as f64 / of(1) as f64)), "{} and {}", of(0), of(1));
        assert!(due.iter().all(|due| due.pair < 50));
        let even = schedule(&phase(50.0, Arrivals::Poisson), &[population(0.0)], 3, 0);
        let first = even.iter().filter(|due| due.pair == 0).count();
        assert!((60..=140).contains(&first), "{first} of {}", even.len());
    }
}
