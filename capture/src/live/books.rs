//! What the kernel and the assembly counted, put together where any thread can read it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mynah_traffic::recording::CaptureCounts;

use crate::assembly::Assembly;
use crate::source::counted;

/// How often the kernel sees a packet of the interface, and counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sight {
    /// Once: each is delivered or dropped.
    #[default]
    Once,
    /// Twice, out and in again: a loopback interface. libpcap passes over the first sight, but its place in the ring is taken and
    /// its count made. (The kernel could be told to leave it out, by the filter `inbound`; but libpcap applies a new filter
    /// to the first blocks of the ring once more by itself, where that word is never true, and so loses them.)
    Twice,
    /// `any` interface: some twice, and nobody says how many.
    Mixed,
}

/// The books of one live capture.
#[derive(Debug)]
pub(super) struct Books {
    sight: Sight,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    received: Wide,
    dropped: Wide,
    /// By the interface or its driver: of all its traffic, not only what passes the filter.
    interface_dropped: Wide,
    unread: u64,
    /// Packets that libpcap gave, when that is final.
    delivered: Option<u64>,
    assembled: CaptureCounts,
    warnings: Vec<String>,
}

impl Pages {
    /// Packets that found no room in the ring.
    fn dropped(&self, sight: Sight) -> u64 {
        match (sight, self.delivered) {
            (Sight::Once | Sight::Mixed, _) => self.dropped.total,
            // which of the two sights of a packet was dropped is told by what arrived, if by anything
            (Sight::Twice, Some(delivered)) if self.dropped.total > 0 => {
                self.received.total.div_ceil(2).saturating_sub(delivered)
            }
            (Sight::Twice, _) => self.dropped.total / 2,
        }
    }
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
    pub(super) fn new(sight: Sight) -> Books {
        Books { sight, pages: Mutex::default() }
    }

    pub(super) fn sight(&self) -> Sight {
        self.sight
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The last word: the assembly's counts, and how many packets libpcap gave in all.
    pub(super) fn close(&self, assembly: &Assembly, delivered: u64) {
        let mut pages = self.pages();
        pages.assembled = assembly.counts();
        pages.delivered = Some(delivered);
        let dropped = pages.dropped(self.sight);
        let mut warnings = assembly.warnings(dropped);
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
        if dropped > 0 {
            warnings.push("a larger ring (--buffer) or a sample (--sample) would lose less".to_owned());
        }
        pages.warnings = warnings;
    }

    pub(super) fn counts(&self) -> CaptureCounts {
        let pages = self.pages();
        let mut counts = pages.assembled.clone();
        counts.dropped_by_kernel = pages.dropped(self.sight);
        counts.dropped_by_mynah += pages.unread;
        counts.seen += counts.dropped_by_kernel + pages.unread;
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
        let books = Books::new(Sight::Once);
        books.kernel(u32::MAX - 1, 3, 0);
        books.kernel(8, 5, 0);
        assert_eq!(books.passed(), u64::from(u32::MAX) + 9 - 5);
        books.unread(7);
        let counts = books.counts();
        assert_eq!((counts.seen, counts.dropped_by_kernel, counts.dropped_by_mynah), (12, 5, 7));
    }

    #[test]
    fn on_loopback_half_of_what_the_kernel_counts_was_there() {
        let books = Books::new(Sight::Twice);
        books.kernel(200, 0, 0);
        books.close(&Assembly::new(&crate::Options::default()), 100);
        assert_eq!(books.counts().dropped_by_kernel, 0);
        books.kernel(2000, 700, 0);
        books.close(&Assembly::new(&crate::Options::default()), 620);
        assert_eq!(books.counts().dropped_by_kernel, 380);
    }
}
