//! How unlike two sessions are, from 0 to 1.
//!
//! Three parts, each a Bray–Curtis distance `Σ|x−y| / Σ(x+y)`:
//!
//! - **what** was done: each endpoint with `n/(n+1)` for n requests, so that the first counts most and the twentieth page of a
//!   list hardly at all, weighted by `√(p(1−p))` where p is the share of sessions that use it: what all do and what
//!   hardly anybody does tells no kinds apart;
//! - **how it went on**: the shares of the transitions, start and end included;
//! - **how often**: the shares of the endpoints.

use crate::hash::Map;

/// Parts of the distance; they sum to 1.
const WHAT: f32 = 0.65;
const HOW: f32 = 0.2;
const OFTEN: f32 = 0.15;

/// The endpoint that stands before the first and after the last.
const OUTSIDE: u32 = u32::MAX;

/// What is compared of a session. Vectors are sparse and sorted by key.
#[derive(Debug, Default)]
pub(super) struct Features {
    used: Vec<(u32, f32)>,
    shares: Vec<(u32, f32)>,
    transitions: Vec<(u64, f32)>,
}

impl Features {
    pub(super) fn of(sequence: &[u32]) -> Features {
        let mut counts: Map<u32, f32> = Map::default();
        let mut transitions: Map<u64, f32> = Map::default();
        let mut before = OUTSIDE;
        for &endpoint in sequence {
            *counts.entry(endpoint).or_default() += 1.0;
            *transitions.entry(u64::from(before) << 32 | u64::from(endpoint)).or_default() += 1.0;
            before = endpoint;
        }
        *transitions.entry(u64::from(before) << 32 | u64::from(OUTSIDE)).or_default() += 1.0;
        let requests = sequence.len().max(1) as f32;
        let mut used: Vec<(u32, f32)> = counts.iter().map(|(&key, &n)| (key, n / (n + 1.0))).collect();
        let mut shares: Vec<(u32, f32)> = counts.into_iter().map(|(key, n)| (key, n / requests)).collect();
        let mut transitions: Vec<(u64, f32)> =
            transitions.into_iter().map(|(key, n)| (key, n / (requests + 1.0))).collect();
        used.sort_unstable_by_key(|(key, _)| *key);
        shares.sort_unstable_by_key(|(key, _)| *key);
        transitions.sort_unstable_by_key(|(key, _)| *key);
        Features { used, shares, transitions }
    }

    /// Each endpoint's share of the requests.
    pub(super) fn shares(&self) -> &[(u32, f32)] {
        &self.shares
    }
}

/// How much each endpoint tells, within a set of sessions.
pub(super) struct Weights(Map<u32, f32>);

impl Weights {
    pub(super) fn of(features: &[Features], counts: &[f64], members: &[usize]) -> Weights {
        let mut users: Map<u32, f64> = Map::default();
        let mut total = 0.0;
        for &member in members {
            total += counts[member];
            for (endpoint, _) in &features[member].used {
                *users.entry(*endpoint).or_default() += counts[member];
            }
        }
        let weight = |count: f64| {
            let share = (count / f64::max(total, 1.0)).clamp(0.0, 1.0);
            (0.05 + (share * (1.0 - share)).sqrt()) as f32
        };
        Weights(users.into_iter().map(|(endpoint, count)| (endpoint, weight(count))).collect())
    }

    pub(super) fn distance(&self, a: &Features, b: &Features) -> f32 {
        WHAT * bray_curtis(&a.used, &b.used, |endpoint| self.0.get(&endpoint).copied().unwrap_or(0.05))
            + HOW * bray_curtis(&a.transitions, &b.transitions, |_| 1.0)
            + OFTEN * bray_curtis(&a.shares, &b.shares, |_| 1.0)
    }
}

fn bray_curtis<K: Copy + Ord>(a: &[(K, f32)], b: &[(K, f32)], weight: impl Fn(K) -> f32) -> f32 {
    let (mut apart, mut all) = (0.0, 0.0);
    let (mut at, mut bt) = (0, 0);
    loop {
        let (key, x, y) = match (a.get(at), b.get(bt)) {
            (Some(&(ka, x)), Some(&(kb, y))) if ka == kb => {
                at += 1;
                bt += 1;
                (ka, x, y)
            }
            (Some(&(ka, x)), Some(&(kb, _))) if ka < kb => {
                at += 1;
                (ka, x, 0.0)
            }
            (Some(&(ka, x)), None) => {
                at += 1;
                (ka, x, 0.0)
            }
            (_, Some(&(kb, y))) => {
                bt += 1;
                (kb, 0.0, y)
            }
            (None, None) => break,
        };
        let weight = weight(key);
        apart += weight * (x - y).abs();
        all += weight * (x + y);
    }
    if all > 0.0 { apart / all } else { 0.0 }
}

/// All distances within a set; row and column are positions in it.
pub(super) struct Matrix {
    size: usize,
    cells: Vec<f32>,
}

impl Matrix {
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn get(&self, a: usize, b: usize) -> f32 {
        self.cells[a * self.size + b]
    }

    pub(super) fn row(&self, a: usize) -> &[f32] {
        &self.cells[a * self.size..(a + 1) * self.size]
    }
}

pub(super) fn matrix(features: &[Features], counts: &[f64], members: &[usize]) -> Matrix {
    let weights = Weights::of(features, counts, members);
    let size = members.len();
    let mut cells = vec![0.0; size * size];
    for a in 0..size {
        for b in a + 1..size {
            let distance = weights.distance(&features[members[a]], &features[members[b]]);
            cells[a * size + b] = distance;
            cells[b * size + a] = distance;
        }
    }
    Matrix { size, cells }
}
