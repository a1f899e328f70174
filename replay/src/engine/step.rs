//! One request of a session: wait for a connection, fill in, send, follow, read, judge, learn.

use std::fmt::Write as _;

use bytes::Bytes;
use http::Method;
use mynah_message::{Limits, Message, View};
use smallvec::SmallVec;

use super::Context;
use super::check::{Judged, judge, parity};
use super::crew::Turn;
use super::line::Way;
use super::look::{hold, keep};
use super::protocol;
use super::redirect::{Hop, Trail};
use super::script;
use super::user::{Found, User};
use crate::cookies;
use crate::middleware::{Hook, Through};
use crate::net::{Answer, Ask, Exchanged, Failure, Keep, Kind, Place, Sending};
use crate::prepared::{Asks, NotHttp, StepPlan};
use crate::script::Asked;
use crate::stats::{Mismatch, Sample};
use crate::template::{Template, render};

/// What came of a request.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Answered {
        status: u16,
        judged: Judged,
    },
    /// No answer.
    Failed(Failure),
    /// It was not sent, for this reason.
    Unsent(String),
    /// A script did not want it sent: as if it were not there.
    Skipped,
}

/// A request that ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    /// Nanoseconds since the start of the run.
    pub(crate) ended: u64,
    pub(crate) sample: Sample,
    /// What was put in, by need.
    pub(crate) values: SmallVec<[Option<String>; 2]>,
    /// Names of the values that were wanted and not there.
    pub(crate) missing: Vec<String>,
    /// Path and query as they were sent, where that is wanted.
    pub(crate) target: Option<String>,
    /// Correlations that got values from the answer.
    pub(crate) learnt: Vec<(u32, Vec<String>)>,
    /// A person's checks, and whether each holds; where that is wanted.
    pub(crate) checked: Vec<(String, bool)>,
    /// What a script has said to it.
    pub(crate) asked: Option<Asked>,
}

/// Times of one request, as they become known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) intended: u64,
    /// From when on it is the generator's fault that it was not looked at.
    free: u64,
    /// When it was looked at. Where nothing is in its way it is sent at once, and what the clock showed last, which may be a little
    /// earlier, does as well: the lag is then from `free` to the first byte, whatever lies between.
    pub(super) begun: u64,
    /// When it had a connection.
    pub(super) ready: u64,
}

impl Times {
    /// What the generator lost: before it looked at the request, and between having a connection and the first byte.
    pub(super) fn lag(&self, started: u64) -> u64 {
        self.begun.saturating_sub(self.free) + started.saturating_sub(self.ready)
    }
}

