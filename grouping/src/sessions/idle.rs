//! The idle timeout, found from the pauses.
//!
//! Pauses within a visit are short, pauses between two visits of one client long, and between the two there is a valley. On
//! a logarithmic axis (eight bins an octave, 30 s to 24 h) the emptiest stretch of an octave between 2 min and 8 h is
//! looked for; of several the widest run of equally empty ones counts, and the timeout is its middle. It is accepted only
//! where a second hill stands behind it: ten pauses or more that are longer, and an octave at least four times as
//! full. Otherwise it is 30 minutes, as web statistics have it.

use std::fmt;

use mynah_traffic::Nanos;
use mynah_traffic::units::format_duration;

/// Where the pauses do not show one.
pub(crate) const DEFAULT: Nanos = Nanos(30 * 60 * Nanos::PER_SECOND);

const BINS_AN_OCTAVE: usize = 8;
const SHORTEST_S: f64 = 30.0;
const LONGEST_S: f64 = 24.0 * 3600.0;
/// A timeout is looked for between these.
const LEAST_S: f64 = 120.0;
const MOST_S: f64 = 8.0 * 3600.0;
/// Longer pauses than the timeout that there must be.
const LONGER: u64 = 10;
/// How much fuller than the valley the hill behind it must be.
const HILL: u64 = 4;

/// A pause that ends a session, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleTimeout {
    /// A longer pause ends a session.
    pub timeout: Nanos,
    /// What it rests on.
    pub from: IdleSource,
}

/// What an idle timeout rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleSource {
    /// The user said so.
    Given,
    /// The pauses show it.
    Fitted {
        /// Pauses up to it.
        shorter: u64,
        /// Pauses beyond it.
        longer: u64,
        /// Of all, those within half an octave of it.
        near: u64,
    },
    /// The pauses do not show one.
    Default {
        /// How many there are.
        pauses: u64,
    },
}

impl Default for IdleTimeout {
    fn default() -> Self {
        IdleTimeout { timeout: DEFAULT, from: IdleSource::Default { pauses: 0 } }
    }
}

impl fmt::Display for IdleTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timeout = format_duration(self.timeout);
        match self.from {
            IdleSource::Given => write!(f, "{timeout}, as given"),
            IdleSource::Fitted { shorter, longer, near } => write!(
                f,
                "{timeout}, the valley of the pauses: {shorter} are shorter, {longer} longer, {near} within half an octave of it"
            ),
            IdleSource::Default { pauses } => {
                write!(f, "{timeout}, the default: {pauses} pauses show no valley between visits")
            }
        }
    }
}

/// Finds the timeout; `pauses` are those between consecutive exchanges of each client.
pub(crate) fn fit(pauses: impl Iterator<Item = Nanos>) -> IdleTimeout {
    let bin = |seconds: f64| ((seconds / SHORTEST_S).log2() * BINS_AN_OCTAVE as f64) as usize;
    let mut bins = vec![0_u64; bin(LONGEST_S) + 1];
    let (mut all, mut beyond) = (0, 0);
    for pause in pauses {
        all += 1;
        let seconds = pause.as_secs_f64();
        if seconds > LONGEST_S {
            beyond += 1;
        } else if seconds >= SHORTEST_S
            && let Some(count) = bins.get_mut(bin(seconds))
        {
            *count += 1;
        }
    }
    let half = BINS_AN_OCTAVE / 2;
    let octave = |at: usize| bins.iter().skip(at.saturating_sub(half)).take(2 * half).sum::<u64>();
    let after = |at: usize| bins.iter().skip(at).sum::<u64>() + beyond;
    let candidates: Vec<usize> = (bin(LEAST_S)..=bin(MOST_S)).filter(|&at| after(at) >= LONGER).collect();
    let none = IdleTimeout { timeout: DEFAULT, from: IdleSource::Default { pauses: all } };
    let Some(emptiest) = candidates.iter().map(|&at| octave(at)).min() else { return none };
    // The widest run of the emptiest, the first of several.
    let mut best: (usize, usize) = (0, 0);
    let mut run: Option<(usize, usize)> = None;
    for &at in candidates.iter().filter(|&&at| octave(at) == emptiest) {
        run = match run {
            Some((from, to)) if to + 1 == at => Some((from, at)),
            _ => Some((at, at)),
        };
        if let Some((from, to)) = run
            && (best == (0, 0) || to - from > best.1 - best.0)
        {
            best = (from, to);
        }
    }
    let at = usize::midpoint(best.0, best.1);
    let hill = (at..bins.len()).map(octave).max().unwrap_or(0).max(beyond);
    if hill < (emptiest * HILL).max(LONGER / 2) {
        return none;
    }
    let longer = after(at);
    let seconds = (SHORTEST_S * 2_f64.powf(at as f64 / BINS_AN_OCTAVE as f64)).round() as u64;
    IdleTimeout {
        timeout: Nanos(seconds * Nanos::PER_SECOND),
        from: IdleSource::Fitted { shorter: all - longer, longer, near: emptiest },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(values: impl IntoIterator<Item = u64>) -> IdleTimeout {
        fit(values.into_iter().map(|value| Nanos(value * Nanos::PER_SECOND)))
    }

    #[test]
    fn the_valley_between_short_and_long_pauses_is_found() {
        let short = (0..2_000).map(|n| 1 + n * n % 240);
        let long = (0..40).map(|n| 3_600 + n * 300);
        let found = seconds(short.chain(long));
        let minutes = found.timeout.as_secs_f64() / 60.0;
        assert!((4.0..60.0).contains(&minutes), "{found}");
        assert!(matches!(found.from, IdleSource::Fitted { shorter: 2_000, longer: 40, near: 0 }), "{found}");
    }

    #[test]
    fn without_a_second_hill_it_is_the_default() {
        assert_eq!(seconds([]).timeout, DEFAULT);
        assert_eq!(seconds((0..2_000).map(|n| 1 + n % 90)).timeout, DEFAULT);
        // One long tail that thins out evenly: no valley.
        let tail = (0..2_000_u32).map(|n| (10.0 * 1.004_f64.powi(n as i32)) as u64);
        assert_eq!(seconds(tail).timeout, DEFAULT);
        // A few stragglers are no hill.
        assert_eq!(seconds((0..500).map(|n| n % 60).chain([7_200, 9_000])).timeout, DEFAULT);
    }
}
