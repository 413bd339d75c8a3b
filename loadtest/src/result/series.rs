//! The run in pieces of equal length, for plots over time.

use std::time::Duration;

use super::{Point, Series};
use crate::caller::Ending;
use crate::generate::Sample;

/// Pieces at most: more than a plot has room for would only be noise.
const PIECES: u64 = 300;

/// Cuts the run into pieces of a second, or longer ones.
pub(super) fn series(samples: &[Sample], began: u64, end: u64) -> Series {
    let length = end.saturating_sub(began).max(1);
    let width = length.div_ceil(PIECES).div_ceil(1_000_000).max(1) * 1_000_000;
    let count = usize::try_from(length.div_ceil(width)).unwrap_or_default();
    let mut pieces: Vec<(Point, Vec<u64>)> = vec![Default::default(); count];
    let seconds = Duration::from_micros(width).as_secs_f64();
    let place = |at: u64| usize::try_from(at.saturating_sub(began) / width).unwrap_or(usize::MAX);
    for sample in samples {
        let ending = sample.outcome.as_ref().map(|outcome| &outcome.ending);
        if let Some((point, latencies)) = pieces.get_mut(place(sample.due)) {
            point.due += 1.0 / seconds;
            match ending {
                Some(Ending::Report { at, .. }) => latencies.push(*at),
                Some(Ending::Lost(_) | Ending::Failed(_)) | None => point.without += 1.0 / seconds,
            }
        }
        if let Some(Ending::Report { at, .. }) = ending
            && let Some((point, _)) = pieces.get_mut(place(sample.due + at))
        {
            point.answered += 1.0 / seconds;
        }
    }
    let point = |(index, (point, mut latencies)): (usize, (Point, Vec<u64>))| {
        latencies.sort_unstable();
        let of = |per_cent: usize| {
            let place = (latencies.len() * per_cent).div_ceil(100).saturating_sub(1);
            latencies.get(place).map(|micros| Duration::from_micros(*micros).as_secs_f64())
        };
        Point { at: seconds * index as f64, p50: of(50), p99: of(99), longest: of(100), ..point }
    };
    let points = pieces.into_iter().enumerate().map(point).collect();
    Series { width: seconds, points }
}
