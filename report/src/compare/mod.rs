//! Two sides of runs against each other: by endpoint and quantile the change, the interval it lies in, and what that comes to.
//!
//! All intervals hold together with the confidence asked for: each is as much wider as there are more of them (Bonferroni, half of
//! the error for the rows of all together), so that forty endpoints raise no more false alarms than one. A change counts when the whole interval lies beyond both a
//! relative and an absolute bound; nothing counts as the same that was not shown to be.
//!
//! | module | job |
//! |---|---|
//! | `sample` | a run's response times by endpoint and second |
//! | `estimate` | a difference and its error, by what there is: an interleaved run, several runs a side, or one |
//! | `pooled` | what the endpoints have in common |
//! | `differences` | what the sides answered differently |
//! | `text` | the comparison for the terminal, and in Markdown |

mod differences;
mod estimate;
mod pooled;
mod sample;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;

use mynah_traffic::run::Verdict;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

pub(crate) use differences::sentence as difference;
pub use differences::{Aspect, Difference, Share};
use estimate::Estimate;
pub use sample::Sample;
use sample::Series;
pub(crate) use text::{capital, cells, is_quiet, sentence};
pub use text::{markdown, render};

/// What counts as a change, and how sure that must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    /// A smaller share of the baseline is no change: 0.02.
    pub relative: f64,
    /// Nor are fewer milliseconds.
    pub absolute_ms: f64,
    /// What is shown to have moved by less than this share is the same.
    pub margin: f64,
    /// A failure rate may rise by so much: 0.005 are half a percentage point.
    pub failures: f64,
    /// A share of the answers in which something is may differ by so much: 0.02.
    pub differences: f64,
    /// Whether a difference between the answers is a failure.
    pub fail_on_differences: bool,
    /// With which all intervals hold together: 0.95.
    pub confidence: f64,
    /// The deviation of a quantile from run to run by itself, as a share: what nobody can see in one run a side.
    pub run_noise: f64,
    /// Quantiles that are compared for each endpoint, 0 to 1.
    pub quantiles: Vec<f64>,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            relative: 0.02,
            absolute_ms: 0.1,
            margin: 0.05,
            failures: 0.005,
            differences: 0.02,
            fail_on_differences: false,
            confidence: 0.95,
            run_noise: 0.05,
            quantiles: vec![0.95],
        }
    }
}

/// What a row comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Slower, or more failures: a regression.
    Slower,
    /// Faster, or fewer failures.
    Faster,
    /// Shown to be no change.
    Same,
    /// The interval is too wide to say.
    CantTell,
}

impl Change {
    /// In a person's words.
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Slower => "slower",
            Change::Faster => "faster",
            Change::Same => "same",
            Change::CantTell => "can't tell",
        }
    }
}

/// One endpoint's quantile, or its failure rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// `GET /items/{id}`; [`ALL`], or [`MEAN`] for the endpoints' mean.
    pub endpoint: String,
    /// `p95`, or `failure_rate`.
    pub metric: String,
    /// Milliseconds, or a share. `null`: nothing was measured.
    pub baseline: Option<f64>,
    /// The same of the candidate.
    pub candidate: Option<f64>,
    /// As a share of the baseline (0.1: a tenth slower); for failure rates the difference.
    pub change: Option<f64>,
    /// Where the change lies, with the comparison's confidence for all rows together.
    pub interval: Option<(f64, f64)>,
    /// What that comes to.
    pub verdict: Change,
    /// What would tell, where this cannot.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

impl Row {
    /// Whether it is of all endpoints rather than of one.
    pub(crate) fn is_of_all(&self) -> bool {
        [ALL, MEAN].contains(&self.endpoint.as_str())
    }

    /// One of which nothing is known.
    fn new(endpoint: &str, metric: String) -> Row {
        Row {
            endpoint: endpoint.to_owned(),
            metric,
            baseline: None,
            candidate: None,
            change: None,
            interval: None,
            verdict: Change::CantTell,
            hint: String::new(),
        }
    }
}

