//! How far one lot of sessions is from another: scenario from recording, run from recording.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Distances, each from 0 (the same) to 1 (nothing in common); absent where there was nothing to compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Distances {
    /// Shares of requests by endpoint: Jensen–Shannon distance, base 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_mix: Option<f64>,
    /// Which endpoint comes after which, beginnings and ends of sessions included: Jensen–Shannon distance, base 2, of the
    /// shares of all pairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transitions: Option<f64>,
    /// Pauses between requests: Kolmogorov–Smirnov, the most by which the shares of pauses up to any length differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub think_times: Option<f64>,
    /// Requests a session: Kolmogorov–Smirnov.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_length: Option<f64>,
    /// Time from one session's beginning to the next's, in units of the mean: Kolmogorov–Smirnov.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<f64>,
    /// Bytes of request bodies (without those that have none): Kolmogorov–Smirnov.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_sizes: Option<f64>,
}

/// One request of a session, as far as it is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Move {
    /// Its endpoint's number, the same in both lots.
    pub endpoint: u32,
    /// Seconds from the end of what it waited for; `None` at a session's start.
    pub think_s: Option<f32>,
    /// Bytes of its body.
    pub body_bytes: u32,
}

/// Values with weights. Equal ones become one when there are many, and then values that are nearly equal: the memory that they
/// take is bounded.
#[derive(Clone, Debug, Default)]
struct Values {
    all: Vec<(f32, f64)>,
    /// So many of them are different from each other, and ascending.
    settled: usize,
    coarse: bool,
}

/// Values that there are before they are settled: 4 MiB.
const MANY: usize = 1 << 18;
/// What coarse values have of a number's 23 binary places: they are off by one part in four thousand at most.
const PLACES: u32 = 11;

/// What a lot of sessions did.
#[derive(Clone, Debug, Default)]
pub struct Conduct {
    endpoints: BTreeMap<u32, f64>,
    /// `None` before the first and after the last.
    transitions: BTreeMap<(Option<u32>, Option<u32>), f64>,
    think: Values,
    lengths: Values,
    bodies: Values,
    gaps: Values,
}

impl Conduct {
    /// Adds a session that was played `weight` times. `whole`: to its end; else its length and end tell nothing.
    pub fn session(&mut self, weight: f64, whole: bool, moves: impl IntoIterator<Item = Move>) {
        if weight <= 0.0 {
            return;
        }
        let mut before = None;
        let mut length = 0_u32;
        for step in moves {
            *self.endpoints.entry(step.endpoint).or_default() += weight;
            *self.transitions.entry((before, Some(step.endpoint))).or_default() += weight;
            if let Some(think) = step.think_s {
                self.think.push(think, weight);
            }
            if step.body_bytes > 0 {
                self.bodies.push(step.body_bytes as f32, weight);
            }
            before = Some(step.endpoint);
            length += 1;
        }
        if whole && length > 0 {
            *self.transitions.entry((before, None)).or_default() += weight;
            self.lengths.push(length as f32, weight);
        }
    }

    /// Counts of requests by endpoint that are known otherwise, instead of those of the sessions.
    pub fn set_endpoints(&mut self, counts: impl IntoIterator<Item = (u32, f64)>) {
        self.endpoints = counts.into_iter().collect();
    }

    /// Takes the sessions' beginnings in, in any unit and order.
    pub fn arrivals(&mut self, mut starts: Vec<u64>) {
        starts.sort_unstable();
        self.gaps = starts.windows(2).map(|pair| ((pair[1] - pair[0]) as f32, 1.0)).collect();
    }

    /// Sessions begin at random, independently of each other, as in the open model: gaps are exponential.
    pub fn arrivals_at_random(&mut self) {
        const PARTS: u32 = 2000;
        let gap = |part: u32| -(1.0 - (f64::from(part) + 0.5) / f64::from(PARTS)).ln();
        self.gaps = (0..PARTS).map(|part| (gap(part) as f32, 1.0)).collect();
    }
}

/// How far the other is from what was recorded.
pub fn compare(recorded: &Conduct, other: &Conduct) -> Distances {
    Distances {
        endpoint_mix: jensen_shannon(&recorded.endpoints, &other.endpoints),
        transitions: jensen_shannon(&recorded.transitions, &other.transitions),
        think_times: recorded.think.distance(&other.think),
        session_length: recorded.lengths.distance(&other.lengths),
        arrivals: recorded.gaps.by_mean().distance(&other.gaps.by_mean()),
        body_sizes: recorded.bodies.distance(&other.bodies),
    }
    .rounded()
}

