//! What was wrong, for the top of the page; and how the generator did, in words.

use std::collections::BTreeMap;

use mynah_traffic::run::{FailureRow, RunDocument, ThresholdResult, Verdict};
use serde::Serialize;

use super::NAME;
use crate::figures::{count, ms, percent, plural, share, shown};

/// Endpoints that are named at the top; the rest stands in the table.
const NAMED: usize = 8;

/// What stands above all charts.
#[derive(Debug, Serialize)]
pub(super) struct Wrong<'d> {
    /// One sentence.
    headline: String,
    /// Reasons that no threshold says.
    reasons: Vec<String>,
    /// Failed ones first.
    thresholds: Vec<&'d ThresholdResult>,
    endpoints: Vec<Failing>,
    /// Endpoints with failures that are not named.
    more: usize,
}

/// An endpoint with failures.
#[derive(Debug, Serialize)]
struct Failing {
    name: String,
    failures: u64,
    share: f64,
    /// What happened most often, and how often.
    error: String,
    times: u64,
}

pub(super) fn wrong(document: &RunDocument) -> Wrong<'_> {
    let mut thresholds: Vec<&ThresholdResult> = document.thresholds.iter().collect();
    thresholds.sort_by_key(|threshold| threshold.ok);
    let said = |reason: &&String| !document.thresholds.iter().any(|t| !t.ok && t.text == **reason);
    let mut worst: BTreeMap<(&str, &str), &FailureRow> = BTreeMap::new();
    for row in &document.failure_rows {
        let known = worst.entry((&row.method, &row.name)).or_insert(row);
        if row.occurrences > known.occurrences {
            *known = row;
        }
    }
    let mut failing: Vec<_> = document.endpoints.iter().filter(|endpoint| endpoint.failures > 0).collect();
    failing.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.failures));
    let endpoints: Vec<Failing> = failing
        .iter()
        .take(NAMED)
        .map(|endpoint| {
            let row = worst.get(&(endpoint.method.as_str(), endpoint.name.as_str()));
            Failing {
                name: shown(&format!("{} {}", endpoint.method, endpoint.name), NAME),
                failures: endpoint.failures,
                share: share(endpoint.failures, endpoint.requests),
                error: row.map(|row| shown(&row.error, NAME)).unwrap_or_default(),
                times: row.map_or(0, |row| row.occurrences),
            }
        })
        .collect();
    Wrong {
        headline: headline(document),
        reasons: document.reasons.iter().filter(said).map(|reason| shown(reason, NAME * 2)).collect(),
        thresholds,
        more: failing.len() - endpoints.len(),
        endpoints,
    }
}

fn headline(document: &RunDocument) -> String {
    let failed = document.thresholds.iter().filter(|threshold| !threshold.ok).count() as u64;
    let all = document.thresholds.len() as u64;
    let failures = match document.failures {
        0 => "no request failed".to_owned(),
        n => format!(
            "{} of {} failed ({})",
            count(n),
            plural(document.requests, "request"),
            percent(share(n, document.requests))
        ),
    };
    match document.verdict {
        Verdict::Invalid => {
            "The generator, not the target, was the bottleneck: the figures below say nothing of the target. \
                             Lower the rate, or use more threads or machines, and run it again."
                .to_owned()
        }
        Verdict::Fail if failed > 0 => {
            format!("{} of {} did not hold; {failures}.", count(failed), plural(all, "threshold"))
        }
        Verdict::Fail => format!("The run failed; {failures}."),
        Verdict::Pass if all == 0 => format!("No threshold was set; {failures}."),
        Verdict::Pass => format!("Every threshold holds; {failures}."),
    }
}

