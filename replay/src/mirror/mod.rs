//! Live traffic onto a target while it happens.
//!
//! ```text
//! offer() ──► endpoint, what the answer handed out ──► one queue a session ──► its own jar, connection and values ──► target
//! (one thread, never waits)                            (sending threads)
//! ```
//!
//! A session's requests go out one after the other in the order in which they are offered, sessions beside each other. A request
//! is due so long after it was captured as it was asked for, and not before it is offered. What waits is bounded by number, by
//! bytes and by time; what is over is dropped and counted. It is measured as a replay is, by the same engine.

mod endpoints;
mod session;
mod step;
#[cfg(test)]
mod tests;
mod thread;
mod told;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mynah_message::{Head, Limits, Message, Target as RequestTarget, View};
use mynah_traffic::recording::CaptureCounts;
use mynah_traffic::run::{Dropped, MirrorFigures, RunDocument, RunFolder};
use mynah_traffic::scenario::{EndpointEntry, Expect, Scenario};
use mynah_traffic::units::format_time;
use mynah_traffic::watch::{Scope, Watch};
use mynah_traffic::{Endpoint, Exchange, Masked, Nanos};
use tokio::sync::mpsc::UnboundedSender;

use self::endpoints::Endpoints;
use self::step::{Hosts, Injecting};
use self::told::Told;
use crate::engine::Setup;
use crate::prepared::Plan;
use crate::stats::{Collector, Facts, Report, Totals, answers, document};
use crate::{Error, Options, Prepared};

pub use self::endpoints::Fold;

/// The header field that every mirrored request bears, so that a mirror which sees it passes it over.
pub const MARK: &str = "X-Mynah-Mirror";

/// Endpoints that are found besides those that are known.
const ENDPOINTS: usize = 300;
/// After an interruption, what waits gets so long.
const STOP_DRAIN: Duration = Duration::from_secs(5);

/// How live traffic is sent on.
#[derive(Clone)]
pub struct MirrorOptions {
    /// Where to, and as what. Load, think times and body checks are not looked at.
    pub send: Options,
    /// What is listened to, for the run document.
    pub source: String,
    /// Share of the sessions, 0–1, for the run document.
    pub rate: f64,
    /// A request is due so long after it was captured.
    pub delay: Duration,
    /// What could be sent only so long after its time is dropped.
    pub max_lag: Duration,
    /// Exchanges that may wait in all.
    pub max_exchanges: u64,
    /// Bytes that they may hold.
    pub max_bytes: u64,
    /// A session without a request for so long is forgotten.
    pub idle: Duration,
    /// Endpoints of the user's own.
    pub endpoints: Vec<Endpoint>,
    /// What folds other paths.
    pub fold: Fold,
}

impl std::fmt::Debug for MirrorOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MirrorOptions")
            .field("send", &self.send)
            .field("source", &self.source)
            .field("delay", &self.delay)
            .finish_non_exhaustive()
    }
}

/// What was there before the mirror: told when it ends.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Exchanges that the capture gave.
    pub exchanges: u64,
    /// What was not offered.
    pub dropped: Dropped,
    /// What the capture lost.
    pub capture: CaptureCounts,
    /// Whether what was offered had been masked.
    pub masked: bool,
}

/// How a mirror is going.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MirrorProgress {
    /// Requests that ended.
    pub requests: u64,
    /// Of those, failed.
    pub failures: u64,
    /// Requests that ended in the last whole second.
    pub requests_per_s: f64,
    /// Median lag so far, ms.
    pub lag_p50: f64,
    /// 99th percentile of it, ms.
    pub lag_p99: f64,
    /// Exchanges that wait.
    pub waiting: u64,
    /// Dropped as too late.
    pub too_late: u64,
    /// Dropped for want of room.
    pub queue_full: u64,
    /// Answers with another status than production's.
    pub differ: u64,
}

