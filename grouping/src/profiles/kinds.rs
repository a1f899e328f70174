//! Whether two clusters are two kinds of user, or one kind whose visits happen to differ.
//!
//! A clustering finds what differs; not all that differs is a kind. A page that some visitors look at and others do not, or
//! longer and shorter visits, are accidents of one kind. Two clusters are two kinds when several endpoints tell them apart, or
//! one does that changes something (`POST`) or that most of the requests go to; or when they go from page to page in ways
//! that are hardly to be confused.

use super::distance::Features;
use crate::hash::Map;

/// An endpoint tells two clusters apart when the shares of their sessions that use it are so far from each other.
const APART: f64 = 0.5;
/// A single endpoint with this share of a cluster's requests is what that cluster is about.
const ABOUT: f64 = 0.6;
/// Endpoints that must tell apart; deeds and what a cluster is about count twice.
const ENOUGH: u32 = 2;

/// Nats for each session of the smaller cluster from which on the ways that they go tell them apart by themselves: more than a
/// page or two that one visitor looks at and another does not can make.
const OTHER_WAYS: f64 = 1.5;

/// What a cluster does, endpoint by endpoint: the share of its sessions that use it, and the mean share of requests.
struct Habits {
    size: f64,
    uses: Map<u32, (f64, f64)>,
}

impl Habits {
    fn of(features: &[Features], counts: &[f64], members: &[usize]) -> Habits {
        let size: f64 = members.iter().map(|&member| counts[member]).sum();
        let mut uses: Map<u32, (f64, f64)> = Map::default();
        for &member in members {
            for &(endpoint, share) in features[member].shares() {
                let habit = uses.entry(endpoint).or_default();
                habit.0 += counts[member] / size;
                habit.1 += counts[member] / size * f64::from(share);
            }
        }
        Habits { size, uses }
    }

    fn merge(&mut self, other: &Habits) {
        let size = self.size + other.size;
        let (own, its) = (self.size / size, other.size / size);
        for habit in self.uses.values_mut() {
            *habit = (habit.0 * own, habit.1 * own);
        }
        for (&endpoint, habit) in &other.uses {
            let mine = self.uses.entry(endpoint).or_default();
            *mine = (mine.0 + habit.0 * its, mine.1 + habit.1 * its);
        }
        self.size = size;
    }

    /// How many endpoints tell the two apart, and by how much all differ.
    fn compare(&self, other: &Habits, acts: &[bool]) -> (u32, f64) {
        let (mut telling, mut difference) = (0, 0.0);
        let only_others = other.uses.keys().filter(|endpoint| !self.uses.contains_key(endpoint));
        for &endpoint in self.uses.keys().chain(only_others) {
            let get = |habits: &Habits| habits.uses.get(&endpoint).copied().unwrap_or_default();
            let (mine, its) = (get(self), get(other));
            let apart = (mine.0 - its.0).abs();
            difference += apart;
            if apart >= APART {
                let deed = acts.get(endpoint as usize).copied().unwrap_or(false);
                telling += if deed || mine.1.max(its.1) >= ABOUT { ENOUGH } else { 1 };
            }
        }
        (telling, difference)
    }
}

/// Joins what is of one kind, the most alike first. `prices` says how unlike the ways of any two are.
pub(super) fn join(
    mut parts: Vec<Vec<usize>>,
    mut prices: Vec<Vec<f64>>,
    features: &[Features],
    counts: &[f64],
    acts: &[bool],
) -> Vec<Vec<usize>> {
    let mut habits: Vec<Habits> = parts.iter().map(|part| Habits::of(features, counts, part)).collect();
    loop {
        let mut nearest: Option<(f64, usize, usize)> = None;
        for a in 0..parts.len() {
            for b in a + 1..parts.len() {
                let (telling, difference) = habits[a].compare(&habits[b], acts);
                let ways = prices.get(a).and_then(|row| row.get(b)).copied().unwrap_or(0.0);
                if telling < ENOUGH
                    && ways < OTHER_WAYS
                    && nearest.is_none_or(|(known, ..)| difference < known)
                {
                    nearest = Some((difference, a, b));
                }
            }
        }
        let Some((_, a, b)) = nearest else { return parts };
        let part = parts.remove(b);
        let gone = prices.remove(b);
        for (at, row) in prices.iter_mut().enumerate() {
            let price = row[a].min(gone[at + usize::from(at >= b)]);
            row[a] = price;
            row.remove(b);
        }
        prices[a] = prices.iter().map(|row| row[a]).collect();
        parts[a].extend(part);
        let other = habits.remove(b);
        habits[a].merge(&other);
    }
}
