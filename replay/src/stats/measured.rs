//! A run of which only a part is counted: what warms the target up is not, and what is still under way at the end is cut off.
//!
//! What is counted is decided by when a request was to start, never by when it ended: the requests that a slow target still owes
//! at the end are the slowest of all. Beside it goes a balance: what the timetable asked for by some moment, less what had ended
//! by then.

use mynah_traffic::Nanos;
use mynah_traffic::run::Measured;

use super::Sample;

/// Moments at which the balance is struck, evenly over the part that is counted.
const MOMENTS: usize = 60;

/// The part of a run that is counted; nanoseconds from its start.
#[derive(Clone, Debug)]
pub(crate) struct Measuring {
    pub(crate) from: u64,
    until: u64,
    /// Requests that the timetable has: before that part, and up to each moment in it since the one before.
    due: Vec<u64>,
    /// The same of requests that ended.
    ended: Vec<u64>,
    /// By third of that part: how many requests were to start in it, and their response times' sum.
    thirds: [(u64, f64); 3],
}

impl Measuring {
    pub(crate) fn new(from: Nanos, until: Nanos) -> Measuring {
        let counts = vec![0; MOMENTS + 1];
        Measuring { from: from.0, until: until.0, due: counts.clone(), ended: counts, thirds: [(0, 0.0); 3] }
    }

    /// Which of so many equal parts a moment lies in; `None` behind the last.
    fn part(&self, moment: u64, parts: u64) -> Option<usize> {
        let length = u128::from(self.until.saturating_sub(self.from).max(1));
        let part = u128::from(moment.checked_sub(self.from)?) * u128::from(parts) / length;
        (part < u128::from(parts)).then_some(part as usize)
    }

    fn slot(&self, moment: u64) -> Option<usize> {
        if moment < self.from { Some(0) } else { self.part(moment, MOMENTS as u64).map(|part| part + 1) }
    }

    /// The timetable has a request that would start then if the target answered each at once.
    pub(crate) fn asks(&mut self, moment: u64) {
        if let Some(count) = self.slot(moment).and_then(|slot| self.due.get_mut(slot)) {
            *count += 1;
        }
    }

    /// Takes note of a request; whether it is counted.
    pub(crate) fn takes(&mut self, sample: &Sample) -> bool {
        if let Some(count) = self.slot(sample.end).and_then(|slot| self.ended.get_mut(slot)) {
            *count += 1;
        }
        let intended = sample.end.saturating_sub(sample.response);
        if intended < self.from {
            return false;
        }
        if (sample.status != 0 || sample.waited)
            && let Some((count, sum)) = self.part(intended, 3).and_then(|third| self.thirds.get_mut(third))
        {
            *count += 1;
            *sum += sample.response as f64;
        }
        true
    }

    /// As it stands in `run.json`.
    pub(crate) fn figures(&self) -> Measured {
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        let mut waiting = [u64::MAX; 3];
        let (mut due, mut ended) = (0_u64, 0_u64);
        for (at, (asked, done)) in self.due.iter().zip(&self.ended).enumerate() {
            due += asked;
            ended += done;
            let third = at.checked_sub(1).and_then(|at| waiting.get_mut(at * 3 / MOMENTS));
            if let Some(least) = third {
                *least = due.saturating_sub(ended).min(*least);
            }
        }
        Measured {
            from_s: seconds(self.from),
            until_s: seconds(self.until),
            due: self.due.iter().skip(1).sum(),
            ended: self.ended.iter().skip(1).sum(),
            waiting,
            thirds_ms: self
                .thirds
                .map(|(count, sum)| if count == 0 { 0.0 } else { (sum / count as f64 / 1e3).round() / 1e3 }),
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

    fn second(n: u64) -> Nanos {
        Nanos(n * Nanos::PER_SECOND)
    }

    #[test]
    fn what_counts_is_when_it_was_to_start() {
        let mut part = Measuring::new(second(1), second(4));
        // Before; before, but ended within; the three thirds, the last of which ended when all was over.
        let taken = [(100, 10), (900, 200), (1000, 10), (2500, 20), (3900, 300), (3999, 500)]
            .map(|(at, took)| part.takes(&sample(at, took)));
        assert_eq!(taken, [false, false, true, true, true, true]);
        let figures = part.figures();
        assert_eq!((figures.ended, figures.thirds_ms), (3, [10.0, 20.0, 400.0]));
        // One that could not be sent has no time.
        part.takes(&Sample { end: 1_500_000_000, ..Sample::default() });
        assert_eq!((part.figures().ended, part.figures().thirds_ms), (4, [10.0, 20.0, 400.0]));
    }

    #[test]
    fn the_balance_is_struck_through_the_step() {
        // A hundred a second are asked for; the target does them in time, or eighty a second.
        let balance = |rate: u64| {
            let mut part = Measuring::new(second(1), second(4));
            for n in 0..400 {
                let at = n * 10;
                part.asks(at * 1_000_000);
                part.takes(&sample(at, (n * 1000 / rate + 1).saturating_sub(at).max(1)));
            }
            part.figures()
        };
        let kept_up = balance(100);
        assert_eq!((kept_up.due, kept_up.ended, kept_up.waiting), (300, 300, [0, 0, 0]));
        let behind = balance(80);
        assert_eq!((behind.due, behind.ended), (300, 240));
        // At the start of each third twenty, forty and sixty seconds' hundredths are owed: some one to twenty more by its end.
        let [first, middle, last] = behind.waiting;
        assert!(
            (20..=24).contains(&first) && (40..=44).contains(&middle) && (60..=64).contains(&last),
            "{behind:?}"
        );
    }
}