/// A mirror at work, on threads of its own.
#[derive(Debug)]
pub struct Mirror {
    scenario: Scenario,
    options: MirrorOptions,
    folder: RunFolder,
    started: SystemTime,
    endpoints: Endpoints,
    hosts: Hosts,
    shared: Arc<Shared>,
    lanes: Vec<UnboundedSender<Item>>,
    threads: Vec<JoinHandle<Result<(), Error>>>,
    collecting: JoinHandle<Result<Totals, Error>>,
    handed_over: u64,
}

/// How what waits at the end is dealt with.
#[derive(Clone, Copy, Debug, Default)]
struct Drain {
    /// For how long it is sent.
    span: Duration,
    /// Somebody waits for the end: what is under way gets no more time than that.
    interrupted: bool,
}

/// What all threads of a mirror see.
#[derive(Debug)]
struct Shared {
    setup: Arc<Setup>,
    injecting: Injecting,
    begun: Instant,
    max_lag: u64,
    idle: u64,
    /// Exchanges of one session that may wait.
    session_room: usize,
    waiting: Arc<Waiting>,
    told: Mutex<Told>,
    latest: Mutex<MirrorProgress>,
    /// A threshold has ended it.
    aborted: AtomicBool,
    /// For how long what waits is still sent, once no more comes.
    drain: OnceLock<Drain>,
}

/// Exchanges that wait, and their bytes.
#[derive(Debug, Default)]
struct Waiting {
    exchanges: AtomicU64,
    bytes: AtomicU64,
    most_exchanges: AtomicU64,
    most_bytes: AtomicU64,
}

/// The room that one exchange takes until it is sent or dropped.
#[derive(Debug)]
struct Room {
    waiting: Arc<Waiting>,
    bytes: u64,
}

