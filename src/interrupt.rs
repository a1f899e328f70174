//! Ctrl-C and `kill`: the first asks for an orderly end, the second ends at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::exit::{Exit, Exits, Failure};
use crate::terminal;

static ASKED: AtomicBool = AtomicBool::new(false);
/// Signals that come together are one wish: a shell and a wrapper may both pass it on.
const TOGETHER: Duration = Duration::from_millis(500);

/// Calls `stop` at the first SIGINT or SIGTERM; a second one ends the process with 130.
///
/// `what` is said then: what will still be done.
pub(crate) fn on_interrupt(what: &'static str, stop: impl Fn() + Send + 'static) -> Result<(), Failure> {
    at_first(what, stop)
}

/// Lets the first SIGINT or SIGTERM pass while standard input is read: in a pipe it is meant for the program that writes into
/// it, and what that has captured is not to be lost. A second one ends the process with 130.
pub(crate) fn leave_to_the_writer() -> Result<(), Failure> {
    at_first("what is still in the pipe is read, then all of it captured", || {})
}

fn at_first(what: &'static str, stop: impl Fn() + Send + 'static) -> Result<(), Failure> {
    let asked_at = Mutex::new(None::<Instant>);
    ctrlc::set_handler(move || {
        let mut asked_at = asked_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if asked_at.is_some_and(|at| at.elapsed() < TOGETHER) {
            return;
        }
        *asked_at = Some(Instant::now());
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(Exit::Interrupted as i32);
        }
        terminal::say(format_args!("\nstopping: {what} (again: stop at once)"));
        stop();
    })
    .exits(Exit::Internal)
}
