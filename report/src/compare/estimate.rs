//! How far apart two sides are, and how sure that is. All on logarithms: a change is a factor.
//!
//! | what there is | what is taken for independent | method |
//! |---|---|---|
//! | one interleaved run | a pair of blocks | least squares with a drift over time, Student's t |
//! | three runs or more a side | a run | Welch's t |
//! | else | a run is one sample; blocks of its seconds give what moves within it | circular block bootstrap (Politis and Romano, 1992), and a stated deviation from run to run |

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

use super::sample::{Second, Series, quantile_of};

/// A difference of logarithms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    /// Candidate less baseline.
    pub(super) change: f64,
    /// Its standard error.
    pub(super) error: f64,
    /// Degrees of freedom of the error; infinite where it is taken for known.
    pub(super) freedom: f64,
}

impl Estimate {
    /// Half the width of the interval that holds the change with that confidence.
    pub(super) fn half_width(&self, confidence: f64) -> f64 {
        self.error * critical(self.freedom, confidence)
    }
}

/// How many standard errors lie on either side at that confidence.
pub(super) fn critical(freedom: f64, confidence: f64) -> f64 {
    let upper = 1.0 - (1.0 - confidence) / 2.0;
    match StudentsT::new(0.0, 1.0, freedom) {
        Ok(t) if freedom.is_finite() => t.inverse_cdf(upper),
        _ => Normal::standard().inverse_cdf(upper),
    }
}

/// Welch's two-sample comparison: of one value a run. `None` with fewer than two a side.
pub(super) fn welch(baseline: &[f64], candidate: &[f64]) -> Option<Estimate> {
    let (a, b) = (moments(baseline)?, moments(candidate)?);
    let of = |(_, variance, n): (f64, f64, f64)| variance / n;
    let (va, vb) = (of(a), of(b));
    let error = (va + vb).sqrt();
    let freedom = if error > 0.0 {
        (va + vb).powi(2) / (va.powi(2) / (a.2 - 1.0) + vb.powi(2) / (b.2 - 1.0))
    } else {
        a.2 + b.2 - 2.0
    };
    Some(Estimate { change: b.0 - a.0, error, freedom })
}

/// Mean, variance and number.
fn moments(values: &[f64]) -> Option<(f64, f64, f64)> {
    let n = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some((mean, variance, n))
}

/// Values over time of both sides, which may drift together: least squares of a level, a side and a slope. `None` with fewer
/// than three a side.
pub(super) fn drifting(baseline: &[(f64, f64)], candidate: &[(f64, f64)]) -> Option<Estimate> {
    if baseline.len() < 3 || candidate.len() < 3 {
        return None;
    }
    let all = || {
        let side = |points: &[(f64, f64)], side: f64| {
            points.iter().map(move |(t, v)| (side, *t, *v)).collect::<Vec<_>>()
        };
        side(baseline, 0.0).into_iter().chain(side(candidate, 1.0))
    };
    let n = (baseline.len() + candidate.len()) as f64;
    let mean = |of: fn((f64, f64, f64)) -> f64| all().map(of).sum::<f64>() / n;
    let (mean_side, mean_time, mean_value) = (mean(|p| p.0), mean(|p| p.1), mean(|p| p.2));
    let (mut ss, mut tt, mut st, mut sv, mut tv) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (side, time, value) in all() {
        let (s, t, v) = (side - mean_side, time - mean_time, value - mean_value);
        ss += s * s;
        tt += t * t;
        st += s * t;
        sv += s * v;
        tv += t * v;
    }
    let determinant = ss * tt - st * st;
    if determinant <= f64::EPSILON * ss * tt {
        return None;
    }
    let change = (sv * tt - tv * st) / determinant;
    let slope = (tv * ss - sv * st) / determinant;
    let residual: f64 = all()
        .map(|(side, time, value)| {
            (value - mean_value - change * (side - mean_side) - slope * (time - mean_time)).powi(2)
        })
        .sum();
    let freedom = n - 3.0;
    Some(Estimate { change, error: (residual / freedom * tt / determinant).sqrt(), freedom })
}

/// Seconds in a block of the bootstrap: longer than what one slow answer holds up.
const BLOCK: usize = 5;
/// Resamples.
const RESAMPLES: usize = 400;

