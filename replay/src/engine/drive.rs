//! One sending thread, from its first session to its last count.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Barrier, OnceLock};
use std::time::{Duration, Instant};

use mynah_traffic::Nanos;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use super::context::Owes;
use super::crew::{Crew, Pace};
use super::library::{Ticket, fetched};
use super::session::{KNOCK_AGAIN, Part, Played, play};
use super::{Ahead, Context, Deal, Hand, Library, Setup, User};
use crate::curve::Curve;
use crate::options::Turn;
use crate::pace::Clock;
use crate::stats::{Conducted, Recorder, Report, Sample};
use crate::timetable::{Arrival, Card, Timetable};
use crate::{Error, Stop};

/// After an interruption, requests under way get this long.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// After the time is over, requests under way get this long: to cut them off would forget the slowest answers.
const END_GRACE: Duration = Duration::from_secs(30);

/// What becomes of sessions that are under way when the last one has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// They may end, however long that takes.
    Never,
    /// They may end; what has not some time later is cut off.
    Late,
    /// No step of theirs begins from this moment on.
    At(Nanos),
}

/// How sessions begin on this thread.
pub(crate) enum Shape {
    Open {
        timetable: Box<Timetable>,
        /// What was taken from it already.
        ahead: Ahead<Arrival>,
        max_vus: u32,
        end: End,
    },
    /// Requests by the timetable, made by users as they are free.
    Paced { timetable: Box<Timetable>, hand: Box<Hand>, max_users: u32, end: End },
    Closed {
        deal: Box<Deal>,
        curve: Arc<Curve>,
        /// By user: its first session, where it was asked for.
        first: HashMap<u32, Ticket>,
    },
}

/// What one thread is to do.
pub(crate) struct Job {
    pub(crate) setup: Arc<Setup>,
    pub(crate) shape: Shape,
    /// Its number among those of this run.
    pub(crate) thread: usize,
    /// What it plays of the timetable, or of the users: every number that is `.0` modulo `.1`.
    pub(crate) stripe: (usize, usize),
    /// Threads of this run.
    pub(crate) threads: usize,
    pub(crate) stop: Stop,
    /// Where sessions are had from that are not in memory.
    pub(crate) library: Option<Library>,
    pub(crate) reports: Sender<Report>,
    /// Threads begin together, at the moment that the first of them sets.
    pub(crate) barrier: Arc<Barrier>,
    pub(crate) start: Arc<OnceLock<Instant>>,
}

impl Job {
    /// Asks for the sessions that come first, so that they are there when the run begins.
    pub(crate) fn look_ahead(&mut self) {
        let Some(library) = &self.library else { return };
        let (turn, stripe) = (self.setup.turn, self.stripe);
        match &mut self.shape {
            Shape::Open { timetable, ahead, .. } => {
                ahead.fill(library, &mut || arrival(timetable, stripe, turn));
            }
            Shape::Paced { hand, .. } => hand.look_ahead(library),
            Shape::Closed { deal, curve, first } => {
                for user in (stripe.0 as u32..curve.most_users()).step_by(stripe.1.max(1)) {
                    let Some((_, card, _)) = deal.next(user, 0) else { return };
                    match library.ask_ahead(card) {
                        Some(ticket) => first.insert(user, ticket),
                        // In memory, or there is no more room.
                        None => continue,
                    };
                }
            }
        }
    }
}

/// The next one of the timetable that is this thread's and this target's.
fn arrival(
    timetable: &mut Timetable,
    (first, step): (usize, usize),
    turn: Option<Turn>,
) -> Option<(Arrival, Card)> {
    let step = step.max(1) as u64;
    let own = |arrival: &Arrival| {
        arrival.number % step == first as u64 % step && turn.is_none_or(|turn| turn.has(arrival.at))
    };
    timetable.find(own).map(|arrival| (arrival, arrival.card))
}

