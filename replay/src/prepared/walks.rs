//! Sessions that are walks along recorded ones, made ahead of a run: what is played is then a session like any other.

use mynah_traffic::scenario::{Behaviour, Place, Walker};
use mynah_traffic::units::format_bytes;

use super::{Plan, ProfilePlan, SessionPlan};
use crate::Error;
use crate::template::NeedSource;

/// Walks of a profile, and steps of all walks, that are made at most; after that they come again.
const MOST_WALKS: usize = 200_000;
const MOST_STEPS: usize = 4_000_000;

/// Walks by profile; `None` where recorded sessions are played.
#[derive(Debug, Default)]
pub(crate) struct Walks(Vec<Option<Vec<SessionPlan>>>);

impl Walks {
    /// How many walks each profile gets where so many sessions of it are expected; `None` where it plays recorded ones.
    ///
    /// # Errors
    /// [`Error::Config`] where the sessions that it would walk along are not kept in memory: each walk has steps of many of them.
    pub(crate) fn counts(
        plan: &Plan,
        behaviour: Option<Behaviour>,
        expected: &[f64],
    ) -> Result<Vec<Option<usize>>, Error> {
        let steps: f64 = plan
            .profiles
            .iter()
            .zip(expected)
            .map(|(profile, count)| {
                let all = profile.sessions.requests() as usize + profile.around.len();
                count * all as f64 / profile.sessions.len().max(1) as f64
            })
            .sum();
        let fits = (MOST_STEPS as f64 / steps.max(1.0)).min(1.0);
        let count = |(profile, expected): (&ProfilePlan, &f64)| {
            // Steps that are drawn by a person's weights are drawn so.
            let walks = profile.picks.is_none() && !profile.sessions.is_empty();
            if plan.behaviour(profile, behaviour) != Behaviour::Markov || !walks {
                return Ok(None);
            }
            if let Some(stream) = plan.stream.as_ref().filter(|_| profile.sessions.are_streamed()) {
                let enough = (stream.bytes >> 20) + 1;
                return Err(Error::Config(format!(
                    "profile '{}': walks (behaviour markov) are made of the steps of all sessions, which have to be in memory for that: \
                     {}, and {} are allowed; allow more (--memory {enough}MiB), or play whole sessions (--behaviour recorded)",
                    profile.name,
                    format_bytes(stream.bytes),
                    format_bytes(stream.memory),
                )));
            }
            Ok(Some(((expected * fits).ceil() as usize).clamp(1, MOST_WALKS)))
        };
        plan.profiles.iter().zip(expected).map(count).collect()
    }

    /// Makes them; the same seed makes the same ones.
    pub(crate) fn make(plan: &Plan, counts: &[Option<usize>], seed: u64) -> Walks {
        if counts.iter().all(Option::is_none) {
            return Walks::default();
        }
        let gives: Vec<Vec<u32>> = plan
            .extracts
            .iter()
            .map(|extracts| extracts.sites.iter().map(|(correlation, _)| *correlation).collect())
            .collect();
        let make = |(number, count): (usize, &Option<usize>)| {
            let profile = plan.profiles.get(number)?;
            let mut walker = Walker::new(places(profile), &gives, seed ^ (number as u64) << 32);
            // Whose step each is: the first one's log-in serves the whole walk.
            let mut owner = vec![0; profile.steps.len()];
            for (session, recorded) in profile.sessions.kept().iter().enumerate() {
                for step in recorded.steps() {
                    if let Some(owner) = owner.get_mut(step as usize) {
                        *owner = session as u32;
                    }
                }
            }
            let walks = (0..(*count)?).map(|_| {
                let turns: Vec<(u32, Option<u32>)> =
                    walker.walk().into_iter().map(|turn| (turn.place, turn.waits_for)).collect();
                let person = turns.first().and_then(|(step, _)| owner.get(*step as usize).copied());
                let mut plan = SessionPlan::of(&turns);
                plan.person = person;
                plan
            });
            Some(walks.collect())
        };
        Walks(counts.iter().enumerate().map(make).collect())
    }

    /// Those of a profile.
    pub(crate) fn of(&self, profile: u32) -> Option<&[SessionPlan]> {
        self.0.get(profile as usize)?.as_deref()
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }
}

/// A profile's steps as places, session by session: a place's number is its step's.
fn places(profile: &ProfilePlan) -> impl Iterator<Item = Vec<Place>> {
    profile.sessions.kept().iter().map(|session| {
        let place = |(number, step): (usize, u32)| {
            let step = profile.steps.get(step as usize)?;
            let needs = step.template.iter().flat_map(|template| &template.needs);
            Some(Place {
                endpoint: step.endpoint,
                back: step.waits_for.map_or(0, |before| (number as u32).saturating_sub(before)),
                needs: needs
                    .filter_map(|need| match need.source {
                        NeedSource::Correlation { number, .. } => number,
                        _ => None,
                    })
                    .collect(),
            })
        };
        session.steps().enumerate().filter_map(place).collect()
    })
}
