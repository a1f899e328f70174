//! `mynah mirror`: live traffic → masked, onto a target while it happens → a run and a verdict.

mod guard;
mod sessions;
mod shield;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mynah_capture::{Feed, Next};
use mynah_grouping::SessionKey;
use mynah_replay::{Mirror, MirrorOptions, MirrorProgress, Seen};
use mynah_report::table;
use mynah_traffic::run::{DOCUMENT, HTML, RunDocument, RunFolder};
use mynah_traffic::scenario::Scenario;
use mynah_traffic::threshold::Threshold;
use mynah_traffic::units::{format_duration, parse_duration, parse_size};
use mynah_traffic::{Endpoint, Exchange, Nanos};

use self::guard::Guard;
use self::sessions::Sessions;
use self::shield::Shield;
use crate::capture::{self, MaskingArgs, parse_memory};
use crate::driving::{self, How, Where};
use crate::exit::{Exit, Exits, Failure, Outcome, fail};
use crate::input::{FilterArgs, Inputs};
use crate::live::{Share, parse_span};
use crate::pipeline::Masking;
use crate::progress::Progress;
use crate::{interrupt, output, replay, report, terminal};

/// How long a wait for the next exchange may last: timed work is done in between.
const WAIT: Duration = Duration::from_millis(100);

/// Shadow live traffic onto a target while it happens, masked: what an interface sees, or what passes through a reverse proxy.
///
/// Whole sessions are mirrored, each in its order, with the target's own cookies. A request is sent when production has answered
/// it: that is when the capture has it whole. Production never waits for the target; what does not fit is dropped and counted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sudo mynah mirror -i eth0 --port 80 --user $USER --target http://staging:8080 --rate 10%
  mynah mirror --listen :8080 --upstream http://127.0.0.1:3000 --target http://staging:8080 --session-key cookie:sid
  sudo mynah mirror -i lo --port 3000 --target http://127.0.0.1:3001 --read-only --for 10m --threshold 'failure_rate < 1%'
  sudo mynah mirror -i eth0 --port 80 --target https://staging.example --scenario shop.toml --key-file team.key")]
pub(crate) struct Args {
    /// Files are not mirrored: here only to be refused in clear words.
    #[arg(hide = true, value_name = "FILE")]
    inputs: Vec<PathBuf>,

    #[arg(long, hide = true)]
    recover: bool,

    #[command(flatten)]
    place: Where,

    /// Mirror this share of the sessions, all of their requests or none, such as 10%.
    #[arg(long, value_name = "SHARE", default_value = "100%", help_heading = "What is mirrored")]
    rate: Share,

    /// What tells sessions apart: cookie:NAME, header:NAME or query:NAME. Without it, and for requests without it, each connection is
    /// a session, and is sampled by the client's address.
    #[arg(long, value_name = "KEY", help_heading = "What is mirrored")]
    session_key: Option<SessionKey>,

    /// A session without a request for so long is over.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = parse_span, help_heading = "What is mirrored")]
    idle_timeout: Nanos,

    /// Only requests that change nothing: GET, HEAD, OPTIONS, TRACE.
    #[arg(long, help_heading = "What is mirrored")]
    read_only: bool,

    #[command(flatten, next_help_heading = "What is mirrored")]
    filter: FilterArgs,

    /// Correlations and endpoints of this scenario are used: values that the target hands out replace production's, so that
    /// what is behind a log-in works.
    #[arg(long, value_name = "F.toml", help_heading = "How it is sent")]
    scenario: Option<PathBuf>,

    /// Send a request so long after it was captured. With more than production's slowest answer takes, requests are spaced
    /// as they were; without, each goes out as soon as production has answered it.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_delay, help_heading = "How it is sent")]
    delay: Duration,

    /// Drop what would be sent more than so long after its time.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = driving::parse_timeout, help_heading = "How it is sent")]
    max_lag: Duration,

    /// Requests that may wait; a tenth of them of one session.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..), help_heading = "How it is sent")]
    max_queue: u64,

