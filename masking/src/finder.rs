//! Finds any of very many byte strings in a text, without an automaton: one over a million patterns would take a gigabyte.
//!
//! Of each pattern one window of eight bytes, the rarest of three, goes into a table behind a bitmap. A text is read window by
//! window; only where the bitmap says so the table is asked, and only a full comparison makes a match. Memory: about
//! 20 bytes a pattern besides the patterns. The case of letters does not matter in windows; in matches, unless asked.

use std::collections::HashMap;
use std::ops::Range;

/// Bytes in a window: no pattern may be shorter.
pub(crate) const WINDOW: usize = 8;

/// One string to find.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) bytes: Box<[u8]>,
    /// Whether letters must match in case.
    pub(crate) exact: bool,
}

/// A pattern found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Match {
    pub(crate) range: Range<usize>,
    /// Index of the pattern.
    pub(crate) pattern: usize,
}

/// The searcher over a set of patterns.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    patterns: Vec<Pattern>,
    /// A Bloom filter, of which each window has one word.
    bitmap: Vec<u64>,
    shift: u32,
    /// Sorted by window: window, pattern, offset of the window in the pattern.
    windows: Vec<(u64, u32, u32)>,
}

/// Eight bytes as a number, letters without their case.
fn window(bytes: &[u8]) -> Option<u64> {
    let bytes: [u8; WINDOW] = bytes.get(..WINDOW)?.try_into().ok()?;
    Some(u64::from_le_bytes(bytes) | 0x2020_2020_2020_2020)
}

fn mix(window: u64) -> u64 {
    window.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The three bits that stand for a window in its word of the bitmap.
fn bits_of(hash: u64) -> u64 {
    // The low bits of a product know only the low bits of its factors.
    let folded = hash ^ (hash >> 29);
    1 << (folded & 63) | 1 << (folded >> 6 & 63) | 1 << (folded >> 12 & 63)
}

impl Finder {
    /// Patterns shorter than a window are never found.
    pub(crate) fn new(patterns: Vec<Pattern>) -> Finder {
        let offsets = |p: &Pattern| {
            let last = p.bytes.len().saturating_sub(WINDOW);
            [0, last / 2, last]
        };
        let at = |p: &Pattern, offset: usize| p.bytes.get(offset..).and_then(window);
        let mut counts: HashMap<u64, u32> = HashMap::new();
        for pattern in &patterns {
            for w in offsets(pattern).into_iter().filter_map(|o| at(pattern, o)) {
                *counts.entry(w).or_default() += 1;
            }
        }
        let mut windows = Vec::with_capacity(patterns.len());
        for (index, pattern) in patterns.iter().enumerate() {
            let rarest = offsets(pattern)
                .into_iter()
                .filter_map(|o| at(pattern, o).map(|w| (w, o)))
                .min_by_key(|(w, _)| counts.get(w).copied().unwrap_or(0));
            if let (Some((w, offset)), Ok(index)) = (rarest, u32::try_from(index)) {
                windows.push((w, index, offset as u32));
            }
        }
        windows.sort_unstable();
        // Thirty-two bits for each window, three of them set: fewer than one text window in five hundred passes, for
        // each one that does costs as much as thirty that do not.
        let bits = (windows.len() as u64 * 32).next_power_of_two().clamp(1 << 10, 1 << 32).trailing_zeros();
        let shift = u64::BITS - (bits - 6);
        let mut bitmap = vec![0_u64; 1 << (bits - 6)];
        for (w, ..) in &windows {
            let hash = mix(*w);
            bitmap[(hash >> shift) as usize] |= bits_of(hash);
        }
        Finder { patterns, bitmap, shift, windows }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Every match, overlapping ones too, by where they begin, the longest first.
    pub(crate) fn all(&self, text: &[u8]) -> Vec<Match> {
        let mut found = Vec::new();
        self.each(text, &mut |m| found.push(m));
        found.sort_by(|a, b| {
            a.range
                .start
                .cmp(&b.range.start)
                .then(b.range.end.cmp(&a.range.end))
                .then(a.pattern.cmp(&b.pattern))
        });
        found
    }

    /// Every match, overlapping ones too, in no particular order.
    pub(crate) fn each(&self, text: &[u8], visit: &mut dyn FnMut(Match)) {
        if self.windows.is_empty() || text.len() < WINDOW {
            return;
        }
        for (at, bytes) in text.windows(WINDOW).enumerate() {
            let Some(w) = window(bytes) else { continue };
            let hash = mix(w);
            let wanted = bits_of(hash);
            let word = self.bitmap.get((hash >> self.shift) as usize).copied().unwrap_or(0);
            if word & wanted == wanted {
                self.verify(text, at, w, visit);
            }
        }
    }

    fn verify(&self, text: &[u8], at: usize, w: u64, visit: &mut dyn FnMut(Match)) {
        let from = self.windows.partition_point(|(other, ..)| *other < w);
        let same = self.windows[from..].iter().take_while(|(other, ..)| *other == w);
        for &(_, index, offset) in same {
            let Some(start) = at.checked_sub(offset as usize) else { continue };
            let Some(pattern) = self.patterns.get(index as usize) else { continue };
            let range = start..start + pattern.bytes.len();
            let Some(candidate) = text.get(range.clone()) else { continue };
            let equal = if pattern.exact {
                candidate == &*pattern.bytes
            } else {
                candidate.eq_ignore_ascii_case(&pattern.bytes)
            };
            if equal {
                visit(Match { range, pattern: index as usize });
            }
        }
    }
}

/// Of [`Finder::all`] the leftmost matches, the longest of those that begin together, without overlaps.
pub(crate) fn leftmost(mut found: Vec<Match>) -> Vec<Match> {
    let mut end = 0;
    found.retain(|m| {
        let keep = m.range.start >= end;
        if keep {
            end = m.range.end;
        }
        keep
    });
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finder(patterns: &[&[u8]], exact: bool) -> Finder {
        Finder::new(patterns.iter().map(|p| Pattern { bytes: (*p).into(), exact }).collect())
    }

    #[test]
    fn finds_the_longest_leftmost() {
        let f = finder(&[b"abcdefgh", b"abcdefghij", b"cdefghijkl"], false);
        let found = leftmost(f.all(b"xx ABCDEFGHIJKL abcdefgh"));
        let ranges: Vec<_> = found.iter().map(|m| (m.range.clone(), m.pattern)).collect();
        assert_eq!(ranges, [(3..13, 1), (16..24, 0)]);
        assert!(finder(&[b"abcdefgh"], true).all(b"ABCDEFGH").is_empty());
        assert!(finder(&[b"short"], true).all(b"short").is_empty());
        assert!(Finder::default().all(b"anything at all").is_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_search(
            patterns in prop::collection::vec("[abAB]{8,12}", 1..40),
            text in "[abAB]{0,200}",
            exact: bool,
        ) {
            let bytes: Vec<&[u8]> = patterns.iter().map(String::as_bytes).collect();
            let mut found = Vec::new();
            finder(&bytes, exact).each(text.as_bytes(), &mut |m| found.push((m.range.start, m.pattern)));
            found.sort_unstable();
            let mut naive = Vec::new();
            for start in 0..text.len() {
                for (index, p) in bytes.iter().enumerate() {
                    if let Some(candidate) = text.as_bytes().get(start..start + p.len())
                        && (candidate == *p || !exact && candidate.eq_ignore_ascii_case(p))
                    {
                        naive.push((start, index));
                    }
                }
            }
            prop_assert_eq!(found, naive);
        }
    }
}
