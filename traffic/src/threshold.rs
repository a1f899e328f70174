//! `[endpoint: | profile NAME:] metric op value [over any WINDOW | abort after WINDOW]`: `p99 < 500ms`, `failure_rate < 1%`,
//! `GET /items/{id}: service.p95 <= 200ms`, `p95 < 1s over any 10s`, `failure_rate < 50% abort after 5s`.
//!
//! Metrics: `p50` … `p99.99` (also written `p999`, `p9999`), `mean`, `min`, `max` of the response time, or of the service
//! time behind `service.`, the time to the first byte of the answer (from the actual start) behind `first_byte.`, of making a
//! connection behind `connect.`, of its TLS handshake behind `tls.`, or of the generator's own delay behind `send_lag.`; `failure_rate`, `mismatch_rate`; `requests`,
//! `failures`, `mismatches`; `requests_per_s`. With a window the threshold must hold in every stretch of so many seconds, the
//! worst of which is told; with `abort after` the run is ended by the first in which it does not.
//! Connections and the generator's delay are of the whole target: neither an endpoint's nor a profile's. By profile
//! (`profile checkout: p95 < 1s`) there are response times, rates and counts.
//! A threshold with no data fails: what was not measured was not shown to hold.

use std::fmt;
use std::str::FromStr;

