//! What numbers say, and how surely: lines through points, and whether two sets differ.
//!
//! Pure arithmetic on plain slices. Chance comes from a fixed seed, so that the same numbers
//! always get the same answer.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A line through points, by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    pub(crate) slope: f64,
    /// Half the width of the slope's 95 % interval.
    pub(crate) doubt: f64,
}

/// The line through these points; none through fewer than three.
///
/// The interval takes the points for independent, which memory over time is not: it is narrower
/// than it should be.
pub(crate) fn line(points: &[(f64, f64)]) -> Option<Line> {
    let n = points.len() as f64;
    if points.len() < 3 {
        return None;
    }
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let square: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if square == 0.0 {
        return None;
    }
    let slope = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / square;
    let rest: f64 = points.iter().map(|(x, y)| (y - mean_y - slope * (x - mean_x)).powi(2)).sum();
    let error = (rest / (n - 2.0) / square).sqrt();
    Some(Line { slope, doubt: 1.96 * error })
}

/// The middle one; the mean of the two middle ones.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some((upper + *sorted.get(half - 1)?) / 2.0)
}

/// How likely it is, if both came from one source, that they differ by ranks as much as they do:
/// the exact two-sided probability of Mann and Whitney, ties counted as halves.
pub(crate) fn mann_whitney(a: &[f64], b: &[f64]) -> f64 {
    let won = |a: &[f64], b: &[f64]| -> f64 {
        let pairs = a.iter().flat_map(|x| b.iter().map(move |y| (x, y)));
        pairs
            .map(|(x, y)| {
                if x > y {
                    1.0
                } else if x == y {
                    0.5
                } else {
                    0.0
                }
            })
            .sum()
    };
    let middle = (a.len() * b.len()) as f64 / 2.0;
    let seen = (won(a, b) - middle).abs();
    let all: Vec<f64> = a.iter().chain(b).copied().collect();
    let (mut extreme, mut total) = (0.0, 0.0);
    // Every way to choose who was A. The number of runs is small, or a sample of ways stands for
    // all of them.
    let mut count = |chosen: &[bool]| {
        let part = |wanted: bool| -> Vec<f64> {
            let all = all.iter().zip(chosen).filter(|(_, is_a)| **is_a == wanted);
            all.map(|(value, _)| *value).collect()
        };
        let (a, b) = (part(true), part(false));
        total += 1.0;
        if seen - 1e-9 <= (won(&a, &b) - middle).abs() {
            extreme += 1.0;
        }
    };
    if all.len() <= 16 {
        for bits in 0_u32..(1 << all.len()) {
            if bits.count_ones() as usize == a.len() {
                let chosen: Vec<bool> = (0..all.len()).map(|at| bits >> at & 1 == 1).collect();
                count(&chosen);
            }
        }
    } else {
        let mut chance = StdRng::seed_from_u64(1);
        let mut chosen: Vec<bool> = (0..all.len()).map(|at| at < a.len()).collect();
        for _ in 0..4_000 {
            for at in (1..chosen.len()).rev() {
                chosen.swap(at, chance.random_range(0..=at));
            }
            count(&chosen);
        }
    }
    extreme / total
}

/// The 95 % interval of the ratio of the medians, B to A, by drawing again and again from what
/// was measured.
pub(crate) fn ratio_interval(a: &[f64], b: &[f64]) -> Option<(f64, f64)> {
    let mut chance = StdRng::seed_from_u64(1);
    let mut draw = |from: &[f64]| -> Option<f64> {
        let drawn: Vec<f64> = (0..from.len())
            .filter_map(|_| from.get(chance.random_range(0..from.len())).copied())
            .collect();
        median(&drawn)
    };
    let mut ratios = Vec::new();
    for _ in 0..4_000 {
        let (a, b) = (draw(a)?, draw(b)?);
        if a != 0.0 {
            ratios.push(b / a);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let at = |part: usize| ratios.get(ratios.len() * part / 1_000).copied();
    at(25).zip(at(975))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_with_its_doubt() {
        let exact: Vec<(f64, f64)> = (0..10).map(|x| (f64::from(x), 3.0 * f64::from(x))).collect();
        let found = line(&exact).expect("a line");
        assert!((found.slope - 3.0).abs() < 1e-9 && found.doubt < 1e-9);
        let noisy: Vec<(f64, f64)> =
            (0..100).map(|x| (f64::from(x), f64::from(x % 2) * 10.0)).collect();
        let found = line(&noisy).expect("a line");
        assert!(found.slope.abs() < found.doubt, "noise has no slope: {found:?}");
        assert_eq!(line(&exact[..2]), None);
    }

    #[test]
    fn what_differs_is_told_apart_from_what_does_not() {
        let (low, high) = ([1.0, 2.0, 3.0, 4.0, 5.0], [11.0, 12.0, 13.0, 14.0, 15.0]);
        // 2 of the 252 ways to choose five of ten.
        assert!((mann_whitney(&low, &high) - 2.0 / 252.0).abs() < 1e-9);
        assert!(mann_whitney(&low, &[1.5, 2.5, 3.5, 4.5, 0.5]) > 0.5);
        // Three of each can never be sure.
        assert!(mann_whitney(&low[..3], &high[..3]) > 0.05);
    }

    #[test]
    fn many_runs_are_judged_by_a_sample_of_the_ways() {
        let low: Vec<f64> = (0..20).map(f64::from).collect();
        let high: Vec<f64> = (15..35).map(f64::from).collect();
        assert!(mann_whitney(&low, &high) < 0.01);
        assert!(mann_whitney(&low, &low) > 0.9);
    }

    #[test]
    fn the_interval_of_a_ratio_holds_it() {
        let a = [9.0, 10.0, 10.0, 11.0, 10.0];
        let b = [18.0, 20.0, 21.0, 22.0, 20.0];
        let (low, high) = ratio_interval(&a, &b).expect("numbers");
        assert!(1.5 < low && low <= 2.0 && (2.0..2.5).contains(&high), "{low} to {high}");
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }
}
