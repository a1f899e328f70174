//! `mynah replay`: a scenario → traffic → a run and a verdict.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mynah_replay::{
    Course, LoadModel, Middleware, Options, Prepared, Progress as Point, Shard, Target, TraceStep,
};
use mynah_report::compare::Sample;
use mynah_report::table;
use mynah_traffic::Nanos;
use mynah_traffic::run::{DOCUMENT, HTML, RunFolder, Verdict};
use mynah_traffic::scenario::{LoadShape, Scenario};
use mynah_traffic::units::{format_duration, format_time, parse_duration, parse_time};

use crate::compare::BoundArgs;
use crate::driving::{self, How, What, Where};
use crate::exit::{Exit, Exits, Failure, Outcome, fail};
use crate::middleware::Requests;
use crate::progress::Progress;
use crate::shaped::Shaped;
use crate::{compare, destination, output, preview, report, terminal};

/// Drive a scenario at a target: virtual users that behave as recorded, at any rate, with a verdict at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah replay shop.toml --target http://127.0.0.1:8080 --rate 10x --for 60s --threshold 'p99 < 500ms'
  mynah replay shop.toml --target https://staging.example --users 50 --spawn-rate 5 --for 5m
  mynah replay shop.toml --target http://127.0.0.1:8080 --stage 30s:10/s --stage 1m:50/s --stage 30s:0/s
  mynah replay shop.toml --shape spike:10/s..200/s@30s+10s --for 2m --preview
  mynah replay shop.toml --target http://127.0.0.1:8080 --once --trace")]
pub(crate) struct Args {
    #[command(flatten)]
    what: What,

    #[command(flatten)]
    place: Where,

    /// Compare two targets in one run: sessions go to them in turn, so that whatever else moves, moves for both. Exits 10 when
    /// the second is slower (see mynah compare). The usual length is --for 60s.
    #[arg(long, num_args = 2, value_names = ["BASELINE-URL", "CANDIDATE-URL"], conflicts_with_all = ["target", "map", "users", "once", "baseline", "middleware"])]
    against: Vec<Target>,

    /// How long each of --against has its turn.
    #[arg(long, value_name = "TIME", default_value = "5s", requires = "against", value_parser = parse_block)]
    block: u32,

    /// Compare with these runs at the end, and exit 10 when this one is slower: a run's folder, a folder of runs, or a pattern
    /// (see mynah compare).
    #[arg(long, value_name = "RUN")]
    baseline: Option<String>,

    #[command(flatten)]
    shaped: Shaped,

    /// For how long sessions are begun (open model; those under way may end) or users are there (closed model; what they
    /// are at is cut off). As long as the stages, else the recording's own duration (at least 10 s), when left out.
    #[arg(long = "for", short = 't', value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Nanos>,

    /// End the run so long after its begin, whatever it is at, and call it failed: a run must not hold up a pipeline for ever. What is
    /// under way then gets five seconds.
    #[arg(long, value_name = "TIME", value_parser = driving::parse_timeout)]
    max_time: Option<Duration>,

    #[command(flatten)]
    how: How,

    /// Play one session of each profile.
    #[arg(long)]
    once: bool,

    /// Print each step of --once: what was sent, wanted and got, and why it is wrong.
    #[arg(long, requires = "once")]
    trace: bool,

    /// Draw the load over time and say how many sessions and requests it comes to; send nothing. Needs no target.
    #[arg(long, conflicts_with_all = ["once", "against", "baseline", "middleware", "start_at", "json"])]
    preview: bool,

    /// Say what would be sent where, and send nothing.
    #[arg(long, conflicts_with_all = ["once", "preview", "json", "start_at"])]
    dry_run: bool,

    /// Do not ask before sending to another machine. (Only a person at a terminal is asked.)
    #[arg(long, short = 'y')]
    yes: bool,

    /// Send each request, as it is about to go out, through this program, as GoReplay does: 'python3 rewrite.py'. What comes
    /// back is sent; what does not within --middleware-timeout is counted as failed (middleware).
    #[arg(long, value_name = "CMD", help_heading = "How requests are sent")]
    middleware: Option<String>,

    /// How long a request may take to come back from --middleware.
    #[arg(long, value_name = "TIME", default_value = "2s", requires = "middleware", value_parser = driving::parse_timeout, help_heading = "How requests are sent")]
    middleware_timeout: Duration,

