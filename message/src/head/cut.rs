//! Cuts a head into lines, many bytes at a time.

use std::ops::Range;

use wide::u8x16;

/// Bytes that are looked at at once, in pieces of sixteen.
const BLOCK: usize = 64;

/// Cuts a head into lines. Line breaks and colons are looked for together, a block at a time.
pub(super) struct Cut<'a> {
    raw: &'a [u8],
    /// Where the next line begins.
    pub(super) at: usize,
    /// Where the block in hand begins.
    block: usize,
    /// The line breaks and colons in it that were not passed yet, one bit each.
    marks: u64,
}

impl<'a> Cut<'a> {
    pub(super) fn new(raw: &'a [u8], at: usize) -> Cut<'a> {
        Cut { raw, at, block: at, marks: marks(raw, at) }
    }

    /// The next line without its line break, and where its first colon stands; `None` at the end.
    #[inline]
    pub(super) fn next_line(&mut self) -> Option<(Range<usize>, Option<usize>)> {
        let start = self.at;
        if start >= self.raw.len() {
            return None;
        }
        let mut colon = None;
        loop {
            while self.marks != 0 {
                let mark = self.block + self.marks.trailing_zeros() as usize;
                self.marks &= self.marks - 1;
                if self.raw[mark] == b'\n' {
                    self.at = mark + 1;
                    let returned = mark > start && self.raw[mark - 1] == b'\r';
                    return Some((start..mark - usize::from(returned), colon));
                }
                colon = colon.or(Some(mark));
            }
            self.block += BLOCK;
            if self.block >= self.raw.len() {
                break;
            }
            self.marks = marks(self.raw, self.block);
        }
        let end = self.raw.len();
        self.at = end;
        let returned = end > start && self.raw[end - 1] == b'\r';
        Some((start..end - usize::from(returned), colon))
    }
}

/// One bit for each line break and each colon in the block that begins there.
#[inline]
fn marks(raw: &[u8], at: usize) -> u64 {
    let rest = raw.get(at..).unwrap_or_default();
    let padded;
    let block = if let Some(block) = rest.first_chunk::<BLOCK>() {
        block
    } else {
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        padded = last;
        &padded
    };
    let (pieces, _) = block.as_chunks::<16>();
    pieces.iter().rev().fold(0, |marks, piece| {
        let bytes = u8x16::new(*piece);
        let found = bytes.simd_eq(u8x16::splat(b'\n')) | bytes.simd_eq(u8x16::splat(b':'));
        marks << 16 | u64::from(found.to_bitmask())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line by line, as one would read it.
    fn plainly(raw: &[u8]) -> Vec<(Range<usize>, Option<usize>)> {
        let mut lines = Vec::new();
        let mut at = 0;
        while at < raw.len() {
            let end = raw[at..].iter().position(|b| *b == b'\n').map_or(raw.len(), |n| at + n);
            let next = (end + 1).min(raw.len());
            let text = raw[at..end].strip_suffix(b"\r").unwrap_or(&raw[at..end]);
            lines.push((at..at + text.len(), text.iter().position(|b| *b == b':').map(|n| at + n)));
            at = next;
        }
        lines
    }

    proptest::proptest! {
        #[test]
        fn lines_are_cut_where_they_end(raw in "([a: ]{0,70}(\r|\n|\r\n)){0,40}[a:\r]{0,70}", from in 0_usize..70) {
            let bytes = raw.as_bytes();
            let mut cut = Cut::new(bytes, 0);
            let cuts: Vec<_> = std::iter::from_fn(|| cut.next_line()).collect();
            proptest::prop_assert_eq!(&cuts, &plainly(bytes));
            proptest::prop_assert_eq!(cut.at, bytes.len());
            let from = from.min(bytes.len());
            proptest::prop_assert_eq!(Cut::new(bytes, from).next_line(), plainly(&bytes[from..]).first().cloned()
                .map(|(line, colon)| (line.start + from..line.end + from, colon.map(|c| c + from))));
        }
    }
}
