//! The walk through a document, without paths.

use std::ops::Range;

use wide::u8x16;

use super::marks::{Marks, Text};
use super::{End, Events, Kind};

/// Like [`scan`](super::scan), for those who need no paths: tells of keys and nesting instead, and allocates nothing for each value.
pub fn walk<'a>(body: &'a [u8], depth: usize, events: &mut impl Events<'a>) -> End {
    let marks = Marks::new(body);
    let mut reader = Reader { body, at: skip_prefix(body), marks, stack: Stack::default(), leapt: false };
    loop {
        reader.at = skip_space(body, reader.at);
        if reader.at >= body.len() {
            return End::Whole;
        }
        events.document();
        if let Err(end) = reader.document(depth, events) {
            return end;
        }
    }
}

/// The containers that are open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nesting {
    /// How many, below [`Nesting::KNOWN`].
    pub depth: usize,
    /// One bit for each, the innermost lowest: whether it is an array.
    pub arrays: u64,
}

impl Nesting {
    /// Nothing is said of so many containers, or more.
    pub const KNOWN: usize = 64;
}

/// What stands between two values, by what it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leap {
    /// Its bytes, up to the next value's first one: a string's quote.
    pub len: usize,
    /// Containers closed, fewer than are open.
    pub closes: u32,
    /// Containers opened, after that.
    pub opens: u32,
    /// Those of them that are arrays, as in [`Nesting`].
    pub opened: u64,
}

/// A string, number or literal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scalar {
    /// Which of these.
    pub kind: Kind,
    /// Where, without quotes.
    pub span: Range<usize>,
    /// Whether there are escapes in it.
    pub escaped: bool,
}

/// Of each container in hand, whether it is an array. The first sixty-four take no memory of their own: nearly all documents are
/// short, and are walked without any.
#[derive(Default)]
struct Stack {
    len: usize,
    /// The innermost is the lowest bit.
    bits: u64,
    /// Full words of those further out.
    outer: Vec<u64>,
}

impl Stack {
    fn push(&mut self, array: bool) {
        if self.len > 0 && self.len.is_multiple_of(64) {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(array);
        self.len += 1;
    }

    fn pop(&mut self) {
        self.len = self.len.saturating_sub(1);
        self.bits >>= 1;
        if self.len > 0 && self.len.is_multiple_of(64) {
            self.bits = self.outer.pop().unwrap_or(0);
        }
    }

    fn last(&self) -> Option<bool> {
        (self.len > 0).then_some(self.bits & 1 == 1)
    }
}

/// Reads a document.
pub struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    marks: Marks<'a>,
    stack: Stack,
    /// A value stands here, whatever was told before it.
    leapt: bool,
}

impl<'a> Reader<'a> {
    /// Where it is: behind a value.
    #[inline]
    pub fn at(&self) -> usize {
        self.at
    }