/// Carries a step out. `None`: the run was ended before it could begin.
pub(crate) async fn perform(
    context: &Context,
    user: &User,
    (profile, step): (u32, &StepPlan),
    Turn { intended, free }: Turn,
) -> Option<Done> {
    let over = || context.is_halted() && !user.is_stopping();
    if over() {
        return None;
    }
    let mut times = Times { intended, free, begun: context.seen().max(free), ready: 0 };
    let mut done = Done {
        outcome: Outcome::Unsent(String::new()),
        ended: times.begun,
        sample: Sample { endpoint: step.endpoint, profile, ..Sample::default() },
        values: SmallVec::new(),
        missing: Vec::new(),
        target: None,
        learnt: Vec::new(),
        checked: Vec::new(),
        asked: None,
    };
    let refused = user.refused.borrow().clone();
    match &step.template {
        _ if refused.is_some() => done.outcome = refused.map_or(Outcome::Skipped, Outcome::Failed),
        Ok(template) => match fill_in(context, user, (template, step.inline), &mut done) {
            Ok(()) => {
                let place_at = context.setup.place_of.get(step.origin as usize).copied()?;
                let mut hop: Option<Box<Hop>> = None;
                let mut flight = None;
                let mut admitted = None;
                loop {
                    let place_at = hop.as_ref().map_or(place_at, |hop| hop.place_at);
                    let place = &context.setup.places[place_at];
                    let slot;
                    let mut guard;
                    let mut way = if place.is_h2() {
                        Way::Link(user.link(place_at))
                    } else {
                        slot = user.slot(step.connection, place_at);
                        guard = if let Ok(guard) = slot.try_lock() {
                            guard
                        } else {
                            context.recorder.borrow_mut().counters().held_back += 1;
                            times.begun = times.begun.max(context.clock.now());
                            slot.lock().await
                        };
                        Way::Slot(&mut guard)
                    };
                    if admitted.is_none() {
                        admitted = Some(context.admitted().await);
                    }
                    if over() && flight.is_none() {
                        return None;
                    }
                    if hop.is_none() {
                        let (asked, at) = admitted.as_ref().map_or((0, 0), |gate| (gate.asked, gate.at));
                        times.begun = times.begun.max(asked);
                        times.ready = times.begun.max(way.free_at()).max(at);
                    }
                    flight.get_or_insert_with(|| {
                        context.flight((step.endpoint, profile), (intended, times.ready))
                    });
                    let part = (step, template);
                    hop = send(context, user, part, (place, place_at), &mut way, &mut times, hop, &mut done)
                        .await;
                    way.freed(done.ended.max(if hop.is_some() { context.clock.now() } else { 0 }));
                    if hop.is_none() {
                        break;
                    }
                }
                if matches!(&done.outcome, Outcome::Failed(failure) if failure.kind == Kind::Timeout) {
                    done.sample.waited = true;
                    done.sample.service = done.ended.saturating_sub(times.ready);
                }
                if let Some(flight) = flight {
                    flight.landed();
                }
            }
            Err(reason) => done.outcome = Outcome::Unsent(reason),
        },
        Err(NotHttp::Spoken(spoken)) => {
            let step = (profile, step, spoken.as_ref());
            Box::pin(protocol::perform(context, user, step, &mut times, &mut done)).await?;
        }
        Err(NotHttp::Unsendable(reason)) => {
            done.outcome = Outcome::Unsent(format!("cannot be sent: {reason}"));
        }
    }
    context.saw(done.ended);
    done.sample.end = done.ended;
    done.sample.response = done.ended.saturating_sub(intended);
    Some(done)
}

/// Finds the values. Fails where a hand-written step has none to send.
fn fill_in(
    context: &Context,
    user: &User,
    (template, inline): (&Template, bool),
    done: &mut Done,
) -> Result<(), String> {
    for need in &template.needs {
        let value = match user.find(need, inline, &context.setup) {
            Found::Value(value) => Some(value),
            Found::Missing | Found::Recorded if need.required => {
                return Err(format!("no value for {}", need.name));
            }
            Found::Missing => {
                done.missing.push(need.name.clone());
                None
            }
            Found::Recorded => None,
        };
        done.values.push(value);
    }
    if !done.missing.is_empty() {
        context.recorder.borrow_mut().counters().without_value += 1;
    }
    Ok(())
}

/// Writes the request out. `now`: by which cookies have expired or not.
fn fill(
    context: &Context,
    user: &User,
    (step, template): (&StepPlan, &Template),
    now: u64,
    done: &mut Done,
) -> Result<Sending, String> {
    let setup = &context.setup;
    let bound = setup.bound.get(step.origin as usize).ok_or("it has no target")?;
    let jar = user.jar.borrow();
    let cookies = if jar.is_empty() {
        cookies::Sent::new()
    } else {
        jar.matching(cookie_place(context, step), context.epoch_seconds(now))
    };
    let mut bytes = context.buffers.take();
    let rendered = render(template, &done.values, bound, &cookies, &mut bytes)?;
    if context.tells.get() {
        let target = bytes.get(rendered.target).unwrap_or(&[]);
        done.target = Some(String::from_utf8_lossy(target).into_owned());
    }
    let extracts = setup.plan.extracts.get(step.site as usize);
    let asks = step.asks.as_deref();
    let whole = extracts.is_some_and(|extracts| extracts.body) || asks.is_some_and(|asks| asks.body);
    let ask = Ask {
        head_only: template.method == Method::HEAD,
        keep_head: extracts.is_some_and(|extracts| !extracts.sites.is_empty())
            || asks.is_some_and(|asks| asks.head),
        keep: if whole { Keep::All } else { keep(context, step) },
    };
    Ok(Sending { bytes, rest: rendered.rest, ask, last: template.last })
}

