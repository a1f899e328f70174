//! What a recording says about how it was made.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

/// What the capture saw and what became of it. Everything that was lost is in one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct CaptureCounts {
    /// Packets (of a HAR: entries) that passed by: `captured + dropped_by_kernel + dropped_by_mynah`.
    pub seen: u64,
    /// Packets that reached the reassembly.
    pub captured: u64,
    /// Packets the kernel had no room for.
    pub dropped_by_kernel: u64,
    /// Packets mynah could not keep up with or could not decode.
    pub dropped_by_mynah: u64,
    /// Holes in reassembled streams.
    pub gaps: u64,
    /// Flows given up to stay within the memory limit.
    pub evicted: u64,
}

impl CaptureCounts {
    /// Adds another input's counts.
    pub fn add(&mut self, other: &CaptureCounts) {
        self.seen += other.seen;
        self.captured += other.captured;
        self.dropped_by_kernel += other.dropped_by_kernel;
        self.dropped_by_mynah += other.dropped_by_mynah;
        self.gaps += other.gaps;
        self.evicted += other.evicted;
    }

    /// What was counted after `earlier` was.
    #[must_use]
    pub fn since(&self, earlier: &CaptureCounts) -> CaptureCounts {
        CaptureCounts {
            seen: self.seen.saturating_sub(earlier.seen),
            captured: self.captured.saturating_sub(earlier.captured),
            dropped_by_kernel: self.dropped_by_kernel.saturating_sub(earlier.dropped_by_kernel),
            dropped_by_mynah: self.dropped_by_mynah.saturating_sub(earlier.dropped_by_mynah),
            gaps: self.gaps.saturating_sub(earlier.gaps),
            evicted: self.evicted.saturating_sub(earlier.evicted),
        }
    }
}

/// Written behind the exchanges of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Summary {
    /// What the exchanges came from: file names (without folders), interfaces.
    pub sources: Vec<String>,
    /// What the capture saw and lost.
    pub capture: CaptureCounts,
    /// Things a reader must know, as sentences: a cut-short file, protocols that were recognised and not parsed.
    pub warnings: Vec<String>,
    /// How many values were masked, by kind.
    pub masked: BTreeMap<String, u64>,
    /// How many parts were withheld because they could not be masked, by reason.
    pub quarantined: BTreeMap<String, u64>,
}

/// Where one exchange stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct IndexEntry {
    /// Start of the request, nanoseconds since the Unix epoch. The index is sorted by it.
    pub started_ns: u64,
    /// Offset of its frame from the start of the file, in bytes.
    pub frame: u64,
    /// Position within the frame, from 0.
    pub position: u32,
}
