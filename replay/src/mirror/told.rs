//! What is counted of a mirror besides what is counted of every run.

use std::collections::HashMap;

use hdrhistogram::Histogram;
use mynah_traffic::run::{Dropped, Latency, MirrorFigures, StatusDifference, new_histogram, record};
use mynah_traffic::{Endpoint, Nanos};

/// Differences that are told apart: endpoint, production's status and the target's.
const DIFFERENCES: usize = 2_000;

/// Counts as they come in.
#[derive(Debug)]
pub(super) struct Told {
    /// Requests that were begun to be sent.
    pub(super) sent: u64,
    pub(super) dropped: Dropped,
    /// Of those that found no room, how many did not in their session's queue.
    pub(super) session_full: u64,
    pub(super) differ: u64,
    compared: u64,
    lag: Histogram<u64>,
    own_lag: Histogram<u64>,
    differences: HashMap<(u32, u16, u16), u64>,
}

impl Default for Told {
    fn default() -> Self {
        Told {
            sent: 0,
            dropped: Dropped::default(),
            session_full: 0,
            differ: 0,
            compared: 0,
            lag: new_histogram(),
            own_lag: new_histogram(),
            differences: HashMap::new(),
        }
    }
}

impl Told {
    /// A request's first byte was sent so long after it was captured, and so long after it could have been.
    pub(super) fn lagged(&mut self, lag: Nanos, own: Nanos) {
        record(&mut self.lag, lag);
        record(&mut self.own_lag, own);
    }

    /// The target's status beside production's.
    pub(super) fn compare(&mut self, endpoint: u32, recorded: u16, got: u16) {
        self.compared += 1;
        if recorded == got {
            return;
        }
        self.differ += 1;
        let key = (endpoint, recorded, got);
        if self.differences.len() < DIFFERENCES || self.differences.contains_key(&key) {
            *self.differences.entry(key).or_default() += 1;
        }
    }

    /// A quantile of the lag, ms.
    pub(super) fn lag_ms(&self, quantile: f64) -> f64 {
        if self.lag.is_empty() { 0.0 } else { self.lag.value_at_quantile(quantile) as f64 / 1e3 }
    }

    /// What the document has of it; the rest is the caller's.
    pub(super) fn figures(&self, endpoints: &[Endpoint]) -> MirrorFigures {
        let mut differences: Vec<StatusDifference> = self
            .differences
            .iter()
            .map(|(&(endpoint, recorded, got), &count)| {
                let endpoint = endpoints.get(endpoint as usize).map(ToString::to_string).unwrap_or_default();
                StatusDifference { endpoint, recorded, got, count }
            })
            .collect();
        differences.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cmp(b)));
        MirrorFigures {
            sent: self.sent,
            lag_ms: Latency::of(&self.lag),
            own_lag_ms: Latency::of(&self.own_lag),
            compared: self.compared,
            differ: self.differ,
            differences,
            ..MirrorFigures::default()
        }
    }
}