    /// Play only a part of the timetable, so that several machines send together what one would: 2/3 is the second of three.
    /// mynah report --merge makes one run of theirs.
    #[arg(long, value_name = "I/N", conflicts_with_all = ["against", "baseline", "once"], value_parser = parse_shard)]
    shard: Option<Shard>,

    /// Begin at this moment: 2026-11-21T16:05:00Z, or so long from now: +10s.
    #[arg(long, value_name = "TIME", conflicts_with = "once", value_parser = parse_start)]
    start_at: Option<SystemTime>,

    #[command(flatten)]
    bounds: BoundArgs,

    /// The run's folder; a new one under runs/ when left out.
    #[arg(short, long, value_name = "RUN")]
    output: Option<PathBuf>,

    /// Replace an earlier run in that folder.
    #[arg(long)]
    force: bool,

    /// Print run.json on standard output instead of the table.
    #[arg(long, conflicts_with = "trace")]
    json: bool,
}

fn parse_block(text: &str) -> Result<u32, String> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    let seconds = u32::try_from(span.0 / Nanos::PER_SECOND).ok();
    seconds
        .filter(|seconds| *seconds > 0 && span.0.is_multiple_of(Nanos::PER_SECOND))
        .ok_or_else(|| "expected whole seconds, such as 5s".to_owned())
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    let parts = text
        .split_once('/')
        .and_then(|(number, of)| Some((number.parse::<u32>().ok()?, of.parse::<u32>().ok()?)));
    match parts {
        Some((number, of)) if (1..=of).contains(&number) => Ok(Shard { index: number - 1, of }),
        _ => Err("expected I/N, counted from 1: 1/3, 2/3 and 3/3 are three shards".to_owned()),
    }
}

fn parse_start(text: &str) -> Result<SystemTime, String> {
    if let Some(span) = text.strip_prefix('+') {
        let span = parse_duration(span).map_err(|error| error.to_string())?;
        return Ok(SystemTime::now() + span.as_duration());
    }
    let time = parse_time(text)
        .ok_or("expected a moment such as 2026-11-21T16:05:00Z, or a time from now such as +10s")?;
    Ok(SystemTime::UNIX_EPOCH + time.as_duration())
}

