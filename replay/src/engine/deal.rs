//! Which session a user of the closed model plays next: the same whichever thread or machine the user is on.

use std::sync::Arc;

use crate::Error;
use crate::prepared::Plan;
use crate::timetable::{Card, Cards, Ranks, Share};

/// The sequence begins anew behind this many cards, so that a long run takes no more memory than 16 MiB a thread for it.
const MOST_DEALT: u64 = 1 << 20;

/// A user's place where users are of one profile each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seat {
    profile: u32,
    /// Among the users of its profile, and of its profile's group.
    place: u32,
    rank: u32,
}

/// Who is what, where users are of one profile each.
#[derive(Debug)]
pub(crate) struct Seats {
    by_user: Vec<Seat>,
    /// By profile, and by group: users.
    of_profile: Vec<u32>,
    of_group: Vec<u32>,
}

impl Seats {
    /// Users of profiles that have a number of them come first; the others share the rest by their weights.
    ///
    /// # Errors
    /// In words, when there are fewer users than are asked for, or more than anybody takes.
    pub(crate) fn new(plan: &Plan, shares: &[Share], users: u32, seed: u64) -> Result<Seats, Error> {
        let mut profiles: Vec<u32> = Vec::with_capacity(users as usize);
        for (number, profile) in plan.profiles.iter().enumerate() {
            let most = profile.users.unwrap_or(0) as usize;
            profiles.extend(std::iter::repeat_n(number as u32, most.min(1 << 20)));
        }
        let fixed = profiles.len();
        if fixed > users as usize {
            return Err(Error::Config(format!(
                "profiles with a number of users want {fixed} together, and there are {users}: give more users, or take some off \
                 the profiles"
            )));
        }
        let own = |(share, profile): (&Share, &crate::prepared::ProfilePlan)| Share {
            weight: if profile.users.is_some() { 0.0 } else { share.weight },
            ..*share
        };
        let rest: Vec<Share> = shares.iter().zip(&plan.profiles).map(own).collect();
        if fixed < users as usize {
            let cards = Cards::new(&rest, seed).ok_or_else(|| {
                Error::Config(format!(
                    "every profile has a number of users, {fixed} together, and there are {users}: give {fixed} users, or one \
                     profile a weight instead"
                ))
            })?;
            profiles.extend(cards.take(users as usize - fixed).map(|card| card.profile));
        }
        let mut seats = Seats {
            by_user: Vec::with_capacity(profiles.len()),
            of_profile: vec![0; plan.profiles.len()],
            of_group: vec![0; plan.profiles.len()],
        };
        for profile in profiles {
            let group = plan.groups.get(profile as usize).copied().unwrap_or(0);
            let (Some(place), Some(rank)) =
                (seats.of_profile.get_mut(profile as usize), seats.of_group.get_mut(group as usize))
            else {
                continue;
            };
            seats.by_user.push(Seat { profile, place: *place, rank: *rank });
            *place += 1;
            *rank += 1;
        }
        Ok(seats)
    }
}

/// Cards that were dealt so far: users ask for them by number.
struct Dealt {
    cards: Cards,
    ranks: Ranks,
    known: Vec<(Card, u64)>,
}

impl Dealt {
    fn card(&mut self, number: u64) -> Option<(Card, u64)> {
        let (round, number) = (number / MOST_DEALT, (number % MOST_DEALT) as usize);
        while self.known.len() <= number {
            let card = self.cards.next()?;
            let nth = self.ranks.next(card.profile);
            self.known.push((card, nth));
        }
        self.known.get(number).map(|(card, nth)| (*card, nth + round * MOST_DEALT))
    }
}

/// One thread's hand.
pub(crate) struct Deal {
    shares: Vec<Share>,
    seed: u64,
    groups: Arc<[u32]>,
    seats: Option<Arc<Seats>>,
    users: u64,
    /// By profile, or where users are of no profile the first for all.
    dealt: Vec<Option<Dealt>>,
}

impl Deal {
    pub(crate) fn new(
        shares: &[Share],
        seed: u64,
        groups: Arc<[u32]>,
        seats: Option<Arc<Seats>>,
        users: u32,
    ) -> Deal {
        let dealt = std::iter::repeat_with(|| None).take(shares.len().max(1)).collect();
        Deal { shares: shares.to_vec(), seed, groups, seats, users: u64::from(users).max(1), dealt }
    }

