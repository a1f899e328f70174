//! Ctrl-C and `kill`: the first asks for an orderly end, the second ends at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::{Exit, Exits, Failure};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Calls `stop` at the first SIGINT or SIGTERM; a second one ends the process with 130.
pub(crate) fn on_interrupt(stop: impl Fn() + Send + 'static) -> Result<(), Failure> {
    ctrlc::set_handler(move || {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(Exit::Interrupted as i32);
        }
        eprintln!(
            "\nstopping: requests under way may end, then what was measured is written (again: stop at once)"
        );
        stop();
    })
    .exits(Exit::Internal)
}
