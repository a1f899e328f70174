//! The first question about every place of a text: whether any window may begin like that. It has to be cheap; the answer has to
//! be "no" nearly everywhere.

#[cfg(target_arch = "x86_64")]
mod avx2;

use super::STRIDE;

/// Bits for each window: when there are fewer, all are spread anew.
const SPARSE: usize = 16;

/// It grows no further than 16 MiB.
const MOST_WORDS: usize = 4 << 20;
const LEAST_WORDS: usize = 1 << 10;

/// Places that are asked about at once.
const LANES: usize = 8;

/// Bytes from a block of places to the next one.
pub(super) const BLOCK: usize = LANES * STRIDE;

/// With the bytes that windows beginning in it reach behind it.
const REACH: usize = BLOCK + 4;

/// A Bloom filter, of which each window has one word with two bits.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// As many as a power of two, or none.
    words: Vec<u32>,
    /// How many windows it tells apart.
    windows: usize,
}

/// What stands for the first five bytes of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u32);

impl Mark {
    // Those of the hash xxHash32.
    const FIRST: u32 = 0x9e37_79b1;
    const NEXT: u32 = 0x85eb_ca77;
    const BOTH: u32 = 0xc2b2_ae3d;
    const LOWER: u32 = 0x2020_2020;

    /// Letters without their case.
    #[inline]
    pub(super) fn of(bytes: [u8; 8]) -> Mark {
        let bytes = u64::from_le_bytes(bytes);
        let first = (bytes as u32 | Mark::LOWER).wrapping_mul(Mark::FIRST);
        let next = ((bytes >> 8) as u32 | Mark::LOWER).wrapping_mul(Mark::NEXT);
        let both = first ^ next;
        // The upper bits of a product know all of its factors.
        Mark((both ^ both >> 15).wrapping_mul(Mark::BOTH))
    }

    /// Of a word's bits, the two that stand for it; which word it is, its upper bits say.
    #[inline]
    fn bits(self) -> u32 {
        1 << (self.0 & 31) | 1 << (self.0 >> 5 & 31) | 1 << (self.0 >> 10 & 31)
    }
}

impl Gate {
    /// With room for so many windows, and as many again.
    pub(super) fn of(windows: usize) -> Gate {
        Gate { words: vec![0; Gate::room(windows)], windows: 0 }
    }

    /// Words that so many windows take.
    fn room(windows: usize) -> usize {
        (windows.saturating_mul(SPARSE) / 16).next_power_of_two().clamp(LEAST_WORDS, MOST_WORDS)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How many it tells apart.
    pub(super) fn windows(&self) -> usize {
        self.windows
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.windows * SPARSE > self.words.len() * 32 && self.words.len() < MOST_WORDS
    }

    /// Whether it would have more room if it were made for so many.
    pub(super) fn has_room(&self, windows: usize) -> bool {
        self.words.len() >= Gate::room(windows)
    }

    pub(super) fn open(&mut self, mark: Mark) {
        if self.words.is_empty() {
            *self = Gate::of(0);
        }
        let place = self.place(mark);
        if let Some(word) = self.words.get_mut(place) {
            self.windows += usize::from(*word & mark.bits() != mark.bits());
            *word |= mark.bits();
        }
    }

    /// Bits of a mark below those that say its word.
    #[inline]
    fn shift(&self) -> u32 {
        (self.words.len() as u32).leading_zeros() + 1
    }

    #[inline]
    fn place(&self, mark: Mark) -> usize {
        mark.0.unbounded_shr(self.shift()) as usize
    }

    /// Whether a window may begin like that.
    #[inline]
    pub(super) fn ask(&self, mark: Mark) -> bool {
        self.words.get(self.place(mark)).is_some_and(|word| !word & mark.bits() == 0)
    }

    /// Goes on to the next block of a text in which a window may begin, and says in which of its places, the first one lowest; zero
    /// where no whole block is left.
    #[inline]
    pub(super) fn next(&self, text: &[u8], at: &mut usize) -> u32 {
        #[cfg(target_arch = "x86_64")]
        if let Some(lanes) = avx2::next(self, text, at) {
            return lanes;
        }
        self.next_anywhere(text, at)
    }

    /// The same by any processor.
    fn next_anywhere(&self, text: &[u8], at: &mut usize) -> u32 {
        while let Some(block) = block(text, *at) {
            let lanes = (0..LANES).rev().fold(0, |lanes, lane| {
                let bytes = block.get(lane * STRIDE..).and_then(|there| there.first_chunk::<8>());
                lanes + lanes + u32::from(bytes.is_some_and(|bytes| self.ask(Mark::of(*bytes))))
            });
            if lanes != 0 {
                return lanes;
            }
            *at += BLOCK;
        }
        0
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.words.capacity() * size_of::<u32>()
    }
}

#[inline]
fn block(text: &[u8], at: usize) -> Option<&[u8; REACH]> {
    text.get(at..)?.first_chunk()
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All blocks with hits, and where the rest begins.
    fn all(text: &[u8], next: impl Fn(&mut usize) -> u32) -> (Vec<(usize, u32)>, usize) {
        let (mut found, mut at) = (Vec::new(), 0);
        loop {
            match next(&mut at) {
                0 => return (found, at),
                lanes => found.push((at, lanes)),
            }
            at += BLOCK;
            assert!(at <= text.len());
        }
    }

    proptest! {
        /// Each way answers the same, small gates and large ones, crowded ones and sparse ones.
        #[test]
        fn all_processors_agree(
            text in prop::collection::vec(prop_oneof![any::<u8>(), b'a'..=b'd', b'A'..=b'D'], 0..600),
            opened in prop::collection::vec(prop::array::uniform8(b'a'..=b'd'), 0..200),
            room in 0_usize..300_000,
        ) {
            let mut gate = Gate::of(room);
            for bytes in &opened {
                gate.open(Mark::of(*bytes));
            }
            let anywhere = all(&text, |at| gate.next_anywhere(&text, at));
            prop_assert!(text.len() - anywhere.1 < REACH);
            prop_assert_eq!(all(&text, |at| gate.next(&text, at)), anywhere);
        }
    }

    #[test]
    fn a_largest_gate_and_none() {
        let text = b"0123456789abcdef0123456789ABCDEF0123456789abcdef";
        let mut gate = Gate::default();
        assert_eq!(gate.next(text, &mut 0), 0);
        gate = Gate::of(usize::MAX);
        gate.open(Mark::of(*b"89ABCDEF"));
        assert_eq!((gate.words.len(), gate.next(text, &mut 0)), (MOST_WORDS, 0b0100_0100));
    }
}
