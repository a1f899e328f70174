//! Wall-clock time that never goes backwards.

use std::time::{Instant, SystemTime};

use mynah_traffic::Nanos;

/// The wall clock as it was at the start, and a monotonic clock since then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
    wall: Nanos,
}

impl Clock {
    pub(super) fn new() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Clock { start: Instant::now(), wall: wall.into() }
    }

    pub(super) fn now(self) -> Nanos {
        self.wall.plus(self.start.elapsed().into())
    }
}
