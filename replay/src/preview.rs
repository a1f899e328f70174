//! What a run would do, told instead of done: nothing is sent, and no target is needed.

use std::collections::HashMap;

use mynah_traffic::Nanos;
use mynah_traffic::scenario::{ThinkTime, Wait};

use crate::curve::Curve;
use crate::engine::{Act, Part};
use crate::load::{Kind, Load, requests_a_session};
use crate::options::Options;
use crate::prepared::{Plan, SessionPlan, Walks};
use crate::timetable::Card;
use crate::{Error, Prepared, due};

/// What a run would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// Sessions arrive (open model); or users come back (closed model), and nobody knows how often.
    pub open: bool,
    /// What was asked for, in words.
    pub asked: String,
    /// For how long sessions are begun.
    pub duration: Nanos,
    /// The timetable is one of requests: sessions are as many as have so many.
    pub of_requests: bool,
    /// The highest rate, in sessions or requests a second, or the most users.
    pub peak: f64,
    /// Sessions in the timetable. Closed model: at most so many, if each request were answered at once; `None` when sessions
    /// make no pauses, so that only the target says how many there are.
    pub sessions: Option<u64>,
    /// Requests of those sessions, when each is played to its end.
    pub requests: Option<u64>,
    /// In parts of the same length: the mean of what is asked for, sessions or requests a second, or users.
    pub bars: Vec<f64>,
}

/// Works out what a run with these options would do, in `bars` parts (at least one). Of a shard, its own part of the sessions.
///
/// # Errors
/// [`Error::Config`] as [`run()`](crate::run()).
pub fn preview(prepared: &Prepared, options: &Options, bars: usize) -> Result<Preview, Error> {
    let plan = &prepared.plan;
    let load = Load::new(plan, options)?;
    let bars = bars.max(1);
    let seconds = load.duration.as_secs_f64();
    let mut preview = Preview {
        open: load.model == "open",
        asked: load.asked.clone(),
        duration: load.duration,
        of_requests: matches!(load.kind, Kind::Paced { .. }),
        peak: 0.0,
        sessions: None,
        requests: None,
        bars: Vec::new(),
    };
    if let Kind::Open { curve, .. } | Kind::Paced { curve, .. } | Kind::Closed(curve) = &load.kind {
        preview.peak = curve.peak();
        let moment = |number: usize| seconds * number as f64 / bars as f64;
        let mean = |number: usize| {
            (curve.until(moment(number + 1)) - curve.until(moment(number))) * bars as f64 / seconds
        };
        preview.bars = (0..bars).map(mean).collect();
    }
    let Some(timetable) = load.timetable()? else {
        if let Kind::Closed(curve) = &load.kind {
            (preview.sessions, preview.requests) = at_most(plan, options, curve);
        }
        return Ok(preview);
    };
    if preview.of_requests {
        let requests = timetable.filter(|arrival| load.shard.has(arrival.number)).count() as u64;
        let sessions = (requests as f64 / requests_a_session(plan)).ceil();
        (preview.sessions, preview.requests) = (Some(sessions as u64), Some(requests));
        return Ok(preview);
    }
    let walks = Walks::make(plan, &load.walks, options.seed);
    let mut lengths: HashMap<Card, u64> = HashMap::new();
    let (mut sessions, mut requests) = (0, 0);
    for arrival in timetable.filter(|arrival| load.shard.has(arrival.number)) {
        sessions += 1;
        requests += *lengths.entry(arrival.card).or_insert_with(|| length(plan, &walks, arrival.card));
    }
    (preview.sessions, preview.requests) = (Some(sessions), Some(requests));
    Ok(preview)
}

/// Requests of a session.
fn length(plan: &Plan, walks: &Walks, card: Card) -> u64 {
    let Some(profile) = plan.profiles.get(card.profile as usize) else { return 0 };
    let steps = match walks.of(card.profile) {
        Some(walks) => walks.get(card.session as usize).map_or(0, SessionPlan::len),
        None => profile.sessions.length(card.session),
    };
    profile.requests_of(steps) as u64
}

/// Sessions of a profile that are looked at for their length.
const LOOKED_AT: usize = 1000;

/// Sessions and requests of users whom every request is answered at once: their time, divided by what a session takes.
fn at_most(plan: &Plan, options: &Options, curve: &Curve) -> (Option<u64>, Option<u64>) {
    let (mut takes, mut requests, mut weights) = (0.0, 0.0, 0.0);
    for (number, profile) in (0..).zip(&plan.profiles) {
        let think_time: ThinkTime = options.think_time(profile.think_time, plan.scenario.load.think_time);
        let (mut all, mut count) = (0.0, 0_u32);
        plan.first_sessions(number, LOOKED_AT, |session, steps| {
            let (wait, act) = (profile.wait, Act::Session);
            let part = Part { number, profile, session, steps, read: None, think_time, wait, act };
            let length = due::length(part).as_secs_f64();
            count += 1;
            all += match wait {
                Wait::Recorded => length,
                Wait::Between(span) => length + span.mean().as_secs_f64(),
                Wait::Pacing(span) => length.max(span.as_secs_f64()),
            };
        });
        if count > 0 && profile.weight > 0.0 {
            takes += profile.weight * all / f64::from(count);
            // What a user does first and last is done once, however many sessions it has.
            requests += profile.weight * profile.mean_requests().0;
            weights += profile.weight;
        }
    }
    let mean = takes / weights;
    if mean.is_nan() || mean <= 0.0 {
        return (None, None);
    }
    let sessions = curve.total() / mean;
    (Some(sessions.ceil() as u64), Some((sessions * requests / weights).ceil() as u64))
}
