//! `mynah replay`: a scenario → traffic → a run and a verdict.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mynah_grouping::Options as Grouping;
use mynah_replay::{
    HostHeader, LoadModel, Middleware, Options, Prepared, Progress as Point, Signer, Stop, Target, TraceStep,
};
use mynah_report::compare::Sample;
use mynah_report::{html, table};
use mynah_traffic::Nanos;
use mynah_traffic::recording::Reader;
use mynah_traffic::run::{DOCUMENT, HTML, RunDocument, RunFolder, Verdict};
use mynah_traffic::scenario::{Behaviour, Rate, Scenario, ThinkTime};
use mynah_traffic::threshold::Threshold;
use mynah_traffic::units::{format_duration, parse_duration};

use crate::compare::BoundArgs;
use crate::exit::{Exit, Exits, Failure, Outcome, fail};
use crate::input::{self, Inputs, Reading};
use crate::middleware::Requests;
use crate::progress::Progress;
use crate::{compare, interrupt, output, profile, report, terminal};

/// Drive a scenario at a target: virtual users that behave as recorded, at any rate, with a verdict at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah replay shop.toml --target http://127.0.0.1:8080 --rate 10x --for 60s --threshold 'p99 < 500ms'
  mynah replay shop.toml --target https://staging.example --users 50 --spawn-rate 5 --for 5m
  mynah replay shop.toml --target http://127.0.0.1:8080 --once --trace")]
pub(crate) struct Args {
    /// A scenario (.toml), or a recording, which is grouped first.
    #[arg(value_name = "SCENARIO|RECORDING")]
    what: PathBuf,

    /// Where requests go.
    #[arg(long, value_name = "URL", env = "MYNAH_TARGET", required_unless_present_any = ["map", "against"])]
    target: Option<Target>,

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

    /// Where the requests of one recorded host go; repeatable.
    #[arg(long, value_name = "HOST=URL", value_parser = parse_map)]
    map: Vec<(String, Target)>,

    /// Open model: sessions that begin, as times the recorded rate (10x) or each second (200/s).
    #[arg(long, value_name = "R", conflicts_with_all = ["users", "once"])]
    rate: Option<Rate>,

    /// Closed model: virtual users at the same time.
    #[arg(long, short = 'u', value_name = "N", conflicts_with = "once", value_parser = clap::value_parser!(u32).range(1..))]
    users: Option<u32>,

    /// Users added each second until there are --users.
    #[arg(long, short = 'r', value_name = "R", requires = "users")]
    spawn_rate: Option<f64>,

    /// For how long sessions are begun (open model; those under way may end) or users are there (closed model; what they
    /// are at is cut off). The recording's own duration (at least 10 s) when nothing says otherwise.
    #[arg(long = "for", short = 't', value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Nanos>,

    /// What becomes of recorded pauses: recorded, 0, 2s, x0.5.
    #[arg(long, value_name = "T")]
    think_time: Option<ThinkTime>,

    /// How sessions are made: whole ones as recorded, or walks along the recorded steps (markov), by transitions of second
    /// order where the recording has enough of them. What the scenario says when left out.
    #[arg(long, value_name = "recorded|markov")]
    behaviour: Option<Behaviour>,

    /// What must hold, or the exit code is 10: 'p99 < 500ms', 'failure_rate < 1%', 'GET /items/{id}: p95 < 200ms'; repeatable.
    #[arg(long = "threshold", value_name = "EXPR")]
    thresholds: Vec<Threshold>,

    /// Play one session of each profile.
    #[arg(long)]
    once: bool,

    /// Print each step of --once: what was sent, wanted and got, and why it is wrong.
    #[arg(long, requires = "once")]
    trace: bool,

    /// The Host header: the target's, or as recorded.
    #[arg(long, value_name = "target|recorded", default_value = "target", value_parser = parse_host)]
    host: HostHeader,

    /// A header that every request gets instead of its own of that name; repeatable.
    #[arg(long = "set-header", value_name = "NAME: VALUE", value_parser = parse_header)]
    set_headers: Vec<(String, String)>,

