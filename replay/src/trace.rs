//! One session a profile, step by step, for a person to read.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use mynah_traffic::scenario::ThinkTime;
use tokio::task::LocalSet;

use crate::engine::{Act, Context, Done, Outcome, Setup, Turn, User, begin, perform};
use crate::options::Options;
use crate::pace::Clock;
use crate::prepared::{ProfilePlan, StepPlan, Walks};
use crate::script::Scripted;
use crate::stats::{NO_STATUS, Recorder};
use crate::timetable::Card;
use crate::{Error, Prepared};

/// Values are shown up to this many characters.
const SHOWN: usize = 40;

/// A value that was put into a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injected {
    /// Where: `form:csrf`.
    pub at: String,
    /// From what: `${csrf}`.
    pub from: String,
    /// The value, shortened; `None`: there was none, and the recorded one was sent.
    pub value: Option<String>,
}

/// One step of a traced session.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceStep {
    /// The profile's name.
    pub profile: String,
    /// From 1.
    pub number: usize,
    /// Steps of the session.
    pub of: usize,
    /// Method.
    pub method: String,
    /// Where it was sent, whole.
    pub url: String,
    /// The endpoint it is counted by.
    pub endpoint: String,
    /// The name it is counted by in place of its path, where a person gave one.
    pub name: Option<String>,
    /// `on_start`, `on_stop`; `None` for a session's own steps.
    pub phase: Option<&'static str>,
    /// A person's checks, and whether each holds.
    pub checked: Vec<(String, bool)>,
    /// Bytes sent, head included.
    pub sent_bytes: u64,
    /// Bytes received, head included.
    pub received_bytes: u64,
    /// What was put in.
    pub injected: Vec<Injected>,
    /// The recorded (or wanted) status.
    pub wanted: Option<u16>,
    /// The status that came; `None`: no answer.
    pub got: Option<u16>,
    /// Whether that was right.
    pub ok: bool,
    /// Why not, in words; or in what a right answer is unlike the recorded one.
    pub why: Option<String>,
    /// Service time in milliseconds; 0 where no answer came.
    pub ms: f64,
    /// Names of the correlations that got values from the answer, with the first value, shortened.
    pub extracted: Vec<(String, String)>,
}

/// What a trace comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceSummary {
    /// Sessions played.
    pub sessions: usize,
    /// Steps played.
    pub steps: usize,
    /// Steps whose answer was right.
    pub ok: usize,
}

/// Plays the first session of every profile, its steps in order and one after another, without think times unless the options
/// ask for a fixed one, and hands each to `out`.
///
/// # Errors
/// As [`run`](crate::run()), but nothing is written.
pub fn trace(
    prepared: &Prepared,
    options: &Options,
    out: &mut dyn FnMut(TraceStep),
) -> Result<TraceSummary, Error> {
    let one = vec![1.0; prepared.plan.profiles.len()];
    let walks = Walks::counts(&prepared.plan, options.behaviour, &one)?;
    let mut setup = Setup::new(&prepared.plan, options, &walks)?;
    // Steps that would be drawn come one after the other, so that each is seen.
    setup.once = true;
    if !matches!(options.think_time, Some(ThinkTime::Fixed(_))) {
        setup.think_times.fill(ThinkTime::Fixed(mynah_traffic::Nanos(0)));
    }
    // Counted like a run's, for nobody.
    let (reports, _inbox) = mpsc::channel();
    let clock = Clock::new(Instant::now());
    let setup = Arc::new(setup);
    let master = setup.script.as_ref().map(Scripted::set_up).transpose()?.flatten();
    let hooks = setup.hooks(0)?;
    let context = Context::new(setup.clone(), clock, Recorder::new(0, reports), None, hooks);
    context.tells.set(true);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Engine(format!("no runtime: {error}")))?;
    // HTTP/2 connections are driven by tasks of the thread's.
    let local = LocalSet::new();
    let mut summary = TraceSummary::default();
    for (number, profile) in prepared.plan.profiles.iter().enumerate() {
        let card = Card { profile: number as u32, session: 0 };
        let read = match context.setup.reads(card) {
            Some(_) => Some(context.setup.read(card).map_err(Error::Engine)?),
            None => None,
        };
        let Some(part) = context.setup.part(card, read.as_ref()) else { continue };
        summary.sessions += 1;
        let user = User::new(number as u64, number as u64);
        user.is(number as u32, part.session.person);
        user.ranks(0);
        begin(&context, &user, part);
        let parts = [part.beginning(), part, part.ending()];
        let of = parts.iter().map(|part| part.session.len()).sum();
        let steps = parts.iter().flat_map(|part| {
            part.session.steps().filter_map(|step| Some((part.act, part.steps.get(step as usize)?)))
        });
        for (number, (phase, step)) in steps.enumerate() {
            let think = part.think_time.draw(step.think, || 0.5);
            let done = local.block_on(&runtime, async {
                if think.0 > 0 {
                    tokio::time::sleep(think.as_duration()).await;
                }
                tokio::select! {
                    done = perform(&context, &user, (part.number, step), Turn::at(clock.now())) => done,
                    () = context.deadlines.clone().drive() => None,
                }
            });
            let Some(done) = done else { continue };
            let mut told = tell(&context, profile, (number + 1, of), step, &done);
            told.phase = match phase {
                Act::Start => Some("on_start"),
                Act::Session => None,
                Act::Stop => Some("on_stop"),
            };
            summary.steps += 1;
            summary.ok += usize::from(told.ok);
            out(told);
        }
    }
    if let (Some(script), Some(master)) = (&setup.script, &master)
        && let (Some(why), _) = script.tear_down(master)
    {
        return Err(Error::Config(format!("{why} (in teardown)")));
    }
    Ok(summary)
}

