//! What an instrument is: its name, unit and kind, and how each kind is made.

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};

/// The kinds of instruments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Grows and shrinks.
    UpDownCounter,
    /// The last value counts.
    Gauge,
    /// Values in buckets.
    Histogram,
}

/// One instrument, as it is declared.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name, dotted.
    pub name: &'static str,
    /// Its unit (UCUM): `s`, or what is counted, such as `{job}`.
    pub unit: &'static str,
    /// What it tells.
    pub about: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Upper ends of the buckets of a histogram; empty for the others.
    pub buckets: &'static [f64],
}

impl Spec {
    /// The name under which Prometheus knows it; a histogram's series have `_bucket`, `_sum`
    /// and `_count` behind it.
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let name = self.name.replace('.', "_");
        let unit = if self.unit == "s" { "_seconds" } else { "" };
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{name}{unit}{total}")
    }
}

/// A type of instrument that can be made from its declaration.
pub(super) trait Make {
    /// Its kind.
    const KIND: Kind;

    fn make(meter: &Meter, spec: &Spec) -> Self;
}

impl Make for Counter<u64> {
    const KIND: Kind = Kind::Counter;

    fn make(meter: &Meter, spec: &Spec) -> Self {
        meter.u64_counter(spec.name).with_unit(spec.unit).with_description(spec.about).build()
    }
}

impl Make for Counter<f64> {
    const KIND: Kind = Kind::Counter;

    fn make(meter: &Meter, spec: &Spec) -> Self {
        meter.f64_counter(spec.name).with_unit(spec.unit).with_description(spec.about).build()
    }
}

impl Make for UpDownCounter<i64> {
    const KIND: Kind = Kind::UpDownCounter;

    fn make(meter: &Meter, spec: &Spec) -> Self {
        let builder = meter.i64_up_down_counter(spec.name);
        builder.with_unit(spec.unit).with_description(spec.about).build()
    }
}

impl Make for Gauge<u64> {
    const KIND: Kind = Kind::Gauge;

    fn make(meter: &Meter, spec: &Spec) -> Self {
        meter.u64_gauge(spec.name).with_unit(spec.unit).with_description(spec.about).build()
    }
}

impl Make for Gauge<f64> {
    const KIND: Kind = Kind::Gauge;

    fn make(meter: &Meter, spec: &Spec) -> Self {
        meter.f64_gauge(spec.name).with_unit(spec.unit).with_description(spec.about).build()
    }
}

impl Make for Histogram<f64> {
    const KIND: Kind = Kind::Histogram;

    fn make(meter: &Meter, spec: &Spec) -> Self {
        let builder = meter.f64_histogram(spec.name).with_boundaries(spec.buckets.to_vec());
        builder.with_unit(spec.unit).with_description(spec.about).build()
    }
}
