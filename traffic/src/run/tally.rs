//! Counts and latency distributions of one endpoint, one profile, or all.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::Nanos;

/// A histogram of microseconds with three significant digits, that grows as it must (up to 2^63): 16 KB up to 2 ms, 41 KB up to
/// 16 ms, 90 KB up to a second, 139 KB up to a minute. There are three an endpoint, so that a thousand endpoints take 120 MB where
/// answers come within 16 ms and 270 MB where they take a second; and one a profile.
pub fn new_histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 2_000, 3).unwrap_or_else(|_| unreachable_histogram());
    histogram.auto(true);
    histogram
}

/// The bounds above are constants that are accepted; this keeps the signature free of a `Result` nobody can act on.
fn unreachable_histogram() -> Histogram<u64> {
    unreachable!("1 µs to 2 ms at 3 digits is a valid histogram")
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
    /// Actual start → first byte of the answer, in microseconds; of requests that were answered.
    pub first_byte: Histogram<u64>,
    /// Of all requests together: how long connections took to be made, in microseconds.
    pub connect: Option<Box<Histogram<u64>>>,
    /// Of all requests together: how long their TLS handshakes took, in microseconds.
    pub tls: Option<Box<Histogram<u64>>>,
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
            first_byte: new_histogram(),
            connect: None,
            tls: None,
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
        let _ = self.first_byte.add(&other.first_byte);
        for (own, more) in [(&mut self.connect, &other.connect), (&mut self.tls, &other.tls)] {
            if let Some(more) = more {
                let _ = own.get_or_insert_with(|| Box::new(new_histogram())).add(&**more);
            }
        }
    }

    /// Counts a connection that was made.
    pub fn dialled(&mut self, connect: Nanos, tls: Option<Nanos>) {
        record(self.connect.get_or_insert_with(|| Box::new(new_histogram())), connect);
        if let Some(tls) = tls {
            record(self.tls.get_or_insert_with(|| Box::new(new_histogram())), tls);
        }
    }
}