use crate::run::Tally;
use crate::units::{format_duration, parse_duration, split_number};
use crate::{Error, Nanos, nearest};

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Op {
    const ALL: [(&'static str, Op); 4] =
        [("<=", Op::AtMost), (">=", Op::AtLeast), ("<", Op::Less), (">", Op::More)];

    fn holds(self, seen: f64, wanted: f64) -> bool {
        match self {
            Op::Less => seen < wanted,
            Op::AtMost => seen <= wanted,
            Op::More => seen > wanted,
            Op::AtLeast => seen >= wanted,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Op::ALL.iter().find(|(_, op)| op == self).map_or("?", |(text, _)| text);
        f.write_str(text)
    }
}

/// A figure of a latency distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// This quantile, from 0 to 1.
    Quantile(f64),
    /// Arithmetic mean.
    Mean,
    /// Smallest.
    Min,
    /// Largest.
    Max,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// Of response times; nanoseconds.
    Response(Figure),
    /// Of service times; nanoseconds.
    Service(Figure),
    /// Of the time from the actual start to the answer's first byte; nanoseconds.
    FirstByte(Figure),
    /// Of how long connections took to be made; nanoseconds.
    Connect(Figure),
    /// Of how long TLS handshakes took; nanoseconds.
    Tls(Figure),
    /// Of the generator's own delay before it sent; nanoseconds. Of the whole run only.
    SendLag(Figure),
    /// Failed requests by all requests, 0 to 1.
    FailureRate,
    /// Answers unlike the recorded ones by all requests, 0 to 1.
    MismatchRate,
    /// Requests by second.
    RequestsPerSecond,
    /// Count of requests.
    Requests,
    /// Count of failed requests.
    Failures,
    /// Count of answers unlike the recorded ones.
    Mismatches,
}

const NAMES: [&str; 16] = [
    "p50",
    "p95",
    "p99",
    "p99.9",
    "mean",
    "min",
    "max",
    "first_byte.p95",
    "connect.p99",
    "tls.p99",
    "failure_rate",
    "mismatch_rate",
    "requests_per_s",
    "requests",
    "failures",
    "mismatches",
];

impl Metric {
    fn parse(text: &str) -> Option<Metric> {
        Some(match text {
            "failure_rate" => Metric::FailureRate,
            "mismatch_rate" => Metric::MismatchRate,
            "requests_per_s" | "rps" => Metric::RequestsPerSecond,
            "requests" => Metric::Requests,
            "failures" => Metric::Failures,
            "mismatches" => Metric::Mismatches,
            other => match other.split_once('.') {
                Some(("service", figure)) => Metric::Service(parse_figure(figure)?),
                Some(("first_byte", figure)) => Metric::FirstByte(parse_figure(figure)?),
                Some(("connect", figure)) => Metric::Connect(parse_figure(figure)?),
                Some(("tls", figure)) => Metric::Tls(parse_figure(figure)?),
                Some(("send_lag", figure)) => Metric::SendLag(parse_figure(figure)?),
                // p99.9 has a point, too.
                _ => Metric::Response(parse_figure(other)?),
            },
        })
    }

    /// The metric's value; `None` where nothing was measured. `seconds`: how long was measured.
    pub fn value(self, tally: &Tally, seconds: f64) -> Option<f64> {
        let share = |count: u64| (tally.requests > 0).then(|| count as f64 / tally.requests as f64);
        match self {
            Metric::Response(figure) => figure.of(&tally.response),
            Metric::Service(figure) => figure.of(&tally.service),
            Metric::FirstByte(figure) => figure.of(&tally.first_byte),
            Metric::Connect(figure) => figure.of(tally.connect.as_deref()?),
            Metric::Tls(figure) => figure.of(tally.tls.as_deref()?),
            // A tally does not hold it.
            Metric::SendLag(_) => None,
            Metric::FailureRate => share(tally.failures),
            Metric::MismatchRate => share(tally.mismatches),
            Metric::RequestsPerSecond => {
                (seconds > 0.0 && tally.requests > 0).then(|| tally.requests as f64 / seconds)
            }
            Metric::Requests => Some(tally.requests as f64),
            Metric::Failures => (tally.requests > 0).then_some(tally.failures as f64),
            Metric::Mismatches => (tally.requests > 0).then_some(tally.mismatches as f64),
        }
    }

    /// Whether it is a time.
    fn is_time(self) -> bool {
        matches!(
            self,
            Metric::Response(_)
                | Metric::Service(_)
                | Metric::FirstByte(_)
                | Metric::Connect(_)
                | Metric::Tls(_)
                | Metric::SendLag(_)
        )
    }

    /// Why it cannot be asked of an endpoint, a profile or a window, where it cannot.
    fn refuses(self, endpoint: bool, profile: bool, window: bool) -> Option<&'static str> {
        match self {
            Metric::SendLag(_) if endpoint || profile || window => Some(
                "send_lag is the generator's, of the whole run: neither an endpoint's, a profile's nor a window's",
            ),
            Metric::Connect(_) | Metric::Tls(_) if endpoint || profile => {
                Some("connections are counted all together: neither an endpoint's nor a profile's")
            }
            Metric::Service(_) | Metric::FirstByte(_) if profile => {
                Some("by profile there are response times (p95, mean, …), rates and counts")
            }
            _ => None,
        }
    }

    /// A value of this metric as a person reads it.
    pub fn format(self, value: f64) -> String {
        match self {
            _ if self.is_time() => format_duration(Nanos(value.max(0.0) as u64)),
            Metric::FailureRate | Metric::MismatchRate => format!("{}%", (value * 1e6).round() / 1e4),
            Metric::RequestsPerSecond => format!("{}/s", (value * 100.0).round() / 100.0),
            _ => format!("{value}"),
        }
    }

    fn parse_value(self, text: &str) -> Option<f64> {
        let text = text.trim();
        match self {
            _ if self.is_time() => parse_duration(text).ok().map(|span| span.0 as f64),
            Metric::FailureRate | Metric::MismatchRate => match split_number(text)? {
                (number, "%") => Some(number / 100.0),
                (number, "") if number <= 1.0 => Some(number),
                _ => None,
            },
            Metric::RequestsPerSecond => match split_number(text)? {
                (number, "" | "/s") => Some(number),
                _ => None,
            },
            _ => match split_number(text)? {
                (number, "") => Some(number),
                _ => None,
            },
        }
    }

    fn value_example(self) -> &'static str {
        match self {
            _ if self.is_time() => "a duration such as 500ms",
            Metric::FailureRate | Metric::MismatchRate => "a share such as 1% or 0.01",
            Metric::RequestsPerSecond => "a rate such as 100/s",
            _ => "a number",
        }
    }
}

impl Figure {
    /// Of a histogram of microseconds, in nanoseconds; `None` where nothing was measured.
    pub fn of(self, histogram: &hdrhistogram::Histogram<u64>) -> Option<f64> {
        (!histogram.is_empty()).then(|| match self {
            Figure::Quantile(q) => histogram.value_at_quantile(q) as f64 * 1e3,
            Figure::Mean => histogram.mean() * 1e3,
            Figure::Min => histogram.min() as f64 * 1e3,
            Figure::Max => histogram.max() as f64 * 1e3,
        })
    }
}

