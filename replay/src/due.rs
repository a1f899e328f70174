//! What a timetable asks for: when requests would start if the target answered each at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::engine::{Part, Setup};
use crate::timetable::Arrival;

/// Calls `each` with the moment of every request, in nanoseconds from the start, in no order.
pub(crate) fn requests(setup: &Setup, arrivals: impl Iterator<Item = Arrival>, mut each: impl FnMut(u64)) {
    let mut known: HashMap<(u32, u32), Vec<u64>> = HashMap::new();
    for arrival in arrivals {
        let card = arrival.card;
        let offsets = match known.entry((card.profile, card.session)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(setup.part(card.profile, card.session).map(offsets).unwrap_or_default())
            }
        };
        for offset in offsets {
            each(arrival.at.0.saturating_add(*offset));
        }
    }
}

/// When the steps of a session start, nanoseconds from its beginning, in order: what it waits for, and its own pause.
pub(crate) fn offsets(part: Part<'_>) -> Vec<u64> {
    let Part { profile, session, think_time, .. } = part;
    let mut offsets = Vec::with_capacity(session.len());
    let mut next: Vec<(u32, u64)> = session.first().iter().map(|&turn| (turn, 0)).collect();
    while let Some((turn, after)) = next.pop() {
        let step = session.step(turn).and_then(|step| profile.steps.get(step as usize));
        let Some(step) = step else { continue };
        let at = after.saturating_add(think_time.apply(step.think).0);
        offsets.push(at);
        next.extend(session.after(turn).iter().map(|&waiting| (waiting, at)));
    }
    offsets.sort_unstable();
    offsets
}
