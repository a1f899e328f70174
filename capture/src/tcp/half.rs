//! One direction of a connection: sequence numbers unwrapped, early segments kept, the first copy of a byte wins.

use std::collections::BTreeMap;

use mynah_traffic::Nanos;

use crate::net::Segment;

/// Position of the first byte behind the SYN (or of the first byte seen). Far from zero, so that earlier ones have a position too.
pub(super) const START: u64 = 1 << 40;
/// An acknowledgement further ahead than the largest window ([RFC 7323 §2.3](https://www.rfc-editor.org/rfc/rfc7323#section-2.3)) is noise.
const MAX_WINDOW: u64 = 1 << 30;

/// Bytes that wait for earlier ones, or for the other direction.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) data: Vec<u8>,
    pub(super) time: Nanos,
    /// Position in the other direction that its sender had seen.
    pub(super) need: u64,
    /// Bytes behind it that the snap length cut off.
    pub(super) missing: u32,
}

/// When a hole was noticed that the receiver has acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noticed {
    pub(super) next: u64,
    pub(super) packets: u64,
    pub(super) time: Nanos,
}

#[derive(Debug, Default)]
pub(super) struct Half {
    /// Sequence number at [`START`].
    origin: Option<u32>,
    /// Position of the next byte to hand on.
    pub(super) next: u64,
    pub(super) early: BTreeMap<u64, Early>,
    pub(super) early_bytes: u64,
    /// Position of the end, and what its sender had seen by then.
    pub(super) fin: Option<(u64, u64)>,
    pub(super) ended: bool,
    /// Position up to which the receiver has acknowledged.
    pub(super) acknowledged: u64,
    /// Position up to which nobody waits for missing bytes any more.
    pub(super) released: u64,
    pub(super) noticed: Option<Noticed>,
    pub(super) syn: bool,
}

impl Half {
    pub(super) fn known(&self) -> bool {
        self.origin.is_some()
    }

    /// Bytes held.
    pub(super) fn cost(&self) -> u64 {
        self.early_bytes + (self.early.len() * 2 * size_of::<Early>()) as u64
    }

    /// Whether bytes of it have been seen.
    pub(super) fn used(&self) -> bool {
        self.next > START || !self.early.is_empty()
    }

    /// Begins at `sequence`, the number of the first byte to come.
    pub(super) fn begin(&mut self, sequence: u32) {
        let syn = self.syn;
        *self = Half { origin: Some(sequence), next: START, released: START, syn, ..Half::default() };
    }

    /// Whether it began at `sequence`.
    pub(super) fn began_at(&self, sequence: u32) -> bool {
        self.origin == Some(sequence)
    }

    /// The position of a sequence number: the one nearest to the next byte. `None` before the beginning is known.
    pub(super) fn position(&self, sequence: u32) -> Option<u64> {
        let origin = self.origin?;
        let next = origin.wrapping_add(self.next.wrapping_sub(START) as u32);
        let distance = sequence.wrapping_sub(next) as i32;
        self.next.checked_add_signed(i64::from(distance))
    }

    /// The position of an acknowledgement by the receiver, when it can be one.
    pub(super) fn acknowledgement(&self, number: u32) -> Option<u64> {
        self.position(number).filter(|&position| position <= self.next + MAX_WINDOW)
    }

    /// Whether all up to `position` has been handed on, or is not waited for any more.
    pub(super) fn reached(&self, position: u64) -> bool {
        let end = self.next + u64::from(self.ended);
        position <= end || position <= self.released
    }

    /// Keeps a segment for later: of its bytes, those that are not kept yet.
    pub(super) fn keep(&mut self, position: u64, segment: &Segment<'_>, time: Nanos, need: u64) {
        let end = position + segment.data.len() as u64;
        let mut at = position.max(self.next);
        // the kept segment before may reach into this one
        if let Some((&start, before)) = self.early.range(..=at).next_back() {
            at = at.max(start + before.data.len() as u64);
        }
        if at >= end {
            return;
        }
        let behind: Vec<(u64, u64)> =
            self.early.range(at..end).map(|(&start, kept)| (start, start + kept.data.len() as u64)).collect();
        for (start, kept_end) in behind.into_iter().chain([(end, end)]) {
            if start > at {
                let from = (at - position) as usize;
                let to = (start - position) as usize;
                let data = segment.data.get(from..to).unwrap_or_default().to_vec();
                let missing = if start == end { segment.missing } else { 0 };
                self.early_bytes += data.len() as u64;
                self.early.insert(at, Early { data, time, need, missing });
            }
            at = at.max(kept_end);
        }
    }

    /// The first early segment when it is due, trimmed to begin at `next`; what has become old is dropped.
    pub(super) fn due(&mut self, reached: impl Fn(u64) -> bool) -> Option<Early> {
        loop {
            let entry = self.early.first_entry()?;
            let position = *entry.key();
            if position > self.next || !reached(entry.get().need) {
                return None;
            }
            let mut early = entry.remove();
            self.early_bytes -= early.data.len() as u64;
            let old = (self.next - position) as usize;
            if old < early.data.len() {
                early.data.drain(..old);
                return Some(early);
            }
        }
    }

    /// Position and time of the first early segment.
    pub(super) fn first_early(&self) -> Option<(u64, Nanos)> {
        self.early.first_key_value().map(|(&position, early)| (position, early.time))
    }

    /// Lets the first early segment go without the other direction.
    pub(super) fn wait_no_more(&mut self) {
        if let Some(mut entry) = self.early.first_entry() {
            entry.get_mut().need = 0;
        }
    }

    /// Whether the next byte is missing although the receiver has acknowledged it.
    pub(super) fn has_known_hole(&self) -> bool {
        let missing = self.first_early().is_none_or(|(position, ..)| position > self.next);
        missing
            && self.acknowledged > self.next + u64::from(self.fin.is_some_and(|(fin, _)| fin == self.next))
    }

    /// Whether all up to its end has been handed on.
    pub(super) fn complete(&self) -> bool {
        self.fin.is_some_and(|(fin, _)| self.next >= fin)
    }
}
