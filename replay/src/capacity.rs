//! The highest rate that a target carries: runs of some seconds each, the next at a rate that the last ones leave open.
//!
//! `search` says which rate is tried next, `judge` what a run at it says; here they are brought together. Every step is a run of
//! its own in the open model, the first part of which (warming up) is not counted, and whose sessions are cut off at its end; what
//! was sent by then is waited for. Steps have the same seed: the same sessions in the same order, closer together.

mod judge;
mod search;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mynah_traffic::Nanos;
use mynah_traffic::capacity::{
    CapacityDocument, CapacityOutcome, CapacityStep, Phase, SCHEMA, STEPS, StepVerdict,
};
use mynah_traffic::run::{RunDocument, RunFolder, Verdict};
use mynah_traffic::scenario::Rate;
use mynah_traffic::units::{format_duration, format_time};

use crate::engine::{Act, Part};
use crate::load::sessions_per_second;
use crate::options::{LoadModel, Options};
use crate::prepared::Plan;
use crate::{Error, Prepared, Progress, Stop, due, run};
use judge::number;
use search::{Next, Said, Search, rounded};

/// How to search.
#[derive(Clone, Debug)]
pub struct Seek {
    /// The lowest rate. `None`: the scenario's, and less where it does not hold.
    pub from: Option<Rate>,
    /// The highest. `None`: until a step fails.
    pub up_to: Option<Rate>,
    /// How close the rates may be between which the answer lies, as a share.
    pub precision: f64,
    /// What is counted of a step.
    pub step: Nanos,
    /// What is counted of one that holds the rate that was found.
    pub hold: Nanos,
    /// What goes before it and is not counted. `None`: two seconds, or as long as sessions last, up to a minute.
    pub warm_up: Option<Nanos>,
}

impl Default for Seek {
    fn default() -> Self {
        Seek {
            from: None,
            up_to: None,
            precision: 0.02,
            step: Nanos(10 * Nanos::PER_SECOND),
            hold: Nanos(30 * Nanos::PER_SECOND),
            warm_up: None,
        }
    }
}

