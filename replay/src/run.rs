//! A whole run: from options to the document.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Barrier, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mynah_traffic::Nanos;
use mynah_traffic::run::{RunDocument, RunFolder};
use mynah_traffic::scenario::Rate;
use mynah_traffic::units::{format_duration, format_time};
use mynah_traffic::watch::{Scope, Watch};

use crate::engine::{End, Job, Setup, Shape, thread};
use crate::options::{LoadModel, Options, Shard, Turn};
use crate::prepared::{Plan, Walks};
use crate::stats::{Collector, Facts, Measuring, Report, answers, document};
use crate::timetable::{Arrival, Card, Cards, Share, Timetable};
use crate::{Error, Prepared, Stop, Target, begin, due};

/// Sessions are begun for at least this long where nothing else is said.
const SHORTEST_DEFAULT: Nanos = Nanos(10 * Nanos::PER_SECOND);

/// How a run is going.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Since its start.
    pub elapsed: Duration,
    /// For how long sessions are begun.
    pub planned: Duration,
    /// Virtual users at work.
    pub users: u32,
    /// Requests that ended so far.
    pub requests: u64,
    /// Of those, failed.
    pub failures: u64,
    /// Requests that ended in the last whole second.
    pub requests_per_s: f64,
    /// Median response time in that second, ms.
    pub p50: f64,
    /// 99th percentile of it, ms.
    pub p99: f64,
}

impl Progress {
    /// Of two runs at the same time. Their quantiles cannot be added up: the slower ones are told.
    fn with(&self, other: &Progress) -> Progress {
        Progress {
            users: self.users + other.users,
            requests: self.requests + other.requests,
            failures: self.failures + other.failures,
            requests_per_s: self.requests_per_s + other.requests_per_s,
            p50: self.p50.max(other.p50),
            p99: self.p99.max(other.p99),
            ..*self
        }
    }
}

/// What is to be driven, worked out from options and scenario.
struct Load {
    model: &'static str,
    asked: String,
    duration: Nanos,
    kind: Kind,
    shares: Vec<Share>,
    /// By profile: how many walks are made; `None` where recorded sessions are played.
    walks: Vec<Option<usize>>,
    seed: u64,
    max_vus: u32,
    shard: Shard,
    /// Nothing begins any more when its time is over.
    cut: bool,
}

enum Kind {
    Open(f64),
    Closed { users: u32, spawn_rate: f64 },
    Once(Vec<Card>),
}

/// A timetable is gone through ahead of the run, to know its length: this many take some seconds.
const MOST_ARRIVALS: f64 = 1e8;
const MOST_THREADS: usize = 1024;
/// Each takes some 22 KB.
const MOST_USERS: u32 = 1_000_000;

