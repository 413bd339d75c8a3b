//! The pictures of the page.

use maud::{Markup, html};

use super::plot::{Axis, Bar, Curve, Manner, Plot, Scale, bars};
use super::section;
use crate::result::{LoadResult, PhaseResult, RunResult};
use crate::scenario::Of;

/// Curves of one plot that can still be told apart.
const CURVES: usize = 8;
/// Servers that are shown one by one: those that came closest to their limit.
const SERVERS: usize = 24;

/// Faults, or phases where nothing was done, as marks.
fn marks(run: &RunResult) -> Vec<(f64, String)> {
    let faults = run.faults.iter().map(|fault| (fault.at, fault.what.clone()));
    let few = run.faults.is_empty() && run.phases.len() <= 12;
    let phases = run.phases.iter().filter(|phase| few && 0.0 < phase.began);
    let mut marks: Vec<(f64, String)> =
        phases.map(|phase| (phase.began, phase.name.clone())).chain(faults).collect();
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
    marks
}

fn time(run: &RunResult) -> Axis {
    let mut axis = Axis::of("seconds since the beginning", Scale::Linear, std::iter::empty());
    axis.to = run.seconds.max(1.0);
    axis
}

/// Rates and latencies over time.
pub(super) fn over_time(run: &RunResult) -> Markup {
    let points = &run.series.points;
    if points.iter().all(|point| point.due == 0.0) {
        return html! {};
    }
    let middle = run.series.width / 2.0;
    let curve = |name: &str, manner, of: &dyn Fn(usize) -> Option<f64>| Curve {
        name: name.to_owned(),
        points: points
            .iter()
            .enumerate()
            .map(|(index, point)| (point.at + middle, of(index).unwrap_or(f64::NAN)))
            .collect(),
        manner,
    };
    let get = |index: usize| points.get(index);
    let mut rates = vec![
        curve("due", Manner::Dashed, &|at| get(at).map(|point| point.due)),
        curve("answered", Manner::Line, &|at| get(at).map(|point| point.answered)),
    ];
    if points.iter().any(|point| 0.0 < point.without) {
        rates.push(curve("without an answer", Manner::Line, &|at| {
            get(at).map(|point| point.without)
        }));
    }
    let highest = points.iter().flat_map(|point| [point.due, point.answered]);
    let load = Plot {
        title: "validations over time".to_owned(),
        x: time(run),
        y: Axis::of("validations a second", Scale::Linear, highest),
        curves: rates,
        marks: marks(run),
        limit: None,
    };
    let ms = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1e3);
    let curves = if run.series.p99.is_empty() {
        vec![
            curve("p50", Manner::Line, &|at| get(at).and_then(|point| ms(point.p50))),
            curve("p99", Manner::Line, &|at| get(at).and_then(|point| ms(point.p99))),
            curve("longest", Manner::Dashed, &|at| get(at).and_then(|point| ms(point.longest))),
        ]
    } else {
        // Together they would hide each other.
        let of = |(name, values): &(String, Vec<Option<f64>>)| {
            let value = |at: usize| ms(values.get(at).copied().flatten());
            curve(&format!("p99 at {name}"), Manner::Line, &value)
        };
        run.series.p99.iter().map(of).collect()
    };
    let values: Vec<f64> =
        curves.iter().flat_map(|curve| curve.points.iter().map(|(_, y)| *y)).collect();
    let latency = Plot {
        title: "latency over time".to_owned(),
        x: time(run),
        y: Axis::of("ms until the report", Scale::Log, values.into_iter()),
        curves,
        marks: marks(run),
        limit: None,
    };
    section(
        "Load over time",
        html! {
            p.quiet { "In pieces of " (format!("{:.0} s", run.series.width)) ". Answers count when they \
                came." }
            (load.draw())
            h2 { "Latency over time" }
            p.quiet { "Of what was due in each piece, from when it was due. Logarithmic." }
            (latency.draw())
        },
    )
}