/// Runs a thread to its end.
pub(crate) fn thread(job: Job) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let script = job.setup.hooks(job.thread);
    // Whatever happened, the others wait at the barrier.
    job.barrier.wait();
    let start = *job.start.get_or_init(Instant::now);
    let runtime = runtime.map_err(|error| Error::Engine(format!("no runtime: {error}")))?;
    let script = script?;
    let clock = Clock::new(start);
    let recorder = Recorder::new(job.thread, job.reports.clone());
    let most = job.setup.max_in_flight.map(|most| share(most, job.thread, job.threads));
    let context = Context::new(job.setup.clone(), clock, recorder, most, script);
    let local = LocalSet::new();
    let cpu = cpu_time();
    runtime.block_on(local.run_until(run(context.clone(), job)));
    // Requests that are still under way are counted as they are dropped.
    drop(local);
    drop(runtime);
    let used = cpu_time().saturating_sub(cpu);
    let spun = context.pacer.spun();
    let block = (clock.now() / Nanos::PER_SECOND) as u32 / context.setup.block_s();
    let looks = context.looked.borrow_mut().take();
    context.recorder.borrow_mut().looked(block, looks);
    if let Some(hooks) = &context.script {
        context.recorder.borrow_mut().metrics(hooks.metrics());
    }
    context.recorder.borrow_mut().done(used, spun, clock.now());
    Ok(())
}

async fn run(context: Rc<Context>, job: Job) {
    spawn_local(context.pacer.clone().drive());
    spawn_local(context.deadlines.clone().drive());
    spawn_local(tick(context.clone()));
    let stop = job.stop.clone();
    let halting = context.clone();
    spawn_local(async move {
        stop.wait().await;
        halting.halt();
    });
    let end_grace = match job.shape {
        Shape::Open { mut timetable, mut ahead, max_vus, end } => {
            let (turn, library) = (context.setup.turn, job.library);
            let mut more = || arrival(&mut timetable, job.stripe, turn);
            let arrivals = std::iter::from_fn(|| ahead.next(library.as_ref(), &mut more));
            let share = share(max_vus, job.thread, job.threads);
            open(&context, arrivals.map(|(arrival, _, ticket)| (arrival, ticket)), share).await;
            let (drain, grace) = match end {
                End::At(moment) => {
                    tokio::select! {
                        () = context.halted() => {}
                        () = context.pacer.until(moment.0) => {}
                    }
                    (Duration::ZERO, end_grace(&context))
                }
                End::Late => (END_GRACE + context.setup.longest_think().as_duration(), goodbye(&context)),
                End::Never => (Duration::MAX, goodbye(&context)),
            };
            tokio::select! {
                () = context.halted() => {}
                _ = timeout(drain, context.all_done()) => {}
            }
            grace
        }
        Shape::Paced { mut timetable, hand, max_users, end } => {
            let turn = context.setup.turn;
            let arrivals = std::iter::from_fn(|| arrival(&mut timetable, job.stripe, turn));
            let crew = Crew::new(*hand, job.library);
            let share = share(max_users, job.thread, job.threads);
            paced(&context, &crew, arrivals.map(|(arrival, _)| arrival), share).await;
            match end {
                End::At(moment) => tokio::select! {
                    () = context.halted() => {}
                    () = context.pacer.until(moment.0) => {}
                },
                End::Late | End::Never => tokio::select! {
                    () = context.halted() => {}
                    _ = timeout(END_GRACE, crew.caught_up()) => {}
                },
            }
            if !context.is_halted() && end == End::Late {
                context.recorder.borrow_mut().counters().unsent += crew.waiting() as u64;
            }
            end_grace(&context)
        }
        Shape::Closed { deal, curve, first } => {
            let duration = curve.duration();
            closed(&context, *deal, &curve, job.stripe, (job.library, first));
            tokio::select! {
                () = context.halted() => {}
                () = context.pacer.until(duration.0) => {}
            }
            end_grace(&context)
        }
    };
    context.halt();
    let grace = if job.stop.is_triggered() { STOP_GRACE } else { end_grace };
    tokio::select! {
        () = context.all_answered() => {}
        () = tokio::time::sleep(grace) => {}
        // Interrupted while it drained.
        () = async { job.stop.wait().await; tokio::time::sleep(STOP_GRACE).await } => {}
    }
}