impl Load {
    fn new(plan: &Plan, options: &Options) -> Result<Load, Error> {
        let recorded = plan.scenario.recorded.as_ref();
        let duration = options.duration.unwrap_or_else(|| {
            let recorded = recorded.map_or(Nanos(0), |recorded| Nanos::from_secs_f64(recorded.duration_s));
            recorded.max(SHORTEST_DEFAULT)
        });
        if options.threads > MOST_THREADS {
            return Err(Error::Config(format!(
                "{} threads are more than help ({MOST_THREADS} at most; one for each core when left out)",
                options.threads
            )));
        }
        if duration == Nanos(0) {
            return Err(Error::Config("a run of no length sends nothing; give --for 30s, say".to_owned()));
        }
        let (model, asked, kind) = match options.load {
            LoadModel::Open { rate } => {
                let per_second = sessions_per_second(plan, rate)?;
                let arrivals = per_second * duration.as_secs_f64();
                if arrivals > MOST_ARRIVALS {
                    return Err(Error::Config(format!(
                        "{rate} for {} is {arrivals:.0} sessions, more than a timetable holds ({MOST_ARRIVALS:.0}); \
                         lower the rate or make it shorter",
                        format_duration(duration)
                    )));
                }
                let per = format!("{} sessions/s", (per_second * 1000.0).round() / 1000.0);
                let asked = if let Rate::Times(_) = rate { format!("{rate} = {per}") } else { per };
                ("open", asked, Kind::Open(per_second))
            }
            LoadModel::Closed { users: 0, .. } => {
                return Err(Error::Config("no users, nobody to play; give --users 10, say".to_owned()));
            }
            LoadModel::Closed { users, .. } if users > MOST_USERS => {
                return Err(Error::Config(format!(
                    "{users} users are more than one machine can be ({MOST_USERS} at most, at some 22 KB each)"
                )));
            }
            LoadModel::Closed { users, spawn_rate } => {
                let noun = if users == 1 { "user" } else { "users" };
                ("closed", format!("{users} {noun}"), Kind::Closed { users, spawn_rate })
            }
            LoadModel::Once => {
                let all = plan.profiles.iter().enumerate();
                let played = all.filter(|(_, profile)| !profile.sessions.is_empty() && profile.weight > 0.0);
                let cards: Vec<Card> =
                    played.map(|(profile, _)| Card { profile: profile as u32, session: 0 }).collect();
                ("open", "one session a profile".to_owned(), Kind::Once(cards))
            }
        };
        let expected = match &kind {
            Kind::Open(rate) => rate * duration.as_secs_f64() * 1.05 + 20.0,
            // Nobody knows how fast the target lets them be.
            Kind::Closed { .. } => 20_000.0,
            Kind::Once(_) => 1.0,
        };
        let weights: f64 = plan.profiles.iter().map(|profile| profile.weight).sum();
        let expected: Vec<f64> =
            plan.profiles.iter().map(|profile| (expected * profile.weight / weights).max(1.0)).collect();
        let walks = Walks::counts(plan, options.behaviour, &expected);
        let shares = plan.shares(&walks);
        let shard = options.shard.unwrap_or_default();
        check_shard(shard, &kind)?;
        if options.warm_up.is_some_and(|warm_up| warm_up >= duration)
            || options.warm_up.is_some() && model != "open"
        {
            return Err(Error::Config(
                "warming up goes with sessions that arrive, and is shorter than the run".to_owned(),
            ));
        }
        let (seed, max_vus, cut) = (options.seed, options.max_vus, options.warm_up.is_some());
        Ok(Load { model, asked, duration, kind, shares, walks, seed, max_vus, shard, cut })
    }

    /// What the timetable is made from besides the scenario.
    fn key(&self) -> String {
        let Load { asked, duration, seed, shares, .. } = self;
        format!("{asked} {duration:?} {seed} {shares:?}")
    }

    fn timetable(&self) -> Result<Option<Timetable>, Error> {
        match &self.kind {
            Kind::Open(rate) => {
                Timetable::open(&self.shares, *rate, self.duration, self.seed).ok_or_else(nobody).map(Some)
            }
            Kind::Once(cards) => Ok(Some(Timetable::at_once(cards.clone()))),
            Kind::Closed { .. } => Ok(None),
        }
    }

    /// Each thread works the same thing out and takes its own part.
    fn shape(&self) -> Result<Shape, Error> {
        match (&self.kind, self.timetable()?) {
            (Kind::Closed { users, spawn_rate }, _) => Ok(Shape::Closed {
                cards: Box::new(Cards::new(&self.shares, self.seed).ok_or_else(nobody)?),
                users: *users,
                spawn_rate: *spawn_rate,
                duration: self.duration,
            }),
            (_, Some(timetable)) => {
                let end = match self.kind {
                    Kind::Open(_) if self.cut => End::At(self.duration),
                    Kind::Open(_) => End::Late,
                    _ => End::Never,
                };
                Ok(Shape::Open { timetable: Box::new(timetable), max_vus: self.max_vus, end })
            }
            (_, None) => Err(nobody()),
        }
    }
}

