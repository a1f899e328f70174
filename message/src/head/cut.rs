//! Cuts a head into lines, many bytes at a time.

use std::ops::Range;

use wide::u8x16;

/// Bytes that are looked at at once.
const PIECE: usize = 16;

/// Cuts a head into lines.
pub(super) struct Cut<'a> {
    /// What was not cut yet.
    rest: &'a [u8],
    /// Where that begins.
    pub(super) at: usize,
}

impl<'a> Cut<'a> {
    pub(super) fn new(raw: &'a [u8], at: usize) -> Cut<'a> {
        Cut { rest: raw.get(at..).unwrap_or_default(), at }
    }

    /// Where the next line begins, and the line without its line break; `None` at the end.
    #[inline]
    pub(super) fn next_line(&mut self) -> Option<(usize, &'a [u8])> {
        if self.rest.is_empty() {
            return None;
        }
        let start = self.at;
        let (line, rest) = match first(b'\n', self.rest).and_then(|end| self.rest.split_at_checked(end)) {
            Some((line, rest)) => (line, rest.split_first().map_or(rest, |(_, behind)| behind)),
            None => self.rest.split_at(self.rest.len()),
        };
        self.at += self.rest.len() - rest.len();
        self.rest = rest;
        Some((start, line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

/// Where a byte stands first. Lines and names are short: calling somebody who is quicker with long texts would take longer.
#[inline]
pub(super) fn first(wanted: u8, text: &[u8]) -> Option<usize> {
    let all = u8x16::splat(wanted);
    let (pieces, rest) = text.as_chunks::<PIECE>();
    let mut before = 0;
    for piece in pieces {
        let found = u8x16::new(*piece).simd_eq(all).to_bitmask();
        if found != 0 {
            return Some(before + found.trailing_zeros() as usize);
        }
        before += PIECE;
    }
    rest.iter().position(|b| *b == wanted).map(|at| before + at)
}

/// Whether all bytes are ASCII.
pub(super) fn is_ascii(text: &[u8]) -> bool {
    let (pieces, rest) = text.as_chunks::<PIECE>();
    let all = pieces.iter().fold(u8x16::splat(0), |all, piece| all | u8x16::new(*piece));
    // The last bytes once more, together with what is behind the last whole piece.
    let last = match text.last_chunk::<PIECE>() {
        Some(last) => u8x16::new(*last).to_bitmask() == 0,
        None => rest.is_ascii(),
    };
    all.to_bitmask() == 0 && last
}

/// Where what stands in a text that begins at `start` stands without the white space around it.
#[inline]
pub(super) fn trimmed(start: usize, text: &[u8]) -> Range<usize> {
    // Most stands behind one space, if that, and ends where the text does.
    let inner = text.strip_prefix(b" ").unwrap_or(text);
    if let (Some(first), Some(last)) = (inner.first(), inner.last())
        && *first > b' '
        && *last > b' '
    {
        return start + text.len() - inner.len()..start + text.len();
    }
    let behind = text.trim_ascii_start();
    let start = start + text.len() - behind.len();
    start..start + behind.trim_ascii_end().len()
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
            let lines_from = |at: usize| {
                let mut cut = Cut::new(bytes, at);
                let with_colon = |(start, line): (usize, &[u8])| {
                    (start..start + line.len(), first(b':', line).map(|colon| start + colon))
                };
                let lines: Vec<_> = std::iter::from_fn(|| cut.next_line().map(with_colon)).collect();
                (lines, cut.at)
            };
            proptest::prop_assert_eq!(lines_from(0), (plainly(bytes), bytes.len()));
            let from = from.min(bytes.len());
            proptest::prop_assert_eq!(lines_from(from).0.first().cloned(), plainly(&bytes[from..]).first().cloned()
                .map(|(line, colon)| (line.start + from..line.end + from, colon.map(|c| c + from))));
        }

        #[test]
        fn white_space_is_left_out(text in "[ \t\r\x0c\x0ba]{0,6}|[ ]{0,3}a{0,3}[ ]{0,2}", start in 0_usize..9) {
            let range = trimmed(start, text.as_bytes());
            let inner = text.as_bytes().trim_ascii();
            proptest::prop_assert_eq!(&text.as_bytes()[range.start - start..range.end - start], inner);
            let lead = text.len() - text.as_bytes().trim_ascii_start().len();
            proptest::prop_assert_eq!(range.start, start + lead);
        }

        #[test]
        fn what_is_not_ascii_is_seen(before in 0_usize..50, other: u8, behind in 0_usize..50) {
            let text = [&b"a".repeat(before)[..], &[other], &b"b".repeat(behind)].concat();
            proptest::prop_assert_eq!(is_ascii(&text), text.is_ascii());
        }
    }
}
