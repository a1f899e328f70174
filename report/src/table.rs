//! The table for the terminal.

use std::fmt::Write as _;

use mynah_traffic::run::{EndpointFigures, Latency, MetricFigures, MetricKind, RunDocument, Verdict};

use crate::fidelity;
use crate::figures::{count, ms, percent, plural, rate, share, shown};
pub(crate) use crate::grid::RULED;
use crate::grid::{Column, folded, number, table, words};
use crate::mirror;

/// How the terminal wants it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Colours are welcome (a terminal, and no `NO_COLOR`).
    pub color: bool,
    /// Columns that there are; `None`: as many as are needed.
    pub width: Option<u16>,
}

impl Style {
    pub(crate) fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn verdict(self, verdict: Verdict) -> String {
        let code = match verdict {
            Verdict::Pass => "1;32",
            Verdict::Fail => "1;31",
            Verdict::Invalid => "1;35",
        };
        self.paint(code, verdict_word(verdict))
    }
}

/// As the terminal shows it.
pub(crate) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Invalid => "INVALID",
    }
}

/// Characters of a sentence or a name that traffic had a part in.
const REASON: usize = 600;

/// The whole that is printed at the end of a replay.
pub fn render(document: &RunDocument, style: Style) -> String {
    let mut out = String::new();
    let bold = |text: &str| style.paint("1", text);
    let _ = writeln!(
        out,
        "{}  {} -> {}",
        style.verdict(document.verdict),
        bold(&shown(&document.scenario, REASON)),
        shown(&document.target, REASON)
    );
    let arrivals = &document.arrivals;
    let _ = writeln!(
        out,
        "{}{}, {:.1} s, {}, {} completed, seed {}{}",
        part(document),
        arrivals.asked,
        document.duration_s,
        match arrivals.scheduled_requests {
            Some(requests) => format!(
                "{} sent of {}, {} begun",
                plural(document.requests, "request"),
                count(requests),
                plural(arrivals.started, "session")
            ),
            None => {
                format!("{} begun of {}", plural(arrivals.started, "session"), count(arrivals.scheduled))
            }
        },
        count(arrivals.completed),
        document.seed,
        if document.interrupted { ", interrupted" } else { "" },
    );
    for reason in &document.reasons {
        let line = folded("  ! ", &shown(reason, REASON), style.width);
        out.push_str(&line.replacen('!', &style.paint("31", "!"), 1));
    }
    let (table, more) = endpoints(document, style);
    let _ = writeln!(out, "\n{table}");
    if more > 0 {
        let more =
            format!("and {} more: mynah report RUN --html F has all.", plural(more as u64, "endpoint"));
        out.push_str(&folded("", &more, style.width));
    }
    let foot = "Times in ms. Response time counts from the intended start, service time from the moment it was sent.";
    let _ = writeln!(out, "{}", folded("", foot, style.width));
    out.push_str(&around(document, style));
    out
}

/// Which part of something larger it is, or of which parts it was put together.
pub(crate) fn part(document: &RunDocument) -> String {
    match &document.shard {
        Some(shard) => format!("shard {} of {}: ", shard.number, shard.of),
        None if document.merged_from.is_empty() => String::new(),
        None => format!("{} merged: ", plural(document.merged_from.len() as u64, "shard")),
    }
}

const COLUMNS: [Column; 10] = [
    words("endpoint", 0),
    number("requests", 0),
    number("failed", 0),
    number("/s", 4),
    number("p50", 2),
    number("p95", 1),
    number("p99", 0),
    number("p99.9", 6),
    number("max", 3),
    number("service p99", 5),
];

/// Rows on a terminal: the busiest, and what failed of the others. What is piped on has all.
const BUSIEST: usize = 40;
const FAILING: usize = 20;

/// The table, and how many endpoints are not in it.
fn endpoints(document: &RunDocument, style: Style) -> (String, usize) {
    let busiest = if style.width.is_some() { BUSIEST } else { usize::MAX };
    let others = document.endpoints.iter().skip(busiest).filter(|endpoint| endpoint.failures > 0);
    let shown: Vec<&EndpointFigures> =
        document.endpoints.iter().take(busiest).chain(others.take(FAILING)).collect();
    let mut rows: Vec<Vec<String>> = shown
        .iter()
        .map(|endpoint| {
            row(
                format!("{} {}", endpoint.method, endpoint.name),
                (endpoint.requests, endpoint.failures, endpoint.requests_per_s),
                &endpoint.response_time_ms,
                &endpoint.service_time_ms,
            )
        })
        .collect();
    rows.push(row(
        "all".to_owned(),
        (document.requests, document.failures, document.requests_per_s),
        &document.total.response_time_ms,
        &document.total.service_time_ms,
    ));
    let failed: Vec<bool> =
        shown.iter().map(|endpoint| endpoint.failures > 0).chain([document.failures > 0]).collect();
    let last = rows.len() - 1;
    let table = table(&COLUMNS, rows, style.width, |row, title, text| {
        if title == "failed" && failed.get(row) == Some(&true) {
            style.paint("31", text)
        } else if row == last {
            style.paint("1", text)
        } else {
            text.to_owned()
        }
    });
    (table, document.endpoints.len() - shown.len())
}

