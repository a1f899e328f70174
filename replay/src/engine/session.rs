//! One session, its steps in the order of what each waits for.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::step::{Outcome, perform};
use super::{Context, User};
use crate::prepared::SessionPlan;

/// How a session went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Played {
    /// Every step was played.
    pub(crate) completed: bool,
    /// Any answer came.
    pub(crate) answered: bool,
}

/// Plays a session that was to begin at `start`. Steps that wait for the same one go out together, as a browser sends them.
pub(crate) async fn play(context: &Context, user: &User, session: &SessionPlan, start: u64) -> Played {
    let mut played = Played::default();
    let mut ended = 0;
    let mut next: Vec<(u32, u64)> = session.first.iter().map(|&step| (step, start)).collect();
    let mut running = FuturesUnordered::new();
    loop {
        // The plain case is a chain, and needs no set of futures.
        let result = match (next.pop(), running.is_empty()) {
            (Some((step, from)), true) if next.is_empty() => one(context, user, session, step, from).await,
            (first, _) => {
                for (step, from) in next.drain(..).chain(first) {
                    running.push(one(context, user, session, step, from));
                }
                match running.next().await {
                    Some(result) => result,
                    None => break,
                }
            }
        };
        let Some((step, end, answered)) = result else { continue };
        ended += 1;
        played.answered |= answered;
        if let Some(plan) = session.steps.get(step as usize) {
            next.extend(plan.next.iter().map(|&waiting| (waiting, end)));
        }
    }
    played.completed = ended == session.steps.len();
    played
}

/// Plays one step: its number, its end, and whether an answer came. `None` when the run was ended before it.
async fn one(
    context: &Context,
    user: &User,
    session: &SessionPlan,
    number: u32,
    from: u64,
) -> Option<(u32, u64, bool)> {
    let step = session.steps.get(number as usize)?;
    let think = context.setup.think_time.apply(step.think).0;
    let intended = from.saturating_add(think);
    context.pacer.until(intended).await;
    let done = perform(context, user, step, intended).await?;
    let end = done.ended;
    let answered = matches!(done.outcome, Outcome::Answered { .. });
    done.count(context, step);
    Some((number, end, answered))
}
