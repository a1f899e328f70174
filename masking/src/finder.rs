//! Finds any of very many byte strings in a text, without an automaton: one over a million patterns would take a gigabyte.
//!
//! A text is looked at in every fourth place only. So that no occurrence is missed, each pattern has four windows in the
//! table, one beginning a byte behind the other: wherever the pattern stands, exactly one of them begins at such a place. Two
//! bitmaps stand before the table; only a full comparison makes a match. Patterns may be added at any time, one costs
//! about a microsecond; there is nothing to be built anew but, now and then, the bitmaps and the table as they double.
//!
//! Windows are of eight bytes; of the few patterns too short for four such windows (below eleven bytes), of five. The case of
//! letters does not matter in windows. The first bitmap ([`gate`]) knows the first five bytes of every window by two bits: it is
//! small enough for a processor's nearer memory, and asked about eight places at once without a branch in between.
//! Memory: 16 bytes for each of the four entries, and half to all of that again for what is free in the table, and two to
//! eight bytes each in the bitmaps: about 130 bytes a pattern, besides the pattern, which is not kept here.

mod gate;

use hashbrown::HashTable;

use gate::{BLOCK, Gate, Mark};

/// Every how many bytes a text is looked at, and so the windows that each pattern has.
const STRIDE: usize = 4;
/// No shorter pattern can be found.
pub(crate) const SHORTEST: usize = SHORT + STRIDE - 1;

const SHORT: usize = 5;
const LONG: usize = 8;

/// Bits in the bitmap for each window; doubled when there are fewer than half of that.
const BITS: u64 = 32;

/// A place where a pattern may stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Where it would begin.
    pub(crate) start: usize,
    /// What the pattern was added as.
    pub(crate) tag: u32,
}

/// The windows of a set of patterns.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    gate: Gate,
    long: Table<LONG>,
    short: Table<SHORT>,
}

/// The windows of one length.
#[derive(Debug, Default)]
struct Table<const LENGTH: usize> {
    /// A Bloom filter, of which each window has one word.
    bitmap: Vec<u64>,
    shift: u32,
    entries: HashTable<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The window's hash. Unequal windows rarely share one.
    print: u32,
    mark: Mark,
    tag: u32,
    /// Where in the pattern the window begins.
    offset: u16,
    /// What the pattern has beside the window: numbers of one town, say, have all else in common.
    beside: Beside,
}

/// The three bytes before a window, or behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Beside(u16);

impl Beside {
    /// Of a pattern: behind its window, or before it. Zero where there is neither.
    fn of(pattern: &[u8], window: usize, length: usize) -> Beside {
        let three = |from: usize| pattern.get(from..from + 3)?.first_chunk::<3>().copied();
        if let Some(behind) = three(window + length) {
            return Beside::behind(behind);
        }
        window.checked_sub(3).and_then(three).map_or(Beside(0), Beside::before)
    }

    fn behind(bytes: [u8; 3]) -> Beside {
        Beside(Beside::mixed(bytes) << 2 | 1)
    }

    fn before(bytes: [u8; 3]) -> Beside {
        Beside(Beside::mixed(bytes) << 2 | 2)
    }

    /// Letters without their case.
    fn mixed([a, b, c]: [u8; 3]) -> u16 {
        let folded = u32::from_le_bytes([a, b, c, 0]) | 0x20_2020;
        (folded.wrapping_mul(0x9e37_79b1) >> 16) as u16
    }
}

/// What a text has on both sides of a place.
#[derive(Clone, Copy)]
struct Sides([Beside; 2]);

impl Sides {
    fn of(text: &[u8], at: usize, length: usize) -> Sides {
        let three = |from: usize| text.get(from..from + 3)?.first_chunk::<3>().copied();
        let behind = three(at + length).map_or(Beside(3), Beside::behind);
        Sides([behind, at.checked_sub(3).and_then(three).map_or(Beside(3), Beside::before)])
    }

    /// All that a pattern may have there.
    fn all(self) -> [Beside; 3] {
        let [behind, before] = self.0;
        [behind, before, Beside(0)]
    }
}

/// The first bytes of these eight as a number, letters without their case.
fn window<const LENGTH: usize>(bytes: [u8; 8]) -> u64 {
    (u64::from_le_bytes(bytes) | 0x2020_2020_2020_2020) << (64 - 8 * LENGTH)
}

/// The window at the beginning of a text, if that is long enough.
fn window_of<const LENGTH: usize>(text: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..LENGTH)?.copy_from_slice(text.get(..LENGTH)?);
    Some(window::<LENGTH>(bytes))
}

