//! A mixture of first-order Markov chains, fitted by expectation and maximisation: Cadez, Heckerman, Meek, Smyth and White,
//! *Model-based clustering and visualization of navigation patterns on a Web site*, Data Mining and Knowledge Discovery 7
//! (2003).
//!
//! Distances say which sessions look alike; which of two overlapping behaviours a session is more likely of is said by the
//! transitions that each makes. A division into parts is worth its integrated completed likelihood `ln p(sessions, parts)`
//! (Biernacki, Celeux, Govaert, IEEE PAMI 22, 2000), here in closed form, with the transitions of all sessions together as the
//! prior: it says how many parts there are, and unlike BIC does not reward parts that overlap.
//!
//! Expectation and maximisation climb the nearest hill only. So they begin from several starts with more parts than
//! there can be, drawn far apart; the two parts whose union costs least are joined, one pair after the other; and where the
//! starts do not agree, parts of the best are divided again as long as that pays (Ueda, Nakano, Ghahramani, Hinton, *SMEM algorithm
//! for mixture models*, Neural Computation 12, 2000).

mod model;
mod walks;

use model::{Belief, Fitted, Prior, fit};
pub(super) use walks::{Walks, Weighted};

/// Rounds after a start, a union, a division.
const ROUNDS: usize = 12;
/// Unions that are tried, of those that look best.
const CLOSER: usize = 3;
/// Unions in a row that may cost something before no more are tried.
const DOWNHILL: usize = 3;
/// Divisions that are tried of each part.
const DIVISIONS: u64 = 2;
/// Rounds of dividing and joining.
const MOVES: u64 = 4;
/// Number of the first draw for a division; those for starts come before it.
const DIVIDING: u64 = 1_000;
/// What is worth less than so many nats more is no better.
const GAIN: f64 = 5.0;
/// Rounds over all sessions.
const LAST_ROUNDS: usize = 6;
/// A part of a smaller share of the sessions, or of fewer, is an accident.
const SMALLEST: (f64, f64) = (0.004, 3.0);

/// Divides members, given by position in the sample, into so many groups that are far apart; the number says which draw it is.
pub(super) type Seeding<'s> = dyn Fn(&[usize], usize, u64) -> Vec<usize> + 's;

/// What is looked for, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Parts; as many as are worth it when absent.
    pub(super) parts: Option<usize>,
    /// Parts to begin with.
    pub(super) most: usize,
    /// Starts.
    pub(super) starts: u64,
}

struct Search<'s> {
    sample: &'s Weighted<'s>,
    prior: Prior,
    seeding: &'s Seeding<'s>,
    wanted: Option<usize>,
}

/// What was found.
pub(super) struct Found {
    /// The part of each walk.
    pub(super) parts: Vec<usize>,
    /// How unlike any two parts are, in nats for each session of the smaller.
    pub(super) prices: Vec<Vec<f64>>,
    /// Share of the sessions that are likely to be of another part than their own.
    pub(super) doubtful: f64,
}

/// The parts of all walks, learnt from a sample of them.
pub(super) fn find(
    sample: &Weighted<'_>,
    all: &Weighted<'_>,
    seeding: &Seeding<'_>,
    wanted: Wanted,
) -> Found {
    let search = Search { sample, prior: Prior::of(sample), seeding, wanted: wanted.parts };
    let everybody: Vec<usize> = (0..sample.members.len()).collect();
    let start = |number: u64| {
        let begun = Belief::certain(wanted.most, &seeding(&everybody, wanted.most, number));
        search.down(search.fit(begun))
    };
    let mut best = start(0);
    let mut agree = false;
    for number in 1..wanted.starts {
        let found = start(number);
        agree = (found.score - best.score).abs() <= GAIN && found.belief.parts == best.belief.parts;
        if found.score > best.score {
            best = found;
        }
        // Two that went different ways and came to the same place: there is no better one to be had.
        if agree {
            break;
        }
    }
    for round in 0..MOVES {
        if agree || wanted.parts.is_some() {
            break;
        }
        let Some(better) = search.divided(&best, round) else { break };
        best = better;
    }
    let prior = Prior::of(all);
    let last = fit(all, &prior, best.counts.believe(&prior, all), LAST_ROUNDS);
    Found {
        parts: last.belief.likeliest(),
        prices: last.counts.prices(all.walks),
        doubtful: last.belief.doubtful(&all.weights),
    }
}