pub(super) fn cookie_place<'a>(context: &'a Context, step: &'a StepPlan) -> cookies::Place<'a> {
    let setup = &context.setup;
    let at = step.origin as usize;
    let target = setup.place_of.get(at).and_then(|place| setup.places.get(*place)).map(|place| &place.target);
    let https = |scheme| scheme == mynah_traffic::Scheme::Https;
    cookies::Place {
        recorded: setup.hosts.get(at).map_or("", String::as_str),
        target: target.map_or("", |target| target.host.as_str()),
        path: setup.cookie_path(step),
        secure: target.is_some_and(|target| https(target.scheme))
            || setup.plan.origins.get(at).is_some_and(|origin| https(origin.scheme)),
    }
}

/// Sends the request of a step, or where an answer to it has led; `Some`: its answer leads elsewhere, and that is followed.
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one request, each needed, none with another in common"
)]
async fn send(
    context: &Context,
    user: &User,
    (step, template): (&StepPlan, &Template),
    (place, place_at): (&Place, usize),
    way: &mut Way<'_>,
    times: &mut Times,
    hop: Option<Box<Hop>>,
    done: &mut Done,
) -> Option<Box<Hop>> {
    let mut through = None;
    // Only what the first request waited for is the generator's; where it led is the target's.
    let mut led = *times;
    let times = if hop.is_some() { &mut led } else { times };
    // A second attempt only where the first one met a connection that the server had given up.
    for attempt in 0..2 {
        let mut line = match way.line(context, place, &mut times.ready).await {
            Ok(line) => line,
            Err(failure) => return fail(context, done, failure),
        };
        let mut sending = match &hop {
            Some(hop) => hop.sending(context),
            None => match fill(context, user, (step, template), times.begun, done) {
                Ok(sending) => sending,
                Err(reason) => {
                    way.keep(line);
                    done.ended = context.clock.now();
                    done.outcome = Outcome::Unsent(reason);
                    return None;
                }
            },
        };
        if let (None, Some(hooks)) = (&hop, &context.script) {
            let before = context.clock.now();
            sending = match script::ask(context, hooks, user, sending, done) {
                Ok(Some(sending)) => sending,
                Ok(None) => {
                    way.keep(line);
                    done.ended = context.clock.now();
                    done.outcome = Outcome::Skipped;
                    return None;
                }
                Err(failure) => {
                    way.keep(line);
                    return fail(context, done, failure);
                }
            };
            times.ready += context.clock.now().saturating_sub(before);
        }
        if let Some(hook) = &context.setup.middleware {
            sending = match send_through(context, hook, sending, &mut through, times, done).await {
                Ok(sending) => sending,
                Err(failure) => {
                    way.keep(line);
                    return fail(context, done, failure);
                }
            };
        }
        let trail = Trail::of(context, &mut sending, hop.as_deref());
        let sending = signed(context, sending);
        let reused = line.is_used();
        match line.exchange(sending, context.setup.patience).await {
            Ok(mut exchanged) => {
                if let (Some(hook), Some(through)) = (&context.setup.middleware, &through) {
                    hook.replayed(through, line.answer(), &exchanged);
                }
                if context.setup.counts(times.intended) {
                    context.recorder.borrow_mut().counters().protocols[usize::from(line.is_h2())] += 1;
                }
                let next = match trail {
                    None => Ok(None),
                    Some(trail) => trail.follow(context, user, step, place_at, &mut exchanged, line.answer()),
                };
                match next {
                    Ok(Some(next)) => {
                        if context.tells.get() {
                            let so_far = done.target.take().unwrap_or_default();
                            done.target = Some(format!("{so_far} → {}", next.shown()));
                        }
                        way.keep(line);
                        return Some(next);
                    }
                    Ok(None) => answered(context, user, step, times, exchanged, line.answer(), done),
                    Err(failure) => {
                        done.sample.bytes_in = exchanged.bytes_in;
                        done.sample.bytes_out += exchanged.bytes_out;
                        fail(context, done, failure);
                    }
                }
                way.keep(line);
                return None;
            }
            Err(broken) => {
                let idempotent = match (&through, &hop) {
                    (Some(through), _) => through.is_idempotent(),
                    (None, Some(hop)) => hop.method.is_idempotent(),
                    (None, None) => done
                        .asked
                        .as_ref()
                        .and_then(Asked::method)
                        .unwrap_or_else(|| template.method.clone())
                        .is_idempotent(),
                };
                let lost = reused && broken.unanswered && (broken.unsent || idempotent);
                let again = (lost || broken.refused) && attempt == 0 && !context.is_halted();
                done.sample.bytes_out += broken.bytes_out;
                if !again {
                    return fail(context, done, broken.failure);
                }
                // The first attempt was the server's doing: the lag counts anew from here.
                times.begun = times.free;
                times.ready = context.clock.now();
            }
        }
    }
    None
}