/// Two sides against each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Version of this form.
    pub schema: u32,
    /// `fail` when something is slower; `invalid` when a run's figures say nothing.
    pub verdict: Verdict,
    /// Why, as sentences.
    pub reasons: Vec<String>,
    /// The runs of the baseline.
    pub baseline: Vec<String>,
    /// The runs that are judged.
    pub candidate: Vec<String>,
    /// How the intervals were come by, in a sentence.
    pub method: String,
    /// All rows together are right with this confidence.
    pub confidence: f64,
    /// All together first, then by endpoint.
    pub rows: Vec<Row>,
    /// What the sides answered differently, beyond what they differ by from themselves.
    #[serde(default)]
    pub differences: Vec<Difference>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// The version of [`Comparison`] that this mynah writes.
pub const SCHEMA: u32 = 1;

/// The JSON Schema (2020-12) of [`Comparison`] as this mynah writes it. Further fields may come without a new [`SCHEMA`]; none goes.
pub fn schema() -> serde_json::Value {
    let mut schema =
        SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Comparison>();
    schema.insert("$id".to_owned(), format!("urn:mynah:compare:{SCHEMA}").into());
    schema.insert("title".to_owned(), "what mynah compare --json prints".into());
    schema.to_value()
}

/// The row of all requests together.
pub const ALL: &str = "all";
/// The row of what the endpoints have in common: the geometric mean of their quantiles, each weighed by its requests. What slows all
/// of them is seen here first; the quantile of all together is that of the slowest.
pub const MEAN: &str = "mean of endpoints";

/// What the rows about failures are called.
pub(crate) const FAILURE_RATE: &str = "failure_rate";

/// Of how many runs a side their own spread is taken.
const RUNS: usize = 3;
/// Answers beyond a quantile without which it says little: where its own spread over seconds is taken for its error, and
/// where it is seen over turns or runs.
const BEYOND: f64 = 10.0;
const BEYOND_OF_MANY: f64 = 4.0;
/// In a mean over endpoints, each may be known little.
const BEYOND_OF_MEAN: f64 = 1.0;

/// What the runs are taken for.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Design {
    /// One run with both sides in turn, a side's turn taking so many seconds.
    Interleaved(u32),
    /// Several runs a side.
    Runs,
    /// Too few of them to see what moves from run to run.
    Within,
}

/// Compares. `seed` is the bootstrap's: the same runs give the same intervals.
pub fn compare(baseline: &[Sample], candidate: &[Sample], bounds: &Bounds, seed: u64) -> Comparison {
    let design = design(baseline, candidate);
    let names = |side: &[Sample]| side.iter().map(|sample| sample.name.clone()).collect();
    let mut comparison = Comparison {
        schema: SCHEMA,
        verdict: Verdict::Pass,
        reasons: Vec::new(),
        baseline: names(baseline),
        candidate: names(candidate),
        method: method(design, baseline, candidate, bounds),
        confidence: bounds.confidence,
        rows: Vec::new(),
        differences: Vec::new(),
        notes: Vec::new(),
    };
    let sides = Sides { baseline, candidate, design, bounds, seed };
    let endpoints: BTreeSet<&str> =
        baseline.iter().chain(candidate).flat_map(|s| s.endpoints.keys().map(String::as_str)).collect();
    let in_all = |side: &[Sample], endpoint: &str| {
        side.iter().any(|s| s.endpoints.get(endpoint).is_some_and(|series| series.requests > 0))
    };
    let mut drafts = sides.drafts(None);
    drafts.splice(0..0, sides.means(&endpoints));
    for endpoint in endpoints {
        match (in_all(baseline, endpoint), in_all(candidate, endpoint)) {
            (true, true) => drafts.extend(sides.drafts(Some(endpoint))),
            (true, false) => {
                comparison.notes.push(format!("{endpoint}: the candidate has no requests to it"));
            }
            (false, true) => {
                comparison.notes.push(format!("{endpoint}: the baseline has no requests to it"));
            }
            (false, false) => {}
        }
    }
    let confidence = confidences(&drafts, bounds.confidence);
    comparison.rows = drafts
        .into_iter()
        .map(|draft| {
            let own = confidence[usize::from(draft.row.is_of_all())];
            sides.judged(draft, own)
        })
        .collect();
    for row in &comparison.rows {
        if row.verdict == Change::Slower {
            comparison.reasons.push(sentence(row));
        }
    }
    comparison.notes.extend(unlike(baseline, candidate));
    match differences::differences(baseline, candidate, bounds) {
        Some(found) => comparison.differences = found,
        None if [baseline, candidate]
            .iter()
            .any(|side| side.iter().any(|sample| sample.answers.is_some())) =>
        {
            comparison
                .notes
                .push("a side has no shapes.json: what was answered differently is not known".to_owned());
        }
        None => {}
    }
    if bounds.fail_on_differences {
        comparison.reasons.extend(comparison.differences.iter().map(differences::sentence));
    }
    if !comparison.reasons.is_empty() {
        comparison.verdict = Verdict::Fail;
    }
    for sample in baseline.iter().chain(candidate) {
        if let Some(why) = &sample.invalid {
            comparison.verdict = Verdict::Invalid;
            comparison.reasons.push(format!("{}: the run is invalid: {why}", sample.name));
        }
    }
    comparison
}

