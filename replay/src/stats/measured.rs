//! A run of which only a part is counted: what warms the target up is not, and what is still under way at the end is cut off.
//!
//! What is counted is decided by when a request was to start, never by when it ended: the requests that a slow target still owes
//! at the end are the slowest of all.

use mynah_traffic::Nanos;
use mynah_traffic::run::Measured;

use super::Sample;

/// The part of a run that is counted; nanoseconds from its start.
#[derive(Clone, Debug)]
pub(crate) struct Measuring {
    pub(crate) from: u64,
    until: u64,
    /// Requests that the timetable has in it.
    due: u64,
    ended: u64,
    /// By third of that part: how many requests were to start in it, and their response times' sum.
    thirds: [(u64, f64); 3],
}

impl Measuring {
    /// `due`: requests that would start in that part if the target answered each at once.
    pub(crate) fn new(from: Nanos, until: Nanos, due: u64) -> Measuring {
        Measuring { from: from.0, until: until.0, due, ended: 0, thirds: [(0, 0.0); 3] }
    }

    /// Takes note of a request; whether it is counted.
    pub(crate) fn takes(&mut self, sample: &Sample) -> bool {
        self.ended += u64::from((self.from..self.until).contains(&sample.end));
        let intended = sample.end.saturating_sub(sample.response);
        if intended < self.from {
            return false;
        }
        if sample.status != 0 || sample.waited {
            let length = self.until.saturating_sub(self.from).max(1);
            let third = (intended - self.from).saturating_mul(3) / length;
            if let Some((count, sum)) = self.thirds.get_mut(third as usize) {
                *count += 1;
                *sum += sample.response as f64;
            }
        }
        true
    }

    /// As it stands in `run.json`.
    pub(crate) fn figures(&self) -> Measured {
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        Measured {
            from_s: seconds(self.from),
            until_s: seconds(self.until),
            due: self.due,
            ended: self.ended,
            thirds_ms: self.thirds.map(|(count, sum)| {
                if count == 0 { 0.0 } else { (sum / count as f64 / 1e3).round() / 1e3 }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(intended_ms: u64, took_ms: u64) -> Sample {
        let end = (intended_ms + took_ms) * 1_000_000;
        Sample { end, response: took_ms * 1_000_000, status: 200, ..Sample::default() }
    }

    #[test]
    fn what_counts_is_when_it_was_to_start() {
        let second = |n: u64| Nanos(n * Nanos::PER_SECOND);
        let mut part = Measuring::new(second(1), second(4), 4);
        // Before; before, but ended within; the three thirds, the last of which ended when all was over.
        let taken = [(100, 10), (900, 200), (1000, 10), (2500, 20), (3900, 300), (3999, 500)]
            .map(|(at, took)| part.takes(&sample(at, took)));
        assert_eq!(taken, [false, false, true, true, true, true]);
        let figures = part.figures();
        assert_eq!((figures.due, figures.ended), (4, 3));
        assert_eq!(figures.thirds_ms, [10.0, 20.0, 400.0]);
        // One that could not be sent has no time.
        part.takes(&Sample { end: 1_500_000_000, ..Sample::default() });
        assert_eq!((part.figures().ended, part.figures().thirds_ms), (4, [10.0, 20.0, 400.0]));
    }
}
