//! One session, its steps in the order of what each waits for.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use mynah_traffic::scenario::ThinkTime;

use super::crew::Pace;
use super::step::{Outcome, perform};
use super::{Context, User};
use crate::prepared::{ProfilePlan, SessionPlan};

/// What is played: a session of a profile, with the pauses it makes.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    /// Number of the profile.
    pub(crate) number: u32,
    pub(crate) profile: &'a ProfilePlan,
    pub(crate) session: &'a SessionPlan,
    pub(crate) think_time: ThinkTime,
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
}

/// Plays a session that was to begin at `start`. Steps that wait for the same one go out together, as a browser sends them.
pub(crate) async fn play(
    context: &Context,
    user: &User,
    part: Part<'_>,
    pace: &Pace<'_>,
    start: u64,
) -> Played {
    let mut played = Played::default();
    let mut next: Vec<(u32, u64)> = part.session.first().iter().map(|&step| (step, start)).collect();
    let mut running = FuturesUnordered::new();
    loop {
        // The plain case is a chain, and needs no set of futures.
        let result = match (next.pop(), running.is_empty()) {
            (Some((step, from)), true) if next.is_empty() => {
                one(context, user, part, pace, (step, from)).await
            }
            (first, _) => {
                for (step, from) in next.drain(..).chain(first) {
                    running.push(one(context, user, part, pace, (step, from)));
                }
                match running.next().await {
                    Some(result) => result,
                    None => break,
                }
            }
        };
        let Some((step, end, answered)) = result else { continue };
        played.ended += 1;
        played.answered |= answered;
        next.extend(part.session.after(step).iter().map(|&waiting| (waiting, end)));
    }
    played.completed = played.ended == part.session.len();
    played
}

/// Plays one step: its number, its end, and whether an answer came. `None` when the run was ended before it, or the user has
/// left by then.
async fn one(
    context: &Context,
    user: &User,
    part: Part<'_>,
    pace: &Pace<'_>,
    (number, from): (u32, u64),
) -> Option<(u32, u64, bool)> {
    let step = part.profile.steps.get(part.session.step(number)? as usize)?;
    let think = part.think_time.apply(step.think).0;
    let turn = pace.turn(context, user, (from, think)).await?;
    let done = perform(context, user, (part.number, step), turn).await;
    pace.ended();
    let done = done?;
    let end = done.ended;
    let answered = matches!(done.outcome, Outcome::Answered { .. });
    done.count(context, step);
    Some((number, end, answered))
}