    /// What a user plays as its `turn`-th session (from 0): the session's number in the run, what it is, and its rank among those that
    /// share rows with it.
    pub(crate) fn next(&mut self, user: u32, turn: u64) -> Option<(u64, Card, u64)> {
        let number = u64::from(user) + turn * self.users;
        let Some(seats) = &self.seats else {
            let (shares, seed, groups) = (&self.shares, self.seed, &self.groups);
            let (card, nth) =
                dealt(self.dealt.first_mut()?, groups, || Cards::new(shares, seed))?.card(number)?;
            return Some((number, card, nth));
        };
        let seat = *seats.by_user.get(user as usize)?;
        let profile = seat.profile as usize;
        let among = u64::from(*seats.of_profile.get(profile)?);
        let group = *self.groups.get(profile)? as usize;
        let rank = u64::from(seat.rank) + turn * u64::from(*seats.of_group.get(group)?);
        let only = || {
            let alone = self
                .shares
                .iter()
                .enumerate()
                .map(|(at, share)| Share { weight: if at == profile { 1.0 } else { 0.0 }, ..*share });
            Cards::new(&alone.collect::<Vec<_>>(), self.seed)
        };
        let (card, _) = dealt(self.dealt.get_mut(profile)?, &self.groups, only)?
            .card(u64::from(seat.place) + turn * among)?;
        Some((number, card, rank))
    }
}

fn dealt<'d>(
    slot: &'d mut Option<Dealt>,
    groups: &Arc<[u32]>,
    cards: impl FnOnce() -> Option<Cards>,
) -> Option<&'d mut Dealt> {
    if slot.is_none() {
        *slot = Some(Dealt { cards: cards()?, ranks: Ranks::new(groups.clone()), known: Vec::new() });
    }
    slot.as_mut()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::path::Path;

    use mynah_traffic::scenario::Scenario;

    use super::*;
    use crate::Prepared;

    fn plan(profiles: &[&str]) -> (Prepared, Vec<Share>) {
        let mut text = "version = 1\nname = \"x\"\n".to_owned();
        for (number, more) in profiles.iter().enumerate() {
            let _ = write!(
                text,
                "[[profile]]\nname = \"p{number}\"\n{more}\n[[profile.step]]\nrequest = \"GET /\"\n"
            );
        }
        let scenario = Scenario::parse(&text, "x.toml").unwrap();
        let prepared = Prepared::from_scenario(scenario, Path::new("")).unwrap();
        let shares = prepared.plan.shares(&[]);
        (prepared, shares)
    }

    #[test]
    fn fixed_users_come_first_and_the_rest_follow_the_weights() {
        let (prepared, shares) = plan(&["users = 3", "weight = 3", "weight = 1"]);
        let seats = Seats::new(&prepared.plan, &shares, 23, 1).unwrap();
        assert_eq!(seats.of_profile, [3, 15, 5]);
        assert!(seats.by_user.iter().take(3).all(|seat| seat.profile == 0));
        let few = Seats::new(&prepared.plan, &shares, 2, 1).unwrap_err().to_string();
        assert!(few.contains("want 3 together, and there are 2"), "{few}");
        let (prepared, shares) = plan(&["users = 3"]);
        let many = Seats::new(&prepared.plan, &shares, 4, 1).unwrap_err().to_string();
        assert!(many.contains("3 together, and there are 4"), "{many}");
    }

    #[test]
    fn no_two_sessions_have_one_rank_whichever_thread_deals() {
        let (prepared, shares) = plan(&["users = 2", "weight = 2", "weight = 1"]);
        for groups in [[0, 1, 2], [0, 0, 2], [0, 0, 0]] {
            let seats = |bound: bool| {
                let mut plan = Seats::new(&prepared.plan, &shares, 8, 1).unwrap();
                plan.of_group = vec![0; 3];
                for seat in &mut plan.by_user {
                    let among = &mut plan.of_group[groups[seat.profile as usize] as usize];
                    seat.rank = *among;
                    *among += 1;
                }
                bound.then(|| Arc::new(plan))
            };
            for bound in [true, false] {
                let deal = || Deal::new(&shares, 1, Arc::new(groups), seats(bound), 8);
                let (mut one, mut other) = (deal(), deal());
                let mut seen = BTreeSet::new();
                for turn in 0..50 {
                    for user in (0..8).rev() {
                        let (number, card, rank) = one.next(user, turn).unwrap();
                        assert!(seen.insert((groups[card.profile as usize], rank)), "{groups:?} {card:?}");
                        assert_eq!(number, u64::from(user) + turn * 8);
                        if user % 3 == 0 {
                            assert_eq!(other.next(user, turn), Some((number, card, rank)));
                        }
                    }
                }
                for group in groups {
                    let ranks: Vec<u64> =
                        seen.iter().filter(|(own, _)| *own == group).map(|(_, rank)| *rank).collect();
                    assert_eq!(ranks, (0..ranks.len() as u64).collect::<Vec<_>>(), "no rank is left out");
                }
            }
        }
    }
}
