//! A mirrored session: what waits of it, and what it has of the target and of production.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

use mynah_traffic::Nanos;

use super::step::step;
use super::{Item, Shared, lock};
use crate::engine::{Context, Outcome, Turn, User, perform};

/// Values that production handed out before the latest, of which it is remembered that it did.
const EARLIER: usize = 64;

/// What production handed out in a session for one correlation.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) correlation: u32,
    latest: Vec<String>,
    /// Fingerprints.
    earlier: VecDeque<u64>,
}

impl Handed {
    pub(super) fn new(correlation: u32, latest: Vec<String>) -> Handed {
        Handed { correlation, latest, earlier: VecDeque::new() }
    }

    /// Which of the target's values goes where this one stands; of one that was handed out earlier, the first of the latest.
    pub(super) fn find(&self, value: &str) -> Option<u32> {
        let at = self.latest.iter().position(|known| known == value);
        at.map(|at| at as u32).or_else(|| self.earlier.contains(&print(value)).then_some(0))
    }

    pub(super) fn put(&mut self, values: Vec<String>) {
        for value in std::mem::replace(&mut self.latest, values) {
            if self.earlier.len() == EARLIER {
                self.earlier.pop_front();
            }
            self.earlier.push_back(print(&value));
        }
    }
}

fn print(value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// One session.
pub(super) struct Session {
    user: User,
    waiting: RefCell<VecDeque<Item>>,
    handed: RefCell<Vec<Handed>>,
    /// Somebody sends what waits.
    running: Cell<bool>,
    /// When it was last used, nanoseconds.
    used: Cell<u64>,
    /// Its connections may be open.
    open: Cell<bool>,
}

impl Session {
    pub(super) fn new(number: u64) -> Rc<Session> {
        Rc::new(Session {
            user: User::new(number, number),
            waiting: RefCell::default(),
            handed: RefCell::default(),
            running: Cell::new(false),
            used: Cell::new(0),
            open: Cell::new(false),
        })
    }

    /// Queues a request; whether somebody must be set to send. `None`: there is no room.
    pub(super) fn push(&self, item: Item, room: usize, now: u64) -> Option<bool> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= room {
            return None;
        }
        waiting.push_back(item);
        self.used.set(now);
        Some(!self.running.replace(true))
    }

    /// For how long nothing has happened; `None` while something does.
    pub(super) fn idle(&self, now: u64) -> Option<u64> {
        (!self.running.get()).then(|| now.saturating_sub(self.used.get()))
    }

    /// Takes out what has waited too long, and says how many those are.
    pub(super) fn forget_late(&self, now: u64, max_lag: u64) -> u64 {
        let mut waiting = self.waiting.borrow_mut();
        let before = waiting.len();
        let mut handed = Vec::new();
        waiting.retain_mut(|item| {
            let keep = now.saturating_sub(item.ready) <= max_lag;
            if !keep {
                handed.append(&mut item.handed);
            }
            keep
        });
        let late = before - waiting.len();
        drop(waiting);
        self.know(handed);
        late as u64
    }

    /// Closes its connections.
    pub(super) fn close(&self, places: usize) {
        if !self.open.replace(false) {
            return;
        }
        for place in 0..places {
            if let Ok(mut slot) = self.user.slot(0, place).try_lock() {
                slot.connection = None;
            }
        }
    }

    fn know(&self, handed: Vec<(u32, Vec<String>)>) {
        let mut known = self.handed.borrow_mut();
        for (correlation, values) in handed {
            match known.iter_mut().find(|one| one.correlation == correlation) {
                Some(one) => one.put(values),
                None => known.push(Handed::new(correlation, values)),
            }
        }
    }

    /// Sends what waits, one request after the other.
    pub(super) async fn play(self: Rc<Self>, context: Rc<Context>, shared: &Shared) {
        let _active = context.enter();
        // The end of the request before.
        let mut free = 0;
        loop {
            let Some(mut item) = self.waiting.borrow_mut().pop_front() else { break };
            let handed = std::mem::take(&mut item.handed);
            if context.clock.now().saturating_sub(item.ready) > shared.max_lag {
                lock(&shared.told).dropped.too_late += 1;
            } else {
                tokio::select! {
                    biased;
                    () = context.halted() => return,
                    () = context.pacer.until(item.due) => {}
                }
                free = self.send(&context, shared, item, free).await;
            }
            self.know(handed);
            self.used.set(context.clock.now());
        }
        self.running.set(false);
    }

    /// Sends one request; its end.
    async fn send(&self, context: &Context, shared: &Shared, item: Item, free: u64) -> u64 {
        let step = step(&item, &context.setup, &shared.injecting, &self.handed.borrow());
        self.open.set(true);
        lock(&shared.told).sent += 1;
        let Some(done) = perform(context, &self.user, (0, &step), Turn::at(item.due.max(free))).await else {
            lock(&shared.told).sent -= 1;
            return free;
        };
        let (ended, sample) = (done.ended, done.sample);
        let mut told = lock(&shared.told);
        if sample.status != 0 || sample.waited {
            let begun = ended.saturating_sub(sample.service);
            told.lagged(Nanos(begun.saturating_sub(item.captured)), Nanos(begun.saturating_sub(item.ready)));
        }
        if let (Outcome::Answered { status, .. }, Some(recorded)) = (&done.outcome, step.expect.status) {
            told.compare(step.endpoint, recorded, *status);
        }
        drop(told);
        done.count(context, &step);
        ended
    }
}
