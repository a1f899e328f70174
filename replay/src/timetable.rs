//! When which session begins: a pure function of the seed, computed ahead.
//!
//! Open model: arrivals of rate one (a Poisson process, whose gaps are exponential, `-ln(1-u)`; or even; or as recorded) are
//! stretched over the curve that is asked for, so that there are as many at each moment as it says. Which profile arrives is
//! drawn in blocks of `BLOCK`: within each the counts follow the weights to within one, what is left over is carried to the
//! next block, and the order inside a block is shuffled. So short runs too have the profiles' shares. Sessions of a profile
//! are a shuffled deck without replacement.
//!
//! Thread `k` of `n` plays the numbers ≡ `k` (mod `n`) of the one timetable; so `n` threads, processes or machines send
//! together exactly what one would.

use std::sync::Arc;

use mynah_traffic::Nanos;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::curve::Curve;

/// Cards that are dealt at a time.
const BLOCK: usize = 20;

/// Which session is played: what a [`Cards`] sequence is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Card {
    /// Index of the profile.
    pub profile: u32,
    /// Index of the session within the profile.
    pub session: u32,
}

/// One session's place in the timetable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its number, from 0.
    pub number: u64,
    /// When it begins, from the start of the run.
    pub at: Nanos,
    /// What is played.
    pub card: Card,
    /// Whose identity it has (modulo the rows that there are).
    pub identity: u64,
    /// How many came before it of those that share rows of data with it.
    pub nth: u64,
}

/// A profile as the timetable sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Relative to the others'; zero or more.
    pub weight: f64,
    /// Sessions to choose from; a profile with none is never dealt.
    pub sessions: u32,
}

/// A number in [0, 1) with 53 bits. Written out so that a new version of a library cannot change old timetables.
fn unit(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Fisher–Yates. The bias of the modulus is below 2⁻³² for decks below 2³² cards.
fn shuffle<T>(deck: &mut [T], random: &mut ChaCha8Rng) {
    for last in (1..deck.len()).rev() {
        let chosen = (random.next_u64() % (last as u64 + 1)) as usize;
        deck.swap(last, chosen);
    }
}

struct ProfileDeck {
    profile: u32,
    share: f64,
    /// What the weights promised and was not dealt yet.
    owed: f64,
    order: Vec<u32>,
    next: usize,
    random: ChaCha8Rng,
}

impl ProfileDeck {
    fn deal(&mut self) -> Card {
        if self.next >= self.order.len() {
            shuffle(&mut self.order, &mut self.random);
            self.next = 0;
        }
        let session = self.order.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        Card { profile: self.profile, session }
    }
}

/// The endless sequence of sessions that a seed stands for.
pub struct Cards {
    decks: Vec<ProfileDeck>,
    block: Vec<usize>,
    random: ChaCha8Rng,
}

/// A random stream of its own for each purpose, so that more of one does not move another.
fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(purpose);
    random
}

impl Cards {
    /// For these profiles; `None` when none of them can be dealt.
    pub fn new(shares: &[Share], seed: u64) -> Option<Cards> {
        let can = |share: &Share| share.sessions > 0 && share.weight > 0.0;
        let total: f64 = shares.iter().filter(|share| can(share)).map(|share| share.weight).sum();
        let mut random = stream(seed, 1);
        let mut decks = Vec::new();
        for (index, share) in shares.iter().enumerate().filter(|(_, share)| can(share)) {
            let order = (0..share.sessions).collect::<Vec<_>>();
            decks.push(ProfileDeck {
                profile: index as u32,
                share: share.weight / total,
                // A random start, so that a rare profile does not come last in every run.
                owed: unit(&mut random) - 0.5,
                next: order.len(),
                order,
                random: stream(seed, 16 + index as u64),
            });
        }
        (!decks.is_empty()).then_some(Cards { decks, block: Vec::new(), random })
    }

    fn deal_block(&mut self) {
        for (index, deck) in self.decks.iter_mut().enumerate() {
            deck.owed += deck.share * BLOCK as f64;
            while deck.owed >= 1.0 && self.block.len() < BLOCK {
                deck.owed -= 1.0;
                self.block.push(index);
            }
        }
        while self.block.len() < BLOCK {
            let most = self.decks.iter().enumerate().max_by(|(_, a), (_, b)| a.owed.total_cmp(&b.owed));
            let Some((index, _)) = most else { break };
            self.decks[index].owed -= 1.0;
            self.block.push(index);
        }
        shuffle(&mut self.block, &mut self.random);
    }
}