impl Args {
    /// Flags over the scenario's `[load]` over the defaults.
    fn options(&self, scenario: &Scenario) -> Result<Options, Failure> {
        let load = &scenario.load;
        let folder = self.what.folder();
        let script = if self.once || !self.shaped.is_open(load) {
            None
        } else {
            self.how.shaping_script(scenario, folder)?
        };
        let model = match script {
            Some(path) => {
                let shape = LoadShape::File(path.to_string_lossy().into_owned());
                LoadModel::Along(Course::shape(&shape, 1.0, Path::new("")).map_err(driving::failure)?)
            }
            None => self.shaped.model(self.once, load, folder, scenario.recorded.is_some())?,
        };
        let duration = match (self.duration, &load.duration) {
            (Some(duration), _) => Some(duration),
            // Stages given as flags say how long they are, whatever the scenario's own load takes.
            (None, _) if self.shaped.is_course() => None,
            (None, Some(text)) => Some(parse_duration(text)?),
            (None, None) => None,
        };
        Ok(Options {
            arrivals: self.shaped.arrivals(load, &model)?,
            speed: self.shaped.speed(),
            max_in_flight: self.shaped.max_in_flight(),
            load: model,
            duration,
            max_time: self.max_time,
            shard: self.shard,
            start_at: self.start_at,
            ..driving::options(&self.place, &self.how, scenario)?
        })
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    args.place.check(!args.against.is_empty() || args.preview)?;
    // A recording is grouped into a scenario that lives as long as the run.
    let folder = tempfile::tempdir().exits(Exit::Usage)?;
    let prepared = args.what.prepare(folder.path())?;
    let mut options = args.options(prepared.scenario())?;
    for note in prepared.notes(&options) {
        terminal::warn(&note);
    }
    if args.preview {
        return preview::print(&prepared, &options);
    }
    if args.dry_run {
        destination::print(&prepared, &options, &args.against)?;
        return preview::print(&prepared, &options);
    }
    if !args.yes && !destination::agreed(&prepared, &options, &args.against)? {
        terminal::say("nothing was sent");
        return Ok(Exit::Ok);
    }
    let middleware = args.middleware.as_deref().map(Requests::start).transpose()?;
    options.middleware_timeout = args.middleware_timeout;
    options.middleware = middleware.clone().map(|middleware| middleware as Arc<dyn Middleware>);
    tracing::info!(sessions = prepared.sessions(), endpoints = prepared.endpoints().len(), load = ?options.load, seed = options.seed, "prepared");
    let outcome = if args.trace {
        trace(&prepared, &options)?
    } else if let [baseline, candidate] = args.against.as_slice() {
        in_turns(args, &prepared, &options, [baseline, candidate])?
    } else {
        measure(args, &prepared, &options, middleware.as_deref())?
    };
    if let Some(middleware) = middleware {
        for words in middleware.finish()? {
            terminal::say(words);
        }
    }
    Ok(outcome)
}

/// The run's folder, made.
fn folder(args: &Args, prepared: &Prepared) -> Result<RunFolder, Failure> {
    let folder = args.output.clone().unwrap_or_else(|| driving::default_folder(&prepared.scenario().name));
    if !args.force {
        driving::refuse_taken(&folder, DOCUMENT)?;
    }
    let folder = RunFolder::create(folder).exits(Exit::Usage)?;
    folder.clear().exits(Exit::Usage)?;
    Ok(folder)
}

fn measure(args: &Args, prepared: &Prepared, options: &Options, middleware: Option<&Requests>) -> Outcome {
    // A baseline that cannot be read is told before the run, not behind it.
    let baseline = args.baseline.as_deref().map(compare::Side::read).transpose()?;
    if let (Some(baseline), Some(output)) = (&baseline, &args.output)
        && baseline.holds(output)
    {
        return Err(fail(
            Exit::Usage,
            format!("{}: is a run of the baseline; name another folder", output.display()),
        ));
    }
    let folder = folder(args, prepared)?;
    let stop = driving::stop()?;
    if let Some(middleware) = middleware {
        middleware.stops(&stop);
    }
    if let Some(at) = args.start_at {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        terminal::say(format!("begins at   {}", format_time(since.into())));
    }
    let mut progress = Progress::new("connecting");
    let document =
        mynah_replay::run(prepared, options, &folder, &stop, &mut |point| progress.text(&line(point)))
            .map_err(driving::failure)?;
    drop(progress);
    folder.write(&document).exits(Exit::Usage)?;
    let comparison = baseline
        .as_ref()
        .map(|baseline| compare::with(&baseline.samples, &[Sample::read(&folder)?], &args.bounds))
        .transpose()?;
    let against = baseline.as_ref().zip(comparison.as_ref());
    driving::write_page(&folder, &document, against)?;
    if args.json {
        output::print(&(serde_json::to_string_pretty(&document).exits(Exit::Internal)? + "\n"))?;
    } else {
        output::print(&table::render(&document, report::style()))?;
        if let Some(comparison) = &comparison {
            output::print(&format!("\n{}", mynah_report::compare::render(comparison, report::style())))?;
        }
    }
    terminal::say(format!("wrote       {}", folder.path().join(HTML).display()));
    if document.interrupted {
        return Ok(Exit::Interrupted);
    }
    Ok(worse(verdict(document.verdict), comparison.as_ref().map_or(Exit::Ok, compare::exit)))
}

/// Both targets in turn: a run each, and what lies between them.
fn in_turns(args: &Args, prepared: &Prepared, options: &Options, targets: [&Target; 2]) -> Outcome {
    let folder = folder(args, prepared)?;
    let side = |name: &str| RunFolder::create(folder.path().join(name)).exits(Exit::Usage);
    let sides = [side("baseline")?, side("candidate")?];
    let stop = driving::stop()?;
    let mut progress = Progress::new("connecting");
    let documents = mynah_replay::run_in_turns(
        prepared,
        options,
        targets,
        args.block,
        [&sides[0], &sides[1]],
        &stop,
        &mut |point| progress.text(&line(point)),
    )
    .map_err(driving::failure)?;
    drop(progress);
    for (side, document) in sides.iter().zip(&documents) {
        side.write(document).exits(Exit::Usage)?;
    }
    let [baseline, candidate] = [compare::Side::of(&sides[0])?, compare::Side::of(&sides[1])?];
    let comparison = compare::with(&baseline.samples, &candidate.samples, &args.bounds)?;
    driving::write_page(&sides[0], &documents[0], None)?;
    driving::write_page(&sides[1], &documents[1], Some((&baseline, &comparison)))?;
    let path = folder.path().join(HTML);
    std::fs::write(&path, compare::page(&baseline, &candidate, &comparison)?)
        .map_err(|error| mynah_traffic::Error::io(&path, error))
        .exits(Exit::Usage)?;
    if args.json {
        output::print(&(serde_json::to_string_pretty(&comparison).exits(Exit::Internal)? + "\n"))?;
    } else {
        for document in &documents {
            output::print(&format!("{}\n", table::render(document, report::style())))?;
        }
        output::print(&mynah_report::compare::render(&comparison, report::style()))?;
    }
    terminal::say(format!("wrote       {}", folder.path().display()));
    if documents.iter().any(|document| document.interrupted) {
        return Ok(Exit::Interrupted);
    }
    // The thresholds are the candidate's: the baseline is what there is already.
    Ok(worse(verdict(documents[1].verdict), compare::exit(&comparison)))
}

pub(crate) fn verdict(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Pass => Exit::Ok,
        Verdict::Fail => Exit::Gate,
        Verdict::Invalid => Exit::Invalid,
    }
}