impl Search<'_> {
    fn fit(&self, belief: Belief) -> Fitted {
        let fitted = fit(self.sample, &self.prior, belief, ROUNDS);
        if self.wanted.is_some() {
            return fitted;
        }
        let least = SMALLEST.1.max(SMALLEST.0 * self.sample.total());
        fitted.without_small(self.sample, &self.prior, least, ROUNDS)
    }

    /// Joins the two parts whose union costs least, again and again; gives the best division on the way.
    fn down(&self, begun: Fitted) -> Fitted {
        let (mut now, mut best, mut downhill) = (begun.clone(), begun, 0);
        while now.belief.parts > self.wanted.unwrap_or(1).max(1) {
            let unions = now.counts.unions(&self.prior);
            let fitted = unions.iter().take(CLOSER).map(|&(_, a, b)| self.fit(now.belief.union(a, b)));
            let Some(next) = fitted.reduce(|best, next| if next.score > best.score { next } else { best })
            else {
                break;
            };
            now = next;
            if self.wanted.is_some() || now.score > best.score {
                best = now.clone();
                downhill = 0;
            } else {
                downhill += 1;
                if downhill >= DOWNHILL {
                    break;
                }
            }
        }
        best
    }

    /// With a part divided where that pays; `None` where no division helps.
    fn divided(&self, now: &Fitted, round: u64) -> Option<Fitted> {
        let owners = now.belief.likeliest();
        let mut best: Option<Fitted> = None;
        for part in 0..now.belief.parts {
            for attempt in 0..DIVISIONS {
                let Some(apart) = self.halves(&owners, part, round * 100 + attempt) else { continue };
                let fitted = self.down(self.fit(now.belief.divide(part, &apart)));
                if fitted.score > best.as_ref().map_or(now.score + GAIN, |best| best.score) {
                    best = Some(fitted);
                }
            }
        }
        best
    }

    /// Two halves of a part, as whether a member is of the second.
    fn halves(&self, owners: &[usize], part: usize, attempt: u64) -> Option<Vec<bool>> {
        let members: Vec<usize> = (0..owners.len()).filter(|&member| owners[member] == part).collect();
        if members.len() < 4 {
            return None;
        }
        let begun = Belief::certain(2, &(self.seeding)(&members, 2, DIVIDING + attempt));
        let inside = Weighted {
            walks: self.sample.walks,
            weights: members.iter().map(|&member| self.sample.weights[member]).collect(),
            members: members.iter().map(|&member| self.sample.members[member]).collect(),
        };
        let halves = fit(&inside, &self.prior, begun, ROUNDS).belief.likeliest();
        let mut apart = vec![false; owners.len()];
        for (&member, half) in members.iter().zip(halves) {
            apart[member] = half == 1;
        }
        Some(apart)
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    const WANTED: Wanted = Wanted { parts: None, most: 4, starts: 2 };

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
        let walks = Walks::of(sequences.iter().map(Vec::as_slice), sequences.len() as f64);
        let all = everything(&walks, sequences.len());
        // One in four is in the wrong part at the beginning.
        let begun: Vec<usize> = kinds
            .iter()
            .enumerate()
            .map(|(n, &kind)| (kind as usize + usize::from(n % 4 == 0)) % 2)
            .collect();
        let seeding = |members: &[usize], groups: usize, draw: u64| -> Vec<usize> {
            members.iter().map(|&member| (begun[member] + member * draw as usize) % groups).collect()
        };
        let found = find(&all, &all, &seeding, WANTED).parts;
        let wrong = found.iter().zip(&kinds).filter(|(found, kind)| **found != **kind as usize).count();
        assert!(wrong.min(400 - wrong) <= 12, "{wrong} of 400 are wrong");
    }

    #[test]
    fn parts_of_one_kind_are_joined() {
        let kinds = vec![0; 300];
        let sequences = rounds(6, &kinds);
        let walks = Walks::of(sequences.iter().map(Vec::as_slice), sequences.len() as f64);
        let all = everything(&walks, sequences.len());
        let seeding = |members: &[usize], groups: usize, _| -> Vec<usize> {
            members.iter().map(|member| member % groups).collect()
        };
        assert!(find(&all, &all, &seeding, WANTED).parts.iter().all(|&part| part == 0));
    }

    #[test]
    fn two_behaviours_with_nothing_in_common_are_two() {
        let mut sequences = rounds(7, &[0; 200]);
        for walk in sequences.iter_mut().skip(160) {
            for endpoint in walk {
                *endpoint += 3;
            }
        }
        let walks = Walks::of(sequences.iter().map(Vec::as_slice), 200.0);
        let all = everything(&walks, sequences.len());
        let seeding = |members: &[usize], groups: usize, draw: u64| -> Vec<usize> {
            members.iter().map(|&member| (member / 20 + draw as usize) % groups).collect()
        };
        let found = find(&all, &all, &seeding, WANTED);
        assert_eq!(found.prices.len(), 2);
        assert!(found.parts.iter().enumerate().all(|(n, &part)| (part == found.parts[0]) == (n < 160)));
        let two = Wanted { parts: Some(3), ..WANTED };
        assert_eq!(find(&all, &all, &seeding, two).prices.len(), 3);
    }
}