    /// Send each request, as it is about to go out, through this program, as GoReplay does: 'python3 rewrite.py'. What comes
    /// back is sent; what does not within 2s is counted as failed (middleware).
    #[arg(long, value_name = "CMD")]
    middleware: Option<String>,

    /// Sign requests that bear a signature of this scheme anew, with the secret in this file: github-webhook, stripe-webhook,
    /// slack-webhook, shopify-webhook, standard-webhook, or aws-sigv4 (ACCESS_KEY_ID:SECRET_ACCESS_KEY); repeatable.
    #[arg(long = "sign", value_name = "SCHEME=FILE", value_parser = parse_sign)]
    signers: Vec<(String, PathBuf)>,

    /// Hold answers against the recorded ones by status and content type alone, not by the shape of their bodies.
    #[arg(long)]
    no_body_checks: bool,

    /// Accept any certificate.
    #[arg(long)]
    insecure: bool,

    /// Send to a host that the traffic was recorded from. (Loopback is always allowed.)
    #[arg(long)]
    allow_recorded_host: bool,

    /// The same seed gives the same schedule.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Sending threads; one for each core when left out.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,

    /// How long making a connection may take.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_timeout)]
    connect_timeout: Duration,

    /// How long a request may take.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_timeout)]
    timeout: Duration,

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

    /// Take what is whole of a damaged or unsealed recording.
    #[arg(long)]
    recover: bool,
}

fn parse_map(text: &str) -> Result<(String, Target), String> {
    let (host, url) = text.split_once('=').filter(|(host, _)| !host.is_empty()).ok_or("expected HOST=URL")?;
    Ok((host.to_ascii_lowercase(), url.parse().map_err(|error: mynah_replay::Error| error.to_string())?))
}

fn parse_host(text: &str) -> Result<HostHeader, String> {
    match text {
        "target" => Ok(HostHeader::Target),
        "recorded" => Ok(HostHeader::Recorded),
        _ => Err("expected 'target' or 'recorded'".to_owned()),
    }
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn parse_block(text: &str) -> Result<u32, String> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    let seconds = u32::try_from(span.0 / Nanos::PER_SECOND).ok();
    seconds
        .filter(|seconds| *seconds > 0 && span.0.is_multiple_of(Nanos::PER_SECOND))
        .ok_or_else(|| "expected whole seconds, such as 5s".to_owned())
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    if span.0 == 0 { Err("expected more than nothing".to_owned()) } else { Ok(span.as_duration()) }
}

/// A replay error and the code it ends with.
fn replay_failure(error: mynah_replay::Error) -> Failure {
    use mynah_replay::Error;
    match error {
        Error::Traffic(error) => error.into(),
        Error::Unreachable { .. } => Failure { exit: Exit::Unreachable, error: error.into() },
        Error::Config(_) | Error::Refused { .. } => Failure { exit: Exit::Usage, error: error.into() },
        other => Failure { exit: Exit::Internal, error: other.into() },
    }
}

impl Args {
    /// Flags over the scenario's `[load]` over the defaults.
    fn options(&self, scenario: &Scenario) -> Result<Options, Failure> {
        let load = &scenario.load;
        let closed = |users: u32| LoadModel::Closed {
            users,
            spawn_rate: self.spawn_rate.or(load.spawn_rate).unwrap_or(f64::from(users)),
        };
        let model = match (self.once, self.rate, self.users) {
            (true, ..) => LoadModel::Once,
            (_, Some(rate), _) => LoadModel::Open { rate },
            (_, _, Some(users)) => closed(users),
            _ => match (load.rate, load.users) {
                (Some(rate), _) => LoadModel::Open { rate },
                (None, Some(users)) => closed(users),
                (None, None) if scenario.recorded.is_some() => LoadModel::Open { rate: Rate::Times(1.0) },
                (None, None) => {
                    return Err(fail(
                        Exit::Usage,
                        "how much load? the scenario says neither rate nor users: add --rate 10/s or --users 20",
                    ));
                }
            },
        };
        let duration = match (self.duration, &load.duration) {
            (Some(duration), _) => Some(duration),
            (None, Some(text)) => Some(parse_duration(text)?),
            (None, None) => None,
        };
        let mut thresholds = self.thresholds.clone();
        for entry in &scenario.thresholds {
            thresholds.push(entry.expr.parse()?);
        }
        Ok(Options {
            target: self.target.clone(),
            map: self.map.clone(),
            load: model,
            think_time: self.think_time,
            behaviour: self.behaviour,
            duration,
            seed: self.seed,
            threads: self.threads,
            thresholds,
            insecure: self.insecure,
            host_header: self.host,
            set_headers: self.set_headers.clone(),
            connect_timeout: self.connect_timeout,
            request_timeout: self.timeout,
            allow_recorded_host: self.allow_recorded_host,
            body_checks: !self.no_body_checks,
            ..Options::default()
        })
    }
}

