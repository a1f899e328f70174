//! A whole run: from options to the document.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Barrier, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mynah_traffic::Nanos;
use mynah_traffic::run::{RunDocument, RunFolder};
use mynah_traffic::units::{format_duration, format_time};
use mynah_traffic::watch::{Scope, Watch};

use crate::engine::{Job, Library, Peer, Setup, thread};
use crate::load::{Kind, Load};
use crate::options::{Options, Turn};
use crate::prepared::Plan;
use crate::script::Scripted;
use crate::stats::{Collector, Facts, Measuring, Report, answers, document};
use crate::timetable::Arrival;
use crate::{Error, Prepared, Stop, Target, begin, due};

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
/// As [`run()`]; [`Error::Config`] for anything but the open model, for less than three turns a side, and where steps speak another
/// protocol.
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
    if !prepared.plan.peers.is_empty() {
        return Err(Error::Config(
            "two targets in turn are compared over HTTP: steps of other protocols would go to one place in both turns"
                .to_owned(),
        ));
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
    if !matches!(one.load.kind, Kind::Open { .. } | Kind::Paced { .. }) {
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
                let own = timetable.filter(own);
                match &load.kind {
                    Kind::Paced { .. } => own.for_each(|arrival| measuring.asks(arrival.at.0)),
                    _ => due::requests(&setup, own, |moment| measuring.asks(moment)),
                }
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
        let master = setup.script.as_ref().map(Scripted::set_up).transpose()?.flatten();
        let threads = thread_count(options, load);
        let (reports, inbox) = mpsc::channel();
        let barrier = Arc::new(Barrier::new(threads));
        let mut libraries = Library::start(setup, threads)?.into_iter();
        let mut jobs = Vec::with_capacity(threads);
        for number in 0..threads {
            let stripe = load.shard.stripe(number, threads);
            let mut job = Job {
                setup: setup.clone(),
                shape: load.shape(stripe)?,
                thread: number,
                stripe,
                threads,
                stop: stop.clone(),
                library: libraries.next(),
                reports: reports.clone(),
                barrier: barrier.clone(),
                start: start.clone(),
            };
            job.look_ahead();
            jobs.push(job);
        }
        drop(reports);
        jobs.iter().filter_map(|job| job.library.as_ref()).for_each(|library| library.settle(stop));
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
        let begun = Instant::now();
        let result = std::thread::scope(|scope| {
            let mut handles = Vec::with_capacity(threads);
            for job in jobs {
                handles.push(scope.spawn(move || thread(job)));
            }
            let mut report = |collector: &Collector| {
                progress(&progress_of(collector, begun.elapsed(), load.duration));
            };
            let by = options.max_time.map(|most| (begun + most, most));
            let collected = collect(&inbox, &mut collector, (stop, by), &mut report);
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
        let mut totals = collector.finish()?;
        if let (Some(script), Some(master)) = (&setup.script, &master) {
            let (wrong, metrics) = script.tear_down(master);
            totals.counted(metrics);
            totals.wrong(wrong);
        }
        let since = started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let facts = Facts {
            setup,
            plan,
            started: format_time(since.into()),
            seed: options.seed,
            target: targets(setup),
            // Ended by a threshold is ended as was asked for.
            interrupted: stop.is_asked_for() && totals.aborted.is_none() && totals.overran.is_none(),
            threads: threads as u32,
            max_vus: options.max_vus,
            thresholds: &options.thresholds,
            model: load.model,
            asked: load.asked.clone(),
            scheduled: *scheduled,
            of_requests: matches!(load.kind, Kind::Paced { .. }),
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
    (stop, by): (&Stop, Option<(Instant, Duration)>),
    report: &mut dyn FnMut(&Collector),
) -> Result<(), Error> {
    let mut told = Instant::now();
    loop {
        let left = by.map(|(end, _)| end.saturating_duration_since(Instant::now()));
        if let (Some(Duration::ZERO), Some((_, most))) = (left, by)
            && !stop.is_triggered()
        {
            collector.overran(most);
            stop.trigger();
        }
        let second = Duration::from_secs(1);
        let patience = left.filter(|left| !left.is_zero()).map_or(second, |left| left.min(second));
        match inbox.recv_timeout(patience) {
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
        Kind::Closed(curve) => wanted.min(curve.most_users().div_ceil(load.shard.of.max(1)) as usize),
        Kind::Once(cards) => wanted.min(cards.len()),
        Kind::Open { .. } | Kind::Paced { .. } => wanted,
    }
    .min(options.max_in_flight.map_or(usize::MAX, |most| most as usize))
    .max(1)
}

pub(crate) fn targets(setup: &Setup) -> String {
    let peers = setup.peers.iter().map(Peer::shown);
    let all: BTreeSet<String> =
        setup.places.iter().map(|place| place.target.to_string()).chain(peers).collect();
    all.into_iter().collect::<Vec<_>>().join(", ")
}

/// Every connection is a file descriptor, and the limit that processes start with is often 1024.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // Where it is refused the limit stays, and running into it is told.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