/// How long requests under way may take when the time is over, and what users do last.
fn end_grace(context: &Context) -> Duration {
    if context.setup.says_goodbye { END_GRACE } else { END_GRACE.min(context.setup.request_timeout) }
}

/// How long what users do last may take where their sessions had all the time that they get.
fn goodbye(context: &Context) -> Duration {
    if context.setup.says_goodbye { END_GRACE } else { Duration::ZERO }
}

/// Hands the counts over each second.
async fn tick(context: Rc<Context>) {
    for second in 1_u32.. {
        context.pacer.until(u64::from(second) * Nanos::PER_SECOND).await;
        let users = context.active();
        let block_s = context.setup.block_s();
        if second.is_multiple_of(block_s) {
            let looks = context.looked.borrow_mut().take();
            context.recorder.borrow_mut().looked(second / block_s - 1, looks);
        }
        context.recorder.borrow_mut().tick(second, users);
    }
}

/// Begins sessions by the timetable, whatever became of those before.
async fn open(
    context: &Rc<Context>,
    arrivals: impl Iterator<Item = (Arrival, Option<Ticket>)>,
    max_vus: u32,
) {
    for (arrival, ticket) in arrivals {
        tokio::select! {
            biased;
            () = context.halted() => return,
            () = context.pacer.until(arrival.at.0) => {}
        }
        if context.active() >= max_vus {
            context.recorder.borrow_mut().counters().dropped += 1;
            continue;
        }
        let active = context.enter();
        let context = context.clone();
        spawn_local(async move {
            let _active = active;
            let user = User::new(arrival.identity, arrival.number);
            user.ranks(arrival.nth);
            let read = match fetched(ticket).await {
                Ok(read) => read,
                Err(why) => return unread(&context, arrival.card, arrival.at.0, &why),
            };
            let Some(part) = context.setup.part(arrival.card, read.as_deref()) else { return };
            let _owes = (!part.profile.on_stop.is_empty()).then(|| context.owes());
            let pace = &Pace::Own;
            let began = session(&context, &user, (arrival.card, part), (arrival.at.0, pace), true).await;
            if began.is_some() {
                goodbye_of(&context, &user, part, pace).await;
            }
        });
    }
}

/// What one thread has of so many.
fn share(all: u32, thread: usize, threads: usize) -> u32 {
    let (threads, thread) = (threads.max(1) as u32, thread as u32);
    (all / threads + u32::from(thread < all % threads)).max(1)
}

/// Makes requests by the timetable, with as many users as that takes.
async fn paced(
    context: &Rc<Context>,
    crew: &Rc<Crew>,
    arrivals: impl Iterator<Item = Arrival>,
    max_users: u32,
) {
    for arrival in arrivals {
        tokio::select! {
            biased;
            () = context.halted() => return,
            () = context.pacer.until(arrival.at.0) => {}
        }
        if crew.give(arrival.at.0) {
            continue;
        }
        if context.active() < max_users {
            spawn_local(crewman(context.clone(), crew.clone(), arrival.at.0));
        } else {
            context.recorder.borrow_mut().counters().held_back += 1;
        }
    }
}

/// A user who plays one session after the other, each step when a request is due. `from`: when the first one was.
async fn crewman(context: Rc<Context>, crew: Rc<Crew>, from: u64) {
    let _active = context.enter();
    let mut user = User::new(0, 0);
    let mut from = from;
    loop {
        let first = crew.turn(from).await;
        let Some((number, card, nth, ticket)) = crew.session() else { return };
        let read = match fetched(ticket).await {
            Ok(read) => read,
            Err(why) => {
                unread(&context, card, first.intended, &why);
                crew.ended();
                if context.is_halted() {
                    return;
                }
                from = context.clock.now();
                continue;
            }
        };
        let Some(part) = context.setup.part(card, read.as_deref()) else { return };
        user.becomes(number, nth);
        let _owes = (!part.profile.on_stop.is_empty()).then(|| context.owes());
        let pace = Pace::Crew { crew: &crew, first: Cell::new(Some(first)) };
        let played = session(&context, &user, (card, part), (first.intended, &pace), true).await;
        if played.is_none() {
            // Its request is not made.
            crew.ended();
            return;
        }
        let said = !context.is_halted() && goodbye_of(&context, &user, part, &pace).await;
        // What is over has no turns any more: what was not said yet is said all the same.
        if context.is_halted() && !said {
            goodbye_of(&context, &user, part, &Pace::Own).await;
        }
        if context.is_halted() {
            return;
        }
        from = context.clock.now();
    }
}

