//! A run as a pull request's comment, and as GitHub's annotations.

use std::fmt::Write as _;

use mynah_traffic::run::{Latency, RunDocument, Verdict};

use crate::figures::{count, ms, percent, rate, share};
use crate::table::part;

/// The run in Markdown.
pub fn run(document: &RunDocument) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "### {}: {} at {}\n",
        mark(document.verdict),
        code(&document.scenario),
        code(&document.target)
    );
    let _ = writeln!(
        out,
        "{}{}, {:.1} s{}, {} requests ({}/s), {} failed, {} unlike the recorded\n",
        part(document),
        escape(&document.arrivals.asked),
        document.duration_s,
        if document.interrupted { " (**interrupted before its end**)" } else { "" },
        count(document.requests),
        rate(document.requests_per_s),
        percent(share(document.failures, document.requests)),
        percent(share(document.total.mismatches, document.requests)),
    );
    for reason in &document.reasons {
        let _ = writeln!(out, "- {}", escape(reason));
    }
    if !document.reasons.is_empty() {
        out.push('\n');
    }
    if !document.thresholds.is_empty() {
        out.push_str("| threshold | |\n|---|---|\n");
        for threshold in &document.thresholds {
            let sign = if threshold.ok { "✅" } else { "❌" };
            let _ = writeln!(out, "| {} | {sign} {} |", code(&threshold.expr), escape(&threshold.text));
        }
        out.push('\n');
    }
    out.push_str("| endpoint | requests | failed | p50 | p95 | p99 | max |\n|---|--:|--:|--:|--:|--:|--:|\n");
    for endpoint in &document.endpoints {
        let name = format!("{} {}", endpoint.method, endpoint.name);
        row(&mut out, &code(&name), endpoint.requests, endpoint.failures, &endpoint.response_time_ms);
    }
    row(&mut out, "**all**", document.requests, document.failures, &document.total.response_time_ms);
    out.push_str("\nResponse times in ms, from the intended start.\n");
    out
}

fn row(out: &mut String, name: &str, requests: u64, failures: u64, latency: &Latency) {
    let _ = write!(out, "| {name} | {} | {} |", count(requests), count(failures));
    for value in [latency.p50, latency.p95, latency.p99, latency.max] {
        let _ = write!(out, " {} |", if requests == 0 || value == 0.0 { "-".to_owned() } else { ms(value) });
    }
    out.push('\n');
}

/// What GitHub's runner shows beside the change: a line for each reason
/// ([workflow commands](https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands)).
pub fn annotations(title: &str, verdict: Verdict, reasons: &[String]) -> String {
    let level = if verdict == Verdict::Pass { "notice" } else { "error" };
    let mut out = String::new();
    for reason in reasons {
        let _ = writeln!(out, "::{level} title={}::{}", property(title), data(reason));
    }
    if reasons.is_empty() {
        let _ = writeln!(out, "::notice title={}::{}", property(title), verdict.as_str());
    }
    out
}

fn data(text: &str) -> String {
    // What would move a terminal's cursor does not get into a log.
    let text: String = text
        .chars()
        .map(|c| if c.is_control() && !matches!(c, '\r' | '\n') { '\u{fffd}' } else { c })
        .collect();
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The verdict as a pull request shows it.
pub(crate) fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅ pass",
        Verdict::Fail => "❌ fail",
        Verdict::Invalid => "⚠️ invalid",
    }
}

/// As code in a table's cell: names come from traffic.
pub(crate) fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c == '`' || c.is_control() { '\'' } else { c }).collect();
    format!("`{}`", text.replace('|', "\\|"))
}

/// Text that is to be read as it is.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '*' | '_' | '`' | '|' | '[' | ']' | '\\' | '#' | '@' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
