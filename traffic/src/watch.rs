//! Thresholds that must hold in every stretch of a run: looked at second by second, while it goes on or afterwards.

use std::collections::VecDeque;

use crate::run::Tally;
use crate::threshold::{Metric, Threshold, Window};

/// Whose requests a threshold is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All together.
    All,
    /// Those of one endpoint, by its number.
    Endpoint(u32),
    /// Those of one profile, by its number.
    Profile(u32),
}

/// One of them.
#[derive(Debug)]
pub struct Watch {
    /// Which of the run's thresholds it is.
    pub number: usize,
    scope: Scope,
    threshold: Threshold,
    window: Window,
    /// The last seconds, as many as a window has.
    last: VecDeque<Tally>,
    /// The worst value that a window had, and the second in which it began.
    pub worst: Option<(f64, u32)>,
}

impl Watch {
    /// For a threshold with a window; `None` where it has none.
    pub fn new(number: usize, threshold: &Threshold, scope: Scope) -> Option<Watch> {
        let window = threshold.window?;
        Some(Watch {
            number,
            scope,
            threshold: threshold.clone(),
            window,
            last: VecDeque::new(),
            worst: None,
        })
    }

    /// Whether a request of that endpoint and profile counts.
    pub fn counts(&self, endpoint: u32, profile: u32) -> bool {
        match self.scope {
            Scope::All => true,
            Scope::Endpoint(own) => own == endpoint,
            Scope::Profile(own) => own == profile,
        }
    }

    /// Whose requests it is about.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether connections count.
    pub fn counts_dials(&self) -> bool {
        matches!(self.threshold.metric, Metric::Connect(_) | Metric::Tls(_))
    }

    /// Takes the next second in; what it failed by, where the run is to be ended for that. `planned`: whether requests were still
    /// to begin in it, without which there are the fewer of them.
    pub fn second(&mut self, second: u32, tally: Tally, planned: bool) -> Option<String> {
        if self.last.len() == self.window.seconds as usize {
            self.last.pop_front();
        }
        self.last.push_back(tally);
        let rate = self.threshold.metric == Metric::RequestsPerSecond;
        if self.last.len() < self.window.seconds as usize || rate && !planned {
            return None;
        }
        let mut all = Tally::default();
        for tally in &self.last {
            all.merge(tally);
        }
        let value = self.threshold.metric.value(&all, f64::from(self.window.seconds));
        // Nothing in a while is a rate, too.
        let value = value.or(rate.then_some(0.0))?;
        let from = second + 1 - self.window.seconds;
        let worse = self.worst.is_none_or(|(worst, _)| self.threshold.is_worse(value, worst));
        if worse {
            self.worst = Some((value, from));
        }
        (self.window.abort && !self.threshold.holds(value))
            .then(|| self.threshold.outcome(value, &when(from, self.window)).text)
    }

    /// Where the worst window was, in words.
    pub fn when(&self) -> String {
        self.worst.map_or_else(String::new, |(_, from)| when(from, self.window))
    }
}

fn when(from: u32, window: Window) -> String {
    format!(" from {from}s to {}s", from + window.seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Nanos;
    use crate::run::record;

    fn second(requests: u64, failures: u64, ms: u64) -> Tally {
        let mut tally = Tally { requests, failures, ..Tally::default() };
        for _ in 0..requests {
            record(&mut tally.response, Nanos(ms * 1_000_000));
        }
        tally
    }

    fn watch(expr: &str) -> Watch {
        Watch::new(0, &expr.parse().unwrap(), Scope::All).unwrap()
    }

    #[test]
    fn the_worst_window_is_kept() {
        let mut watch = watch("p50 < 5ms over any 2s");
        for (at, ms) in [1, 2, 9, 9, 3, 1].into_iter().enumerate() {
            assert_eq!(watch.second(at as u32, second(10, 0, ms), true), None);
        }
        let (worst, from) = watch.worst.unwrap();
        assert!((9e6..9.1e6).contains(&worst) && from == 2, "{worst} {from}");
        assert_eq!(watch.when(), " from 2s to 4s");
    }

    #[test]
    fn a_run_is_ended_by_the_first_window_that_fails() {
        let mut watch = watch("failure_rate < 50% abort after 2s");
        assert_eq!(watch.second(0, second(10, 10, 1), true), None);
        assert_eq!(watch.second(1, second(30, 0, 1), true), None);
        assert_eq!(watch.second(2, second(10, 10, 1), true), None);
        let why = watch.second(3, second(10, 10, 1), true).unwrap();
        assert_eq!(why, "failure_rate < 50% abort after 2s: failed, 100% seen from 2s to 4s");
    }

    #[test]
    fn silence_is_a_rate_while_requests_were_to_come() {
        let mut watch = watch("requests_per_s > 1 over any 1s");
        watch.second(0, second(5, 0, 1), true);
        watch.second(1, Tally::default(), false);
        assert_eq!(watch.worst, Some((5.0, 0)));
        watch.second(2, Tally::default(), true);
        assert_eq!(watch.worst, Some((0.0, 2)));
        // Percentiles of nothing are nothing.
        let mut watch = self::watch("p99 < 1s over any 1s");
        watch.second(0, Tally::default(), true);
        assert_eq!(watch.worst, None);
    }
}
