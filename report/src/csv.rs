//! Locust's four CSV files, column for column, so that what reads Locust's goes on working. Times are response times in
//! milliseconds; percentiles are whole, as Locust writes them.

use std::io::{self, Write};

use csv::Writer;
use hdrhistogram::Histogram;
use jiff::Timestamp;
use mynah_traffic::run::{EndpointFigures, IntervalReader, Latency, RunDocument, new_histogram};

use crate::Error;

/// Percentiles of all files: what the column says, and the quantile.
const PERCENTILES: [(&str, f64); 11] = [
    ("50%", 0.5),
    ("66%", 0.66),
    ("75%", 0.75),
    ("80%", 0.8),
    ("90%", 0.9),
    ("95%", 0.95),
    ("98%", 0.98),
    ("99%", 0.99),
    ("99.9%", 0.999),
    ("99.99%", 0.9999),
    ("100%", 1.0),
];

const STATS: [&str; 11] = [
    "Type",
    "Name",
    "Request Count",
    "Failure Count",
    "Median Response Time",
    "Average Response Time",
    "Min Response Time",
    "Max Response Time",
    "Average Content Size",
    "Requests/s",
    "Failures/s",
];

const HISTORY: [&str; 6] = ["Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"];
const HISTORY_TOTALS: [&str; 7] = [
    "Total Request Count",
    "Total Failure Count",
    "Total Median Response Time",
    "Total Average Response Time",
    "Total Min Response Time",
    "Total Max Response Time",
    "Total Average Content Size",
];

/// `PREFIX_stats.csv`: a row an endpoint, and `Aggregated`.
///
/// # Errors
/// When it cannot be written.
pub fn stats(document: &RunDocument, out: impl Write) -> Result<(), Error> {
    let mut out = Writer::from_writer(out);
    let columns = STATS.into_iter().chain(PERCENTILES.map(|(name, _)| name));
    out.write_record(columns)?;
    for endpoint in &document.endpoints {
        out.write_record(stats_row(&endpoint.method, &endpoint.name, endpoint, document.duration_s))?;
    }
    let all = EndpointFigures {
        requests: document.requests,
        failures: document.failures,
        requests_per_s: document.requests_per_s,
        bytes_in: document.bytes_in,
        response_time_ms: document.total.response_time_ms,
        ..EndpointFigures::default()
    };
    out.write_record(stats_row("", "Aggregated", &all, document.duration_s))?;
    Ok(out.flush()?)
}

fn stats_row(method: &str, name: &str, figures: &EndpointFigures, seconds: f64) -> Vec<String> {
    let latency = &figures.response_time_ms;
    let per_s = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    let mut row = vec![
        plain(method),
        plain(name),
        figures.requests.to_string(),
        figures.failures.to_string(),
        whole(latency.p50),
        decimal(latency.mean),
        decimal(latency.min),
        decimal(latency.max),
        content_size(figures.bytes_in, figures.requests),
        decimal(figures.requests_per_s),
        decimal(per_s(figures.failures)),
    ];
    row.extend(percentiles(figures.requests, |quantile| of(latency, quantile)));
    row
}