impl Distances {
    fn rounded(self) -> Distances {
        let round = |value: Option<f64>| value.map(|value| (value * 1e4).round() / 1e4);
        Distances {
            endpoint_mix: round(self.endpoint_mix),
            transitions: round(self.transitions),
            think_times: round(self.think_times),
            session_length: round(self.session_length),
            arrivals: round(self.arrivals),
            body_sizes: round(self.body_sizes),
        }
    }
}

/// Jensen–Shannon distance: the square root of the divergence with logarithms to base 2,
/// `JSD(P‖Q) = ½ Σ p·log₂(p/m) + ½ Σ q·log₂(q/m)`, `m = (p + q)/2`. `None` where one side is empty.
/// [Lin 1991](https://doi.org/10.1109/18.61115).
fn jensen_shannon<K: Ord>(one: &BTreeMap<K, f64>, other: &BTreeMap<K, f64>) -> Option<f64> {
    let (all_one, all_other) = (one.values().sum::<f64>(), other.values().sum::<f64>());
    if all_one <= 0.0 || all_other <= 0.0 {
        return None;
    }
    let part = |p: f64, q: f64| if p > 0.0 { p * (p / f64::midpoint(p, q)).log2() } else { 0.0 };
    let share = |counts: &BTreeMap<K, f64>, key: &K, all: f64| counts.get(key).copied().unwrap_or(0.0) / all;
    let from_one: f64 =
        one.iter().map(|(key, count)| part(count / all_one, share(other, key, all_other))).sum();
    let from_other: f64 =
        other.iter().map(|(key, count)| part(count / all_other, share(one, key, all_one))).sum();
    // Rounding can take it a hair outside.
    Some(f64::midpoint(from_one, from_other).clamp(0.0, 1.0).sqrt())
}

impl FromIterator<(f32, f64)> for Values {
    fn from_iter<I: IntoIterator<Item = (f32, f64)>>(iter: I) -> Values {
        let mut values = Values::default();
        iter.into_iter().for_each(|(value, weight)| values.push(value, weight));
        values
    }
}

impl Values {
    fn push(&mut self, value: f32, weight: f64) {
        self.all.push((if self.coarse { coarse(value) } else { value }, weight));
        if self.all.len() >= MANY && self.all.len() >= self.settled * 2 {
            self.settle();
            if !self.coarse && self.settled > MANY / 2 {
                self.coarsen();
            }
        }
    }

    /// Makes one of equal values.
    fn settle(&mut self) {
        self.all.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.all.dedup_by(|more, kept| {
            let same = more.0.total_cmp(&kept.0).is_eq();
            if same {
                kept.1 += more.1;
            }
            same
        });
        self.settled = self.all.len();
    }

    fn coarsen(&mut self) {
        self.coarse = true;
        self.all.iter_mut().for_each(|(value, _)| *value = coarse(*value));
        self.settle();
    }

    fn by_mean(&self) -> Values {
        let weight: f64 = self.all.iter().map(|(_, weight)| weight).sum();
        let mean = self.all.iter().map(|(value, weight)| f64::from(*value) * weight).sum::<f64>() / weight;
        if !(mean > 0.0 && mean.is_finite()) {
            return Values::default();
        }
        self.all.iter().map(|(value, weight)| ((f64::from(*value) / mean) as f32, *weight)).collect()
    }

    /// Kolmogorov–Smirnov: the largest difference between the two cumulative distributions.
    fn distance(&self, other: &Values) -> Option<f64> {
        let all = |values: &Values| values.all.iter().map(|(_, weight)| weight).sum::<f64>();
        let (all_one, all_other) = (all(self), all(other));
        if all_one <= 0.0 || all_other <= 0.0 {
            return None;
        }
        // What is coarse on one side is compared so on both.
        let either = self.coarse || other.coarse;
        let own = |value: f32| if either { coarse(value) } else { value };
        let ours = self.all.iter().map(|(value, weight)| (own(*value), weight / all_one));
        let theirs = other.all.iter().map(|(value, weight)| (own(*value), -weight / all_other));
        let mut steps: Vec<(f32, f64)> = ours.chain(theirs).collect();
        steps.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut difference, mut most) = (0.0_f64, 0.0_f64);
        for (number, (value, step)) in steps.iter().enumerate() {
            difference += step;
            // Equal values are one step.
            if steps.get(number + 1).is_none_or(|(next, _)| next.total_cmp(value).is_ne()) {
                most = most.max(difference.abs());
            }
        }
        Some(most.clamp(0.0, 1.0))
    }
}

