//! Where exchanges wait, within a limit, for whoever writes them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mynah_traffic::Exchange;

use super::Next;
use crate::Error;

/// Exchanges on their way from the threads that capture to the one that writes. Holds a stated number of bytes.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Something was put in, or the end was told.
    filled: Condvar,
    /// Something was taken out.
    emptied: Condvar,
    limit: u64,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Box<Exchange>>,
    bytes: u64,
    ended: Option<Result<(), Error>>,
    /// Nobody takes anything out any more.
    abandoned: bool,
}

impl Queue {
    /// A queue that holds `limit` bytes, or one exchange that is larger.
    pub(crate) fn new(limit: u64) -> Arc<Queue> {
        Arc::new(Queue { state: Mutex::default(), filled: Condvar::new(), emptied: Condvar::new(), limit })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an exchange in when there is room for it; gives it back otherwise.
    pub(crate) fn offer(&self, exchange: Box<Exchange>) -> Result<(), Box<Exchange>> {
        let mut state = self.state();
        if state.is_full(self.limit) {
            return Err(exchange);
        }
        state.put(exchange);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Puts an exchange in, waiting for room.
    #[cfg(any(feature = "live", test))]
    pub(crate) fn push(&self, exchange: Box<Exchange>) {
        let mut state = self.state();
        while state.is_full(self.limit) && !state.abandoned {
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.put(exchange);
        drop(state);
        self.filled.notify_one();
    }

    /// Nothing will come any more; with the reason when it is an error. The first word counts.
    pub(crate) fn end(&self, how: Result<(), Error>) {
        self.state().ended.get_or_insert(how);
        self.filled.notify_one();
    }

    /// Takes the next one out. An error at the end is told once.
    pub(crate) fn next(&self, wait: Duration) -> Result<Next, Error> {
        let until = Instant::now() + wait;
        let mut state = self.state();
        loop {
            if let Some(exchange) = state.waiting.pop_front() {
                state.bytes -= cost(&exchange);
                drop(state);
                self.emptied.notify_one();
                return Ok(Next::Exchange(exchange));
            }
            if let Some(ended) = &mut state.ended {
                return std::mem::replace(ended, Ok(())).map(|()| Next::Ended);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Next::Nothing);
            }
            state = self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets those go on who wait for room that will not come.
    pub(crate) fn abandon(&self) {
        self.state().abandoned = true;
        self.emptied.notify_all();
    }
}

impl State {
    fn is_full(&self, limit: u64) -> bool {
        self.bytes >= limit
    }

    fn put(&mut self, exchange: Box<Exchange>) {
        if !self.abandoned {
            self.bytes += cost(&exchange);
            self.waiting.push_back(exchange);
        }
    }
}

/// Bytes an exchange holds, near enough.
fn cost(exchange: &Exchange) -> u64 {
    let messages = exchange.request.iter().chain(&exchange.response);
    let held = messages.map(|m| m.head.len() + m.body.len() + m.trailers.len()).sum::<usize>();
    (held + size_of::<Exchange>()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_TIME: Duration = Duration::ZERO;

    fn boxed() -> Box<Exchange> {
        Box::default()
    }

    #[test]
    fn holds_what_the_limit_says_and_gives_it_out_before_the_end() {
        let queue = Queue::new(cost(&boxed()) * 2);
        assert!(matches!(queue.next(NO_TIME), Ok(Next::Nothing)));
        assert!(queue.offer(boxed()).is_ok());
        assert!(queue.offer(boxed()).is_ok());
        assert!(queue.offer(boxed()).is_err(), "it is full");
        assert!(matches!(queue.next(NO_TIME), Ok(Next::Exchange(_))));
        assert!(queue.offer(boxed()).is_ok());
        queue.end(Err(Error::Live { what: "eth0".to_owned(), message: "is gone".to_owned() }));
        queue.end(Ok(()));
        assert!(matches!(queue.next(NO_TIME), Ok(Next::Exchange(_))));
        assert!(matches!(queue.next(NO_TIME), Ok(Next::Exchange(_))));
        assert!(queue.next(NO_TIME).is_err());
        assert!(matches!(queue.next(NO_TIME), Ok(Next::Ended)));
    }

    #[test]
    fn who_waits_for_room_goes_on_when_there_is_some_or_nobody_cares() {
        let queue = Queue::new(1);
        queue.push(boxed());
        let other = Arc::clone(&queue);
        let pushing = std::thread::spawn(move || (0..2).for_each(|_| other.push(boxed())));
        assert!(matches!(queue.next(Duration::from_mins(1)), Ok(Next::Exchange(_))));
        queue.abandon();
        assert!(pushing.join().is_ok());
    }
}
