//! Expectation, maximisation, and what a division into parts is worth.

use super::walks::{Walks, Weighted};

/// Strength of the prior, in transitions: what a part does in a state that it has left n times weighs n, the mean of all
/// parts weighs this much. What is rare in a part says nothing about it.
const PRIOR: f64 = 4.0;

/// What all sessions do, whatever they are of: the mean that parts are drawn to.
pub(super) struct Prior {
    /// By transition: pseudo-counts.
    counts: Vec<f64>,
    /// By transition: `ln Γ` of that.
    gammas: Vec<f64>,
}

impl Prior {
    pub(super) fn of(sample: &Weighted<'_>) -> Prior {
        let mut all = vec![0.0_f64; sample.walks.leaves.len()];
        for (&member, &weight) in sample.members.iter().zip(&sample.weights) {
            for &(transition, count) in sample.walks.moves(member) {
                all[transition as usize] += weight * f64::from(count);
            }
        }
        let mut left = vec![0.0_f64; sample.walks.states];
        for (&state, &count) in sample.walks.leaves.iter().zip(&all) {
            left[state as usize] += count + 0.01;
        }
        let counts: Vec<f64> = sample
            .walks
            .leaves
            .iter()
            .zip(&all)
            .map(|(&state, &count)| PRIOR * (count + 0.01) / left[state as usize])
            .collect();
        let gammas = counts.iter().map(|&count| ln_gamma(count)).collect();
        Prior { counts, gammas }
    }
}

/// How likely each member is of each part: row by row.
#[derive(Clone)]
pub(super) struct Belief {
    pub(super) parts: usize,
    pub(super) rows: Vec<f32>,
}

impl Belief {
    pub(super) fn certain(parts: usize, of: &[usize]) -> Belief {
        let mut rows = vec![0.0; of.len() * parts];
        for (row, &part) in rows.chunks_mut(parts).zip(of) {
            if let Some(belief) = row.get_mut(part) {
                *belief = 1.0;
            }
        }
        Belief { parts, rows }
    }

    /// With part `b` made part of `a`.
    pub(super) fn union(&self, a: usize, b: usize) -> Belief {
        let mut rows = Vec::with_capacity(self.rows.len() / self.parts * (self.parts - 1));
        for row in self.rows.chunks(self.parts) {
            for (part, &belief) in row.iter().enumerate().filter(|(part, _)| *part != b) {
                rows.push(if part == a { belief + row[b] } else { belief });
            }
        }
        Belief { parts: self.parts - 1, rows }
    }

    /// With the members of part `a` divided: those in `apart`, by position, become a new part.
    pub(super) fn divide(&self, a: usize, apart: &[bool]) -> Belief {
        let mut rows = Vec::with_capacity(self.rows.len() / self.parts * (self.parts + 1));
        for (row, &apart) in self.rows.chunks(self.parts).zip(apart) {
            rows.extend_from_slice(row);
            rows.push(0.0);
            if apart {
                let end = rows.len() - 1;
                rows.swap(end - self.parts + a, end);
            }
        }
        Belief { parts: self.parts + 1, rows }
    }

    /// With those parts only that are wanted; members of none of them are of all alike.
    fn only(&self, kept: &[usize]) -> Belief {
        let mut rows = Vec::with_capacity(self.rows.len() / self.parts * kept.len());
        for row in self.rows.chunks(self.parts) {
            let sum: f32 = kept.iter().map(|&part| row[part]).sum();
            let even = 1.0 / kept.len() as f32;
            rows.extend(kept.iter().map(|&part| if sum > 1e-3 { row[part] / sum } else { even }));
        }
        Belief { parts: kept.len(), rows }
    }

    /// The likeliest part of each member.
    pub(super) fn likeliest(&self) -> Vec<usize> {
        let likeliest =
            |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a)));
        self.rows.chunks(self.parts).map(|row| likeliest(row).unwrap_or(0)).collect()
    }
}

impl Belief {
    /// Share of the weight that is likely to be of another part than the likeliest.
    pub(super) fn doubtful(&self, weights: &[f64]) -> f64 {
        let rest = |row: &[f32]| f64::from(1.0 - row.iter().copied().fold(0.0, f32::max));
        let doubt: f64 =
            self.rows.chunks(self.parts).zip(weights).map(|(row, weight)| weight * rest(row)).sum();
        doubt / weights.iter().sum::<f64>().max(1.0)
    }
}