/// How a search is going.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// A step begins.
    Begins {
        /// From 1.
        number: u32,
        /// What for.
        phase: Phase,
        /// At this rate.
        sessions_per_s: f64,
    },
    /// It goes on.
    Going(&'a Progress),
    /// It is over.
    Ended(&'a CapacityStep),
}

const SHORTEST_WARM_UP: Nanos = Nanos(2 * Nanos::PER_SECOND);
const LONGEST_WARM_UP: Nanos = Nanos(60 * Nanos::PER_SECOND);
/// While the rate grows it is doubled: so much of a step tells what that does.
const GROW_PART: u64 = 3;
const SHORTEST_GROW: Nanos = Nanos(2 * Nanos::PER_SECOND);
/// A target that falls behind by less in so short a step may have done so by chance: the rate is tried again, for a whole one.
const DOUBTFUL: f64 = 0.05;
/// Between steps, when all was answered, and when something was given up, which the target may still be at.
const PAUSE: Duration = Duration::from_millis(500);
const LONG_PAUSE: Duration = Duration::from_secs(10);
/// Sessions of a profile that are looked at for their length.
const LOOKED_AT: usize = 1000;
/// An answer from fewer requests is told to be one.
const FEW: u64 = 200;

/// Searches the highest rate at which `options.thresholds` hold and the target keeps up. Blocks until it is found. The rate,
/// length and start of `options` are not used. A run's folder is made for each step within `folder`; `capacity.json` is the
/// caller's to write.
///
/// # Errors
/// As [`run()`](crate::run()), of any step. What steps found before an error is lost.
pub fn capacity(
    prepared: &Prepared,
    options: &Options,
    seek: &Seek,
    folder: &RunFolder,
    stop: &Stop,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<CapacityDocument, Error> {
    let plan = &prepared.plan;
    let per_second = |rate: Option<Rate>| rate.map(|rate| sessions_per_second(plan, rate)).transpose();
    let (asked, up_to) = (per_second(seek.from)?, per_second(seek.up_to)?);
    let from = match asked {
        Some(from) => from,
        None => first_rate(plan)?,
    };
    if let (Some(from), Some(up_to)) = (asked, up_to)
        && from > up_to
    {
        return Err(Error::Config(format!("from {from} up to {up_to} sessions/s there is no rate to try")));
    }
    let lasting = lasting(plan, options);
    let warm_up = seek.warm_up.unwrap_or_else(|| lasting.max(SHORTEST_WARM_UP).min(LONGEST_WARM_UP));
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Steps of a third must have a session or two.
    let least = 2.0 / (seek.step.as_secs_f64() / 3.0).max(0.001);
    let mut search = Search::new(from, asked.is_some(), up_to, seek.precision)
        .not_below(up_to.map_or(least, |up_to| least.min(up_to)));
    let mut steps: Vec<CapacityStep> = Vec::new();
    let mut target = String::new();
    let outcome = loop {
        let (phase, rate) = match search.next() {
            Next::Done(outcome) => break outcome,
            Next::Try(phase, rate) => (phase, rate),
        };
        let number = steps.len() as u32 + 1;
        tell(Told::Begins { number, phase, sessions_per_s: rate });
        let counted = match phase {
            Phase::Grow => seek.step.min(Nanos(seek.step.0 / GROW_PART).max(SHORTEST_GROW)),
            Phase::Narrow => seek.step,
            Phase::Hold => seek.hold,
        };
        let name = format!("{STEPS}/{number:02}-{phase}-{rate}");
        let own = RunFolder::create(folder.path().join(&name))?;
        let document =
            one(prepared, options, rate, (warm_up, counted), &own, stop, tell).inspect_err(|_| {
                // Where nothing was measured nothing stays behind, so that the same command can be given again. Folders that hold
                // something are not removed by this.
                let _ = std::fs::remove_dir(own.path())
                    .and_then(|()| std::fs::remove_dir(folder.path().join(STEPS)));
            })?;
        if stop.is_triggered() {
            break CapacityOutcome::Interrupted;
        }
        target.clone_from(&document.target);
        let step = judge::step(number, phase, rate, &document, name);
        tell(Told::Ended(&step));
        search.said(match step.verdict {
            StepVerdict::Holds => Said::Holds,
            // No threshold failed, and it fell behind by a little in a third of a step.
            StepVerdict::Fails if document.verdict == Verdict::Pass && step.behind < DOUBTFUL => {
                Said::Doubtful
            }
            StepVerdict::Fails => Said::Fails,
            StepVerdict::Invalid => Said::Generator,
        });
        steps.push(step);
        let given_up = document.generator.errors.contains_key("timeout");
        rest(if given_up { LONG_PAUSE } else { PAUSE }, stop);
    };
    let (answer, knee) = answer(&steps, outcome);
    let mut remarks = Vec::new();
    if lasting > warm_up {
        remarks.push(format!(
            "sessions last up to {} and a step warms up for {}: its load still grows while it is counted; shorter pauses (--think-time \
             x0.1) or a longer --warm-up make it level",
            format_duration(lasting),
            format_duration(warm_up)
        ));
    }
    if let Some(step) = answer.filter(|step| step.requests < FEW) {
        remarks.push(format!(
            "the answer stands on {} requests: --step and --hold could be longer",
            step.requests
        ));
    }
    let stepped_down =
        steps.iter().filter(|step| step.phase == Phase::Hold && step.verdict == StepVerdict::Fails);
    for step in stepped_down {
        remarks.push(format!(
            "{} sessions/s held for {} s and not for {} s: {}",
            step.sessions_per_s,
            seek.step.as_secs_f64(),
            seek.hold.as_secs_f64(),
            step.reasons.first().map_or("", String::as_str)
        ));
    }
    Ok(CapacityDocument {
        schema: SCHEMA,
        outcome,
        summary: summary(outcome, &steps, answer, knee),
        remarks,
        answer: answer.map(|step| step.number),
        knee: knee.map(|step| step.number),
        started: format_time(started.into()),
        scenario: plan.scenario.name.clone(),
        target,
        seed: options.seed,
        thresholds: options.thresholds.iter().map(|threshold| threshold.expr.clone()).collect(),
        precision: seek.precision,
        step_s: seek.step.as_secs_f64(),
        hold_s: seek.hold.as_secs_f64(),
        warm_up_s: warm_up.as_secs_f64(),
        steps,
    })
}

/// One step's run.
fn one(
    prepared: &Prepared,
    options: &Options,
    rate: f64,
    (warm_up, counted): (Nanos, Nanos),
    folder: &RunFolder,
    stop: &Stop,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<RunDocument, Error> {
    let options = Options {
        load: LoadModel::Open { rate: Rate::PerSecond(rate) },
        duration: Some(Nanos(warm_up.0 + counted.0)),
        warm_up: Some(warm_up),
        turn: None,
        shard: None,
        start_at: None,
        ..options.clone()
    };
    // A threshold that ends the run ends one step, not the search.
    let document = run(prepared, &options, folder, &stop.child(), &mut |now| tell(Told::Going(now)))?;
    folder.write(&document)?;
    Ok(document)
}

/// Lets the target come to rest.
fn rest(pause: Duration, stop: &Stop) {
    let begun = Instant::now();
    while begun.elapsed() < pause && !stop.is_triggered() {
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn first_rate(plan: &Plan) -> Result<f64, Error> {
    let recorded = plan.scenario.recorded.as_ref().map(|recorded| recorded.sessions_per_s);
    Ok(match (plan.scenario.load.rate, recorded) {
        (Some(rate), _) => sessions_per_second(plan, rate)?,
        (None, Some(rate)) if rate > 0.0 => rounded(rate),
        _ => 1.0,
    })
}

/// How long nine of ten sessions last at most, for their pauses alone.
fn lasting(plan: &Plan, options: &Options) -> Nanos {
    let total: f64 = plan.profiles.iter().map(|profile| profile.weight).sum();
    let mut lengths: Vec<(u64, f64)> = Vec::new();
    for (number, profile) in (0..).zip(&plan.profiles) {
        let think_time =
            options.think_time.or(profile.think_time).or(plan.scenario.load.think_time).unwrap_or_default();
        let looked_at = profile.sessions.len().min(LOOKED_AT);
        plan.first_sessions(number, LOOKED_AT, |session, steps| {
            let (wait, act) = (profile.wait, Act::Session);
            let part = Part { number, profile, session, steps, read: None, think_time, wait, act };
            let last = due::offsets(part).last().copied();
            lengths.push((last.unwrap_or(0), profile.weight / looked_at as f64));
        });
    }
    lengths.sort_by_key(|(length, _)| *length);
    let mut below = 0.0;
    let at = lengths.iter().find(|(_, weight)| {
        below += weight;
        below >= 0.9 * total
    });
    Nanos(at.map_or(0, |(length, _)| *length))
}

/// The step that is the answer, and the lowest one above it that fails.
fn answer(
    steps: &[CapacityStep],
    outcome: CapacityOutcome,
) -> (Option<&CapacityStep>, Option<&CapacityStep>) {
    let rate = |step: &CapacityStep| step.sessions_per_s;
    let failed = || steps.iter().filter(|step| step.verdict == StepVerdict::Fails);
    let lowest = failed().map(rate).fold(f64::INFINITY, f64::min);
    let held = steps.iter().filter(|step| step.verdict == StepVerdict::Holds && rate(step) < lowest);
    let answer = match outcome {
        CapacityOutcome::NothingHolds => None,
        // What was held for longer, though others may have held for a while at higher rates.
        _ if steps
            .last()
            .is_some_and(|step| step.phase == Phase::Hold && step.verdict == StepVerdict::Holds) =>
        {
            steps.last()
        }
        // Of two steps at one rate the later is the longer.
        _ => held.max_by(|a, b| rate(a).total_cmp(&rate(b)).then(a.number.cmp(&b.number))),
    };
    let above = answer.map_or(0.0, rate);
    (answer, failed().filter(|step| rate(step) > above).min_by(|a, b| rate(a).total_cmp(&rate(b))))
}

fn summary(
    outcome: CapacityOutcome,
    steps: &[CapacityStep],
    answer: Option<&CapacityStep>,
    knee: Option<&CapacityStep>,
) -> String {
    let rates = |step: &CapacityStep, requests: f64| {
        format!("{} requests/s ({} sessions/s)", number(requests), step.sessions_per_s)
    };
    let why = |step: &CapacityStep| step.reasons.first().cloned().unwrap_or_default();
    let beyond =
        knee.map(|knee| format!("; at {} {}", rates(knee, knee.asked_per_s), why(knee))).unwrap_or_default();
    let held = answer.map(|step| rates(step, step.requests_per_s));
    let limit =
        steps.iter().rev().find(|step| step.verdict == StepVerdict::Invalid).map(why).unwrap_or_default();
    match (outcome, held) {
        (CapacityOutcome::Found, Some(held)) => format!("holds {held}{beyond}"),
        (CapacityOutcome::UpTo, Some(held)) => format!("holds {held}, the highest rate that was to be tried"),
        (CapacityOutcome::Generator, Some(held)) => {
            format!("holds {held} and maybe more, which could not be sent: {limit}")
        }
        (CapacityOutcome::Generator, None) => format!("nothing is known of the target: {limit}"),
        (CapacityOutcome::Interrupted, Some(held)) => format!("interrupted; so far it holds {held}{beyond}"),
        (CapacityOutcome::Interrupted, None) => "interrupted before anything was known".to_owned(),
        (_, _) => {
            let lowest = steps.iter().filter(|step| step.verdict == StepVerdict::Fails);
            let lowest = lowest.min_by(|a, b| a.sessions_per_s.total_cmp(&b.sessions_per_s));
            lowest.map_or_else(
                || "no rate held".to_owned(),
                |step| format!("not even {} held: {}", rates(step, step.asked_per_s), why(step)),
            )
        }
    }
}