/// The whole distribution, with its tail drawn out.
pub(super) fn percentiles(run: &RunResult) -> Markup {
    let phases = run.phases.iter().flat_map(|phase| {
        let several = 1 < phase.by_servers.len();
        let one = std::iter::once((phase.name.clone(), &phase.all)).filter(move |_| !several);
        let each = phase.by_servers.iter().filter(move |_| several);
        one.chain(each.map(|load| (format!("{}: {}", phase.name, load.servers), load)))
    });
    let loads: Vec<(String, &LoadResult)> =
        phases.filter(|(_, load)| 0 < load.report.count()).collect();
    if loads.is_empty() {
        return html! {};
    }
    // Spread over all of them where there are too many.
    let step = loads.len().div_ceil(CURVES);
    let shown = loads.iter().step_by(step.max(1));
    let curve = |(name, load): &(String, &LoadResult)| {
        let most = load.report.count() as f64;
        let quantile = |stretch: f64| 1.0 - 1.0 / stretch;
        let mut points = Vec::new();
        let mut stretch = 1.0;
        while stretch <= most {
            if let Some(latency) = load.quantile(Of::Report, quantile(stretch)) {
                points.push((stretch, latency.as_secs_f64() * 1e3));
            }
            stretch *= 1.1;
        }
        Curve { name: name.clone(), points, manner: Manner::Line }
    };
    let curves: Vec<Curve> = shown.map(curve).collect();
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let furthest = all().map(|(x, _)| *x).fold(10.0, f64::max);
    let ticks = ["50%", "90%", "99%", "99.9%", "99.99%", "99.999%"];
    let at = [2.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0];
    let ticks = at.into_iter().zip(ticks).filter(|(at, _)| *at <= furthest);
    let ticks = ticks.map(|(at, text)| (at, text.to_owned())).collect();
    let x = Axis {
        label: "percentile of the validations".to_owned(),
        scale: Scale::Log,
        from: 1.0,
        to: furthest,
        ticks: Some(ticks),
    };
    let y = Axis::of("ms until the report", Scale::Log, all().map(|(_, y)| *y));
    let title = "latency by percentile".to_owned();
    let plot = Plot { title, x, y, curves, marks: Vec::new(), limit: None };
    section(
        "Latency by percentile",
        html! {
            p.quiet { "How long that part of the validations took at most. A curve ends where a single \
                validation is left." }
            (plot.draw())
        },
    )
}

/// Goodput and latency against what was offered.
pub(super) fn knee(run: &RunResult) -> Markup {
    let steps: Vec<&PhaseResult> = run.steps().collect();
    if steps.len() < 2 {
        return html! {};
    }
    let curve = |name: &str, of: &dyn Fn(&PhaseResult) -> f64| Curve {
        name: name.to_owned(),
        points: steps.iter().map(|step| (step.all.offered, of(step))).collect(),
        manner: Manner::Dotted,
    };
    let ideal = Curve {
        name: "as many as were due".to_owned(),
        points: steps.iter().map(|step| (step.all.offered, step.all.offered)).collect(),
        manner: Manner::Dashed,
    };
    let good = curve("right answers", &|step| step.all.goodput);
    let offered = || steps.iter().map(|step| step.all.offered);
    let found = run.knee(0.99, std::time::Duration::from_secs(1));
    let mark = found.map(|step| (step.all.offered, "knee".to_owned()));
    let x = || Axis::of("validations due a second", Scale::Linear, offered());
    let goodput = Plot {
        title: "goodput by offered load".to_owned(),
        x: x(),
        y: Axis::of("right answers a second", Scale::Linear, offered()),
        curves: vec![good, ideal],
        marks: mark.clone().into_iter().collect(),
        limit: None,
    };
    let ms = |step: &PhaseResult, quantile| {
        let span = step.all.quantile(Of::Report, quantile);
        span.map_or(f64::NAN, |span| span.as_secs_f64() * 1e3)
    };
    let curves = vec![
        curve("p50", &|step| ms(step, 0.5)),
        curve("p99", &|step| ms(step, 0.99)),
        curve("p99.9", &|step| ms(step, 0.999)),
    ];
    let values: Vec<f64> =
        curves.iter().flat_map(|curve| curve.points.iter().map(|(_, y)| *y)).collect();
    let latency = Plot {
        title: "latency by offered load".to_owned(),
        x: x(),
        y: Axis::of("ms until the report", Scale::Log, values.into_iter()),
        curves,
        marks: mark.into_iter().collect(),
        limit: None,
    };
    section(
        "The knee",
        html! {
            p {
                @match found {
                    Some(step) => { "The knee is at " b { (format!("{:.0} a second", step.all.offered)) }
                        ": the last step at which 98 % of what was due was answered well within the \
                        step, and 99 % of the reports came within a second." }
                    None => { "None of the steps was borne: already the first had fewer right answers \
                        than 98 % of what was due, or reports later than a second." }
                }
            }
            (goodput.draw())
            (latency.draw())
        },
    )
}

