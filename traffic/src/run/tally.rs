//! Counts and latency distributions of one endpoint, one profile, or all.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::Nanos;

/// A histogram of microseconds with three significant digits, that grows as it must (up to 2^63): a full 1 µs–1 h one
/// takes 184 KB, and there are two an endpoint.
pub fn new_histogram() -> Histogram<u64> {
    let mut histogram =
        Histogram::new_with_bounds(1, 1_000_000, 3).unwrap_or_else(|_| unreachable_histogram());
    histogram.auto(true);
    histogram
}

/// The bounds above are constants that are accepted; this keeps the signature free of a `Result` nobody can act on.
fn unreachable_histogram() -> Histogram<u64> {
    unreachable!("1 µs to 1 s at 3 digits is a valid histogram")
}

/// Records a span, rounded up to a whole microsecond so that nothing is ever counted as faster than it was.
pub fn record(histogram: &mut Histogram<u64>, span: Nanos) {
    let micros = span.0.div_ceil(1000).max(1);
    // `saturating_record` would clamp instead of growing, which is the one thing a maximum must not do.
    if histogram.record(micros).is_err() {
        histogram.saturating_record(micros);
    }
}

/// What was counted.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Requests that ended: answered or failed.
    pub requests: u64,
    /// Requests without an answer, or answered with another status class than recorded.
    pub failures: u64,
    /// Answers with the right status and another shape than recorded.
    pub mismatches: u64,
    /// Bytes received, heads included.
    pub bytes_in: u64,
    /// Bytes sent, heads included.
    pub bytes_out: u64,
    /// Answers by status code.
    pub status: BTreeMap<u16, u64>,
    /// Response times (intended start → last byte), in microseconds. Failed requests that were answered are in it, and with
    /// the time they waited those that never were (a timeout); not those that could not be sent or were cut off at once.
    pub response: Histogram<u64>,
    /// Service times (actual start → last byte), in microseconds.
    pub service: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Tally {
            requests: 0,
            failures: 0,
            mismatches: 0,
            bytes_in: 0,
            bytes_out: 0,
            status: BTreeMap::new(),
            response: new_histogram(),
            service: new_histogram(),
        }
    }
}

impl Tally {
    /// Adds another tally; exact.
    pub fn merge(&mut self, other: &Tally) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.mismatches += other.mismatches;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        for (status, count) in &other.status {
            *self.status.entry(*status).or_default() += count;
        }
        // Both grow as they must: adding cannot fail.
        let _ = self.response.add(&other.response);
        let _ = self.service.add(&other.service);
    }
}