fn parse_sign(text: &str) -> Result<(String, PathBuf), String> {
    let (scheme, file) = text.split_once('=').ok_or("SCHEME=FILE, as in github-webhook=secret.txt")?;
    if Signer::schemes().all(|known| known != scheme) {
        let hint = mynah_traffic::nearest(scheme, Signer::schemes());
        return Err(format!(
            "no such scheme{}",
            hint.map(|h| format!("; did you mean {h}?")).unwrap_or_default()
        ));
    }
    Ok((scheme.to_owned(), file.into()))
}

fn signer((scheme, file): &(String, PathBuf)) -> Result<Arc<Signer>, Failure> {
    let secret = std::fs::read(file)
        .map_err(|error| anyhow::anyhow!("--sign {scheme}: {}: {error}", file.display()))
        .exits(Exit::Usage)?;
    Ok(Arc::new(Signer::new(scheme, &secret).map_err(replay_failure)?))
}

pub(crate) fn run(args: &Args) -> Outcome {
    // A recording is grouped into a scenario that lives as long as the run.
    let folder = tempfile::tempdir().exits(Exit::Usage)?;
    let first = input::begins(&args.what)?;
    let scenario = if Reader::recognises(&first) {
        group(args, folder.path())?
    } else if let Some(kind) = mynah_capture::recognise(&first).filter(|_| !is_toml(&args.what)) {
        let path = args.what.display();
        return Err(fail(
            Exit::Usage,
            format!(
                "{path}: this is a capture ({}); replay takes a scenario or a recording: mynah capture {path} -o \
                 traffic.mynah, then mynah profile traffic.mynah -o scenario.toml",
                kind.name()
            ),
        ));
    } else {
        args.what.clone()
    };
    let prepared = Prepared::load(&scenario).map_err(replay_failure)?;
    for warning in prepared.warnings() {
        terminal::warn(warning);
    }
    let mut options = args.options(prepared.scenario())?;
    let middleware = args.middleware.as_deref().map(Requests::start).transpose()?;
    options.signers = args.signers.iter().map(signer).collect::<Result<_, _>>()?;
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

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

fn group(args: &Args, folder: &Path) -> Result<PathBuf, Failure> {
    let inputs = Inputs::recordings(
        std::slice::from_ref(&args.what),
        &Reading { recover: args.recover, ..Reading::default() },
    )?;
    let name = args.what.file_stem().map_or_else(|| "scenario".into(), std::ffi::OsStr::to_os_string);
    let scenario = folder.join(name).with_extension("toml");
    profile::make(&inputs, &Grouping::default(), &scenario)?;
    Ok(scenario)
}

/// `runs/SCENARIO-2026-11-20T09-15-00`, so that no run overwrites another.
fn default_folder(prepared: &Prepared) -> PathBuf {
    let now =
        std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
    let time = mynah_traffic::units::format_time(Nanos::from(now)).replace(':', "-");
    let name: String =
        prepared.scenario().name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    PathBuf::from("runs").join(format!("{name}-{}", time.trim_end_matches('Z')))
}

/// A run takes minutes to make: none is written over another, nor into somebody's folder, unless that is said.
fn refuse_taken(folder: &Path) -> Result<(), Failure> {
    let taken = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if !taken {
        return Ok(());
    }
    let holds = if folder.join(DOCUMENT).is_file() { "holds an earlier run" } else { "is not empty" };
    Err(fail(
        Exit::Usage,
        format!("{}: {holds}; name another folder, or add --force to write over it", folder.display()),
    ))
}

/// The run's folder, made.
fn folder(args: &Args, prepared: &Prepared) -> Result<RunFolder, Failure> {
    let folder = args.output.clone().unwrap_or_else(|| default_folder(prepared));
    if !args.force {
        refuse_taken(&folder)?;
    }
    RunFolder::create(folder).exits(Exit::Usage)
}

/// What Ctrl-C triggers.
fn stop() -> Result<Stop, Failure> {
    let stop = Stop::new();
    let switch = stop.clone();
    interrupt::on_interrupt("requests under way may end, then what was measured is written", move || {
        switch.trigger();
    })?;
    Ok(stop)
}

fn measure(args: &Args, prepared: &Prepared, options: &Options, middleware: Option<&Requests>) -> Outcome {
    // A baseline that cannot be read is told before the run, not behind it.
    let baseline = args.baseline.as_deref().map(compare::samples).transpose()?;
    let folder = folder(args, prepared)?;
    let stop = stop()?;
    if let Some(middleware) = middleware {
        middleware.stops(&stop);
    }
    let mut progress = Progress::new("connecting");
    let document =
        mynah_replay::run(prepared, options, &folder, &stop, &mut |point| progress.text(&line(point)))
            .map_err(replay_failure)?;
    drop(progress);
    write(&folder, &document)?;
    let comparison = baseline
        .map(|baseline| compare::with(&baseline, &[Sample::read(&folder)?], &args.bounds))
        .transpose()?;
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
    let stop = stop()?;
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
    .map_err(replay_failure)?;
    drop(progress);
    for (side, document) in sides.iter().zip(&documents) {
        write(side, document)?;
    }
    let samples = [Sample::read(&sides[0])?, Sample::read(&sides[1])?];
    let comparison = compare::with(&samples[..1], &samples[1..], &args.bounds)?;
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

fn write(folder: &RunFolder, document: &RunDocument) -> Result<(), Failure> {
    folder.write(document).exits(Exit::Usage)?;
    let path = folder.path().join(HTML);
    let page = html::render(document).exits(Exit::Internal)?;
    std::fs::write(&path, page).map_err(|error| mynah_traffic::Error::io(&path, error)).exits(Exit::Usage)
}

fn verdict(verdict: Verdict) -> Exit {
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

fn line(point: &Point) -> String {
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
    let mut profile = String::new();
    let summary = mynah_replay::trace(prepared, options, &mut |step| {
        if step.profile != profile {
            profile.clone_from(&step.profile);
            println!("\n{profile}");
        }
        print_step(&step);
    })
    .map_err(replay_failure)?;
    println!("\n{} of {} steps right", summary.ok, summary.steps);
    Ok(if summary.ok == summary.steps { Exit::Ok } else { Exit::Gate })
}

fn print_step(step: &TraceStep) {
    let status = |status: Option<u16>| status.map_or("-".to_owned(), |status| status.to_string());
    let mark = if step.ok { "ok  " } else { "FAIL" };
    println!(
        "{mark} {:>3}/{}  {} {}  wanted {}, got {}  {:.1} ms",
        step.number,
        step.of,
        step.method,
        step.url,
        status(step.wanted),
        status(step.got),
        step.ms,
    );
    for injected in &step.injected {
        match &injected.value {
            Some(value) => println!("           sent  {} = {value}  (from {})", injected.at, injected.from),
            None => {
                println!("           sent  {} as recorded: {} has no value yet", injected.at, injected.from);
            }
        }
    }
    for (name, value) in &step.extracted {
        println!("           keeps {name} = {value}");
    }
    if let Some(why) = &step.why {
        println!("           why   {why}");
    }
}
