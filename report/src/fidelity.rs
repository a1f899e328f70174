//! How like the recording a run or a scenario is, in words.

use mynah_traffic::scenario::Distances;
use serde::Serialize;

/// One distance, with what it is and what it says.
#[derive(Debug, Serialize)]
pub struct Line {
    /// What is compared.
    pub name: &'static str,
    /// From 0 (the same) to 1 (nothing in common).
    pub distance: f64,
    /// The measure.
    pub measure: &'static str,
    /// In words.
    pub says: String,
}

const JENSEN_SHANNON: &str = "Jensen–Shannon, base 2";
const KOLMOGOROV_SMIRNOV: &str = "Kolmogorov–Smirnov";

/// Every distance that there is.
pub fn lines(fidelity: &Distances) -> Vec<Line> {
    let shares = |what: &str, distance: f64| match distance {
        d if d <= 0.01 => format!("{what} as in the recording"),
        d if d <= 0.05 => format!("{what} nearly as in the recording"),
        d if d <= 0.2 => format!("{what} differently: another mix of profiles, or a short run"),
        _ => format!("{what} quite differently"),
    };
    let shift = |what: &str, distance: f64| {
        format!("the share of {what} is at no point more than {:.1} points off", distance * 100.0)
    };
    let js = |name, distance: Option<f64>, what: &str| {
        distance.map(|d| Line { name, distance: d, measure: JENSEN_SHANNON, says: shares(what, d) })
    };
    let ks = |name, distance: Option<f64>, what: &str| {
        distance.map(|d| Line { name, distance: d, measure: KOLMOGOROV_SMIRNOV, says: shift(what, d) })
    };
    let all = [
        js("endpoint mix", fidelity.endpoint_mix, "endpoints were asked for"),
        js("transitions", fidelity.transitions, "one endpoint came after another"),
        ks("think times", fidelity.think_times, "pauses up to any given length"),
        ks("session length", fidelity.session_length, "sessions with up to any given number of requests"),
        ks(
            "arrivals",
            fidelity.arrivals,
            "sessions that began up to any given multiple of the mean gap after the one before",
        ),
        ks("body sizes", fidelity.body_sizes, "request bodies up to any given size"),
    ];
    all.into_iter().flatten().collect()
}
