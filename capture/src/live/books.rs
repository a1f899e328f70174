//! What the kernel and the assembly counted, put together where any thread can read it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mynah_traffic::recording::CaptureCounts;

use crate::assembly::Assembly;
use crate::source::counted;

/// The books of one live capture.
#[derive(Debug, Default)]
pub(super) struct Books(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    received: Wide,
    dropped: Wide,
    /// By the interface or its driver: of all its traffic, not only what passes the filter.
    interface_dropped: Wide,
    unread: u64,
    assembled: CaptureCounts,
    warnings: Vec<String>,
}

/// A 32-bit counter that turns over, made wide by being looked at often enough.
#[derive(Debug, Default)]
struct Wide {
    last: u32,
    total: u64,
}

impl Wide {
    fn read(&mut self, now: u32) {
        self.total += u64::from(now.wrapping_sub(self.last));
        self.last = now;
    }
}

impl Books {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kernel's figures: packets that passed the filter, dropped ones among them.
    pub(super) fn kernel(&self, received: u32, dropped: u32, interface_dropped: u32) {
        let mut pages = self.pages();
        pages.received.read(received);
        pages.dropped.read(dropped);
        pages.interface_dropped.read(interface_dropped);
    }

    /// Packets that passed the filter and found room in the ring.
    pub(super) fn passed(&self) -> u64 {
        let pages = self.pages();
        pages.received.total.saturating_sub(pages.dropped.total)
    }

    /// Packets that were left in the ring.
    pub(super) fn unread(&self, packets: u64) {
        self.pages().unread = packets;
    }

    pub(super) fn write(&self, assembled: CaptureCounts) {
        self.pages().assembled = assembled;
    }

    /// The last word.
    pub(super) fn close(&self, assembly: &Assembly) {
        let mut pages = self.pages();
        pages.assembled = assembly.counts();
        let mut warnings = assembly.warnings(pages.dropped.total);
        let mut say = |count: u64, one: &str, many: &str| {
            if count > 0 {
                warnings.push(counted(count, one, many));
            }
        };
        say(pages.unread, "packet was left unread in the ring", "packets were left unread in the ring");
        say(
            pages.interface_dropped.total,
            "packet of any kind was dropped by the interface itself",
            "packets of any kind were dropped by the interface itself",
        );
        if pages.dropped.total > 0 {
            warnings.push("a larger ring (--buffer) or a sample (--sample) would lose less".to_owned());
        }
        pages.warnings = warnings;
    }

    pub(super) fn counts(&self) -> CaptureCounts {
        let pages = self.pages();
        let mut counts = pages.assembled.clone();
        counts.dropped_by_kernel = pages.dropped.total;
        counts.dropped_by_mynah += pages.unread;
        counts.seen += pages.dropped.total + pages.unread;
        counts
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.pages().warnings.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_that_turn_over_go_on() {
        let books = Books::default();
        books.kernel(u32::MAX - 1, 3, 0);
        books.kernel(8, 5, 0);
        assert_eq!(books.passed(), u64::from(u32::MAX) + 9 - 5);
        books.unread(7);
        let counts = books.counts();
        assert_eq!((counts.seen, counts.dropped_by_kernel, counts.dropped_by_mynah), (12, 5, 7));
    }
}
