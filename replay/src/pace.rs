//! Time, and waking at the right moment.
//!
//! tokio's own timer ticks each millisecond, which is as long as a fast request. A [`Pacer`] holds all that waits on one
//! thread in a heap, sleeps on a finer alarm until shortly before the earliest, and yields in a loop over the rest; network
//! events are served meanwhile. The time spent yielding for nothing is kept, so that it does not count as being busy.

mod alarm;

use std::cell::{Cell, RefCell};
use std::collections::BinaryHeap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use alarm::Alarm;

/// Nanoseconds since the run began. The one clock of a run: every figure comes from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn new(start: Instant) -> Clock {
        Clock { start }
    }

    pub(crate) fn now(self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// When this was.
    pub(crate) fn at(self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A turn of the loop shorter than this had nothing to do but wait.
const IDLE_TURN_NS: u64 = 10_000;

#[derive(Debug)]
struct Waiting {
    due: u64,
    number: u64,
    waker: Rc<RefCell<Waker>>,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due && self.number == other.number
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    /// The earliest is the greatest, as heaps hand out the greatest.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

/// Wakes what waits on one thread.
pub(crate) struct Pacer {
    clock: Clock,
    heap: RefCell<BinaryHeap<Waiting>>,
    count: Cell<u64>,
    /// Set when an earlier moment came in than the one that is slept for.
    changed: Cell<bool>,
    driver: RefCell<Option<Waker>>,
    spun: Cell<u64>,
}

impl Pacer {
    pub(crate) fn new(clock: Clock) -> Rc<Pacer> {
        Rc::new(Pacer {
            clock,
            heap: RefCell::default(),
            count: Cell::new(0),
            changed: Cell::new(false),
            driver: RefCell::new(None),
            spun: Cell::new(0),
        })
    }

    /// Resolves at this moment of the clock, or at once when it is past.
    pub(crate) fn until(&self, due: u64) -> Until<'_> {
        Until { pacer: self, due, waker: None }
    }

    /// Nanoseconds spent waiting in the loop.
    pub(crate) fn spun(&self) -> u64 {
        self.spun.get()
    }

    /// Runs for as long as the thread does.
    pub(crate) async fn drive(self: Rc<Self>) {
        let mut alarm = Alarm::new();
        loop {
            let now = self.clock.now();
            self.wake(now);
            let due = self.heap.borrow().peek().map(|waiting| waiting.due);
            match due.map(|due| due.saturating_sub(now)) {
                None => self.sleep(&mut alarm, None).await,
                Some(gap) if gap > alarm.lead() => {
                    let span = gap - alarm.lead();
                    self.sleep(&mut alarm, Some(span)).await;
                }
                Some(_) => {
                    tokio::task::yield_now().await;
                    let turn = self.clock.now().saturating_sub(now);
                    if turn < IDLE_TURN_NS {
                        self.spun.set(self.spun.get() + turn);
                    }
                }
            }
        }
    }

    fn wake(&self, now: u64) {
        let mut heap = self.heap.borrow_mut();
        while heap.peek().is_some_and(|waiting| waiting.due <= now) {
            if let Some(waiting) = heap.pop() {
                waiting.waker.borrow().wake_by_ref();
            }
        }
    }

    async fn sleep(&self, alarm: &mut Alarm, span: Option<u64>) {
        alarm.set(span);
        poll_fn(|cx| {
            if self.changed.take() {
                return Poll::Ready(());
            }
            match &mut *self.driver.borrow_mut() {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            if span.is_some() { alarm.poll(cx) } else { Poll::Pending }
        })
        .await;
    }

    fn add(&self, due: u64, waker: Rc<RefCell<Waker>>) {
        let number = self.count.get();
        self.count.set(number + 1);
        let mut heap = self.heap.borrow_mut();
        let earliest = heap.peek().is_none_or(|first| due < first.due);
        heap.push(Waiting { due, number, waker });
        if earliest {
            self.changed.set(true);
            if let Some(waker) = &*self.driver.borrow() {
                waker.wake_by_ref();
            }
        }
    }
}

/// See [`Pacer::until`].
pub(crate) struct Until<'a> {
    pacer: &'a Pacer,
    due: u64,
    waker: Option<Rc<RefCell<Waker>>>,
}

impl Future for Until<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.pacer.clock.now() >= self.due {
            return Poll::Ready(());
        }
        if let Some(waker) = &self.waker {
            waker.borrow_mut().clone_from(cx.waker());
        } else {
            let waker = Rc::new(RefCell::new(cx.waker().clone()));
            self.pacer.add(self.due, waker.clone());
            self.waker = Some(waker);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn wakes_in_order_and_never_early() {
        let clock = Clock::new(Instant::now());
        let pacer = Pacer::new(clock);
        let order = Rc::new(RefCell::new(Vec::new()));
        let local = tokio::task::LocalSet::new();
        local.spawn_local(pacer.clone().drive());
        local
            .run_until(async {
                let mut tasks = Vec::new();
                for due in [3_000_000_u64, 1_000_000, 1_000_001, 0, 20_000_000] {
                    let (pacer, order) = (pacer.clone(), order.clone());
                    tasks.push(tokio::task::spawn_local(async move {
                        pacer.until(due).await;
                        assert!(clock.now() >= due);
                        order.borrow_mut().push(due);
                    }));
                }
                for task in tasks {
                    task.await.unwrap();
                }
            })
            .await;
        assert_eq!(*order.borrow(), [0, 1_000_000, 1_000_001, 3_000_000, 20_000_000]);
    }
}