/// Sets this thread's share of the users going.
fn closed(
    context: &Rc<Context>,
    deal: Deal,
    curve: &Arc<Curve>,
    (first, step): (usize, usize),
    (library, mut tickets): (Option<Library>, HashMap<u32, Ticket>),
) {
    let deal = Rc::new((RefCell::new(deal), library));
    let numbers = (first as u32..curve.most_users()).step_by(step.max(1));
    let left = Rc::new(Cell::new(numbers.len()));
    for number in numbers {
        let (context, deal, curve, left) = (context.clone(), deal.clone(), curve.clone(), left.clone());
        let ticket = tickets.remove(&number);
        spawn_local(async move {
            let (deal, library) = (&deal.0, deal.1.as_ref());
            if user(&context, (deal, library, ticket), number, &curve).await == Gone::WithoutRow {
                left.set(left.get().saturating_sub(1));
                // Nobody has anything left to do.
                if left.get() == 0 {
                    context.halt();
                }
            }
        });
    }
}

/// Why a user of the closed model has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    Over,
    /// There is no row of data left for it.
    WithoutRow,
}

/// A user of the closed model, there for as long as the curve says. What its n-th session is follows from its own number and n, so
/// that what is played does not depend on the threads.
async fn user(
    context: &Rc<Context>,
    (deal, library, mut coming): (&RefCell<Deal>, Option<&Library>, Option<Ticket>),
    number: u32,
    curve: &Curve,
) -> Gone {
    let mut user = User::new(u64::from(number), u64::from(number));
    let mut turn = 0;
    let mut after = 0.0;
    while let Some((on, off)) = curve.presence(number, after) {
        let (mut start, leaves) = (Nanos::from_secs_f64(on).0, off.map(|off| Nanos::from_secs_f64(off).0));
        user.stays(leaves);
        context.pacer.until(start).await;
        let active = context.enter();
        let mut before: Option<u32> = None;
        let mut owes: Option<Owes> = None;
        let mut gone = Gone::Over;
        while !context.is_halted() && leaves.is_none_or(|leaves| start < leaves) && !user.left() {
            let Some((session_number, card, nth)) = deal.borrow_mut().next(number, turn) else {
                return Gone::Over;
            };
            turn += 1;
            let mut read = None;
            if let Some(library) = library {
                let fetched = library.fetch(coming.take(), card).await;
                let next = deal.borrow_mut().next(number, turn);
                coming = next.and_then(|(_, card, _)| library.ask_ahead(card));
                match fetched {
                    Ok(session) => read = session,
                    Err(why) => {
                        unread(context, card, start, &why);
                        start = context.clock.now() + KNOCK_AGAIN;
                        tokio::select! {
                            () = context.halted() => {}
                            () = context.pacer.until(start) => {}
                        }
                        continue;
                    }
                }
            }
            let Some(part) = context.setup.part(card, read.as_deref()) else { return Gone::Over };
            user.renew(session_number, before.is_some() && !part.profile.on_start.is_empty());
            user.ranks(nth);
            if owes.is_none() && !part.profile.on_stop.is_empty() {
                owes = Some(context.owes());
            }
            let first = before.is_none();
            let Some(played) = session(context, &user, (card, part), (start, &Pace::Own), first).await else {
                if !context.is_halted() {
                    let plan = &context.setup.plan;
                    // Others may have something to do without a row.
                    if !plan.binds_users() && !plan.lives_on_rows() {
                        tokio::task::yield_now().await;
                        continue;
                    }
                    gone = Gone::WithoutRow;
                }
                break;
            };
            before = Some(card.profile);
            let now = context.clock.now();
            let next = part.next(context, &user, (start, now), turn);
            start = next;
            if next > now && !context.is_halted() && !user.leaves_before(next) {
                tokio::select! {
                    () = context.halted() => {}
                    () = context.pacer.until(next) => {}
                }
            }
            if played.answered {
                // Sessions without a pause in them must not keep the thread from everything else: where nothing was waited for in a
                // long time, others have their turn.
                tokio::task::coop::consume_budget().await;
            } else if !user.left() {
                start += KNOCK_AGAIN;
                context.pacer.until(start).await;
            }
        }
        if let Some(part) = before.and_then(|profile| context.setup.ending(profile)) {
            if let Some(leaves) = leaves.filter(|_| owes.is_some() && gone == Gone::Over) {
                tokio::select! {
                    () = context.halted() => {}
                    () = context.pacer.until(leaves) => {}
                }
            }
            goodbye_of(context, &user, part, &Pace::Own).await;
        }
        drop(owes);
        if gone == Gone::WithoutRow {
            return gone;
        }
        let (Some(off), Some(leaves), false) = (off, leaves, context.is_halted()) else { return Gone::Over };
        context.pacer.until(leaves).await;
        drop(active);
        // Who comes back is somebody new.
        user = User::new(u64::from(number), u64::from(number));
        after = off;
    }
    Gone::Over
}

