//! Ends a run before its time, from a signal handler or another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

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
    /// The one that it is thrown with.
    parent: Option<Arc<Inner>>,
    /// Switches that are thrown with it.
    children: Mutex<Vec<Weak<Inner>>>,
}

impl Inner {
    fn throw(&self) {
        self.thrown.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
        let children = std::mem::take(&mut *self.children.lock().unwrap_or_else(PoisonError::into_inner));
        for child in children.iter().filter_map(Weak::upgrade) {
            child.throw();
        }
    }
}

impl Stop {
    /// A switch that is not thrown.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Asks the run to end: no session and no step begins any more, requests under way get five seconds.
    pub fn trigger(&self) {
        self.inner.throw();
    }

    /// One that is thrown with this one, and can be thrown alone: for a run that is one of several.
    #[must_use]
    pub fn child(&self) -> Stop {
        let child = Stop { inner: Arc::new(Inner { parent: Some(self.inner.clone()), ..Inner::default() }) };
        let mut children = self.inner.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(|other| other.strong_count() > 0);
        children.push(Arc::downgrade(&child.inner));
        drop(children);
        // Thrown in between: whoever threw it may have seen no child.
        if self.is_triggered() {
            child.trigger();
        }
        child
    }

    /// Whether it was thrown.
    pub fn is_triggered(&self) -> bool {
        self.inner.thrown.load(Ordering::SeqCst)
    }

    /// Whether it was thrown from without: for one that is thrown with others, whether these were.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.inner.parent.as_ref().unwrap_or(&self.inner).thrown.load(Ordering::SeqCst)
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
