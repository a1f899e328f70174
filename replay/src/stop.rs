//! Ends a run before its time, from a signal handler or another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// A switch that many can hold and anyone can throw, once.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    thrown: AtomicBool,
    notify: Notify,
}

impl Stop {
    /// A switch that is not thrown.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Asks the run to end: no session and no step begins any more, requests under way get five seconds.
    pub fn trigger(&self) {
        self.inner.thrown.store(true, Ordering::SeqCst);
        self.inner.notify.notify_waiters();
    }

    /// Whether it was thrown.
    pub fn is_triggered(&self) -> bool {
        self.inner.thrown.load(Ordering::SeqCst)
    }

    /// Waits until it is thrown.
    pub(crate) async fn wait(&self) {
        let notified = self.inner.notify.notified();
        tokio::pin!(notified);
        // Registered before the flag is read, so that no throw falls in between.
        notified.as_mut().enable();
        if !self.is_triggered() {
            notified.await;
        }
    }
}