/// An invalid run says nothing, be its gates as they may.
fn worse(one: Exit, other: Exit) -> Exit {
    [Exit::Invalid, Exit::Gate].into_iter().find(|exit| [one, other].contains(exit)).unwrap_or(Exit::Ok)
}

pub(crate) fn line(point: &Point) -> String {
    let seconds = |span: Duration| format_duration(Nanos(span.as_secs() * Nanos::PER_SECOND));
    let when = match point.elapsed.checked_sub(point.planned) {
        None => format!("{} of {}", seconds(point.elapsed), format_duration(Nanos::from(point.planned))),
        Some(_) => format!("{}, sessions under way end", seconds(point.elapsed)),
    };
    format!(
        "{when}: {} users, {} requests ({:.0}/s), {} failed, p50 {:.1} ms, p99 {:.1} ms",
        point.users, point.requests, point.requests_per_s, point.failures, point.p50, point.p99,
    )
}

fn trace(prepared: &Prepared, options: &Options) -> Outcome {
    let (mut profile, mut printed) = (String::new(), Ok(()));
    let summary = mynah_replay::trace(prepared, options, &mut |step| {
        let mut text = String::new();
        if step.profile != profile {
            profile.clone_from(&step.profile);
            text = format!("\n{profile}\n");
        }
        text.push_str(&step_text(&step));
        // The first that cannot be printed is told at the end: the sessions are played all the same.
        if let (Ok(()), Err(error)) = (&printed, output::print(&text)) {
            printed = Err(error);
        }
    })
    .map_err(driving::failure)?;
    printed?;
    output::print(&format!("\n{} of {} steps right\n", summary.ok, summary.steps))?;
    Ok(if summary.ok == summary.steps { Exit::Ok } else { Exit::Gate })
}

fn step_text(step: &TraceStep) -> String {
    let mut out = String::new();
    let status = |status: Option<u16>| status.map_or("-".to_owned(), |status| status.to_string());
    let mark = if step.ok { "ok  " } else { "FAIL" };
    let _ = writeln!(
        out,
        "{mark} {:>3}/{}  {}{} {}  wanted {}, got {}{}",
        step.number,
        step.of,
        step.phase.map(|phase| format!("{phase}  ")).unwrap_or_default(),
        step.method,
        step.url,
        status(step.wanted),
        status(step.got),
        // Where no answer came there is no time to tell.
        if step.ms > 0.0 { format!("  {:.1} ms", step.ms) } else { String::new() },
    );
    if let Some(name) = &step.name {
        let _ = writeln!(out, "           name  {name}");
    }
    for injected in &step.injected {
        match &injected.value {
            Some(value) => {
                let _ = writeln!(out, "           sent  {} = {value}  (from {})", injected.at, injected.from);
            }
            None => {
                let _ = writeln!(
                    out,
                    "           sent  {} as recorded: {} has no value yet",
                    injected.at, injected.from
                );
            }
        }
    }
    for (name, value) in &step.extracted {
        let _ = writeln!(out, "           keeps {name} = {value}");
    }
    for (check, holds) in &step.checked {
        let _ = writeln!(out, "           {} {check}", if *holds { "holds" } else { "fails" });
    }
    if let Some(why) = &step.why {
        let _ = writeln!(out, "           why   {why}");
    }
    out
}