    /// Bytes that they may hold.
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = parse_memory, help_heading = "How it is sent")]
    max_queue_bytes: u64,

    /// Sending threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..), help_heading = "How it is sent")]
    threads: u16,

    /// Count requests that fit as one endpoint: 'GET /u/{name}'; repeatable.
    #[arg(long = "endpoint", value_name = "ENDPOINT", help_heading = "What is measured")]
    endpoints: Vec<Endpoint>,

    /// What must hold, or the exit code is 10: 'failure_rate < 1%', 'p99 < 500ms', 'failure_rate < 50% abort after 30s'; repeatable.
    #[arg(long = "threshold", value_name = "EXPR", help_heading = "What is measured")]
    thresholds: Vec<Threshold>,

    /// End after this time. Without it: with Ctrl-C.
    #[arg(long = "for", short = 't', value_name = "TIME", value_parser = parse_span, help_heading = "What is measured")]
    duration: Option<Nanos>,

    /// The run's folder; a new one under runs/ when left out.
    #[arg(short, long, value_name = "RUN", help_heading = "What is measured")]
    output: Option<PathBuf>,

    /// Replace an earlier run in that folder.
    #[arg(long, help_heading = "What is measured")]
    force: bool,

    /// Print run.json on standard output instead of the table.
    #[arg(long, help_heading = "What is measured")]
    json: bool,

    #[command(flatten, next_help_heading = "Masking")]
    masking: MaskingArgs,

    /// Send secrets and personal data as they are: for a target that has the same data and is as well guarded.
    #[arg(long, conflicts_with_all = ["key_file", "report", "policy", "jwt_key", "strict", "k", "fail_on_quarantine"], help_heading = "Masking")]
    unmasked: bool,

    /// Bytes kept of a body; requests with a longer one are not mirrored.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = parse_size, help_heading = "Live traffic")]
    max_body: u64,

    /// Bytes that the capture may hold. What this costs is counted.
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = parse_memory, help_heading = "Live traffic")]
    memory: u64,

    #[cfg(feature = "live")]
    #[command(flatten)]
    sniff: crate::sniff::SniffArgs,

    #[command(flatten)]
    proxy: crate::proxy::ProxyArgs,
}

fn parse_delay(text: &str) -> Result<Duration, String> {
    parse_duration(text).map(Nanos::as_duration).map_err(|error| error.to_string())
}

impl Args {
    /// Refuses what cannot be before anything is opened.
    fn check(&self) -> Result<(), Failure> {
        #[cfg(feature = "live")]
        let sniffs = self.sniff.is_asked_for();
        #[cfg(not(feature = "live"))]
        let sniffs = false;
        if let Some(file) = self.inputs.first() {
            return Err(fail(
                Exit::Usage,
                format!(
                    "{}: live traffic is mirrored, no files: mynah capture {0} -o traffic.mynah, then mynah replay traffic.mynah",
                    file.display()
                ),
            ));
        }
        if !sniffs && !self.proxy.is_asked_for() {
            return Err(fail(
                Exit::Usage,
                "what is mirrored? add -i IFACE --port P, or --listen ADDR --upstream URL",
            ));
        }
        self.place.check(false)?;
        if !self.unmasked && self.masking.policy()?.k().is_some() {
            return Err(fail(
                Exit::Usage,
                "--k needs a file: who shares a value shows only when all has been read",
            ));
        }
        Ok(())
    }

    fn masking(&self) -> Result<Masking, Failure> {
        if self.unmasked { Ok(Masking::Refused) } else { self.masking.masking() }
    }

