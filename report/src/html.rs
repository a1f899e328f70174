//! `report.html`: one self-contained page.

use std::collections::BTreeMap;

use minijinja::{Environment, Value, context};
use mynah_traffic::run::{RunDocument, SecondFigures};

use crate::chart::{Series, draw};
use crate::{Error, fidelity, figures};

/// What all pages have: how numbers are written, and how things look.
pub(crate) fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.add_filter("ms", figures::ms);
    environment.add_filter("rate", figures::rate);
    environment.add_filter("percent", figures::percent);
    environment.add_filter("count", figures::count);
    environment.add_function("share", figures::share);
    environment.add_template("style.css", include_str!("style.css.j2"))?;
    Ok(environment)
}

/// The page for a run.
///
/// # Errors
/// When the template fails, which is a bug.
pub fn render(document: &RunDocument) -> Result<String, Error> {
    let mut environment = environment()?;
    environment.add_template("report.html", include_str!("report.html.j2"))?;
    let seconds = &document.seconds;
    let curve = |value: fn(&SecondFigures) -> f64| {
        seconds.iter().map(|second| (f64::from(second.t), value(second))).collect()
    };
    let throughput = draw(
        "requests and failures by second",
        &[
            Series { name: "requests", class: "a", points: curve(|second| second.requests as f64) },
            Series { name: "failures", class: "bad", points: curve(|second| second.failures as f64) },
            Series { name: "users", class: "b", points: curve(|second| f64::from(second.users)) },
        ],
    );
    // A second in which nothing ended has no percentiles: it is left out, not drawn as zero.
    let latency = |value: fn(&SecondFigures) -> f64| {
        seconds
            .iter()
            .filter(|second| second.requests > 0)
            .map(|second| (f64::from(second.t), value(second)))
            .collect()
    };
    let latencies = draw(
        "response time by second, ms",
        &[
            Series { name: "p99", class: "c", points: latency(|second| second.p99) },
            Series { name: "p95", class: "b", points: latency(|second| second.p95) },
            Series { name: "p50", class: "a", points: latency(|second| second.p50) },
        ],
    );
    let sessions: u64 = document.profiles.iter().map(|profile| profile.sessions).sum();
    let statuses: BTreeMap<String, u64> =
        document.total.status.iter().map(|(status, count)| (status.to_string(), *count)).collect();
    let distances =
        document.fidelity.as_ref().map(|far| fidelity::lines(&far.distances())).unwrap_or_default();
    let page = environment.get_template("report.html")?.render(context! {
        run => Value::from(minijinja::value::Serde(document)),
        sessions,
        statuses,
        distances => Value::from(minijinja::value::Serde(&distances)),
        throughput => Value::from_safe_string(throughput),
        latencies => Value::from_safe_string(latencies),
    })?;
    Ok(page)
}
