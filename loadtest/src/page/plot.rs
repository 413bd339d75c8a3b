//! Plots as SVG: curves and bars, with axes that people can read. Colours are the page's.
//!
//! Of our own, since the one Rust library for static plots has not been released since 2024,
//! writes colours into the picture (a dark page then stays bright), and measures text without
//! knowing its font.

use std::fmt::Write as _;

use maud::{Markup, html};

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 300.0;
/// Room for the labels: left, right, top, bottom.
const ROOM: [f64; 4] = [64.0, 20.0, 14.0, 46.0];
/// Colours of the page, one curve after the other.
const COLOURS: usize = 8;

/// How values become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Log,
}

/// One side of a plot.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) scale: Scale,
    pub(super) from: f64,
    pub(super) to: f64,
    /// Values with words of their own; otherwise round numbers.
    pub(super) ticks: Option<Vec<(f64, String)>>,
}

/// One curve.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) manner: Manner,
}

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Line,
    Dashed,
    /// With a dot at each point.
    Dotted,
}

/// A plot.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    /// What it shows, for those who cannot see it.
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) curves: Vec<Curve>,
    /// Moments or values with words: upright lines.
    pub(super) marks: Vec<(f64, String)>,
    /// A level that must not be passed.
    pub(super) limit: Option<(f64, String)>,
}

impl Axis {
    /// An axis with room for these values, from zero where it is linear.
    pub(super) fn of(label: &str, scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let highest = values.iter().copied().fold(f64::MIN, f64::max);
        let (from, to) = match scale {
            Scale::Linear => (0.0, if 0.0 < highest { highest * 1.08 } else { 1.0 }),
            Scale::Log => {
                let above = values.iter().copied().filter(|value| 0.0 < *value);
                let lowest = above.fold(f64::MAX, f64::min).min(highest.max(1.0));
                (step_below(lowest), step_above(highest.max(lowest * 1.01)))
            }
        };
        Self { label: label.to_owned(), scale, from, to, ticks: None }
    }

    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Log => {
                let value = value.max(self.from);
                (value / self.from).ln() / (self.to / self.from).ln()
            }
        };
        place.clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        if let Some(ticks) = &self.ticks {
            return ticks.clone();
        }
        let mut ticks = Vec::new();
        match self.scale {
            Scale::Linear => {
                let step = round_step((self.to - self.from) / 6.0);
                let mut value = (self.from / step).ceil() * step;
                while value <= self.to {
                    ticks.push((value, number(value)));
                    value += step;
                }
            }
            Scale::Log => {
                let decades = (self.to / self.from).log10();
                let mut decade = 10_f64.powf(self.from.log10().floor());
                while decade <= self.to * 1.0001 {
                    for part in [1.0, 2.0, 5.0] {
                        let value = decade * part;
                        let is_shown = part == 1.0 || decades < 2.5;
                        let is_inside = (self.from..=self.to * 1.0001).contains(&value);
                        if is_shown && is_inside {
                            ticks.push((value, number(value)));
                        }
                    }
                    decade *= 10.0;
                }
            }
        }
        ticks
    }
}

/// 1, 2 or 5 times a power of ten, not above the value.
fn step_below(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let parts = [5.0, 2.0, 1.0].into_iter().find(|part| decade * part <= value);
    decade * parts.unwrap_or(1.0)
}

fn step_above(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let parts = [1.0, 2.0, 5.0, 10.0].into_iter().find(|part| value <= decade * part);
    decade * parts.unwrap_or(10.0)
}

fn round_step(value: f64) -> f64 {
    step_above(value.max(1e-9))
}

/// A number as short as it is clear.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if 1e6 <= size {
        return format!("{}M", trimmed(value / 1e6, 2));
    }
    if 1e4 <= size {
        return format!("{}k", trimmed(value / 1e3, 1));
    }
    trimmed(
        value,
        if size < 1.0 {
            3
        } else if size < 10.0 {
            2
        } else {
            1
        },
    )
}

fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Plot {
    fn x_at(&self, value: f64) -> f64 {
        ROOM[0] + self.x.place(value) * (WIDTH - ROOM[0] - ROOM[1])
    }

    fn y_at(&self, value: f64) -> f64 {
        HEIGHT - ROOM[3] - self.y.place(value) * (HEIGHT - ROOM[2] - ROOM[3])
    }

    /// The picture with its legend.
    pub(super) fn draw(&self) -> Markup {
        let (left, right) = (ROOM[0], WIDTH - ROOM[1]);
        let (top, bottom) = (ROOM[2], HEIGHT - ROOM[3]);
        html! {
            figure {
                @if 1 < self.curves.len() {
                    div.legend {
                        @for (index, curve) in self.curves.iter().enumerate() {
                            span { i class={ "c" (index % COLOURS) (later(index)) } {} (curve.name) }
                        }
                    }
                }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(self.title) {
                    @for (value, text) in self.y.ticks() {
                        @let y = coordinate(self.y_at(value));
                        line.grid x1=(left) x2=(right) y1=(y) y2=(y) {}
                        text.tick x=(left - 8.0) y=(y) dy="0.35em" text-anchor="end" { (text) }
                    }
                    @for (value, text) in self.x.ticks() {
                        @let x = coordinate(self.x_at(value));
                        line.grid x1=(x) x2=(x) y1=(top) y2=(bottom) {}
                        text.tick x=(x) y=(bottom + 16.0) text-anchor="middle" { (text) }
                    }
                    text.axis x=((left + right) / 2.0) y=(HEIGHT - 8.0) text-anchor="middle" {
                        (self.x.label)
                    }
                    text.axis x="14" y=((top + bottom) / 2.0) text-anchor="middle"
                        transform={ "rotate(-90 14 " ((top + bottom) / 2.0) ")" } { (self.y.label) }
                    @for (index, (value, text)) in self.marks.iter().enumerate() {
                        @let x = coordinate(self.x_at(*value));
                        line.mark x1=(x) x2=(x) y1=(top) y2=(bottom) {}
                        text.mark x={ (x) } dx="4" y=(top + 10.0 + 13.0 * (index % 3) as f64) { (text) }
                    }
                    @if let Some((value, text)) = &self.limit {
                        @let y = coordinate(self.y_at(*value));
                        line.limit x1=(left) x2=(right) y1=(y) y2=(y) {}
                        text.limit x=(right - 4.0) y=(y) dy="-4" text-anchor="end" { (text) }
                    }
                    @for (index, curve) in self.curves.iter().enumerate() {
                        (self.curve(curve, index))
                    }
                }
            }
        }
    }

    fn curve(&self, curve: &Curve, index: usize) -> Markup {
        let mut path = String::new();
        let mut is_down = false;
        for (x, y) in &curve.points {
            if !y.is_finite() {
                // A hole: nothing is known here.
                is_down = false;
                continue;
            }
            let word = if is_down { 'L' } else { 'M' };
            let place = (coordinate(self.x_at(*x)), coordinate(self.y_at(*y)));
            // Into memory, which does not fail.
            let _ = write!(path, "{word}{} {}", place.0, place.1);
            is_down = true;
        }
        let dashed = if curve.manner == Manner::Dashed { " dashed" } else { "" };
        html! {
            path class={ "curve s" (index % COLOURS) (dashed) (later(index)) } d=(path) {}
            @if curve.manner == Manner::Dotted {
                @for (x, y) in curve.points.iter().filter(|(_, y)| y.is_finite()) {
                    circle class={ "c" (index % COLOURS) } r="4"
                        cx=(coordinate(self.x_at(*x))) cy=(coordinate(self.y_at(*y))) {
                        title { (curve.name) ": " (number(*y)) " at " (number(*x)) }
                    }
                }
            }
        }
    }
}

/// Curves beyond the colours have them again, with gaps.
fn later(index: usize) -> &'static str {
    if index < COLOURS { "" } else { " later" }
}

/// A place with a tenth of a unit: more would only make the page larger.
fn coordinate(value: f64) -> String {
    trimmed(value, 1)
}

/// One bar, and what it is held against.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) limit: Option<f64>,
    pub(super) text: String,
}

/// Bars that lie, one below the other.
pub(super) fn bars(title: &str, all: &[Bar]) -> Markup {
    let highest = all.iter().flat_map(|bar| [Some(bar.value), bar.limit]).flatten();
    let highest = highest.fold(1.0, f64::max);
    let (row, left, right) = (22.0, 190.0, 220.0);
    let height = row * all.len() as f64 + 6.0;
    let scale = (WIDTH - left - right) / highest;
    html! {
        figure {
            svg viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-label=(title) {
                @for (index, bar) in all.iter().enumerate() {
                    @let y = 4.0 + row * index as f64;
                    @let is_over = bar.limit.is_some_and(|limit| limit < bar.value);
                    text.tick x=(left - 8.0) y=(y + 8.0) dy="0.35em" text-anchor="end" { (bar.name) }
                    rect class=(if is_over { "bar over" } else { "bar" }) x=(left) y=(y)
                        width=(coordinate((bar.value * scale).max(1.0))) height=(row - 7.0) {}
                    @if let Some(limit) = bar.limit {
                        @let x = coordinate(left + limit * scale);
                        line.limit x1=(x) x2=(x) y1=(y - 2.0) y2=(y + row - 5.0) {}
                    }
                    text.tick x=(coordinate(left + highest * scale + 10.0)) y=(y + 8.0)
                        dy="0.35em" { (bar.text) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_numbers_and_room_for_everything() {
        let linear = Axis::of("a", Scale::Linear, [3.0, 87.0].into_iter());
        let ticks: Vec<String> = linear.ticks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(ticks, ["0", "20", "40", "60", "80"]);
        let log = Axis::of("a", Scale::Log, [0.003, 7.0].into_iter());
        assert_eq!((log.from, log.to), (0.002, 10.0));
        assert!(log.place(0.003) < log.place(0.03) && log.place(7.0) < 1.0);
        assert_eq!(log.place(0.0), 0.0, "what cannot be shown lies at the edge");
        let nothing = Axis::of("a", Scale::Log, std::iter::empty());
        assert!(nothing.from.is_finite() && nothing.from < nothing.to);
    }

    #[test]
    fn numbers_are_short() {
        let told = [0.0, 0.0312, 2.5, 120.0, 25_000.0, 3_200_000.0].map(number);
        assert_eq!(told, ["0", "0.031", "2.5", "120", "25k", "3.2M"]);
    }

    #[test]
    fn a_hole_in_a_curve_is_a_hole_in_its_line() {
        let axis = |label| Axis::of(label, Scale::Linear, [4.0].into_iter());
        let points = vec![(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 3.0), (4.0, 3.0)];
        let curve = Curve { name: "a <b>".to_owned(), points, manner: Manner::Line };
        let plot = Plot {
            title: "t".to_owned(),
            x: axis("x"),
            y: axis("y"),
            curves: vec![curve.clone(), curve],
            marks: vec![(1.0, "here".to_owned())],
            limit: None,
        };
        let text = plot.draw().into_string();
        let path = text.split(" d=\"").nth(1).and_then(|rest| rest.split('"').next());
        assert_eq!(path.map(|path| path.matches('M').count()), Some(2));
        assert!(!text.contains("NaN") && text.contains("a &lt;b&gt;") && text.contains("here"));
    }
}