/// What the parts do, as counts.
#[derive(Clone)]
pub(super) struct Counts {
    /// By part: sessions.
    pub(super) sizes: Vec<f64>,
    /// By part, then by transition.
    moves: Vec<Vec<f64>>,
    /// By part, then by state: how often it is left.
    visits: Vec<Vec<f64>>,
}

fn leaving(walks: &Walks, moves: &[f64]) -> Vec<f64> {
    let mut visits = vec![0.0_f64; walks.states];
    for (&state, &count) in walks.leaves.iter().zip(moves) {
        visits[state as usize] += count;
    }
    visits
}

impl Counts {
    pub(super) fn of(sample: &Weighted<'_>, belief: &Belief) -> Counts {
        let parts = belief.parts;
        let mut sizes = vec![0.0_f64; parts];
        let mut moves = vec![vec![0.0_f64; sample.walks.leaves.len()]; parts];
        let rows = belief.rows.chunks(parts);
        for ((&member, &weight), row) in sample.members.iter().zip(&sample.weights).zip(rows) {
            for (part, &belief) in row.iter().enumerate().filter(|(_, belief)| **belief > 1e-4) {
                let weight = weight * f64::from(belief);
                sizes[part] += weight;
                let moves = &mut moves[part];
                for &(transition, count) in sample.walks.moves(member) {
                    moves[transition as usize] += weight * f64::from(count);
                }
            }
        }
        let visits = moves.iter().map(|moves| leaving(sample.walks, moves)).collect();
        Counts { sizes, moves, visits }
    }

    /// What one part is worth: the integrated likelihood of its transitions under the prior.
    fn worth(&self, prior: &Prior, part: usize) -> f64 {
        worth(prior, self.sizes[part], self.visits[part].iter().copied(), self.moves[part].iter().copied())
    }

    /// The integrated completed likelihood of all, up to a constant.
    pub(super) fn score(&self, prior: &Prior) -> f64 {
        let total: f64 = self.sizes.iter().sum();
        let parts = self.sizes.len() as f64;
        (0..self.sizes.len()).map(|part| self.worth(prior, part)).sum::<f64>() + ln_gamma(parts)
            - ln_gamma(parts + total)
    }

    /// What is won by each union, the best first.
    pub(super) fn unions(&self, prior: &Prior) -> Vec<(f64, usize, usize)> {
        let parts = self.sizes.len();
        let alone: Vec<f64> = (0..parts).map(|part| self.worth(prior, part)).collect();
        let mut unions = Vec::new();
        for a in 0..parts {
            for b in a + 1..parts {
                let sum = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x + y).collect::<Vec<f64>>();
                let together = worth(
                    prior,
                    self.sizes[a] + self.sizes[b],
                    sum(&self.visits[a], &self.visits[b]).into_iter(),
                    sum(&self.moves[a], &self.moves[b]).into_iter(),
                );
                unions.push((together - alone[a] - alone[b], a, b));
            }
        }
        unions.sort_by(|x, y| y.0.total_cmp(&x.0).then((x.1, x.2).cmp(&(y.1, y.2))));
        unions
    }

    /// How unlike any two parts go on, in nats for each session of the smaller one: what their union would cost. Where sessions
    /// end is not among it: longer and shorter visits are of one kind.
    pub(super) fn prices(&self, walks: &Walks) -> Vec<Vec<f64>> {
        let inner: Vec<Vec<f64>> = self
            .moves
            .iter()
            .map(|moves| {
                let moves = moves.iter().zip(&walks.inner);
                moves.map(|(&moves, &inner)| if inner { moves } else { 0.0 }).collect()
            })
            .collect();
        let alone: Vec<f64> = inner.iter().map(|moves| likelihood(walks, moves)).collect();
        let price = |a: usize, b: usize| {
            let both: Vec<f64> = inner[a].iter().zip(&inner[b]).map(|(one, other)| one + other).collect();
            let cost = alone[a] + alone[b] - likelihood(walks, &both);
            cost / self.sizes[a].min(self.sizes[b]).max(1.0)
        };
        (0..inner.len()).map(|a| (0..inner.len()).map(|b| price(a, b)).collect()).collect()
    }

    /// Expectation: how likely each member is of each part.
    pub(super) fn believe(&self, prior: &Prior, all: &Weighted<'_>) -> Belief {
        let parts = self.sizes.len();
        let total = self.sizes.iter().sum::<f64>() + parts as f64;
        let shares: Vec<f32> = self.sizes.iter().map(|size| ((size + 1.0) / total).ln() as f32).collect();
        // By transition, then by part, so that a walk's parts are summed side by side.
        let mut logs = vec![0.0_f32; all.walks.leaves.len() * parts];
        for part in 0..parts {
            for (transition, (&state, prior)) in all.walks.leaves.iter().zip(&prior.counts).enumerate() {
                let left = self.visits[part][state as usize] + PRIOR;
                logs[transition * parts + part] =
                    ((self.moves[part][transition] + prior) / left).max(1e-9).ln() as f32;
            }
        }
        let mut rows = Vec::with_capacity(all.members.len() * parts);
        let mut row = vec![0.0_f32; parts];
        for &member in &all.members {
            row.copy_from_slice(&shares);
            for &(transition, count) in all.walks.moves(member) {
                let from = transition as usize * parts;
                for (value, log) in row.iter_mut().zip(&logs[from..from + parts]) {
                    *value += count * log;
                }
            }
            let most = row.iter().copied().fold(f32::MIN, f32::max);
            let mut sum = 0.0;
            for value in &mut row {
                *value = (*value - most).exp();
                sum += *value;
            }
            rows.extend(row.iter().map(|value| value / sum));
        }
        Belief { parts, rows }
    }
}

