//! A mixture of first-order Markov chains, fitted by expectation and maximisation: Cadez, Heckerman, Meek, Smyth and White,
//! *Model-based clustering and visualization of navigation patterns on a Web site*, Data Mining and Knowledge Discovery 7
//! (2003).
//!
//! Distances say which sessions look alike; which of two overlapping behaviours a session is more likely of is said by the
//! transitions that each makes. So what the medoids have found is where this begins: the parts are fitted, and the two
//! whose union costs least are joined as long as that pays by the integrated completed likelihood
//! `ICL = ln L + Σ r ln r − ν/2 ln n` (Biernacki, Celeux, Govaert, IEEE PAMI 22, 2000), which, unlike BIC, does not reward parts that
//! overlap.

use crate::hash::Map;

/// Rounds after a union, and at the end.
const ROUNDS: usize = 12;
/// Unions that are fitted with all rounds, of those that look best after one.
const CLOSER: usize = 4;
/// Rounds over all sessions.
const LAST_ROUNDS: usize = 4;
/// A part's transitions from a state that it leaves so often (n) weigh `n²/(n² + c²)`, the mean of all parts the rest: what
/// is rare in a part says nothing about it, and must not draw in sessions from where it is common.
const RARE: f64 = 4.0;
/// A part visits an endpoint when it does so this often in a session.
const SELDOM: f64 = 0.05;
/// Parts with this share of the sessions are of some size.
const SIZABLE: f64 = 0.03;
/// Parts are joined only where this share of one's steps is at endpoints that the other visits.
const MOSTLY: f64 = 0.8;
/// The state before the first endpoint and after the last.
const OUTSIDE: u32 = u32::MAX;

/// Sessions as counts of transitions.
pub(super) struct Walks {
    /// By walk: transition and how often. All in one, as there may be very many.
    moves: Vec<(u32, f32)>,
    /// Where each walk begins in `moves`.
    begins: Vec<usize>,
    /// By transition: the number of the state that it leaves.
    leaves: Vec<u32>,
    states: usize,
}

impl Walks {
    pub(super) fn of<'s>(sequences: impl Iterator<Item = &'s [u32]>) -> Walks {
        let mut walks = Walks { moves: Vec::new(), begins: vec![0], leaves: Vec::new(), states: 0 };
        let mut transitions: Map<u64, u32> = Map::default();
        let mut states: Map<u32, u32> = Map::default();
        let mut of_one: Vec<u32> = Vec::new();
        for sequence in sequences {
            of_one.clear();
            let mut before = OUTSIDE;
            for &next in sequence.iter().chain(std::iter::once(&OUTSIDE)) {
                let number = transitions.len() as u32;
                let transition =
                    *transitions.entry(u64::from(before) << 32 | u64::from(next)).or_insert_with(|| {
                        let state = states.len() as u32;
                        walks.leaves.push(*states.entry(before).or_insert(state));
                        number
                    });
                of_one.push(transition);
                before = next;
            }
            of_one.sort_unstable();
            for same in of_one.chunk_by(|a, b| a == b) {
                if let Some(&transition) = same.first() {
                    walks.moves.push((transition, same.len() as f32));
                }
            }
            walks.begins.push(walks.moves.len());
        }
        walks.states = states.len();
        walks
    }

    fn moves(&self, walk: usize) -> &[(u32, f32)] {
        &self.moves[self.begins[walk]..self.begins[walk + 1]]
    }
}

/// Which walks are looked at, and how many sessions each stands for.
pub(super) struct Weighted<'w> {
    pub(super) walks: &'w Walks,
    pub(super) members: Vec<usize>,
    pub(super) weights: Vec<f64>,
}

/// What is known of the parts: shares, and logarithms of the probabilities of the transitions.
#[derive(Clone)]
struct Model {
    shares: Vec<f64>,
    /// By part, then by transition.
    moves: Vec<Vec<f32>>,
    /// Free parameters.
    free: f64,
    /// By part, then by state: how often it is left; the first is [`OUTSIDE`], left once in each session.
    visits: Vec<Vec<f64>>,
}

/// How likely each member is of each part: row by row.
#[derive(Clone)]
struct Belief {
    parts: usize,
    rows: Vec<f32>,
}