/// Batches over time.
pub(super) fn batches(run: &RunResult) -> Markup {
    if run.batches.is_empty() {
        return html! {};
    }
    let curve = |batch: &crate::batches::BatchOutcome| Curve {
        name: format!("{} items at {}", batch.items, batch.servers),
        points: batch.looks.iter().map(|(at, ended)| (batch.began + at, *ended as f64)).collect(),
        manner: Manner::Line,
    };
    let curves: Vec<Curve> = run.batches.iter().map(curve).collect();
    let values: Vec<f64> =
        curves.iter().flat_map(|curve| curve.points.iter().map(|(_, y)| *y)).collect();
    let plot = Plot {
        title: "batches over time".to_owned(),
        x: time(run),
        y: Axis::of("ended items", Scale::Linear, values.into_iter()),
        curves,
        marks: marks(run),
        limit: None,
    };
    let seconds = |span: Option<f64>| span.map_or("–".to_owned(), |span| format!("{span:.1} s"));
    section(
        "Batches",
        html! {
            div.scroll { table {
                tr { th { "servers" } th.n { "items" } th.n { "ended" } th.n { "items/s" }
                    th.n { "uploaded in" } th.n { "first result after" } th.n { "ended after" }
                    th.n { "healthy" } th.n { "faulty" } th.n { "inconclusive" } }
                @for batch in &run.batches {
                    tr {
                        td { (batch.servers) } td.n { (batch.items) }
                        td.n { (batch.looks.last().map_or(0, |(_, ended)| *ended)) }
                        td.n { (batch.rate().map_or("–".to_owned(), |rate| format!("{rate:.1}"))) }
                        td.n { (format!("{:.1} s", batch.uploaded)) }
                        td.n { (seconds(batch.first)) } td.n { (seconds(batch.ended)) }
                        td.n { (batch.healthy) } td.n { (batch.faulty) } td.n { (batch.inconclusive) }
                    }
                }
            } }
            p.quiet { "A batch that nobody waits for is cancelled at the end of the run." }
            (plot.draw())
        },
    )
}

/// Sessions at each server, against its limit.
pub(super) fn sessions(run: &RunResult) -> Markup {
    if run.servers.is_empty() {
        return html! {};
    }
    let mut servers: Vec<_> = run.servers.iter().collect();
    let part = |server: &crate::result::ServerResult| {
        server.surely as f64 / f64::from(server.limit.max(1))
    };
    servers.sort_by(|a, b| part(b).total_cmp(&part(a)).then_with(|| a.name.cmp(&b.name)));
    let bar = |server: &&crate::result::ServerResult| Bar {
        name: server.name.clone(),
        value: server.surely as f64,
        limit: Some(f64::from(server.limit)),
        text: format!("{} of {} at once, {} in all", server.surely, server.limit, server.sessions),
    };
    let all: Vec<Bar> = servers.iter().take(SERVERS).map(bar).collect();
    let late = run.servers.iter().filter(|server| u64::from(server.limit) < server.most).count();
    section(
        "Sessions at each mail server",
        html! {
            p {
                "The most sessions at once that the servers themselves counted, and their limit (red). "
                @if run.counts.over_limit == 0 { b { "No session began beyond a limit." } }
                @else { b.bad { (run.counts.over_limit) " sessions began beyond a limit." } }
            }
            p.quiet { "A socket that the fleet has closed may be noticed up to 150 ms later by a busy \
                server; sessions that had perhaps ended are not counted."
                @if 0 < late { " With them some would seem above their limit for a moment: " (late) " of them." }
                @if SERVERS < run.servers.len() {
                    " The " (SERVERS) " fullest of " (run.servers.len()) " servers are shown." }
            }
            (bars("sessions by server", &all))
        },
    )
}