/// The greatest likelihood that such transitions can have.
fn likelihood(walks: &Walks, moves: &[f64]) -> f64 {
    let visits = leaving(walks, moves);
    let moves = moves.iter().zip(&walks.leaves).filter(|(moves, _)| **moves > 0.0);
    moves.map(|(moves, &state)| moves * (moves / visits[state as usize]).ln()).sum()
}

fn worth(
    prior: &Prior,
    size: f64,
    visits: impl Iterator<Item = f64>,
    moves: impl Iterator<Item = f64>,
) -> f64 {
    let left = ln_gamma(PRIOR);
    let mut worth = ln_gamma(1.0 + size);
    for visits in visits.filter(|visits| *visits > 0.0) {
        worth += left - ln_gamma(PRIOR + visits);
    }
    for ((moves, own), gamma) in
        moves.zip(&prior.counts).zip(&prior.gammas).filter(|((moves, _), _)| *moves > 0.0)
    {
        worth += ln_gamma(own + moves) - gamma;
    }
    worth
}

/// A division into parts with what it is worth.
#[derive(Clone)]
pub(super) struct Fitted {
    pub(super) belief: Belief,
    pub(super) counts: Counts,
    pub(super) score: f64,
}

/// Expectation and maximisation in turn until nothing changes much.
pub(super) fn fit(sample: &Weighted<'_>, prior: &Prior, belief: Belief, rounds: usize) -> Fitted {
    let counts = Counts::of(sample, &belief);
    let mut now = Fitted { score: counts.score(prior), belief, counts };
    for _ in 0..rounds {
        let belief = now.counts.believe(prior, sample);
        let counts = Counts::of(sample, &belief);
        let score = counts.score(prior);
        let settled = (score - now.score).abs() < 1e-6 * now.score.abs();
        now = Fitted { belief, counts, score };
        if settled {
            break;
        }
    }
    now
}

impl Fitted {
    /// Without parts of fewer sessions than that.
    pub(super) fn without_small(
        self,
        sample: &Weighted<'_>,
        prior: &Prior,
        least: f64,
        rounds: usize,
    ) -> Fitted {
        let sizes = &self.counts.sizes;
        let kept: Vec<usize> = (0..sizes.len()).filter(|&part| sizes[part] >= least).collect();
        if kept.len() == sizes.len() || kept.is_empty() {
            return self;
        }
        fit(sample, prior, self.belief.only(&kept), rounds)
    }
}

/// `ln Γ(x)` for x > 0, by Stirling's series behind a shift: [DLMF 5.11.1](https://dlmf.nist.gov/5.11.E1).
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 1.0);
    while x < 8.0 {
        shift *= x;
        x += 1.0;
    }
    let square = x * x;
    (x - 0.5) * x.ln() - x
        + 0.918_938_533_204_672_7
        + (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * square)) / square) / x
        - shift.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gammas() {
        for (x, wanted) in [
            (1.0, 0.0),
            (2.0, 0.0),
            (5.0, 24.0_f64.ln()),
            (0.5, std::f64::consts::PI.sqrt().ln()),
            (11.0, 3_628_800.0_f64.ln()),
        ] {
            assert!((ln_gamma(x) - wanted).abs() < 1e-8, "{x}");
        }
        assert!((ln_gamma(1e-3) - 6.907_178_885_383_853).abs() < 1e-8);
    }
}