    /// To read on from here; `None` where very many containers are open.
    #[inline]
    pub fn ahead(&self) -> Option<Ahead<'a>> {
        let Reader { body, at, marks, stack, .. } = self;
        let nesting = Nesting { depth: stack.len, arrays: stack.bits };
        (stack.len < Nesting::KNOWN).then_some(Ahead { body, at: *at, marks: *marks, nesting })
    }

    /// Goes on where that came to: behind a value; or, if it leapt there, before one.
    #[inline]
    pub fn go_on(&mut self, from: &Ahead<'a>, leapt: bool) {
        (self.at, self.marks, self.leapt) = (from.at, from.marks, leapt);
        // There are fewer than bits.
        (self.stack.len, self.stack.bits) = (from.nesting.depth, from.nesting.arrays);
    }

    /// The value that begins here, and what is behind it, unless it is a string that does not end.
    fn scalar(&mut self) -> Option<(Scalar, Option<usize>)> {
        let at = self.at;
        let rest = self.body.get(at..)?;
        if rest.first() == Some(&b'"') {
            let Text { end, closed, escaped } = self.marks.string(at + 1);
            let string = Scalar { kind: Kind::String, span: at + 1..end, escaped };
            return Some((string, closed.then_some(end + 1)));
        }
        let (kind, len) = bare(rest)?;
        Some((Scalar { kind, span: at..at + len, escaped: false }, Some(at + len)))
    }

    fn document(&mut self, depth: usize, events: &mut impl Events<'a>) -> Result<(), End> {
        self.stack = Stack::default();
        loop {
            // Here a value, or the end of the container in hand, is expected.
            self.at = skip_space(self.body, self.at);
            if !std::mem::take(&mut self.leapt)
                && let Some(array) = self.stack.last()
            {
                let close = if array { b']' } else { b'}' };
                match self.body.get(self.at) {
                    Some(&b) if b == close => {
                        self.stack.pop();
                        events.close();
                        self.at += 1;
                        if self.stack.len == 0 {
                            return Ok(());
                        }
                        self.after_value()?;
                        continue;
                    }
                    None => return Err(End::Garbage(self.at)),
                    _ => {}
                }
                if array {
                    events.element();
                } else {
                    let start = self.at;
                    let (raw, escaped) = self.key()?;
                    if !events.written_key(raw, escaped) {
                        return Err(End::Garbage(start));
                    }
                }
            }
            let start = self.at;
            if let Some(b @ (b'{' | b'[')) = self.body.get(start) {
                if self.stack.len >= depth {
                    return Err(End::Garbage(start));
                }
                let array = *b == b'[';
                self.stack.push(array);
                events.open(array);
                self.at += 1;
                continue;
            }
            let Some((Scalar { kind, span, escaped }, next)) = self.scalar() else {
                return Err(End::Garbage(start));
            };
            let raw = self.body.get(span.clone()).unwrap_or_default();
            let flow = match kind {
                Kind::String => events.string(raw, span, escaped),
                kind => events.value(kind, raw, span),
            };
            if flow.is_break() {
                return Err(End::Stopped);
            }
            self.at = next.ok_or(End::Garbage(start))?;
            if self.stack.len == 0 {
                return Ok(());
            }
            events.ahead(self);
            if !self.leapt {
                self.after_value()?;
            }
        }
    }

    /// Past the comma after a value; or at the bracket that closes the container.
    fn after_value(&mut self) -> Result<(), End> {
        self.at = skip_space(self.body, self.at);
        let array = self.stack.last().unwrap_or(false);
        match self.body.get(self.at) {
            Some(b',') => self.at += 1,
            Some(b']') if array => {}
            Some(b'}') if !array => {}
            _ => return Err(End::Garbage(self.at)),
        }
        Ok(())
    }

    /// Reads `"key" :`: the key as written, and whether it has escapes. What follows is its value.
    fn key(&mut self) -> Result<(&'a [u8], bool), End> {
        let at = self.at;
        if self.body.get(at) != Some(&b'"') {
            return Err(End::Garbage(at));
        }
        let Text { end, closed, escaped } = self.marks.string(at + 1);
        let Some(raw) = self.body.get(at + 1..end).filter(|_| closed) else { return Err(End::Garbage(at)) };
        let colon = skip_space(self.body, end + 1);
        if self.body.get(colon) != Some(&b':') {
            return Err(End::Garbage(colon));
        }
        self.at = skip_space(self.body, colon + 1);
        Ok((raw, escaped))
    }
}

/// Reads on in a document by what is known of it: from value to value, over what stands between them. All that it holds is its own,
/// so that it can be at hand while one reads.
pub struct Ahead<'a> {
    body: &'a [u8],
    at: usize,
    marks: Marks<'a>,
    nesting: Nesting,
}

impl<'a> Ahead<'a> {
    /// Where it is: behind a value.
    #[inline]
    pub fn at(&self) -> usize {
        self.at
    }