/// Memory and CPU time of every process.
pub(super) fn processes(run: &RunResult) -> Markup {
    if run.processes.is_empty() {
        return html! {};
    }
    let memory: Vec<Curve> = run
        .processes
        .iter()
        .map(|process| Curve {
            name: process.name.clone(),
            points: process
                .looks
                .iter()
                .map(|look| (look.at, look.memory as f64 / f64::from(1 << 20)))
                .collect(),
            manner: Manner::Line,
        })
        .collect();
    // Over five seconds each: ticks of 10 ms are coarse.
    let cpu: Vec<Curve> = run
        .processes
        .iter()
        .map(|process| {
            let rates = process.looks.windows(6).filter_map(|looks| {
                let (first, last) = (looks.first()?, looks.last()?);
                let time = last.at - first.at;
                // A process that was started anew counts from zero.
                let used = last.cpu - first.cpu;
                (0.0 < time && 0.0 <= used).then_some((last.at, used / time * 100.0))
            });
            Curve { name: process.name.clone(), points: rates.collect(), manner: Manner::Line }
        })
        .collect();
    let values = |curves: &[Curve]| -> Vec<f64> {
        curves.iter().flat_map(|curve| curve.points.iter().map(|(_, y)| *y)).collect()
    };
    let plot = |title: &str, label: &str, curves: Vec<Curve>| Plot {
        title: title.to_owned(),
        x: time(run),
        y: Axis::of(label, Scale::Linear, values(&curves).into_iter()),
        curves,
        marks: marks(run),
        limit: None,
    };
    section(
        "Memory and CPU time",
        html! {
            p.quiet { "Resident memory; of broker and database, which are several processes, the sum \
                with shared memory counted once." }
            (plot("memory over time", "MiB", memory).draw())
            p.quiet { "Per cent of one processor, over five seconds each." }
            (plot("CPU time over time", "% of one processor", cpu).draw())
            (usage(run))
        },
    )
}

fn usage(run: &RunResult) -> Markup {
    let answered = run.counts.answered
        + run.batches.iter().filter_map(|batch| batch.looks.last()).map(|look| look.1).sum::<u64>();
    html! {
        div.scroll { table {
            tr { th { "process" } th.n { "memory, first" } th.n { "most" } th.n { "last" }
                th.n { "CPU time" } th.n { "CPU time for each answer" } th.n { "open files, most" } }
            @for process in &run.processes {
                @let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
                @let first = process.looks.first();
                @let last = process.looks.last();
                @let used = last.map_or(0.0, |last| last.cpu) - first.map_or(0.0, |first| first.cpu);
                tr {
                    td { (process.name) }
                    td.n { (mib(first.map_or(0, |look| look.memory))) }
                    td.n { (mib(process.looks.iter().map(|look| look.memory).max().unwrap_or(0))) }
                    td.n { (mib(last.map_or(0, |look| look.memory))) }
                    td.n { (format!("{:.1} s", used.max(0.0))) }
                    td.n { (format!("{:.2} ms", used.max(0.0) * 1e3 / answered.max(1) as f64)) }
                    td.n { (process.looks.iter().filter_map(|look| look.files).max()
                        .map_or("–".to_owned(), |files| files.to_string())) }
                }
            }
        } }
    }
}