fn nobody() -> Error {
    Error::Config("no profile has both a weight and a session: nobody to play".to_owned())
}

fn check_shard(shard: Shard, kind: &Kind) -> Result<(), Error> {
    let wrong = |why: String| Err(Error::Config(format!("shard {} of {}: {why}", shard.index + 1, shard.of)));
    if shard.index >= shard.of {
        return wrong("there is no such one; they are counted from 1".to_owned());
    }
    match kind {
        Kind::Closed { users, .. } if shard.index >= *users => {
            wrong(format!("there are {users} users in all, and none is left for it; use fewer shards"))
        }
        Kind::Once(_) if shard.of > 1 => wrong("one session a profile is not divided".to_owned()),
        _ => Ok(()),
    }
}

pub(crate) fn sessions_per_second(plan: &Plan, rate: Rate) -> Result<f64, Error> {
    match rate {
        Rate::PerSecond(rate) => Ok(rate),
        Rate::Times(times) => {
            let recorded = plan.scenario.recorded.as_ref().ok_or_else(|| {
                Error::Config(format!(
                    "--rate {rate} is relative to a recording, and '{}' has none; give sessions a second, such as \
                     --rate 10/s",
                    plan.scenario.name
                ))
            })?;
            if recorded.sessions_per_s > 0.0 {
                Ok(times * recorded.sessions_per_s)
            } else {
                Err(Error::Config(format!(
                    "--rate {rate} is relative to the recorded rate, and [recorded] sessions_per_s is {}",
                    recorded.sessions_per_s
                )))
            }
        }
    }
}

/// Runs a scenario against its target and measures it. Blocks until the run is over; `progress` is called on this thread
/// about each second. `intervals.hlog` is written into `folder` as the run goes, `shapes.json` at its end; the document is the caller's to write.
///
/// # Errors
/// [`Error::Config`], [`Error::Refused`] and [`Error::Unreachable`] before anything is sent; [`Error::Traffic`] when the run
/// folder cannot be written; [`Error::Engine`] when a thread cannot be set up.
pub fn run(
    prepared: &Prepared,
    options: &Options,
    folder: &RunFolder,
    stop: &Stop,
    progress: &mut dyn FnMut(&Progress),
) -> Result<RunDocument, Error> {
    Ready::new(&prepared.plan, options)?.conduct(folder, stop, &Start::default(), progress)
}

/// Runs a scenario against two targets by one timetable: sessions that begin in the first `block_s` seconds go to the first one,
/// those of the next to the second, and so on, so that whatever moves in the meantime moves for both. Each has its own folder,
/// sends on its own threads, and is a run of its own; `progress` tells of both.
///
/// # Errors
/// As [`run()`]; [`Error::Config`] for anything but the open model, and for less than three turns a side.
pub fn run_in_turns(
    prepared: &Prepared,
    options: &Options,
    targets: [&Target; 2],
    block_s: u32,
    folders: [&RunFolder; 2],
    stop: &Stop,
    progress: &mut dyn FnMut(&Progress),
) -> Result<[RunDocument; 2], Error> {
    if let Some(idle) = options.thresholds.iter().find(|threshold| threshold.counts_time()) {
        return Err(Error::Config(format!(
            "{}: a target that sees nothing in the other's turn has no rate; compare failure rates and times",
            idle.expr
        )));
    }
    let side = |second: bool| {
        let target = Some(targets[usize::from(second)].clone());
        // They are the second one's to hold: the first is what there is already.
        let thresholds = if second { options.thresholds.clone() } else { Vec::new() };
        Options { target, turn: Some(Turn { second, block_s }), thresholds, ..options.clone() }
    };
    // What ends one ends both, and is no interruption.
    let stop = &stop.child();
    let (one, other) = (side(false), side(true));
    let (one, other) = (Ready::new(&prepared.plan, &one)?, Ready::new(&prepared.plan, &other)?);
    if !matches!(one.load.kind, Kind::Open(_)) {
        return Err(Error::Config("two targets in turn need sessions that arrive: --rate".to_owned()));
    }
    let turns = one.load.duration.0 / (u64::from(block_s.max(1)) * Nanos::PER_SECOND);
    if block_s == 0 || turns < 6 {
        return Err(Error::Config(format!(
            "in {} there are {turns} turns of {block_s} s; six are the least that can be compared: make it longer, or the turns \
             shorter",
            format_duration(one.load.duration)
        )));
    }
    let start = Start::default();
    let latest = Mutex::new(Progress::default());
    std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            let mut note = |now: &Progress| {
                *latest.lock().unwrap_or_else(PoisonError::into_inner) = *now;
            };
            let ended = other.conduct(folders[1], stop, &start, &mut note);
            if ended.is_err() {
                stop.trigger();
            }
            ended
        });
        let first = one.conduct(folders[0], stop, &start, &mut |now| {
            let beside = *latest.lock().unwrap_or_else(PoisonError::into_inner);
            progress(&now.with(&beside));
        });
        if first.is_err() {
            stop.trigger();
        }
        let second = second.join().unwrap_or_else(|_| Err(Error::Engine("a run died".to_owned())));
        Ok([first?, second?])
    })
}