impl Iterator for Cards {
    type Item = Card;

    fn next(&mut self) -> Option<Card> {
        if self.block.is_empty() {
            self.deal_block();
        }
        let index = self.block.pop()?;
        self.decks.get_mut(index).map(ProfileDeck::deal)
    }
}

/// Counts sessions, those of profiles in one group together.
#[derive(Clone, Debug)]
pub(crate) struct Ranks {
    /// By profile: its group.
    groups: Arc<[u32]>,
    /// By group.
    counts: Vec<u64>,
}

impl Ranks {
    pub(crate) fn new(groups: Arc<[u32]>) -> Ranks {
        Ranks { counts: vec![0; groups.len()], groups }
    }

    /// How many there were before this one.
    pub(crate) fn next(&mut self, profile: u32) -> u64 {
        let group = self.groups.get(profile as usize).map_or(0, |group| *group as usize);
        let Some(count) = self.counts.get_mut(group) else { return 0 };
        *count += 1;
        *count - 1
    }
}

/// How arrivals lie around the rate that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Spread {
    /// By chance: a Poisson process.
    Poisson,
    /// Evenly: where the curve's area is ½, 1½, 2½, …
    Uniform,
    /// As these did, which are parts of a recording's time in [0, 1), ascending; then again from the first.
    Recorded(Arc<[f64]>),
}

/// Every arrival of a run, in order.
pub struct Timetable {
    source: Source,
    number: u64,
    ranks: Ranks,
}

/// Arrivals along a curve.
struct Along {
    cards: Cards,
    gaps: ChaCha8Rng,
    spread: Spread,
    curve: Arc<Curve>,
    /// Where the last one lies among those of rate one.
    at: f64,
}

impl Along {
    /// When the arrival of this number comes, in seconds.
    fn next(&mut self, number: u64) -> Option<f64> {
        self.at = match &self.spread {
            Spread::Poisson => self.at - (1.0 - unit(&mut self.gaps)).ln(),
            Spread::Uniform => number as f64 + 0.5,
            Spread::Recorded(starts) => {
                let (count, length) = (starts.len() as u64, starts.len() as f64);
                let within = starts.get(number.checked_rem(count)? as usize)?;
                (number / count) as f64 * length + within * length
            }
        };
        self.curve.invert(self.at)
    }
}

enum Source {
    Along(Box<Along>),
    List(std::vec::IntoIter<Card>),
}

impl Timetable {
    /// Sessions arrive at `rate` a second until `duration` is over. `None` when there is no profile to play.
    pub fn open(shares: &[Share], rate: f64, duration: Nanos, seed: u64) -> Option<Timetable> {
        Timetable::along(shares, Arc::new(Curve::level(rate, duration)), Spread::Poisson, seed)
    }

    /// Sessions arrive at the rate that the curve has at each moment (a second), until it ends. `None` when there is no profile to
    /// play.
    pub fn along(shares: &[Share], curve: Arc<Curve>, spread: Spread, seed: u64) -> Option<Timetable> {
        let cards = Cards::new(shares, seed)?;
        let source = Source::Along(Box::new(Along { cards, gaps: stream(seed, 2), spread, curve, at: 0.0 }));
        Some(Timetable { source, number: 0, ranks: Ranks::new(Arc::new([])) })
    }

    /// Sessions of profiles in one group share rows of data: by profile, its group.
    #[must_use]
    pub fn grouped(self, groups: Arc<[u32]>) -> Timetable {
        Timetable { ranks: Ranks::new(groups), ..self }
    }

    /// These sessions, all at the start.
    pub fn at_once(cards: Vec<Card>) -> Timetable {
        Timetable { source: Source::List(cards.into_iter()), number: 0, ranks: Ranks::new(Arc::new([])) }
    }

    /// What thread `k` of `n` plays.
    pub fn stripe(self, k: usize, n: usize) -> impl Iterator<Item = Arrival> {
        self.skip(k).step_by(n.max(1))
    }
}

impl Iterator for Timetable {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let (at, card) = match &mut self.source {
            Source::Along(along) => {
                let at = along.next(self.number)?;
                (Nanos::from_secs_f64(at), along.cards.next()?)
            }
            Source::List(cards) => (Nanos(0), cards.next()?),
        };
        let number = self.number;
        self.number += 1;
        let nth = self.ranks.next(card.profile);
        Some(Arrival { number, at, card, identity: number, nth })
    }
}

#[cfg(test)]
mod tests;