fn parse_figure(text: &str) -> Option<Figure> {
    match text {
        "mean" | "avg" => return Some(Figure::Mean),
        "min" => return Some(Figure::Min),
        "max" => return Some(Figure::Max),
        "median" | "med" => return Some(Figure::Quantile(0.5)),
        _ => {}
    }
    let digits = text.strip_prefix('p')?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let percent: f64 = match digits {
        "100" => 100.0,
        // p999 is the field's way to write p99.9.
        _ if digits.len() > 2 && digits.starts_with("99") && !digits.contains('.') => {
            format!("{}.{}", &digits[..2], &digits[2..]).parse().ok()?
        }
        _ => digits.parse().ok()?,
    };
    (0.0..=100.0).contains(&percent).then_some(Figure::Quantile(percent / 100.0))
}

/// A threshold as written and as understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// As the user wrote it.
    pub expr: String,
    /// The endpoint it is about, as named in the tables; `None`: all together.
    pub endpoint: Option<String>,
    /// The profile whose requests it is about, rather than an endpoint's; `None`: all.
    pub profile: Option<String>,
    /// What is compared.
    pub metric: Metric,
    /// How.
    pub op: Op,
    /// With what, in the metric's unit.
    pub wanted: f64,
    /// In every stretch of that length, rather than over the whole run.
    pub window: Option<Window>,
}

/// A stretch of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its length.
    pub seconds: u32,
    /// Whether the run is ended when the threshold does not hold in one.
    pub abort: bool,
}

/// Nobody watches for longer, and each second of a window is kept.
const LONGEST_WINDOW: u32 = 3600;

/// What became of a threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// As the user wrote it.
    pub expr: String,
    /// Whether it held.
    pub ok: bool,
    /// What was measured, in nanoseconds, shares, counts or rates; `None`: nothing was.
    pub value: Option<f64>,
    /// The whole in words: `p99 < 1us: 1.2ms seen`.
    pub text: String,
}

impl FromStr for Threshold {
    type Err = Error;

    fn from_str(expr: &str) -> Result<Self, Error> {
        let wrong = |message: String| Error::syntax("threshold", expr, message);
        // An endpoint can hold ':' (a port): the metric stands behind ": ", and ops stand behind that.
        let (scope, rest) = match expr.rsplit_once(": ") {
            Some((scope, rest)) => (Some(scope.trim()), rest),
            None => (None, expr),
        };
        let profile =
            scope.and_then(|scope| scope.strip_prefix("profile ")).map(|name| name.trim().to_owned());
        let endpoint = scope.filter(|_| profile.is_none()).map(str::to_owned);
        let (at, symbol, op) = Op::ALL
            .iter()
            .filter_map(|(symbol, op)| rest.find(symbol).map(|at| (at, *symbol, *op)))
            .min_by_key(|(at, symbol, _)| (*at, std::cmp::Reverse(symbol.len())))
            .ok_or_else(|| {
                wrong("expected a comparison with <, <=, > or >=, such as 'p99 < 500ms'".to_owned())
            })?;
        let name = rest[..at].trim();
        let metric = Metric::parse(name).ok_or_else(|| {
            let hint = nearest(name, NAMES).map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
            wrong(format!("unknown metric '{name}'{hint} (there are pNN, mean, min, max, each also behind 'service.', 'first_byte.', 'connect.', 'tls.' and 'send_lag.', failure_rate, mismatch_rate, requests_per_s, requests, failures, mismatches)"))
        })?;
        let value = rest[at + symbol.len()..].trim();
        let (value, window) = match parse_window(value) {
            Ok(parts) => parts,
            Err(message) => return Err(wrong(message)),
        };
        if let Some(why) = metric.refuses(endpoint.is_some(), profile.is_some(), window.is_some()) {
            return Err(wrong(why.to_owned()));
        }
        let wanted = metric.parse_value(value).ok_or_else(|| {
            wrong(format!("'{value}' cannot be compared with {name}; expected {}", metric.value_example()))
        })?;
        Ok(Threshold { expr: expr.trim().to_owned(), endpoint, profile, metric, op, wanted, window })
    }
}

