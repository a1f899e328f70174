//! New sessions out of recorded ones: walks along their transitions.
//!
//! The state of a walk is the step it stands on with the one before it (second order), where that pair occurred often enough;
//! the rarer pairs of an endpoint share a state. From a state the walk draws one of the recorded places that are in it, and
//! goes on with the step that followed *that* place in its session: its parameters, its pause, its connection. Where the
//! place was a session's last, the walk ends. So every step was somebody's, and every pair of steps occurred.
//!
//! ```text
//! walk:      login ── account ──?          places in the state (login, account):  session 7, step 3
//! session 7: … login ── account ── search                                         session 9, step 5
//! session 9: … login ── account ── logout             draw session 9 ──► the walk goes on with its logout
//! ```
//!
//! Places are drawn like cards, without replacement until all were: over many walks each state is left as often for each next
//! step as in the recording, with less noise than independent draws would have. A place whose next step needs a value that
//! the walk cannot have been handed is put back for a later walk, as long as another one will do.

use std::collections::HashMap;

use super::vary::mix;

/// A pair of steps that occurred this often is a state of its own.
const OFTEN: usize = 10;
/// Cards looked at for one that fits.
const TRIES: usize = 32;

/// One recorded step, as far as walks go by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The endpoint asked for.
    pub endpoint: u32,
    /// How many steps before it stands the one it waits for; 0: it waits for none.
    pub back: u32,
    /// Numbers of the correlations whose values it sends.
    pub needs: Box<[u32]>,
}

/// One step of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Number of the place among those of all sessions.
    pub place: u32,
    /// The earlier step of the walk after whose end it comes.
    pub waits_for: Option<u32>,
}

/// Places of one state, dealt without replacement.
#[derive(Debug, Default)]
struct Deck {
    order: Vec<u32>,
    next: usize,
}

/// A source of random numbers that is the same for ever: `SplitMix64`.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        (mix(self.0) % end.max(1) as u64) as usize
    }
}

impl Deck {
    fn new(order: Vec<u32>) -> Deck {
        Deck { next: order.len(), order }
    }

    fn draw(&mut self, random: &mut Random, fits: impl Fn(u32) -> bool) -> Option<u32> {
        if self.order.is_empty() {
            return None;
        }
        if self.next >= self.order.len() {
            for last in (1..self.order.len()).rev() {
                self.order.swap(last, random.below(last + 1));
            }
            self.next = 0;
        }
        let looked_at = self.order.get(self.next..)?.iter().take(TRIES);
        let chosen = looked_at.copied().position(fits).unwrap_or(0);
        self.order.swap(self.next, self.next + chosen);
        let card = self.order.get(self.next).copied();
        self.next += 1;
        card
    }
}

/// Makes walks; the same seed makes the same ones.
#[derive(Debug)]
pub struct Walker<'a> {
    places: Vec<Place>,
    /// By place: whether its session ends with it.
    last: Vec<bool>,
    /// By place: the state that a walk is in there.
    state: Vec<u32>,
    decks: Vec<Deck>,
    first: Deck,
    /// By endpoint: correlations that its responses hand out.
    gives: &'a [Vec<u32>],
    /// By correlation: whether the walk in hand has been handed it.
    has: Vec<bool>,
    longest: usize,
    random: Random,
}

