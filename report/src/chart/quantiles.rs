//! The distribution by percentile: the slower the request, the further to the right, each nine as wide as the one before.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::escape;
use super::plot::{Plot, Scale};

const HEIGHT: f64 = 280.0;
/// Points by nine.
const POINTS: f64 = 8.0;
/// Six nines: a million requests.
const FURTHEST: f64 = 6.0;

/// What the page's script draws further curves from. Curve `n` is that of the endpoints' table's row `n`.
#[derive(Debug, Serialize)]
pub(crate) struct Curves {
    /// Places of the points, pixels; the last of a curve stands at its own.
    x: Vec<f64>,
    /// `[pixels of each point, …]`, and the place of the last.
    own: Vec<Option<(Vec<f64>, f64)>>,
    /// The baseline's.
    base: Vec<Option<(Vec<f64>, f64)>>,
}

/// One distribution to be drawn, with its baseline's.
pub(crate) struct Named<'h> {
    pub(crate) name: String,
    pub(crate) times: Option<&'h Histogram<u64>>,
    pub(crate) base: Option<&'h Histogram<u64>>,
}

/// `-log10(1 - q)`: 0 at 0 %, 1 at 90 %, 2 at 99 %.
fn nines(times: &Histogram<u64>) -> f64 {
    (times.len().max(2) as f64).log10().min(FURTHEST)
}

/// Value in ms at each point, and where the last (the maximum) stands.
fn points(times: &Histogram<u64>) -> (Vec<f64>, f64) {
    let end = nines(times);
    let mut values: Vec<f64> = (0..=(FURTHEST * POINTS) as u32)
        .map(|step| f64::from(step) / POINTS)
        .take_while(|at| *at < end - 1e-9)
        .map(|at| times.value_at_quantile(1.0 - 10_f64.powf(-at)).max(times.min()) as f64 / 1e3)
        .collect();
    values.push(times.max() as f64 / 1e3);
    (values, end)
}

/// Draws `shown`; further ones of `all` can be drawn from [`Curves`].
pub(crate) fn distribution(shown: &[Named<'_>], all: &[Named<'_>]) -> (String, Option<Curves>) {
    let histograms =
        || all.iter().flat_map(|one| [one.times, one.base]).flatten().filter(|times| !times.is_empty());
    let Some(end) = histograms().map(nines).max_by(f64::total_cmp) else { return (String::new(), None) };
    let low = histograms().map(Histogram::min).min().unwrap_or(1) as f64 / 1e3;
    let high = histograms().map(Histogram::max).max().unwrap_or(1) as f64 / 1e3;
    let mut plot = Plot::bare("response time by percentile, ms", HEIGHT, end, Scale::log(low, high));
    plot.ticks_y();
    for (share, text) in [
        (0.0, "0%"),
        (0.5, "50%"),
        (0.75, "75%"),
        (0.9, "90%"),
        (0.95, "95%"),
        (0.99, "99%"),
        (0.999, "99.9%"),
        (0.9999, "99.99%"),
        (0.99999, "99.999%"),
    ] {
        let at = -(1.0_f64 - share).log10();
        // The middling ones only where there is room.
        if at > end || (end > 4.0 && [0.75, 0.95].contains(&share)) {
            continue;
        }
        let x = plot.x(at);
        let _ = write!(plot.svg, "<path class=\"grid\" d=\"M{x:.1} 12V{:.1}\"/>", plot.bottom());
        plot.tick_x(x, text);
    }
    let of = |times: Option<&Histogram<u64>>| times.filter(|times| !times.is_empty()).map(points);
    for (number, one) in shown.iter().enumerate() {
        for (times, class, what) in [(one.base, "base ", "baseline: "), (one.times, "", "")] {
            let Some((values, last)) = of(times) else { continue };
            let count = values.len();
            let curve: Vec<_> = values
                .into_iter()
                .enumerate()
                .map(|(n, value)| (if n + 1 == count { last } else { n as f64 / POINTS }, Some(value)))
                .collect();
            plot.curve(&format!("{class}c{number}"), &format!("{what}{}", escape(&one.name)), &curve);
        }
    }
    let rounded = |value: f64| (value * 10.0).round() / 10.0;
    let places = |times: Option<&Histogram<u64>>| {
        of(times).map(|(values, last)| {
            (values.into_iter().map(|value| rounded(plot.y(value))).collect(), rounded(plot.x(last)))
        })
    };
    let curves = Curves {
        x: (0..=(FURTHEST * POINTS) as u32)
            .map(|n| f64::from(n) / POINTS)
            .take_while(|at| *at <= end)
            .map(|at| rounded(plot.x(at)))
            .collect(),
        own: all.iter().map(|one| places(one.times)).collect(),
        base: if all.iter().any(|one| one.base.is_some()) {
            all.iter().map(|one| places(one.base)).collect()
        } else {
            Vec::new()
        },
    };
    plot.svg.push_str("<g id=\"more\"></g>");
    (plot.finish(), Some(curves))
}