/// The number with fewer binary places.
fn coarse(value: f32) -> f32 {
    let dropped = f32::MANTISSA_DIGITS - 1 - PLACES;
    let half = 1 << (dropped - 1);
    // Upwards from a half on; the largest of all numbers stays what it is.
    let up = f32::from_bits(value.to_bits().saturating_add(half));
    let nearest = if up.is_finite() { up } else { value };
    f32::from_bits(nearest.to_bits() & !((1 << dropped) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conduct(sessions: &[&[u32]]) -> Conduct {
        let mut conduct = Conduct::default();
        for session in sessions {
            conduct.session(
                1.0,
                true,
                session.iter().enumerate().map(|(number, &endpoint)| Move {
                    endpoint,
                    think_s: (number > 0).then_some(endpoint as f32),
                    body_bytes: endpoint,
                }),
            );
        }
        conduct
    }

    #[test]
    fn the_same_is_near_and_the_disjoint_far() {
        let one = conduct(&[&[1, 2, 3], &[1, 2]]);
        let same = compare(&one, &conduct(&[&[1, 2], &[1, 2, 3], &[1, 2], &[1, 2, 3]]));
        assert_eq!(
            (same.endpoint_mix, same.transitions, same.think_times, same.session_length, same.body_sizes),
            (Some(0.0), Some(0.0), Some(0.0), Some(0.0), Some(0.0))
        );
        assert_eq!(same.arrivals, None);
        let far = compare(&one, &conduct(&[&[4, 5, 6, 7]]));
        assert_eq!(
            (far.endpoint_mix, far.transitions, far.session_length),
            (Some(1.0), Some(1.0), Some(1.0))
        );
        // The same requests in another order.
        let turned = compare(&conduct(&[&[1, 2, 3]]), &conduct(&[&[3, 2, 1]]));
        assert_eq!((turned.endpoint_mix, turned.transitions), (Some(0.0), Some(1.0)));
    }

    #[test]
    fn the_formulas_are_those_of_the_papers() {
        let map = |shares: &[f64]| shares.iter().copied().enumerate().collect::<BTreeMap<_, _>>();
        let half = jensen_shannon(&map(&[1.0, 1.0]), &map(&[1.0, 0.0])).unwrap();
        // Divergence of (½,½) and (1,0): 0.311278.
        assert!((half - 0.311_278_f64.sqrt()).abs() < 1e-4, "{half}");
        assert_eq!(jensen_shannon(&map(&[]), &map(&[1.0])), None);
        let values = |list: &[f32]| list.iter().map(|value| (*value, 1.0)).collect::<Values>();
        assert_eq!(values(&[1.0, 2.0, 3.0, 4.0]).distance(&values(&[1.0, 2.0, 30.0, 40.0])), Some(0.5));
        assert_eq!(values(&[1.0, 1.0]).distance(&values(&[1.0])), Some(0.0));
    }

    #[test]
    fn of_very_many_values_those_nearly_equal_become_one() {
        let many = |from: u32, step: u32| {
            let mut conduct = Conduct::default();
            for number in 0..900_000_u32 {
                let think_s = Some((from + number % 300_000 * step) as f32 / 1e6);
                conduct.session(1.0, true, [Move { endpoint: 1, think_s, body_bytes: number % 1000 }]);
            }
            conduct
        };
        let one = many(1, 7);
        assert!(one.think.all.len() <= 2 * MANY && one.think.coarse, "{}", one.think.all.len());
        assert!(!one.bodies.coarse && !one.lengths.coarse, "few different values stay as they are");
        let same = compare(&one, &many(1, 7));
        assert_eq!((same.think_times, same.body_sizes), (Some(0.0), Some(0.0)));
        // Half of the values lie above all others'.
        let far = compare(&one, &many(1, 14)).think_times.unwrap();
        assert!((far - 0.5).abs() < 0.001, "{far}");
        // One exact value on the other side is compared as coarsely.
        let mut single = Conduct::default();
        single.session(1.0, true, [Move { endpoint: 1, think_s: Some(0.500_001), body_bytes: 1 }]);
        let think = (0..MANY).map(|_| (0.500_001, 1.0)).collect();
        let mut alike = Conduct { think, ..Conduct::default() };
        alike.think.coarsen();
        assert_eq!(compare(&single, &alike).think_times, Some(0.0));
        assert_eq!((coarse(0.0), coarse(1.0), coarse(f32::MAX)), (0.0, 1.0, coarse(f32::MAX)));
        assert!((coarse(1234.567) / 1234.567 - 1.0).abs() <= 1.0 / 4096.0);
    }

    #[test]
    fn random_arrivals_are_told_from_regular_ones() {
        let (mut random, mut regular, mut bursts) =
            (Conduct::default(), Conduct::default(), Conduct::default());
        random.arrivals_at_random();
        regular.arrivals((0..1000).map(|n| n * 10).collect());
        bursts.arrivals((0..1000).map(|n| n / 10 * 1000).collect());
        let far = |one: &Conduct| compare(&random, one).arrivals.unwrap();
        assert!(far(&random.clone()) < 0.001 && far(&regular) > 0.5 && far(&bursts) > 0.5);
    }
}