impl<'a> Walker<'a> {
    /// Of these sessions; `gives` says for each endpoint which correlations its responses hand out. Places are numbered through
    /// all sessions in order.
    pub fn new(
        sessions: impl IntoIterator<Item = Vec<Place>>,
        gives: &'a [Vec<u32>],
        seed: u64,
    ) -> Walker<'a> {
        let (mut places, mut last, mut first) = (Vec::new(), Vec::new(), Vec::new());
        let mut longest = 0;
        let mut pairs: HashMap<(u32, Option<u32>), Vec<u32>> = HashMap::new();
        for session in sessions {
            if session.is_empty() {
                continue;
            }
            first.push(places.len() as u32);
            longest = longest.max(session.len());
            let mut before = None;
            for place in session {
                pairs.entry((place.endpoint, before)).or_default().push(places.len() as u32);
                before = Some(place.endpoint);
                places.push(place);
                last.push(false);
            }
            if let Some(ends) = last.last_mut() {
                *ends = true;
            }
        }
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.sort_unstable();
        let mut decks: Vec<Vec<u32>> = Vec::new();
        let mut rare: HashMap<u32, usize> = HashMap::new();
        let mut state = vec![0; places.len()];
        for ((endpoint, _), members) in pairs {
            let number = if members.len() >= OFTEN {
                decks.len()
            } else {
                *rare.entry(endpoint).or_insert(decks.len())
            };
            if number == decks.len() {
                decks.push(Vec::new());
            }
            for &place in &members {
                state[place as usize] = number as u32;
            }
            decks[number].extend(members);
        }
        let correlations = gives
            .iter()
            .flatten()
            .chain(places.iter().flat_map(|place| &place.needs))
            .map(|&number| number as usize + 1)
            .max()
            .unwrap_or(0);
        Walker {
            places,
            last,
            state,
            decks: decks.into_iter().map(Deck::new).collect(),
            first: Deck::new(first),
            gives,
            has: vec![false; correlations],
            // A chain may go in circles for long; what is cut is one walk in very many.
            longest: longest * 4 + 16,
            random: Random(mix(seed)),
        }
    }

    /// The place with this number.
    pub fn place(&self, number: u32) -> Option<&Place> {
        self.places.get(number as usize)
    }

    /// The next walk; empty where there is no session to make one of.
    pub fn walk(&mut self) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::new();
        self.has.fill(false);
        let (places, has) = (&self.places, &self.has);
        let fits = |place: u32| places.get(place as usize).is_some_and(|place| satisfied(place, has));
        let mut at = self.first.draw(&mut self.random, fits);
        while let Some(place) = at {
            let Some(known) = self.places.get(place as usize) else { break };
            let number = turns.len() as u32;
            // A step that went out beside others goes out beside what stands there in the walk.
            let waits_for = match known.back {
                // Several that waited for none begin a session together; in the midst of a walk nothing does.
                0 => number.checked_sub(1).filter(|_| turns.iter().any(|turn| turn.waits_for.is_some())),
                back => number.checked_sub(back).or(number.checked_sub(1)),
            };
            turns.push(Turn { place, waits_for });
            for &given in self.gives.get(known.endpoint as usize).into_iter().flatten() {
                if let Some(has) = self.has.get_mut(given as usize) {
                    *has = true;
                }
            }
            if turns.len() >= self.longest {
                break;
            }
            let Some(deck) =
                self.state.get(place as usize).and_then(|&state| self.decks.get_mut(state as usize))
            else {
                break;
            };
            let (places, has, last) = (&self.places, &self.has, &self.last);
            let ends = |place: u32| last.get(place as usize).copied().unwrap_or(true);
            let drawn = deck.draw(&mut self.random, |place| {
                ends(place) || places.get(place as usize + 1).is_some_and(|next| satisfied(next, has))
            });
            at = drawn.filter(|&place| !ends(place)).map(|place| place + 1);
        }
        turns
    }
}

