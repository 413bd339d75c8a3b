//! The run in pieces of equal length, for plots over time.

use std::time::Duration;

use super::{Point, Series};
use crate::caller::Ending;
use crate::generate::Sample;

/// Pieces at most: more than a plot has room for would only be noise.
const PIECES: u64 = 300;

/// Latencies of one piece, in microseconds.
type Piece = Vec<u64>;

/// Cuts the run into pieces of a second, or longer ones.
pub(super) fn series(samples: &[Sample], names: &[String], began: u64, end: u64) -> Series {
    let length = end.saturating_sub(began).max(1);
    let width = length.div_ceil(PIECES).div_ceil(1_000_000).max(1) * 1_000_000;
    let count = usize::try_from(length.div_ceil(width)).unwrap_or_default();
    let mut points = vec![Point::default(); count];
    let mut pieces: Vec<Vec<Piece>> = vec![vec![Piece::new(); count]; names.len()];
    let seconds = Duration::from_micros(width).as_secs_f64();
    let place = |at: u64| usize::try_from(at.saturating_sub(began) / width).unwrap_or(usize::MAX);
    for sample in samples {
        let report = match sample.outcome.as_ref().map(|outcome| &outcome.ending) {
            Some(Ending::Report { at, .. }) => Some(*at),
            Some(Ending::Lost(_) | Ending::Failed(_)) | None => None,
        };
        if let Some(point) = points.get_mut(place(sample.due)) {
            point.due += 1.0 / seconds;
            point.without += if report.is_none() { 1.0 / seconds } else { 0.0 };
        }
        let Some(at) = report else { continue };
        let of_servers = pieces.get_mut(sample.servers);
        if let Some(piece) = of_servers.and_then(|pieces| pieces.get_mut(place(sample.due))) {
            piece.push(at);
        }
        if let Some(point) = points.get_mut(place(sample.due + at)) {
            point.answered += 1.0 / seconds;
        }
    }
    for (index, point) in points.iter_mut().enumerate() {
        let mut all: Piece =
            pieces.iter().filter_map(|it| it.get(index)).flatten().copied().collect();
        all.sort_unstable();
        point.at = seconds * index as f64;
        (point.p50, point.p99) = (part(&all, 50), part(&all, 99));
        point.longest = part(&all, 100);
    }
    let mut p99: Vec<(String, Vec<Option<f64>>)> = Vec::new();
    for (name, pieces) in names.iter().zip(&mut pieces) {
        pieces.iter_mut().for_each(|piece| piece.sort_unstable());
        let values: Vec<Option<f64>> = pieces.iter().map(|piece| part(piece, 99)).collect();
        if values.iter().any(Option::is_some) {
            p99.push((name.clone(), values));
        }
    }
    if p99.len() < 2 {
        p99.clear();
    }
    Series { width: seconds, points, p99 }
}

/// What this part of them, in per cent, is not above; in seconds.
fn part(sorted: &[u64], per_cent: usize) -> Option<f64> {
    let place = (sorted.len() * per_cent).div_ceil(100).saturating_sub(1);
    sorted.get(place).map(|micros| Duration::from_micros(*micros).as_secs_f64())
}