/// The value, and the window that stands behind it.
fn parse_window(text: &str) -> Result<(&str, Option<Window>), String> {
    for (words, abort) in [(" over any ", false), (" abort after ", true)] {
        if let Some((value, length)) = text.split_once(words) {
            let span = parse_duration(length.trim()).map_err(|error| error.to_string())?;
            let seconds = (span.0 / Nanos::PER_SECOND) as u32;
            if !span.0.is_multiple_of(Nanos::PER_SECOND) || !(1..=LONGEST_WINDOW).contains(&seconds) {
                return Err(format!("'{}': a window has whole seconds, from 1s to 1h", length.trim()));
            }
            return Ok((value.trim(), Some(Window { seconds, abort })));
        }
    }
    Ok((text, None))
}

impl Threshold {
    /// Whether a value of the metric is right.
    pub fn holds(&self, value: f64) -> bool {
        self.op.holds(value, self.wanted)
    }

    /// Whether the first of two values is the worse.
    pub fn is_worse(&self, one: f64, other: f64) -> bool {
        match self.op {
            Op::Less | Op::AtMost => one > other,
            Op::More | Op::AtLeast => one < other,
        }
    }

    /// Whether time in which nothing is sent makes it fail: a rate, or a count within a window.
    pub fn counts_time(&self) -> bool {
        self.metric == Metric::RequestsPerSecond || self.metric == Metric::Requests && self.window.is_some()
    }

    /// What became of it, where the value is known: the worst of all windows, say. `when` is told behind it.
    pub fn outcome(&self, value: f64, when: &str) -> Outcome {
        let ok = self.holds(value);
        let relation = if ok { "holds" } else { "failed" };
        let text = format!("{}: {relation}, {} seen{when}", self.expr, self.metric.format(value));
        Outcome { expr: self.expr.clone(), ok, value: Some(value), text }
    }

