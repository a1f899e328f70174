//! `report.html`: one self-contained page. Nothing is loaded: a content security policy in the page says so to the browser, too.
//!
//! What was wrong comes first, then the charts, then the tables. All is there without a script; the page's own few lines sort and
//! filter the table of endpoints and draw the curves of those that are chosen in it.
//!
//! | module | part |
//! |---|---|
//! | `wrong` | what was wrong, and how the generator did, in words |
//! | `against` | the comparison with a baseline |

mod against;
mod wrong;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use mynah_traffic::run::RunDocument;
use mynah_traffic::threshold::{Metric, Threshold};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::chart::{self, Curves, Named};
use crate::timeline::Timeline;
use crate::{Error, fidelity, figures, mirror};
pub use against::{Against, comparison};

/// Characters of a name: more of it helps nobody, and a thousand of them must stay a page.
const NAME: usize = 400;
/// Endpoints whose curves are drawn at first: half the busiest, half the slowest.
const DRAWN: usize = 4;

const SCRIPT: &str = include_str!("page.js");

/// What all pages have: how numbers are written, and how things look.
pub(crate) fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.add_filter("ms", figures::ms);
    environment.add_filter("rate", figures::rate);
    environment.add_filter("percent", figures::percent);
    environment.add_filter("count", figures::count);
    environment.add_filter("name", |text: &str| figures::shown(text, NAME));
    environment.add_function("share", figures::share);
    environment.add_template("style.css", include_str!("style.css.j2"))?;
    environment.add_template("parts.html", include_str!("parts.html.j2"))?;
    // The script may run that stands here, and no other: not one that a name brings along.
    let hash = STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    environment.add_global(
        "policy",
        format!(
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
        ),
    );
    environment.add_global("script", Value::from_safe_string(SCRIPT.to_owned()));
    Ok(environment)
}

/// The page for a run; `against` with the baseline that it was compared with.
///
/// # Errors
/// When the template fails, which is a bug.
pub fn render(
    document: &RunDocument,
    timeline: &Timeline,
    against: Option<&Against<'_>>,
) -> Result<String, Error> {
    let mut environment = environment()?;
    environment.add_template("run.html", include_str!("run.html.j2"))?;
    let sessions: u64 = document.profiles.iter().map(|profile| profile.sessions).sum();
    let statuses: BTreeMap<String, u64> =
        document.total.status.iter().map(|(status, count)| (status.to_string(), *count)).collect();
    let distances =
        document.fidelity.as_ref().map(|far| fidelity::lines(&far.distances())).unwrap_or_default();
    let names: Vec<String> = document.endpoints.iter().map(|e| format!("{} {}", e.method, e.name)).collect();
    let curves = curves(&names, &drawn(document), timeline, against.map(|against| against.baseline));
    let page = environment.get_template("run.html")?.render(context! {
        run => Value::from(Serde(document)),
        wrong => Value::from(Serde(wrong::wrong(document))),
        generator => Value::from(Serde(wrong::generator(document))),
        against => against.map(|against| Value::from(Serde(against::view(against.comparison)))),
        charts => Value::from(Serde(charts(timeline, against.map(|a| a.baseline), &bounds(document)))),
        curves => Value::from(Serde(curves)),
        width_s => timeline.width_s,
        sessions,
        statuses,
        distances => Value::from(Serde(&distances)),
        mirrored => Value::from(Serde(document.mirror.as_ref().map(mirror::facts))),
    })?;
    Ok(page)
}

/// Pictures, as they stand in the page.
#[derive(Debug, Default, Serialize)]
struct Charts {
    rates: String,
    users: String,
    percentiles: String,
    heat: String,
}

fn charts(timeline: &Timeline, baseline: Option<&Timeline>, bounds: &[(f64, String)]) -> Charts {
    Charts {
        rates: chart::rates(timeline, baseline),
        users: chart::users(timeline),
        percentiles: chart::percentiles(timeline, baseline, bounds),
        heat: chart::heat(timeline),
    }
}

/// Distributions by percentile: the picture, what further curves are drawn from, and which are drawn.
#[derive(Debug, Default, Serialize)]
struct Distribution {
    svg: String,
    /// JSON that can stand within `<script>`.
    data: String,
    /// Number (0: all, n: row n of the table) and name of those drawn at first.
    shown: Vec<(usize, String)>,
    baseline: bool,
}

/// `names`: the endpoints in the order of the table; `first`: places in it that are drawn at first.
fn curves(
    names: &[String],
    first: &[usize],
    timeline: &Timeline,
    baseline: Option<&Timeline>,
) -> Distribution {
    let named = |name: &str, times, base| Named { name: figures::shown(name, NAME), times, base };
    let all = named("all", timeline.all.as_ref(), baseline.and_then(|base| base.all.as_ref()));
    let of = |name: &String| {
        named(name, timeline.endpoints.get(name), baseline.and_then(|base| base.endpoints.get(name)))
    };
    let drawn: Vec<usize> = first.iter().copied().filter(|at| *at < names.len()).collect();
    let pictured: Vec<Named<'_>> = std::iter::once(named("all", all.times, all.base))
        .chain(drawn.iter().map(|at| of(&names[*at])))
        .collect();
    let shown = std::iter::once((0, "all".to_owned()))
        .chain(drawn.iter().map(|at| (at + 1, figures::shown(&names[*at], NAME))))
        .collect();
    let everything: Vec<Named<'_>> = std::iter::once(all).chain(names.iter().map(of)).collect();
    let (svg, data) = chart::distribution(&pictured, &everything);
    Distribution {
        svg,
        data: data.as_ref().map(script_data).unwrap_or_default(),
        shown,
        baseline: baseline.is_some_and(Timeline::has_times),
    }
}

/// `</script>` and `<!--` are the only things that end or change what stands there; neither is without `<`.
fn script_data(curves: &Curves) -> String {
    serde_json::to_string(curves).unwrap_or_default().replace('<', "\\u003c")
}

/// The busiest and the slowest endpoints.
fn drawn(document: &RunDocument) -> Vec<usize> {
    let mut slowest: Vec<usize> = (0..document.endpoints.len()).collect();
    slowest.sort_by(|a, b| {
        let p99 = |at: &usize| document.endpoints[*at].response_time_ms.p99;
        p99(b).total_cmp(&p99(a))
    });
    let busiest = 0..document.endpoints.len();
    let chosen: BTreeSet<usize> = busiest.take(DRAWN / 2).collect();
    let more: Vec<usize> =
        slowest.into_iter().filter(|at| !chosen.contains(at)).take(DRAWN - chosen.len()).collect();
    chosen.into_iter().chain(more).collect()
}

/// Bounds in ms that thresholds set to the response time of all endpoints together.
fn bounds(document: &RunDocument) -> Vec<(f64, String)> {
    document
        .thresholds
        .iter()
        .filter_map(|threshold| threshold.expr.parse::<Threshold>().ok())
        .filter(|threshold| threshold.endpoint.is_none() && matches!(threshold.metric, Metric::Response(_)))
        .map(|threshold| (threshold.wanted / 1e6, threshold.expr))
        .collect()
}