/// How the generator did.
#[derive(Debug, Serialize)]
pub(super) struct Generator {
    /// One sentence.
    headline: String,
    well: bool,
    /// Figure, value, what it means.
    rows: Vec<(&'static str, String, String)>,
}

/// Above this a core has no room for a burst.
const BUSY: f64 = 0.8;

pub(super) fn generator(document: &RunDocument) -> Generator {
    let generator = &document.generator;
    let lag = &generator.send_lag_us;
    let median = document.total.response_time_ms.p50;
    let invalid = document.verdict == Verdict::Invalid;
    let busy = generator.cpu_busy >= BUSY;
    // What it adds to the figures, against what they are.
    let of_median = if median > 0.0 { lag.p50 / 1e3 / median } else { 0.0 };
    let headline = if invalid {
        "It was the bottleneck: the run is invalid.".to_owned()
    } else if busy {
        format!(
            "Near its limit: its CPU was {} busy. Delays of its own may be in the figures; lower the rate or use more machines.",
            percent(generator.cpu_busy)
        )
    } else {
        format!(
            "Not the bottleneck: half of the requests were sent within {} µs of their time, 99% within {}.",
            ms(lag.p50),
            micros(lag.p99)
        )
    };
    let errors: Vec<String> =
        generator.errors.iter().map(|(kind, times)| format!("{kind} × {}", count(*times))).collect();
    let rows = vec![
        (
            "send lag p50, p99",
            format!("{}, {}", micros(lag.p50), micros(lag.p99)),
            format!(
                "From when a request was due and a connection free to its first byte: the generator's own delay. Its median is {} of the median response time.",
                percent(of_median)
            ),
        ),
        (
            "send lag p99.9, max",
            format!("{}, {}", micros(lag.p999), micros(lag.max)),
            "The worst of it. A hiccup of the machine shows here and not in p99.".to_owned(),
        ),
        (
            "CPU busy",
            format!("{} of {}", percent(generator.cpu_busy), plural(u64::from(generator.threads), "thread")),
            if busy { "80% and more leave no room for bursts." } else { "Below 80% there is room for bursts." }
                .to_owned(),
        ),
        (
            "late arrivals",
            count(generator.late_arrivals),
            format!(
                "Sent more than {} ms late by the generator's own fault. More than 1% of them make a run invalid.",
                generator.late_after_ms
            ),
        ),
        (
            "held back",
            count(generator.held_back),
            "Waited for a free connection. The wait counts in the response time and is not the generator's fault."
                .to_owned(),
        ),
        (
            "errors",
            if errors.is_empty() { "none".to_owned() } else { errors.join(", ") },
            "Requests without an answer, by kind.".to_owned(),
        ),
    ];
    Generator { headline, well: !invalid && !busy, rows }
}

fn micros(value: f64) -> String {
    if value >= 1e4 { format!("{} ms", ms(value / 1e3)) } else { format!("{value:.0} µs") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::document;

    #[test]
    fn what_was_wrong_is_said_once() {
        let mut run = document();
        run.thresholds[0].text.clone_from(&run.reasons[0]);
        run.reasons.push("it was <Tuesday>".into());
        run.thresholds.insert(0, ThresholdResult { ok: true, ..run.thresholds[0].clone() });
        run.endpoints[0].failures = 3;
        let said = wrong(&run);
        assert_eq!(
            said.headline,
            "1 of 2 thresholds did not hold; 3 of 1\u{202f}200 requests failed (0.25%)."
        );
        assert_eq!(said.reasons, ["it was <Tuesday>"]);
        assert!(!said.thresholds[0].ok && said.thresholds[1].ok);
        assert_eq!((said.endpoints[0].error.as_str(), said.endpoints[0].times, said.more), ("timeout", 3, 0));
        run.verdict = Verdict::Invalid;
        assert!(wrong(&run).headline.contains("say nothing of the target"));
        assert!(!generator(&run).well);
        run.verdict = Verdict::Pass;
        run.generator.cpu_busy = 0.93;
        assert!(!generator(&run).well && generator(&run).headline.contains("93.00% busy"));
        run.generator.cpu_busy = 0.2;
        assert!(generator(&run).well);
    }
}