impl Weighted<'_> {
    fn total(&self) -> f64 {
        self.weights.iter().sum()
    }

    /// Maximisation.
    fn model(&self, belief: &Belief) -> Model {
        let (parts, transitions) = (belief.parts, self.walks.leaves.len());
        let mut counts = vec![vec![0.0_f64; transitions]; parts];
        let mut shares = vec![0.0_f64; parts];
        for ((&member, &weight), row) in self.members.iter().zip(&self.weights).zip(belief.rows.chunks(parts))
        {
            for (part, &belief) in row.iter().enumerate().filter(|(_, belief)| **belief > 1e-6) {
                let weight = weight * f64::from(belief);
                shares[part] += weight;
                for &(transition, count) in self.walks.moves(member) {
                    counts[part][transition as usize] += weight * f64::from(count);
                }
            }
        }
        let leaving = |counts: &[f64]| {
            let mut totals = vec![0.0_f64; self.walks.states];
            for (&state, &count) in self.walks.leaves.iter().zip(counts) {
                totals[state as usize] += count;
            }
            totals
        };
        let mut all = vec![0.0_f64; transitions];
        for counts in &counts {
            for (all, count) in all.iter_mut().zip(counts) {
                *all += count;
            }
        }
        let all_leaving = leaving(&all);
        // A part has a parameter for each way out of the states that it visits, whether it takes that way or not: else
        // parts that never do something would be had for nothing.
        let mut ways = vec![0.0_f64; self.walks.states];
        for (&state, _) in self.walks.leaves.iter().zip(&all).filter(|(_, count)| **count >= 0.5) {
            ways[state as usize] += 1.0;
        }
        let mut free = parts as f64 - 1.0;
        let visits: Vec<Vec<f64>> = counts.iter().map(|counts| leaving(counts)).collect();
        let moves = counts
            .iter()
            .zip(&visits)
            .map(|(counts, own)| {
                free += own
                    .iter()
                    .zip(&ways)
                    .filter(|(own, _)| **own >= 0.5)
                    .map(|(_, ways)| ways - 1.0)
                    .sum::<f64>();
                counts
                    .iter()
                    .zip(&all)
                    .zip(&self.walks.leaves)
                    .map(|((&count, &all), &state)| {
                        let mean = (all + 0.01) / (all_leaving[state as usize] + 1.0);
                        let left = own[state as usize];
                        let known = left * left / (left * left + RARE * RARE);
                        let share = if left > 0.0 { count / left } else { 0.0 };
                        (known * share + (1.0 - known) * mean).max(1e-9).ln() as f32
                    })
                    .collect()
            })
            .collect();
        let total = self.total().max(1.0);
        for share in &mut shares {
            *share = (*share / total).max(1e-9);
        }
        Model { shares, moves, free, visits }
    }

    /// Expectation: beliefs, and ICL.
    fn believe(&self, model: &Model) -> (Belief, f64) {
        let parts = model.shares.len();
        let logs: Vec<f64> = model.shares.iter().map(|share| share.ln()).collect();
        let mut rows = Vec::with_capacity(self.members.len() * parts);
        let mut likelihood = 0.0;
        let mut certainty = 0.0;
        let mut row = vec![0.0_f64; parts];
        for (&member, &weight) in self.members.iter().zip(&self.weights) {
            let moves = self.walks.moves(member);
            for ((value, share), of_part) in row.iter_mut().zip(&logs).zip(&model.moves) {
                *value = share
                    + moves
                        .iter()
                        .map(|&(transition, count)| f64::from(count * of_part[transition as usize]))
                        .sum::<f64>();
            }
            let most = row.iter().copied().fold(f64::MIN, f64::max);
            let sum: f64 = row.iter().map(|value| (value - most).exp()).sum();
            likelihood += weight * (most + sum.ln());
            for value in &row {
                let belief = (value - most).exp() / sum;
                if belief > 1e-12 {
                    certainty += weight * belief * belief.ln();
                }
                rows.push(belief as f32);
            }
        }
        let icl = likelihood + certainty - model.free / 2.0 * self.total().max(2.0).ln();
        (Belief { parts, rows }, icl)
    }

    /// Whether no part of some size has gone over to others. A union makes room, and into it might fall what has nothing in common
    /// with anything: see [`Model::overlap`].
    fn keeps(&self, before: &Belief, after: &Belief) -> bool {
        let mut sizes = vec![(0.0_f64, 0.0_f64); before.parts];
        let rows = before.rows.chunks(before.parts).zip(after.rows.chunks(after.parts));
        for ((before, after), weight) in rows.zip(&self.weights) {
            for ((size, before), after) in sizes.iter_mut().zip(before).zip(after) {
                size.0 += weight * f64::from(*before);
                size.1 += weight * f64::from(before.min(*after));
            }
        }
        let total = self.total();
        sizes.iter().all(|(size, kept)| *size < SIZABLE * total || kept * 2.0 >= *size)
    }

    fn fit(&self, mut belief: Belief, rounds: usize) -> (Model, Belief, f64) {
        let mut model = self.model(&belief);
        let mut icl = f64::MIN;
        for round in 0..rounds.max(1) {
            let (next, now) = self.believe(&model);
            belief = next;
            let settled = (now - icl).abs() < 1e-6 * now.abs();
            icl = now;
            if settled || round + 1 == rounds {
                break;
            }
            model = self.model(&belief);
        }
        (model, belief, icl)
    }
}

impl Model {
    /// Whether one of two parts keeps to what the other visits as well. A chain that has a part here and a part there fits
    /// two behaviours with nothing in common as well as it fits one; that they have nothing in common tells them apart.
    fn overlap(&self, a: usize, b: usize) -> bool {
        let within = |one: usize, other: usize| {
            let (Some(one), Some(other)) = (self.visits.get(one), self.visits.get(other)) else {
                return false;
            };
            let sessions = other.first().copied().unwrap_or(0.0);
            let (mut all, mut common) = (0.0, 0.0);
            for (visits, others) in one.iter().zip(other).skip(1) {
                all += visits;
                common += if *others >= SELDOM * sessions { *visits } else { 0.0 };
            }
            common >= MOSTLY * all
        };
        within(a, b) || within(b, a)
    }
}