/// The standard error of a run's log quantile by circular block bootstrap over its seconds. `None` for less than two blocks.
pub(super) fn within(series: &Series, quantile: f64, seed: u64) -> Option<f64> {
    // Seconds without an answer are part of the time that passed.
    let (first, last) = (*series.seconds.keys().next()?, *series.seconds.keys().next_back()?);
    let empty = Second::new();
    let seconds: Vec<&Second> =
        (first..=last).map(|second| series.seconds.get(&second).unwrap_or(&empty)).collect();
    if seconds.len() < 2 * BLOCK {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let blocks = seconds.len().div_ceil(BLOCK);
    let mut values = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let starts: Vec<usize> = (0..blocks).map(|_| random.random_range(0..seconds.len())).collect();
        let chosen = starts.iter().flat_map(|start| (0..BLOCK).map(move |i| start + i)).take(seconds.len());
        let chosen = chosen.filter_map(|at| seconds.get(at % seconds.len()).copied());
        values.extend(quantile_of(chosen, quantile).map(f64::ln));
    }
    moments(&values).map(|(_, variance, _)| variance.sqrt())
}

/// Newcombe's interval for the difference of two shares, from Wilson's for each
/// ([Newcombe, 1998](https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I), method 10).
pub(super) fn shares(baseline: (u64, u64), candidate: (u64, u64), confidence: f64) -> Option<(f64, f64)> {
    let exact = |(hits, all): (u64, u64)| (hits as f64, all as f64);
    thinned_shares(exact(baseline), exact(candidate), confidence)
}

/// The same of counts that are no whole numbers, as they were divided by how much more they vary than by chance.
pub(super) fn thinned_shares(
    baseline: (f64, f64),
    candidate: (f64, f64),
    confidence: f64,
) -> Option<(f64, f64)> {
    let z = critical(f64::INFINITY, confidence);
    let wilson = |(hits, n): (f64, f64)| {
        let p = hits / n;
        let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        (p, (centre - half).max(0.0), (centre + half).min(1.0))
    };
    if baseline.1 <= 0.0 || candidate.1 <= 0.0 {
        return None;
    }
    let ((a, a_low, a_high), (b, b_low, b_high)) = (wilson(baseline), wilson(candidate));
    let low = (b - a) - ((b - b_low).powi(2) + (a_high - a).powi(2)).sqrt();
    let high = (b - a) + ((b_high - b).powi(2) + (a - a_low).powi(2)).sqrt();
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_and_normal_quantiles() {
        assert!((critical(5.0, 0.95) - 2.5706).abs() < 1e-3);
        assert!((critical(f64::INFINITY, 0.95) - 1.9600).abs() < 1e-3);
    }

    #[test]
    fn welch_is_the_textbooks() {
        let a = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4];
        let b = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 31.3];
        let e = welch(&a, &b).unwrap();
        assert!((e.change - 3.2933).abs() < 1e-3 && (e.change / e.error - 2.9492).abs() < 1e-3, "{e:?}");
        assert!((e.freedom - 27.31).abs() < 0.01, "{e:?}");
        assert_eq!(welch(&[1.0], &b), None);
    }

    #[test]
    fn a_common_drift_is_no_change() {
        let side = |at: f64, shift: f64| {
            (0..6)
                .map(|i| (f64::from(i) * 2.0 + at, f64::from(i) * 2.0 * 0.3 + at * 0.3 + shift))
                .collect::<Vec<_>>()
        };
        let e = drifting(&side(0.0, 0.0), &side(1.0, 0.0)).unwrap();
        assert!(e.change.abs() < 1e-9, "{e:?}");
        let e = drifting(&side(0.0, 0.0), &side(1.0, 0.1)).unwrap();
        assert!((e.change - 0.1).abs() < 1e-9 && e.error < 1e-6 && (e.freedom - 9.0).abs() < 1e-9, "{e:?}");
    }

    #[test]
    fn newcombes_example() {
        // 56 of 70 less 48 of 80: 0.2 (0.0524 to 0.3339).
        let (low, high) = shares((48, 80), (56, 70), 0.95).unwrap();
        assert!((low - 0.0524).abs() < 1e-3 && (high - 0.3339).abs() < 1e-3, "{low} {high}");
        assert_eq!(shares((0, 0), (1, 2), 0.95), None);
    }
}