/// With which confidence an endpoint's interval, and one of all endpoints, is told. The more intervals, the wider each (Bonferroni):
/// one in twenty of all comparisons may be wrong about anything. Half of that is the few rows' of all, so that a hundred endpoints do
/// not blind these to what all of them lose.
fn confidences(drafts: &[Draft], confidence: f64) -> [f64; 2] {
    let tests = |of_all: bool| {
        drafts.iter().filter(|draft| draft.is_test() && draft.row.is_of_all() == of_all).count()
    };
    let tests = [tests(false), tests(true)];
    let share = if tests.contains(&0) { 1.0 } else { 0.5 };
    tests.map(|tests| 1.0 - (1.0 - confidence) * share / tests.max(1) as f64)
}

/// What the sides have not in common that they should have.
fn unlike(baseline: &[Sample], candidate: &[Sample]) -> Vec<String> {
    let of = |side: &[Sample], what: fn(&Sample) -> &String| -> BTreeSet<String> {
        side.iter().map(what).filter(|text| !text.is_empty()).cloned().collect()
    };
    let told = |words: &str, what: fn(&Sample) -> &String| {
        let (a, b) = (of(baseline, what), of(candidate, what));
        let list = |side: &BTreeSet<String>| side.iter().take(5).cloned().collect::<Vec<_>>().join("' and '");
        (a != b && !a.is_empty() && !b.is_empty()).then(|| {
            format!(
                "{words} '{}' in the baseline and '{}' in the candidate: what differs may come of that",
                list(&a),
                list(&b)
            )
        })
    };
    [told("the scenario is", |sample| &sample.scenario), told("the load is", |sample| &sample.asked)]
        .into_iter()
        .flatten()
        .collect()
}

fn design(baseline: &[Sample], candidate: &[Sample]) -> Design {
    if let ([a], [b]) = (baseline, candidate)
        && let (Some(a), Some(b)) = (a.interleaved, b.interleaved)
        && a.block_s == b.block_s
    {
        return Design::Interleaved(a.block_s);
    }
    if baseline.len() >= RUNS && candidate.len() >= RUNS { Design::Runs } else { Design::Within }
}

fn method(design: Design, baseline: &[Sample], candidate: &[Sample], bounds: &Bounds) -> String {
    match design {
        Design::Interleaved(block_s) => format!(
            "one run with both targets in turn, {block_s} s each; what drifts in common is taken out (least squares, Student's t)"
        ),
        Design::Runs => format!(
            "{} runs against {}: what moves from run to run is seen in them (Welch's t)",
            baseline.len(),
            candidate.len()
        ),
        Design::Within => format!(
            "too few runs a side to see what moves from run to run by itself: taken as {}% (--run-noise), with what moves within a run (block bootstrap). Five runs a side, or one interleaved run (replay --against), tell more",
            bounds.run_noise * 100.0
        ),
    }
}

struct Sides<'s> {
    baseline: &'s [Sample],
    candidate: &'s [Sample],
    design: Design,
    bounds: &'s Bounds,
    seed: u64,
}

/// A row before it is known how many there are.
struct Draft {
    row: Row,
    found: Found,
}

enum Found {
    /// A quantile's change.
    Latency(Estimate),
    /// Failures and requests of both sides.
    Shares((u64, u64), (u64, u64)),
    /// Not enough.
    Nothing,
}

impl Draft {
    /// Whether it could be a false alarm: without a failure there is none.
    fn is_test(&self) -> bool {
        match self.found {
            Found::Latency(_) => true,
            Found::Shares(a, b) => a.0 + b.0 > 0,
            Found::Nothing => false,
        }
    }
}