fn row(name: String, counts: (u64, u64, f64), response: &Latency, service: &Latency) -> Vec<String> {
    let (requests, failures, per_s) = counts;
    let failed = if failures == 0 {
        "0".to_owned()
    } else {
        format!("{} ({})", count(failures), percent(share(failures, requests)))
    };
    let latencies = [response.p50, response.p95, response.p99, response.p999, response.max, service.p99];
    [name, count(requests), failed, rate(per_s)]
        .into_iter()
        .chain(
            latencies
                .into_iter()
                .map(|value| if requests == 0 || value == 0.0 { "-".to_owned() } else { ms(value) }),
        )
        .collect()
}

/// What a script has counted under one name.
fn metric_line(metric: &MetricFigures) -> String {
    let name = shown(&metric.name, 120);
    match metric.kind {
        MetricKind::Counter => format!("{name}: {} ({}/s)", metric.sum, metric.per_s),
        MetricKind::Trend => format!(
            "{name}: {} values, min {}, mean {}, p50 {}, p95 {}, p99 {}, max {}",
            count(metric.count),
            metric.min,
            metric.mean,
            metric.p50,
            metric.p95,
            metric.p99,
            metric.max
        ),
    }
}

/// Profiles, failures, thresholds, the generator's own health.
fn around(document: &RunDocument, style: Style) -> String {
    let mut out = String::new();
    let sessions: u64 = document.profiles.iter().map(|profile| profile.sessions).sum();
    let profiles: Vec<String> = document
        .profiles
        .iter()
        .map(|profile| {
            let name = shown(&profile.name, REASON);
            format!("{name} {} ({})", percent(share(profile.sessions, sessions)), profile.sessions)
        })
        .collect();
    if !profiles.is_empty() {
        out.push_str(&folded("profiles    ", &profiles.join(", "), style.width));
    }
    if let Some(fidelity) = &document.fidelity {
        let answers = format!(
            "{} of the answers have the recorded status class; {}",
            percent(fidelity.status_parity),
            plural(document.total.mismatches, "mismatch").replace("mismatchs", "mismatches"),
        );
        out.push_str(&folded("fidelity    ", &answers, style.width));
        let far: Vec<String> = fidelity::lines(&fidelity.distances())
            .iter()
            .map(|line| format!("{} {:.3}", line.name, line.distance))
            .collect();
        let far = format!("sent against recorded, 0 the same, 1 nothing in common: {}", far.join(", "));
        out.push_str(&folded("            ", &far, style.width));
    }
    let total = &document.total;
    if total.connections > 0 {
        let of = |times: &Latency| format!("p50 {} ms, p99 {} ms", ms(times.p50), ms(times.p99));
        let tls = if total.tls_ms.max > 0.0 { format!("; TLS {}", of(&total.tls_ms)) } else { String::new() };
        // Where no answer was whole nothing is known of it.
        let first = match total.first_byte_ms.max {
            most if most > 0.0 => format!("first byte {}; ", of(&total.first_byte_ms)),
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "on the wire {first}{} in {}{tls}",
            plural(total.connections, "connection"),
            of(&total.connect_ms),
        );
    }
    for (name, line) in document.mirror.iter().flat_map(mirror::lines) {
        out.push_str(&folded(&format!("{name:<12}"), &line, style.width));
    }
    let generator = &document.generator;
    let health = format!(
        "send lag p50 {:.0} us, p99 {:.0} us, max {:.0} us; {} busy on {}; {} late, {} held back",
        generator.send_lag_us.p50,
        generator.send_lag_us.p99,
        generator.send_lag_us.max,
        percent(generator.cpu_busy),
        plural(u64::from(generator.threads), "thread"),
        count(generator.late_arrivals),
        count(generator.held_back),
    );
    out.push_str(&folded("generator   ", &health, style.width));
    for threshold in &document.thresholds {
        let (mark, colour) = if threshold.ok { ("ok  ", "32") } else { ("FAIL", "31") };
        let line = folded(&format!("threshold   {mark} "), &shown(&threshold.text, REASON), style.width);
        out.push_str(&line.replacen(mark, &style.paint(colour, mark), 1));
    }
    for metric in &document.metrics {
        out.push_str(&folded("metric      ", &metric_line(metric), style.width));
    }
    const SHOWN: usize = 8;
    for failure in document.failure_rows.iter().take(SHOWN) {
        let name = shown(&format!("{} {}", failure.method, failure.name), 120);
        let what = format!("{} x {name}: {}", count(failure.occurrences), shown(&failure.error, REASON));
        out.push_str(&folded("failed      ", &what, style.width));
    }
    if document.failure_rows.len() > SHOWN {
        let _ = writeln!(
            out,
            "            and {} more kinds in failures.csv",
            document.failure_rows.len() - SHOWN
        );
    }
    out
}
