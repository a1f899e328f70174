//! The comparison with a baseline: a table with a bar for each interval, what is slower first.

use std::collections::BTreeSet;

use hdrhistogram::Histogram;
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

use super::{NAME, charts, curves, environment};
use crate::Error;
use crate::chart;
use crate::compare::{Change, Comparison, FAILURE_RATE, Row, capital, cells, is_quiet};
use crate::figures::{plural, shown};
use crate::timeline::Timeline;

/// What a run was compared with.
#[derive(Debug)]
pub struct Against<'a> {
    /// What came of it.
    pub comparison: &'a Comparison,
    /// The baseline's times.
    pub baseline: &'a Timeline,
}

/// A comparison as the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct View<'c> {
    verdict: &'static str,
    /// `3 slower, 12 same, 2 can't tell`.
    tally: String,
    method: String,
    confidence: String,
    baseline: &'c [String],
    candidate: &'c [String],
    reasons: &'c [String],
    notes: &'c [String],
    rows: Vec<Line>,
    /// The share at either end of the bars.
    reach: String,
    /// The rows' endpoints as traffic has them.
    #[serde(skip)]
    order: Vec<String>,
    /// Rows that cannot tell.
    unsure: usize,
    /// Rows without a failure on either side, which say nothing.
    quiet: usize,
}

#[derive(Debug, Serialize)]
struct Line {
    cells: [String; 7],
    class: &'static str,
    bar: String,
}

fn class(change: Change) -> &'static str {
    match change {
        Change::Slower => "slower",
        Change::Faster => "faster",
        Change::Same => "same",
        Change::CantTell => "cant-tell",
    }
}

/// The verdict in a word that is right for failures too.
fn word(row: &Row) -> &'static str {
    match (row.verdict, row.metric == FAILURE_RATE) {
        (Change::Slower, true) => "failing more",
        (Change::Faster, true) => "failing less",
        (change, _) => change.as_str(),
    }
}

/// What matters first.
fn rank(change: Change) -> u8 {
    match change {
        Change::Slower => 0,
        Change::CantTell => 1,
        Change::Faster => 2,
        Change::Same => 3,
    }
}

/// Bars are cut at a doubling: what lies beyond is large in any case.
const FURTHEST: f64 = 1.0;
/// What is no change, in the picture: the default of `--relative`.
const NOTHING: f64 = 0.02;

pub(super) fn view(comparison: &Comparison) -> View<'_> {
    let mut rows: Vec<&Row> = comparison.rows.iter().filter(|row| !is_quiet(row)).collect();
    let quiet = comparison.rows.len() - rows.len();
    // A stable sort: what is of all stays above the endpoints.
    rows.sort_by(|a, b| {
        let of_all = b.is_of_all().cmp(&a.is_of_all());
        rank(a.verdict).cmp(&rank(b.verdict)).then(of_all).then_with(|| match a.verdict {
            Change::Slower => b.change.unwrap_or(0.0).total_cmp(&a.change.unwrap_or(0.0)),
            _ => std::cmp::Ordering::Equal,
        })
    });
    let reach = rows
        .iter()
        .filter_map(|row| row.interval)
        .map(|(low, high)| low.abs().max(high.abs()))
        .fold(0.1, f64::max)
        .min(FURTHEST);
    let mut tally: Vec<(&str, usize)> = Vec::new();
    for row in &rows {
        let word = word(row);
        match tally.iter_mut().find(|(known, _)| *known == word) {
            Some((_, times)) => *times += 1,
            None => tally.push((word, 1)),
        }
    }
    let tally: Vec<String> = tally.into_iter().map(|(word, times)| format!("{times} {word}")).collect();
    let unsure = rows.iter().filter(|row| row.verdict == Change::CantTell).count();
    let order = rows.iter().filter(|row| !row.is_of_all()).map(|row| row.endpoint.clone()).collect();
    let lines = rows
        .into_iter()
        .map(|row| {
            let mut cells = cells(row);
            cells[0] = shown(&cells[0], NAME);
            if row.verdict != Change::CantTell {
                word(row).clone_into(&mut cells[6]);
            }
            let bar = match (row.change, row.interval) {
                (Some(change), Some(interval)) => {
                    chart::interval(change, interval, NOTHING, reach, class(row.verdict))
                }
                _ => String::new(),
            };
            Line { cells, class: class(row.verdict), bar }
        })
        .collect();
    View {
        verdict: comparison.verdict.as_str(),
        tally: tally.join(", "),
        method: capital(&comparison.method),
        confidence: format!("{}", (comparison.confidence * 1e6).round() / 1e4),
        baseline: &comparison.baseline,
        candidate: &comparison.candidate,
        reasons: &comparison.reasons,
        notes: &comparison.notes,
        rows: lines,
        reach: format!("{:.0}%", reach * 100.0),
        order,
        unsure,
        quiet,
    }
}

/// An endpoint's times on both sides.
#[derive(Debug, Serialize)]
struct Times {
    name: String,
    /// Answers; p50, p95, p99 and max in ms.
    sides: [Option<(u64, [f64; 4])>; 2],
}

fn figures(times: &Histogram<u64>) -> (u64, [f64; 4]) {
    (times.len(), [0.5, 0.95, 0.99, 1.0].map(|quantile| times.value_at_quantile(quantile) as f64 / 1e3))
}

/// Endpoints whose curves are drawn at first.
const DRAWN: usize = 4;

/// The page for a comparison by itself: both sides' times laid over each other.
///
/// # Errors
/// When the template fails, which is a bug.
pub fn comparison(against: &Against<'_>, candidate: &Timeline) -> Result<String, Error> {
    let mut environment = environment()?;
    environment.add_template("compare.html", include_str!("compare.html.j2"))?;
    let view = view(against.comparison);
    // What changed most is drawn: the rows' order, each endpoint once.
    let mut known = BTreeSet::new();
    let names: Vec<String> = view.order.iter().filter(|name| known.insert(name.as_str())).cloned().collect();
    let drawn: Vec<usize> = (0..names.len().min(DRAWN)).collect();
    let curves = curves(&names, &drawn, candidate, Some(against.baseline));
    let lines: Vec<Times> = names
        .iter()
        .map(|name| Times {
            name: shown(name, NAME),
            sides: [against.baseline, candidate].map(|side| side.endpoints.get(name).map(figures)),
        })
        .collect();
    Ok(environment.get_template("compare.html")?.render(context! {
        against => Value::from(Serde(&view)),
        charts => Value::from(Serde(charts(candidate, Some(against.baseline), &[]))),
        curves => Value::from(Serde(curves)),
        lines => Value::from(Serde(&lines)),
        width_s => candidate.width_s,
        runs => plural(against.comparison.candidate.len() as u64, "run"),
    })?)
}
