//! Sessions as counts of transitions, all in one place as there may be very many.

use crate::hash::Map;

/// The state before the first endpoint and after the last.
const OUTSIDE: u32 = u32::MAX;
/// A state that every step leaves as well, for where it goes to whatever was before.
const ANYWHERE: u32 = u32::MAX - 1;
/// What that counts, over the root of the number of sessions. One chain that has a part here and a part there fits two
/// behaviours with nothing in common as well as two chains do, with less to say; that they go to other places
/// tells them apart. What one chain saves grows with the logarithm of the sessions, what this adds with their root.
const WHERE: f64 = 1.5;

/// Sessions as counts of transitions.
#[derive(Default)]
pub(in crate::profiles) struct Walks {
    /// By walk: transition and how often.
    moves: Vec<(u32, f32)>,
    /// Where each walk begins in `moves`, and where the last ends.
    begins: Vec<usize>,
    /// By transition: the number of the state that it leaves.
    pub(super) leaves: Vec<u32>,
    /// By transition: it goes from one endpoint to another, or into the first.
    pub(super) inner: Vec<bool>,
    pub(super) states: usize,
}

/// Numbers in order of appearance.
#[derive(Default)]
struct Numbers {
    transitions: Map<u64, u32>,
    states: Map<u32, u32>,
}

impl Walks {
    /// `sessions`: how many there are in all.
    pub(in crate::profiles) fn of<'s>(sequences: impl Iterator<Item = &'s [u32]>, sessions: f64) -> Walks {
        let elsewhere = (WHERE / sessions.max(1.0).sqrt()) as f32;
        let mut walks = Walks { begins: vec![0], ..Walks::default() };
        let mut numbers = Numbers::default();
        let mut of_one: Vec<u32> = Vec::new();
        for sequence in sequences {
            let ends = sequence.iter().chain(std::iter::once(&OUTSIDE));
            let begins = std::iter::once(&OUTSIDE).chain(sequence);
            of_one.clear();
            of_one.extend(begins.zip(ends).map(|(&from, &to)| walks.number(&mut numbers, from, to)));
            walks.count(&mut of_one, 1.0);
            of_one.clear();
            of_one.extend(sequence.iter().map(|&to| walks.number(&mut numbers, ANYWHERE, to)));
            walks.count(&mut of_one, elsewhere);
            walks.begins.push(walks.moves.len());
        }
        walks.states = numbers.states.len();
        walks
    }

    fn number(&mut self, numbers: &mut Numbers, from: u32, to: u32) -> u32 {
        let next = numbers.transitions.len() as u32;
        *numbers.transitions.entry(u64::from(from) << 32 | u64::from(to)).or_insert_with(|| {
            let state = numbers.states.len() as u32;
            self.leaves.push(*numbers.states.entry(from).or_insert(state));
            self.inner.push(from != ANYWHERE && to != OUTSIDE);
            next
        })
    }

    fn count(&mut self, of_one: &mut [u32], weight: f32) {
        of_one.sort_unstable();
        for same in of_one.chunk_by(|a, b| a == b) {
            if let Some(&transition) = same.first() {
                self.moves.push((transition, weight * same.len() as f32));
            }
        }
    }

    pub(super) fn moves(&self, walk: usize) -> &[(u32, f32)] {
        &self.moves[self.begins[walk]..self.begins[walk + 1]]
    }
}

/// Which walks are looked at, and how many sessions each stands for.
pub(in crate::profiles) struct Weighted<'w> {
    pub(in crate::profiles) walks: &'w Walks,
    pub(in crate::profiles) members: Vec<usize>,
    pub(in crate::profiles) weights: Vec<f64>,
}

impl Weighted<'_> {
    pub(super) fn total(&self) -> f64 {
        self.weights.iter().sum()
    }
}
