//! Requests of a replay through the middleware: many threads send, answers find their request by its identifier.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use mynah_replay::{Middleware, Stop};
use mynah_traffic::gor::{BadLine, Kind, Record};
use tokio::sync::oneshot;

use super::child::{Answer, Child, Sent};
use crate::exit::{Exit, Exits, Failure};
use crate::terminal::plural;

/// Requests that gave up waiting are cleared away when at least so many are known.
const SWEEP: usize = 1024;

/// A middleware for a replay.
#[derive(Debug)]
pub(crate) struct Requests {
    child: Mutex<Child>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    /// The child has closed its output.
    ended: AtomicBool,
    /// It has been told to.
    closing: AtomicBool,
    /// Ends the run when the child ends.
    stop: OnceLock<Stop>,
    sent: AtomicU64,
    back: AtomicU64,
    /// Not sent, because the child did not keep up.
    refused: AtomicU64,
    /// Replayed responses that were not told for the same reason.
    untold: AtomicU64,
    bad_lines: AtomicU64,
    first_bad: OnceLock<BadLine>,
}

#[derive(Debug, Default)]
struct Pending {
    by_id: HashMap<String, oneshot::Sender<Vec<u8>>>,
    sweep_at: usize,
}

/// What a panic elsewhere left behind is still counts and channels.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Requests {
    /// Starts the command.
    pub(crate) fn start(command: &str) -> Result<Arc<Requests>, Failure> {
        let mut child = Child::start(command)?;
        let shared = Arc::new(Shared::default());
        let (answers, theirs) = (child.take_output(), Arc::clone(&shared));
        std::thread::Builder::new()
            .name("middleware-route".to_owned())
            .spawn(move || theirs.route(&answers))
            .exits(Exit::Internal)?;
        Ok(Arc::new(Requests { child: Mutex::new(child), shared }))
    }

    /// Has the run ended when the child ends before it.
    pub(crate) fn stops(&self, stop: &Stop) {
        let _ = self.shared.stop.set(stop.clone());
        if self.shared.ended.load(Ordering::SeqCst) {
            stop.trigger();
        }
    }

    /// Ends the child. What is to be said of it, in sentences.
    pub(crate) fn finish(&self) -> Result<Vec<String>, Failure> {
        let mut child = lock(&self.child);
        if self.shared.ended.load(Ordering::SeqCst) {
            return Err(child.gone());
        }
        self.shared.closing.store(true, Ordering::SeqCst);
        child.close();
        let status = child.ended();
        if let Some(status) = status
            && !status.success()
        {
            return Err(child.failure(&format!("failed ({status})")));
        }
        Ok(self.shared.words(status.is_some()))
    }
}

impl Shared {
    /// Hands answers to those who wait for them, until there are no more.
    fn route(&self, answers: &Receiver<Answer>) {
        for answer in answers {
            match answer {
                Ok(Record { kind: Kind::Request, id, payload, .. }) => {
                    let sender = lock(&self.pending).by_id.remove(&id);
                    if sender.is_some_and(|sender| sender.send(payload).is_ok()) {
                        self.back.fetch_add(1, Ordering::Relaxed);
                    }
                }
                // the echo of a response says nothing
                Ok(_) => {}
                Err(bad) => {
                    self.bad_lines.fetch_add(1, Ordering::Relaxed);
                    let _ = self.first_bad.set(bad);
                }
            }
        }
        self.ended.store(true, Ordering::SeqCst);
        lock(&self.pending).by_id.clear();
        if !self.closing.load(Ordering::SeqCst)
            && let Some(stop) = self.stop.get()
        {
            stop.trigger();
        }
    }

    fn words(&self, ended: bool) -> Vec<String> {
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        let sent = count(&self.sent);
        let lost = sent.saturating_sub(count(&self.back));
        let mut words =
            vec![format!("middleware: {lost} of {} did not come back in time", plural(sent, "request"))];
        let mut say = |count: u64, what: &str, why: &str| {
            if count > 0 {
                words.push(format!("middleware: {}{why}", plural(count, what)));
            }
        };
        let slow = " not passed to it, since it did not keep up";
        say(count(&self.refused), "request", slow);
        say(count(&self.untold), "replayed response", slow);
        if let Some(bad) = self.first_bad.get() {
            say(count(&self.bad_lines), "line", &format!(" of its output cannot be read, the first: {bad}"));
        }
        if !ended {
            words.push("middleware: it went on after its input had ended, and was stopped".to_owned());
        }
        words
    }
}

impl Middleware for Requests {
    fn request(&self, record: Record) -> oneshot::Receiver<Vec<u8>> {
        let (sender, receiver) = oneshot::channel();
        let line = record.to_line();
        {
            let mut pending = lock(&self.shared.pending);
            if pending.by_id.len() >= pending.sweep_at.max(SWEEP) {
                pending.by_id.retain(|_, sender| !sender.is_closed());
                pending.sweep_at = 2 * pending.by_id.len();
            }
            // after the end nobody would clear it away
            if self.shared.ended.load(Ordering::SeqCst) {
                return receiver;
            }
            pending.by_id.insert(record.id.clone(), sender);
        }
        if let Sent::Queued = lock(&self.child).send(line) {
            self.shared.sent.fetch_add(1, Ordering::Relaxed);
        } else {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            lock(&self.shared.pending).by_id.remove(&record.id);
        }
        receiver
    }

    fn replayed(&self, record: Record) {
        if !matches!(lock(&self.child).send(record.to_line()), Sent::Queued) {
            self.shared.untold.fetch_add(1, Ordering::Relaxed);
        }
    }
}
