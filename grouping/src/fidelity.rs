//! The scenario checked against the recording that it came from: what would be played, in either way of making sessions,
//! beside what was recorded.

use mynah_traffic::Correlation;
use mynah_traffic::scenario::{
    Conduct, Move, Place, Profile, ScenarioFidelity, SessionScript, Source, Walker, compare,
};

use crate::hash::Map;

/// Walks that are made to compare.
const WALKS: f64 = 30_000.0;
/// Of each profile at least.
const FEWEST: f64 = 200.0;

/// What was recorded, as far as it is compared.
pub(crate) struct Witness<'a> {
    correlations: Map<&'a str, u32>,
    /// By profile.
    sessions: Vec<Vec<Vec<(Place, Move)>>>,
    starts: Vec<u64>,
}

impl<'a> Witness<'a> {
    pub(crate) fn new(profiles: usize, correlations: &'a [Correlation]) -> Witness<'a> {
        let numbers = correlations.iter().zip(0..).map(|(one, number)| (one.name.as_str(), number));
        Witness { correlations: numbers.collect(), sessions: vec![Vec::new(); profiles], starts: Vec::new() }
    }

    /// Takes in a session of a profile.
    pub(crate) fn note(&mut self, profile: u32, script: &SessionScript) {
        let step = |(number, step): (usize, &mynah_traffic::scenario::Step)| {
            let needs = step.injections.iter().filter_map(|injection| match &injection.source {
                Source::Correlation { name, .. } => self.correlations.get(name.as_str()).copied(),
                _ => None,
            });
            let place = Place {
                endpoint: step.endpoint,
                back: step.waits_for.map_or(0, |before| (number as u32).saturating_sub(before)),
                needs: needs.collect(),
            };
            let moved = Move {
                endpoint: step.endpoint,
                think_s: step.waits_for.map(|_| step.think.as_secs_f64() as f32),
                body_bytes: u32::try_from(step.request.body.len()).unwrap_or(u32::MAX),
            };
            (place, moved)
        };
        let steps = script.steps.iter().enumerate().map(step).collect();
        self.starts.push(script.start.0);
        if let Some(sessions) = self.sessions.get_mut(profile as usize) {
            sessions.push(steps);
        }
    }

    /// How far each behaviour is from it. `gives`: by endpoint, the correlations that its responses hand out.
    pub(crate) fn fidelity(&self, profiles: &[Profile], gives: &[Vec<u32>], seed: u64) -> ScenarioFidelity {
        let moves = |session: &[(Place, Move)]| session.iter().map(|(_, moved)| *moved).collect::<Vec<_>>();
        let mut recorded = Conduct::default();
        for session in self.sessions.iter().flatten() {
            recorded.session(1.0, true, moves(session));
        }
        recorded.arrivals(self.starts.clone());
        let (mut drawn, mut walked) = (Conduct::default(), Conduct::default());
        drawn.arrivals_at_random();
        walked.arrivals_at_random();
        for (number, (sessions, profile)) in self.sessions.iter().zip(profiles).enumerate() {
            for session in sessions {
                drawn.session(profile.weight / sessions.len() as f64, true, moves(session));
            }
            let places =
                sessions.iter().map(|session| session.iter().map(|(place, _)| place.clone()).collect());
            let mut walker = Walker::new(places, gives, seed ^ number as u64);
            let all: Vec<Move> = sessions.iter().flatten().map(|(_, moved)| *moved).collect();
            let count = (WALKS * profile.weight / 100.0).clamp(FEWEST, WALKS).ceil();
            for _ in 0..count as u32 {
                let walk = walker.walk().into_iter().filter_map(|turn| {
                    let moved = all.get(turn.place as usize)?;
                    Some(Move { think_s: moved.think_s.filter(|_| turn.waits_for.is_some()), ..*moved })
                });
                walked.session(profile.weight / count, true, walk.collect::<Vec<_>>());
            }
        }
        ScenarioFidelity {
            recorded: Some(compare(&recorded, &drawn)),
            markov: Some(compare(&recorded, &walked)),
        }
    }
}
