//! What a timetable asks for: when requests would start if the target answered each at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use mynah_traffic::Nanos;
use mynah_traffic::scenario::Wait;

use crate::engine::{Act, Part, Setup};
use crate::prepared::StepPlan;
use crate::timetable::{Arrival, Card};

/// Steps whose times are remembered, so that a session that comes again need not be looked at again.
const MOST_HELD: usize = 4 << 20;

/// Calls `each` with the moment of every request, in nanoseconds from the start, in no order.
pub(crate) fn requests(setup: &Setup, arrivals: impl Iterator<Item = Arrival>, mut each: impl FnMut(u64)) {
    let mut known: HashMap<Card, Vec<u64>> = HashMap::new();
    let mut held = 0;
    for arrival in arrivals {
        let card = arrival.card;
        let offsets = match known.entry(card) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                // One that cannot be read is told when it is due.
                let read = setup.reads(card).and_then(|_| setup.read(card).ok());
                let own = setup.part(card, read.as_ref()).map(offsets).unwrap_or_default();
                held += own.len();
                entry.insert(own)
            }
        };
        for offset in offsets {
            each(arrival.at.0.saturating_add(*offset));
        }
        if held > MOST_HELD {
            (held, known) = (0, HashMap::new());
        }
    }
}

/// When the steps of a session start, nanoseconds from its beginning, in order: what it waits for, and its own pause; of what is drawn the
/// mean. With what its user does first and last, as where sessions arrive.
pub(crate) fn offsets(part: Part<'_>) -> Vec<u64> {
    let mut offsets = Vec::with_capacity(part.profile.requests_of(part.session.len()));
    let mut from = 0;
    for part in [part.beginning(), part, part.ending()] {
        from = chain(part, from, &mut offsets);
    }
    offsets.sort_unstable();
    offsets
}

/// How long a session takes by its pauses alone, until its last step starts.
pub(crate) fn length(part: Part<'_>) -> Nanos {
    Nanos(chain(part, 0, &mut Vec::new()))
}

/// Adds the steps' starts; the last of them.
fn chain(part: Part<'_>, from: u64, offsets: &mut Vec<u64>) -> u64 {
    let Part { profile, session, steps, think_time, .. } = part;
    let think = |step: &StepPlan| think_time.draw(step.think, || 0.5).0;
    let mut last = from;
    if let (Some(picks), Act::Session) = (&profile.picks, part.act) {
        let steps = session.steps().filter_map(|step| steps.get(step as usize));
        let mean =
            steps.zip(picks.shares()).map(|(step, share)| think(step) as f64 * share).sum::<f64>() as u64;
        for number in 0..u64::from(picks.per_session.unwrap_or(1)) {
            let wait = match part.wait {
                _ if number == 0 => 0,
                Wait::Recorded => 0,
                Wait::Between(span) => span.mean().0,
                Wait::Pacing(span) => span.0.saturating_sub(mean),
            };
            last = last.saturating_add(wait).saturating_add(mean);
            offsets.push(last);
        }
        return last;
    }
    let mut next: Vec<(u32, u64)> = session.first().iter().map(|&turn| (turn, from)).collect();
    while let Some((turn, after)) = next.pop() {
        let step = session.step(turn).and_then(|step| steps.get(step as usize));
        let Some(step) = step else { continue };
        let at = after.saturating_add(think(step));
        offsets.push(at);
        last = last.max(at);
        next.extend(session.after(turn).iter().map(|&waiting| (waiting, at)));
    }
    last
}