    fn options(&self, scenario: Option<&Scenario>, source: String) -> Result<MirrorOptions, Failure> {
        let empty = Scenario::parse(
            "version = 1\nname = \"mirror\"\n[[profile]]\nname = \"a\"\nweight = 1\n[[profile.step]]\nrequest = \"GET /\"\n",
            "mirror",
        )?;
        let mut send = driving::options(&self.place, &How::default(), scenario.unwrap_or(&empty))?;
        send.thresholds.splice(..0, self.thresholds.iter().cloned());
        send.threads = usize::from(self.threads);
        Ok(MirrorOptions {
            send,
            source,
            rate: self.rate.of_one(),
            delay: self.delay,
            max_lag: self.max_lag,
            max_exchanges: self.max_queue,
            max_bytes: self.max_queue_bytes,
            idle: self.idle_timeout.as_duration(),
            endpoints: self.endpoints.clone(),
            fold: Arc::new(mynah_grouping::segment_name),
        })
    }
}

/// The live source that the arguments name, when the target is none that it listens to.
fn open(args: &Args, guard: &Guard) -> Result<Box<dyn Feed>, Failure> {
    let limits = mynah_capture::Options {
        max_body: args.max_body,
        memory: args.memory,
        ..mynah_capture::Options::default()
    };
    #[cfg(feature = "live")]
    if args.sniff.is_asked_for() {
        guard.check_ports(args.sniff.ports())?;
        if let Some(feed) = crate::sniff::open(&args.sniff, limits)? {
            return Ok(feed);
        }
    }
    if let Some((listen, upstream)) = args.proxy.ends() {
        guard.check_proxy(listen, upstream)?;
    }
    let feed = crate::proxy::open(&args.proxy, args.place.accepts_any_certificate(), limits)?;
    feed.ok_or_else(|| fail(Exit::Internal, "there is no source"))
}

