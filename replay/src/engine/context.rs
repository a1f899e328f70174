//! What the virtual users of one thread share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::Setup;
use super::look::Looked;
use crate::net::{Buffers, Deadlines, Failure, Kind};
use crate::pace::{Clock, Pacer};
use crate::script::Hooks;
use crate::stats::{Recorder, Sample};

/// One thread's state.
pub(crate) struct Context {
    pub(crate) setup: Arc<Setup>,
    pub(crate) clock: Clock,
    pub(crate) pacer: Rc<Pacer>,
    pub(crate) deadlines: Rc<Deadlines>,
    pub(crate) buffers: Rc<Buffers>,
    pub(crate) recorder: RefCell<Recorder>,
    pub(crate) looked: RefCell<Looked>,
    /// Whether it is wanted what exactly was sent.
    pub(crate) tells: Cell<bool>,
    /// Hooks of the user's.
    pub(crate) script: Option<Rc<Hooks>>,
    /// No step begins any more.
    halted: Cell<bool>,
    halt: Notify,
    /// How many requests may be under way, where that is bounded.
    gate: Option<Semaphore>,
    /// Requests under way.
    in_flight: Cell<u32>,
    /// Virtual users at work.
    active: Cell<u32>,
    /// Those who have something to do at their end.
    leaving: Cell<u32>,
    /// Told when one of the three becomes zero.
    idle: Notify,
    /// Seconds since the Unix epoch at the start of the run: what cookies expire by.
    epoch: i64,
    /// What a request has read off the clock.
    seen: Cell<u64>,
}

impl Context {
    /// `most`: requests under way at the same time on this thread.
    pub(crate) fn new(
        setup: Arc<Setup>,
        clock: Clock,
        recorder: Recorder,
        most: Option<u32>,
        script: Option<Rc<Hooks>>,
    ) -> Rc<Context> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |span| span.as_secs() as i64);
        Rc::new(Context {
            setup,
            clock,
            pacer: Pacer::new(clock),
            deadlines: Deadlines::new(clock),
            buffers: Buffers::new(),
            tells: Cell::new(false),
            recorder: RefCell::new(recorder),
            looked: RefCell::default(),
            script,
            halted: Cell::new(false),
            halt: Notify::new(),
            gate: most.map(|most| Semaphore::new(most as usize)),
            in_flight: Cell::new(0),
            active: Cell::new(0),
            leaving: Cell::new(0),
            idle: Notify::new(),
            epoch: now - (clock.now() / 1_000_000_000) as i64,
            seen: Cell::new(0),
        })
    }

    /// A moment of the run's clock in seconds since the Unix epoch.
    pub(crate) fn epoch_seconds(&self, moment: u64) -> i64 {
        self.epoch + (moment / 1_000_000_000) as i64
    }

    /// Resolves at this moment. One that a request has seen go by costs no look at the clock.
    pub(crate) async fn until(&self, moment: u64) {
        if self.seen.get() < moment {
            self.pacer.until(moment).await;
        }
    }

    /// The clock has shown this.
    pub(crate) fn saw(&self, moment: u64) {
        self.seen.set(moment);
    }

    /// What the clock has shown last.
    pub(crate) fn seen(&self) -> u64 {
        self.seen.get()
    }

    pub(crate) fn halt(&self) {
        self.halted.set(true);
        self.halt.notify_waiters();
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.halted.get()
    }

    /// Resolves when the thread is halted.
    pub(crate) async fn halted(&self) {
        let notified = self.halt.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.is_halted() {
            notified.await;
        }
    }

    pub(crate) fn active(&self) -> u32 {
        self.active.get()
    }

    /// A virtual user is at work for as long as this lives.
    pub(crate) fn enter(self: &Rc<Self>) -> Active {
        self.active.set(self.active.get() + 1);
        Active(self.clone())
    }

    /// Resolves when no virtual user is at work.
    pub(crate) async fn all_done(&self) {
        while self.active.get() > 0 {
            self.idle.notified().await;
        }
    }

    /// Whoever holds this has something to do at its end, for which the thread waits.
    pub(crate) fn owes(self: &Rc<Self>) -> Owes {
        self.leaving.set(self.leaving.get() + 1);
        Owes(self.clone())
    }

    /// Resolves when no request is under way and everybody has done what users do last.
    pub(crate) async fn all_answered(&self) {
        while self.in_flight.get() > 0 || self.leaving.get() > 0 {
            self.idle.notified().await;
        }
    }

    /// Waits until another request may be under way, and holds its place for as long as what is returned lives.
    pub(crate) async fn admitted(&self) -> Admitted<'_> {
        let Some(gate) = &self.gate else { return Admitted::default() };
        if let Ok(permit) = gate.try_acquire() {
            return Admitted { _permit: Some(permit), ..Admitted::default() };
        }
        self.recorder.borrow_mut().counters().held_back += 1;
        let asked = self.clock.now();
        // It is never closed.
        let permit = gate.acquire().await.ok();
        Admitted { asked, at: self.clock.now(), _permit: permit }
    }

    /// Counts a request as under way, and as unanswered if this is dropped before it is told that all is well.
    /// `intended`: when it was to start; `begun`: since when nothing has been in its way.
    pub(crate) fn flight(
        &self,
        (endpoint, profile): (u32, u32),
        (intended, begun): (u64, u64),
    ) -> Flight<'_> {
        self.in_flight.set(self.in_flight.get() + 1);
        Flight { context: self, endpoint, profile, intended, begun, landed: false }
    }
}

/// See [`Context::enter`].
pub(crate) struct Active(Rc<Context>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get().saturating_sub(1));
        if self.0.active.get() == 0 {
            self.0.idle.notify_one();
        }
    }
}

/// See [`Context::admitted`].
#[derive(Default)]
pub(crate) struct Admitted<'a> {
    /// Since when it had to wait, and until when, where it had to.
    pub(crate) asked: u64,
    pub(crate) at: u64,
    _permit: Option<SemaphorePermit<'a>>,
}

/// See [`Context::owes`].
pub(crate) struct Owes(Rc<Context>);

impl Drop for Owes {
    fn drop(&mut self) {
        self.0.leaving.set(self.0.leaving.get().saturating_sub(1));
        if self.0.leaving.get() == 0 {
            self.0.idle.notify_one();
        }
    }
}

/// See [`Context::flight`].
pub(crate) struct Flight<'a> {
    context: &'a Context,
    endpoint: u32,
    profile: u32,
    intended: u64,
    begun: u64,
    landed: bool,
}

impl Flight<'_> {
    pub(crate) fn landed(mut self) {
        self.landed = true;
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let context = self.context;
        context.in_flight.set(context.in_flight.get().saturating_sub(1));
        if context.in_flight.get() == 0 {
            context.idle.notify_one();
        }
        if self.landed {
            return;
        }
        // Leaving these out would forget just the slowest answers.
        let counts = context.setup.counts(self.intended);
        let mut recorder = context.recorder.borrow_mut();
        let end = context.clock.now();
        recorder.sample(Sample {
            end,
            endpoint: self.endpoint,
            profile: self.profile,
            failed: true,
            waited: true,
            response: end.saturating_sub(self.intended),
            service: end.saturating_sub(self.begun),
            ..Sample::default()
        });
        if counts {
            recorder.error(&Failure::new(Kind::Timeout, ""));
            recorder.failed(self.endpoint, "no answer when the run was ended".to_owned(), end);
        }
    }
}
