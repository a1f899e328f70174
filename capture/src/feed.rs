//! Traffic while it happens: exchanges come from threads of their own and wait here, within a limit, for whoever writes them.

#[cfg(any(feature = "live", feature = "proxy"))]
mod queue;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mynah_traffic::Exchange;
use mynah_traffic::recording::CaptureCounts;

use crate::Error;
#[cfg(any(feature = "live", feature = "proxy"))]
pub(crate) use queue::Queue;

/// A source that ends when it is told to, not when it is read to its end.
pub trait Feed {
    /// The next exchange, waiting for one no longer than `wait`.
    ///
    /// # Errors
    /// What made the capture end. What was captured before has been given out already.
    fn next(&mut self, wait: Duration) -> Result<Next, Error>;

    /// What was seen and lost so far; final after [`Next::Ended`].
    fn counts(&self) -> CaptureCounts;

    /// What a user must know, as sentences without a full stop; final after [`Next::Ended`].
    fn warnings(&self) -> Vec<String>;

    /// Where it listens, for a person and for the recording: `interface eth0`.
    fn name(&self) -> String;

    /// Whether traffic passes through it, so that it must go on when nothing can be recorded any more.
    fn is_in_the_way(&self) -> bool {
        false
    }

    /// Ends it: what is in hand still comes, then [`Next::Ended`].
    fn stop(&self) -> Stop;
}

/// What a feed has to give.
#[derive(Debug)]
pub enum Next {
    /// An exchange.
    Exchange(Box<Exchange>),
    /// None came within the time given.
    Nothing,
    /// None will come any more.
    Ended,
}

/// Ends a feed, from any thread.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for the end.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody has.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