pub(crate) fn run(args: &Args) -> Outcome {
    args.check()?;
    let scenario = args.scenario.as_deref().map(Scenario::load).transpose()?;
    let mut options = args.options(scenario.as_ref(), String::new())?;
    let guard = Guard::new(&options.send);
    let output = args.output.clone().unwrap_or_else(|| driving::default_folder("mirror"));
    if !args.force {
        driving::refuse_taken(&output, DOCUMENT)?;
    }
    args.masking.check_report(&output, &Inputs::default())?;
    let masking = args.masking()?;
    let mut feed = open(args, &guard)?;
    options.source = feed.name();
    let folder = RunFolder::create(output).exits(Exit::Usage)?;
    folder.clear().exits(Exit::Usage)?;
    let mirror = Mirror::start(scenario.as_ref(), &options, &folder).map_err(driving::failure)?;
    if args.unmasked {
        terminal::warn("--unmasked: secrets and personal data are sent to the target as they were captured");
    }
    let mut work = Work {
        guard,
        sessions: Sessions::new(args.rate, args.session_key.as_ref(), args.idle_timeout),
        shield: Shield::new(masking, args.max_body, args.filter.clone(), args.read_only),
        seen: Seen::default(),
        mirror,
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    let (switch, stop) = (interrupted.clone(), feed.stop());
    interrupt::on_interrupt(
        "what waits is sent for 5s at most, then what was measured is written",
        move || {
            switch.store(true, Ordering::SeqCst);
            stop.stop();
        },
    )?;
    let failed = work.until_the_end(feed.as_mut(), args.duration);
    let interrupted = interrupted.load(Ordering::SeqCst);
    let Work { mirror, shield, mut seen, .. } = work;
    seen.capture = feed.counts();
    seen.masked = shield.masks();
    let document = mirror.finish(interrupted, &seen).map_err(driving::failure)?;
    folder.write(&document).exits(Exit::Usage)?;
    driving::write_page(&folder, &document, None)?;
    let told = tell(args, &folder, &document, &feed.warnings());
    let reports = shield.reports();
    if let (Some(path), Some(first)) = (&args.masking.report, reports.first()) {
        match reports.len() {
            1 => capture::write_report(path, first, &reports)?,
            _ => capture::write_report(path, &reports, &reports)?,
        }
    }
    told?;
    if let Some(failure) = failed {
        return Err(failure);
    }
    if interrupted {
        return Ok(Exit::Interrupted);
    }
    if args.masking.fail_on_quarantine && reports.iter().any(|report| !report.quarantined.is_empty()) {
        return Err(fail(
            Exit::Unproven,
            "a part had to be withheld because it could not be read or is over a limit (--fail-on-quarantine)",
        ));
    }
    Ok(replay::verdict(document.verdict))
}

fn tell(args: &Args, folder: &RunFolder, document: &RunDocument, warnings: &[String]) -> Result<(), Failure> {
    for warning in warnings {
        terminal::warn(warning);
    }
    if args.json {
        output::print(&(serde_json::to_string_pretty(document).exits(Exit::Internal)? + "\n"))?;
    } else {
        output::print(&table::render(document, report::style()))?;
    }
    terminal::say(format!("wrote       {}", folder.path().join(HTML).display()));
    Ok(())
}

/// What an exchange goes through.
struct Work {
    guard: Guard,
    sessions: Sessions,
    shield: Shield,
    seen: Seen,
    mirror: Mirror,
}

impl Work {
    /// Mirrors what the feed gives until it ends, the time is over or somebody asks for the end; what made it end before, if
    /// anything did.
    fn until_the_end(&mut self, feed: &mut dyn Feed, duration: Option<Nanos>) -> Option<Failure> {
        let (begun, stop) = (Instant::now(), feed.stop());
        let until =
            duration.map_or_else(String::new, |span| format!("{} have passed, or ", format_duration(span)));
        terminal::say(format!("mirroring {} until {until}Ctrl-C", feed.name()));
        let mut progress = Progress::new(feed.name());
        let (mut failed, mut told) = (None, false);
        loop {
            if duration.is_some_and(|duration| begun.elapsed() >= duration.as_duration()) {
                stop.stop();
            }
            match feed.next(WAIT) {
                Ok(Next::Exchange(_)) if told => {
                    self.seen.exchanges += 1;
                    self.seen.dropped.at_end += 1;
                }
                Ok(Next::Exchange(exchange)) => failed = self.take(*exchange).err(),
                Ok(Next::Nothing) => {}
                Ok(Next::Ended) => break,
                Err(error) => {
                    failed = Some(Failure { exit: Exit::Input, error: error.into() });
                    break;
                }
            }
            let over = self.mirror.is_aborted() || self.mirror.has_failed() || failed.is_some();
            if over && !feed.is_in_the_way() {
                stop.stop();
            } else if over && !std::mem::replace(&mut told, true) {
                // Clients must not pay for it.
                terminal::warn(
                    "nothing is mirrored any more; traffic is passed on until the end (--for, or Ctrl-C)",
                );
            }
            progress.now_and_then(|| line(begun, &self.seen, &self.mirror.progress()));
        }
        failed
    }

    /// One exchange, as captured.
    fn take(&mut self, exchange: Exchange) -> Result<(), Failure> {
        self.seen.exchanges += 1;
        if Guard::is_own(&exchange) {
            self.seen.dropped.own += 1;
            return Ok(());
        }
        self.guard.check(&exchange)?;
        let Some(session) = self.sessions.of(&exchange) else {
            self.seen.dropped.sampled_out += 1;
            return Ok(());
        };
        if let Some(masked) = self.shield.pass(exchange, self.mirror.has_room(), &mut self.seen.dropped) {
            self.mirror.offer(session, masked);
        }
        Ok(())
    }
}

fn line(begun: Instant, seen: &Seen, now: &MirrorProgress) -> String {
    format!(
        "{}: {} captured, {} sent ({:.0}/s), {} failed, {} of another status; lag p50 {:.1} ms, p99 {:.1} ms; {} wait, {} too late, {} without room",
        format_duration(Nanos(begun.elapsed().as_secs() * Nanos::PER_SECOND)),
        terminal::plural(seen.exchanges, "exchange"),
        now.requests,
        now.requests_per_s,
        now.failures,
        now.differ,
        now.lag_p50,
        now.lag_p99,
        now.waiting,
        now.too_late,
        now.queue_full + seen.dropped.queue_full,
    )
}
