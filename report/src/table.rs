//! The table for the terminal.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use mynah_traffic::run::{EndpointFigures, Latency, RunDocument, Verdict};

use crate::fidelity;
use crate::figures::{count, ms, percent, plural, rate, share};

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
        let (code, text) = match verdict {
            Verdict::Pass => ("1;32", "PASS"),
            Verdict::Fail => ("1;31", "FAIL"),
            Verdict::Invalid => ("1;35", "INVALID"),
        };
        self.paint(code, text)
    }
}

/// The name of an endpoint in tables: method and path.
fn endpoint_name(endpoint: &EndpointFigures) -> String {
    format!("{} {}", endpoint.method, endpoint.name)
}

fn row(
    name: String,
    requests: u64,
    failures: u64,
    per_s: f64,
    response: &Latency,
    service: &Latency,
) -> Vec<Cell> {
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let failed = if failures == 0 {
        "0".to_owned()
    } else {
        format!("{} ({})", count(failures), percent(share(failures, requests)))
    };
    let latencies = [response.p50, response.p95, response.p99, response.p999, response.max, service.p99];
    [Cell::new(name), right(count(requests)), right(failed), right(rate(per_s))]
        .into_iter()
        .chain(
            latencies.into_iter().map(|value| right(if requests == 0 { "-".to_owned() } else { ms(value) })),
        )
        .collect()
}

/// A line under the titles and one at the end; none between rows, of which there may be many.
pub(crate) const RULED: TableStyle = TableStyle::new()
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// The whole that is printed at the end of a replay.
pub fn render(document: &RunDocument, style: Style) -> String {
    let mut out = String::new();
    let bold = |text: &str| style.paint("1", text);
    let _ = writeln!(
        out,
        "{}  {} -> {}",
        style.verdict(document.verdict),
        bold(&document.scenario),
        document.target
    );
    let arrivals = &document.arrivals;
    let _ = writeln!(
        out,
        "{}, {:.1} s, {} begun of {}, {} completed, seed {}{}",
        arrivals.asked,
        document.duration_s,
        plural(arrivals.started, "session"),
        count(arrivals.scheduled),
        count(arrivals.completed),
        document.seed,
        if document.interrupted { ", interrupted" } else { "" },
    );
    for reason in &document.reasons {
        let _ = writeln!(out, "  {} {reason}", style.paint("31", "!"));
    }
    let _ = writeln!(out, "\n{}", endpoints(document, style));
    let _ = writeln!(
        out,
        "Times in ms. Response time counts from the intended start, service time from the moment it was sent.\n"
    );
    out.push_str(&around(document, style));
    out
}

fn endpoints(document: &RunDocument, style: Style) -> Table {
    let mut table = Table::new();
    table.load_style(RULED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(style.width.unwrap_or(200));
    let titles = ["endpoint", "requests", "failed", "/s", "p50", "p95", "p99", "p99.9", "max", "service p99"];
    table.set_header(titles.iter().enumerate().map(|(place, title)| {
        Cell::new(title).set_alignment(if place == 0 { CellAlignment::Left } else { CellAlignment::Right })
    }));
    for endpoint in &document.endpoints {
        table.add_row(row(
            endpoint_name(endpoint),
            endpoint.requests,
            endpoint.failures,
            endpoint.requests_per_s,
            &endpoint.response_time_ms,
            &endpoint.service_time_ms,
        ));
    }
    table.add_row(row(
        "all".to_owned(),
        document.requests,
        document.failures,
        document.requests_per_s,
        &document.total.response_time_ms,
        &document.total.service_time_ms,
    ));
    table
}

/// Profiles, failures, thresholds, the generator's own health.
fn around(document: &RunDocument, style: Style) -> String {
    let mut out = String::new();
    let sessions: u64 = document.profiles.iter().map(|profile| profile.sessions).sum();
    let profiles: Vec<String> = document
        .profiles
        .iter()
        .map(|profile| {
            format!("{} {} ({})", profile.name, percent(share(profile.sessions, sessions)), profile.sessions)
        })
        .collect();
    if !profiles.is_empty() {
        let _ = writeln!(out, "profiles    {}", profiles.join(", "));
    }
    if let Some(fidelity) = &document.fidelity {
        let _ = writeln!(
            out,
            "fidelity    {} of the answers have the recorded status class; {}",
            percent(fidelity.status_parity),
            plural(document.total.mismatches, "mismatch").replace("mismatchs", "mismatches"),
        );
        let far: Vec<String> = fidelity::lines(&fidelity.distances())
            .iter()
            .map(|line| format!("{} {:.3}", line.name, line.distance))
            .collect();
        let _ = writeln!(
            out,
            "            sent against recorded, 0 the same, 1 nothing in common: {}",
            far.join(", ")
        );
    }
    let total = &document.total;
    if total.connections > 0 {
        let of = |times: &Latency| format!("p50 {} ms, p99 {} ms", ms(times.p50), ms(times.p99));
        let tls = if total.tls_ms.max > 0.0 { format!("; TLS {}", of(&total.tls_ms)) } else { String::new() };
        let _ = writeln!(
            out,
            "on the wire first byte {}; {} in {}{tls}",
            of(&total.first_byte_ms),
            plural(total.connections, "connection"),
            of(&total.connect_ms),
        );
    }
    let generator = &document.generator;
    let _ = writeln!(
        out,
        "generator   send lag p50 {:.0} us, p99 {:.0} us, max {:.0} us; {} busy on {}; {} late, {} held back",
        generator.send_lag_us.p50,
        generator.send_lag_us.p99,
        generator.send_lag_us.max,
        percent(generator.cpu_busy),
        plural(u64::from(generator.threads), "thread"),
        count(generator.late_arrivals),
        count(generator.held_back),
    );
    for threshold in &document.thresholds {
        let mark = if threshold.ok { style.paint("32", "ok  ") } else { style.paint("31", "FAIL") };
        let _ = writeln!(out, "threshold   {mark} {}", threshold.text);
    }
    const SHOWN: usize = 8;
    for failure in document.failure_rows.iter().take(SHOWN) {
        let _ = writeln!(
            out,
            "failed      {} x {} {}: {}",
            count(failure.occurrences),
            failure.method,
            failure.name,
            failure.error
        );
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
