//! Rates, users, percentiles and the heat map, by second.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::escape;
use super::plot::{BOTTOM, Plot, Scale, TOP};
use crate::figures::{count, ms, rate};
use crate::timeline::{Column, Timeline};

const HEIGHT: f64 = 200.0;

/// Requests and failures by second, and the baseline's requests where there is one. Empty where there is nothing to draw.
pub(crate) fn rates(timeline: &Timeline, baseline: Option<&Timeline>) -> String {
    let Some(end) = end(timeline, baseline) else { return String::new() };
    let high = |t: &Timeline| t.columns.iter().map(|c| c.requests).fold(0.0, f64::max);
    let top = high(timeline).max(baseline.map_or(0.0, high));
    let mut plot = Plot::over_time("requests and failures a second", HEIGHT, end, Scale::up_to(top.max(1.0)));
    let failures: Vec<_> =
        timeline.columns.iter().map(|c| (middle(timeline, c), Some((0.0, c.failures)))).collect();
    if timeline.columns.iter().any(|column| column.failures > 0.0) {
        plot.band("bad", "failures/s", &failures);
        plot.curve("bad", "failures/s", &values(timeline, |c| Some(c.failures)));
    }
    if let Some(baseline) = baseline {
        plot.curve("base", "baseline: requests/s", &values(baseline, |c| Some(c.requests)));
    }
    plot.curve("a", "requests/s", &values(timeline, |c| Some(c.requests)));
    tips(&mut plot, timeline, |c| {
        format!("{} requests/s, {} failures/s", rate(c.requests), rate(c.failures))
    });
    plot.finish()
}

/// Virtual users.
pub(crate) fn users(timeline: &Timeline) -> String {
    let Some(end) = end(timeline, None) else { return String::new() };
    let top = timeline.columns.iter().map(|c| c.users).max().unwrap_or(0);
    let mut plot = Plot::over_time("virtual users", HEIGHT, end, Scale::up_to(f64::from(top.max(4))));
    let area: Vec<_> =
        timeline.columns.iter().map(|c| (middle(timeline, c), Some((0.0, f64::from(c.users))))).collect();
    plot.band("faint", "virtual users", &area);
    plot.curve("a", "virtual users", &values(timeline, |c| Some(f64::from(c.users))));
    tips(&mut plot, timeline, |c| format!("{} virtual users", count(u64::from(c.users))));
    plot.finish()
}

/// The quantiles that are drawn, by name.
const QUANTILES: [(f64, &str); 5] = [(0.5, "p50"), (0.9, "p90"), (0.95, "p95"), (0.99, "p99"), (1.0, "max")];

/// Percentiles as bands, with the bounds that thresholds set, and the baseline's p50 and p95.
pub(crate) fn percentiles(
    timeline: &Timeline,
    baseline: Option<&Timeline>,
    bounds: &[(f64, String)],
) -> String {
    let Some(end) = end(timeline, baseline) else { return String::new() };
    let at = |t: &Timeline, q: f64| values(t, |c| c.quantile(q));
    let all: Vec<f64> = QUANTILES
        .iter()
        .flat_map(|(q, _)| at(timeline, *q).into_iter().filter_map(|(_, value)| value))
        .chain(baseline.into_iter().flat_map(|b| at(b, 0.5).into_iter().filter_map(|(_, value)| value)))
        .chain(baseline.into_iter().flat_map(|b| at(b, 0.95).into_iter().filter_map(|(_, value)| value)))
        .collect();
    if all.is_empty() {
        return String::new();
    }
    let (low, high) = all.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(*v), high.max(*v)));
    // A bound far above would press the curves flat; the words at the top have it all the same.
    let bounds: Vec<&(f64, String)> =
        bounds.iter().filter(|(ms, _)| *ms <= high * 8.0 && *ms >= low / 8.0).collect();
    let (low, high) = bounds.iter().fold((low, high), |(low, high), (ms, _)| (low.min(*ms), high.max(*ms)));
    let mut plot = Plot::over_time("response time, ms", HEIGHT, end, Scale::log(low, high));
    for (step, pair) in QUANTILES.windows(2).enumerate() {
        let [(q1, from), (q2, to)] = pair else { continue };
        let band: Vec<_> = at(timeline, *q1)
            .into_iter()
            .zip(at(timeline, *q2))
            .map(|((x, low), (_, high))| (x, low.zip(high)))
            .collect();
        plot.band(&format!("band{step}"), &format!("{from} to {to}"), &band);
    }
    for (q, name) in QUANTILES {
        plot.curve(
            match name {
                "p50" => "a",
                "p99" => "a dash",
                "max" => "faint",
                _ => "thin",
            },
            name,
            &at(timeline, q),
        );
    }
    if let Some(baseline) = baseline {
        plot.curve("base", "baseline: p50", &at(baseline, 0.5));
        plot.curve("base dash", "baseline: p95", &at(baseline, 0.95));
    }
    for (value, text) in bounds {
        plot.bound(*value, &escape(text));
    }
    tips(&mut plot, timeline, |c| {
        let told: Vec<String> = QUANTILES
            .iter()
            .filter_map(|(q, name)| Some(format!("{name} {} ms", ms(c.quantile(*q)?))))
            .collect();
        if told.is_empty() { "nothing ended".to_owned() } else { told.join(", ") }
    });
    plot.finish()
}