    /// What is still to be read.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.body.get(self.at..).unwrap_or_default()
    }

    /// The containers that are open.
    #[inline]
    pub fn nesting(&self) -> Nesting {
        self.nesting
    }

    /// Goes on behind what stands between this value and the next one. That must be what it is said to be, and leave fewer
    /// containers open than [`Nesting::KNOWN`].
    #[inline]
    pub fn leap(&mut self, leap: &Leap) {
        self.at += leap.len;
        let Nesting { depth, arrays } = &mut self.nesting;
        *arrays = arrays.wrapping_shr(leap.closes).wrapping_shl(leap.opens) | leap.opened;
        *depth = depth.saturating_sub(leap.closes as usize) + leap.opens as usize;
    }

    /// The same where no container is closed or opened.
    #[inline]
    pub fn step(&mut self, len: usize) {
        self.at += len;
    }

    /// Reads the value behind what was leapt over; `None` when there is none, or it is cut off.
    #[inline]
    pub fn value(&mut self) -> Option<Scalar> {
        let start = self.at;
        let rest = self.body.get(start..)?;
        if rest.first() == Some(&b'"') {
            let Text { end, closed, escaped } = self.marks.string(start + 1);
            if !closed {
                return None;
            }
            self.at = end + 1;
            return Some(Scalar { kind: Kind::String, span: start + 1..end, escaped });
        }
        let (kind, len) = bare(rest)?;
        self.at += len;
        Some(Scalar { kind, span: start..start + len, escaped: false })
    }
}

/// The number or literal at the beginning of a text, and its bytes.
#[inline]
fn bare(text: &[u8]) -> Option<(Kind, usize)> {
    match text.first()? {
        b'-' | b'0'..=b'9' => Some((Kind::Number, number(text))),
        b't' | b'f' | b'n' => Some((Kind::Literal, literal(text)?)),
        _ => None,
    }
}

/// The bytes of a number at the beginning of a text.
#[inline]
fn number(text: &[u8]) -> usize {
    if let Some(first) = text.first_chunk::<16>() {
        let bytes = u8x16::new(*first);
        let is = |b: u8| bytes.simd_eq(u8x16::splat(b));
        let above = bytes - u8x16::splat(b'0');
        let digits = above.min(u8x16::splat(9)).simd_eq(above);
        let power = (bytes | u8x16::splat(0x20)).simd_eq(u8x16::splat(b'e'));
        let others = !(digits | is(b'.') | is(b'-') | is(b'+') | power).to_bitmask() & 0xffff;
        if others != 0 {
            return others.trailing_zeros() as usize;
        }
    }
    slow_number(text)
}

fn slow_number(text: &[u8]) -> usize {
    text.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count()
}

/// The bytes of a literal at the beginning of a text.
#[inline]
fn literal(text: &[u8]) -> Option<usize> {
    match text.first_chunk::<4>()? {
        b"true" | b"null" => Some(4),
        b"fals" if text.get(4) == Some(&b'e') => Some(5),
        _ => None,
    }
}

#[inline]
pub(super) fn skip_space(body: &[u8], at: usize) -> usize {
    // Most JSON is written without.
    match body.get(at) {
        Some(b) if *b > b' ' => at,
        _ => skip_spaces(body, at),
    }
}

fn skip_spaces(body: &[u8], at: usize) -> usize {
    // A record separator (RFC 7464) counts as space between documents.
    let len = body.get(at..).map_or(0, |rest| {
        rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0x1e)).count()
    });
    at + len
}

pub(super) fn skip_prefix(body: &[u8]) -> usize {
    let mut at = if body.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    at = skip_space(body, at);
    for prefix in [b")]}',".as_slice(), b")]}'", b"for(;;);", b"for (;;);", b"while(1);", b"while (1);"] {
        if body[at..].starts_with(prefix) {
            return at + prefix.len();
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_end_where_they_do_byte_by_byte(digits in "[0-9eE.+-]{0,20}", behind in "[,}\\] a-fA-F/:;]?[0-9]{0,16}") {
            let text = format!("{digits}{behind}");
            prop_assert_eq!(number(text.as_bytes()), slow_number(text.as_bytes()));
        }

        #[test]
        fn literals_are_whole_words(text in "(true|false|null|tru|fals|nul|nulL)[a-z,]{0,2}") {
            let words = ["true", "false", "null"];
            let wanted = words.iter().find(|word| text.starts_with(**word)).map(|word| word.len());
            prop_assert_eq!(literal(text.as_bytes()), wanted);
        }
    }
}