/// The moment at which threads begin: the first of them sets it.
pub(crate) type Start = Arc<OnceLock<Instant>>;

/// A run that has only to be begun.
struct Ready<'r> {
    plan: &'r Arc<Plan>,
    options: Options,
    load: Load,
    /// Arrivals in the timetable; `None` where users come back as they can.
    scheduled: Option<u64>,
    setup: Arc<Setup>,
    /// Where only a part of it is counted.
    measuring: Option<Measuring>,
}

impl<'r> Ready<'r> {
    fn new(plan: &'r Arc<Plan>, options: &Options) -> Result<Ready<'r>, Error> {
        let load = Load::new(plan, options)?;
        let shard = load.shard;
        let own = |arrival: &Arrival| {
            options.turn.is_none_or(|turn| turn.has(arrival.at)) && shard.has(arrival.number)
        };
        let timetable = load.timetable()?;
        let scheduled = timetable.map(|timetable| timetable.filter(own).count() as u64);
        let setup = Arc::new(Setup::new(plan, options, &load.walks)?);
        let measuring = match (options.warm_up, load.timetable()?) {
            (Some(from), Some(timetable)) => {
                let mut measuring = Measuring::new(from, load.duration);
                due::requests(&setup, timetable.filter(own), |moment| measuring.asks(moment));
                Some(measuring)
            }
            _ => None,
        };
        Ok(Ready { plan, options: options.clone(), load, scheduled, setup, measuring })
    }

    fn conduct(
        &self,
        folder: &RunFolder,
        stop: &Stop,
        start: &Start,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<RunDocument, Error> {
        let Ready { plan, options, load, scheduled, setup, measuring } = self;
        raise_file_limit();
        let threads = thread_count(options, load);
        let started = match options.start_at {
            Some(at) => begin::wait_for(at, start, stop)?,
            None => SystemTime::now(),
        };
        let writer = folder.intervals_writer(started)?;
        let watches = options.thresholds.iter().enumerate().filter_map(|(number, threshold)| {
            // One that is not there is told at the end.
            let scope = match (&threshold.endpoint, &threshold.profile) {
                (Some(name), _) => Scope::Endpoint(plan.endpoints.called(name)?),
                (None, Some(name)) => Scope::Profile(plan.profile(name)?),
                (None, None) => Scope::All,
            };
            Watch::new(number, threshold, scope)
        });
        let mut collector = Collector::new(
            setup.clone(),
            threads,
            writer,
            watches.collect(),
            load.duration,
            measuring.clone(),
        );
        let (reports, inbox) = mpsc::channel();
        let barrier = Arc::new(Barrier::new(threads));
        let begun = Instant::now();
        let mut jobs = Vec::with_capacity(threads);
        for number in 0..threads {
            jobs.push(Job {
                setup: setup.clone(),
                shape: load.shape()?,
                thread: number,
                stripe: load.shard.stripe(number, threads),
                threads,
                stop: stop.clone(),
                reports: reports.clone(),
                barrier: barrier.clone(),
                start: start.clone(),
            });
        }
        drop(reports);
        let result = std::thread::scope(|scope| {
            let mut handles = Vec::with_capacity(threads);
            for job in jobs {
                handles.push(scope.spawn(move || thread(job)));
            }
            let mut report = |collector: &Collector| {
                progress(&progress_of(collector, begun.elapsed(), load.duration));
            };
            let collected = collect(&inbox, &mut collector, stop, &mut report);
            if collected.is_err() {
                // Nobody listens any more: no reason to go on sending.
                stop.trigger();
            }
            let mut result = collected;
            for handle in handles {
                let ended =
                    handle.join().unwrap_or_else(|_| Err(Error::Engine("a sending thread died".to_owned())));
                result = result.and(ended);
            }
            result
        });
        result?;
        let totals = collector.finish()?;
        let since = started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let facts = Facts {
            setup,
            plan,
            started: format_time(since.into()),
            seed: options.seed,
            target: targets(setup),
            // Ended by a threshold is ended as was asked for.
            interrupted: stop.is_asked_for() && totals.aborted.is_none(),
            threads: threads as u32,
            max_vus: options.max_vus,
            thresholds: &options.thresholds,
            model: load.model,
            asked: load.asked.clone(),
            scheduled: *scheduled,
            planned_s: load.duration.as_secs_f64(),
            shard: options.shard.map(|shard| mynah_traffic::run::Shard {
                number: shard.index + 1,
                of: shard.of,
                timetable: begin::fingerprint(plan, setup, &load.key()),
            }),
        };
        folder.write_answers(&answers(&totals, &facts))?;
        Ok(document(&totals, &facts))
    }
}

fn collect(
    inbox: &Receiver<Report>,
    collector: &mut Collector,
    stop: &Stop,
    report: &mut dyn FnMut(&Collector),
) -> Result<(), Error> {
    let mut told = Instant::now();
    loop {
        match inbox.recv_timeout(Duration::from_secs(1)) {
            Ok(message) => {
                if collector.take(message)? {
                    told = Instant::now();
                    report(collector);
                    if collector.is_aborted() {
                        stop.trigger();
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        // A thread that is too busy to tell its counts must not make the display stand still.
        if told.elapsed() > Duration::from_secs(2) {
            told = Instant::now();
            report(collector);
        }
    }
}

fn progress_of(collector: &Collector, elapsed: Duration, planned: Nanos) -> Progress {
    let last = collector.totals.seconds.last().copied().unwrap_or_default();
    Progress {
        elapsed,
        planned: planned.as_duration(),
        users: collector.users(),
        requests: collector.totals.all.requests,
        failures: collector.totals.all.failures,
        requests_per_s: last.requests as f64,
        p50: last.p50,
        p99: last.p99,
    }
}

fn thread_count(options: &Options, load: &Load) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let wanted = if options.threads == 0 { cores } else { options.threads };
    match &load.kind {
        // A thread without a user has nothing to do.
        Kind::Closed { users, .. } => wanted.min(users.div_ceil(load.shard.of.max(1)) as usize),
        Kind::Once(cards) => wanted.min(cards.len()),
        Kind::Open(_) => wanted,
    }
    .max(1)
}

fn targets(setup: &Setup) -> String {
    let all: BTreeSet<String> = setup.places.iter().map(|place| place.target.to_string()).collect();
    all.into_iter().collect::<Vec<_>>().join(", ")
}

/// Every connection is a file descriptor, and the limit that processes start with is often 1024.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // Where it is refused the limit stays, and running into it is told.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
