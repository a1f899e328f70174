//! A line on the terminal while something takes long; elsewhere a line in the log every few seconds.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal;

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

/// How often the line on a terminal is made anew where making it costs something.
const OFTEN: Duration = Duration::from_millis(200);

/// Progress of one piece of work.
pub(crate) struct Progress {
    bar: ProgressBar,
    what: String,
    count: u64,
    last: Instant,
}

impl Progress {
    /// Begins to tell how `what` goes.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        let what = what.into();
        let style = ProgressStyle::with_template("{spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        // Hidden by itself where standard error is no terminal.
        let bar = ProgressBar::new_spinner().with_style(style).with_message(what.clone());
        Progress { bar, what, count: 0, last: Instant::now() }
    }

    /// One more exchange went by.
    pub(crate) fn tick(&mut self) {
        self.count += 1;
        if self.count.is_multiple_of(256) {
            self.show(|count, what| format!("{what}: {count} exchanges"));
        }
    }

    /// Shows this text.
    pub(crate) fn text(&mut self, text: &str) {
        self.show(|_, _| text.to_owned());
    }

    /// Shows what is made only when it is time: a few times a second on a terminal, every few seconds elsewhere.
    pub(crate) fn now_and_then(&mut self, text: impl FnOnce() -> String) {
        let every = if self.bar.is_hidden() { EVERY } else { OFTEN };
        if self.last.elapsed() >= every {
            self.show(|_, _| text());
            self.last = Instant::now();
        }
    }

    fn show(&mut self, text: impl FnOnce(u64, &str) -> String) {
        if self.bar.is_hidden() {
            if self.last.elapsed() >= EVERY {
                self.last = Instant::now();
                terminal::say(text(self.count, &self.what));
            }
        } else {
            self.bar.set_message(text(self.count, &self.what));
            self.bar.tick();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