/// `PREFIX_stats_history.csv`: a row a second, of all endpoints together.
///
/// # Errors
/// When it cannot be written, or the run's interval log cannot be read.
pub fn history(document: &RunDocument, intervals: &IntervalReader, out: impl Write) -> Result<(), Error> {
    let mut seconds: Vec<Histogram<u64>> = vec![new_histogram(); document.seconds.len()];
    intervals.each(|second, tag, histogram| {
        if let (true, Some(all)) = (tag.ends_with(".response"), seconds.get_mut(second as usize)) {
            // It grows as it must: adding cannot fail.
            let _ = all.add(&histogram);
        }
    })?;
    let started = document.started.parse::<Timestamp>().map_or(0, Timestamp::as_second);
    let mut out = Writer::from_writer(out);
    let columns = HISTORY.into_iter().chain(PERCENTILES.map(|(name, _)| name)).chain(HISTORY_TOTALS);
    out.write_record(columns)?;
    let mut total = new_histogram();
    let (mut requests, mut failures) = (0, 0);
    for (second, histogram) in document.seconds.iter().zip(&seconds) {
        let _ = total.add(histogram);
        requests += second.requests;
        failures += second.failures;
        let mut row = vec![
            (started + i64::from(second.t)).to_string(),
            second.users.to_string(),
            String::new(),
            "Aggregated".to_owned(),
            decimal(second.requests as f64),
            decimal(second.failures as f64),
        ];
        row.extend(percentiles(histogram.len(), |quantile| {
            histogram.value_at_quantile(quantile) as f64 / 1e3
        }));
        let so_far = Latency::of(&total);
        row.extend([
            requests.to_string(),
            failures.to_string(),
            whole(so_far.p50),
            decimal(so_far.mean),
            decimal(so_far.min),
            decimal(so_far.max),
            content_size(document.bytes_in, document.requests),
        ]);
        out.write_record(row)?;
    }
    Ok(out.flush()?)
}

/// `PREFIX_failures.csv`.
///
/// # Errors
/// When it cannot be written.
pub fn failures(document: &RunDocument, out: impl Write) -> Result<(), Error> {
    let mut out = Writer::from_writer(out);
    out.write_record(["Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen"])?;
    let started = document.started.parse::<Timestamp>().unwrap_or(Timestamp::UNIX_EPOCH);
    // Whole seconds in UTC, as Locust has them.
    let at = |seconds: f64| {
        let at = started.as_second() + ((f64::from(started.subsec_millisecond()) / 1e3) + seconds) as i64;
        Timestamp::from_second(at).unwrap_or(started).to_string()
    };
    for row in &document.failure_rows {
        out.write_record([
            plain(&row.method),
            plain(&row.name),
            plain(&row.error),
            row.occurrences.to_string(),
            at(row.first_s),
            at(row.last_s),
        ])?;
    }
    Ok(out.flush()?)
}

/// `PREFIX_exceptions.csv`: of users' code, of which there is none.
///
/// # Errors
/// When it cannot be written.
pub fn exceptions(out: impl Write) -> Result<(), Error> {
    let mut out = Writer::from_writer(out);
    out.write_record(["Count", "Message", "Traceback", "Nodes"])?;
    Ok(out.flush()?)
}

fn percentiles(requests: u64, value: impl Fn(f64) -> f64) -> impl Iterator<Item = String> {
    PERCENTILES.into_iter().map(
        move |(_, quantile)| {
            if requests == 0 { "N/A".to_owned() } else { whole(value(quantile)) }
        },
    )
}

/// The quantile among those that a run keeps.
fn of(latency: &Latency, quantile: f64) -> f64 {
    let kept = [
        (0.5, latency.p50),
        (0.66, latency.p66),
        (0.75, latency.p75),
        (0.8, latency.p80),
        (0.9, latency.p90),
        (0.95, latency.p95),
        (0.98, latency.p98),
        (0.99, latency.p99),
        (0.999, latency.p999),
        (0.9999, latency.p9999),
    ];
    kept.into_iter().find(|(kept, _)| *kept >= quantile).map_or(latency.max, |(_, value)| value)
}

fn whole(ms: f64) -> String {
    format!("{:.0}", ms.round())
}

fn decimal(value: f64) -> String {
    format!("{value:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn content_size(bytes: u64, requests: u64) -> String {
    decimal(if requests == 0 { 0.0 } else { bytes as f64 / requests as f64 })
}

/// A text that a spreadsheet takes for a text: names come from traffic, and `=…` is a formula.
fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Write(error)
    }
}

impl From<csv::Error> for Error {
    fn from(error: csv::Error) -> Self {
        Error::Write(io::Error::other(error))
    }
}