impl Sides<'_> {
    /// What the endpoints have in common, where several of them can be seen over turns or runs.
    fn means(&self, endpoints: &BTreeSet<&str>) -> Vec<Draft> {
        let mean = |&quantile: &f64| {
            let least = least(BEYOND_OF_MEAN, quantile);
            let pooled =
                pooled::pooled([self.baseline, self.candidate], endpoints, self.design, quantile, least)?;
            let [a, b] = &pooled.sides;
            let estimate = match self.design {
                Design::Interleaved(_) => estimate::drifting(a, b),
                Design::Runs => estimate::welch(&values(a), &values(b)),
                Design::Within => None,
            }?;
            let level = |side: &[(f64, f64)]| {
                let values = values(side);
                Some((values.iter().sum::<f64>() / values.len() as f64).exp() / 1e3)
            };
            let row =
                Row { baseline: level(a), candidate: level(b), ..Row::new(MEAN, quantile_name(quantile)) };
            Some(Draft { row, found: Found::Latency(estimate) })
        };
        self.bounds.quantiles.iter().filter_map(mean).collect()
    }

    fn drafts(&self, endpoint: Option<&str>) -> Vec<Draft> {
        let name = endpoint.unwrap_or(ALL);
        let mut drafts: Vec<Draft> =
            self.bounds.quantiles.iter().map(|q| self.latency(name, endpoint, *q)).collect();
        drafts.push(self.failures(name, endpoint));
        drafts
    }

    fn series<'a>(side: &'a [Sample], endpoint: Option<&'a str>) -> impl Iterator<Item = &'a Series> {
        side.iter().filter_map(move |sample| sample.series(endpoint))
    }

    fn latency(&self, name: &str, endpoint: Option<&str>, quantile: f64) -> Draft {
        let mut row = Row::new(name, quantile_name(quantile));
        let least = least(if self.design == Design::Within { BEYOND } else { BEYOND_OF_MANY }, quantile);
        let estimate = match self.design {
            Design::Interleaved(block_s) => self.interleaved(endpoint, quantile, least, block_s),
            Design::Runs => {
                let logs = |side| -> Vec<f64> {
                    Self::series(side, endpoint)
                        .filter(|series| series.answers() >= least)
                        .filter_map(|series| Some(series.quantile(quantile)?.ln()))
                        .collect()
                };
                estimate::welch(&logs(self.baseline), &logs(self.candidate))
            }
            Design::Within => self.within(endpoint, quantile, least),
        };
        let level = |side| -> Option<f64> {
            let values: Vec<f64> =
                Self::series(side, endpoint).filter_map(|series| series.quantile(quantile)).collect();
            let mean = values.iter().map(|v| v.ln()).sum::<f64>() / values.len() as f64;
            (!values.is_empty()).then(|| mean.exp() / 1e3)
        };
        row.baseline = level(self.baseline);
        row.candidate = level(self.candidate);
        let found = if let Some(estimate) = estimate {
            Found::Latency(estimate)
        } else {
            row.hint = format!(
                "too few answers ({} wants {least} {})",
                row.metric,
                match self.design {
                    Design::Interleaved(_) => "a turn".to_owned(),
                    Design::Runs => "a run".to_owned(),
                    Design::Within => "and ten seconds".to_owned(),
                }
            );
            Found::Nothing
        };
        Draft { row, found }
    }

    fn interleaved(
        &self,
        endpoint: Option<&str>,
        quantile: f64,
        least: u64,
        block_s: u32,
    ) -> Option<Estimate> {
        let points = |side: &[Sample], second: bool| -> Vec<(f64, f64)> {
            Self::series(side, endpoint)
                .flat_map(|series| series.windows(block_s * 2, quantile, least))
                .map(|(window, value)| (turn(window, second), value.ln()))
                .collect()
        };
        estimate::drifting(&points(self.baseline, false), &points(self.candidate, true))
    }

    fn within(&self, endpoint: Option<&str>, quantile: f64, least: u64) -> Option<Estimate> {
        let side = |side: &[Sample]| -> Option<(f64, f64)> {
            let series: Vec<&Series> =
                Self::series(side, endpoint).filter(|series| series.answers() >= least).collect();
            let n = series.len() as f64;
            let mut level = 0.0;
            let mut variance = 0.0;
            for (i, series) in series.iter().enumerate() {
                level += series.quantile(quantile)?.ln() / n;
                let seed = self.seed ^ (i as u64) << 32;
                variance += estimate::within(series, quantile, seed)?.powi(2) / (n * n);
            }
            (n > 0.0).then_some((level, variance + self.bounds.run_noise.powi(2) / n))
        };
        let ((a, va), (b, vb)) = (side(self.baseline)?, side(self.candidate)?);
        Some(Estimate { change: b - a, error: (va + vb).sqrt(), freedom: f64::INFINITY })
    }

    fn failures(&self, name: &str, endpoint: Option<&str>) -> Draft {
        let count = |side| {
            Self::series(side, endpoint)
                .fold((0, 0), |(failed, all), series| (failed + series.failures, all + series.requests))
        };
        let (a, b) = (count(self.baseline), count(self.candidate));
        let share = |(failed, all): (u64, u64)| (all > 0).then(|| failed as f64 / all as f64);
        let row = Row {
            baseline: share(a),
            candidate: share(b),
            change: share(b).zip(share(a)).map(|(b, a)| b - a),
            ..Row::new(name, FAILURE_RATE.to_owned())
        };
        let found = if a.1 > 0 && b.1 > 0 { Found::Shares(a, b) } else { Found::Nothing };
        Draft { row, found }
    }

    fn judged(&self, draft: Draft, confidence: f64) -> Row {
        let Draft { mut row, found } = draft;
        match found {
            Found::Nothing => {}
            Found::Latency(estimate) => self.judge_latency(&mut row, estimate, confidence),
            Found::Shares(a, b) => {
                let Some((low, high)) = estimate::shares(a, b, confidence) else { return row };
                row.interval = Some((low, high));
                let bound = self.bounds.failures;
                row.verdict = if low > bound {
                    Change::Slower
                } else if high < -bound {
                    Change::Faster
                } else if low >= -bound && high <= bound {
                    Change::Same
                } else {
                    row.hint = times_longer(((high - low) / 2.0 / bound).powi(2), self.design);
                    Change::CantTell
                };
            }
        }
        row
    }

    fn judge_latency(&self, row: &mut Row, estimate: Estimate, confidence: f64) {
        let half = estimate.half_width(confidence);
        let factor = |log: f64| log.exp_m1();
        let (low, high) = (factor(estimate.change - half), factor(estimate.change + half));
        row.change = Some(factor(estimate.change));
        row.interval = Some((low, high));
        let bounds = self.bounds;
        let ms = row.baseline.unwrap_or_default();
        row.verdict = if low > bounds.relative && low * ms > bounds.absolute_ms {
            Change::Slower
        } else if high < -bounds.relative && high * ms < -bounds.absolute_ms {
            Change::Faster
        } else if low > -bounds.margin && high < bounds.margin
            || low * ms > -bounds.absolute_ms && high * ms < bounds.absolute_ms
        {
            Change::Same
        } else {
            let wanted = bounds.margin.ln_1p().max(1e-9);
            // Where the error is that from run to run, a longer run is of no help.
            row.hint = if self.design == Design::Within
                && half < estimate::critical(f64::INFINITY, confidence) * bounds.run_noise * 2.0
            {
                "five runs a side or an interleaved run would tell".to_owned()
            } else {
                times_longer((half / wanted).powi(2), self.design)
            };
            Change::CantTell
        };
    }
}

/// What would tell: the interval gets narrower by the root of what is measured.
fn times_longer(times: f64, design: Design) -> String {
    let times = times.clamp(1.1, 1e4);
    let times = if times < 10.0 { format!("{times:.1}") } else { format!("{times:.0}") };
    match design {
        Design::Interleaved(_) => format!("about {times} times as long a run would tell"),
        Design::Runs => format!("about {times} times as many runs would tell"),
        Design::Within => format!("about {times} times as many requests would tell"),
    }
}

/// Answers without which a quantile says little.
fn least(beyond: f64, quantile: f64) -> u64 {
    (beyond / (1.0 - quantile).max(1e-6)).ceil() as u64
}

/// Place of a turn in time. Windows are pairs of turns: a turn's answers come in it and in what follows of the pair.
fn turn(window: u32, second: bool) -> f64 {
    f64::from(window) * 2.0 + f64::from(u8::from(second))
}

fn values(points: &[(f64, f64)]) -> Vec<f64> {
    points.iter().map(|(_, value)| *value).collect()
}

/// `p95` of 0.95, `p99.9` of 0.999.
fn quantile_name(quantile: f64) -> String {
    format!("p{}", (quantile * 1e6).round() / 1e4)
}
