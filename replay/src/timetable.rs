//! When which session begins: a pure function of the seed, computed ahead.
//!
//! Open model: arrivals are a Poisson process, so the gaps are exponential, `-ln(1-u)/rate`. Which profile arrives is
//! drawn in blocks of `BLOCK`: within each the counts follow the weights to within one, what is left over is carried to the
//! next block, and the order inside a block is shuffled. So short runs too have the profiles' shares. Sessions of a profile
//! are a shuffled deck without replacement.
//!
//! Thread `k` of `n` plays the numbers ≡ `k` (mod `n`) of the one timetable; so `n` threads, processes or machines send
//! together exactly what one would.

use mynah_traffic::Nanos;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Cards that are dealt at a time.
const BLOCK: usize = 20;

/// Which session is played: what a [`Cards`] sequence is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Every arrival of a run, in order.
pub struct Timetable {
    source: Source,
    number: u64,
}

struct Poisson {
    cards: Cards,
    gaps: ChaCha8Rng,
    rate: f64,
    at: f64,
    end: f64,
}

enum Source {
    Poisson(Box<Poisson>),
    List(std::vec::IntoIter<Card>),
}

impl Timetable {
    /// Sessions arrive at `rate` a second until `duration` is over. `None` when there is no profile to play.
    pub fn open(shares: &[Share], rate: f64, duration: Nanos, seed: u64) -> Option<Timetable> {
        let cards = Cards::new(shares, seed)?;
        let source = Source::Poisson(Box::new(Poisson {
            cards,
            gaps: stream(seed, 2),
            rate: rate.max(f64::MIN_POSITIVE),
            at: 0.0,
            end: duration.as_secs_f64(),
        }));
        Some(Timetable { source, number: 0 })
    }

    /// These sessions, all at the start.
    pub fn at_once(cards: Vec<Card>) -> Timetable {
        Timetable { source: Source::List(cards.into_iter()), number: 0 }
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
            Source::Poisson(poisson) => {
                let Poisson { cards, gaps, rate, at, end } = poisson.as_mut();
                *at += -(1.0 - unit(gaps)).ln() / *rate;
                if *at >= *end {
                    return None;
                }
                (Nanos::from_secs_f64(*at), cards.next()?)
            }
            Source::List(cards) => (Nanos(0), cards.next()?),
        };
        let number = self.number;
        self.number += 1;
        Some(Arrival { number, at, card, identity: number })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares() -> Vec<Share> {
        [(60.0, 7), (39.0, 3), (1.0, 1), (5.0, 0), (0.0, 4)]
            .map(|(weight, sessions)| Share { weight, sessions })
            .to_vec()
    }

    fn all(seed: u64) -> Vec<Arrival> {
        Timetable::open(&shares(), 50.0, Nanos(20_000_000_000), seed).unwrap().collect()
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(all(7), all(7));
        assert_ne!(all(7), all(8));
        let times = |seed| all(seed).iter().map(|arrival| arrival.at).collect::<Vec<_>>();
        assert_ne!(times(7), times(8));
    }

    #[test]
    fn arrivals_are_in_order_and_as_many_as_asked() {
        let arrivals = all(1);
        assert!(
            arrivals.windows(2).all(|pair| pair[0].at <= pair[1].at && pair[0].number + 1 == pair[1].number)
        );
        // 1000 expected; the standard deviation is 32.
        assert!((800..1200).contains(&arrivals.len()), "{}", arrivals.len());
        assert!(arrivals.iter().all(|arrival| arrival.at < Nanos(20_000_000_000)));
    }

    #[test]
    fn shares_are_met_in_short_runs() {
        for seed in 0..20 {
            for length in [40, 100, 400] {
                let mut seen = [0_u32; 5];
                for card in Cards::new(&shares(), seed).unwrap().take(length) {
                    seen[card.profile as usize] += 1;
                }
                for (profile, share) in [(0, 0.6), (1, 0.39), (2, 0.01)] {
                    let wanted = share * length as f64;
                    assert!((f64::from(seen[profile]) - wanted).abs() <= 2.0, "{seen:?} of {length}");
                }
                assert_eq!(seen[3] + seen[4], 0);
            }
        }
    }

    #[test]
    fn every_session_is_played_before_one_is_played_again() {
        let cards: Vec<Card> =
            Cards::new(&[Share { weight: 1.0, sessions: 7 }], 3).unwrap().take(21).collect();
        for round in cards.chunks(7) {
            let mut sessions: Vec<u32> = round.iter().map(|card| card.session).collect();
            sessions.sort_unstable();
            assert_eq!(sessions, (0..7).collect::<Vec<_>>());
        }
    }

    #[test]
    fn nobody_to_play() {
        assert!(Cards::new(&[], 1).is_none());
        assert!(Cards::new(&[Share { weight: 0.0, sessions: 3 }], 1).is_none());
    }

    proptest! {
        #[test]
        fn stripes_together_are_the_whole(seed: u64, threads in 1_usize..9) {
            let whole: Vec<Arrival> =
                Timetable::open(&shares(), 20.0, Nanos(5_000_000_000), seed).unwrap().collect();
            let mut union = Vec::new();
            for k in 0..threads {
                let table = Timetable::open(&shares(), 20.0, Nanos(5_000_000_000), seed).unwrap();
                let stripe: Vec<Arrival> = table.stripe(k, threads).collect();
                prop_assert!(stripe.iter().all(|arrival| arrival.number % threads as u64 == k as u64));
                union.extend(stripe);
            }
            union.sort_by_key(|arrival| arrival.number);
            prop_assert_eq!(union, whole);
        }
    }
}
