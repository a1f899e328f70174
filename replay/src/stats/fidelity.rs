//! How like the recording a run was: what was sent against what was recorded.

use mynah_traffic::run::Fidelity;
use mynah_traffic::scenario::{Conduct, ThinkTime, compare};

use super::{Facts, Totals};
use crate::timetable::Card;

/// `None` for a scenario that was not recorded, and where nothing was sent.
pub(super) fn fidelity(totals: &Totals, facts: &Facts<'_>) -> Option<Fidelity> {
    facts.plan.scenario.recorded.as_ref()?;
    let (recorded, sent) = (recorded(facts), sent(totals, facts));
    let mut far = compare(&recorded, &sent);
    // Pauses that were asked to be others are not compared.
    if facts
        .setup
        .think_times
        .iter()
        .any(|think| matches!(think, ThinkTime::Fixed(_) | ThinkTime::Between(_)))
    {
        far.think_times = None;
    }
    let (same, all) = totals.parity;
    Some(Fidelity {
        endpoint_mix: far.endpoint_mix?,
        transitions: far.transitions,
        think_times: far.think_times,
        session_length: far.session_length,
        arrivals: far.arrivals,
        body_sizes: far.body_sizes,
        behaviour: facts.setup.behaviour(),
        status_parity: if all == 0 { 0.0 } else { same as f64 / all as f64 },
    })
}

/// The sessions that the scenario was made with, each once. Where it counts endpoints, by these: a person may have taken
/// sessions away.
fn recorded(facts: &Facts<'_>) -> Conduct {
    let streamed = facts.plan.stream.as_ref().map(|stream| stream.conduct.clone());
    let mut conduct = streamed.unwrap_or_default();
    let mut starts = Vec::new();
    for profile in &facts.plan.profiles {
        // What was written in by hand was not recorded, unless the whole scenario stands so.
        let by_hand =
            profile.starts.is_empty() && facts.plan.profiles.iter().any(|other| !other.starts.is_empty());
        if by_hand {
            continue;
        }
        for session in profile.sessions.kept() {
            conduct.session(1.0, true, session.moves(&profile.steps));
        }
        starts.extend(&profile.starts);
    }
    conduct.arrivals(starts);
    let counted = facts.plan.scenario.endpoints.iter().filter_map(|entry| {
        let number = facts.plan.endpoints.find(&entry.endpoint.to_string())?;
        Some((number, entry.requests.filter(|&count| count > 0)? as f64))
    });
    let counted: Vec<(u32, f64)> = counted.collect();
    if !counted.is_empty() {
        conduct.set_endpoints(counted);
    }
    conduct
}

fn sent(totals: &Totals, facts: &Facts<'_>) -> Conduct {
    let mut conduct = totals.conduct.clone();
    let mut add = |profile: u32, session: u32, weight: u64, steps: Option<u32>| {
        let Some(moves) = facts.setup.moves(Card { profile, session }) else { return };
        let length = steps.map_or(usize::MAX, |steps| steps as usize);
        conduct.session(weight as f64, steps.is_none(), moves.take(length));
    };
    for ((profile, session), count) in &totals.played {
        add(*profile, *session, *count, None);
    }
    for (profile, session, steps) in &totals.cut {
        add(*profile, *session, 1, Some(*steps));
    }
    // Requests as they were counted, not as they were meant.
    let counted = totals.endpoints.iter().zip(0..).filter(|(tally, _)| tally.requests > 0);
    conduct.set_endpoints(counted.map(|(tally, number)| (number, tally.requests as f64)));
    if facts.model == "open"
        && totals.starts.len() > 1
        && facts.scheduled != Some(facts.plan.profiles.len() as u64)
    {
        conduct.arrivals(totals.starts.clone());
    }
    conduct
}