fn tell(
    context: &Context,
    profile: &ProfilePlan,
    (number, of): (usize, usize),
    step: &StepPlan,
    done: &Done,
) -> TraceStep {
    let setup = &context.setup;
    let endpoint = setup.plan.endpoints.all().get(step.endpoint as usize);
    let place = setup.place_of.get(step.origin as usize).and_then(|at| setup.places.get(*at));
    let peer = step.peer().and_then(|peer| setup.peers.get(peer as usize));
    let origin = place.map(|place| place.target.origin());
    let origin = origin.or_else(|| Some(format!("{} ", peer?.shown()))).unwrap_or_default();
    let path = done.target.clone().unwrap_or_else(|| step.path.clone());
    let needs = step.needs();
    let problem = done.problem();
    let got = match done.outcome {
        Outcome::Answered { status, .. } if status != NO_STATUS => Some(status),
        _ => None,
    };
    TraceStep {
        profile: profile.name.clone(),
        number,
        of,
        method: endpoint.map(|endpoint| endpoint.method.clone()).unwrap_or_default(),
        url: format!("{origin}{path}"),
        endpoint: endpoint.map(ToString::to_string).unwrap_or_default(),
        name: endpoint.filter(|_| step.site != step.endpoint).map(|endpoint| endpoint.template.to_string()),
        phase: None,
        checked: done.checked.clone(),
        sent_bytes: done.sample.bytes_out,
        received_bytes: done.sample.bytes_in,
        injected: needs
            .into_iter()
            .zip(done.values.iter().map(Option::as_deref).chain(std::iter::repeat(None)))
            .map(|(need, value)| Injected {
                at: need.at.to_string(),
                from: need.name.clone(),
                value: value.map(shorten),
            })
            .collect(),
        wanted: step.expect.status,
        got,
        ok: problem.is_none(),
        why: problem.or_else(|| done.unlike()),
        ms: if matches!(done.outcome, Outcome::Answered { .. }) {
            done.sample.service as f64 / 1e6
        } else {
            0.0
        },
        extracted: done
            .learnt
            .iter()
            .map(|(correlation, values)| {
                let name = setup.plan.correlations.get(*correlation as usize).cloned().unwrap_or_default();
                let more = if values.len() > 1 { format!(" (1 of {})", values.len()) } else { String::new() };
                (name, format!("{}{more}", values.first().map(|value| shorten(value)).unwrap_or_default()))
            })
            .collect(),
    }
}

fn shorten(value: &str) -> String {
    let clean: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN + 1).collect();
    if clean.chars().count() > SHOWN { clean.chars().take(SHOWN).chain(['…']).collect() } else { clean }
}