/// The request with signatures that are right for it.
fn signed(context: &Context, mut sending: Sending) -> Sending {
    if context.setup.signers.is_empty() {
        return sending;
    }
    let mut whole = [&sending.bytes[..], &sending.rest[..]].concat();
    let mut changed = false;
    for signer in &context.setup.signers {
        if let Some(other) = signer.sign(&whole, context.epoch_seconds(context.clock.now()).unsigned_abs()) {
            whole = other;
            changed = true;
        }
    }
    if changed {
        sending.rest = Bytes::new();
        let before = std::mem::replace(&mut sending.bytes, whole);
        context.buffers.give_back(before);
    }
    sending
}

/// What comes back of a request from the middleware, asked once for both attempts. That it takes its time is not the
/// generator's fault: this is added to the moment from which the lag counts.
async fn send_through(
    context: &Context,
    hook: &Hook,
    sending: Sending,
    through: &mut Option<Through>,
    times: &mut Times,
    done: &mut Done,
) -> Result<Sending, Failure> {
    let back = if let Some(back) = through {
        back
    } else {
        let before = context.clock.now();
        let back = hook.through(&sending).await?;
        times.ready += context.clock.now().saturating_sub(before);
        if context.tells.get() {
            done.target = back.target();
        }
        through.insert(back)
    };
    context.buffers.give_back(sending.bytes);
    Ok(back.sending())
}

fn fail(context: &Context, done: &mut Done, failure: Failure) -> Option<Box<Hop>> {
    done.ended = context.clock.now();
    done.outcome = Outcome::Failed(failure);
    None
}

fn answered(
    context: &Context,
    user: &User,
    step: &StepPlan,
    times: &Times,
    exchanged: Exchanged,
    answer: &mut Answer,
    done: &mut Done,
) {
    let status = answer.status;
    done.ended = exchanged.ended;
    done.sample.service = exchanged.ended.saturating_sub(exchanged.started);
    done.sample.first_byte = exchanged.first.saturating_sub(exchanged.started);
    done.sample.lag = times.lag(exchanged.started);
    done.sample.bytes_in = exchanged.bytes_in;
    done.sample.bytes_out += exchanged.bytes_out;
    done.sample.status = status;
    for field in answer.set_cookies.drain(..) {
        if let Ok(text) = std::str::from_utf8(&field) {
            user.jar.borrow_mut().set(text, cookie_place(context, step), context.epoch_seconds(done.ended));
        }
    }
    let held = hold(context, step, exchanged.kept, answer);
    let counts = context.setup.counts(times.intended);
    let told = script::hear(context, user, answer, counts, done);
    let extracts = context.setup.plan.extracts.get(step.site as usize);
    let asks = step.asks.as_deref();
    let mut found = Findings::default();
    let sites = extracts.map_or(&[][..], |extracts| &extracts.sites);
    if !sites.is_empty() || asks.is_some_and(|asks| asks.head) {
        let message = Message {
            head: std::mem::take(&mut answer.head).into(),
            body: std::mem::take(&mut answer.body).into(),
            trailers: Bytes::new(),
        };
        let body = extracts.is_some_and(|extracts| extracts.body) || asks.is_some_and(|asks| asks.body);
        let whole = body.then(|| View::open(&message, &Limits::default()).ok()).flatten();
        let view = whole.or_else(|| View::open_head(&message).ok());
        if let Some(view) = &view {
            for (correlation, at) in sites {
                let values = view.extract_all(at);
                if !values.is_empty() {
                    user.learn(*correlation, values.clone());
                    done.learnt.push((*correlation, values));
                }
            }
        }
        found = ask(context, user, asks, view.as_ref(), done);
    } else if asks.is_some() {
        found = ask(context, user, asks, None, done);
    }
    let said = asks.is_some_and(|asks| asks.of_status);
    let mut judged = judge(&step.expect, step.inline && !said, status, &answer.content_type, held);
    if !matches!(judged, Judged::Wrong(_))
        && let Some(wrong) = found.wrong.or(found.missing).or(told)
    {
        judged = Judged::Wrong(wrong);
    }
    if answer.body.capacity() > 0 {
        context.buffers.give_back(std::mem::take(&mut answer.body));
    }
    done.outcome = Outcome::Answered { status, judged };
}

