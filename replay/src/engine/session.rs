//! One session, its steps in the order of what each waits for, or as they are drawn.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use mynah_traffic::scenario::{ThinkTime, Wait, chance};

use super::crew::Pace;
use super::step::{Outcome, perform};
use super::{Context, User};
use crate::prepared::{Picks, ProfilePlan, Recorded, SessionPlan, StepPlan};

/// Where no answer came to a step that is drawn, the next one waits this long, rather than knock in a loop.
pub(super) const KNOCK_AGAIN: u64 = 100_000_000;

/// What of a user's life is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Start,
    Session,
    Stop,
}

/// What is drawn by chance: each has numbers of its own.
#[derive(Clone, Copy)]
enum Purpose {
    Think,
    Pick,
    Wait,
}

/// What is played: a session of a profile, with the pauses it makes.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    /// Number of the profile.
    pub(crate) number: u32,
    pub(crate) profile: &'a ProfilePlan,
    pub(crate) session: &'a SessionPlan,
    /// Whose numbers the session has.
    pub(crate) steps: &'a [StepPlan],
    /// Where it was read to be played.
    pub(crate) read: Option<&'a Recorded>,
    pub(crate) think_time: ThinkTime,
    pub(crate) wait: Wait,
    pub(crate) act: Act,
}

/// How a session went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Played {
    /// Steps that ended.
    pub(crate) ended: usize,
    /// Every step was played.
    pub(crate) completed: bool,
    /// Any answer came.
    pub(crate) answered: bool,
    /// When the last of them ended; its own start where none did.
    pub(crate) end: u64,
}

/// A step that ended: when, and whether an answer came.
struct Ended {
    at: u64,
    answered: bool,
}

impl<'a> Part<'a> {
    /// What a user does first.
    pub(crate) fn beginning(self) -> Part<'a> {
        Part { session: &self.profile.on_start, steps: &self.profile.around, act: Act::Start, ..self }
    }

    /// What a user does last.
    pub(crate) fn ending(self) -> Part<'a> {
        Part { session: &self.profile.on_stop, steps: &self.profile.around, act: Act::Stop, ..self }
    }

    fn chance(self, context: &Context, user: &User, purpose: Purpose, number: u64) -> f64 {
        let what = (self.act as u64) << 8 | purpose as u64;
        chance(context.setup.seed, [user.number(), what, number])
    }

    /// When the iteration behind one begins that began at `begun` and ended at `ended`.
    pub(super) fn next(self, context: &Context, user: &User, (begun, ended): (u64, u64), number: u64) -> u64 {
        match self.wait {
            Wait::Recorded => ended,
            Wait::Between(span) => {
                ended.saturating_add(span.at(self.chance(context, user, Purpose::Wait, number)).0)
            }
            Wait::Pacing(span) => begun.saturating_add(span.0).max(ended),
        }
    }
}

/// Plays a session that was to begin at `start`.
pub(crate) async fn play(
    context: &Context,
    user: &User,
    part: Part<'_>,
    pace: &Pace<'_>,
    start: u64,
) -> Played {
    match &part.profile.picks {
        Some(picks) if part.act == Act::Session && !context.setup.once => {
            drawn(context, user, (part, pace), picks, start).await
        }
        _ => in_order(context, user, (part, pace), start).await,
    }
}

/// Steps that wait for the same one go out together, as a browser sends them.
async fn in_order(context: &Context, user: &User, (part, pace): (Part<'_>, &Pace<'_>), start: u64) -> Played {
    let mut played = Played { end: start, ..Played::default() };
    let mut next: Vec<(u32, u64)> = part.session.first().iter().map(|&step| (step, start)).collect();
    let mut running: Option<FuturesUnordered<_>> = None;
    loop {
        let idle = running.as_ref().is_none_or(FuturesUnordered::is_empty);
        let result = match next.pop() {
            None if idle => break,
            // The plain case is a chain, and needs no set of futures.
            Some((turn, from)) if idle && next.is_empty() => {
                turn_of(context, user, (part, pace), turn, from).await
            }
            first => {
                let running = running.get_or_insert_default();
                for (turn, from) in next.drain(..).chain(first) {
                    running.push(turn_of(context, user, (part, pace), turn, from));
                }
                match running.next().await {
                    Some(result) => result,
                    None => break,
                }
            }
        };
        let Some((turn, ended)) = result else { continue };
        played.ended += 1;
        played.answered |= ended.answered;
        played.end = played.end.max(ended.at);
        next.extend(part.session.after(turn).iter().map(|&waiting| (waiting, ended.at)));
    }
    played.completed = played.ended == part.session.len();
    played
}

/// Steps that are drawn, each behind the one before it.
async fn drawn(
    context: &Context,
    user: &User,
    (part, pace): (Part<'_>, &Pace<'_>),
    picks: &Picks,
    start: u64,
) -> Played {
    let mut played = Played { end: start, ..Played::default() };
    let mut begun = start;
    let mut from = start;
    for number in 0.. {
        if picks.per_session.is_some_and(|most| number >= u64::from(most)) {
            played.completed = true;
            break;
        }
        if number > 0 {
            from = part.next(context, user, (begun, from), number);
        }
        begun = from;
        let turn = picks.at(part.chance(context, user, Purpose::Pick, number));
        let Some(step) = part.session.step(turn) else { break };
        let Some(ended) = one(context, user, (part, pace), (step, number), from).await else { break };
        played.ended += 1;
        played.answered |= ended.answered;
        played.end = ended.at;
        from = ended.at;
        if ended.answered {
            // Steps without a pause between them must not keep the thread from everything else.
            tokio::task::coop::consume_budget().await;
        } else {
            from += KNOCK_AGAIN;
        }
    }
    // One without an end ends as it should.
    played.completed |= picks.per_session.is_none() && played.ended > 0;
    played
}

async fn turn_of(
    context: &Context,
    user: &User,
    (part, pace): (Part<'_>, &Pace<'_>),
    turn: u32,
    from: u64,
) -> Option<(u32, Ended)> {
    let step = part.session.step(turn)?;
    Some((turn, one(context, user, (part, pace), (step, u64::from(turn)), from).await?))
}

/// Plays one step, by its number in the profile. `None` when the run was ended before it, or the user has left by then.
async fn one(
    context: &Context,
    user: &User,
    (part, pace): (Part<'_>, &Pace<'_>),
    (step, number): (u32, u64),
    from: u64,
) -> Option<Ended> {
    let step = part.steps.get(step as usize)?;
    let think = part.think_time.draw(step.think, || part.chance(context, user, Purpose::Think, number)).0;
    // Who is to say goodbye does not sleep over the end.
    let light = !part.profile.on_stop.is_empty() && !user.is_stopping();
    let turn = pace.turn(context, user, (from, think), light).await?;
    let done = perform(context, user, (part.number, step), turn).await;
    pace.ended();
    let done = done?;
    let ended = Ended { at: done.ended, answered: matches!(done.outcome, Outcome::Answered { .. }) };
    done.count(context, step);
    Some(ended)
}
