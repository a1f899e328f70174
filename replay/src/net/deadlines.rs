//! One timer a thread for all of its connections: each notes by when its answer must be there, and one task looks over them
//! forty times a second while there is anything to look for. A request costs it two stores.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;

use crate::pace::Clock;

/// How late a deadline can be noticed.
const TICK: Duration = Duration::from_millis(25);
/// Of a connection that waits for nothing.
const NEVER: u64 = u64::MAX;

/// The deadlines of one thread.
#[derive(Debug)]
pub(crate) struct Deadlines {
    clock: Clock,
    all: RefCell<Vec<Rc<Entry>>>,
    /// The task sleeps until something is armed.
    asleep: Cell<bool>,
    wake: Notify,
}

#[derive(Debug)]
struct Entry {
    due: Cell<u64>,
    past: Cell<bool>,
    waker: RefCell<Waker>,
}

/// One connection's deadline.
#[derive(Debug)]
pub(super) struct Deadline {
    entry: Rc<Entry>,
    of: Rc<Deadlines>,
}

impl Deadlines {
    pub(crate) fn new(clock: Clock) -> Rc<Deadlines> {
        Rc::new(Deadlines { clock, all: RefCell::default(), asleep: Cell::new(false), wake: Notify::new() })
    }

    pub(super) fn add(self: &Rc<Self>) -> Deadline {
        let entry = Rc::new(Entry {
            due: Cell::new(NEVER),
            past: Cell::new(false),
            waker: RefCell::new(Waker::noop().clone()),
        });
        self.all.borrow_mut().push(entry.clone());
        Deadline { entry, of: self.clone() }
    }

    /// Wakes whoever waits past a deadline. Runs for as long as the thread does.
    pub(crate) async fn drive(self: Rc<Self>) {
        loop {
            if !self.look() {
                self.asleep.set(true);
                self.wake.notified().await;
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Whether any deadline is armed.
    fn look(&self) -> bool {
        let now = self.clock.now();
        let mut armed = false;
        self.all.borrow_mut().retain(|entry| {
            let due = entry.due.get();
            armed |= due != NEVER;
            if due <= now {
                entry.past.set(true);
                entry.waker.borrow().wake_by_ref();
            }
            // The other one is the connection's.
            Rc::strong_count(entry) > 1
        });
        armed
    }
}

impl Deadline {
    /// From now on the answer must be there by `due`.
    pub(super) fn arm(&self, due: u64) {
        self.entry.due.set(due.min(NEVER - 1));
        self.entry.past.set(false);
        if self.of.asleep.replace(false) {
            self.of.wake.notify_one();
        }
    }

    pub(super) fn disarm(&self) {
        self.entry.due.set(NEVER);
    }

    /// Whether it is past; if not, who is to be woken when it is.
    pub(super) fn is_past(&self, waker: &Waker) -> bool {
        let past = self.entry.past.get();
        if !past {
            self.entry.waker.borrow_mut().clone_from(waker);
        }
        past
    }
}
