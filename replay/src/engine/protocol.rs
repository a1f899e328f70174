//! One request of another protocol than HTTP: the same steps as in `step`, with what speaks it in the place of a client.

use bytes::Bytes;
use mynah_message::{Limits, Message, View};
use tokio::task::coop::consume_budget;
use tokio::time::timeout;

use super::Context;
use super::check::Judged;
use super::peer::Peer;
use super::step::{Done, Outcome, Times, ask};
use super::user::{Found, User};
use crate::net::{Failure as NetFailure, Kind};
use crate::prepared::{Spoken, StepPlan};
use crate::protocol::{Connection, Failure, Reply, Request};
use crate::stats::{Dial, NO_STATUS};

/// What answers are looked at as: of what kind a body is, is seen from how it begins.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
/// Characters of an answer that are told in a trace.
const SHOWN: usize = 60;

/// A user's connection to one peer.
#[derive(Default)]
pub(super) struct Line {
    connection: Option<Box<dyn Connection>>,
    /// When the last request on it ended.
    free_at: u64,
}

/// Carries a step out. `None`: the run was ended before it could begin.
pub(super) async fn perform(
    context: &Context,
    user: &User,
    (profile, step, spoken): (u32, &StepPlan, &Spoken),
    times: &mut Times,
    done: &mut Done,
) -> Option<()> {
    let peer = context.setup.peers.get(spoken.peer as usize)?;
    let values = match fill_in(context, user, spoken, done) {
        Ok(values) => values,
        Err(reason) => {
            done.outcome = Outcome::Unsent(reason);
            return Some(());
        }
    };
    let texts = spoken.parts.iter().zip(&values);
    let parts: Vec<&str> = texts.map(|(part, value)| value.as_deref().unwrap_or(&part.text)).collect();
    if context.tells.get() {
        done.target = Some(parts.join(" "));
    }
    let admitted = context.admitted().await;
    if context.is_halted() && !user.is_stopping() {
        return None;
    }
    // A user's written steps come one after the other: nobody else wants it meanwhile.
    let mut line = user.take_line(spoken.peer);
    times.begun = times.begun.max(admitted.asked);
    times.ready = times.begun.max(line.free_at).max(admitted.at);
    let flight = context.flight((step.endpoint, profile), (times.intended, times.ready));
    match exchange(context, (step, peer, &mut line), &parts, times, done).await {
        Ok(reply) => answered(context, user, (step, peer), times, reply, done),
        Err(outcome) => {
            done.ended = context.clock.now();
            if matches!(&outcome, Outcome::Failed(failure) if failure.kind == Kind::Timeout) {
                done.sample.waited = true;
                done.sample.service = done.ended.saturating_sub(times.ready);
            }
            done.outcome = outcome;
        }
    }
    line.free_at = done.ended;
    user.keep_line(spoken.peer, line);
    flight.landed();
    Some(())
}

/// By part, the value that stands in it; `None` where its text is sent as it is.
fn fill_in(
    context: &Context,
    user: &User,
    spoken: &Spoken,
    done: &mut Done,
) -> Result<Vec<Option<String>>, String> {
    let mut values = Vec::with_capacity(spoken.parts.len());
    for part in &spoken.parts {
        let Some(need) = &part.need else {
            values.push(None);
            continue;
        };
        let value = match user.find(need, true, &context.setup) {
            Found::Value(value) => Some(value),
            Found::Missing | Found::Recorded if need.required => {
                return Err(format!("no value for {}", need.name));
            }
            Found::Missing | Found::Recorded => None,
        };
        if context.tells.get() {
            done.values.push(value.clone());
        }
        values.push(value);
    }
    Ok(values)
}

/// Sends, on the line's connection or a new one, and waits for the answer.
async fn exchange(
    context: &Context,
    (step, peer, line): (&StepPlan, &Peer, &mut Line),
    parts: &[&str],
    times: &mut Times,
    done: &mut Done,
) -> Result<Reply, Outcome> {
    if line.connection.as_mut().is_some_and(|connection| !connection.is_open()) {
        line.connection = None;
    }
    let mut connection = match line.connection.take() {
        Some(connection) => connection,
        None => dial(context, peer, times).await.map_err(Outcome::Failed)?,
    };
    let keep_body = context.tells.get() || step.asks.as_deref().is_some_and(|asks| asks.body);
    let limit = context.setup.request_timeout;
    // What never waits for anything must not keep the thread from everything else.
    consume_budget().await;
    let started = context.clock.now();
    let answered = timeout(limit, connection.exchange(Request { keep_body, ..Request::new(parts) })).await;
    let ended = context.clock.now();
    match answered {
        Ok(Ok(reply)) => {
            line.connection = Some(connection);
            let first = reply.first_byte.map_or(ended, |first| context.clock.at(first).clamp(started, ended));
            done.ended = ended;
            done.sample.service = ended.saturating_sub(started);
            done.sample.first_byte = first.saturating_sub(started);
            done.sample.lag = times.lag(started);
            Ok(reply)
        }
        Ok(Err(Failure::Unsendable(why))) => {
            line.connection = Some(connection);
            Err(Outcome::Unsent(why))
        }
        Ok(Err(failure)) => Err(Outcome::Failed(failure.counted(peer.protocol.name(), false))),
        Err(_) => Err(Outcome::Failed(NetFailure::timeout(limit))),
    }
}

/// A new connection. Making it is not the generator's fault: what it takes is added to the moment from which the lag counts.
async fn dial(context: &Context, peer: &Peer, times: &mut Times) -> Result<Box<dyn Connection>, NetFailure> {
    let before = context.clock.now();
    let dialled = peer.dial().await;
    let end = context.clock.now();
    let connect = end.saturating_sub(before);
    times.ready += connect;
    let connection = dialled?;
    context.recorder.borrow_mut().dialled(Dial { end, connect, tls: None });
    Ok(connection)
}

fn answered(
    context: &Context,
    user: &User,
    (step, peer): (&StepPlan, &Peer),
    times: &Times,
    reply: Reply,
    done: &mut Done,
) {
    let Reply { body, error, first_byte: _, bytes_in, bytes_out } = reply;
    done.sample.status = NO_STATUS;
    done.sample.bytes_in = bytes_in;
    done.sample.bytes_out = bytes_out;
    if let Some(target) = &mut done.target {
        let text = String::from_utf8_lossy(&body);
        target.push_str(" → ");
        target.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN));
    }
    if context.setup.counts(times.intended) {
        let mut recorder = context.recorder.borrow_mut();
        recorder.spoken(peer.number);
        if error.is_some() {
            recorder.error(&NetFailure::new(Kind::ErrorReply, ""));
        }
    }
    // An error is no answer that values could be taken from: where those were missing is not what was wrong.
    let judged = match (error, step.asks.as_deref()) {
        (Some(error), _) => Judged::Wrong(error),
        (None, None) => Judged::Right,
        (None, Some(asks)) => {
            let message =
                Message { head: Bytes::from_static(HEAD), body: body.into(), trailers: Bytes::new() };
            let view = if asks.head { View::open(&message, &Limits::default()).ok() } else { None };
            let found = ask(context, user, Some(asks), view.as_ref(), done);
            found.wrong.or(found.missing).map_or(Judged::Right, Judged::Wrong)
        }
    };
    done.outcome = Outcome::Answered { status: NO_STATUS, judged };
}