/// Plays one session and counts it, with what a user does first where it is its first. `None`: it was not begun, as the run is over or no
/// row of data is left.
async fn session(
    context: &Context,
    user: &User,
    (card, part): (Card, Part<'_>),
    (start, pace): (u64, &Pace<'_>),
    first: bool,
) -> Option<Played> {
    if context.is_halted() {
        return None;
    }
    if !part.profile.data.is_empty()
        && let Some(set) = user.lacks_row(&part.profile.data, &context.setup)
    {
        context.recorder.borrow_mut().lacks_row(set);
        return None;
    }
    context.recorder.borrow_mut().session(card.profile).0 += 1;
    user.is(card.profile, part.session.person);
    super::begin(context, user, part);
    let mut from = start;
    if first && !part.profile.on_start.is_empty() {
        from = play(context, user, part.beginning(), pace, start).await.end;
    }
    let played = play(context, user, part, pace, from).await;
    if user.shared_identity(&context.setup) {
        context.recorder.borrow_mut().counters().identities_reused += 1;
    }
    let moves = part.read.map(|read| read.moves.clone());
    context.recorder.borrow_mut().played(Conducted { card, ended: played.ended as u32, start, moves });
    if played.completed {
        context.recorder.borrow_mut().session(card.profile).1 += 1;
    }
    Some(played)
}

/// Counts a session that was to begin at `start` and cannot be played: begun and not completed, its first request failed.
fn unread(context: &Context, card: Card, start: u64, why: &str) {
    if context.is_halted() {
        return;
    }
    let profile = context.setup.plan.profiles.get(card.profile as usize);
    let endpoint = profile.and_then(|profile| profile.sessions.first(card.session)).unwrap_or(0);
    let counts = context.setup.counts(start);
    let end = context.clock.now();
    let response = end.saturating_sub(start);
    let mut recorder = context.recorder.borrow_mut();
    recorder.session(card.profile).0 += 1;
    recorder.sample(Sample {
        end,
        endpoint,
        profile: card.profile,
        failed: true,
        response,
        ..Sample::default()
    });
    if counts {
        recorder.counters().unread += 1;
        recorder.failed(endpoint, format!("its session could not be read: {why}"), end);
    }
}

/// What a user does last, whatever became of its session; whether any of it was done.
async fn goodbye_of(context: &Context, user: &User, part: Part<'_>, pace: &Pace<'_>) -> bool {
    if part.profile.on_stop.is_empty() {
        return false;
    }
    user.stops();
    let played = play(context, user, part.ending(), pace, context.clock.now()).await;
    played.ended > 0
}

/// CPU time of this thread, in nanoseconds.
fn cpu_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    (time.tv_sec as u64).saturating_mul(Nanos::PER_SECOND).saturating_add(time.tv_nsec as u64)
}