    /// Evaluates against the tally it is about (`None`: there is no such endpoint, or profile). `names`: those that there are.
    pub fn evaluate(&self, tally: Option<&Tally>, seconds: f64, names: &[&str]) -> Outcome {
        let value = tally.and_then(|tally| self.metric.value(tally, seconds));
        if let Some(value) = value {
            return self.outcome(value, "");
        }
        let hint = |name: &str| {
            let meant = nearest(name, names.iter().copied().filter(|known| *known != name));
            meant.map(|meant| format!("; the nearest is '{meant}'")).unwrap_or_default()
        };
        let text = match (tally, &self.endpoint, &self.profile) {
            (None, Some(endpoint), _) => {
                format!(
                    "{}: failed, no request went to an endpoint '{endpoint}'{}",
                    self.expr,
                    hint(endpoint)
                )
            }
            (None, None, Some(profile)) => {
                format!("{}: failed, there is no profile '{profile}'{}", self.expr, hint(profile))
            }
            _ => format!("{}: failed, nothing was measured", self.expr),
        };
        Outcome { expr: self.expr.clone(), ok: false, value: None, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::record;

    fn tally() -> Tally {
        let mut tally = Tally::default();
        for ms in 1..=100 {
            tally.requests += 1;
            tally.response.record(ms * 1000).unwrap();
            tally.service.record(ms * 100).unwrap();
        }
        tally.failures = 2;
        tally
    }

    fn check(expr: &str) -> Outcome {
        expr.parse::<Threshold>().unwrap().evaluate(Some(&tally()), 10.0, &[])
    }

    #[test]
    fn holds_or_fails() {
        for expr in [
            "p99 < 100ms",
            "p50<=51ms",
            "max < 101ms",
            "p999 < 101ms",
            "service.p99 < 10ms",
            "failure_rate <= 2%",
            "failure_rate < 0.03",
            "requests_per_s >= 10",
            "requests > 99",
            "mean < 51ms",
            "mismatch_rate < 0.1%",
        ] {
            assert!(check(expr).ok, "{expr}: {}", check(expr).text);
        }
        for expr in ["p99 < 1us", "failure_rate < 2%", "min > 1s", "requests_per_s > 10/s"] {
            assert!(!check(expr).ok, "{expr}");
        }
        assert_eq!(check("p99 < 1us").text, "p99 < 1us: failed, 99ms seen");
    }

    #[test]
    fn no_data_fails() {
        let threshold: Threshold = "p99 < 1h".parse().unwrap();
        assert!(!threshold.evaluate(Some(&Tally::default()), 10.0, &[]).ok);
        let threshold: Threshold = "GET /itemz: p99 < 1h".parse().unwrap();
        let outcome = threshold.evaluate(None, 10.0, &["GET /items", "POST /login"]);
        assert_eq!(
            outcome.text,
            "GET /itemz: p99 < 1h: failed, no request went to an endpoint 'GET /itemz'; the nearest is 'GET /items'"
        );
    }

    #[test]
    fn first_bytes_connections_and_profiles() {
        let mut tally = tally();
        for ms in 1..=20 {
            record(&mut tally.first_byte, Nanos(ms * 1_000_000));
            tally.dialled(Nanos(ms * 2_000_000), (ms > 10).then_some(Nanos(ms * 3_000_000)));
        }
        let check = |expr: &str| expr.parse::<Threshold>().unwrap().evaluate(Some(&tally), 10.0, &[]).text;
        assert_eq!(check("first_byte.p95 < 100ms"), "first_byte.p95 < 100ms: holds, 19ms seen");
        assert_eq!(check("connect.max < 39ms"), "connect.max < 39ms: failed, 40ms seen");
        assert_eq!(check("tls.min >= 30ms over any 10s"), "tls.min >= 30ms over any 10s: holds, 33ms seen");
        let none = "tls.p99 < 1s".parse::<Threshold>().unwrap().evaluate(Some(&Tally::default()), 1.0, &[]);
        assert_eq!((none.ok, none.text.as_str()), (false, "tls.p99 < 1s: failed, nothing was measured"));
        let profile: Threshold = "profile check out: p95 < 1s abort after 5s".parse().unwrap();
        assert_eq!((profile.profile.as_deref(), profile.endpoint.as_deref()), (Some("check out"), None));
        assert_eq!(
            profile.evaluate(None, 1.0, &["browse", "checkout"]).text,
            "profile check out: p95 < 1s abort after 5s: failed, there is no profile 'check out'; the nearest is 'checkout'"
        );
    }

    #[test]
    fn windows() {
        let window = |expr: &str| expr.parse::<Threshold>().unwrap().window;
        assert_eq!(window("p99 < 1s"), None);
        assert_eq!(window("p99 < 1s over any 10s"), Some(Window { seconds: 10, abort: false }));
        assert_eq!(
            window("GET /x: failure_rate < 50% abort after 1m"),
            Some(Window { seconds: 60, abort: true })
        );
        let threshold: Threshold = "requests_per_s >= 5 over any 2s".parse().unwrap();
        assert!(threshold.is_worse(4.0, 6.0) && !threshold.holds(4.0));
        assert_eq!(
            threshold.outcome(4.0, ", from 3s").text,
            "requests_per_s >= 5 over any 2s: failed, 4/s seen, from 3s"
        );
    }

    #[test]
    fn endpoints_with_a_port() {
        let threshold: Threshold = "GET a:8080/x/{id}: p95 < 2s".parse().unwrap();
        assert_eq!(threshold.endpoint.as_deref(), Some("GET a:8080/x/{id}"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (expr, part) in [
            ("p99", "expected a comparison"),
            ("p99 < 5", "a duration such as 500ms"),
            ("failurerate < 1%", "did you mean 'failure_rate'?"),
            ("p101 < 5ms", "unknown metric"),
            ("failure_rate < 5ms", "a share"),
            ("p99 < 1s over any 10ms", "whole seconds"),
            ("p99 < 1s over any moment", "moment"),
            ("p99 < 1s abort after 2h", "from 1s to 1h"),
            ("GET /: send_lag.p99 < 1ms", "of the whole run"),
            ("profile a: send_lag.p99 < 1ms", "of the whole run"),
            ("GET /: connect.p99 < 1ms", "all together"),
            ("profile a: tls.p99 < 1ms", "all together"),
            ("profile a: service.p99 < 1ms", "response times"),
            ("first_bite.p95 < 1ms", "did you mean 'first_byte.p95'?"),
            ("connect.p101 < 1ms", "unknown metric"),
        ] {
            let error = expr.parse::<Threshold>().unwrap_err().to_string();
            assert!(error.contains(part), "{expr}: {error}");
        }
    }
}
