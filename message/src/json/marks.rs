//! Where strings end: quotes and backslashes, found sixty-four bytes at a time.

use wide::u8x16;

/// Bytes whose marks are found at once.
const BLOCK: usize = 64;

/// The quotes and backslashes of a text, of one block at a time: whoever reads on has each block looked at once, and no string,
/// however short, costs a search of its own.
#[derive(Clone, Copy)]
pub(super) struct Marks<'a> {
    text: &'a [u8],
    /// Number of the block in hand.
    block: usize,
    /// One bit for each of its bytes.
    found: u64,
}

/// A string's end.
pub(super) struct Text {
    /// Where the closing quote is; the text's end when there is none.
    pub(super) end: usize,
    pub(super) closed: bool,
    /// Whether there is a backslash in it.
    pub(super) escaped: bool,
}

impl<'a> Marks<'a> {
    pub(super) fn new(text: &'a [u8]) -> Marks<'a> {
        Marks { text, block: 0, found: marks_of(text, 0) }
    }

    /// The end of the string whose first byte is at that offset.
    #[inline]
    pub(super) fn string(&mut self, mut at: usize) -> Text {
        let mut escaped = false;
        while let Some(found) = self.next(at) {
            if self.text.get(found) == Some(&b'"') {
                return Text { end: found, closed: true, escaped };
            }
            escaped = true;
            // Whatever stands behind a backslash ends no string.
            at = found + 2;
        }
        Text { end: self.text.len(), closed: false, escaped }
    }

    /// The first quote or backslash from an offset on.
    #[inline]
    fn next(&mut self, at: usize) -> Option<usize> {
        let block = at / BLOCK;
        if block != self.block {
            self.turn_to(block);
        }
        let marks = self.found >> (at % BLOCK);
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize);
        }
        self.next_block()
    }

    /// The first one behind the block in hand.
    #[inline]
    fn next_block(&mut self) -> Option<usize> {
        while (self.block + 1) * BLOCK < self.text.len() {
            self.turn_to(self.block + 1);
            if self.found != 0 {
                return Some(self.block * BLOCK + self.found.trailing_zeros() as usize);
            }
        }
        None
    }

    #[inline]
    fn turn_to(&mut self, block: usize) {
        self.block = block;
        self.found = marks_of(self.text, block);
    }
}

/// The marks of a block; none behind the text's end.
#[inline]
fn marks_of(text: &[u8], block: usize) -> u64 {
    let rest = text.get(block * BLOCK..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk::<BLOCK>() {
        return marks_in(whole);
    }
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    marks_in(&last)
}

#[inline]
fn marks_in(block: &[u8; BLOCK]) -> u64 {
    let (quote, backslash) = (u8x16::splat(b'"'), u8x16::splat(b'\\'));
    let (pieces, _) = block.as_chunks::<16>();
    pieces.iter().enumerate().fold(0, |marks, (n, piece)| {
        let piece = u8x16::new(*piece);
        let found = piece.simd_eq(quote) | piece.simd_eq(backslash);
        marks | u64::from(found.to_bitmask()) << (n * 16)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Byte by byte.
    fn naive(text: &[u8], mut at: usize) -> (usize, bool, bool) {
        let mut escaped = false;
        while let Some(b) = text.get(at) {
            match b {
                b'"' => return (at, true, escaped),
                b'\\' => {
                    escaped = true;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        (text.len(), false, escaped)
    }

    proptest! {
        #[test]
        fn strings_end_where_they_do_byte_by_byte(
            text in "([a-z]{0,90}[\"\\\\]{0,3}){0,6}",
            starts in prop::collection::vec(0_usize..40, 1..12),
        ) {
            let text = text.as_bytes();
            let mut marks = Marks::new(text);
            let mut at = 0;
            for step in starts {
                at += step;
                let Text { end, closed, escaped } = marks.string(at);
                if at <= text.len() {
                    prop_assert_eq!((end, closed, escaped), naive(text, at));
                }
                at = end;
            }
        }
    }
}