/// A multiplicative hash: the upper half of the product knows all of the factor.
fn print(window: u64) -> u32 {
    (window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// The three bits that stand for a print in its word of the bitmap, whose place the print's upper bits say.
fn bits_of(print: u32) -> u64 {
    let mixed = print.wrapping_mul(0x85eb_ca6b);
    1 << (mixed >> 26) | 1 << (mixed >> 20 & 63) | 1 << (mixed >> 14 & 63)
}

/// Where the table keeps an entry of that print.
fn place(print: u32, beside: Beside) -> u64 {
    (u64::from(beside.0) << 32 | u64::from(print)).wrapping_mul(0xa076_1d64_78bd_642f).rotate_left(29)
}

impl Finder {
    /// Makes room for so many patterns more.
    pub(crate) fn reserve(&mut self, patterns: usize) {
        let windows = patterns.saturating_mul(STRIDE);
        self.long.entries.reserve(windows, |e| place(e.print, e.beside));
        self.long.spread(windows + self.long.entries.len());
        let windows = windows + self.long.entries.len() + self.short.entries.len();
        // Of the windows of many values most open like another one.
        if !self.gate.has_room(windows / 6) {
            self.open_anew(windows / 6);
        }
    }

    /// Makes the first bitmap anew, with room for so many windows, and as many again.
    fn open_anew(&mut self, windows: usize) {
        let mut gate = Gate::of(windows);
        self.long.entries.iter().chain(&self.short.entries).for_each(|entry| gate.open(entry.mark));
        self.gate = gate;
    }

    /// Adds a pattern. One that is shorter than [`SHORTEST`] is never found.
    pub(crate) fn add(&mut self, pattern: &[u8], tag: u32) {
        if pattern.len() >= LONG + STRIDE - 1 {
            self.long.add(pattern, tag, &mut self.gate);
        } else if pattern.len() >= SHORTEST {
            self.short.add(pattern, tag, &mut self.gate);
        }
        if self.gate.is_crowded() {
            self.open_anew(self.gate.windows());
        }
    }

    /// Every place in a text where a pattern may stand, each once, in no particular order. The caller must compare.
    pub(crate) fn each(&self, text: &[u8], visit: &mut dyn FnMut(Candidate)) {
        if self.gate.is_empty() {
            return;
        }
        let mut at = 0;
        loop {
            let mut lanes = self.gate.next(text, &mut at);
            if lanes == 0 {
                break;
            }
            while lanes != 0 {
                let there = at + lanes.trailing_zeros() as usize * STRIDE;
                if let Some(bytes) = text.get(there..).and_then(|rest| rest.first_chunk()) {
                    self.look(*bytes, text, there, visit);
                }
                lanes &= lanes - 1;
            }
            at += BLOCK;
        }
        let mut rest = text.get(at..).unwrap_or_default();
        while let Some(bytes) = rest.first_chunk::<8>() {
            if self.gate.ask(Mark::of(*bytes)) {
                self.look(*bytes, text, at, visit);
            }
            at += STRIDE;
            rest = rest.get(STRIDE..).unwrap_or_default();
        }
        // At the end eight bytes can no longer be read at once.
        while let Some(window) = window_of::<SHORT>(rest) {
            if self.short.may_hold(print(window)) {
                self.short.candidates(print(window), text, at, visit);
            }
            at += STRIDE;
            rest = rest.get(STRIDE..).unwrap_or_default();
        }
    }

    /// What the tables say about a place that the first bitmap let pass.
    #[inline]
    fn look(&self, bytes: [u8; 8], text: &[u8], at: usize, visit: &mut dyn FnMut(Candidate)) {
        let (long, short) = (print(window::<LONG>(bytes)), print(window::<SHORT>(bytes)));
        if self.long.may_hold(long) {
            self.long.candidates(long, text, at, visit);
        }
        if self.short.may_hold(short) {
            self.short.candidates(short, text, at, visit);
        }
    }

    /// Bytes taken.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.long.memory() + self.short.memory() + self.gate.memory()
    }
}

impl<const LENGTH: usize> Table<LENGTH> {
    fn add(&mut self, pattern: &[u8], tag: u32, gate: &mut Gate) {
        // Where very many patterns are alike in one place, in another one they are not.
        const FEW: usize = 4;
        let last = (pattern.len() - (LENGTH + STRIDE - 1)).min(usize::from(u16::MAX) - STRIDE);
        let prints = |first: usize| -> [u32; STRIDE] {
            std::array::from_fn(|i| pattern.get(first + i..).and_then(window_of::<LENGTH>).map_or(0, print))
        };
        let mut best = (usize::MAX, 0, [0; STRIDE]);
        for first in [last / 2, 0, last, last / 4, last / 4 * 3] {
            let prints = prints(first);
            let crowd = prints
                .iter()
                .enumerate()
                .filter(|(_, p)| self.may_hold(**p))
                .map(|(i, p)| self.like(*p, Beside::of(pattern, first + i, LENGTH)).take(64).count())
                .max()
                .unwrap_or(0);
            if crowd < best.0 {
                best = (crowd, first, prints);
            }
            if crowd <= FEW {
                break;
            }
        }
        let (_, first, prints) = best;
        for (i, print) in prints.into_iter().enumerate() {
            let mut bytes = [0; 8];
            for (byte, there) in bytes.iter_mut().zip(pattern.get(first + i..).unwrap_or_default()) {
                *byte = *there;
            }
            let mark = Mark::of(bytes);
            gate.open(mark);
            let beside = Beside::of(pattern, first + i, LENGTH);
            let entry = Entry { print, mark, tag, offset: (first + i) as u16, beside };
            self.entries.insert_unique(place(print, beside), entry, |e| place(e.print, e.beside));
            self.mark(print);
        }
    }

    fn like(&self, print: u32, beside: Beside) -> impl Iterator<Item = &Entry> {
        let same = move |e: &&Entry| e.print == print && e.beside == beside;
        self.entries.iter_hash(place(print, beside)).filter(same)
    }

    fn mark(&mut self, print: u32) {
        self.spread(self.entries.len());
        set(&mut self.bitmap, self.shift, print);
    }

    /// Makes the bitmap anew where it is too small for so many windows.
    fn spread(&mut self, windows: usize) {
        let bits = windows as u64 * BITS;
        if (self.bitmap.len() as u64) << 7 < bits {
            let words = (bits.next_power_of_two() >> 6).clamp(1 << 6, 1 << 28) as usize;
            self.bitmap = vec![0; words];
            self.shift = u32::BITS - words.trailing_zeros();
            for entry in &self.entries {
                set(&mut self.bitmap, self.shift, entry.print);
            }
        }
    }

    /// Whether a pattern has a window of that print, most probably.
    #[inline]
    fn may_hold(&self, print: u32) -> bool {
        let wanted = bits_of(print);
        // There is no such word in a table without patterns.
        self.bitmap.get((print >> self.shift) as usize).is_some_and(|word| word & wanted == wanted)
    }

    #[cold]
    fn candidates(&self, print: u32, text: &[u8], at: usize, visit: &mut dyn FnMut(Candidate)) {
        for entry in Sides::of(text, at, LENGTH).all().into_iter().flat_map(|beside| self.like(print, beside))
        {
            if let Some(start) = at.checked_sub(usize::from(entry.offset)) {
                visit(Candidate { start, tag: entry.tag });
            }
        }
    }

    #[cfg(test)]
    fn memory(&self) -> usize {
        self.bitmap.capacity() * size_of::<u64>() + self.entries.allocation_size()
    }
}

fn set(bitmap: &mut [u64], shift: u32, print: u32) {
    if let Some(word) = bitmap.get_mut((print >> shift) as usize) {
        *word |= bits_of(print);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finder(patterns: &[&[u8]]) -> Finder {
        let mut finder = Finder::default();
        for (tag, pattern) in patterns.iter().enumerate() {
            finder.add(pattern, tag as u32);
        }
        finder
    }

    /// Where and which, after the comparison.
    fn found(finder: &Finder, patterns: &[&[u8]], text: &[u8], exact: bool) -> Vec<(usize, u32)> {
        let mut found = Vec::new();
        finder.each(text, &mut |Candidate { start, tag }| {
            let pattern = patterns[tag as usize];
            let there = text.get(start..start + pattern.len());
            if there.is_some_and(|t| t == pattern || !exact && t.eq_ignore_ascii_case(pattern)) {
                found.push((start, tag));
            }
        });
        found.sort_unstable();
        found
    }

    #[test]
    fn overlapping_and_short_ones() {
        let patterns: [&[u8]; 4] = [b"abcdefgh", b"abcdefghij", b"cdefghijkl", b"short"];
        let f = finder(&patterns);
        let text = b"xx ABCDEFGHIJKL abcdefgh short";
        assert_eq!(found(&f, &patterns, text, false), [(3, 0), (3, 1), (5, 2), (16, 0)]);
        assert_eq!(found(&f, &patterns, text, true), [(16, 0)]);
        assert_eq!(found(&Finder::default(), &patterns, text, true), []);
    }

    #[test]
    fn many_alike_are_told_apart() {
        let patterns: Vec<String> = (0..50_000).map(|i| format!("customer-{i:06}@mail.example")).collect();
        let bytes: Vec<&[u8]> = patterns.iter().map(String::as_bytes).collect();
        let f = finder(&bytes);
        for wanted in [0, 7, 4_711, 49_999] {
            let text = format!("{}{}", "-".repeat(wanted % 5), patterns[wanted]);
            assert_eq!(found(&f, &bytes, text.as_bytes(), true), [(wanted % 5, wanted as u32)]);
            let mut candidates = 0;
            f.each(text.as_bytes(), &mut |_| candidates += 1);
            assert!(candidates < 200, "{candidates}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_search(
            patterns in prop::collection::vec("[abAB]{8,16}", 1..40),
            text in "[abAB]{0,200}",
            exact: bool,
        ) {
            let bytes: Vec<&[u8]> = patterns.iter().map(String::as_bytes).collect();
            let mut naive = Vec::new();
            for start in 0..text.len() {
                for (index, p) in bytes.iter().enumerate() {
                    if let Some(candidate) = text.as_bytes().get(start..start + p.len())
                        && (candidate == *p || !exact && candidate.eq_ignore_ascii_case(p))
                    {
                        naive.push((start, index as u32));
                    }
                }
            }
            prop_assert_eq!(found(&finder(&bytes), &bytes, text.as_bytes(), exact), naive);
        }
    }
}