/// What a person asked that is not so, and what should have been there to take.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) wrong: Option<String>,
    pub(super) missing: Option<String>,
}

pub(super) fn ask(
    context: &Context,
    user: &User,
    asks: Option<&Asks>,
    view: Option<&View<'_>>,
    done: &mut Done,
) -> Findings {
    let Some(asks) = asks else { return Findings::default() };
    let Done { checked, learnt, sample, .. } = done;
    let tells = context.tells.get();
    let wrong = asks.judge((sample.status, sample.service), view, |check, holds| {
        if tells {
            checked.push((check.to_string(), holds));
        }
    });
    let missing = asks.take(view, |number, values| {
        if tells {
            learnt.push((number, values.clone()));
        }
        user.learn(number, values);
    });
    Findings { wrong, missing }
}

impl Done {
    /// What was wrong with it, in words.
    pub(crate) fn problem(&self) -> Option<String> {
        let mut text = match &self.outcome {
            Outcome::Answered { judged: Judged::Wrong(text), .. } | Outcome::Unsent(text) => text.clone(),
            Outcome::Answered { .. } | Outcome::Skipped => return None,
            Outcome::Failed(failure) => return Some(failure.text.clone()),
        };
        if !self.missing.is_empty() {
            let _ = write!(text, "; there was no value for {}", self.missing.join(", "));
        }
        Some(text)
    }

    /// In what a right answer is unlike the recorded one.
    pub(crate) fn unlike(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Answered { judged: Judged::Unlike { wanted, got }, .. } => {
                Some(format!("{got}, recorded {wanted}"))
            }
            Outcome::Skipped => Some("not sent: onRequest returned false".to_owned()),
            _ => None,
        }
    }

    /// Counts it.
    pub(crate) fn count(mut self, context: &Context, step: &StepPlan) {
        if matches!(self.outcome, Outcome::Skipped) {
            return;
        }
        let counts = context.setup.counts(self.ended.saturating_sub(self.sample.response));
        let mut recorder = context.recorder.borrow_mut();
        let status = match &self.outcome {
            Outcome::Answered { status, judged } => {
                if let Judged::Unlike { wanted, got } = judged
                    && counts
                {
                    self.sample.mismatch = true;
                    recorder.mismatch(Mismatch {
                        endpoint: step.endpoint,
                        wanted: wanted.clone(),
                        got: got.clone(),
                    });
                }
                Some(*status)
            }
            Outcome::Failed(failure) => {
                if counts {
                    recorder.error(failure);
                }
                None
            }
            Outcome::Unsent(_) | Outcome::Skipped => None,
        };
        self.sample.parity = parity(&step.expect, status);
        if let Some(problem) = self.problem() {
            self.sample.failed = true;
            if counts {
                recorder.failed(step.endpoint, problem, self.ended);
            }
        }
        recorder.sample(self.sample);
    }
}