impl Belief {
    fn certain(parts: usize, of: &[usize]) -> Belief {
        let mut rows = vec![0.0; of.len() * parts];
        for (row, &part) in rows.chunks_mut(parts).zip(of) {
            row[part] = 1.0;
        }
        Belief { parts, rows }
    }

    /// With part `b` made part of `a`.
    fn union(&self, a: usize, b: usize) -> Belief {
        let mut rows = Vec::with_capacity(self.rows.len() / self.parts * (self.parts - 1));
        for row in self.rows.chunks(self.parts) {
            for (part, &belief) in row.iter().enumerate().filter(|(part, _)| *part != b) {
                rows.push(if part == a { belief + row[b] } else { belief });
            }
        }
        Belief { parts: self.parts - 1, rows }
    }
}

/// The part of each walk. It begins with the parts that `seeds` are of (`seed_parts`), learns from `sample`, joins parts where that
/// pays (`may_join`), and then places all walks of `all`.
pub(super) fn fit(
    seeds: &Weighted<'_>,
    seed_parts: &[usize],
    sample: &Weighted<'_>,
    all: &Weighted<'_>,
    may_join: bool,
) -> Vec<usize> {
    let parts = seed_parts.iter().max().map_or(1, |most| most + 1);
    let begun = seeds.model(&Belief::certain(parts, seed_parts));
    let (belief, _) = sample.believe(&begun);
    let mut now = sample.fit(belief, ROUNDS);
    let mut best = now.clone();
    while may_join && now.1.parts > 1 {
        let mut unions: Vec<(f64, usize, usize)> = Vec::new();
        for a in 0..now.1.parts {
            for b in (a + 1..now.1.parts).filter(|&b| now.0.overlap(a, b)) {
                let (_, _, icl) = sample.fit(now.1.union(a, b), 1);
                unions.push((icl, a, b));
            }
        }
        unions.sort_by(|x, y| y.0.total_cmp(&x.0).then((x.1, x.2).cmp(&(y.1, y.2))));
        // One round says which are worth a closer look.
        let fitted = unions.iter().take(CLOSER).filter_map(|&(_, a, b)| {
            let union = now.1.union(a, b);
            let fitted = sample.fit(union.clone(), ROUNDS);
            sample.keeps(&union, &fitted.1).then_some(fitted)
        });
        let Some(joined) = fitted.reduce(|best, next| if next.2 > best.2 { next } else { best }) else {
            break;
        };
        now = joined;
        if now.2 > best.2 {
            best = now.clone();
        }
    }
    let (mut model, ..) = best;
    let mut belief = all.believe(&model).0;
    for _ in 0..LAST_ROUNDS {
        model = all.model(&belief);
        belief = all.believe(&model).0;
    }
    belief
        .rows
        .chunks(belief.parts)
        .map(|row| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a))).unwrap_or(0))
        .collect()
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    fn everything(walks: &Walks, count: usize) -> Weighted<'_> {
        Weighted { walks, members: (0..count).collect(), weights: vec![1.0; count] }
    }

    /// Walks over the same three endpoints; one kind goes round one way, the other the other way.
    fn rounds(seed: u64, kinds: &[u32]) -> Vec<Vec<u32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        kinds
            .iter()
            .map(|&kind| {
                let (mut at, mut walk) = (0, vec![0]);
                while walk.len() < 3 || rng.random_bool(0.9) {
                    let step = if rng.random_bool(0.85) { 1 + kind } else { 2 - kind };
                    at = (at + step) % 3;
                    walk.push(at);
                }
                walk
            })
            .collect()
    }

    #[test]
    fn what_differs_in_order_only_is_told_apart_even_from_a_poor_start() {
        let kinds: Vec<u32> = (0..400).map(|n| u32::from(n % 3 == 0)).collect();
        let sequences = rounds(5, &kinds);
        let walks = Walks::of(sequences.iter().map(Vec::as_slice));
        let all = everything(&walks, sequences.len());
        // One in four is in the wrong part at the beginning.
        let begun: Vec<usize> = kinds
            .iter()
            .enumerate()
            .map(|(n, &kind)| (kind as usize + usize::from(n % 4 == 0)) % 2)
            .collect();
        let found = fit(&all, &begun, &all, &all, true);
        let wrong = found.iter().zip(&kinds).filter(|(found, kind)| **found != **kind as usize).count();
        assert!(wrong.min(400 - wrong) <= 12, "{wrong} of 400 are wrong");
    }

    #[test]
    fn parts_of_one_kind_are_joined() {
        let kinds = vec![0; 300];
        let sequences = rounds(6, &kinds);
        let walks = Walks::of(sequences.iter().map(Vec::as_slice));
        let all = everything(&walks, sequences.len());
        let begun: Vec<usize> = (0..300).map(|n| n % 4).collect();
        assert!(fit(&all, &begun, &all, &all, true).iter().all(|&part| part == 0));
    }
}