impl Waiting {
    /// Takes room, where there is some. Called on one thread only.
    fn take(self: &Arc<Self>, bytes: u64, options: &MirrorOptions) -> Option<Room> {
        let exchanges = self.exchanges.load(Ordering::Relaxed) + 1;
        let held = self.bytes.load(Ordering::Relaxed) + bytes;
        if exchanges > options.max_exchanges || held > options.max_bytes {
            return None;
        }
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.most_exchanges.fetch_max(exchanges, Ordering::Relaxed);
        self.most_bytes.fetch_max(held, Ordering::Relaxed);
        Some(Room { waiting: Arc::clone(self), bytes })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.waiting.exchanges.fetch_sub(1, Ordering::Relaxed);
        self.waiting.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A request that is to be sent. Times in nanoseconds since the mirror began.
#[derive(Debug)]
struct Item {
    session: u64,
    endpoint: u32,
    origin: u32,
    request: Message,
    /// As the client knew the server: its URLs in `Origin` and `Referer` become the target's.
    host: String,
    expect: Expect,
    /// Values that production's answer handed out, by correlation.
    handed: Vec<(u32, Vec<String>)>,
    captured: u64,
    /// From when it could have been sent: it was known whole, and its delay was over.
    ready: u64,
    /// When it is to be sent.
    due: u64,
    _room: Room,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

impl Shared {
    fn now(&self) -> u64 {
        nanos(self.begun.elapsed())
    }

    /// Nanoseconds since the mirror began, of a moment that was a while ago. The while is counted back from now, so that a clock
    /// that is set right in between does no harm.
    fn moment(&self, at: Nanos) -> u64 {
        let epoch = Nanos::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        self.now().saturating_sub(epoch.since(at).0)
    }
}

impl Mirror {
    /// Finds the target and begins; nothing is sent before something is offered. Of a scenario, the correlations and endpoints are
    /// used. Blocks until the target is connected to.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Refused`] and [`Error::Unreachable`] as a replay's; [`Error::Traffic`] when the run folder cannot be
    /// written; [`Error::Engine`] when a thread cannot be set up.
    pub fn start(
        scenario: Option<&Scenario>,
        options: &MirrorOptions,
        folder: &RunFolder,
    ) -> Result<Mirror, Error> {
        crate::run::raise_file_limit();
        let mut options = options.clone();
        options.send.body_checks = false;
        options.send.set_headers.push((MARK.to_owned(), "1".to_owned()));
        let mut scenario = step::scenario(scenario, &options)?;
        let prepared = Prepared::from_scenario(scenario.clone(), Path::new(""))?;
        let setup = Arc::new(Setup::new(&prepared.plan, &options.send, &[None])?);
        let plan = &prepared.plan;
        // What the hosts of the recording were has been looked at by then; a run of live traffic is not like a recording.
        scenario.recorded = None;
        let started = SystemTime::now();
        let writer = folder.intervals_writer(started)?;
        let threads = options.send.threads.max(1);
        let collector = Collector::new(
            setup.clone(),
            threads,
            writer,
            watches(plan, &options.send),
            Nanos(u64::MAX),
            None,
        );
        let shared = Arc::new(Shared {
            injecting: Injecting::of(plan),
            setup: setup.clone(),
            begun: Instant::now(),
            max_lag: nanos(options.max_lag),
            idle: nanos(options.idle),
            session_room: usize::try_from(options.max_exchanges / 10).unwrap_or(usize::MAX).max(16),
            waiting: Arc::default(),
            told: Mutex::default(),
            latest: Mutex::default(),
            aborted: AtomicBool::new(false),
            drain: OnceLock::new(),
        });
        let (reports, inbox) = mpsc::channel();
        let spawned = |error: std::io::Error| Error::Engine(format!("no thread: {error}"));
        let (mut lanes, mut handles) = (Vec::new(), Vec::new());
        for number in 0..threads {
            let (lane, items) = tokio::sync::mpsc::unbounded_channel();
            let (shared, reports) = (shared.clone(), reports.clone());
            let work = move || thread::run(number, threads, shared, items, reports);
            let handle = std::thread::Builder::new().name("mirror".to_owned()).spawn(work);
            handles.push(handle.map_err(spawned)?);
            lanes.push(lane);
        }
        drop(reports);
        let books = shared.clone();
        let collecting = std::thread::Builder::new()
            .name("collect".to_owned())
            .spawn(move || collect(&inbox, collector, &books))
            .map_err(spawned)?;
        Ok(Mirror {
            endpoints: Endpoints::new(plan.endpoints.all().to_vec(), options.fold.clone(), ENDPOINTS),
            hosts: Hosts::of(&options.send),
            scenario,
            options,
            folder: folder.clone(),
            started,
            shared,
            lanes,
            threads: handles,
            collecting,
            handed_over: 0,
        })
    }

    /// Hands an exchange over, whose request is sent when its time has come. Does not wait: where there is no room it is dropped and
    /// counted. Requests of one session are sent in the order in which they are offered.
    pub fn offer(&mut self, session: u64, exchange: Masked<Exchange>) {
        let exchange = exchange.into_inner();
        if self.put(session, exchange).is_none() {
            lock(&self.shared.told).dropped.no_request_head += 1;
        }
    }

    /// `None`: it has no request that could be sent.
    fn put(&mut self, session: u64, exchange: Exchange) -> Option<()> {
        let (shared, options) = (&self.shared, &self.options);
        let host = exchange.host();
        let request = exchange.request.as_ref()?;
        let head = Head::parse(&request.head).ok()?;
        let (method, path) = (head.method()?, RequestTarget::parse(head.target()?).path);
        let Some(origin) = self.hosts.origin(&host) else {
            lock(&shared.told).dropped.filtered += 1;
            return Some(());
        };
        let bytes = request.head.len() + request.body.len() + request.trailers.len() + size_of::<Item>();
        let Some(room) = shared.waiting.take(bytes as u64, options) else {
            lock(&shared.told).dropped.queue_full += 1;
            return Some(());
        };
        let operation = mynah_traffic::operation(request);
        let operation = operation.as_ref().map(|(name, value)| (*name, value.as_str()));
        let endpoint = self.endpoints.number(method, &host, path, operation);
        let now = shared.now();
        let captured = shared.moment(exchange.times.request_last);
        let wanted = captured.saturating_add(nanos(options.delay));
        let item = Item {
            session,
            endpoint,
            origin,
            host,
            expect: expect(&exchange),
            handed: handed(&shared.setup.plan, endpoint, exchange.response.as_ref()),
            captured,
            ready: wanted.max(shared.moment(exchange.times.end())),
            due: wanted.max(now),
            _room: room,
            request: exchange.request?,
        };
        // A thread that is gone has told why, which the end will tell.
        let lane = self.lanes.get((session % self.lanes.len().max(1) as u64) as usize);
        if lane.is_some_and(|lane| lane.send(item).is_ok()) {
            self.handed_over += 1;
        }
        Some(())
    }

    /// Whether one more exchange could wait.
    pub fn has_room(&self) -> bool {
        let waiting = &self.shared.waiting;
        waiting.exchanges.load(Ordering::Relaxed) < self.options.max_exchanges
            && waiting.bytes.load(Ordering::Relaxed) < self.options.max_bytes
    }

    /// Whether a threshold has ended it.
    pub fn is_aborted(&self) -> bool {
        self.shared.aborted.load(Ordering::Relaxed)
    }

    /// Whether something has failed for good, so that nothing is sent any more; [`Mirror::finish`] says what.
    pub fn has_failed(&self) -> bool {
        self.collecting.is_finished() || self.threads.iter().any(JoinHandle::is_finished)
    }

    /// How it is going.
    pub fn progress(&self) -> MirrorProgress {
        let told = lock(&self.shared.told);
        MirrorProgress {
            lag_p50: told.lag_ms(0.5),
            lag_p99: told.lag_ms(0.99),
            waiting: self.shared.waiting.exchanges.load(Ordering::Relaxed),
            too_late: told.dropped.too_late,
            queue_full: told.dropped.queue_full,
            differ: told.differ,
            ..*lock(&self.shared.latest)
        }
    }

    /// Sends what still waits, for a while, and tells what it came to. The document is the caller's to write.
    ///
    /// # Errors
    /// [`Error::Traffic`] when the run folder could not be written, [`Error::Engine`] when a thread died.
    pub fn finish(self, interrupted: bool, seen: &Seen) -> Result<RunDocument, Error> {
        let drain = if interrupted { STOP_DRAIN } else { self.options.delay + self.options.max_lag };
        let _ = self.shared.drain.set(Drain { span: drain, interrupted });
        drop(self.lanes);
        let mut result = Ok(());
        for thread in self.threads {
            let ended =
                thread.join().unwrap_or_else(|_| Err(Error::Engine("a sending thread died".to_owned())));
            result = result.and(ended);
        }
        let totals = self
            .collecting
            .join()
            .unwrap_or_else(|_| Err(Error::Engine("the collecting thread died".to_owned())))?;
        result?;
        // The same plan with the endpoints that were found: their numbers are as they were.
        let mut scenario = self.scenario;
        scenario.endpoints = self.endpoints.all().iter().cloned().map(entry).collect();
        let plan = Prepared::from_scenario(scenario, Path::new(""))?.plan;
        let send = &self.options.send;
        let since = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let facts = Facts {
            setup: &self.shared.setup,
            plan: &plan,
            started: format_time(since.into()),
            seed: send.seed,
            target: crate::run::targets(&self.shared.setup),
            interrupted,
            threads: send.threads.max(1) as u32,
            max_vus: send.max_vus,
            thresholds: &send.thresholds,
            model: "mirror",
            asked: format!("{}% of the sessions as they come", rounded(self.options.rate * 100.0)),
            scheduled: None,
            of_requests: false,
            planned_s: rounded(self.shared.begun.elapsed().as_secs_f64()),
            shard: None,
        };
        self.folder.write_answers(&answers(&totals, &facts))?;
        let told = lock(&self.shared.told);
        let waiting = &self.shared.waiting;
        let mut figures = MirrorFigures {
            source: self.options.source.clone(),
            rate: self.options.rate,
            delay_s: self.options.delay.as_secs_f64(),
            max_lag_s: self.options.max_lag.as_secs_f64(),
            masked: seen.masked,
            exchanges: seen.exchanges,
            handed_over: self.handed_over,
            sessions: totals.counters.sessions.iter().map(|(begun, _)| begun).sum(),
            dropped: seen.dropped.clone(),
            waited_exchanges: waiting.most_exchanges.load(Ordering::Relaxed),
            waited_bytes: waiting.most_bytes.load(Ordering::Relaxed),
            capture: (&seen.capture).into(),
            ..told.figures(plan.endpoints.all())
        };
        figures.dropped.add(&told.dropped);
        let gone = told.sent + told.dropped.too_late + told.session_full;
        figures.dropped.at_end += self.handed_over.saturating_sub(gone);
        let mut document = document(&totals, &facts);
        document.reasons.extend(reasons(&figures));
        document.mirror = Some(figures);
        Ok(document)
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn entry(endpoint: Endpoint) -> EndpointEntry {
    EndpointEntry { endpoint, requests: None }
}

/// What a reader of the figures must know, as sentences.
fn reasons(figures: &MirrorFigures) -> Vec<String> {
    let Dropped { too_late, queue_full, at_end, .. } = figures.dropped;
    let mut reasons = Vec::new();
    if too_late + queue_full > 0 {
        reasons.push(format!(
            "{} of {} requests were not sent: {too_late} too late (--max-lag), {queue_full} for want of room (--max-queue, \
             --max-queue-bytes); the target, or mynah, is slower than production",
            too_late + queue_full,
            figures.sent + too_late + queue_full + at_end,
        ));
    }
    if figures.differ > 0 {
        reasons.push(format!(
            "{} of {} answers have another status than production's",
            figures.differ, figures.compared
        ));
    }
    reasons
}

fn watches(plan: &Plan, options: &Options) -> Vec<Watch> {
    let all = options.thresholds.iter().enumerate();
    let watch = all.filter_map(|(number, threshold)| {
        let scope = match (&threshold.endpoint, &threshold.profile) {
            (Some(name), _) => Scope::Endpoint(plan.endpoints.called(name)?),
            (None, Some(name)) => Scope::Profile(plan.profile(name)?),
            (None, None) => Scope::All,
        };
        Watch::new(number, threshold, scope)
    });
    watch.collect()
}

/// What a right answer looks like: production's.
fn expect(exchange: &Exchange) -> Expect {
    let head = exchange.response_head();
    let media = head.as_ref().and_then(|head| head.get("content-type"));
    let media = media.map(|media| media.split(';').next().unwrap_or("").trim().to_ascii_lowercase());
    Expect {
        status: head.as_ref().and_then(Head::status),
        content_type: media.filter(|media| !media.is_empty()),
        body_bytes: exchange.response.as_ref().map_or(0, |response| response.body.len() as u64),
    }
}

/// What production's answer handed out.
fn handed(plan: &Plan, endpoint: u32, response: Option<&Message>) -> Vec<(u32, Vec<String>)> {
    let (Some(extracts), Some(response)) = (plan.extracts.get(endpoint as usize), response) else {
        return Vec::new();
    };
    if extracts.sites.is_empty() {
        return Vec::new();
    }
    let view = View::open(response, &Limits::default()).or_else(|_| View::open_head(response));
    let Ok(view) = view else { return Vec::new() };
    let found = extracts.sites.iter().map(|(correlation, at)| (*correlation, view.extract_all(at)));
    found.filter(|(_, values)| !values.is_empty()).collect()
}

/// Folds reports until all threads have ended.
fn collect(inbox: &Receiver<Report>, mut collector: Collector, shared: &Shared) -> Result<Totals, Error> {
    loop {
        match inbox.recv_timeout(Duration::from_secs(1)) {
            Ok(report) => {
                if collector.take(report)? {
                    let all = &collector.totals.all;
                    let last = collector.totals.seconds.last().copied().unwrap_or_default();
                    *lock(&shared.latest) = MirrorProgress {
                        requests: all.requests,
                        failures: all.failures,
                        requests_per_s: last.requests as f64,
                        ..MirrorProgress::default()
                    };
                    if collector.is_aborted() {
                        shared.aborted.store(true, Ordering::Relaxed);
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return collector.finish(),
        }
    }
}
