//! What the endpoints have in common: the mean of their log quantiles, turn by turn or run by run.
//!
//! The p95 of all requests together is that of the slowest endpoints, and moves with the mix. The mean of the endpoints' own p95 moves
//! only when they do, and is the surer the more of them there are: a tenth that all lose is seen in a third of the answers.

use std::collections::{BTreeMap, BTreeSet};

use super::sample::Series;
use super::{Design, Sample, turn};

/// By side: when, and the mean of the logarithms.
#[derive(Debug, PartialEq)]
pub(super) struct Pooled {
    pub(super) sides: [Vec<(f64, f64)>; 2],
}

/// Turns or runs of an endpoint, by number: the quantile.
type Units = BTreeMap<u32, f64>;

/// The mean over the endpoints that have at least so many answers in every turn or run of either side, each weighed by its requests.
/// `None`: there are not two of them, or what moves from run to run cannot be seen.
pub(super) fn pooled(
    sides: [&[Sample]; 2],
    endpoints: &BTreeSet<&str>,
    design: Design,
    quantile: f64,
    least: u64,
) -> Option<Pooled> {
    let units = |side: &[Sample], endpoint: &str| -> Units {
        match design {
            Design::Interleaved(block_s) => side
                .first()
                .and_then(|sample| sample.series(Some(endpoint)))
                .map(|series| series.windows(block_s * 2, quantile, least))
                .unwrap_or_default(),
            Design::Runs => (0..)
                .zip(side)
                .filter_map(|(number, sample)| {
                    let series = sample.series(Some(endpoint)).filter(|series| series.answers() >= least)?;
                    Some((number, series.quantile(quantile)?))
                })
                .collect(),
            Design::Within => Units::new(),
        }
    };
    let wanted = sides.map(|side| -> Vec<u32> {
        match (design, side.first()) {
            (Design::Interleaved(block_s), Some(sample)) => sample.all.full_windows(block_s * 2),
            _ => (0..).zip(side).map(|(number, _)| number).collect(),
        }
    });
    let mut sums = wanted.clone().map(|units| vec![0.0; units.len()]);
    let (mut weights, mut taken) = (0.0, 0);
    for endpoint in endpoints {
        let found = sides.map(|side| units(side, endpoint));
        let whole = found
            .iter()
            .zip(&wanted)
            .all(|(found, wanted)| wanted.iter().all(|unit| found.contains_key(unit)));
        if !whole {
            continue;
        }
        let requests: u64 = sides
            .iter()
            .flat_map(|side| side.iter().filter_map(|sample| sample.series(Some(endpoint))))
            .map(Series::answers)
            .sum();
        let weight = requests as f64;
        for ((sums, found), wanted) in sums.iter_mut().zip(&found).zip(&wanted) {
            for (sum, unit) in sums.iter_mut().zip(wanted) {
                *sum += weight * found.get(unit).map_or(0.0, |value| value.ln());
            }
        }
        weights += weight;
        taken += 1;
    }
    if taken < 2 {
        return None;
    }
    let [a, b] = sums;
    let [units_a, units_b] = wanted;
    let points = |units: Vec<u32>, sums: Vec<f64>, second| {
        units.into_iter().zip(sums).map(|(unit, sum)| (turn(unit, second), sum / weights)).collect()
    };
    Some(Pooled { sides: [points(units_a, a, false), points(units_b, b, true)] })
}