/// Rows of the heat map by factor of ten.
const ROWS_A_DECADE: f64 = 12.0;
/// Steps of its colour.
pub(crate) const HEATS: usize = 8;

/// How many requests took how long, second by second: each cell a stretch of time and of response times, the darker the more.
pub(crate) fn heat(timeline: &Timeline) -> String {
    let Some(end) = end(timeline, None) else { return String::new() };
    let row = |micros: u64| ((micros.max(1) as f64).log10() * ROWS_A_DECADE).floor() as i32;
    let mut most = 0;
    let mut rows = (i32::MAX, i32::MIN);
    let cells: Vec<BTreeMap<i32, u64>> = timeline
        .columns
        .iter()
        .map(|column| {
            let mut cells = BTreeMap::new();
            for value in column.times.iter().flat_map(|times| times.iter_recorded()) {
                *cells.entry(row(value.value_iterated_to())).or_default() += value.count_at_value();
            }
            most = cells.values().copied().max().unwrap_or(0).max(most);
            for at in cells.keys() {
                rows = (rows.0.min(*at), rows.1.max(*at));
            }
            cells
        })
        .collect();
    if most == 0 {
        return String::new();
    }
    let bound = |row: i32| 10_f64.powf(f64::from(row) / ROWS_A_DECADE) / 1e3;
    // At least a decade, or a picture of one row would look like a wall.
    let lowest = rows.0.min(rows.1 + 1 - ROWS_A_DECADE as i32);
    let scale = Scale::Log(bound(lowest), bound(rows.1 + 1));
    let mut plot = Plot::over_time("requests by response time and second", HEIGHT, end, scale);
    let high = (plot.bottom() - TOP) / f64::from(rows.1 + 1 - lowest);
    // One path a colour: a rectangle a cell would make the page ten times as long.
    let mut paths: [String; HEATS] = std::array::from_fn(|_| String::new());
    for (column, cells) in timeline.columns.iter().zip(&cells) {
        let from = f64::from(column.from_s);
        let (x, wide) = (plot.x(from), plot.x(from + f64::from(timeline.width_s)) - plot.x(from) + 0.15);
        for (row, n) in cells {
            let heat = ((*n as f64).ln_1p() / (most as f64).ln_1p() * (HEATS as f64 - 1.0)).round() as usize;
            if let Some(path) = paths.get_mut(heat) {
                let y = plot.y(bound(row + 1));
                let _ = write!(path, "M{x:.1} {y:.1}h{wide:.1}v{high:.1}h-{wide:.1}z");
            }
        }
    }
    for (heat, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let _ = write!(plot.svg, "<path class=\"heat h{heat}\" d=\"{path}\"/>");
    }
    tips(&mut plot, timeline, |c| {
        let Some(times) = c.times.as_ref().filter(|times| !times.is_empty()) else {
            return "nothing ended".to_owned();
        };
        let of = |micros: u64| ms(micros as f64 / 1e3);
        format!(
            "{} answers from {} to {} ms, half of them up to {} ms",
            count(times.len()),
            of(times.min()),
            of(times.max()),
            of(times.value_at_quantile(0.5))
        )
    });
    plot.finish()
}

fn end(timeline: &Timeline, baseline: Option<&Timeline>) -> Option<f64> {
    let end = timeline.end_s().max(baseline.map_or(0, Timeline::end_s));
    (timeline.columns.len() > 1).then_some(f64::from(end))
}

/// A column's figures stand in its middle.
fn middle(timeline: &Timeline, column: &Column) -> f64 {
    f64::from(column.from_s) + f64::from(timeline.width_s) / 2.0
}

fn values(timeline: &Timeline, value: impl Fn(&Column) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    timeline.columns.iter().map(|column| (middle(timeline, column), value(column))).collect()
}

fn tips(plot: &mut Plot, timeline: &Timeline, text: impl Fn(&Column) -> String) {
    for column in &timeline.columns {
        let (from, to) = (column.from_s, column.from_s + timeline.width_s);
        let when = if timeline.width_s == 1 { format!("second {from}") } else { format!("{from} to {to} s") };
        plot.tip(f64::from(from), f64::from(to), &format!("{when}: {}", text(column)));
    }
}

const _: () = assert!(BOTTOM > 0.0 && HEATS > 1);
