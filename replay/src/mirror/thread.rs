//! One sending thread of a mirror: sessions come to it and go.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use mynah_traffic::Nanos;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use super::session::Session;
use super::{Item, Shared, lock};
use crate::Error;
use crate::engine::Context;
use crate::pace::Clock;
use crate::stats::{Recorder, Report};

/// How often sessions are looked over.
const SWEEP: Duration = Duration::from_secs(1);
/// A connection that was not used for so long is closed: of production's own connections nobody says when they end.
const LINGER: u64 = 10 * Nanos::PER_SECOND;
/// Sessions that a mirror remembers.
const SESSIONS: usize = 100_000;
/// When no more comes, requests under way get this long, or the request timeout where that is shorter.
const GRACE: Duration = Duration::from_secs(30);

/// Runs a thread to its end: until nothing more comes, and what waits is sent or its time is over.
pub(super) fn run(
    number: usize,
    threads: usize,
    shared: Arc<Shared>,
    items: UnboundedReceiver<Item>,
    reports: Sender<Report>,
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Engine(format!("no runtime: {error}")))?;
    let recorder = Recorder::new(number, reports);
    let context = Context::new(shared.setup.clone(), Clock::new(shared.begun), recorder, None, None);
    let local = LocalSet::new();
    let lane = Lane {
        context: context.clone(),
        shared,
        sessions: HashMap::new(),
        room: (SESSIONS / threads).max(1),
    };
    let cpu = cpu_time();
    runtime.block_on(local.run_until(lane.run(items)));
    // Requests that are still under way are counted as they are dropped.
    drop(local);
    drop(runtime);
    let used = cpu_time().saturating_sub(cpu);
    context.recorder.borrow_mut().done(used, context.pacer.spun(), context.clock.now());
    Ok(())
}

/// CPU time of this thread, in nanoseconds.
fn cpu_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    (time.tv_sec as u64).saturating_mul(Nanos::PER_SECOND).saturating_add(time.tv_nsec as u64)
}

/// The sessions of one thread.
struct Lane {
    context: Rc<Context>,
    shared: Arc<Shared>,
    sessions: HashMap<u64, Rc<Session>>,
    /// How many there may be.
    room: usize,
}

impl Lane {
    async fn run(mut self, mut items: UnboundedReceiver<Item>) {
        let context = self.context.clone();
        spawn_local(context.pacer.clone().drive());
        spawn_local(context.deadlines.clone().drive());
        spawn_local(tick(context.clone()));
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                item = items.recv() => match item {
                    Some(item) => self.take(item),
                    None => break,
                },
                _ = sweep.tick() => self.sweep(),
            }
        }
        let drain = self.shared.drain.get().copied().unwrap_or_default();
        let _ = timeout(drain.span, async {
            tokio::select! {
                () = context.all_done() => {}
                () = async { loop { sweep.tick().await; self.late(); } } => {}
            }
        })
        .await;
        context.halt();
        let grace = if drain.interrupted { Duration::ZERO } else { GRACE.min(context.setup.request_timeout) };
        let _ = timeout(grace, context.all_answered()).await;
        let sessions = self.sessions.values().filter(|session| session.idle(0).is_some()).count();
        context.recorder.borrow_mut().session(0).1 += sessions as u64;
    }

    fn take(&mut self, item: Item) {
        let now = self.context.clock.now();
        if !self.sessions.contains_key(&item.session) {
            if self.sessions.len() >= self.room {
                self.make_room(now);
            }
            if self.sessions.len() >= self.room {
                return self.refuse();
            }
            self.context.recorder.borrow_mut().session(0).0 += 1;
            self.sessions.insert(item.session, Session::new(item.session));
        }
        let Some(session) = self.sessions.get(&item.session) else { return };
        match session.push(item, self.shared.session_room, now) {
            Some(true) => {
                let (session, context, shared) = (session.clone(), self.context.clone(), self.shared.clone());
                spawn_local(async move { session.play(context, &shared).await });
            }
            Some(false) => {}
            None => self.refuse(),
        }
    }

    fn refuse(&self) {
        let mut told = lock(&self.shared.told);
        told.dropped.queue_full += 1;
        told.session_full += 1;
    }

    /// Forgets the tenth of the sessions that were idle longest.
    fn make_room(&mut self, now: u64) {
        let idle = self.sessions.iter().filter_map(|(number, session)| Some((session.idle(now)?, *number)));
        let mut idle: Vec<(u64, u64)> = idle.collect();
        idle.sort_unstable_by_key(|(span, _)| std::cmp::Reverse(*span));
        idle.truncate(self.room.div_ceil(10));
        self.forget(idle.into_iter().map(|(_, number)| number).collect());
    }

    fn forget(&mut self, sessions: Vec<u64>) {
        for number in sessions {
            if self.sessions.remove(&number).is_some() {
                self.context.recorder.borrow_mut().session(0).1 += 1;
            }
        }
    }

    fn late(&self) {
        let now = self.context.clock.now();
        let late =
            self.sessions.values().map(|session| session.forget_late(now, self.shared.max_lag)).sum::<u64>();
        if late > 0 {
            lock(&self.shared.told).dropped.too_late += late;
        }
    }

    fn sweep(&mut self) {
        self.late();
        let now = self.context.clock.now();
        let places = self.context.setup.places.len();
        let mut over = Vec::new();
        for (number, session) in &self.sessions {
            match session.idle(now) {
                Some(span) if span > self.shared.idle => over.push(*number),
                Some(span) if span > LINGER => session.close(places),
                _ => {}
            }
        }
        self.forget(over);
    }
}

/// Hands the counts over each second.
async fn tick(context: Rc<Context>) {
    for second in 1_u32.. {
        context.pacer.until(u64::from(second) * Nanos::PER_SECOND).await;
        let users = context.active();
        context.recorder.borrow_mut().tick(second, users);
    }
}