fn satisfied(place: &Place, has: &[bool]) -> bool {
    place.needs.iter().all(|&need| has.get(need as usize).copied().unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(endpoints: &[u32]) -> Vec<Place> {
        let place = |(number, &endpoint): (usize, &u32)| Place {
            endpoint,
            back: u32::from(number > 0),
            needs: Box::default(),
        };
        endpoints.iter().enumerate().map(place).collect()
    }

    fn endpoints(walker: &Walker<'_>, turns: &[Turn]) -> Vec<u32> {
        turns.iter().filter_map(|turn| walker.place(turn.place)).map(|place| place.endpoint).collect()
    }

    #[test]
    fn second_order_where_there_is_enough_of_it() {
        // After 0→2 comes 3, after 1→2 comes 4: a first-order chain would mix them.
        let sessions = (0..20).flat_map(|_| [chain(&[0, 2, 3]), chain(&[1, 2, 4])]);
        let mut walker = Walker::new(sessions, &[], 1);
        for _ in 0..200 {
            let turns = walker.walk();
            let seen = endpoints(&walker, &turns);
            assert!(seen == [0, 2, 3] || seen == [1, 2, 4], "{seen:?}");
        }
        let mut few = Walker::new([chain(&[0, 2, 3]), chain(&[1, 2, 4])], &[], 1);
        let crossed = (0..200).filter(|_| {
            let turns = few.walk();
            endpoints(&few, &turns) == [0, 2, 4]
        });
        assert!(crossed.count() > 20, "two sessions say nothing of what comes after a pair");
    }

    #[test]
    fn transitions_come_as_often_as_recorded() {
        let sessions: Vec<Vec<Place>> = (0..300_usize)
            .map(|n| chain(&[&[0, 1][..], &vec![2; n % 7], &[1, 3][n % 2..]].concat()))
            .collect();
        let count = |walks: &[Vec<u32>]| {
            let mut pairs: HashMap<(u32, u32), f64> = HashMap::new();
            for walk in walks {
                for pair in walk.windows(2) {
                    *pairs.entry((pair[0], pair[1])).or_default() += 1.0 / walks.len() as f64;
                }
            }
            pairs
        };
        let recorded: Vec<Vec<u32>> =
            sessions.iter().map(|session| session.iter().map(|place| place.endpoint).collect()).collect();
        let mut walker = Walker::new(sessions, &[], 9);
        let walks: Vec<Vec<u32>> = (0..3000)
            .map(|_| {
                let turns = walker.walk();
                endpoints(&walker, &turns)
            })
            .collect();
        let (recorded, walked) = (count(&recorded), count(&walks));
        assert_eq!(recorded.len(), walked.len());
        for (pair, share) in recorded {
            assert!((walked[&pair] - share).abs() < 0.03, "{pair:?}: {} for {share}", walked[&pair]);
        }
    }

    #[test]
    fn what_is_sent_was_handed_out_before() {
        // 1 hands out what 3 needs. Of pairs that are a state of their own, who came by 0 does not get to 3 at all; here a step
        // between them makes all states alike, and only the rule about values tells them apart.
        let mut through = chain(&[1, 5, 2, 3]);
        through[3].needs = Box::new([0]);
        let sessions: Vec<_> = (0..200).flat_map(|_| [through.clone(), chain(&[0, 5, 2, 4])]).collect();
        let gives = [vec![], vec![0], vec![], vec![], vec![], vec![]];
        let mut walker = Walker::new(sessions, &gives, 5);
        let mut stale = 0;
        for _ in 0..400 {
            let turns = walker.walk();
            let seen = endpoints(&walker, &turns);
            stale += usize::from(seen.contains(&3) && !seen.contains(&1));
        }
        // At the end of a round there may be no other card left.
        assert!(stale <= 8, "{stale} of 400");
        assert_eq!(Walker::new([], &[], 1).walk(), []);
    }

    #[test]
    fn steps_side_by_side_stay_so() {
        // A page and three requests that wait for it.
        let mut page = chain(&[0, 1, 2, 3]);
        for (number, place) in page.iter_mut().enumerate().skip(1) {
            place.back = number as u32;
        }
        let mut walker = Walker::new([page], &[], 1);
        let waits: Vec<Option<u32>> = walker.walk().iter().map(|turn| turn.waits_for).collect();
        assert_eq!(waits, [None, Some(0), Some(0), Some(0)]);
    }
}
